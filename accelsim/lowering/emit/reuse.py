"""Tiles that go on from one piece of a layer to the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from accelsim.dataflows.geometry import Block
from accelsim.lowering.ir import Placement
from accelsim.program.commands import Buffer, Tile
from accelsim.program.tensors import Region, Tensor

TilesOf = Callable[[Placement, Region], tuple[Tile, ...]]
"""The tiles that hold a region of a map, in the channels of its tensor."""


@dataclass(slots=True)
class TileReuse:
    """Tiles that the piece before left in SRAM, to be used again if the next piece wants the same."""

    region: Region | None = None
    map_block: Block | None = None
    maps: tuple[Tile, ...] = ()
    weights: Tile | None = None
    right_regions: tuple[Region, ...] = ()
    rights: tuple[Tile, ...] = ()
    factor_region: Region | None = None
    factors: tuple[Tile, ...] = ()
    operands: dict[int, tuple[Region, tuple[Tile, ...]]] = field(default_factory=dict)
    results: tuple[Tile, ...] = ()
    results_block: Block | None = None

    def map_tiles(self, find: TilesOf, place: Placement, region: Region, block: Block) -> tuple[Tile, ...]:
        """The tiles of the part of the input map for a block of the output."""
        if self.region != region or self.map_block != block:
            self.region, self.map_block, self.maps = region, block, find(place, region)
        return self.maps

    def weight_tile(self, tensor: Tensor, region: Region) -> Tile:
        """The tile of the weights."""
        if self.weights is None or self.weights.region != region:
            self.weights = Tile(tensor, region, Buffer.WEIGHT)
        return self.weights

    def right_tiles(self, place: Placement, regions: tuple[Region, ...]) -> tuple[Tile, ...]:
        """The tiles of these parts of a product's right map, in the place of weights."""
        if self.right_regions != regions:
            self.right_regions = regions
            self.rights = tuple(
                Tile(place.tensor, (*pixels, place.reads(*channels[:2])), Buffer.WEIGHT)
                for *pixels, channels in regions
            )
        return self.rights

    def operand_tiles(self, find: TilesOf, place: Placement, region: Region, position: int) -> tuple[Tile, ...]:
        """The tiles of an input by its position."""
        held = self.operands.get(position)
        if held is None or held[0] != region:
            self.operands[position] = held = region, find(place, region)
        return held[1]

    def factor_tiles(self, find: TilesOf, place: Placement, region: Region) -> tuple[Tile, ...]:
        """The factors of a scale layer."""
        if self.factor_region != region:
            self.factor_region, self.factors = region, find(place, region)
        return self.factors
