"""The tiler's estimate of the array's work on a layer, for many tilings at once.

The functions of the dataflow, which play every fold of the machine, are applied to arrays of folds: of the average one,
or of the different ones that tiles of unequal size are cut into. Where all folds of a layer are alike the average is
what the array does; where some are ragged it is near (`tests/lowering/tiling/test_estimate.py` holds how near).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from accelsim.dataflows.contract import ArrayShape, Dataflow, Dimension, FoldShape, Moves, Size
from accelsim.dataflows.timing import TIMINGS, Arithmetic, Ports, fold_of, slower

AVERAGE = Arithmetic(np.maximum, np.true_divide)
"""Arithmetic of average clocks, which are not rounded."""


class EqualExtents(NamedTuple):
    """Equal extents: their size, and how many."""

    size: Size
    times: Size


class LayerFolds(NamedTuple):
    """The folds of a layer in classes: packs of groups, rows, columns and steps are the first four axes of all arrays.

    count: folds of each class; tiles: array tiles that each extent of the product is cut into, over all tiles of the
    tiling; of the dimension that is streamed those of the tiling. split: tiles of the tiling that K is cut into.
    """

    count: Size
    shape: FoldShape
    tiles: Mapping[Dimension, Size]
    split: Size


def layer_folds(
    dataflow: Dataflow,
    cuts: Mapping[Dimension, Sequence[EqualExtents]],
    groups: Sequence[EqualExtents],
    array: ArrayShape,
    line: Size = 0,
    *,
    averaged: bool,
) -> LayerFolds:
    """The folds of a layer whose product is cut so, the largest parts first; groups by the tile that they are in.

    line: pixels of a tile in one row of a feature map; 0: all. averaged: one class for all, the average fold.
    """
    row, col, streamed = (cuts[name] for name in (dataflow.rows, dataflow.cols, dataflow.streamed))
    packed = _packs(row[0].size, col[0].size, groups[0].size, array)
    axes = (
        _classes(groups, packed, averaged=averaged),
        _classes(row, array.rows, averaged=averaged),
        _classes(col, array.cols, averaged=averaged),
        _classes(streamed, None, averaged=averaged),
    )
    packs, rows, cols, steps = (_along(part.size, axis) for axis, part in enumerate(axes))
    pack_count, row_count, col_count, step_count = (_along(part.times, axis) for axis, part in enumerate(axes))
    tiles = {
        name: np.sum(part.times, axis=0) for name, part in zip((dataflow.rows, dataflow.cols), axes[1:3], strict=True)
    }
    tiles[dataflow.streamed] = np.sum(axes[3].times, axis=0)
    begins = (
        dataflow.rows != "k" or int(np.max(sum(part.size * part.times for part in cuts["k"]), initial=0)) <= array.rows
    )
    shape = FoldShape(packs * rows, packs * cols, steps, packs, packs * rows * cols, first_k=begins)
    if dataflow.streamed == "m" and array.passes is not None:
        shape = replace(shape, line=np.minimum(line, steps))
    split = sum(part.times for part in cuts["k"])
    return LayerFolds(pack_count * row_count * col_count * step_count * 1.0, shape, tiles, split)


def _classes(parts: Sequence[EqualExtents], width: Size | None, *, averaged: bool) -> EqualExtents:
    """Sizes and numbers of the array tiles of this width that parts are cut into, along a first axis: full ones, and
    the rest of each; or of the average one. The parts themselves where there is no width."""
    sizes, times = (np.array(np.broadcast_arrays(*each))[:, None] for each in zip(*parts, strict=True))
    if width is not None:
        full, rest = sizes // width, sizes % width
        sizes = np.concatenate((np.broadcast_to(width, sizes.shape), rest), axis=1)
        times = np.concatenate((full * times, (rest > 0) * times), axis=1)
    if averaged:
        number = times.sum(axis=(0, 1))
        return EqualExtents(np.atleast_2d((sizes * times).sum(axis=(0, 1)) / number), np.atleast_2d(number))
    there = (times != 0).any(axis=(1, 2))
    return EqualExtents(*(each[there].reshape(-1, each.shape[2]) for each in (sizes, times)))


def _along(values: Size, axis: int) -> Size:
    """Classes along one of the first four axes."""
    return values.reshape(*(1,) * axis, values.shape[0], *(1,) * (3 - axis), values.shape[1])


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


class ArrayClocks(NamedTuple):
    """Clocks of the folds of a layer, and of those the first load and the last tail that nothing hides."""

    folds: Size
    ends: Size


def array_clocks(
    dataflow: Dataflow, folds: LayerFolds, ports: Ports, array: ArrayShape, *, overlap: bool
) -> ArrayClocks:
    """Clocks of all folds on an array of registers behind SRAM ports, their data on chip.

    Where folds do not overlap each has a load and a tail, as wide as the array.
    """
    array = replace(array, timing="systolic")
    fold = fold_of(dataflow, folds.shape, array, ports, AVERAGE)
    if not overlap:
        stream = _mean_over_sums(dataflow, folds, ports, array, 0, fold.stream)
        each = fold.load + stream + fold.tail + array.cols - folds.shape.cols
        return ArrayClocks(_over_classes(folds.count * each), 0.0)
    drains = folds.split if dataflow.sums_stay else 1
    busy = np.maximum(fold.stream, fold.drain / drains)
    each = _mean_over_sums(dataflow, folds, ports, array, fold.load, np.maximum(fold.load, busy))
    ends = _over_classes(folds.count * (fold.load + fold.tail)) / _over_classes(folds.count)
    return ArrayClocks(_over_classes(folds.count * each) + _alternating(folds.count, fold.load, busy), ends)


def _mean_over_sums(
    dataflow: Dataflow, folds: LayerFolds, ports: Ports, array: ArrayShape, least: Size, ending: Size
) -> Size:
    """Clocks of the mean fold of a class, of those that end their sums: where results leave more slowly than sums that
    go on, only the last fold of a sum waits for them."""
    if dataflow.sums_stay or slower(ports.psum_write, ports.ofmap) is ports.psum_write:
        return ending
    stream = fold_of(dataflow, replace(folds.shape, last_k=False), array, ports, AVERAGE).stream
    going_on = np.maximum(least, stream)
    return going_on + (ending - going_on) * _ending_share(folds)


def _ending_share(folds: LayerFolds) -> Size:
    """The share of the folds of each class that end a sum over K, whose tiles are rows: the last ones, one a sum."""
    by_rows = np.sum(folds.count, axis=(0, 2, 3), keepdims=True)
    behind = np.flip(np.cumsum(np.flip(by_rows, axis=1), axis=1), axis=1)
    sums = np.sum(by_rows, axis=1, keepdims=True) / folds.tiles["k"]
    return (behind == by_rows) * sums / np.maximum(1, by_rows)


def _alternating(count: Size, load: Size, busy: Size) -> Size:
    """Clocks beyond those of each fold by itself: behind a full one the rest of the rows is loaded, behind that a full
    one, each load while the fold before it streams."""
    if count.shape[1] == 1:
        return 0.0
    load, busy = (np.broadcast_to(each, count.shape) for each in (load, busy))
    (full, rest), (full_load, rest_load), (full_busy, rest_busy) = (
        (each[:, ::2], each[:, 1::2]) for each in (count, load, busy)
    )
    apart = np.maximum(full_busy, full_load) + np.maximum(rest_busy, rest_load)
    behind = np.maximum(full_busy, rest_load) + np.maximum(rest_busy, full_load)
    return _over_classes(np.minimum(full, rest) * (behind - apart))


def array_moves(dataflow: Dataflow, folds: LayerFolds, array: ArrayShape) -> Moves:
    """Registers written in all folds, of which some may end no sum: of K's tiles those of the tiling where sums stay in
    the PEs, else those of the array."""
    cuts = folds.split if dataflow.sums_stay else folds.tiles["k"]
    ending, going_on = (dataflow.moves(replace(folds.shape, last_k=last), array) for last in (True, False))
    each = (on + (end - on) / cuts for end, on in zip(ending, going_on, strict=True))
    return Moves(*(_over_classes(folds.count * moved) for moved in each))


def _over_classes(values: Size) -> Size:
    return np.sum(values, axis=(0, 1, 2, 3))
