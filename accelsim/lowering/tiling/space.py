"""Tilings of a layer on the array that fit, as arrays with an element for each.

Tile sizes are those that cut an extent into another number of tiles: of all sizes that give the same number the
smallest fits best and moves no more. Input channels are cut into as few tiles as fit, as their number moves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.config.plan import Order
from accelsim.dataflows import DATAFLOWS, DataflowName
from accelsim.dataflows.average import largest_fold
from accelsim.dataflows.contract import Dimension
from accelsim.lowering.given import ANY_PIECE, GivenPiece, GivenTile
from accelsim.lowering.ir import LayerTask, Tiling, TilingContext
from accelsim.lowering.tiling.footprint import ifmap_bytes, most_inputs, places, result_bytes, weight_bytes
from accelsim.operators.shapes import Axis
from accelsim.units import ceil_div

Ints = NDArray[np.int64]

ORDERS: tuple[Order, ...] = (
    ("map", "groups", "outputs", "inputs"),
    ("map", "groups", "inputs", "outputs"),
    ("groups", "map", "outputs", "inputs"),
    ("groups", "map", "inputs", "outputs"),
    ("groups", "outputs", "inputs", "map"),
)
"""Those that no other one betters: groups share nothing, and input channels outside of both the map and the output
channels load as much as inside of either, with more sums waiting."""


@lru_cache(maxsize=1 << 10)
def sizes_of(extent: int) -> tuple[int, ...]:
    """The smallest tile for each number of tiles, largest first."""
    sizes, size = [], extent
    while size > 1:
        sizes.append(size)
        size = ceil_div(extent, ceil_div(extent, size - 1))
    return (*sizes, 1)


def windows(axis: Axis, outputs: int, size: int, extent: int) -> list[int]:
    """Input rows (or columns) that the tiles of an axis read, halos included."""
    starts = np.arange(0, outputs, size)
    stops = np.minimum(starts + size, outputs)
    low = np.clip(starts * axis.stride - axis.pad, 0, extent - 1)
    high = (stops - 1) * axis.stride - axis.pad + (axis.kernel - 1) * axis.dilation + 1
    taken: list[int] = (np.maximum(np.minimum(high, extent), low + 1) - low).tolist()
    return taken


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
    read less."""
    smallest = frozenset((given,) if given else sizes_of(outputs))
    found, least = list[tuple[int, int, int, int]](), dict[int, int]()
    for size in range(1, outputs + 1) if ragged and not given else sorted(smallest):
        taken, count = windows(axis, outputs, size, extent), ceil_div(outputs, size)
        if size in smallest or sum(taken) < least[count]:
            least[count] = sum(taken)
            found.append((size, count, max(taken), sum(taken)))
    return AxisTiles(*np.array(found[::-1]).T)


