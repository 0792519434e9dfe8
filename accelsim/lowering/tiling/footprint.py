"""SRAM bytes of tiles, for integers and for arrays of them alike (docs/machine.md section 5)."""

from __future__ import annotations

import numpy as np

from accelsim.dataflows.contract import Size
from accelsim.lowering.ir import LayerTask, Tiling, TilingContext, tile_counts
from accelsim.network.graph import Node
from accelsim.operators.shapes import Axis, Window
from accelsim.units import ceil_div, packed_bytes, product_of

PARTIAL_TILE_BYTES = 2
"""Bytes that a tile of packed elements may take beyond them: one of a product's right map may begin and end within a
row, and then comes as three that are rounded up."""


def windows(axis: Axis, outputs: int, size: int, extent: int) -> list[int]:
    """Input rows (or columns) that the tiles of an axis read, halos included."""
    starts = np.arange(0, outputs, size)
    stops = np.minimum(starts + size, outputs)
    low = np.clip(starts * axis.stride - axis.pad - axis.lead * (starts == 0), 0, extent - 1)
    high = (stops - 1) * axis.stride - axis.pad + (axis.kernel - 1) * axis.dilation + 1
    taken: list[int] = (np.maximum(np.minimum(high, extent), low + 1) - low).tolist()
    return taken


def read_by(task: LayerTask, window: Window) -> tuple[int, int]:
    """Rows and columns of the input up to the last that is read under a part of the window."""
    size = task.size
    if task.pool is None:
        return size.height, size.width
    down, across = task.pool
    return down.read(window.vertical, size.height), across.read(window.horizontal, size.width)


def results_of(task: LayerTask, images: Size, rows: Size, cols: Size) -> Size:
    """Results of the array for a piece of this many images, rows and columns of the output, at most."""
    down, across = task.pooled
    high = np.minimum(rows * down.each + down.lead, down.extent)
    return images * high * np.minimum(cols * across.each + across.lead, across.extent)


def ifmap_bytes(task: LayerTask, context: TilingContext, pixels: Size, groups: Size, ins: Size) -> Size:
    """Bytes of a tile of the input map, of which the channels that are on chip already take none."""
    whole = np.minimum(groups * ins, task.loaded_inputs)
    channels = np.where(ins == task.group_inputs, whole, ins * (task.loaded_inputs > 0))
    return packed_bytes(pixels * channels, context.array.ifmap_bits)


def weight_bytes(context: TilingContext, groups: Size, outs: Size, depth: Size) -> Size:
    """Bytes of a tile of the weights, `depth` of them in a sum; 0 where they are resident."""
    bits, weights = context.array.stored_weights
    tile = packed_bytes(ceil_div(product_of(groups * outs * depth, bits), weights), 1)
    return 0 * tile if context.resident_weights else tile


def layer_weight_bytes(task: LayerTask, context: TilingContext) -> int:
    """Bytes of all weights in one tile."""
    return int(weight_bytes(context, task.groups, task.group_outputs, task.depth))


def kept_weight_bytes(context: TilingContext, tile: Size, slots: Size) -> Size:
    """Bytes of the weight buffer for these tiles of this size."""
    bits, weights = context.array.stored_weights
    spare = 0 if bits % (8 * weights) == 0 else PARTIAL_TILE_BYTES * np.maximum(0, slots - 2)
    return tile * slots + spare


def result_bytes(task: LayerTask, context: TilingContext, pixels: Size, channels: Size) -> Size:
    """Bytes of a tile of results; elements that are stored apart are whole bytes each."""
    bits = context.array.ofmap_bits
    bits = ceil_div(bits, 8) * 8 if task.scattered else bits
    return packed_bytes(pixels * np.minimum(channels, task.stored), bits)


def shortcut_bytes(task: LayerTask, context: TilingContext, pixels: Size, channels: Size) -> Size:
    """Bytes of a tile of the map that is added to a tile of results."""
    return packed_bytes(pixels * np.minimum(channels, task.shortcut_loaded), context.array.ofmap_bits)


def results_bytes(task: LayerTask, context: TilingContext, pixels: Size, channels: Size, tiles: Size) -> Size:
    """Bytes of the results on their way out, with what is added to them, in places of one size: of a tile, or of two
    if there are two."""
    result, shortcut = (each(task, context, pixels, channels) for each in (result_bytes, shortcut_bytes))
    places = min(task.stored, 1) + min(task.shortcut_loaded, 1)
    return np.where(tiles == 1, 1, 2) * places * np.maximum(result, shortcut)


def input_extents(task: LayerTask, tiling: Tiling) -> tuple[int, int]:
    """Rows and columns of the largest tile of the input map; of a part of the kernel at most."""
    output, size = task.output, task.size
    if tiling.taps is None:
        down, across = task.reach.vertical, task.reach.horizontal
        height, width = read_by(task, task.window)
        rows = max(windows(down, output.height, tiling.rows, height))
        return rows, max(windows(across, output.width, tiling.cols, width))
    part = task.window.part(0, tiling.taps).of_several(task.pooled)
    return part.vertical.span(tiling.rows, size.height), part.horizontal.span(tiling.cols, size.width)


def ifmap_slots(task: LayerTask, context: TilingContext, tiling: Tiling, room: int) -> int:
    """Places that a room has for tiles of the input map beside the results."""
    results, tile = _map_bytes(task, context, tiling)
    return int((room - results) // max(1, tile))


def tile_bytes(task: LayerTask, context: TilingContext, tiling: Tiling) -> int:
    """Bytes of a tile of the input map, and of results on their way out."""
    return sum(_map_bytes(task, context, tiling))


def _map_bytes(task: LayerTask, context: TilingContext, tiling: Tiling) -> tuple[int, int]:
    """Bytes of results on their way out, and of a tile of the input map."""
    counts = tile_counts(task, tiling)
    outs = 1 if tiling.gathers else counts["groups"] * counts["outputs"]
    channels = task.output.channels if tiling.gathers else tiling.groups * tiling.out_channels
    pixels = tiling.images * tiling.rows * tiling.cols
    results = results_bytes(task, context, pixels, channels, task.times * counts["map"] * outs)
    rows, cols = input_extents(task, tiling)
    tile = ifmap_bytes(task, context, tiling.images * rows * cols, tiling.groups, tiling.in_channels)
    return int(results), int(tile)


def vector_bytes(
    node: Node, task: LayerTask, context: TilingContext, channels: int, images: Size, inputs: Size, outputs: Size
) -> tuple[Size, int]:
    """Bytes of feature maps and of weights of a tile on the vector unit that reads and writes these pixels.

    Channels that are on chip already or that stay there take none.
    """
    array = context.array
    maps = node.op.maps
    factors = images * (channels if node.op.factored else 0)
    loaded = inputs * min(task.loaded, maps * channels)
    read = maps * packed_bytes(ceil_div(loaded, maps), array.ifmap_bits) + packed_bytes(factors, array.ifmap_bits)
    stored = packed_bytes(outputs * min(task.stored, channels), array.ofmap_bits)
    return read + stored, int(weight_bytes(context, channels, 1, task.taps)) if node.is_depthwise else 0
