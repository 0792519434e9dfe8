"""A .cfg as a machine."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from accelsim.config.strict_yaml import Document, Origin
from accelsim.errors import Mistake, Mistakes, UserError, shorten, suggestion
from accelsim.importers.scalesim.naming import identifier

MOST_MISTAKES = 100
"""Lines whose mistakes are told before the rest is left alone."""

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
    data = _machine_data(identifier(values["run_name"].text), sizes, dataflow, bandwidth)
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
        "dma": {"setup_cycles": 0, "bursts_per_clock": bandwidth, "max_outstanding_bursts": 1 << 20},
        "dram": {
            "device": "scalesim",
            "kind": "ideal",
            "clock_mhz": 1000,
            "bytes_per_clock": bandwidth,
            "latency_clocks": 0,
            "burst_bytes": 1,
            "sources": {"clock_mhz": assumed, "bytes_per_clock": said},
        },
        "energy": {"table": "cacti_45nm"},
        "sources": {
            "array": f"{said}; its word is one byte, its folds are serial",
            "array.clock_mhz": assumed,
            "vector.lanes": "assumed: SCALE-Sim models no vector unit",
            "sram": f"{said}: ifmaps and ofmaps share a buffer here; ports as wide as the array",
            "sram.accumulator": "assumed large: SCALE-Sim sets no limit to partial sums in flight",
            "dma": "assumed: SCALE-Sim has no DMA model, so descriptors are free; it issues what the bus takes",
        },
    }
