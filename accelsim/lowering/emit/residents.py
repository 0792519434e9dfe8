"""Tiles that stay on chip: where they lie, and how often they are still to be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from math import prod

import numpy as np
from numpy.typing import NDArray

from accelsim.lowering.allocate import ByteRange, size_of
from accelsim.lowering.emit.cells import Cells
from accelsim.lowering.emit.iterations import (
    blocks,
    blocks_in,
    cuts,
    overlap,
)
from accelsim.lowering.emit.readers import Reader, readers, result_channels
from accelsim.lowering.ir import Layout, PlannedLayer
from accelsim.lowering.placement import Placement
from accelsim.lowering.schedule.residents import Residency
from accelsim.lowering.schedule.weights import WeightResidents
from accelsim.program.commands import UNPLACED, Buffer, Tile
from accelsim.program.tensors import Range, Region, Tensor, region_bytes
from accelsim.units import ceil_div, packed_bytes


@dataclass(frozen=True, slots=True)
class ResidentPlan:
    """Residents, as known before anything is emitted.

    channels: of the tensors that hold some, which of them stay; readers: of these tensors; weight_reads: by name of the
    layer whose weights stay, how often each tile of them is read; cascade_weights: addresses, by name of a layer in a
    cascade.
    """

    residency: Residency
    weights: WeightResidents
    channels: dict[Tensor, NDArray[np.bool_]]
    readers: dict[Tensor, list[Reader]]
    weight_reads: dict[str, int]
    cascade_weights: dict[str, int]

    @classmethod
    def of(
        cls,
        layers: Sequence[PlannedLayer],
        maps: Layout,
        batch: int,
        residency: Residency,
        weights: WeightResidents,
    ) -> ResidentPlan:
        """For the layers that have commands."""
        channels: dict[Tensor, NDArray[np.bool_]] = {}
        for name, resident in residency.stays.items():
            place = maps.by_name[name]
            mask = channels.setdefault(place.tensor, np.zeros(place.tensor.dims[3], dtype=np.bool_))
            mask[place.channels[: resident.channels]] = True
        found: dict[Tensor, list[Reader]] = {tensor: [] for tensor in channels}
        reads: dict[str, int] = {}
        for layer in layers:
            if any(maps.by_name[name].tensor in found for name in layer.node.inputs):
                for tensor, reader in readers(layer, maps, batch):
                    if tensor in found:
                        found[tensor].append(reader)
            if layer.node.weights_name in weights.names:
                name = layer.node.weights_name
                reads[name] = reads.get(name, 0) + blocks_in(layer.node, batch, layer.plan)
        in_cascades = _cascade_weights(layers, residency, weights)
        return cls(residency, weights, channels, found, reads, in_cascades)


def _cascade_weights(layers: Sequence[PlannedLayer], residency: Residency, weights: WeightResidents) -> dict[str, int]:
    """Weights of a cascade lie whole, layer after layer, from the address that the cascade has for them."""
    by_name = {layer.node.name: layer for layer in layers}
    found: dict[str, int] = {}
    for cascade in residency.cascades:
        address = cascade.weights
        for layer in map(by_name.__getitem__, cascade.tilings):
            if layer.weights is not None and layer.node.weights_name not in weights.names:
                found[layer.node.name] = address
                address += _whole_bytes(layer)
    return found


def weight_rooms(layers: Sequence[PlannedLayer | None], plan: ResidentPlan) -> list[ByteRange]:
    """The piece of the weight buffer for tiles of each layer: beside the weights of a cascade that comes next, so that
    these are loaded meanwhile, where the layer's own or half of the buffer fit there, and all tiles that it keeps."""
    room = plan.weights.room
    rooms = [(0, room)] * len(layers)
    for cascade in plan.residency.cascades:
        own = [layers[number] for number in cascade.layers]
        names = plan.cascade_weights.keys()
        size = sum(_whole_bytes(layer) for layer in own if layer is not None and layer.node.name in names)
        beside = (0, cascade.weights) if cascade.weights else (size, room)
        before = next((layer for layer in reversed(layers[: cascade.layers[0]]) if layer and layer.weights), None)
        if before is not None and _needed_bytes(before, room) <= size_of(beside):
            rooms[before.index] = beside
    return rooms


