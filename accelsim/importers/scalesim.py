"""SCALE-Sim's topology CSV as a network, its .cfg as a machine (https://github.com/scalesim-project/SCALE-Sim, v3).

Read by position and checked by header, as SCALE-Sim reads by position: `Layer name, IFMAP Height, IFMAP Width, Filter
Height, Filter Width, Channels, Num Filter, Strides` or `Layer, M, N, K`, both perhaps with `Sparsity`. Its layers know
nothing of each other, so each has an input of its own. Maps are padded already, and a last window that juts out of the
map counts (its output is ceil((map - filter) / stride) + 1): the part outside is padding here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from accelsim.config.strict_yaml import CONTROL, MAX_FILE_BYTES, Document, Origin, read_bytes
from accelsim.config.workload import MAX_EXTENT
from accelsim.errors import Mistake, Mistakes, UserError, shorten, suggestion

MAX_LAYERS = 5000
MOST_MISTAKES = 100
"""Rows whose mistakes are told before the rest is left alone."""

_NAMES = {"layer name", "layer", "l"}
_SPARSITY = "Sparsity"
CONV = ("IFMAP Height", "IFMAP Width", "Filter Height", "Filter Width", "Channels", "Num Filter", "Strides")
GEMM = ("M", "N", "K")
_SAME = {"ifmap width": "ifmap height", "channel": "channels", "num filters": "num filter", "stride": "strides"}
"""Headings in use for others. SCALE-Sim ships files that call both sides of the map its width."""

_LAYER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+\-/() :']{0,89}")
_RATIO = re.compile(r"([0-9]{1,6}) *: *([0-9]{1,6})")
DEPTHWISE = "DP"
"""SCALE-Sim takes a layer with this in its name for one layer for each channel."""


def read(path: Path, shown_as: str) -> Document:
    """The network of a .csv, or the machine of a .cfg. Raises UserError with all mistakes."""
    raw = read_bytes(path, shown_as, MAX_FILE_BYTES)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeError:
        raise UserError([Mistake(shown_as, 0, "file", "UTF-8 text", "other bytes")]) from None
    if control := CONTROL.search(text.replace("\n", " ")):
        line = text.count("\n", 0, control.start()) + 1
        raise UserError([Mistake(shown_as, line, "file", "text", "a control character")])
    lines = [line.rstrip("\r") for line in text.split("\n")]
    return machine(lines, shown_as) if path.suffix.lower() == ".cfg" else network(lines, path.stem, shown_as)


class _Line(NamedTuple):
    """A row of a topology: where it stands, and its cells by heading."""

    file: str
    number: int
    cells: dict[str, str]

    def mistake(self, key: str, expected: str, got: str) -> UserError:
        return UserError([Mistake(self.file, self.number, key, expected, got)])

    def size(self, key: str) -> int:
        """Raises UserError."""
        text = self.cells[key]
        if not re.fullmatch("[0-9]{1,20}", text) or not 1 <= int(text) <= MAX_EXTENT:
            raise self.mistake(key, f"a whole number from 1 to {MAX_EXTENT}", shorten(text))
        return int(text)


def network(lines: Sequence[str], name: str, shown_as: str) -> Document:
    """A topology as a network file. Raises UserError."""
    rows = list(_rows(lines, shown_as))
    if not rows:
        raise UserError([Mistake(shown_as, 1, "file", "a layer a line below the headings", "none")])
    document = Document({}, {(): Origin(shown_as, 1)})
    layers: list[dict[str, Any]] = []
    inputs: list[dict[str, Any]] = []
    densities: dict[str, float] = {}
    taken = {"input": 1}
    mistakes = Mistakes()
    for row in rows:
        with mistakes:
            layer, given = _layer(row)
            layer = {"name": _own_name(_name(row), taken), **layer}
            if layers:
                layers.append({"name": _own_name(f"{layer['name']}_in", taken), "op": "input", **given})
                document.origins["layers", len(layers) - 1] = Origin(shown_as, row.number)
            layers.append(layer)
            inputs.append(given)
            document.origins["layers", len(layers) - 1] = Origin(shown_as, row.number)
            if (density := _density(row, layer, given)) < 1:
                densities[layer["name"]] = density
        if len(mistakes.found) >= MOST_MISTAKES:
            break
    mistakes.raise_any()
    document.data = {
        "name": _identifier(name),
        "source": f"SCALE-Sim topology {_identifier(name)}; its layers are independent of each other",
        "input": inputs[0],
        "layers": layers,
    }
    if densities:
        document.data["prune"] = {"layers": densities, "format": "bitmap", "zeros": "skip"}
    return document


def _rows(lines: Sequence[str], shown_as: str) -> Iterator[_Line]:
    """The rows below the headings, empty ones left out. Raises UserError."""
    filled = ((number, cells) for number, line in enumerate(lines, 1) if (cells := _cells(line)))
    headings = _headings(*next(filled, (1, [])), shown_as)
    for count, (number, cells) in enumerate(filled):
        if count >= MAX_LAYERS:
            raise UserError([Mistake(shown_as, number, "file", f"at most {MAX_LAYERS} layers", "more")])
        optional = headings[-1] == _SPARSITY
        if not len(headings) - optional <= len(cells) <= len(headings):
            expected = f"{len(headings)} values, as there are headings"
            raise UserError([Mistake(shown_as, number, "row", expected, str(len(cells)))])
        yield _Line(shown_as, number, dict(zip(headings, cells, strict=False)))


def _cells(line: str) -> list[str]:
    """Cells between the commas, without empty ones at the end and what follows a #."""
    cells = [cell.strip() for cell in line.partition("#")[0].split(",")]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _headings(line: int, found: Sequence[str], shown_as: str) -> list[str]:
    """Names of the columns here. Raises UserError where they are no topology's."""
    columns = GEMM if len(found) > 1 and found[1].upper() == "M" else CONV
    known = ["Layer name", *columns, _SPARSITY]
    for number, heading in enumerate(known):
        got = found[number] if number < len(found) else ""
        fits = got.lower() in _NAMES if number == 0 else _same(got) == _same(heading)
        if not fits and not (heading == _SPARSITY and not got):
            expected = f"the headings {', '.join(known[:-1])}, and perhaps {_SPARSITY}"
            raise UserError(
                [Mistake(shown_as, line, f"column {number + 1}", expected, shorten(got) if got else "nothing")]
            )
    for number, got in enumerate(found[len(known) :], len(known) + 1):
        if got:
            expected = f"no column behind {_SPARSITY}"
            raise UserError([Mistake(shown_as, line, f"column {number}", expected, shorten(got))])
    return known[: len(found)]


