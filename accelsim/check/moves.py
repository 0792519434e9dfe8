"""The input elements that an output is made of, for operators that pick, join, fold or rearrange.

Index arrays are for (rows, columns, channels) of some outputs, and broadcast against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.network.graph import Node

Indices = NDArray[np.int64]
PixelRanges = tuple[range, range, range]


class Taken(NamedTuple):
    """Elements (rows, columns, channels) of an input, where `inside`; 0 elsewhere."""

    position: int
    rows: Indices
    cols: Indices
    channels: Indices
    inside: NDArray[np.bool_]


def _grid(box: PixelRanges) -> tuple[Indices, Indices, Indices]:
    rows, cols, channels = (np.asarray(each, dtype=np.int64) for each in box)
    return rows[:, None, None], cols[None, :, None], channels[None, None, :]


def _picked(node: Node, box: PixelRanges) -> Iterator[Taken]:
    size = node.sizes[0].height, node.sizes[0].width, node.sizes[0].channels
    grid = _grid(box)
    for taps in product(*(range(pick.taps) for pick in node.picks)):
        found, inside = [], np.ones((1, 1, 1), dtype=np.bool_)
        for pick, outputs, tap, extent in zip(node.picks, grid, taps, size, strict=True):
            wanted = (outputs * pick.step + pick.first) // pick.per + tap
            if node.border == "zeros":
                inside = inside & (wanted >= 0) & (wanted < extent)
            elif node.border == "reflect":
                wanted = np.abs(wanted)
                wanted = np.where(wanted >= extent, 2 * (extent - 1) - wanted, wanted)
            found.append(np.clip(wanted, 0, extent - 1))
        rows, cols, channels = found
        yield Taken(0, rows, cols, channels, inside)


def _joined(node: Node, box: PixelRanges) -> Iterator[Taken]:
    start = 0
    for position, size in enumerate(node.sizes):
        grid, extent = list(_grid(box)), (size.height, size.width, size.channels)[node.axis]
        own = grid[node.axis] - start
        grid[node.axis] = np.clip(own, 0, extent - 1)
        rows, cols, channels = grid
        yield Taken(position, rows, cols, channels, (own >= 0) & (own < extent))
        start += extent


def _summed(node: Node, box: PixelRanges) -> Iterator[Taken]:
    rows, cols, channels = _grid(box)
    each = node.sizes[0].channels // node.groups
    for place in range(each):
        yield Taken(0, rows, cols, channels * each + place, np.ones((1, 1, 1), dtype=np.bool_))


def _folded(node: Node, box: PixelRanges) -> Iterator[Taken]:
    down, right = node.window.vertical, node.window.horizontal
    rows, cols, channels = _grid(box)
    size = node.sizes[0]
    for row, col in product(range(down.kernel), range(right.kernel)):
        high, high_rest = np.divmod(rows + down.pad - row * down.dilation, down.stride)
        wide, wide_rest = np.divmod(cols + right.pad - col * right.dilation, right.stride)
        inside = (high_rest == 0) & (wide_rest == 0)
        inside = inside & (high >= 0) & (high < size.height) & (wide >= 0) & (wide < size.width)
        taps = channels * node.window.elements + row * right.kernel + col
        yield Taken(0, np.clip(high, 0, size.height - 1), np.clip(wide, 0, size.width - 1), taps, inside)


def _rearranged(node: Node, box: PixelRanges) -> Iterator[Taken]:
    rows, cols, channels = _grid(box)
    size, output = node.sizes[0], node.output
    place = (rows * output.width + cols) * output.channels + channels
    digits = np.unravel_index(place, [node.split[factor] for factor in node.order])
    before = [digits[node.order.index(factor)] for factor in range(len(node.split))]
    source = np.ravel_multi_index(before, node.split)
    row, col, channel = np.unravel_index(source, (size.height, size.width, size.channels))
    yield Taken(0, row, col, channel, np.ones((1, 1, 1), dtype=np.bool_))


TAKEN: dict[str, Callable[[Node, PixelRanges], Iterator[Taken]]] = {
    "crop": _picked,
    "resize": _picked,
    "join": _joined,
    "fold": _folded,
    "rearrange": _rearranged,
    "reduce_sum": _summed,
    "reduce_max": _summed,
}
"""By operator."""
