"""The search space: tilings of a layer on the array that fit, as arrays with an element for each.

A tile that changes within the layer takes its place twice, in use and in flight, or once: then it is loaded while the
array waits. Where the tiles that some inner loops touch fit together, these stay while the loops go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.dataflows import DATAFLOWS, DataflowName
from accelsim.dataflows.average import ArrayClocks, EqualExtents, LayerFolds, array_clocks, largest_fold, layer_folds
from accelsim.dataflows.contract import ArrayShape, Dataflow, Dimension
from accelsim.dataflows.timing import Ports, Ratio
from accelsim.dataflows.work import ONE_OUTPUT
from accelsim.lowering.given import ANY_PIECE
from accelsim.lowering.ir import LayerTask, TilingContext
from accelsim.lowering.prices import NO_PRICES
from accelsim.lowering.tiling.bands import bands, may_go_in_bands
from accelsim.lowering.tiling.candidates import (
    GATHERING,
    LAST_ORDER,
    ORDERS,
    WEIGHTS_OUTSIDE,
    Allowed,
    Candidates,
    FittingTilings,
    Floats,
    free_orders,
    ifmap_set,
    weight_set,
)
from accelsim.lowering.tiling.footprint import ifmap_bytes, kept_weight_bytes, results_bytes, weight_bytes
from accelsim.lowering.tiling.sizes import (
    Blocks,
    Bools,
    Ints,
    SumTiles,
    block_keys,
    blocks_of,
    channel_tiles,
    piece_of,
    searched_blocks,
    sum_tiles,
)
from accelsim.network.patches import patch_pixels
from accelsim.operators.shapes import Axis
from accelsim.units import ceil_div

MOST_DEPTHS = 3
"""Tiles of the sum over K that are searched for equal other tiles: the largest that fit."""


class Grid:
    """Blocks (first axis), tiles of groups or output channels (second), and tiles of the sum over K (third); and what
    is known of them wherever the feature maps and the weights of the layer lie."""

    def __init__(
        self,
        task: LayerTask,
        context: TilingContext,
        dataflow: DataflowName,
        blocks: Blocks,
        channels: tuple[Ints, Ints],
        sums: SumTiles,
    ) -> None:
        self.task, self.context, self.dataflow = task, context, DATAFLOWS[dataflow]
        self.blocks, self.sums = blocks, sums
        self.groups, self.outs = (each[:, None] for each in channels)
        self.group_tiles, self.out_tiles = ceil_div(task.groups, self.groups), ceil_div(task.group_outputs, self.outs)
        self.count, self.results = (each[:, None, None] for each in (blocks.count, blocks.results(task)))
        self.shape = len(blocks.count), len(self.groups), len(sums.ins)
        self.known: dict[tuple[int, bool, tuple[int, ...]], Allowed] = {}

    @cached_property
    def _places(self) -> tuple[Ints, ...]:
        """Numbers of block, tile of channels and tile of the sum, by place in the grid."""
        return tuple(each.reshape(-1) for each in np.indices(self.shape))

    @cached_property
    def compute_cycles(self) -> Floats:
        """Clocks of the array, its data on chip, by the average fold."""
        block, channel, depth = self._places
        groups, outs = self.groups[channel, 0], self.outs[channel, 0]
        folds = folds_of(
            self.task,
            self.context,
            self.dataflow,
            self.blocks.at(block),
            (groups, outs, np.full_like(block, self.sums.taps), self.sums.ins[depth]),
            averaged=True,
        )
        result: Floats = clocks_of(self.task, self.context, self.dataflow, folds)[0].reshape(self.shape)
        return result

    @cached_property
    def computable(self) -> Bools:
        """True where the partial sums of a tiling fit, and no other order is the same, by order (first axis)."""
        orders, number = _along_orders(range(len(ORDERS))), self.sums.number
        result = np.where(number == 1, self._fold_sums_fit(), self._waiting_fit())
        result = result & ((number == 1) | (self.groups == 1))
        given = self.context.given
        if given.orders is None:
            result = result & ((orders % 2 == 0) | (number > 1))
        if given.orders is None and given.gathers is None:
            loops = (self.group_tiles > 1) | (self.out_tiles > 1) | (orders >= WEIGHTS_OUTSIDE) & (number > 1)
            result = result & ((orders <= GATHERING) | loops)
        if self.dataflow.sums_stay:
            result = result & ((number == 1) | np.isin(orders, [0, 2, 5]))
        return np.broadcast_to(result, (len(ORDERS), *self.shape))

    def allowed(self, context: TilingContext, orders: Sequence[int]) -> Allowed:
        """The tilings in these orders whose weights fit."""
        key = context.weight_bytes, context.resident_weights, tuple(orders)
        if key not in self.known:
            self.known[key] = self._allowed(context, np.array(orders))
        return self.known[key]

    def _allowed(self, context: TilingContext, orders: Ints) -> Allowed:
        along, shape = orders[:, None, None, None], (len(orders), *self.shape)
        weight_tiles, hidden, fits = _weights(self.task, context, self, along)
        kept = ifmap_set(along, self.count, self.sums.number)
        stay = weight_set(along, self.group_tiles, self.out_tiles, self.sums.number)
        loads_each = np.where(weight_tiles >= stay, 1, self.count)
        place = np.flatnonzero(np.broadcast_to(fits, shape) & self.computable[orders])
        order, each = np.divmod(place, prod(self.shape))
        block, channel, depth = (numbers[each] for numbers in self._places)
        return Allowed(
            place // shape[3],
            prod(shape[:3]),
            self.blocks.at(block),
            self.groups[:, 0][channel],
            self.outs[:, 0][channel],
            self.sums.ins[depth],
            orders[order],
            self.group_tiles[:, 0][channel],
            self.out_tiles[:, 0][channel],
            self.sums.number[depth],
            np.broadcast_to(kept, shape).reshape(-1)[place],
            np.broadcast_to(weight_tiles, shape).reshape(-1)[place],
            np.broadcast_to(hidden, shape).reshape(-1)[place],
            np.broadcast_to(loads_each, shape).reshape(-1)[place],
            self.compute_cycles.reshape(-1)[each],
        )

    @property
    def _extents(self) -> dict[Dimension, Any]:
        """The product of a group in a tile, over all of K."""
        return {"m": self.results, "k": self.task.depth, "n": self.outs}

    def _fold_sums_fit(self) -> Bools:
        """True where the sums of a fold over all of K fit half of the accumulator."""
        fold = largest_fold(self.dataflow, self._extents, self.groups, self.context.array.shape)
        return np.asarray(self.dataflow.sums(fold) <= self.context.psums_half)

    def _waiting_fit(self) -> Bools:
        """True where all sums that wait while the loop over K goes on fit, by order."""
        array, task = self.context.array.shape, self.task
        if self.dataflow.sums_stay:
            rows, cols = self._extents[self.dataflow.rows], self._extents[self.dataflow.cols]
            return np.asarray((rows <= array.rows) & (cols <= array.cols))
        innermost = [order[3] for order in ORDERS]
        outs = np.where(_along_orders(each == "outputs" for each in innermost), task.group_outputs, self.outs)
        results = np.where(_along_orders(each == "map" for each in innermost), task.results, self.results)
        return np.asarray(results * outs <= self.context.psums_half)


def _along_orders(values: Iterable[Any]) -> NDArray[Any]:
    return np.array(list(values))[:, None, None, None]


def folds_of(
    task: LayerTask,
    context: TilingContext,
    dataflow: Dataflow,
    blocks: Blocks,
    sizes: tuple[Ints, Ints, Ints, Ints],
    *,
    averaged: bool,
) -> LayerFolds:
    """The folds of tilings with these blocks, groups, output channels, kernel positions and input channels."""
    groups, outs, taps, ins = sizes
    patch = context.array.patch
    cuts: dict[Dimension, Sequence[EqualExtents]] = {
        "m": blocks.parts(task),
        "k": [
            EqualExtents(part.size * other.size, part.times * other.times)
            for part, other in product(_cut(taps, task.taps), _cut(ins, task.group_inputs))
        ],
        "n": _cut(outs, task.group_outputs),
    }
    if patch != ONE_OUTPUT:
        pixels, one = patch_pixels(task.window, patch), np.ones_like(groups)
        cuts = {
            "m": blocks.parts(task, patch),
            "k": [EqualExtents(pixels * one, one)],
            "n": [EqualExtents(patch.outputs * one, one)],
        }
    line = blocks.cols * task.pooled[1].each if task.output.width > 1 else 0
    return layer_folds(dataflow, cuts, _cut(groups, task.groups), context.array.shape, line, averaged=averaged)


def _cut(size: Ints, whole: int) -> tuple[EqualExtents, EqualExtents]:
    """Equal tiles, and the last one."""
    tiles = ceil_div(whole, size)
    return EqualExtents(size, tiles - 1), EqualExtents(whole - (tiles - 1) * size, 1)


def clocks_of(task: LayerTask, context: TilingContext, dataflow: Dataflow, folds: LayerFolds) -> ArrayClocks:
    """Clocks of folds, their data on chip, with SRAM ports."""
    array = context.array
    ports = Ports(*(Ratio(port.part / port.whole) for port in array.ports(Ratio(), array.stored_weights)))
    reuse = context.ifmap_reuse(task, dataflow)
    ports = ports._replace(ifmap=Ratio(ports.ifmap.part * reuse))
    return array_clocks(dataflow, folds, ports, array.shape, overlap=context.overlap)


def searched(task: LayerTask, context: TilingContext, dataflow: DataflowName) -> list[FittingTilings]:
    """Tilings whose tiles fit the buffers and whose partial sums fit half of the accumulator, as far as they are free
    with all that is given, by the part of the kernel in a tile."""
    deep = task.taps > context.array.shape.rows
    found = _searched(task, context, dataflow, deep=deep)
    nothing = not any(len(each.number) for each in found)
    return _searched(task, context, dataflow, deep=True) if nothing and not deep and task.taps > 1 else found


def least_cycles(task: LayerTask, context: TilingContext) -> float:
    """Clocks of the array for a layer at least, its data on chip, by the average fold."""
    deep = task.taps > context.array.shape.rows
    grids = (grid for dataflow in context.dataflows for grid in _grids(*anywhere(task, context), dataflow, deep))
    return min(float(grid.compute_cycles.min()) for grid in grids)


def on_chip(task: LayerTask) -> LayerTask:
    """A layer whose feature maps are all on chip, whoever reads its results."""
    return replace(task, loaded=0, stored=0, shortcut_loaded=0, beyond=None, followed=False)


def anywhere(task: LayerTask, context: TilingContext) -> tuple[LayerTask, TilingContext]:
    """A layer wherever its feature maps and weights lie, and whatever energy costs."""
    there = replace(context, activation_bytes=0, weight_bytes=0, resident_weights=False, prices=NO_PRICES)
    return on_chip(task), there


def _searched(task: LayerTask, context: TilingContext, dataflow: DataflowName, *, deep: bool) -> list[FittingTilings]:
    grids = _grids(*anywhere(task, context), dataflow, deep)
    return [fits_of(task, context, grid, free_orders(context.given)) for grid in grids]


@lru_cache(maxsize=8)
def _grids(task: LayerTask, context: TilingContext, dataflow: DataflowName, deep: bool) -> tuple[Grid, ...]:
    array, given, keys = context.array.shape, context.given, block_keys(task)
    kernel = task.window.vertical.kernel, task.window.horizontal.kernel
    every = context.objective == "dram_bytes"
    channels = channel_tiles(task, given, array.cols, every=every)
    piece = piece_of(task, given.piece)
    is_free = piece == ANY_PIECE
    blocks = (
        searched_blocks(*keys, _held(task, array, dataflow))
        if is_free and not every
        else blocks_of(*keys, piece, ragged=not is_free)
    )
    sums = sum_tiles(kernel, task.group_inputs, array.rows, given, deep=deep)
    return tuple(Grid(task, context, dataflow, under(task, blocks, each.taps), channels, each) for each in sums)


def _held(task: LayerTask, array: ArrayShape, name: DataflowName) -> int | None:
    """Outputs of a channel that the array holds at once; None where they stream."""
    dataflow, (down, across) = DATAFLOWS[name], task.pooled
    if dataflow.streamed == "m":
        return None
    return ceil_div(array.cols if dataflow.cols == "m" else array.rows, down.each * across.each)


def in_stripes(task: LayerTask, context: TilingContext, dataflow: DataflowName) -> Candidates:
    """Tilings whose tiles are whole rows of an image, several of it, with all channels."""
    given, output = context.given, task.output
    blocks = blocks_of(*block_keys(task), piece_of(task, given.piece))
    all_channels = given.groups in (None, task.groups) and given.out_channels in (None, task.group_outputs)
    all_channels &= given.in_channels in (None, task.group_inputs) and given.taps in (None, task.taps)
    striped = all_channels & (blocks.images == 1) & (blocks.cols == output.width) & (blocks.rows < output.height)
    channels = np.array([task.groups]), np.array([task.group_outputs])
    sums = SumTiles(task.taps, np.array([task.group_inputs]), np.array([1]))
    grid = Grid(task, context, dataflow, blocks.at(np.flatnonzero(striped)), channels, sums)
    found = candidates_of(task, context, grid, free_orders(given)[:1])
    return found.at(np.flatnonzero(found.ifmap_hidden & found.weight_hidden))


def under(task: LayerTask, blocks: Blocks, taps: int) -> Blocks:
    """The blocks with the input under parts of the window: each as if on no padding."""
    if taps == task.taps:
        return blocks
    window, parts = task.window.part(0, taps).of_several(task.pooled), task.taps / taps
    rows = _spans(window.vertical, blocks.rows, task.size.height)
    cols = _spans(window.horizontal, blocks.cols, task.size.width)
    total = np.ceil(blocks.images * rows * cols * blocks.count * parts).astype(np.int64)
    return Blocks(blocks.images, blocks.rows, blocks.cols, blocks.count, blocks.pixels, rows, cols, total)


def _spans(axis: Axis, sizes: Ints, extent: int) -> Ints:
    return np.array([axis.span(size, extent) for size in sizes.tolist()])


def candidates_of(task: LayerTask, context: TilingContext, grid: Grid, orders: Sequence[int]) -> Candidates:
    """The tilings of a grid that fit, in these orders."""
    return fits_of(task, context, grid, orders).candidates()


def fits_of(
    task: LayerTask, context: TilingContext, grid: Grid, orders: Sequence[int], depths: int = MOST_DEPTHS
) -> FittingTilings:
    """The tilings of a grid that fit, in these orders: with and without the set of the input map kept, and with and
    without a place for its next tile; of those that differ in nothing but the sum over K the few with most of it."""
    allowed = grid.allowed(context, orders)
    results = _results(task, context, allowed)
    ifmap = ifmap_bytes(task, context, allowed.blocks.taken, allowed.groups, allowed.ins)
    tiles = allowed.blocks.count * allowed.group_tiles * allowed.in_tiles
    loads = task.times * tiles * (task.loaded_inputs > 0)
    kept = np.ones_like(allowed.set) if 0 < task.loaded_inputs < task.size.channels else allowed.set
    room = context.activation_bytes - results
    spare_set = (loads > kept) & ((kept + 1) * ifmap <= room)
    a_set = ~spare_set & (kept * ifmap <= room)
    spare_one = ~spare_set & (kept > 1) & (loads > 1) & (2 * ifmap <= room)
    one = ~spare_set & ~spare_one & (kept > 1) & (ifmap <= room)
    band = bands(context, allowed, room // np.maximum(1, ifmap)) if may_go_in_bands(task, context) else None
    if context.given.ifmap_tiles is not None:
        is_set = kept <= context.given.ifmap_tiles
        is_single = ~is_set & (band is None or band == 0)
        one, spare_one = is_single & (ifmap <= room), is_single & (loads > 1) & (2 * ifmap <= room)
        one, a_set, spare_set = one & ~spare_one, a_set & is_set, spare_set & is_set
    several = [spare_set, a_set, spare_one, one]
    if band is not None:
        banded, next_fits = (band > 0) & ~spare_set & ~a_set, (band + 1) * ifmap <= room
        several += [banded & next_fits, banded & ~next_fits]
    fits = np.stack(several)
    variant, place = np.nonzero(fits)
    among = _among_first(variant * allowed.runs + allowed.run[place], depths)
    variant, place = variant[among], place[among]
    tiles = np.where(variant < 2, kept[place], 1 if band is None else np.where(variant < 4, 1, band[place]))
    ends = loads[place] <= tiles
    spare = (variant % 2 == 0) & ~ends
    return FittingTilings(allowed, grid.sums.taps, place, tiles, spare, spare | ends, ifmap, results)


def _among_first(runs: Ints, most: int) -> Bools:
    """True for each of the first few of equal neighbours."""
    result = np.ones(len(runs), bool)
    result[most:] = runs[most:] != runs[:-most]
    return result


def _weights(task: LayerTask, context: TilingContext, grid: Grid, orders: Ints) -> tuple[Ints, Bools, Bools]:
    """Tiles of the weights that stay, whether the next one has a place, too, and whether they fit."""
    most, number = context.weight_bytes, grid.sums.number
    tile = weight_bytes(context, grid.groups, grid.outs, grid.sums.taps * grid.sums.ins)
    kept = weight_set(orders, grid.group_tiles, grid.out_tiles, number)
    stays = (kept_weight_bytes(context, tile, kept) <= most) & (task.right is None)
    if context.given.weight_tiles is not None:
        stays = stays & (kept <= context.given.weight_tiles)
    tiles = np.where(stays, kept, 1)
    last = task.times * grid.group_tiles * grid.out_tiles * number == tiles
    hidden = last | (kept_weight_bytes(context, tile, tiles + 1) <= most)
    useful = (orders != LAST_ORDER) | (tiles == kept) | (context.given.orders is not None)
    return tiles, hidden, (tile <= most) & useful


def _results(task: LayerTask, context: TilingContext, allowed: Allowed) -> Ints:
    """Bytes of the results on their way out: of all channels of a block, or of a tile of them."""
    gathers, blocks = allowed.order <= GATHERING, allowed.blocks
    channels = np.where(gathers, task.output.channels, allowed.groups * allowed.outs)
    tiles = task.times * blocks.count * np.where(gathers, 1, allowed.group_tiles * allowed.out_tiles)
    found: Ints = results_bytes(task, context, blocks.pixels, channels, tiles)
    return found
