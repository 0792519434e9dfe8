"""A run as SCALE-Sim 3 reports one: COMPUTE_REPORT.csv, BANDWIDTH_REPORT.csv and DETAILED_ACCESS_REPORT.csv.

Their columns, a row a layer, for scripts that read them. Clocks of a layer are counted from its first on the array or
the vector unit, so what is loaded ahead of that has negative ones; the last clock is the stop. Words are as wide as the
machine's data; no clock of a layer that does not use a buffer, or DRAM, is 0 as its words are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from accelsim.config.machine import Machine
from accelsim.program.commands import Buffer, Compute, Load, Store
from accelsim.program.link import Linked, Moment
from accelsim.records import LayerRecord

COMPUTE = (
    "LayerID",
    "Total Cycles (incl. prefetch)",
    "Total Cycles",
    "Stall Cycles",
    "Overall Util %",
    "Mapping Efficiency %",
    "Compute Util %",
)
_OPERANDS = ("IFMAP", "FILTER", "OFMAP")
BANDWIDTH = ("LayerID", *(f"Avg {operand} {memory} BW" for memory in ("SRAM", "DRAM") for operand in _OPERANDS))
_ACCESSES = (("IFMAP", "Reads"), ("Filter", "Reads"), ("OFMAP", "Writes"))
DETAILED = (
    "LayerID",
    *(
        f"{memory} {operand} {what}"
        for memory in ("SRAM", "DRAM")
        for operand, words in _ACCESSES
        for what in ("Start Cycle", "Stop Cycle", words)
    ),
)


@dataclass(slots=True)
class _Period:
    """First and last clock in which something goes on."""

    start: int | None = None
    stop: int = 0

    def take(self, begin: int, end: int) -> None:
        """Widen it by clocks [begin, end)."""
        if begin < end:
            self.start = begin if self.start is None else min(self.start, begin)
            self.stop = max(self.stop, end - 1)


@dataclass(slots=True)
class _LayerClocks:
    """Clocks of a layer: on its unit, and by memory and operand as SCALE-Sim lists them."""

    unit: _Period = field(default_factory=_Period)
    memories: tuple[_Period, ...] = field(default_factory=lambda: tuple(_Period() for _ in range(6)))


class _LayerRow(NamedTuple):
    """A layer: its record, its clocks and the words of each memory and operand."""

    record: LayerRecord
    clocks: _LayerClocks
    words: tuple[int, ...]

    @property
    def total(self) -> int:
        """Clocks from the first on its unit to the last result."""
        unit = self.clocks.unit
        return 0 if unit.start is None else unit.stop - unit.start + 1


def reports(records: Sequence[LayerRecord], linked: Iterable[Linked], machine: Machine) -> dict[str, str]:
    """The three files, by name. linked: the commands of the run, with when each was where."""
    clocks = _clocks(len(records), linked)
    rows = [_LayerRow(record, each, _words(record, machine)) for record, each in zip(records, clocks, strict=True)]
    return {
        "COMPUTE_REPORT.csv": _text(COMPUTE, map(_compute, rows)),
        "BANDWIDTH_REPORT.csv": _text(BANDWIDTH, map(_bandwidth, rows)),
        "DETAILED_ACCESS_REPORT.csv": _text(DETAILED, map(_detailed, rows)),
    }


def _clocks(layers: int, linked: Iterable[Linked]) -> list[_LayerClocks]:
    found = [_LayerClocks() for _ in range(layers)]
    for command, task in linked:
        mine = found[command.layer % layers]
        ifmap, weight, ofmap, dram_ifmap, dram_weight, dram_ofmap = mine.memories
        match command:
            case Load(tile=tile):
                (dram_weight if tile.buffer is Buffer.WEIGHT else dram_ifmap).take(task.begin, task.done)
            case Store():
                dram_ofmap.take(task.begin, task.done)
            case Compute():
                read = max(task.moments[Moment.STREAM_READ], task.moments[Moment.STATIONARY_READ])
                mine.unit.take(task.begin, task.done)
                ifmap.take(task.begin, read)
                if any(tile.buffer is Buffer.WEIGHT for tile in command.reads):
                    weight.take(task.begin, read)
                ofmap.take(task.stream, task.done)
    return found


def _words(record: LayerRecord, machine: Machine) -> tuple[int, ...]:
    counts, array = record.counts, machine.array
    maps, weights, sums = array.activation_bits, array.weight_bits, array.psum_bits
    return (
        8 * counts.sram_read_ifmap_bytes // maps,
        8 * counts.sram_read_weight_bytes // weights,
        8 * counts.sram_write_ofmap_bytes // maps + 8 * counts.sram_write_psum_bytes // sums,
        8 * counts.dram_read_ifmap_bytes // maps,
        8 * counts.dram_read_weight_bytes // weights,
        8 * counts.dram_write_ofmap_bytes // maps,
    )


def _compute(row: _LayerRow) -> Iterator[float]:
    record = row.record
    streamed = record.stream_cycles - record.stretched_cycles - record.bubble_cycles
    yield record.latency_cycles
    yield row.total
    yield max(0, row.total - record.array_clocks)
    for cycles in (row.total, streamed, record.array_clocks):
        yield 100 * record.array_macs / (record.pes * cycles) if cycles else 0.0


def _bandwidth(row: _LayerRow) -> Iterator[float]:
    """SRAM: words over all clocks of the layer; DRAM: over those from the first transfer to the last."""
    for words in row.words[:3]:
        yield words / row.total if row.total else 0.0
    for words, window in zip(row.words[3:], row.clocks.memories[3:], strict=True):
        yield 0.0 if window.start is None else words / (window.stop - window.start + 1)


def _detailed(row: _LayerRow) -> Iterator[float]:
    zero = row.clocks.unit.start or 0
    for words, window in zip(row.words, row.clocks.memories, strict=True):
        used = window.start is not None
        yield from ((window.start or 0) - zero, window.stop - zero, words) if used else (0, 0, 0)


def _text(columns: Sequence[str], rows: Iterable[Iterable[float]]) -> str:
    """Cells and line ends as SCALE-Sim writes them."""
    lines = [", ".join(columns), *(", ".join(map(str, (number, *row))) for number, row in enumerate(rows))]
    return "".join(f"{line},\n" for line in lines)
