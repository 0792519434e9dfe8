"""A layer as Compute commands: what the layers of all units have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from accelsim.config.machine import Machine
from accelsim.lowering.emit.cascade import CascadeTiles
from accelsim.lowering.emit.planned import iteration_count
from accelsim.lowering.emit.residents import ResidentTiles
from accelsim.lowering.emit.reuse import TileReuse
from accelsim.lowering.ir import Layout, PlannedLayer
from accelsim.lowering.placement import Channels, Placement, ranges_of
from accelsim.program.commands import UNPLACED, Buffer, Compute, Tile, Work
from accelsim.program.folds import FoldChain
from accelsim.program.tensors import Range, Region, Tensor, elements
from accelsim.records import ActionCounts
from accelsim.unit_kinds import UnitKind
from accelsim.units import packed_bytes


class Iteration(NamedTuple):
    """A tile iteration: the first fields of its Compute, behind the layer. released: residents are not among them."""

    unit: UnitKind
    work: Work
    stationary: tuple[Tile, ...]
    streamed: tuple[Tile, ...]
    results: tuple[Tile, ...]
    complete: tuple[Tile, ...]
    actions: ActionCounts
    chain: FoldChain | None = None
    unit_cycles: int = 0
    post_cycles: int = 0
    stretched_cycles: int = 0
    beside: tuple[tuple[int, ActionCounts], ...] = ()
    fill_cycles: int = 0
    added: tuple[Tile, ...] = ()
    released: tuple[Tile, ...] = ()


class TilePlaces(NamedTuple):
    """Tiles of a layer that take turns in places of one size: those of a tensor in a buffer, loaded or stored."""

    tensor: Tensor
    buffer: Buffer


@dataclass(slots=True)
class Emission:
    """State that the layers of one pass share."""

    machine: Machine
    maps: Layout
    batch: int
    residents: ResidentTiles


@dataclass(slots=True)
class LayerEmission(ABC):
    """A layer in one pass.

    load_bytes, store_bytes: of its largest tile at each place, and of its largest result that is stored. Only tiles
    that are the only ones of their place in an iteration have places of that size, so that tiles of unequal size take
    turns in them and leave no gaps. slots: see `Compute`; missing: channels that are loaded, of those wanted.
    """

    shared: Emission
    layer: PlannedLayer
    cascade: CascadeTiles | None = None
    reuse: TileReuse = field(init=False)
    load_bytes: dict[TilePlaces, int] = field(default_factory=dict)
    store_bytes: int = 0
    written: dict[bytes, tuple[tuple[Range, ...], tuple[Range, ...]]] = field(default_factory=dict)
    slots: dict[Buffer, int] = field(default_factory=dict)
    missing: dict[tuple[Tensor, Range], tuple[Range, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reuse = TileReuse.of(self.layer.plan)
        self.measure()

    @abstractmethod
    def measure(self) -> None:
        """Set `load_bytes` and `store_bytes`."""

    @abstractmethod
    def iterations(self) -> Iterator[Iteration]:
        """Its tile iterations, in order."""

    def computes(self) -> Iterator[Compute]:
        """Its commands, in order, each with the tiles that it reads for the last time."""
        residents, left = self.shared.residents, iteration_count(self.layer, self.shared.maps, self.shared.batch)
        for iteration in self.iterations():
            left -= 1
            operands = dict.fromkeys((*iteration.stationary, *iteration.streamed))
            last = residents.last_reads((*operands, *iteration.added))
            last += [tile for tile in iteration.complete if tile.resident and residents.is_never_read(tile)]
            if last:
                iteration = iteration._replace(released=(*iteration.released, *last))
            yield Compute(self.layer.index, *iteration, () if left else self.layer.unread, self.slots)

    def map_tiles(self, place: Placement, region: Region) -> tuple[Tile, ...]:
        """The tiles that hold a region of a map: new ones for the channels that do not stay, and those that do."""
        if self.cascade is not None:
            return self.cascade.tiles(place, region)
        tensor = place.tensor
        new = (Tile(tensor, (*region[:3], part), Buffer.ACTIVATION) for part in self.loaded_channels(tensor, region[3]))
        return (*new, *self.shared.residents.overlapping(tensor, region))

    def loaded_channels(self, tensor: Tensor, channels: Range) -> tuple[Range, ...]:
        """Channels of a tensor that are loaded, of those wanted."""
        stay = self.shared.residents.resident_channels(tensor)
        if stay is None:
            return (channels,)
        found = self.missing.get((tensor, channels))
        if found is None:
            loaded = np.flatnonzero(~stay[channels.start : channels.stop]) + channels.start
            found = self.missing[tensor, channels] = ranges_of(loaded)
        return found

    def loaded(self, tiles: Iterable[Tile]) -> list[Tile]:
        """Tiles of an iteration that are no residents."""
        left = self.shared.residents.reads_left
        return [tile for tile in tiles if not tile.resident and tile not in left]

    def reserve(self, tiles: Iterable[Tile]) -> None:
        """Give the loaded tiles of an iteration that are alone at their place the size of such places."""
        loaded = self.loaded(tiles)
        if not loaded:
            return
        by_place: dict[TilePlaces, list[Tile]] = {}
        for tile in loaded:
            by_place.setdefault(TilePlaces(tile.tensor, tile.buffer), []).append(tile)
        for place, found in by_place.items():
            if len(found) == 1:
                found[0].place_bytes = self.load_bytes[place]

    def note_loads(self, found: Iterable[tuple[TilePlaces, int]]) -> None:
        """Take note of the sizes of tiles that an iteration can load."""
        by_place: dict[TilePlaces, list[int]] = {}
        for place, size in found:
            by_place.setdefault(place, []).append(size)
        for place, sizes in by_place.items():
            if len(sizes) == 1:
                self.load_bytes[place] = max(self.load_bytes.get(place, 0), *sizes)

    def note_stores(self, pixels: int, channels: Channels) -> None:
        """Take note of the size of results of `pixels` pixels and these channels of the layer's map."""
        parts = self._written(channels)[1]
        if len(parts) == 1:
            tensor = self.shared.maps.by_name[self.layer.node.name].tensor
            self.store_bytes = max(self.store_bytes, packed_bytes(pixels * parts[0].size, tensor.bits))

    def _written(self, channels: Channels) -> tuple[tuple[Range, ...], tuple[Range, ...]]:
        """Ranges of the tensor that channels of the layer's map lie in: of those that stay, and of those stored."""
        key = channels[:1].tobytes() + channels[-1:].tobytes()
        found = self.written.get(key)
        if found is None:
            place = self.shared.maps.by_name[self.layer.node.name]
            resident = self.shared.residents.plan.residency.stays.get(self.layer.node.name)
            leading = resident.channels if resident else 0
            found = place.writes(channels[channels < leading]), place.writes(channels[channels >= leading])
            self.written[key] = found
        return found

    def results(self, work: Work, channels: Channels) -> tuple[Tile, ...]:
        """The tiles that outputs fill in these channels of the layer's map; those that stay and those that are stored
        are tiles of their own."""
        name, block = self.layer.node.name, (work.images, work.rows, work.cols)
        tensor = self.shared.maps.by_name[name].tensor
        resident, stored = self._written(channels)
        if self.cascade is not None:
            parts = [*(((*block, part), True) for part in resident), *(((*block, part), False) for part in stored)]
            return self.cascade.results(self.layer.index, self.layer.node, parts)
        size = self.store_bytes if len(stored) == 1 else 0
        return (
            *(self.shared.residents.new_tile(name, tensor, (*block, part)) for part in resident),
            *(Tile(tensor, (*block, part), Buffer.ACTIVATION, place_bytes=size) for part in stored),
        )

    def weight_tiles(self, region: Region) -> tuple[Tile, ...]:
        """The tile of the weights: one for all inferences where they stay."""
        residents, node, tensor = self.shared.residents, self.layer.node, self.layer.weights
        assert tensor is not None
        if node.weights_name in residents.plan.weights.names:
            return (residents.weight_tile(node.weights_name, tensor, region),)
        addresses = residents.plan.cascade_weights
        return self.reuse.weight_tiles(
            region, lambda: Tile(tensor, region, Buffer.WEIGHT, address=addresses.get(node.name, UNPLACED))
        )


def all_channels(work: Work) -> Channels:
    """The channels of the layer's map that outputs are of."""
    return np.arange(work.channels.start, work.channels.stop)


def largest(ranges: Iterable[Range]) -> int:
    """Size of the largest range."""
    return max(part.size for part in ranges)


def block_elements(work: Work) -> int:
    """Pixels of all images that outputs are of."""
    return elements((work.images, work.rows, work.cols))
