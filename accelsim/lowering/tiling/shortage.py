"""Reasons why a layer on the array has no tiling with the choices that are given."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from accelsim.dataflows import DATAFLOWS
from accelsim.dataflows.average import largest_fold
from accelsim.dataflows.contract import Dimension
from accelsim.lowering.ir import LayerTask, Tiling, TilingContext, tile_counts
from accelsim.lowering.tiling.candidates import GATHERING, ORDERS, free_orders
from accelsim.lowering.tiling.footprint import results_of, tile_bytes, weight_bytes
from accelsim.units import packed_bytes


def shortage(task: LayerTask, context: TilingContext) -> str:
    """The least that stands in the way of a tiling with what is given, sizes that are free being one; empty where
    nothing does."""
    found = [tuple(reasons(task, context, tiling)) for tiling in _least_tilings(task, context)]
    fewest = min(map(len, found))
    return ", ".join(next(each for each in found if len(each) == fewest))


def _least_tilings(task: LayerTask, context: TilingContext) -> Iterator[Tiling]:
    """The tilings with the smallest tiles, in all orders and dataflows that are free; with all of each sum, or a
    part of it."""
    given = context.given
    images, rows, cols = (size or 1 for size in given.piece)
    groups, outs = given.groups or 1, given.out_channels or 1
    orders = [(ORDERS[place], place <= GATHERING) for place in free_orders(given)]
    parts = ((given.in_channels or ins, given.taps or taps) for ins, taps in ((task.group_inputs, task.taps), (1, 1)))
    for (order, gathers), dataflow, (ins, taps) in product(orders, context.dataflows, parts):
        part = taps if taps < task.taps else None
        yield Tiling(images, rows, cols, groups, outs, ins, order, dataflow, part, gathers=gathers)


def reasons(task: LayerTask, context: TilingContext, tiling: Tiling) -> Iterator[str]:
    """The buffers, and PEs, that are too small for a tiling."""
    maps, activation = tile_bytes(task, context, tiling), context.activation_bytes
    if maps > activation:
        yield f"{maps} bytes of feature maps where sram.activation has {activation} for them"
    depth = (tiling.taps or task.taps) * tiling.in_channels
    weights = int(weight_bytes(context, tiling.groups, tiling.out_channels, depth))
    if weights > context.weight_bytes:
        yield f"{weights} bytes where sram.weight has {context.weight_bytes} for it"
    if tile_counts(task, tiling)["inputs"] == 1:
        yield from _fold_reasons(task, context, tiling)
    elif tiling.groups > 1:
        yield f"a part of each sum in a tile of {tiling.groups} groups"
    elif DATAFLOWS[tiling.dataflow].sums_stay:
        yield from _held_reasons(task, context, tiling)
    else:
        yield from _waiting_reasons(task, context, tiling)


def _extents(task: LayerTask, tiling: Tiling) -> dict[Dimension, int]:
    """The product of a group in a tile, over all of K."""
    results = int(results_of(task, tiling.images, tiling.rows, tiling.cols))
    return {"m": results, "k": task.depth, "n": tiling.out_channels}


def _fold_reasons(task: LayerTask, context: TilingContext, tiling: Tiling) -> Iterator[str]:
    dataflow = DATAFLOWS[tiling.dataflow]
    fold = largest_fold(dataflow, _extents(task, tiling), tiling.groups, context.array.shape)
    yield from _too_many_sums(context, int(dataflow.sums(fold)), "of a fold")


def _waiting_reasons(task: LayerTask, context: TilingContext, tiling: Tiling) -> Iterator[str]:
    """Sums that wait while the loop over the parts of each goes on: of the loop inside of it all."""
    inner = tiling.order[3]
    results = task.results if inner == "map" else int(results_of(task, tiling.images, tiling.rows, tiling.cols))
    outs = task.group_outputs if inner == "outputs" else tiling.out_channels
    yield from _too_many_sums(context, results * outs, "that wait while loop inputs goes on")


def _too_many_sums(context: TilingContext, sums: int, which: str) -> Iterator[str]:
    if sums > context.psums_half:
        bits = context.array.psum_bits
        room = packed_bytes(context.psums_half, bits)
        yield f"{packed_bytes(sums, bits)} bytes of partial sums {which} where half of sram.accumulator has {room}"


def _held_reasons(task: LayerTask, context: TilingContext, tiling: Tiling) -> Iterator[str]:
    """Sums that stay in the PEs while the loop over the parts of each goes on."""
    dataflow, array, extents = DATAFLOWS[tiling.dataflow], context.array.shape, _extents(task, tiling)
    rows, cols = extents[dataflow.rows], extents[dataflow.cols]
    if rows > array.rows or cols > array.cols:
        held = f"where {array.rows} x {array.cols} PEs hold them while loop inputs goes on"
        yield f"{rows} x {cols} sums of a tile by {tiling.dataflow} {held}"
    if tiling.order[3] != "inputs":
        yield f"loop {tiling.order[3]} inside of inputs while the PEs hold the sums by {tiling.dataflow}"
