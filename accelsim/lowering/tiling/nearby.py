"""Tilings near others, of sizes that lie between those that are searched."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from accelsim.lowering.given import ANY_PIECE
from accelsim.lowering.ir import LayerTask, Tiling, TilingContext
from accelsim.lowering.tiling.candidates import ORDERS, Candidates, free_orders
from accelsim.lowering.tiling.sizes import Bools, Ints, SumTiles, block_keys, blocks_of, piece_of, sizes_of
from accelsim.lowering.tiling.space import Grid, candidates_of, fits_of, under
from accelsim.units import ceil_div

NEAR = 1.4
"""Factor within which tile sizes are tried round the best of those that are searched; output channels up to twice."""

FEWER_OUTPUTS = 4.0
LESS_DEPTH, MORE_DEPTH = 5.0, 3.0
"""Factors up to which fewer output channels, and less and more of the sum over K are tried beside the best tilings."""

OUTPUT_MULTIPLE, INPUT_MULTIPLE = 4, 8
"""Channels of which sizes beside the best tilings are multiples, so that tiles begin at few places of a burst."""

MOST_DEPTHS_BESIDE = 6
"""Tiles of the sum over K that are tried for equal other tiles beside the best tilings."""


def near(task: LayerTask, context: TilingContext, tiling: Tiling) -> Candidates:
    """All tilings that fit whose tiles are nearly as large as those of one, in the same loop order."""
    piece = piece_of(task, context.given.piece)
    every = blocks_of(*block_keys(task), piece, ragged=context.objective == "dram_bytes")
    close = (every.images == tiling.images) & _close(every.rows, tiling.rows) & _close(every.cols, tiling.cols)
    taps = tiling.taps or task.taps
    blocks = under(task, every.at(np.flatnonzero(close)), taps)
    outs = _outputs(task, context, tiling, NEAR)
    channels = np.full_like(outs, tiling.groups), outs
    sums = _sums(task, taps, _inputs(task, context, tiling, NEAR, NEAR))
    return candidates_of(
        task, context, Grid(task, context, tiling.dataflow, blocks, channels, sums), (ORDERS.index(tiling.order),)
    )


def beside(task: LayerTask, context: TilingContext, tilings: Sequence[Tiling]) -> Candidates:
    """Tilings that fit with the same blocks of the map as some, more or fewer output channels, and more or less of the
    sum over K, in all orders; groups and kernel positions as in the first."""
    first, piece = tilings[0], piece_of(task, context.given.piece)
    alike = [each for each in tilings if (each.groups, each.taps) == (first.groups, first.taps)]
    every = blocks_of(*block_keys(task), piece, ragged=piece != ANY_PIECE)
    same = [(every.images == each.images) & (every.rows == each.rows) & (every.cols == each.cols) for each in alike]
    taps = first.taps or task.taps
    blocks = under(task, every.at(np.flatnonzero(np.any(same, axis=0))), taps)
    outs = _all_of([_outputs(task, context, each, FEWER_OUTPUTS) for each in alike], OUTPUT_MULTIPLE)
    channels = np.full_like(outs, first.groups), outs
    sums = _sums(
        task, taps, _all_of([_inputs(task, context, each, LESS_DEPTH, MORE_DEPTH) for each in alike], INPUT_MULTIPLE)
    )
    grid = Grid(task, context, first.dataflow, blocks, channels, sums)
    return fits_of(task, context, grid, free_orders(context.given), MOST_DEPTHS_BESIDE).candidates()


def _outputs(task: LayerTask, context: TilingContext, tiling: Tiling, less: float) -> Ints:
    """Tiles of output channels of a group that are fewer by this factor at most, or less than twice those of one."""
    most = tiling.out_channels
    if context.given.out_channels is not None:
        return np.array([most])
    outs = np.array(sizes_of(task.group_outputs) if tiling.groups == 1 else (task.group_outputs,))
    return outs[(outs < 2 * most) & (most <= less * outs)]


def _inputs(task: LayerTask, context: TilingContext, tiling: Tiling, less: float, more: float) -> Ints:
    """Tiles of input channels that are smaller or larger than one by these factors at most."""
    if context.given.in_channels is not None:
        return np.array([context.given.in_channels])
    ins = np.array(sizes_of(task.group_inputs))
    return ins[(ins <= more * tiling.in_channels) & (tiling.in_channels <= less * ins)]


def _all_of(sizes: Sequence[Ints], multiple: int) -> Ints:
    """All of these sizes as multiples of a few elements, the largest first."""
    every = np.concatenate(sizes)
    return np.unique(np.minimum(every.max(), ceil_div(every, multiple) * multiple))[::-1]


def _sums(task: LayerTask, taps: int, ins: Ints) -> SumTiles:
    return SumTiles(taps, ins, ceil_div(task.taps, taps) * ceil_div(task.group_inputs, ins))


def _close(sizes: Ints, size: int) -> Bools:
    result: Bools = (sizes <= NEAR * size) & (size <= NEAR * sizes)
    return result
