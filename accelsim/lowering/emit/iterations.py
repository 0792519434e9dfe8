"""The tile iterations of a layer, and what they read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, product
from math import prod
from typing import Any

from accelsim.config.plan import Loop, Order
from accelsim.lowering.ir import Tiling
from accelsim.network.geometry import MapBlock, input_pixels, input_window, kernel_positions
from accelsim.network.graph import Node
from accelsim.program.commands import Tile, Work
from accelsim.program.tensors import Range, Region
from accelsim.units import ceil_div


def cuts(extent: int, size: int) -> Iterator[Range]:
    """The tiles of an extent."""
    for start in range(0, extent, size):
        yield Range(start, min(start + size, extent))


def blocks(node: Node, batch: int, plan: Tiling) -> Iterator[MapBlock]:
    """The tiles of the output map."""
    yield from product(*_block_axes(node, batch, plan))


def _block_axes(node: Node, batch: int, plan: Tiling) -> tuple[Iterator[Range], Iterator[Range], Iterator[Range]]:
    return cuts(batch, plan.images), cuts(node.output.height, plan.rows), cuts(node.output.width, plan.cols)


def blocks_in(node: Node, batch: int, plan: Tiling) -> int:
    """Number of `blocks`."""
    rows, cols = ceil_div(node.output.height, plan.rows), ceil_div(node.output.width, plan.cols)
    return ceil_div(batch, plan.images) * rows * cols


def tap_cuts(node: Node, plan: Tiling) -> tuple[Range | None, ...]:
    """The kernel positions of the tile iterations; None for all."""
    return (None,) if plan.taps is None else tuple(cuts(node.window.elements, plan.taps))


TilePart = tuple[MapBlock, Range, Range, tuple[Range | None, Range]]
"""Block of the map, groups, output channels, and kernel positions with input channels of a tile iteration."""


def loops(node: Node, batch: int, plan: Tiling, band: int | None = None) -> Iterator[TilePart]:
    """The part that each tile iteration works on, in the plan's order. band: blocks of the map for which all loops but
    that over groups go on before the next ones; None for all.

    A product of two maps has other operands for each image: images are the outermost loop.
    """
    for images in cuts(batch, 1 if node.op.multiplies_maps else batch):
        for (part, rows, cols), groups, outs, ins in _loops_of_images(node, images.size, plan, band):
            block = (Range(images.start + part.start, images.start + part.stop), rows, cols)
            yield block, groups, outs, ins


def _loops_of_images(node: Node, batch: int, plan: Tiling, band: int | None) -> Iterator[TilePart]:
    over: dict[Loop, tuple[Sequence[Any], ...]] = {
        "map": tuple(map(tuple, _block_axes(node, batch, plan))),
        "groups": (tuple(cuts(node.groups, plan.groups)),),
        "outputs": (tuple(cuts(node.output.channels // node.groups, plan.out_channels)),),
        "inputs": (tap_cuts(node, plan), tuple(cuts(node.sizes[0].channels // node.groups, plan.in_channels))),
    }
    if band is None:
        yield from _nested(plan.order, over)
        return
    for groups in over["groups"][0]:
        left = blocks(node, batch, plan)
        while part := tuple(islice(left, band)):
            yield from _nested(plan.order, {**over, "groups": ((groups,),), "map": (part,)})


def _nested(order: Order, over: Mapping[Loop, tuple[Sequence[Any], ...]]) -> Iterator[TilePart]:
    """Loops inside of each other, outermost first. over: of each its axes, of the map images, rows and columns, or one
    over blocks."""
    axes = [loop for loop in order for _ in over[loop]]
    images, groups, outs, taps = (axes.index(loop) for loop in ("map", "groups", "outputs", "inputs"))
    are_blocks = len(over["map"]) == 1
    for each in product(*(axis for loop in order for axis in over[loop])):
        block = each[images] if are_blocks else each[images : images + 3]
        yield block, each[groups], each[outs], (each[taps], each[taps + 1])


def channels_of(groups: Range, each: Range, depth: int) -> Range:
    """Channels of some groups, of `depth` channels each: the same ones of each where it is several."""
    return Range(groups.start * depth + each.start, (groups.stop - 1) * depth + each.stop)


def input_windows(
    node: Node, rows: Iterable[Range], cols: Iterable[Range], taps: Range | None = None
) -> tuple[tuple[Range, ...], tuple[Range, ...]]:
    """Rows and columns of the input map that ranges of output rows and columns read under these kernel positions."""
    one = Range(0, 1)
    return (
        tuple(input_window(node, (one, part, one), taps)[1] for part in rows),
        tuple(input_window(node, (one, one, part), taps)[2] for part in cols),
    )


def right_regions(node: Node, images: Range, groups: Range, outs: Range, ins: Range) -> Iterator[Region]:
    """Parts of its right map that an iteration of a product reads: few rectangles of pixels, the channels the map's."""
    size = node.sizes[1]
    tokens, each = (outs, ins) if node.transposed else (ins, outs)
    depth = size.channels // node.groups
    channels = channels_of(groups, each, depth)
    for rows, cols in rectangles(tokens, size.width):
        yield images, rows, cols, channels


