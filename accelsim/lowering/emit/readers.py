"""Readers of a tensor of feature maps in the activation buffer, and the times that they read each part.

The number follows from the tile sizes of the layers that read it, dimension by dimension; so the last read of a tile is
known when it comes, without a look at later commands.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

from accelsim.lowering.emit.cells import Cells
from accelsim.lowering.emit.iterations import (
    blocks,
    channels_of,
    cuts,
    operand_region,
    overlap,
    ranges_overlap,
    tap_cuts,
)
from accelsim.lowering.ir import Layout, PlannedLayer, tile_counts
from accelsim.lowering.placement import Placement
from accelsim.network.geometry import window_of
from accelsim.network.graph import Node
from accelsim.operators.shapes import Axis, Pooled, Shape, Window
from accelsim.program.commands import Work
from accelsim.program.tensors import Range, Region, Tensor
from accelsim.units import ceil_div


@dataclass(frozen=True, slots=True)
class AxisReader:
    """Reads of an input of `extent` under a window by the tiles of `outputs` outputs, `size` each.

    Neither end of what a tile reads goes back from one tile to the next. pooled: results that the window is over,
    which become the outputs. known: what was found.
    """

    axis: Axis
    extent: int
    outputs: int
    size: int
    pooled: Pooled
    known: dict[Range, int] = field(default_factory=dict, compare=False)

    def reads_of(self, part: Range) -> int:
        """Number of tiles that read something of a part of the input."""
        found = self.known.get(part)
        if found is None:
            found = self.known[part] = self._tiles_over(part)
        return found

    def _tiles_over(self, part: Range) -> int:
        tiles = range(ceil_div(self.outputs, self.size))
        begun = bisect_left(tiles, part.stop, key=lambda tile: self._taken(tile)[0])
        return begun - bisect_right(tiles, part.start, key=lambda tile: self._taken(tile)[1])

    def _taken(self, tile: int) -> tuple[int, int]:
        results = self.pooled.results(tile * self.size, min((tile + 1) * self.size, self.outputs))
        return self.axis.taken(*results, self.extent)


SAME = Axis(stride=0)
"""All outputs read the first element."""


@dataclass(frozen=True, slots=True)
class TensorReader:
    """A layer that reads parts of a tensor of feature maps, iteration by iteration.

    images: of an iteration; rows, cols: what is read for each range of outputs; channels: those that are read, for each
    range of channels that the layer works on; times: iterations that read the same. known: for channels, the
    number of ranges that have some of them, as it was found.
    """

    images: int
    rows: AxisReader
    cols: AxisReader
    channels: tuple[tuple[Range, ...], ...]
    times: int
    known: dict[Range, int] = field(default_factory=dict, compare=False)

    def reads_of(self, tile: Region) -> int:
        """Number of iterations that read a tile."""
        images, rows, cols, channels = tile
        return (
            self.times
            * ((images.stop - 1) // self.images - images.start // self.images + 1)
            * self.rows.reads_of(rows)
            * self.cols.reads_of(cols)
            * self._channel_tiles_over(channels)
        )

    def _channel_tiles_over(self, channels: Range) -> int:
        """Number of the ranges of channels that something of these is read for."""
        found = self.known.get(channels)
        if found is None:
            found = sum(any(ranges_overlap(channels, part) for part in parts) for parts in self.channels)
            self.known[channels] = found
        return found


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
        AxisReader(window.vertical, size.height, node.output.height, plan.rows, down),
        AxisReader(window.horizontal, size.width, node.output.width, plan.cols, across),
    )


def _as_written(layer: PlannedLayer) -> tuple[AxisReader, AxisReader]:
    """The rows and columns of the tiles of the output."""
    size, plan = layer.node.output, layer.plan
    return (
        AxisReader(Axis(), size.height, size.height, plan.rows, Pooled(size.height)),
        AxisReader(Axis(), size.width, size.width, plan.cols, Pooled(size.width)),
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
    """The reader of the map that is added to the results: it reads as these are written."""
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
        for taps in tap_cuts(node, plan):
            window = Window(SAME, SAME) if tensor is factors else window_of(node, taps)
            yield tensor, TensorReader(plan.images, *_axis_readers(layer, window, node.sizes[0]), ranges, 1)


def _part_readers(layer: PlannedLayer, maps: Layout, batch: int) -> Iterator[tuple[Tensor, Reader]]:
    node, plan = layer.node, layer.plan
    for tensor in dict.fromkeys(maps.by_name[name].tensor for name in node.inputs):
        regions: Cells[tuple[int, int]] = Cells()
        iterations = product(cuts(node.output.channels, plan.out_channels), blocks(node, batch, plan))
        for number, (channels, block) in enumerate(iterations):
            work = Work(*block, channels, Range(0, 1))
            for own, region in enumerate(_part_regions(node, maps, work, tensor)):
                regions.add((number, own), region)
        yield tensor, PartReader(regions)


def _part_regions(node: Node, maps: Layout, work: Work, tensor: Tensor) -> Iterator[Region]:
    """Regions of a tensor that an iteration reads, of inputs that are not under a window."""
    for position, name in enumerate(node.inputs):
        place, region = maps.by_name[name], operand_region(node, position, work)
        if place.tensor is tensor and region is not None:
            yield *region[:3], place.reads(*region[3][:2])
