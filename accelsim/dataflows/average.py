"""The tiler's estimate of the array's work on a layer: the average fold, for many plans at once.

The functions of the dataflow, which play every fold of the machine, are applied to arrays of average folds. Where all
folds of a layer are alike the estimate is what the array does; where some are ragged it is near
(`tests/test_estimate.py` holds how near).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from accelsim.dataflows.contract import ArrayShape, Dataflow, Dimension, FoldShape, Moves, Size
from accelsim.dataflows.timing import TIMINGS, Arithmetic, Ports, fold_of
from accelsim.units import ceil_div

AVERAGE = Arithmetic(np.maximum, np.true_divide)
"""Of average clocks, which are not rounded."""


class Cut(NamedTuple):
    """An extent of the product of a group that is cut into tiles: the largest one, all of it, and how many."""

    size: Size
    whole: Size
    tiles: Size


class AverageFolds(NamedTuple):
    """The folds of a layer: how many, the average one, and the array tiles that each extent of the product is cut into.

    tiles: over all tiles of the plan; of the dimension that is streamed those of the plan. groups: in a tile of the
    plan; split: tiles of the plan that K is cut into.
    """

    count: Size
    groups: Size
    shape: FoldShape
    tiles: Mapping[Dimension, Size]
    split: Size


def average_folds(
    dataflow: Dataflow,
    cuts: Mapping[Dimension, Cut],
    groups: Size,
    group_tiles: Size,
    array: ArrayShape,
    line: Size = 0,
) -> AverageFolds:
    """The folds of a layer whose product is cut so; `groups` of them in a tile, in `group_tiles` tiles.

    line: pixels of a tile in one row of a feature map; 0: all.
    """
    row, col, streamed = (cuts[name] for name in (dataflow.rows, dataflow.cols, dataflow.streamed))
    packed = _packs(row.size, col.size, groups, array)
    tiles = {
        dataflow.rows: _array_tiles(row, array.rows),
        dataflow.cols: _array_tiles(col, array.cols),
        dataflow.streamed: streamed.tiles,
    }
    count = ceil_div(groups, packed) * group_tiles * tiles[dataflow.rows] * tiles[dataflow.cols] * streamed.tiles
    rows = np.minimum(array.rows, packed * row.whole / tiles[dataflow.rows])
    cols = np.minimum(array.cols, packed * col.whole / tiles[dataflow.cols])
    begins = dataflow.rows != "k" or cuts["k"].whole <= array.rows
    shape = FoldShape(rows, cols, streamed.whole / streamed.tiles, packed, rows * cols / packed, first_k=begins)
    if dataflow.streamed == "m" and array.passes is not None:
        shape = replace(shape, line=np.minimum(line, shape.steps))
    return AverageFolds(count * 1.0, groups, shape, tiles, cuts["k"].tiles)


def largest_fold(dataflow: Dataflow, extents: Mapping[Dimension, Size], groups: Size, array: ArrayShape) -> FoldShape:
    """The largest fold of a tile with these extents of the product of each of its groups."""
    row, col = extents[dataflow.rows], extents[dataflow.cols]
    packed = _packs(row, col, groups, array)
    rows, cols = np.minimum(array.rows, packed * row), np.minimum(array.cols, packed * col)
    return FoldShape(rows, cols, extents[dataflow.streamed], packed, rows * cols // packed)


def _packs(rows: Size, cols: Size, groups: Size, array: ArrayShape) -> Size:
    """Groups of this many rows and columns that share a fold."""
    if not TIMINGS[array.timing].packs_groups:
        return np.ones_like(groups)
    return np.maximum(1, np.minimum(np.minimum(array.rows // rows, array.cols // cols), groups))


def average_cycles(dataflow: Dataflow, folds: AverageFolds, ports: Ports, array: ArrayShape, *, overlap: bool) -> Size:
    """Clocks of all folds on an array of registers behind SRAM ports, their data on chip.

    Where folds overlap, without the first load and the last tail; else each with a tail as wide as the array.
    """
    fold = fold_of(dataflow, folds.shape, replace(array, timing="systolic"), ports, AVERAGE)
    if not overlap:
        return folds.count * (fold.load + fold.stream + fold.tail + array.cols - folds.shape.cols)
    drains = folds.split if dataflow.sums_stay else 1
    return folds.count * np.maximum(np.maximum(fold.load, fold.stream), fold.drain / drains)


def average_moves(dataflow: Dataflow, folds: AverageFolds, array: ArrayShape) -> Moves:
    """Registers written in all folds, of which some may end no sum and the last have fewer groups."""
    ending, going_on = (dataflow.moves(replace(folds.shape, last_k=last), array) for last in (True, False))
    each = (on + (end - on) / folds.split for end, on in zip(ending, going_on, strict=True))
    packed = folds.shape.packed
    full = folds.count * folds.groups / (ceil_div(folds.groups, packed) * packed)
    return Moves(*(full * moved for moved in each))


def _array_tiles(cut: Cut, width: int) -> Size:
    """Array tiles over all tiles of a plan, the last tile being what is left."""
    last = cut.whole - (cut.tiles - 1) * cut.size
    return (cut.tiles - 1) * ceil_div(cut.size, width) + ceil_div(last, width)
