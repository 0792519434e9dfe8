"""Tiles that stay on chip: where they lie, and who still reads them.

How often a tile is read follows from the tile sizes of the layers that read it, dimension by dimension; so its last
read is known when it comes, without a look at later commands.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, product
from math import prod

import numpy as np
from numpy.typing import NDArray

from accelsim.lowering.allocate import Piece, size_of
from accelsim.lowering.emit.cells import Cells
from accelsim.lowering.emit.iterations import (
    blocks,
    blocks_in,
    channels_of,
    cuts,
    operand_region,
    overlap,
    ranges_overlap,
    tap_cuts,
)
from accelsim.lowering.ir import Layout, PlannedLayer, tile_counts
from accelsim.lowering.placement import Placement
from accelsim.lowering.schedule.residents import Residency
from accelsim.lowering.schedule.weights import WeightResidents
from accelsim.network.geometry import window_of
from accelsim.network.graph import Node
from accelsim.operators.shapes import Axis, Shape, Window
from accelsim.program.commands import UNPLACED, Buffer, Tile, Work
from accelsim.program.tensors import Range, Region, Tensor, region_bytes
from accelsim.units import ceil_div, packed_bytes


@dataclass(frozen=True, slots=True)
class AxisReader:
    """Reads of an input of `extent` under a window by the tiles of `outputs` outputs, `size` each.

    Neither end of what a tile reads goes back from one tile to the next.
    """

    axis: Axis
    extent: int
    outputs: int
    size: int

    def reads_of(self, part: Range) -> int:
        """Number of tiles that read something of a part of the input."""
        tiles = range(ceil_div(self.outputs, self.size))
        begun = bisect_left(tiles, part.stop, key=lambda tile: self._taken(tile)[0])
        return begun - bisect_right(tiles, part.start, key=lambda tile: self._taken(tile)[1])

    def _taken(self, tile: int) -> tuple[int, int]:
        return self.axis.taken(tile * self.size, min((tile + 1) * self.size, self.outputs), self.extent)


SAME = Axis(stride=0)
"""All outputs read the first element."""


@dataclass(frozen=True, slots=True)
class TensorReader:
    """A layer that reads parts of a tensor of feature maps, iteration by iteration.

    images: of an iteration; rows, cols: what is read for each range of outputs; channels: those that are read, for each
    range of channels that the layer works on; times: iterations that read the same.
    """

    images: int
    rows: AxisReader
    cols: AxisReader
    channels: tuple[tuple[Range, ...], ...]
    times: int

    def reads_of(self, tile: Region) -> int:
        """Number of iterations that read a tile."""
        images, rows, cols, channels = tile
        return (
            self.times
            * ((images.stop - 1) // self.images - images.start // self.images + 1)
            * self.rows.reads_of(rows)
            * self.cols.reads_of(cols)
            * sum(any(ranges_overlap(channels, part) for part in parts) for parts in self.channels)
        )


@dataclass(frozen=True, slots=True)
class PartReader:
    """A layer that reads parts of a tensor that are not under a window.

    regions: those that iterations read, each by the number of its iteration and its own.
    """

    regions: Cells[tuple[int, int]]

    def reads_of(self, tile: Region) -> int:
        """Number of iterations that read a tile."""
        return len({number for (number, _), region in self.regions.near(tile).items() if overlap(tile, region)})


Reader = TensorReader | PartReader


def readers(layer: PlannedLayer, maps: Layout, batch: int) -> Iterator[tuple[Tensor, Reader]]:
    """The tensors that a layer reads from the activation buffer, and how."""
    node = layer.node
    if layer.on_array:
        yield from _array_readers(layer, maps)
    elif node.op.is_address:
        yield from _copy_readers(layer, maps)
    elif node.op.access_of(node) is not None:
        yield from _part_readers(layer, maps, batch)
    else:
        yield from _window_readers(layer, maps)


def _axis_readers(layer: PlannedLayer, window: Window, size: Shape) -> tuple[AxisReader, AxisReader]:
    """Reads of the rows and columns of a map by the tiles of the output, results pooled on their way included."""
    node, plan, (down, across) = layer.node, layer.plan, layer.node.pooled
    return (
        AxisReader(window.vertical, size.height, node.output.height * down, plan.rows * down),
        AxisReader(window.horizontal, size.width, node.output.width * across, plan.cols * across),
    )


def _as_written(layer: PlannedLayer) -> tuple[AxisReader, AxisReader]:
    """The rows and columns of the tiles of the output."""
    size, plan = layer.node.output, layer.plan
    return (
        AxisReader(Axis(), size.height, size.height, plan.rows),
        AxisReader(Axis(), size.width, size.width, plan.cols),
    )


def _array_readers(layer: PlannedLayer, maps: Layout) -> Iterator[tuple[Tensor, Reader]]:
    node, plan = layer.node, layer.plan
    place = maps.by_name[node.inputs[0]]
    each = node.sizes[0].channels // node.groups
    groups, ins = cuts(node.groups, plan.groups), tuple(cuts(each, plan.in_channels))
    channels = tuple((place.reads(*channels_of(group, part, each)[:2]),) for group, part in product(groups, ins))
    images = 1 if node.op.multiplies_maps else plan.images
    times = ceil_div(node.output.channels // node.groups, plan.out_channels)
    for taps in tap_cuts(node, plan):
        axes = _axis_readers(layer, window_of(node, taps), node.sizes[0])
        yield place.tensor, TensorReader(images, *axes, channels, times)
    if node.shortcut:
        yield _shortcut_reader(layer, maps.by_name[node.shortcut])


def _shortcut_reader(layer: PlannedLayer, place: Placement) -> tuple[Tensor, Reader]:
    """How the map is read that is added to the results: as these are written."""
    plan, counts = layer.plan, tile_counts(layer.task, layer.plan)
    times = counts["groups"] * counts["outputs"] if plan.gathers else 1
    channels = tuple((place.reads(*part[:2]),) for part in result_channels(layer))
    return place.tensor, TensorReader(plan.images, *_as_written(layer), channels, times)


def result_channels(layer: PlannedLayer) -> Iterator[Range]:
    """Channels of the tiles of results of a layer on the array."""
    node, plan = layer.node, layer.plan
    if plan.gathers:
        yield Range(0, node.output.channels)
        return
    depth = node.output.channels // node.groups
    for groups, outs in product(cuts(node.groups, plan.groups), cuts(depth, plan.out_channels)):
        yield channels_of(groups, outs, depth)


def _copy_readers(layer: PlannedLayer, maps: Layout) -> Iterator[tuple[Tensor, Reader]]:
    node, plan = layer.node, layer.plan
    for position, name in enumerate(node.inputs):
        if name in maps.copies[node.name]:
            place = maps.by_name[name]
            parts = cuts(node.sizes[position].channels, plan.out_channels)
            ranges = tuple((place.reads(*part[:2]),) for part in parts)
            yield place.tensor, TensorReader(plan.images, *_as_written(layer), ranges, 1)


def _window_readers(layer: PlannedLayer, maps: Layout) -> Iterator[tuple[Tensor, Reader]]:
    node, plan = layer.node, layer.plan
    places: dict[Tensor, list[Placement]] = {}
    for name in dict.fromkeys(node.inputs):
        places.setdefault(maps.by_name[name].tensor, []).append(maps.by_name[name])
    factors = maps.by_name[node.inputs[1]].tensor if node.op.factored else None
    whole = Range(0, node.sizes[0].channels)
    for tensor, found in places.items():
        ranges = tuple(
            tuple(place.reads(*(whole if node.op.reads_all else part)[:2]) for place in found)
            for part in cuts(node.output.channels, plan.out_channels)
        )
        window = Window(SAME, SAME) if tensor is factors else node.window
        yield tensor, TensorReader(plan.images, *_axis_readers(layer, window, node.sizes[0]), ranges, 1)


def _part_readers(layer: PlannedLayer, maps: Layout, batch: int) -> Iterator[tuple[Tensor, Reader]]:
    node, plan = layer.node, layer.plan
    for tensor in dict.fromkeys(maps.by_name[name].tensor for name in node.inputs):
        regions: Cells[tuple[int, int]] = Cells()
        iterations = product(cuts(node.output.channels, plan.out_channels), blocks(node, batch, plan))
        for number, (channels, block) in enumerate(iterations):
            work = Work(*block, channels, Range(0, 1))
            for own, region in enumerate(part_regions(node, maps, work, tensor)):
                regions.add((number, own), region)
        yield tensor, PartReader(regions)


def part_regions(node: Node, maps: Layout, work: Work, tensor: Tensor) -> Iterator[Region]:
    """Regions of a tensor that an iteration reads, of inputs that are not under a window."""
    for position, name in enumerate(node.inputs):
        place, region = maps.by_name[name], operand_region(node, position, work)
        if place.tensor is tensor and region is not None:
            yield *region[:3], place.reads(*region[3][:2])


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


def weight_rooms(layers: Sequence[PlannedLayer | None], plan: ResidentPlan) -> list[Piece]:
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
    """Where the leading channels of a layer lie in its tensor, tile by tile of one block."""
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
        """Which channels of a tensor stay; None where none does."""
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

    def is_last_read(self, tile: Tile) -> bool:
        """Note that a tile is read; whether it is for the last time."""
        self.reads_left[tile] -= 1
        return self._is_over(tile)

    def is_never_read(self, tile: Tile) -> bool:
        """True where nobody reads a tile that is complete."""
        return tile in self.reads_left and self._is_over(tile)

    def _is_over(self, tile: Tile) -> bool:
        if self.reads_left[tile]:
            return False
        del self.reads_left[tile]
        if self._numbers.pop(tile, None) is not None:
            self._by_tensor[tile.tensor].remove(tile, tile.region)
        return True