@dataclass(frozen=True, slots=True)
class Blocks:
    """Pieces of the output map: their sizes, how many, and the pixels of input and output of the largest one.

    taken_total: input pixels of all pieces, halos counted as often as they are loaded.
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
        """Input pixels of the largest piece."""
        return self.images * self.taken_rows * self.taken_cols

    def at(self, index: Ints) -> Blocks:
        """Some of them, in this order."""
        return Blocks(*(getattr(self, part.name)[index] for part in fields(self)))


@lru_cache(maxsize=1 << 10)
def blocks_of(
    batch: int, vertical: AxisKey, horizontal: AxisKey, given: GivenPiece = ANY_PIECE, *, ragged: bool = False
) -> Blocks:
    """Whole images, or pieces of one image; of the sizes that are given."""
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
    """What the pieces that the map of a layer can be cut into depend on."""
    return (
        task.batch,
        (task.reach.vertical, task.output.height, task.size.height),
        (task.reach.horizontal, task.output.width, task.size.width),
    )


@dataclass(frozen=True, slots=True)
class Candidates:
    """Plans that fit. Loop turns are counted for each: `inputs` of input channels, and so on."""

    blocks: Blocks
    groups: Ints
    outs: Ints
    ins: Ints
    order: Ints
    group_tiles: Ints
    out_tiles: Ints
    in_tiles: Ints

    @property
    def gathers(self) -> NDArray[np.bool_]:
        """See `Tiling.gathers`."""
        return self.order <= 1

    @property
    def iterations(self) -> Ints:
        """Tile iterations of the layer."""
        return self.blocks.count * self.group_tiles * self.out_tiles * self.in_tiles

    @property
    def map_loads_each(self) -> Ints:
        """How often each tile of the input map is loaded (`ir.loads_each`)."""
        sums_stay = ((self.order == 0) | (self.order == 2)) & (self.in_tiles > 1)
        weights_stay = (self.order == 4) & ((self.in_tiles > 1) | (self.blocks.count > 1))
        return np.where(sums_stay | weights_stay, self.out_tiles, 1)

    @property
    def weight_loads_each(self) -> Ints:
        """How often each tile of the weights is loaded."""
        own = self.out_tiles * self.in_tiles * np.where(self.gathers, self.group_tiles, 1)
        return np.where((self.order < 4) & (own > 1), self.blocks.count, 1)

    def at(self, index: Ints) -> Candidates:
        """Some of them, in this order."""
        rest = (getattr(self, part.name)[index] for part in fields(self)[1:])
        return Candidates(self.blocks.at(index), *rest)

    def plan(self, index: int, dataflow: DataflowName) -> Tiling:
        """One of them."""
        blocks = self.blocks
        each = (blocks.images, blocks.rows, blocks.cols, self.groups, self.outs, self.ins)
        images, rows, cols, groups, outs, ins = (int(sizes[index]) for sizes in each)
        return Tiling(images, rows, cols, groups, outs, ins, ORDERS[self.order[index]], dataflow)


def fitting(task: LayerTask, context: TilingContext, dataflow: DataflowName, *, all_sizes: bool = True) -> Candidates:
    """All plans whose tiles fit their buffers and whose partial sums fit half of the accumulator.

    all_sizes: else columns are cut into few tiles only, and channels as the columns of the array fit.
    """
    keys, given = block_keys(task), context.given
    all_pieces = all_sizes or given.piece != ANY_PIECE
    blocks = blocks_of(*keys, given.piece, ragged=True) if all_pieces else _usual(*keys)
    columns = 1 if all_sizes else context.array.shape.cols
    space = _Space(task, context, dataflow, blocks, *_channels(task, given, columns))
    orders = [order for order in range(len(ORDERS)) if order in (0, 2) or not space.dataflow.sums_stay]
    if given.order is not None:
        orders = [order for order in orders if ORDERS[order] == given.order]
    found = [
        space.whole((0, 2, 4) if given.order is None else (ORDERS.index(given.order),)),
        space.split(orders, all_sizes=all_sizes),
    ]
    block, channel, ins, order = (np.concatenate(each) for each in zip(*found, strict=True))
    return _candidates(space, (block, channel, ins, order))


def in_stripes(task: LayerTask, context: TilingContext, dataflow: DataflowName) -> Candidates:
    """Those of them whose pieces are whole rows of an image, several of it, with all channels."""
    keys, given, output = block_keys(task), context.given, task.output
    blocks = blocks_of(*keys, given.piece)
    all_channels = given.groups in (None, task.groups) and given.out_channels in (None, task.group_outputs)
    banded = all_channels & (blocks.images == 1) & (blocks.cols == output.width) & (blocks.rows < output.height)
    channels = np.array([task.groups]), np.array([task.group_outputs])
    space = _Space(task, context, dataflow, blocks.at(np.flatnonzero(banded)), *channels)
    return _candidates(space, space.whole((0,) if given.order is None else (ORDERS.index(given.order),)))


def _candidates(space: _Space, found: Found) -> Candidates:
    task, (block, channel, ins, order) = space.task, found
    groups, outs = space.groups[channel], space.outs[channel]
    return Candidates(
        space.blocks.at(block),
        groups,
        outs,
        ins,
        order,
        ceil_div(task.groups, groups),
        ceil_div(task.group_outputs, outs),
        ceil_div(task.group_inputs, ins),
    )


def _channels(task: LayerTask, given: GivenTile, columns: int) -> tuple[Ints, Ints]:
    """Tiles of groups and output channels, of which some may be given."""
    if given.groups is None and given.out_channels is None:
        return _channel_tiles(task.groups, task.group_outputs, columns)
    groups = (given.groups,) if given.groups else sizes_of(task.groups)
    outs = (given.out_channels,) if given.out_channels else sizes_of(task.group_outputs)
    found = [each for each in product(groups, outs) if each[0] == 1 or each[1] == task.group_outputs]
    many, each = np.array(found, np.int64).reshape(-1, 2).T
    return many, each


def _gathers(order: int) -> bool:
    return ORDERS[order][0] == "map"


Found = tuple[Ints, Ints, Ints, Ints]
"""Numbers of blocks and of channel tiles, input channels, and order of plans."""


@lru_cache(maxsize=1 << 10)
def _usual(batch: int, vertical: AxisKey, horizontal: AxisKey) -> Blocks:
    """Blocks of whole rows or halves, quarters and eighths, and single rows however cut."""
    blocks, width = blocks_of(batch, vertical, horizontal), horizontal[1]
    pieces = ceil_div(width, blocks.cols)
    return blocks.at(np.flatnonzero((blocks.rows == 1) | np.isin(pieces, (1, 2, 4, 8))))


@lru_cache(maxsize=1 << 10)
def _channel_tiles(groups: int, group_outputs: int, unit: int) -> tuple[Ints, Ints]:
    """Tiles of whole groups, and of output channels of one group; in multiples of so many, and one, each once."""
    several, outs = np.array(sizes_of(groups)[:-1], np.int64), np.array(sizes_of(group_outputs))
    if unit > 1:
        outs = np.unique(np.minimum(np.append(ceil_div(outs, unit) * unit, 1), outs[0]))[::-1]
    whole = np.full_like(several, group_outputs)
    return np.concatenate((several, np.ones_like(outs))), np.concatenate((whole, outs))


def activation_bytes(task: LayerTask, context: TilingContext, plans: Candidates) -> Ints:
    """Bytes of the activation buffer that each of these tilings needs."""
    blocks, count = plans.blocks, task.times * plans.blocks.count
    ifmap = ifmap_bytes(task, context, blocks.taken, plans.groups, plans.ins)
    results = np.where(plans.gathers, task.output.channels, plans.groups * plans.outs)
    stores = count * np.where(plans.gathers, 1, plans.group_tiles * plans.out_tiles)
    total: Ints = places(count * plans.group_tiles * plans.in_tiles) * ifmap + places(stores) * result_bytes(
        task, context, blocks.pixels, results
    )
    return total


class _Space:
    """What tiles take of the buffers, for blocks (first axis) and tiles of groups or output channels (second axis).

    A tile that changes within the layer needs its place twice, in use and in flight; one that stays needs it once.
    """

    def __init__(
        self, task: LayerTask, context: TilingContext, dataflow: DataflowName, blocks: Blocks, groups: Ints, outs: Ints
    ) -> None:
        self.task, self.context, self.dataflow = task, context, DATAFLOWS[dataflow]
        self.blocks, self.groups, self.outs = blocks, groups, outs
        self.group_tiles = ceil_div(task.groups, self.groups)
        self.out_tiles = ceil_div(task.group_outputs, self.outs)
        self.count, self.pixels = task.times * self.blocks.count[:, None], self.blocks.pixels[:, None]
        self.taken = self.blocks.taken[:, None]
        iterations = self.count * self.group_tiles * self.out_tiles
        gathered = places(self.count) * result_bytes(task, context, self.pixels, task.output.channels)
        self.results = {
            True: np.broadcast_to(gathered, self._extents),
            False: places(iterations) * result_bytes(task, context, self.pixels, self.groups * self.outs),
        }

    def whole(self, orders: Sequence[int]) -> Found:
        """With all input channels of a group in one tile, in each of these orders."""
        task, context, ins = self.task, self.context, self.task.group_inputs
        map_bytes = places(self.count * self.group_tiles) * ifmap_bytes(task, context, self.taken, self.groups, ins)
        weights = places(task.times * self.group_tiles * self.out_tiles) * weight_bytes(
            task, context, self.groups, self.outs, ins
        )
        fits = (weights <= context.weight_bytes) & self._fold_sums_fit() & (context.given.in_channels in (None, ins))
        room = context.activation_bytes - map_bytes
        number, block, channel = np.nonzero([fits & (self.results[_gathers(order)] <= room) for order in orders])
        return block, channel, np.full_like(block, ins), np.array(orders, np.int64)[number]

    def split(self, orders: Sequence[int], *, all_sizes: bool) -> Found:
        """With as many input channels of one group as fit, and not all, in each of these orders."""
        most = {
            gathers: most_inputs(
                self.task, self.context, self.taken, self.outs, self.context.activation_bytes - self.results[gathers]
            )
            for gathers in (True, False)
        }
        parts = {gathers: (self.groups == 1) & self._is_part(ins) for gathers, ins in most.items()}
        fits = [parts[_gathers(order)] & self._sums_fit(order) for order in orders]
        number, block, channel = np.nonzero(np.reshape(fits, (len(orders), *self._extents)))
        order = np.array(orders, np.int64)[number]
        cuts = self._cuts(np.where(order <= 1, most[True][block, channel], most[False][block, channel]), all_sizes)
        by_order = np.argsort(np.tile(order.astype(np.int8), len(cuts)), kind="stable")
        again = by_order % max(1, len(order))
        return block[again], channel[again], np.concatenate(cuts)[by_order], order[again]

    def _is_part(self, most: Ints) -> NDArray[np.bool_]:
        """Where the input channels of a tile are a part of all, the given one if there is one: all would not fit."""
        inputs, given = self.task.group_inputs, self.context.given.in_channels
        return np.asarray((most > 0) & (most < inputs) if given is None else (most >= given) & (given < inputs))

    def _cuts(self, most: Ints, all_sizes: bool) -> tuple[Ints, ...]:
        """As few tiles as there must be, or twice as many, of equal size, or full rows of the array if these fit."""
        if self.context.given.in_channels:
            return (np.full_like(most, self.context.given.in_channels),)
        if all_sizes:
            return (ceil_div(self.task.group_inputs, ceil_div(self.task.group_inputs, most)),)
        rows, sizes = self.context.array.shape.rows, []
        turns = ceil_div(self.task.group_inputs, most)
        for size in (ceil_div(self.task.group_inputs, turns), ceil_div(self.task.group_inputs, 2 * turns)):
            full = ceil_div(size, rows) * rows
            sizes += [size, np.where(full <= most, full, size)]
        return tuple(sizes)

    def _fold_sums_fit(self) -> NDArray[np.bool_]:
        """Whether the sums of a fold with all input channels fit half of the accumulator."""
        product, array = self._product(self.task.group_inputs), self.context.array.shape
        fold = largest_fold(self.dataflow, product, self.groups, array)
        return np.asarray(self.dataflow.sums(fold) <= self.context.psums_half)

    def _product(self, ins: int) -> dict[Dimension, Ints | int]:
        """Extents of the product of a group in a tile with so many of its input channels."""
        return {"m": self.pixels * self.task.results_each, "k": self.task.taps * ins, "n": self.outs}

    def _sums_fit(self, order: int) -> NDArray[np.bool_]:
        """Whether the sums that wait while the loop over input channels goes on fit."""
        array, task = self.context.array.shape, self.task
        if self.dataflow.sums_stay:
            rows, cols = (self._product(1)[each] for each in (self.dataflow.rows, self.dataflow.cols))
            return np.asarray((rows <= array.rows) & (cols <= array.cols))
        pixels: Ints | int = self.pixels * task.results_each
        outs: Ints | int = self.outs
        if ORDERS[order][3] == "outputs":
            outs = task.group_outputs
        elif ORDERS[order][3] == "map":
            pixels = task.pixels * task.results_each
        result: NDArray[np.bool_] = np.broadcast_to(pixels * outs <= self.context.psums_half, self._extents)
        return result

    @property
    def _extents(self) -> tuple[int, int]:
        return len(self.blocks.count), len(self.outs)
