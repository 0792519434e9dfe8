"""Tile reuse: tiles that go on from one iteration of a layer to later ones."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from accelsim.lowering.ir import Tiling
from accelsim.lowering.placement import Placement
from accelsim.network.geometry import MapBlock
from accelsim.program.commands import Buffer, Tile
from accelsim.program.tensors import Region

TilesOf = Callable[[Placement, Region], tuple[Tile, ...]]
"""The tiles that hold a region of a map, in the channels of its tensor."""


ANY_NUMBER = 1 << 32
"""Number of places where there are as many as the buffer has."""


class Kept(OrderedDict[Hashable, tuple[Tile, ...]]):
    """The last tiles of an operand that were used, up to a limit."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most
        self.last: tuple[Hashable, tuple[Tile, ...]] = None, ()

    def tiles(self, key: Hashable, find: Callable[[], tuple[Tile, ...]]) -> tuple[Tile, ...]:
        """The tiles for a key, or else new ones in the place of those that were not used for the longest time."""
        if key == self.last[0]:
            return self.last[1]
        found = self.get(key)
        if found is None:
            found = self[key] = find()
            if len(self) > self.most:
                self.popitem(last=False)
        else:
            self.move_to_end(key)
        self.last = key, found
        return found


def slots_of(tiling: Tiling, ifmap_slots: int) -> dict[Buffer, int]:
    """Places that the loads of a layer share in a buffer, where several tiles stay there or one alone fits.

    ifmap_slots: tiles of the input map that fit beside the results.
    """
    slots = {}
    if tiling.ifmap_tiles > 1 or ifmap_slots == 1:
        slots[Buffer.ACTIVATION] = ifmap_slots
    if tiling.weight_tiles > 1:
        slots[Buffer.WEIGHT] = ANY_NUMBER
    return slots


@dataclass(slots=True)
class TileReuse:
    """Tiles that earlier iterations left in SRAM, to be used again if an iteration wants the same."""

    maps: Kept = field(default_factory=lambda: Kept(1))
    weights: Kept = field(default_factory=lambda: Kept(1))
    factor_region: Region | None = None
    factors: tuple[Tile, ...] = ()
    shortcut_region: Region | None = None
    shortcut: tuple[Tile, ...] = ()
    operands: dict[int, tuple[Region, tuple[Tile, ...]]] = field(default_factory=dict)
    results: tuple[Tile, ...] = ()
    results_block: MapBlock | None = None

    @classmethod
    def of(cls, tiling: Tiling) -> TileReuse:
        """Nothing yet, with room for as many tiles as a tiling keeps."""
        return cls(Kept(tiling.ifmap_tiles), Kept(tiling.weight_tiles))

    def map_tiles(self, find: TilesOf, place: Placement, region: Region, key: Hashable) -> tuple[Tile, ...]:
        """The tiles of a region of the input map, which is read for a block of the output: the key."""
        return self.maps.tiles((region, key), lambda: find(place, region))

    def weight_tiles(self, region: Region, find: Callable[[], Tile]) -> tuple[Tile, ...]:
        """The only tile of the weights."""
        return self.weights.tiles(region, lambda: (find(),))

    def right_tiles(self, place: Placement, regions: tuple[Region, ...]) -> tuple[Tile, ...]:
        """The tiles of these parts of a product's right map, in the place of weights."""
        return self.weights.tiles(
            regions,
            lambda: tuple(
                Tile(place.tensor, (*pixels, place.reads(*channels[:2])), Buffer.WEIGHT)
                for *pixels, channels in regions
            ),
        )

    def operand_tiles(self, find: TilesOf, place: Placement, region: Region | None, position: int) -> tuple[Tile, ...]:
        """The tiles of an input by its position; none, and none left, where an iteration reads nothing of it."""
        held = self.operands.get(position)
        if region is None:
            self.operands.pop(position, None)
            return ()
        if held is None or held[0] != region:
            self.operands[position] = held = region, find(place, region)
        return held[1]

    def shortcut_tiles(self, find: TilesOf, place: Placement, region: Region) -> tuple[Tile, ...]:
        """The tiles of what is added to the results of a block."""
        if self.shortcut_region != region:
            self.shortcut_region, self.shortcut = region, find(place, region)
        return self.shortcut

    def factor_tiles(self, find: TilesOf, place: Placement, region: Region) -> tuple[Tile, ...]:
        """The factors of a scale layer."""
        if self.factor_region != region:
            self.factor_region, self.factors = region, find(place, region)
        return self.factors