def _needed_bytes(layer: PlannedLayer, room: int) -> int:
    """Bytes of the weight buffer for the weights of a layer: for all, or half of the buffer, and at least for those
    that it keeps at once, a tile and the next one or a set of tiles."""
    tensor = layer.weights
    assert tensor is not None
    sizes = [min(pair) for pair in zip(tensor.tile or tensor.dims, tensor.dims, strict=True)]
    tile = region_bytes(tensor, tuple(Range(0, size) for size in sizes))
    tiles = prod(map(ceil_div, tensor.dims, sizes))
    return max(tile * min(tiles, max(2, layer.plan.weight_tiles)), min(tile * tiles, room // 2))


def _whole_bytes(layer: PlannedLayer) -> int:
    assert layer.weights is not None
    return region_bytes(layer.weights, layer.weights.whole)


def outgrown_residents(
    layers: Sequence[PlannedLayer], maps: Layout, batch: int, residency: Residency
) -> frozenset[str]:
    """Names of residents whose tiles need more than their place: sub-byte data, each tile rounded up to bytes."""
    found = set()
    for layer in layers:
        name = layer.node.name
        resident, place = residency.stays.get(name), maps.by_name[name]
        if resident is not None and name in residency.addresses and place.tensor.bits % 8:
            parts = list(_resident_parts(layer, place, resident.channels))
            taken = sum(
                packed_bytes(images.size * rows.size * cols.size * part.size, place.tensor.bits)
                for images, rows, cols in blocks(layer.node, batch, layer.plan)
                for part in parts
            )
            if taken > resident.size:
                found.add(name)
    return frozenset(found)


def _resident_parts(layer: PlannedLayer, place: Placement, leading: int) -> Iterator[Range]:
    """Ranges of the tensor that a layer's leading channels lie in, tile by tile of one block."""
    node, plan = layer.node, layer.plan
    for channels in result_channels(layer) if layer.on_array else cuts(node.output.channels, plan.out_channels):
        yield from place.writes(np.arange(channels.start, max(channels.start, min(channels.stop, leading))))


class ResidentTiles:
    """Residents that are emitted and still to be read.

    reads_left: of each of them.
    """

    def __init__(self, plan: ResidentPlan) -> None:
        self.plan = plan
        self.reads_left: dict[Tile, int] = {}
        self._by_tensor: dict[Tensor, Cells[Tile]] = {tensor: Cells() for tensor in plan.channels}
        self._numbers: dict[Tile, int] = {}
        self._next_number = count()
        self._weights: dict[tuple[Tensor, Region], Tile] = {}
        self._next_weight = plan.weights.room
        self._next_in_map: dict[str, int] = {}

    def resident_channels(self, tensor: Tensor) -> NDArray[np.bool_] | None:
        """The channels of a tensor that stay; None where none does."""
        return self.plan.channels.get(tensor)

    def new_tile(self, name: str, tensor: Tensor, region: Region, address: int | None = None) -> Tile:
        """A tile of the feature map of a layer, at its address, by default that behind the one before."""
        if address is None:
            address = self._next_in_map.get(name, self.plan.residency.addresses.get(name, UNPLACED))
        tile = Tile(tensor, region, Buffer.ACTIVATION, resident=True, address=address)
        self._next_in_map[name] = tile.address + tile.bytes
        self._by_tensor[tensor].add(tile, region)
        self._numbers[tile] = next(self._next_number)
        self.reads_left[tile] = sum(reader.reads_of(region) for reader in self.plan.readers[tensor])
        return tile

    def expect(self, tile: Tile, reads: int) -> None:
        """Note how often a tile will be read that is no resident."""
        self.reads_left[tile] = reads

    def is_expected(self, tile: Tile) -> bool:
        """True where a tile is still to be read."""
        return tile in self.reads_left

    def weight_tile(self, name: str, tensor: Tensor, region: Region) -> Tile:
        """The tile of weights that stay from one inference to the next."""
        tile = self._weights.get((tensor, region))
        if tile is None:
            tile = self._weights[tensor, region] = Tile(tensor, region, Buffer.WEIGHT, address=self._next_weight)
            self._next_weight += tile.bytes
            self.reads_left[tile] = self.plan.weight_reads[name]
        return tile

    def overlapping(self, tensor: Tensor, region: Region) -> tuple[Tile, ...]:
        """The tiles of feature maps that have something of a region, in the order in which they were made."""
        if tensor not in self._by_tensor:
            return ()
        found = (tile for tile, part in self._by_tensor[tensor].near(region).items() if overlap(part, region))
        return tuple(sorted(found, key=self._numbers.__getitem__))

    def last_reads(self, tiles: Iterable[Tile]) -> list[Tile]:
        """Note that tiles are read; those of them that are read for the last time."""
        left, last = self.reads_left, list[Tile]()
        for tile in tiles:
            reads = left.get(tile)
            if reads is not None:
                left[tile] = reads - 1
                if reads == 1:
                    last.append(tile)
        return [tile for tile in last if self._is_over(tile)]

    def is_never_read(self, tile: Tile) -> bool:
        """True where nobody reads a tile that is complete."""
        return tile in self.reads_left and self._is_over(tile)

    def _is_over(self, tile: Tile) -> bool:
        if self.reads_left[tile]:
            return False
        del self.reads_left[tile]
        if self._numbers.pop(tile, None) is not None:
            self._by_tensor[tile.tensor].remove(tile)
        return True
