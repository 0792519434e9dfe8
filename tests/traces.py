"""DRAM traces beside two public simulators: clocks, activates and turnarounds, by kind of trace.

`python -m tests.traces` plays them, in some seconds, and writes `tests/data/validation/traces.csv`, of which
docs/fidelity.md is made.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import NamedTuple

from tests.dram_cases import golden_bursts, golden_device, goldens, memory_after
from tests.gemmini.measured import DATA, table
from tests.machine.memory.test_dram import played_golden

PLAYED = DATA / "traces.csv"
KINDS = {
    "seq": "in sequence",
    "tile": "rows of a tile",
    "rand": "random places",
    "rw": "reads and writes in turn",
    "triple": "operands of a layer",
    "psum": "operands of a layer",
}
"""Kinds of traces, by how their names begin."""
DEEPER = 32 + 8
"""Entries of a queue of DRAMsim3 with those for commands of one bank (cmd_queue_size of its configurations)."""


class Trace(NamedTuple):
    """Clocks, activates and turnarounds of a simulator, ours, and our clocks and turnarounds with a deeper queue.

    Ramulator counts no turnarounds, and has no queue but ours: 0.
    """

    simulator: str
    device: str
    mapping: str
    trace: str
    clocks: int
    activates: int
    turnarounds: int
    our_clocks: int
    our_activates: int
    our_turnarounds: int
    deeper_clocks: int
    deeper_turnarounds: int

    @property
    def kind(self) -> str:
        """Kind of what is read and written."""
        return KINDS[self.trace.split("_")[0]]

    @property
    def error(self) -> float:
        """Our clocks over theirs, less 1."""
        return self.our_clocks / self.clocks - 1

    @property
    def deeper_error(self) -> float:
        """The same with a deeper queue."""
        return self.deeper_clocks / self.clocks - 1


def played() -> Iterator[Trace]:
    """All traces."""
    for row in goldens():
        device, end, counts = played_golden(row)
        theirs = (int(row["cycles"]), int(row["acts"]), int(row["r2w"] or 0) + int(row["w2r"] or 0))
        ours = (end, counts.activates, counts.turnarounds)
        others = _deeper(row) if row["sim"] == "DRAMsim3" else (0, 0)
        yield Trace(row["sim"], device.device, device.address_mapping, row["trace"], *theirs, *ours, *others)


def _deeper(row: dict[str, str]) -> tuple[int, int]:
    """Clocks and turnarounds with a deeper queue."""
    device = golden_device(row, f"scheduler.queue_entries={DEEPER}")
    memory, _ = memory_after(device, golden_bursts(row["trace"], device.burst_bytes), plain=False)
    return memory.end, memory.counts(memory.end).turnarounds


def read() -> list[Trace]:
    """The traces that were simulated."""
    return [Trace(*list(row.values())[:4], *map(int, list(row.values())[4:])) for row in table(PLAYED.name)]


def write() -> None:
    """Play all and write the file."""
    traces = list(played())
    with PLAYED.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([Trace._fields, *traces])


if __name__ == "__main__":
    write()
