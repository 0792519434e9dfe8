"""A topology CSV as a network.

Read by position and checked by header, as SCALE-Sim reads by position: `Layer name, IFMAP Height, IFMAP Width, Filter
Height, Filter Width, Channels, Num Filter, Strides` (or `Stride height, Stride width`) or `Layer, M, N, K`, all perhaps
with `Sparsity` and `Batch Size`. Its layers know nothing of each other, so each has an input of its own. Maps are
padded already, and a last window that juts out of the map counts (its output is ceil((map - filter) / stride) + 1):
the part outside is padding here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from accelsim.config.strict_yaml import Document
from accelsim.config.workload import MAX_EXTENT
from accelsim.errors import Mistake, UserError, shorten
from accelsim.importers.rows import RowLayer, TableRow, network_of, no_rows
from accelsim.importers.scalesim.naming import identifier

MAX_LAYERS = 5000

_NAMES = {"layer name", "layer", "l"}
_SPARSITY, _BATCH = "Sparsity", "Batch Size"
_OPTIONAL = {"sparsity": _SPARSITY, "batch size": _BATCH}
CONV = ("IFMAP Height", "IFMAP Width", "Filter Height", "Filter Width", "Channels", "Num Filter", "Strides")
TWO_STRIDES = ("Stride height", "Stride width")
GEMM = ("M", "N", "K")
_SAME = {"ifmap width": "ifmap height", "channel": "channels", "num filters": "num filter", "stride": "strides"}
"""Headings in use for others. SCALE-Sim ships files that call both sides of the map its width."""

CONV_HEADINGS = ("Layer name", *CONV)

_LAYER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+\-/() :']{0,89}")
_RATIO = re.compile(r"([0-9]{1,6}) *: *([0-9]{1,6})")
DEPTHWISE = "DP"
"""SCALE-Sim takes a layer with this in its name for one layer for each channel."""


def network(lines: Sequence[str], name: str, shown_as: str) -> Document:
    """A topology as a network file. Raises UserError."""
    rows = list(_rows(lines, shown_as))
    if not rows:
        raise no_rows(shown_as, 1)
    sparse: list[tuple[dict[str, Any], float]] = []

    def read(row: TableRow) -> RowLayer:
        fields, given = _layer(row)
        layer = {"name": _name(row), **fields}
        if (density := _density(row, layer, given)) < 1:
            sparse.append((layer, density))
        return layer, given

    document = network_of(rows, read, _BATCH, shown_as=shown_as, name=identifier(name), source="SCALE-Sim topology")
    if sparse:
        densities = {layer["name"]: density for layer, density in sparse}
        document.data["prune"] = {"layers": densities, "format": "bitmap", "zeros": "skip"}
    return document


def _rows(lines: Sequence[str], shown_as: str) -> Iterator[TableRow]:
    """The rows below the headings, empty ones and titles (a name alone) left out. Raises UserError."""
    first = next((line for line in lines if line.strip()), "")
    separator = "\t" if "\t" in first and "," not in first else ","
    filled = ((number, cells) for number, line in enumerate(lines, 1) if (cells := _cells(line, separator)))
    headings = _headings(*next(filled, (1, [])), shown_as)
    fewest = sum(heading not in _OPTIONAL.values() for heading in headings if heading)
    for count, (number, cells) in enumerate(row for row in filled if len(row[1]) > 1):
        if count >= MAX_LAYERS:
            raise UserError([Mistake(shown_as, number, "file", f"at most {MAX_LAYERS} layers", "more")])
        known = [*CONV_HEADINGS[:-1], *TWO_STRIDES] if _has_two_strides(headings, cells) else headings
        if not fewest <= len(cells) <= len(known) and not (known[-1] == "" and len(cells) > fewest):
            expected = f"{fewest} values, as there are headings"
            raise UserError([Mistake(shown_as, number, "row", expected, str(len(cells)))])
        yield TableRow(shown_as, number, dict(zip(known, cells, strict=False)))


def _has_two_strides(headings: Sequence[str], cells: Sequence[str]) -> bool:
    """True where a row has a value more than a convolution has headings: SCALE-Sim's own files have such rows."""
    return tuple(headings) == CONV_HEADINGS and len(cells) == len(headings) + 1


