"""Commands of a DRAM, and their cost."""

from __future__ import annotations

from dataclasses import dataclass, fields

from accelsim.config.dram import CommandDevice


@dataclass(frozen=True, slots=True)
class DramCounts:
    """Sums of the commands of all channels.

    A row hit finds its row open, a miss its bank closed, a conflict another row. turnarounds: changes of the data bus
    between reads and writes; forwarded: bursts answered by a write that waited; active_clocks: of each rank with a row
    open; rank_clocks: of each rank.
    """

    reads: int
    writes: int
    row_hits: int
    row_misses: int
    row_conflicts: int
    activates: int
    refreshes: int
    turnarounds: int
    forwarded: int
    active_clocks: int
    rank_clocks: int

    def __add__(self, other: DramCounts) -> DramCounts:
        return DramCounts(*(getattr(self, part.name) + getattr(other, part.name) for part in fields(self)))


def energy_pj(device: CommandDevice, counts: DramCounts) -> dict[str, float]:
    """Energy by command, and of the time in between."""
    return device.energy.parts_pj(counts, device.clock_mhz)
