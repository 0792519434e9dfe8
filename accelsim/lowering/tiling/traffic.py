"""Traffic of a tiling between DRAM and SRAM: exact closed forms (docs/machine.md section 5).

A tile is loaded when the loops come to it and stays until they come to another; sums never leave the chip, so each
result is stored once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from accelsim.dataflows.work import ArrayContext
from accelsim.lowering.ir import IFMAP_LOOPS, WEIGHT_LOOPS, LayerTask, Tiling, loads_each, loop_turns
from accelsim.lowering.tiling.footprint import read_by, windows
from accelsim.operators.shapes import Window
from accelsim.program.tensors import RowCode
from accelsim.units import packed_bytes


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


def traffic(task: LayerTask, tiling: Tiling, array: ArrayContext) -> Traffic:
    """The bytes of a layer on the array, halos and the rounding of packed rows included.

    Exact but for maps of sub-byte elements that a shuffle scatters, where each element counts as a row of its own, and
    for such right maps of a product, whose rows count as packed, and as plain where they are coded.
    """
    turns = loop_turns(task, tiling)
    ifmap_loads = loads_each(turns, IFMAP_LOOPS, tiling.ifmap_tiles)
    weight_loads = loads_each(turns, WEIGHT_LOOPS, tiling.weight_tiles)
    return Traffic(
        task.times * _ifmap_bytes(task, tiling, array) * ifmap_loads + _shortcut_bytes(task, tiling, array),
        task.times * _weight_bytes(task, tiling, array) * weight_loads,
        task.times * _ofmap_bytes(task, tiling, array),
    )


def _ifmap_bytes(task: LayerTask, tiling: Tiling, array: ArrayContext) -> int:
    """All tiles once."""
    size = task.size
    channels = [
        (groups - 1) * task.group_inputs + inputs
        for groups, inputs in product(_cuts(task.groups, tiling.groups), _cuts(task.group_inputs, tiling.in_channels))
    ]
    total, dims = 0, (task.batch, size.height, size.width, task.source_channels)
    for part in _windows(task.window, tiling.taps):
        (height, width), window = read_by(task, part), part.of_several(task.pooled)
        extents = (
            _cuts(task.batch, tiling.images),
            windows(window.vertical, task.output.height, tiling.rows, height),
            windows(window.horizontal, task.output.width, tiling.cols, width),
            channels,
        )
        total += _requested(extents, dims, array.ifmap_bits, array.ifmap_code)
    return total


def _windows(window: Window, taps: int | None) -> Iterator[Window]:
    """The window, or its parts of some kernel positions."""
    size = taps or window.elements
    yield from (window.part(start, min(start + size, window.elements)) for start in range(0, window.elements, size))


def _shortcut_bytes(task: LayerTask, tiling: Tiling, array: ArrayContext) -> int:
    """All tiles of the map that is added to the results once."""
    if not task.shortcut_loaded:
        return 0
    channels = _channels(task, tiling)
    return _output_bytes(task, tiling, channels, task.shortcut_channels, array.ofmap_bits, array.shortcut_code)


def _ofmap_bytes(task: LayerTask, tiling: Tiling, array: ArrayContext) -> int:
    channels, target = _channels(task, tiling), task.target_channels
    if task.scattered and len(channels) > 1:
        channels, target = [1] * task.output.channels, 0
    return _output_bytes(task, tiling, channels, target, array.ofmap_bits, array.ofmap_code)


def _channels(task: LayerTask, tiling: Tiling) -> list[int]:
    """Channels of the tiles of results."""
    if tiling.gathers:
        return [task.output.channels]
    outs = _cuts(task.group_outputs, tiling.out_channels)
    return [(groups - 1) * task.group_outputs + out for groups in _cuts(task.groups, tiling.groups) for out in outs]


def _output_bytes(
    task: LayerTask, tiling: Tiling, channels: list[int], whole: int, bits: int, code: RowCode | None
) -> int:
    """Bytes of tiles with these channels, of the whole of a tensor of the output's size."""
    output = task.output
    extents = (
        _cuts(task.batch, tiling.images),
        _cuts(output.height, tiling.rows),
        _cuts(output.width, tiling.cols),
        channels,
    )
    return _requested(extents, (task.batch, output.height, output.width, whole), bits, code)


def _weight_bytes(task: LayerTask, tiling: Tiling, array: ArrayContext) -> int:
    """All tiles once; each lies in DRAM in one piece. Those of a compressed layer have their share of its bits."""
    tiles = product(
        _cuts(task.groups, tiling.groups),
        _cuts(task.group_outputs, tiling.out_channels),
        _cuts(task.group_inputs, tiling.in_channels),
        _cuts(task.taps, tiling.taps or task.taps),
    )
    bits, weights = array.loaded_weights
    if weights == 1:
        return sum(times * packed_bytes(prod(tile), bits) for tile, times in Counter(tiles).items())
    total = reached = 0
    for tile in tiles:
        start, reached = reached, reached + prod(tile)
        total += packed_bytes(max(1, bits * reached // weights - bits * start // weights), 1)
    return total


def _cuts(extent: int, size: int) -> list[int]:
    """Extents of the tiles."""
    return [min(size, extent - start) for start in range(0, extent, size)]


def _requested(extents: Sequence[Iterable[int]], dims: Sequence[int], bits: int, code: RowCode | None) -> int:
    """Bytes of all regions of a row-major tensor that these extents of its dimensions span; rows are packed, or
    coded."""
    total = 0
    for sized in product(*(Counter(each).items() for each in extents)):
        sizes, times = zip(*sized, strict=True)
        first = max((axis for axis in range(4) if sizes[axis] != dims[axis]), default=0)
        row = bits * prod(sizes[first:])
        total += prod(times) * prod(sizes[:first]) * packed_bytes(row if code is None else code.bits(row), 1)
    return total