def _same(heading: str) -> str:
    plain = " ".join(heading.lower().split())
    return _SAME.get(plain, plain)


def _layer(row: _Line) -> tuple[dict[str, Any], dict[str, int]]:
    """The layer of a row without its name, and the map it reads. Raises UserError."""
    if "M" in row.cells:
        m, n, k = (row.cells["M"], row.size("N"), row.size("K"))
        height, width = _two_sides(row, m)
        return {"op": "matmul", "channels": n}, {"height": height, "width": width, "channels": k}
    height, width, tall, wide, channels, filters, stride = map(row.size, CONV)
    for key, filter_side, side in (("Filter Height", tall, height), ("Filter Width", wide, width)):
        if filter_side > side:
            raise row.mistake(key, f"at most {side}, as the map has", str(filter_side))
    layer: dict[str, Any] = {
        "op": "conv",
        "kernel": tall if tall == wide else [tall, wide],
        "stride": stride,
        "channels": filters,
    }
    beyond = [(tall - height) % stride, (wide - width) % stride]
    if any(beyond):
        layer["pad"] = [0, 0, *beyond]
    given = {"height": height, "width": width, "channels": channels}
    if DEPTHWISE in row.cells["Layer name"]:
        return layer | {"channels": channels * filters, "groups": channels}, given
    return _without_whole_axes(layer, given, tall, wide)


def _without_whole_axes(
    layer: dict[str, Any], given: dict[str, int], tall: int, wide: int
) -> tuple[dict[str, Any], dict[str, int]]:
    """A window as wide as the map has all columns as channels, as they lie in memory: the product is the same."""
    height, channels = given["height"], wide * given["channels"]
    if tall == height:
        height, tall, channels = 1, 1, tall * channels
    if wide < given["width"] or channels > MAX_EXTENT:
        return layer, given
    return {**layer, "kernel": [tall, 1] if tall > 1 else 1}, {"height": height, "width": 1, "channels": channels}


def _two_sides(row: _Line, text: str) -> tuple[int, int]:
    """M as the pixels of a map: one column of them, or as few columns as keep it within the largest extent."""
    most = MAX_EXTENT * 64
    if not re.fullmatch("[0-9]{1,20}", text) or not 1 <= int(text) <= most:
        raise row.mistake("M", f"a whole number from 1 to {most}", shorten(text))
    m = int(text)
    for width in range(1, 4097):
        if m % width == 0 and m // width <= MAX_EXTENT:
            return m // width, width
    raise row.mistake("M", f"at most {MAX_EXTENT}, or a multiple of a number up to 4096", text)


