"""What a plan moves between DRAM and SRAM: exact closed forms (docs/machine.md section 5).

A tile is loaded when the loops come to it and stays until they come to another; sums never leave the chip, so each
result is stored once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from accelsim.dataflows.work import ArrayContext
from accelsim.lowering.ir import LayerTask, Loop, Order, Tiling
from accelsim.operators.shapes import Axis
from accelsim.units import ceil_div, packed_bytes

OF_MAP: tuple[Loop, ...] = ("groups", "map", "inputs")
OF_WEIGHTS: tuple[Loop, ...] = ("groups", "outputs", "inputs")
"""The loops that a tile of the operand depends on."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes that DMA asks for; bursts are not rounded."""

    ifmap_bytes: int
    weight_bytes: int
    ofmap_bytes: int

    @property
    def bytes(self) -> int:
        """All together."""
        return self.ifmap_bytes + self.weight_bytes + self.ofmap_bytes


def traffic(shape: LayerTask, plan: Tiling, array: ArrayContext) -> Traffic:
    """The bytes of a layer on the array, halos and the rounding of packed rows included.

    Exact but for maps of sub-byte elements that a shuffle scatters, where each element counts as a row of its own, and
    for such right maps of a product, whose rows count as packed.
    """
    counts = tile_counts(shape, plan)
    return Traffic(
        shape.times * _ifmap_bytes(shape, plan, array.ifmap_bits) * loads(plan.order, counts, OF_MAP),
        shape.times * _weight_bytes(shape, plan, array) * loads(plan.order, counts, OF_WEIGHTS),
        shape.times * _ofmap_bytes(shape, plan, array.ofmap_bits),
    )


def tile_counts(shape: LayerTask, plan: Tiling) -> dict[Loop, int]:
    """Turns of each loop."""
    output = shape.output
    blocks = ceil_div(shape.batch, plan.images) * ceil_div(output.height, plan.rows) * ceil_div(output.width, plan.cols)
    return {
        "groups": ceil_div(shape.groups, plan.groups),
        "map": blocks,
        "outputs": ceil_div(shape.group_outputs, plan.out_channels),
        "inputs": ceil_div(shape.group_inputs, plan.in_channels),
    }


def loads(order: Order, counts: dict[Loop, int], depends: Collection[Loop]) -> int:
    """How often each tile of an operand is loaded: in every turn of the other loops that are outside of its own."""
    own = [place for place, loop in enumerate(order) if loop in depends and counts[loop] > 1]
    return prod(counts[loop] for loop in order[: max(own, default=0)] if loop not in depends)


def _ifmap_bytes(shape: LayerTask, plan: Tiling, bits: int) -> int:
    """All tiles once."""
    size, window = shape.size, shape.window
    channels = [
        (groups - 1) * shape.group_inputs + inputs
        for groups, inputs in product(_cuts(shape.groups, plan.groups), _cuts(shape.group_inputs, plan.in_channels))
    ]
    extents = (
        _cuts(shape.batch, plan.images),
        windows(window.vertical, shape.output.height, plan.rows, size.height),
        windows(window.horizontal, shape.output.width, plan.cols, size.width),
        channels,
    )
    return _requested(extents, (shape.batch, size.height, size.width, shape.source_channels), bits)


def _ofmap_bytes(shape: LayerTask, plan: Tiling, bits: int) -> int:
    output = shape.output
    channels: list[int] = [output.channels]
    target = shape.target_channels
    if not plan.gathers:
        outs = _cuts(shape.group_outputs, plan.out_channels)
        channels = [
            (groups - 1) * shape.group_outputs + out for groups in _cuts(shape.groups, plan.groups) for out in outs
        ]
        if shape.scattered and len(channels) > 1:
            channels, target = [1] * output.channels, 0
    extents = (
        _cuts(shape.batch, plan.images),
        _cuts(output.height, plan.rows),
        _cuts(output.width, plan.cols),
        channels,
    )
    return _requested(extents, (shape.batch, output.height, output.width, target), bits)


def _weight_bytes(shape: LayerTask, plan: Tiling, array: ArrayContext) -> int:
    """All tiles once; each lies in DRAM in one piece. Those of a compressed layer have their share of its bits."""
    tiles = product(
        _cuts(shape.groups, plan.groups),
        _cuts(shape.group_outputs, plan.out_channels),
        _cuts(shape.group_inputs, plan.in_channels),
    )
    bits, weights = array.stored_weights
    if weights == 1:
        return sum(times * packed_bytes(prod(tile) * shape.taps, bits) for tile, times in Counter(tiles).items())
    total = reached = 0
    for tile in tiles:
        start, reached = reached, reached + prod(tile) * shape.taps
        total += packed_bytes(max(1, bits * reached // weights - bits * start // weights), 1)
    return total


def _cuts(extent: int, size: int) -> list[int]:
    """Extents of the tiles."""
    return [min(size, extent - start) for start in range(0, extent, size)]


def windows(axis: Axis, outputs: int, size: int, extent: int) -> list[int]:
    """Input rows (or columns) that the tiles of an axis read."""
    taken = (axis.taken(start, min(start + size, outputs), extent) for start in range(0, outputs, size))
    return [high - low for low, high in taken]


def _requested(extents: Sequence[Iterable[int]], dims: Sequence[int], bits: int) -> int:
    """Bytes of all regions of a row-major tensor that these extents of its dimensions span; rows are packed."""
    total = 0
    for sized in product(*(Counter(each).items() for each in extents)):
        sizes, times = zip(*sized, strict=True)
        first = max((axis for axis in range(4) if sizes[axis] != dims[axis]), default=0)
        total += prod(times) * prod(sizes[:first]) * packed_bytes(prod(sizes[first:]), bits)
    return total
