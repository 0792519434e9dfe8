"""The tiling of a layer on the vector unit: the largest tiles of which two fit, and at least four of a map."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import gcd, prod

import numpy as np

from accelsim.errors import LoweringError
from accelsim.lowering.given import ANY_PIECE, GivenTile
from accelsim.lowering.ir import LayerTask, Tiling, TilingContext
from accelsim.lowering.tiling.footprint import vector_bytes
from accelsim.lowering.tiling.moved import plain_beyond
from accelsim.lowering.tiling.search import Planned
from accelsim.lowering.tiling.sizes import AxisTiles, axis_tiles, block_keys, blocks_of, searched_blocks, sizes_of
from accelsim.network.graph import Node
from accelsim.operators.shapes import Shape
from accelsim.program.tensors import share_of_plain
from accelsim.units import ceil_div, packed_bytes

MapTile = tuple[int, int, int]
"""Output images, rows and columns."""

LEAST_PARTS = 4
"""Parts of a map, or tiles of one, so that loads, work and stores overlap."""

MOST_TILINGS = 1 << 20
"""Tilings of a layer that are all looked at; of more, those alone that are searched for the array."""

Fits = Callable[[MapTile], bool]
"""True for tiles that fit."""


def plan_vector(node: Node, task: LayerTask, context: TilingContext) -> Planned | LoweringError:
    """Tile sizes for a layer on the vector unit, for the fewest bytes or for loads, work and stores to overlap; an
    error where one output of one channel does not fit."""
    found = _map_in_parts(node, task, context) if node.op.sums_map else None
    if found is None and context.given.taps in (None, task.taps):
        fewest = _fewest_bytes(node, task, context) if context.objective == "dram_bytes" else None
        found = fewest or _overlapping(node, task, context)
    if found is None:
        return LoweringError("its smallest tile fits no half of the activation buffer")
    tiling, least = found
    moved = vector_dram_bytes(node, task, context, tiling.rows, tiling.cols)
    moved *= _burst_factor(task, context, tiling.out_channels)
    return Planned(tiling, least, moved, moved, moved / context.bytes_per_cycle, 0.0)


def vector_shortage(node: Node, task: LayerTask, context: TilingContext) -> str:
    """The halves of buffers that are too small for the tile that is given, sizes that are free being one. A
    part of a map that is given has all channels, whose sums wait."""
    given = context.given
    tile = given.images or 1, given.rows or 1, given.cols or 1
    splits = node.op.splits and given.taps is None
    channels = given.out_channels or (1 if splits else task.output.channels)
    maps, weights = _tile_bytes(node, task, context, channels, tile)
    sums = 0
    if given.taps:
        maps = _part_bytes(node, task, context, channels, (tile[0], given.taps))
        sums = packed_bytes(tile[0] * channels, context.array.psum_bits)
    halves = (
        ("activation", maps, context.activation_half),
        ("weight", weights, context.weight_half),
        ("accumulator", sums, context.psum_bits_half // 8),
    )
    short = (f"{size} bytes where half of sram.{name} has {half} for it" for name, size, half in halves if size > half)
    return ", ".join(short)


def least_vector_room(node: Node, task: LayerTask, context: TilingContext) -> int | None:
    """The activation buffer from which on a layer on the vector unit moves the same, as its tiles have all channels;
    None if they share halos."""
    if node.op.access_of(node) is not None:
        return None
    down, across = (axis_tiles(*key) for key in block_keys(task)[1:])
    if len(set(down.totals.tolist())) + len(set(across.totals.tolist())) > 2:
        return None
    if node.op.sums_map and _sums_fit(1, task.output.channels, context):
        return 2 * _part_bytes(node, task, context, task.output.channels, (1, 1))
    return 2 * _tile_bytes(node, task, context, task.output.channels, (1, 1, 1))[0]


def vector_dram_bytes(node: Node, task: LayerTask, context: TilingContext, rows: int, cols: int) -> float:
    """DRAM bytes of a layer on the vector unit in tiles of these rows and columns, halos included; in whole bursts
    where stores scatter."""
    array, output, (_, vertical, horizontal) = context.array, task.output, block_keys(task)
    ifmap_bits = array.ifmap_bits * share_of_plain(array.ifmap_code)
    written = output.height * output.width * task.stored * array.ofmap_bits * share_of_plain(array.ofmap_code)
    if node.op.access_of(node) is not None:
        return task.batch * (sum(each.elements for each in node.sizes) * ifmap_bits + written) / 8
    pixels = _total(axis_tiles(*vertical), rows) * _total(axis_tiles(*horizontal), cols)
    resident = context.resident_weights or not node.is_depthwise
    bits, weights_of = array.loaded_weights
    weights = 0.0 if resident else node.weights * bits / weights_of / 8
    factors = max(0, task.loaded - task.size.channels) if node.op.factored else 0
    loaded = pixels * (task.loaded - factors) + factors
    requested = task.batch * (loaded * ifmap_bits + written) / 8
    loaded_beyond, stored_beyond = plain_beyond(task, array)
    requested += task.batch * (pixels * loaded_beyond + output.height * output.width * stored_beyond)
    return requested + weights + _scattered_bytes(node, task, context)


def _total(tiles: AxisTiles, size: int) -> int:
    """Input rows, or columns, that tiles of this size read, halos counted as often."""
    return int(tiles.totals[np.flatnonzero(tiles.sizes <= size)[0]])


def _overlapping(node: Node, task: LayerTask, context: TilingContext) -> tuple[Tiling, int] | None:
    """Whole channels where a single output fits, else part of them, and the least activation buffer for it; None where
    not one fits."""
    given = context.given
    channels = given.out_channels or task.output.channels
    while True:
        largest = _largest_map_tile(task, given, _fits(node, task, context, channels))
        if largest is not None:
            tiling = _pipelined(largest, channels, given)
            return tiling, 2 * _tile_bytes(node, task, context, channels, largest)[0]
        if channels == 1 or not node.op.splits or given.out_channels:
            return None
        channels = ceil_div(channels, 2)


def _map_in_parts(node: Node, task: LayerTask, context: TilingContext) -> tuple[Tiling, int] | None:
    """Parts of a map whose channels are summed, at least four where it has the rows, and the least activation buffer
    for them; None where not even a pixel of all channels fits, or not the sums."""
    given = context.given
    images, channels = given.images or 1, given.out_channels or task.output.channels
    if not _sums_fit(images, channels, context):
        return None
    for taps in (given.taps,) if given.taps else _parts_of_map(task.size):
        taken = _part_bytes(node, task, context, channels, (images, taps))
        if taken <= context.activation_half:
            part = None if taps == task.taps else taps
            return Tiling(images, 1, 1, 1, channels, channels, taps=part), 2 * taken
    return None


def _parts_of_map(size: Shape) -> Iterator[int]:
    """Pixels of equal parts: whole rows, and parts of one."""
    least = min(LEAST_PARTS, size.height)
    yield from (size.width * rows for rows in sizes_of(size.height) if ceil_div(size.height, rows) >= least)
    yield from (cols for cols in sizes_of(size.width)[1:] if size.width % cols == 0)


def _sums_fit(images: int, channels: int, context: TilingContext) -> bool:
    """True where the sums of all channels fit half of the accumulator."""
    return images * channels <= context.psums_half


def _part_bytes(node: Node, task: LayerTask, context: TilingContext, channels: int, part: tuple[int, int]) -> int:
    """Bytes of feature maps of a part of images and pixels of each."""
    images, pixels = part
    return int(vector_bytes(node, task, context, channels, images, images * pixels, images)[0])


def _fewest_bytes(node: Node, task: LayerTask, context: TilingContext) -> tuple[Tiling, int] | None:
    """The tiling that moves the fewest bytes, and the least activation buffer for which it is chosen."""
    if node.op.access_of(node) is not None:
        return None
    choice, keys = context.given, block_keys(task)
    channel_tiles = sizes_of(task.output.channels) if node.op.splits else (task.output.channels,)
    blocks = blocks_of(*keys, choice.piece)
    if len(blocks.count) * len(channel_tiles) > MOST_TILINGS and choice.piece == ANY_PIECE:
        blocks = searched_blocks(*keys)
    found: list[tuple[float, int, Tiling, int]] = []
    for channels in (choice.out_channels,) if choice.out_channels else channel_tiles:
        maps, weights = vector_bytes(node, task, context, channels, blocks.images, blocks.taken, blocks.pixels)
        fits = np.flatnonzero(maps <= context.activation_half)
        if len(fits) and weights <= context.weight_half:
            best = fits[np.lexsort((blocks.count[fits], blocks.taken_total[fits]))[0]]
            images, rows, cols = (int(each[best]) for each in (blocks.images, blocks.rows, blocks.cols))
            least = 2 * int(np.broadcast_to(maps, blocks.images.shape)[best])
            tiling = Tiling(images, rows, cols, 1, channels, channels)
            moved = float(blocks.taken_total[best]) * _burst_factor(task, context, channels)
            found.append((moved, len(found), tiling, least))
    return min(found)[2:] if found else None


def _burst_factor(task: LayerTask, context: TilingContext, channels: int) -> float:
    """Bytes of whole bursts over bytes requested, where a tile has some of the channels of each pixel."""
    run = max(1, channels * context.array.ifmap_bits // 8)
    whole = channels == task.output.channels
    return 1.0 if whole else (run + context.burst_bytes - gcd(run, context.burst_bytes)) / run


def _scattered_bytes(node: Node, task: LayerTask, context: TilingContext) -> float:
    """DRAM bytes beyond those requested, where channels are stored apart: each element is a burst of its own."""
    if not task.scattered or (task.target_channels == task.output.channels and not node.op.is_address):
        return 0.0
    element = context.array.ofmap_bits / 8
    return task.batch * task.output.height * task.output.width * task.stored * max(0.0, context.burst_bytes - element)


def _fits(node: Node, task: LayerTask, context: TilingContext, channels: int) -> Fits:
    def fits(tile: MapTile) -> bool:
        maps, weights = _tile_bytes(node, task, context, channels, tile)
        return maps <= context.activation_half and weights <= context.weight_half

    return fits


def _tile_bytes(node: Node, task: LayerTask, context: TilingContext, channels: int, tile: MapTile) -> tuple[int, int]:
    """Bytes of feature maps and weights of a tile."""
    images, rows, cols = tile
    access, array = node.op.access_of(node), context.array
    if access is not None:
        read = (prod(access.most(node, place, (rows, cols, channels))) for place in range(len(node.inputs)))
        written = packed_bytes(images * rows * cols * channels, array.ofmap_bits)
        return sum(packed_bytes(images * each, array.ifmap_bits) for each in read) + written, 0
    _, vertical, horizontal = block_keys(task)
    high, wide = (int(axis_tiles(*axis, size).widest[0]) for axis, size in ((vertical, rows), (horizontal, cols)))
    taken = images * high * wide
    return vector_bytes(node, task, context, channels, images, taken, images * rows * cols)


def _largest_map_tile(task: LayerTask, given: GivenTile, fits: Fits) -> MapTile | None:
    """Whole images if one fits, else whole rows, else a part of a row; None where not one output fits.

    Sizes that are given are as they are.
    """
    images, height, width = given.images or 1, given.rows or task.output.height, given.cols or task.output.width
    if fits((images, height, width)):
        is_free = given.images is None and (height, width) == (task.output.height, task.output.width)
        return _most(task.batch, lambda many: fits((many, height, width))) if is_free else images, height, width
    if given.rows is None and fits((images, 1, width)):
        return images, _most(height, lambda rows: fits((images, rows, width))), width
    height = given.rows or 1
    if given.cols is None and fits((images, height, 1)):
        return images, height, _most(width, lambda cols: fits((images, height, cols)))
    return None


def _most(extent: int, fits: Callable[[int], bool]) -> int:
    """The largest number up to `extent` that fits, where 1 does."""
    low, high = 1, extent
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _pipelined(largest: MapTile, channels: int, given: GivenTile) -> Tiling:
    """At least four tiles of a map that has the rows, so that loads, work and stores overlap."""
    images, rows, cols = largest
    if images == 1 and given.rows is None:
        rows = ceil_div(rows, LEAST_PARTS)
    return Tiling(images, rows, cols, 1, channels, channels)
