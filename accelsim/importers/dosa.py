"""Tables of layers with a mapping each, as DOSA writes them (https://github.com/ucb-bar/dosa, MICRO 2023).

A row has the sizes of a layer (`C, K, N, P, Q, R, S, stride_h, stride_w`, or `prob.C` ... `prob.Hstride`) and a mapping
(`mapping`, `dosa_mapping` or `mapping.mapping`), read from the outside in: `L3[WIO]` the loops over tiles, `L2[WI]`,
`L1[O]` and `L0[W]` the factors of a tile in scratchpad, accumulator and PEs; a letter and a number are a loop and its
factor, `X` or `Y` one along the array. P are columns of the output, Q rows, R and S those of the kernel; a map of one
column and a kernel of one position is a product with P rows. What a tile is, and that only `L3` orders loops, is as the
programs have it that DOSA measured (gemmini-rocc-tests, branch `dosa`, 959b23f, extract_data_csv.py and gemmini.h).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

from accelsim.config.plan import MOST_ENTRIES, Loop
from accelsim.config.strict_yaml import Document, Origin
from accelsim.config.workload import MAX_EXTENT
from accelsim.errors import Mistake, UserError, shorten
from accelsim.importers.rows import RowLayer, TableRow, each_row, network_of, no_rows
from accelsim.importers.scalesim.naming import identifier

MOST_CHARACTERS = 500
"""Characters of a mapping at most."""

SIZES = ("C", "K", "N", "P", "Q", "R", "S")
_MAPPINGS = ("mapping", "dosa_mapping", "mapping.mapping")
_STRIDES = {"stride_h": "stride_h", "stride_w": "stride_w", "prob.Hstride": "stride_h", "prob.Wstride": "stride_w"}
_DILATIONS = {"prob.Hdilation": "dilation_h", "prob.Wdilation": "dilation_w"}
_KNOWN = (
    {name: name for name in SIZES} | {f"prob.{name}": name for name in SIZES} | _STRIDES | _DILATIONS
) | dict.fromkeys(_MAPPINGS, "mapping")
"""Headings, and what they are called here; columns of others are not read."""

LEVELS = ("L3", "L2", "L1", "L0")
_LEVEL = re.compile(r"(L[0-3])\[[WIO]{1,3}\]((?: [A-Z][0-9]{1,7}[XY]?)+)")
_LOOP = re.compile(r"([CKNPQRS])([1-9][0-9]{0,6})[XY]?")

LOOPS: dict[str, Loop] = {
    **dict.fromkeys("NPQ", "map"), "K": "outputs", **dict.fromkeys("CRS", "inputs"),
}  # fmt: skip
"""The loop of a plan that goes on with one of a mapping."""
ORDERS: tuple[tuple[Loop, ...], ...] = (
    ("map", "outputs", "inputs"),
    ("map", "inputs", "outputs"),
    ("outputs", "map", "inputs"),
    ("outputs", "inputs", "map"),
)
"""Orders that a plan can have inside of groups."""

_Factors = dict[str, list[tuple[str, int]]]
"""By level the loops, outermost first: dimension and factor."""


def is_table(lines: Sequence[str]) -> bool:
    """True where the headings have one of mappings."""
    _, headings = next(_filled(lines), (1, []))
    return not set(_MAPPINGS).isdisjoint(headings)


def network(lines: Sequence[str], name: str, shown_as: str) -> Document:
    """The layers of a table, independent of each other, as a network file. Raises UserError."""
    rows = _rows(lines, shown_as)
    return network_of(rows, _layer, "N", shown_as=shown_as, name=identifier(name), source="DOSA table")


def mapping(lines: Sequence[str], name: str, shown_as: str, *, allow_unmodelled: bool = False) -> Document:
    """The mappings of a table as a mapping file for the network of the same table. Raises UserError.

    allow_unmodelled: leave out what no plan can say, and count it in the description.
    """
    if not is_table(lines):
        raise UserError([Mistake(shown_as, 1, "file", f"a heading {' or '.join(_MAPPINGS)}", "none")])
    document = Document({}, {(): Origin(shown_as, 1)})
    entries: list[dict[str, Any]] = []
    left_out: list[int] = []

    def take(row: TableRow) -> None:
        factors = _factors(row)
        try:
            entry = _entry(row, factors)
        except UserError:
            if not allow_unmodelled:
                raise
            left_out.append(row.number)
            return
        document.origins["scheduling", "plan", "layers", len(entries)] = row.origin
        entries.append(entry)

    each_row(_rows(lines, shown_as), take)
    about = f"mappings of DOSA table {identifier(name)}"
    if left_out:
        about += f"; not those of lines {', '.join(map(str, left_out[:20]))}{' ...' if len(left_out) > 20 else ''}"
    document.data = {
        "description": about,
        "scheduling": {"fusion": "never", "keep_activations": "never", "plan": {"layers": entries}},
    }
    return document


# Rows.


def _rows(lines: Sequence[str], shown_as: str) -> Iterator[TableRow]:
    """The rows below the headings. Raises UserError."""
    filled = _filled(lines)
    first, headings = next(filled, (1, []))
    columns = _columns(headings, first, shown_as)
    count = 0
    for count, (number, cells) in enumerate(filled, 1):
        if count > MOST_ENTRIES:
            raise UserError([Mistake(shown_as, number, "file", f"at most {MOST_ENTRIES} rows", "more")])
        if len(cells) != len(headings):
            expected = f"{len(headings)} values, as there are headings"
            raise UserError([Mistake(shown_as, number, "row", expected, str(len(cells)))])
        yield TableRow(shown_as, number, {key: _cell(key, cells[place]) for key, place in columns.items()})
    if not count:
        raise no_rows(shown_as, first)


def _cell(key: str, text: str) -> str:
    """A cell as it is, sizes without the decimals that the tool's own files have."""
    return text if key == "mapping" else text.removesuffix(".0")


