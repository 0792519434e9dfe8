"""SRAM bytes of tiles, for integers and for arrays of them alike (docs/machine.md section 5)."""

from __future__ import annotations

from typing import Any

import numpy as np

from accelsim.lowering.ir import LayerTask, TilingContext
from accelsim.network.graph import Node
from accelsim.units import ceil_div, packed_bytes

Size = Any
"""An integer, or an array of integers."""


def places(tiles: Size) -> Size:
    """Places of an operand: two where another of its tiles follows, the one in use and the one in flight."""
    return np.where(tiles == 1, 1, 2)


def ifmap_bytes(task: LayerTask, context: TilingContext, pixels: Size, groups: Size, ins: Size) -> Size:
    """Bytes of a tile of the input map, of which the channels that are on chip already take none."""
    whole = np.minimum(groups * ins, task.loaded_inputs)
    channels = np.where(ins == task.group_inputs, whole, ins * (task.loaded_inputs > 0))
    return packed_bytes(pixels * channels, context.array.ifmap_bits)


def weight_bytes(task: LayerTask, context: TilingContext, groups: Size, outs: Size, ins: Size) -> Size:
    """Bytes of a tile of the weights; 0 where they are resident."""
    bits, weights = context.array.stored_weights
    tile = packed_bytes(ceil_div(groups * outs * ins * task.taps * bits, weights), 1)
    return 0 * tile if context.resident_weights else tile


def layer_weight_bytes(task: LayerTask, context: TilingContext) -> int:
    """Bytes of all weights in one tile."""
    return int(weight_bytes(task, context, task.groups, task.group_outputs, task.group_inputs))


def result_bytes(task: LayerTask, context: TilingContext, pixels: Size, channels: Size) -> Size:
    """Bytes of a tile of results; elements that are stored apart are whole bytes each."""
    bits = context.array.ofmap_bits
    bits = ceil_div(bits, 8) * 8 if task.scattered else bits
    return packed_bytes(pixels * np.minimum(channels, task.stored), bits)


def most_inputs(task: LayerTask, context: TilingContext, pixels: Size, outs: Size, ifmap_room: Size) -> Size:
    """Input channels of a group of which two tiles fit the room for the input map and the weight buffer."""
    bits, weights = context.array.stored_weights
    ins = np.full_like(ifmap_room, task.group_inputs)
    by_ifmap = ifmap_room // 2 * 8 // (pixels * context.array.ifmap_bits) if task.loaded_inputs else ins
    by_weights = ins if context.resident_weights else context.weight_half * 8 * weights // (outs * task.taps * bits)
    return np.where(ifmap_room // 2 >= 0, np.minimum(by_ifmap, by_weights), 0)


def vector_bytes(
    node: Node, task: LayerTask, context: TilingContext, channels: int, images: Size, taken: Size, given: Size
) -> tuple[Size, int]:
    """Bytes of feature maps and of weights of a tile on the vector unit that reads and writes so many elements.

    Channels that are on chip already or that stay there take none.
    """
    array = context.array
    maps = node.op.maps
    factors = images * (channels if node.op.factored else 0)
    loaded = taken * min(task.loaded, maps * channels) // channels
    read = maps * packed_bytes(ceil_div(loaded, maps), array.ifmap_bits) + packed_bytes(factors, array.ifmap_bits)
    stored = packed_bytes(given * min(task.stored, channels) // channels, array.ofmap_bits)
    return read + stored, int(weight_bytes(task, context, channels, 1, 1)) if node.is_depthwise else 0