def rectangles(tokens: Range, width: int) -> Iterator[tuple[Range, Range]]:
    """Pixels in row order as (rows, columns) of a map of this width: a part of a row, whole rows, a part of a row."""
    (first, begin), (last, end) = divmod(tokens.start, width), divmod(tokens.stop, width)
    if first == last:
        yield Range(first, first + 1), Range(begin, end)
        return
    if begin:
        yield Range(first, first + 1), Range(begin, width)
        first += 1
    if first < last:
        yield Range(first, last), Range(0, width)
    if end:
        yield Range(last, last + 1), Range(0, end)


def overlap(tile: Region, region: Region) -> bool:
    """True where two regions, the first of any step, have an element in common."""
    return all(map(ranges_overlap, tile, region))


def ranges_overlap(of_tile: Range, wanted: Range) -> bool:
    """True where two ranges, the first of any step, have an index in common."""
    start, stop, step = of_tile
    low, high, _ = wanted
    if start >= high or stop <= low:
        return False
    return step == 1 or start + max(0, ceil_div(low - start, step)) * step < min(stop, high)


def once_each(tiles: Iterable[Tile]) -> tuple[Tile, ...]:
    """Tiles of equal content (a map added to itself) only once."""
    return tuple({(tile.tensor, tile.region): tile for tile in tiles}.values())


def roles(
    stationary: str, ifmaps: tuple[Tile, ...], weights: tuple[Tile, ...]
) -> tuple[tuple[Tile, ...], tuple[Tile, ...]]:
    """(stationary, streamed) operands. stationary: that of the dataflow."""
    match stationary:
        case "ifmap":
            return ifmaps, weights
        case "weight":
            return weights, ifmaps
    return (), ifmaps + weights


def operand_positions(node: Node, work: Work) -> Iterator[tuple[int, str]]:
    """The inputs that an iteration on the vector unit reads, each map once; of a copy, the one that is copied."""
    if node.op.is_address:
        yield work.reduction.start, node.inputs[work.reduction.start]
        return
    yield from ((node.inputs.index(name), name) for name in dict.fromkeys(node.inputs))


def operand_region(node: Node, position: int, work: Work) -> Region | None:
    """The region that an iteration reads of an input that is not under a window; None where nothing."""
    access = node.op.access_of(node)
    assert access is not None
    wanted = work.rows[:2], work.cols[:2], work.channels[:2]
    box = access.reads(node, position, wanted)
    return None if box is None else (work.images, *(Range(*span) for span in box))


def vector_reads(node: Node, position: int, work: Work, *, once: bool) -> int:
    """Elements read of an input: once for each window over it, padding left out; once only with a line buffer."""
    if node.op.access_of(node) is not None:
        region = operand_region(node, position, work)
        outputs = prod(part.size for part in (work.images, work.rows, work.cols, work.channels))
        each = node.op.operations_per_element(node)
        return min(prod(part.size for part in region), outputs * each) if region else 0
    if node.op.slides:
        return (input_pixels if once else kernel_positions)(node, work) * work.channels.size
    if node.op.factored and position == 1:
        return work.images.size * work.channels.size
    channels = node.sizes[0].channels if node.op.reads_all else work.channels.size
    return prod(part.size for part in input_window(node, (work.images, work.rows, work.cols), work.taps)) * channels