def _filled(lines: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Numbers and cells of the lines that are not empty but for a comment behind a #."""
    for number, line in enumerate(lines, 1):
        if text := line.partition("#")[0].strip():
            yield number, [cell.strip() for cell in text.split(",")]


def _columns(headings: Sequence[str], line: int, shown_as: str) -> dict[str, int]:
    """Places of the columns that are read. Raises UserError where one is missing or there twice."""
    found: dict[str, int] = {}
    for place, heading in enumerate(headings):
        key = _KNOWN.get(heading)
        if key in found:
            raise UserError([Mistake(shown_as, line, f"column {place + 1}", f"one column of {key}", "another")])
        if key:
            found[key] = place
    for key in (*SIZES, "stride_h", "stride_w"):
        if key not in found:
            raise UserError([Mistake(shown_as, line, "headings", f"a column {key}", "none")])
    return found


def _name(row: TableRow) -> str:
    return f"line{row.number}"


def _is_product(row: TableRow) -> bool:
    return all(row.size(key) == 1 for key in ("Q", "R", "S"))


def _layer(row: TableRow) -> RowLayer:
    """The layer of a row, and the map that it reads. Raises UserError."""
    for key in ("dilation_h", "dilation_w"):
        if row.cells.get(key, "1") != "1":
            raise row.mistake(key, "1: other dilations are not read", shorten(row.cells[key]))
    c, k, _, p, q, r, s = map(row.size, SIZES)
    if _is_product(row):
        return {"name": _name(row), "op": "matmul", "channels": k}, {"height": p, "width": 1, "channels": c}
    down, across = row.size("stride_h"), row.size("stride_w")
    (top, bottom), (left, right) = _pad(s, down), _pad(r, across)
    kernel, stride = (s if s == r else [s, r]), (down if down == across else [down, across])
    layer = {"name": _name(row), "op": "conv", "kernel": kernel, "stride": stride, "channels": k}
    if any((top, bottom, left, right)):
        layer["pad"] = top if top == left == bottom == right else [top, left, bottom, right]
    given = {"height": q * down, "width": p * across, "channels": c}
    for key in ("height", "width"):
        if given[key] > MAX_EXTENT:
            raise row.mistake(key, f"at most {MAX_EXTENT} of the input", str(given[key]))
    return layer, given


def _pad(kernel: int, stride: int) -> tuple[int, int]:
    """Padding before and behind a map of the output's size times the stride: half of the kernel, then what is left."""
    whole = max(kernel - stride, 0)
    before = min(kernel // 2, whole)
    return before, whole - before


# Mappings.


def _factors(row: TableRow) -> _Factors:
    """The loops of a mapping by level, whose factors make the layer. Raises UserError."""
    text = row.cells["mapping"]
    parts = text.split(" - ") if len(text) <= MOST_CHARACTERS else []
    found: _Factors = {}
    for level, part in zip(LEVELS, parts, strict=False):
        match = _LEVEL.fullmatch(part.strip())
        loops = [_LOOP.fullmatch(word) for word in match[2].split()] if match and match[1] == level else []
        if not loops or not all(loops):
            raise row.mistake("mapping", f"{level}[...] and its loops, as C4 or K16X", shorten(part))
        found[level] = [(loop[1], int(loop[2])) for loop in loops if loop]
    if len(parts) != len(LEVELS):
        raise row.mistake(
            "mapping", f"{', '.join(LEVELS)} with ' - ' between them", shorten(text) if text else "nothing"
        )
    for dimension in SIZES:
        whole = _product(found, dimension, LEVELS)
        if whole != row.size(dimension):
            raise row.mistake("mapping", f"factors of {dimension} that make {row.size(dimension)}", str(whole))
    return found


def _product(factors: _Factors, dimension: str, levels: Sequence[str]) -> int:
    """Product of the factors of a dimension in some levels."""
    return prod(size for level in levels for which, size in factors[level] if which == dimension)


def _entry(row: TableRow, factors: _Factors) -> dict[str, Any]:
    """A layer of a plan. Raises UserError where a plan can't say it."""
    inside = LEVELS[1:]
    sizes = {dimension: _product(factors, dimension, inside) for dimension in SIZES}
    tile = {"images": sizes["N"], "rows": sizes["Q"], "columns": sizes["P"]}
    if _is_product(row):
        tile |= {"rows": sizes["P"], "columns": 1}
    tile |= {"outputs": sizes["K"], "inputs": sizes["C"]}
    if (sizes["R"], sizes["S"]) != (row.size("R"), row.size("S")):
        tile["kernel"] = _kernel(row, sizes["R"], sizes["S"])
    return {"match": _name(row), "tile": tile, "order": _order(row, factors), "results": "apart"}


def _kernel(row: TableRow, wide: int, high: int) -> int:
    """Kernel positions of a tile: rows of the kernel, or part of one. Raises UserError."""
    if wide < row.size("R") and high > 1:
        raise row.mistake("mapping", "tiles of whole kernel rows, or of part of one", f"{high} x {wide} positions")
    return wide * high


def _order(row: TableRow, factors: _Factors) -> list[Loop]:
    """The loops over tiles, outermost first. Raises UserError where a plan has no such order."""
    named = [LOOPS[which] for which, size in factors["L3"] if size > 1]
    loops = [loop for place, loop in enumerate(named) if place == 0 or named[place - 1] != loop]
    for order in ORDERS:
        if [loop for loop in order if loop in loops] == loops:
            return ["groups", *order]
    expected = (
        "loops over tiles that go on with map, outputs and inputs one after the other, sums not outermost of three"
    )
    raise row.mistake("mapping", expected, " ".join(which for which, size in factors["L3"] if size > 1))