def _name(row: _Line) -> str:
    text = row.cells["Layer name"]
    if not _LAYER_NAME.fullmatch(text):
        raise row.mistake("Layer name", "a name of at most 90 letters, digits and _ . + - / ( ) : '", shorten(text))
    return _identifier(text)


def _identifier(text: str) -> str:
    """A name of ours like this one."""
    return re.sub(r"[^A-Za-z0-9_.+-]+", "_", text).strip("_.+-")[:90] or "unnamed"


def _own_name(name: str, taken: dict[str, int]) -> str:
    """The name, numbered where it has been used."""
    own = name
    while own in taken:
        taken[name] += 1
        own = f"{name}_{taken[name]}"
    taken[own] = 1
    return own


def _density(row: _Line, layer: Mapping[str, Any], given: Mapping[str, int]) -> float:
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
"""Of a share that is rounded down, and comes out whole when so many weights are counted and rounded up."""

WANTED = {
    "run_name": "general",
    "ArrayHeight": "architecture_presets",
    "ArrayWidth": "architecture_presets",
    "IfmapSramSzkB": "architecture_presets",
    "FilterSramSzkB": "architecture_presets",
    "OfmapSramSzkB": "architecture_presets",
    "Dataflow": "architecture_presets",
    "InterfaceBandwidth": "run_presets",
}
"""Keys that have to be there, and their sections."""

UNUSED = (
    *("IfmapOffset", "FilterOffset", "OfmapOffset", "MemoryBanks", "ReadRequestBuffer", "WriteRequestBuffer"),
    *("OnChipMemoryBanks", "OnChipMemoryBankPorts", "TopologyCsvLoc"),
    *("SparseRep", "BlockSize", "RandomNumberGeneratorSeed"),
    *(f"{operand}SRAMBank{what}" for operand in ("Ifmap", "Filter") for what in ("Bandwidth", "Num", "Port")),
)
"""Keys without a counterpart here: addresses, and what belongs to the switches below."""

SWITCHES = {
    "IfmapCustomLayout": "false: banks of SRAM are not modelled",
    "FilterCustomLayout": "false: banks of SRAM are not modelled",
    "UseRamulatorTrace": "false: the DRAM is simulated, not read from a trace",
    "OptimizedMapping": "false: sparsity that differs from row to row is not modelled",
}
"""Keys that must be off, as what they turn on is not modelled."""

_KNOWN = (*WANTED, "Bandwidth", "SparsitySupport", *UNUSED, *SWITCHES)


class _Value(NamedTuple):
    """Value of a .cfg under a key, and its line."""

    file: str
    line: int
    key: str
    text: str

    def mistake(self, expected: str) -> UserError:
        return UserError([Mistake(self.file, self.line, self.key, expected, shorten(self.text))])

    def whole(self, most: int) -> int:
        """Raises UserError."""
        if not re.fullmatch("[0-9]{1,20}", self.text) or not 1 <= int(self.text) <= most:
            raise self.mistake(f"a whole number from 1 to {most}")
        return int(self.text)

    def one_of(self, *known: str) -> str:
        """Raises UserError."""
        found = next((word for word in known if word.lower() == self.text.lower()), None)
        if found is None:
            raise self.mistake(f"one of {', '.join(known)}{suggestion(self.text, known)}")
        return found


def machine(lines: Sequence[str], shown_as: str) -> Document:
    """A .cfg as a machine file. Raises UserError."""
    values = _values(lines, shown_as)
    mistakes = Mistakes()
    for key, expected in SWITCHES.items():
        if key in values and values[key].text.lower() != "false":
            mistakes.found += values[key].mistake(expected).mistakes
    sizes: dict[str, int] = {}
    for key in ("ArrayHeight", "ArrayWidth", "IfmapSramSzkB", "FilterSramSzkB", "OfmapSramSzkB"):
        with mistakes:
            sizes[key] = values[key].whole(1 << 16 if key.startswith("Array") else 1 << 28)
    with mistakes:
        dataflow = values["Dataflow"].one_of("ws", "is", "os")
    with mistakes:
        bandwidth = _bandwidth(values, shown_as)
    mistakes.raise_any()
    data = _machine_data(_identifier(values["run_name"].text), sizes, dataflow, bandwidth)
    return Document(data, {(): Origin(shown_as, 1)})


