"""Sizes that the tiles of a layer may have: blocks of its output map, groups and output channels, parts of its sums.

Tile sizes cut an extent into equal parts, of which more and more are tried; output channels are also cut as the columns
of the array fit, and the sums over K as its rows do.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import product
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.dataflows.average import EqualExtents
from accelsim.dataflows.work import ONE_OUTPUT, Patch
from accelsim.lowering.given import ANY_PIECE, GivenPiece, GivenTile
from accelsim.lowering.ir import LayerTask
from accelsim.lowering.tiling.footprint import read_by, results_of, windows
from accelsim.operators.shapes import Axis
from accelsim.units import ceil_div

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LEAST_PART = 7
"""Columns of a part of several rows, at least: narrower ones load more of their halo than of themselves."""

LONG, LONG_CUTS = 1 << 16, 64
"""Extents beyond which not each number of parts is known, and as `ROW_CUTS`, the numbers that are."""
MOST_RAGGED = 1 << 14
"""The longest extent of which every size is looked at."""
MOST_FILLING = 2
"""Blocks that are searched because they fill the array and no more, at most."""
ROW_CUTS, CHANNEL_CUTS, SUM_CUTS = 8, 4, 1
"""Parts up to which an extent is cut into each number of them; beyond, each number is larger by one in that many."""


@lru_cache(maxsize=1 << 10)
def sizes_of(extent: int) -> tuple[int, ...]:
    """The smallest tile for each number of tiles, largest first; of a long extent for clearly different numbers."""
    sizes, size = [], extent
    while size > 1:
        sizes.append(size)
        less = size - 1 if extent <= LONG else min(size - 1, size * LONG_CUTS // (LONG_CUTS + 1))
        size = ceil_div(extent, ceil_div(extent, less))
    return (*sizes, 1)


@lru_cache(maxsize=1 << 10)
def cut_sizes(extent: int, cuts: int) -> tuple[int, ...]:
    """Sizes of `sizes_of` that cut an extent into few parts, or into clearly more than the one before."""
    sizes, parts = [], 0
    for size in sizes_of(extent):
        count = ceil_div(extent, size)
        if count <= cuts or count >= parts * (1 + 1 / cuts) or size == 1:
            sizes.append(size)
            parts = count
    return tuple(sizes)


AxisKey = tuple[Axis, int, int]
"""A window, and how many outputs it has on how much input."""


class AxisTiles(NamedTuple):
    """Tiles of one axis of the output by size: how many, the most input that one reads, and that of all together."""

    sizes: Ints
    counts: Ints
    widest: Ints
    totals: Ints


@lru_cache(maxsize=1 << 10)
def axis_tiles(axis: Axis, outputs: int, extent: int, given: int | None = None, *, ragged: bool = False) -> AxisTiles:
    """For each of `sizes_of(outputs)`, or for the size that is given; `ragged` adds larger sizes whose tiles together
    read less, up to `MOST_RAGGED`."""
    smallest = frozenset((given,) if given else sizes_of(outputs))
    found, least = list[tuple[int, int, int, int]](), dict[int, int]()
    every = ragged and not given and outputs <= MOST_RAGGED
    for size in range(1, outputs + 1) if every else sorted(smallest):
        taken, count = windows(axis, outputs, size, extent), ceil_div(outputs, size)
        if size in smallest or sum(taken) < least[count]:
            least[count] = sum(taken)
            found.append((size, count, max(taken), sum(taken)))
    return AxisTiles(*np.array(found[::-1]).T)


@dataclass(frozen=True, slots=True)
class Blocks:
    """Parts of the output map: their sizes, how many, and the pixels of input and output of the largest one.

    taken_total: input pixels of all parts, halos counted as often as they are loaded.
    """

    images: Ints
    rows: Ints
    cols: Ints
    count: Ints
    pixels: Ints
    taken_rows: Ints
    taken_cols: Ints
    taken_total: Ints

    @property
    def taken(self) -> Ints:
        """Input pixels of the largest part."""
        return self.images * self.taken_rows * self.taken_cols

    def parts(self, task: LayerTask, patch: Patch = ONE_OUTPUT) -> list[EqualExtents]:
        """Steps of the array for equal parts: whole ones, those that are cut at an end of rows, columns or images."""
        height, width = task.output.height, task.output.width
        down, across, images = (
            ceil_div(height, self.rows),
            ceil_div(width, self.cols),
            ceil_div(task.batch, self.images),
        )
        (high, each_row, *_), (wide, each_col, *_) = task.pooled
        low, narrow = (
            np.maximum(1, high - (down - 1) * self.rows * each_row),
            np.maximum(1, wide - (across - 1) * self.cols * each_col),
        )
        rows, low = ceil_div(self.rows * each_row, patch.rows), ceil_div(low, patch.rows)
        cols, narrow = ceil_div(self.cols * each_col, patch.cols), ceil_div(narrow, patch.cols)
        many, few = self.images, task.batch - (images - 1) * self.images
        return [
            EqualExtents(many * rows * cols, images * (down - 1) * (across - 1)),
            EqualExtents(many * low * cols, images * (across - 1)),
            EqualExtents(many * rows * narrow, images * (down - 1)),
            EqualExtents(many * low * narrow, images - 1),
            EqualExtents(few * low * narrow, 1),
        ]

    def results(self, task: LayerTask) -> Ints:
        """Results of the array of the largest part."""
        results: Ints = results_of(task, self.images, self.rows, self.cols)
        return results

    def at(self, index: Ints | slice) -> Blocks:
        """Some of them, in this order."""
        return Blocks(*(getattr(self, part.name)[index] for part in fields(self)))


@lru_cache(maxsize=1 << 10)
def blocks_of(
    batch: int, vertical: AxisKey, horizontal: AxisKey, given: GivenPiece = ANY_PIECE, *, ragged: bool = False
) -> Blocks:
    """Whole images, or parts of one image; of the sizes that are given."""
    down, across = (
        axis_tiles(*axis, size, ragged=ragged) for axis, size in zip((vertical, horizontal), given[1:], strict=True)
    )
    images = np.array((given[0],) if given[0] else sizes_of(batch))
    extents = len(images), len(down.sizes), len(across.sizes)
    image, row, col = (each.reshape(-1) for each in np.indices(extents))
    several = images[image] > 1
    chosen = np.flatnonzero(~several | ((row == 0) & (col == 0)))
    many, row, col = images[image[chosen]], row[chosen], col[chosen]
    return Blocks(
        images=many,
        rows=down.sizes[row],
        cols=across.sizes[col],
        count=ceil_div(batch, many) * down.counts[row] * across.counts[col],
        pixels=many * down.sizes[row] * across.sizes[col],
        taken_rows=down.widest[row],
        taken_cols=across.widest[col],
        taken_total=batch * down.totals[row] * across.totals[col],
    )


def block_keys(task: LayerTask) -> tuple[int, AxisKey, AxisKey]:
    """The arguments of `blocks_of` for a layer."""
    height, width = read_by(task, task.window)
    return (
        task.batch,
        (task.reach.vertical, task.output.height, height),
        (task.reach.horizontal, task.output.width, width),
    )


def piece_of(task: LayerTask, given: GivenPiece) -> GivenPiece:
    """The part of a piece that is given: whole rows, where outputs of a row wait for results of the next piece."""
    waits = task.pool is not None and any(each.waits for each in task.pool)
    return (*given[:2], task.output.width) if waits else given


@lru_cache(maxsize=1 << 10)
def searched_blocks(batch: int, vertical: AxisKey, horizontal: AxisKey, held: int | None = None) -> Blocks:
    """Blocks of `blocks_of` that are searched: whole rows or equal parts of a few, single rows however cut, and, where
    the array holds outputs, the best of those that fill it once or twice."""
    blocks, height, width = blocks_of(batch, vertical, horizontal), vertical[1], horizontal[1]
    usual = np.isin(blocks.images, cut_sizes(batch, ROW_CUTS)) & np.isin(blocks.rows, cut_sizes(height, ROW_CUTS))
    halves = np.isin(ceil_div(width, blocks.cols), (1, 2, 4)) & ((blocks.cols >= LEAST_PART) | (blocks.cols == width))
    single = (blocks.rows == 1) & np.isin(blocks.cols, cut_sizes(width, SUM_CUTS))
    searched = usual & (halves | single)
    if held is not None:
        searched[_filling(blocks, held)] = True
    return blocks.at(np.flatnonzero(searched))


def _filling(blocks: Blocks, held: int) -> Ints:
    """Numbers of the blocks that fill the array once or twice with which it is filled the fewest times."""
    small = np.flatnonzero((blocks.pixels >= held) & (blocks.pixels < 2 * held))
    pixels = blocks.pixels[small]
    fillings = blocks.count[small] * ceil_div(pixels, held)
    return small[np.lexsort((blocks.taken_total[small], pixels, fillings))[:MOST_FILLING]]


class SumTiles(NamedTuple):
    """Tiles of the sum over K: kernel positions and input channels of each, and how many there are."""

    taps: int
    ins: Ints
    number: Ints


def sum_tiles(kernel: tuple[int, int], group_inputs: int, rows: int, given: GivenTile, *, deep: bool) -> list[SumTiles]:
    """All kernel positions with fewer and fewer input channels; and fewer positions, if a sum is `deep` in them."""
    taps, sizes = prod(kernel), cut_sizes(group_inputs, SUM_CUTS)
    fitting = (min(ceil_div(size, rows) * rows, group_inputs) for size in sizes)
    ins = np.array((given.in_channels,) if given.in_channels else sorted({*sizes, *fitting}, reverse=True))
    parts = (given.taps,) if given.taps else (taps, *(tap_sizes(*kernel) if deep else ()))
    return [SumTiles(size, ins, ceil_div(taps, size) * ceil_div(group_inputs, ins)) for size in parts]


def tap_sizes(high: int, wide: int) -> list[int]:
    """Parts of a kernel: whole rows, or an equal part of each; not all of it."""
    rows = [wide * part for part in cut_sizes(high, SUM_CUTS)]
    cols = [part for part in cut_sizes(wide, SUM_CUTS) if high == 1 or wide % part == 0]
    return [size for size in dict.fromkeys((*rows, *cols)) if size < high * wide]


@lru_cache(maxsize=1 << 10)
def _channel_tiles(groups: int, group_outputs: int, unit: int) -> tuple[Ints, Ints]:
    """Tiles of whole groups, and of output channels of one group: as the columns fit, and narrower ones."""
    several = np.array(cut_sizes(groups, CHANNEL_CUTS)[:-1], np.int64)
    full = (min(ceil_div(size, unit) * unit, group_outputs) for size in cut_sizes(group_outputs, CHANNEL_CUTS))
    narrow = (size for size in cut_sizes(group_outputs, SUM_CUTS) if size < unit)
    outs = np.array(sorted({*full, *narrow}, reverse=True))
    whole = np.full_like(several, group_outputs)
    return np.concatenate((several, np.ones_like(outs))), np.concatenate((whole, outs))


def channel_tiles(task: LayerTask, given: GivenTile, columns: int, *, every: bool) -> tuple[Ints, Ints]:
    """Tiles of groups and output channels, of which some may be given; of all sizes, or of those that are searched."""
    if given.groups is None and given.out_channels is None and not every:
        return _channel_tiles(task.groups, task.group_outputs, columns)
    groups = (given.groups,) if given.groups else sizes_of(task.groups)
    outs = (given.out_channels,) if given.out_channels else sizes_of(task.group_outputs)
    found = [each for each in product(groups, outs) if each[0] == 1 or each[1] == task.group_outputs]
    many, each = np.array(found, np.int64).reshape(-1, 2).T
    return many, each