def _cells(line: str, separator: str) -> list[str]:
    """Cells between the separators, without empty ones at the end and what follows a #."""
    cells = [cell.strip() for cell in line.partition("#")[0].split(separator)]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _headings(line: int, found: Sequence[str], shown_as: str) -> list[str]:
    """Names of the columns here, an empty one last where notes stand behind them.

    Raises UserError where they are no topology's.
    """
    columns: tuple[str, ...] = GEMM if len(found) > 1 and found[1].upper() == "M" else CONV
    if columns is CONV and len(found) > len(CONV) and _same(found[len(CONV)]) == _same(TWO_STRIDES[0]):
        columns = (*CONV[:-1], *TWO_STRIDES)
    known = ["Layer name", *columns]
    for number, heading in enumerate(known):
        got = found[number] if number < len(found) else ""
        if not (got.lower() in _NAMES if number == 0 else _same(got) == _same(heading)):
            expected = f"the headings {', '.join(known)}, and perhaps {' and '.join(_OPTIONAL.values())}"
            raise UserError(
                [Mistake(shown_as, line, f"column {number + 1}", expected, shorten(got) if got else "nothing")]
            )
    for number, got in enumerate(found[len(known) :], len(known) + 1):
        name = _OPTIONAL.get(_same(got), "")
        if got and (not name or name in known):
            expected = f"no column behind {columns[-1]} but {' and '.join(_OPTIONAL.values())}"
            raise UserError([Mistake(shown_as, line, f"column {number}", expected, shorten(got))])
        known.append(name)
        if not got:
            break
    return known


def _same(heading: str) -> str:
    plain = " ".join(heading.lower().split())
    return _SAME.get(plain, plain)


def _layer(row: TableRow) -> RowLayer:
    """The layer of a row without its name, and the map it reads. Raises UserError."""
    if "M" in row.cells:
        n, k = row.size("N"), row.size("K")
        height, width = _two_sides(row)
        return {"op": "matmul", "channels": n}, {"height": height, "width": width, "channels": k}
    height, width, tall, wide, channels, filters = map(row.size, CONV[:-1])
    down, across = map(row.size, TWO_STRIDES if TWO_STRIDES[0] in row.cells else CONV[-1:] * 2)
    for key, filter_side, side in (("Filter Height", tall, height), ("Filter Width", wide, width)):
        if filter_side > side:
            raise row.mistake(key, f"at most {side}, as the map has", str(filter_side))
    layer: dict[str, Any] = {
        "op": "conv",
        "kernel": tall if tall == wide else [tall, wide],
        "stride": down if down == across else [down, across],
        "channels": filters,
    }
    beyond = [(tall - height) % down, (wide - width) % across]
    if any(beyond):
        layer["pad"] = [0, 0, *beyond]
    given = {"height": height, "width": width, "channels": channels}
    if DEPTHWISE in row.cells["Layer name"]:
        return layer | {"channels": channels * filters, "groups": channels}, given
    if tall == wide == down == across == 1 and height * width <= MAX_EXTENT:
        return layer, {"height": height * width, "width": 1, "channels": channels}
    return _without_whole_axes(layer, given, tall, wide)


def _without_whole_axes(layer: dict[str, Any], given: dict[str, int], tall: int, wide: int) -> RowLayer:
    """A window as wide as the map has all columns as channels, as they lie in memory: the product is the same."""
    height, channels = given["height"], wide * given["channels"]
    if tall == height:
        height, tall, channels = 1, 1, tall * channels
    if wide < given["width"] or channels > MAX_EXTENT:
        return layer, given
    return {**layer, "kernel": [tall, 1] if tall > 1 else 1}, {"height": height, "width": 1, "channels": channels}


def _two_sides(row: TableRow) -> tuple[int, int]:
    """M as the pixels of a map: one column of them, or as few columns as keep it within the largest extent."""
    m = row.size("M", MAX_EXTENT * 64)
    for width in range(1, 4097):
        if m % width == 0 and m // width <= MAX_EXTENT:
            return m // width, width
    raise row.mistake("M", f"at most {MAX_EXTENT}, or a multiple of a number up to 4096", row.cells["M"])


def _name(row: TableRow) -> str:
    text = row.cells["Layer name"]
    if not _LAYER_NAME.fullmatch(text):
        raise row.mistake("Layer name", "a name of at most 90 letters, digits and _ . + - / ( ) : '", shorten(text))
    return identifier(text)


def _density(row: TableRow, layer: Mapping[str, Any], given: Mapping[str, int]) -> float:
    """Share of the weights that an N:M sparsity leaves, rounded down; a last block that is not full keeps N of it, or
    all it has. Raises UserError."""
    text = row.cells.get(_SPARSITY) or "1:1"
    found = _RATIO.fullmatch(text)
    kept, block = map(int, found.groups()) if found else (0, 0)
    if not 1 <= kept <= block:
        raise row.mistake(_SPARSITY, "N:M with N from 1 to M", shorten(text))
    kernel = layer.get("kernel", 1)
    taps: int = kernel * kernel if isinstance(kernel, int) else kernel[0] * kernel[1]
    depth = taps * (given["channels"] // int(layer.get("groups", 1)))
    whole, rest = divmod(depth, block)
    return max((whole * kept + min(kept, rest)) * DIGITS // depth, 1) / DIGITS


DIGITS = 10**12
"""Digits of a share that is rounded down, and comes out whole when that many weights are counted and rounded up."""
