"""Depthwise layers in patches: neighbouring outputs of a channel in columns side by side (docs/machine.md section 3).

The rows of a fold carry the pixels under a patch of outputs, each column the taps of one of these outputs among zeros.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from accelsim.config.machine import Machine
from accelsim.dataflows.work import ONE_OUTPUT, Patch
from accelsim.network.graph import Node
from accelsim.operators.shapes import Axis, Shape, Window
from accelsim.units import ceil_div


class _LayerSizes(NamedTuple):
    """Sizes of a layer and of the array, by which its patch is chosen."""

    window: Window
    output: Shape
    rows: int
    cols: int


def patch_of(node: Node, machine: Machine) -> Patch:
    """The patch with which the folds of a layer take the fewest clocks, of those the one of the fewest columns."""
    if machine.array.depthwise_packing == "diagonal" or not _comes_in_patches(node):
        return ONE_OUTPUT
    return _best(_LayerSizes(node.window, node.output, machine.array.rows, machine.array.cols))


def _comes_in_patches(node: Node) -> bool:
    window = node.window
    dense = window.vertical.dilation == window.horizontal.dilation == 1
    skips = node.pruning is not None and node.pruning.zeros == "skip"
    return node.is_depthwise and dense and node.pool is None and not skips


@lru_cache(maxsize=1 << 10)
def _best(sizes: _LayerSizes) -> Patch:
    return min(_patches(sizes), key=lambda patch: (_clocks(patch, sizes), patch.outputs))


def _patches(sizes: _LayerSizes) -> Iterator[Patch]:
    """All that fit the array, and a single output."""
    yield ONE_OUTPUT
    sides = (range(1, min(sizes.cols, extent) + 1) for extent in (sizes.output.height, sizes.output.width))
    for rows, cols in product(*sides):
        patch = Patch(rows, cols)
        if patch.outputs <= sizes.cols and patch_pixels(sizes.window, patch) <= sizes.rows:
            yield patch


def patch_pixels(window: Window, patch: Patch) -> int:
    """Pixels under the outputs of a patch."""
    return window.vertical.reach(patch.rows) * window.horizontal.reach(patch.cols)


def _clocks(patch: Patch, sizes: _LayerSizes) -> int:
    """Clocks of the streams of an image, or of the loads where these are longer; each channel is a group."""
    rows, output = patch_pixels(sizes.window, patch), sizes.output
    packed = max(1, min(sizes.rows // rows, sizes.cols // patch.outputs, output.channels))
    steps = ceil_div(output.height, patch.rows) * ceil_div(output.width, patch.cols)
    folds = ceil_div(output.channels, packed) * ceil_div(rows, sizes.rows)
    return folds * max(steps, min(packed * rows, sizes.rows))


def patch_reads(axis: Axis, start: int, stop: int, size: int, extent: int) -> int:
    """Elements of a map of `extent` under outputs [start, stop), those under each patch of `size` outputs once."""
    total = 0
    for first in range(start, stop, size):
        low = first * axis.stride - axis.pad
        high = low + axis.reach(min(size, stop - first))
        total += max(0, min(high, extent) - max(low, 0))
    return total
