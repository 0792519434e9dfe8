"""An estimate of when the commands of a stream are over, made as they are emitted.

One bus moves all loads and stores, in their order; each unit does its computes one after the other. What is estimated
only decides which loads are worth a wait; the clocks of a run are the machine's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from accelsim.lowering.ir import TilingContext
from accelsim.program.commands import Compute, Tile
from accelsim.unit_kinds import UnitKind


@dataclass(slots=True)
class Timeline:
    """The end of all that was emitted.

    context: of the machine; bus, units: clock from which each is free; emitted: end of the last compute.
    """

    context: TilingContext
    bus: float = 0.0
    emitted: float = 0.0
    units: dict[UnitKind, float] = field(default_factory=dict)
    there: dict[Tile, float] = field(default_factory=dict)

    def clocks(self, compute: Compute) -> float:
        """Clocks of the unit of a compute, all its data being there."""
        chain = compute.chain
        if chain is None:
            return compute.unit_cycles
        return chain.span + chain.last.stream if self.context.overlap else chain.serial_cycles

    def transfer(self, tiles: Iterable[Tile]) -> float:
        """Clocks in which the bus moves tiles."""
        return self.context.dma_cycles(sum(tile.bytes for tile in tiles))

    def load(self, tiles: Iterable[Tile]) -> None:
        """Note that tiles are loaded next."""
        for tile in tiles:
            self.bus = max(self.bus, self.emitted) + self.transfer((tile,))
            self.there[tile] = self.bus

    def compute(self, compute: Compute) -> None:
        """Note a compute and the stores of its results."""
        self.emitted = self._end(compute, self.units, self.there)
        for tile in compute.stored:
            self.bus = max(self.bus, self.emitted) + self.transfer((tile,))
        for tile in compute.vacated:
            self.there.pop(tile, None)

    def is_idle_for(self, tiles: Iterable[Tile], computes: Iterable[Compute]) -> bool:
        """True where the bus can load tiles, and store the results of the computes that follow, until they are over."""
        wanted = max(self.bus, self.emitted) + self.transfer(tiles)
        units, made = dict(self.units), dict[Tile, float]()
        for compute in computes:
            if self._end(compute, units, made) >= wanted:
                return True
            wanted += self.transfer(compute.stored)
        return False

    def _end(self, compute: Compute, units: dict[UnitKind, float], made: dict[Tile, float]) -> float:
        """Clock at which a compute is over, which is noted for its unit and its results."""
        begin, there = units.get(compute.unit, 0.0), self.there
        for tile in compute.reads:
            when = made.get(tile)
            if when is None:
                when = there.get(tile, 0.0)
            if when > begin:
                begin = when
        end = units[compute.unit] = begin + self.clocks(compute)
        for tile in compute.results:
            made[tile] = end
        return end