def _values(lines: Sequence[str], shown_as: str) -> dict[str, _Value]:
    """By key as SCALE-Sim spells it. Raises UserError."""
    names = {name.lower(): name for name in _KNOWN}
    found: dict[str, _Value] = {}
    mistakes: list[Mistake] = []
    for number, line in enumerate(lines, 1):
        plain = line.strip()
        if not plain or plain[0] in "#;" or re.fullmatch(r"\[\w+\]", plain):
            continue
        parts = re.fullmatch(r"(\w+)\s*[:=](.*)", plain)
        key = names.get(parts[1].lower()) if parts else None
        if parts is None:
            mistakes.append(Mistake(shown_as, number, "line", "[section] or KEY: VALUE", shorten(plain)))
        elif key is None:
            expected = f"a known key{suggestion(parts[1], _KNOWN)}"
            mistakes.append(Mistake(shown_as, number, shorten(parts[1]).strip("'"), expected, shorten(parts[1])))
        elif key in found:
            mistakes.append(Mistake(shown_as, number, key, "each key once", "it again"))
        else:
            found[key] = _Value(shown_as, number, key, parts[2].strip())
        if len(mistakes) >= MOST_MISTAKES:
            break
    missing = [
        Mistake(shown_as, 0, f"{section}.{key}", "a value", "nothing")
        for key, section in WANTED.items()
        if key not in found
    ]
    if mistakes or missing:
        raise UserError(mistakes or missing)
    return found


def _bandwidth(values: Mapping[str, _Value], shown_as: str) -> int:
    """Words, of one byte, a clock: 10 where SCALE-Sim computes the bandwidth it would need. Raises UserError."""
    if values["InterfaceBandwidth"].one_of("CALC", "USER") == "CALC":
        return 10
    if "Bandwidth" not in values:
        raise UserError([Mistake(shown_as, 0, "architecture_presets.Bandwidth", "a value", "nothing")])
    value = values["Bandwidth"]
    first, *others = (part.strip() for part in value.text.split(","))
    if any(other != first for other in others):
        raise value.mistake("one bandwidth, for all operands")
    return value._replace(text=first).whole(1 << 20)


_SERIAL_ARRAY = {"clock_mhz": 1000, "overlap": False, "mac_latency": 1, "post_latency": 0}


def _machine_data(name: str, sizes: Mapping[str, int], dataflow: str, bandwidth: int) -> dict[str, Any]:
    """The machine, as `hwconfigs/scalesim_default.yaml` has SCALE-Sim's own."""
    rows, cols = sizes["ArrayHeight"], sizes["ArrayWidth"]
    port, maps = max(rows, cols), (sizes["IfmapSramSzkB"] + sizes["OfmapSramSzkB"]) * 1024
    assumed = "assumed: SCALE-Sim counts clocks and names no frequency"
    said = "SCALE-Sim configuration"
    return {
        "name": name,
        "description": f"from a SCALE-Sim configuration: {rows}x{cols}, {dataflow}",
        "array": {"rows": rows, "cols": cols, "dataflow": dataflow, **_SERIAL_ARRAY},
        "vector": {"lanes": cols},
        "sram": {
            "activation": {"capacity_bytes": maps, "port_bytes_per_cycle": port},
            "weight": {"capacity_bytes": sizes["FilterSramSzkB"] * 1024, "port_bytes_per_cycle": port},
            "accumulator": {"capacity_bytes": 32768 * cols},
        },
        "dma": {"setup_cycles": 0, "max_outstanding_bursts": 1 << 20},
        "dram": {
            "device": "scalesim",
            "kind": "ideal",
            "clock_mhz": 1000,
            "bytes_per_clock": bandwidth,
            "latency_clocks": 0,
            "burst_bytes": bandwidth,
            "sources": {"clock_mhz": assumed, "bytes_per_clock": said},
        },
        "energy": {"table": "lecture_100x"},
        "sources": {
            "array": f"{said}; its word is one byte, its folds are serial",
            "array.clock_mhz": assumed,
            "vector.lanes": "assumed: SCALE-Sim models no vector unit",
            "sram": f"{said}: ifmaps and ofmaps share a buffer here; ports as wide as the array",
            "sram.accumulator": "assumed large: SCALE-Sim sets no limit to partial sums in flight",
            "dma": "assumed: SCALE-Sim has no DMA model, so descriptors are free",
        },
    }
