"""The least DRAM traffic of a convolution by trying everything, written without looking at the tiler.

The rules are those of docs/machine.md section 5 for data of whole bytes: buffers hold a tile twice if it changes within
the layer and once if it stays, partial sums that wait fit half of the accumulator and never go to DRAM, a tile is
loaded when the loops come to it and forgotten when they come to another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import permutations, product

import numpy as np

LOOPS = ("group", "map", "out", "in")


@dataclass(frozen=True)
class Layer:
    """A convolution of one image, elements of one byte; channels are those of a group."""

    height: int
    width: int
    inputs: int
    outputs: int
    groups: int = 1
    kernel: int = 1
    stride: int = 1
    pad: int = 0

    @property
    def out_height(self) -> int:
        return (self.height + 2 * self.pad - self.kernel) // self.stride + 1

    @property
    def out_width(self) -> int:
        return (self.width + 2 * self.pad - self.kernel) // self.stride + 1


@dataclass(frozen=True)
class Buffers:
    """Bytes of maps and weights, partial sums of the accumulator, and the columns of a weight-stationary array."""

    activation: int
    weight: int
    sums: int
    rows: int
    cols: int


def spans(extent: int, size: int) -> list[tuple[int, int]]:
    """Begin and end of each tile of an extent."""
    return [(start, min(start + size, extent)) for start in range(0, extent, size)]


def needed(layer: Layer, span: tuple[int, int], extent: int) -> tuple[int, int]:
    """The input rows (or columns) below some output rows."""
    low = max(0, span[0] * layer.stride - layer.pad)
    return low, min(extent, (span[1] - 1) * layer.stride - layer.pad + layer.kernel)


Sizes = tuple[int, int, int, int, int]
"""Rows, columns, groups, outputs and inputs of a tile."""


def walk(layer: Layer, sizes: Sizes, order: tuple[str, ...], buffers: Buffers) -> int | None:
    """Bytes moved, step by step; None where something does not fit."""
    rows, cols, groups, outs, ins = sizes
    turns = {
        "group": spans(layer.groups, groups),
        "map": list(product(spans(layer.out_height, rows), spans(layer.out_width, cols))),
        "out": spans(layer.outputs, outs),
        "in": spans(layer.inputs, ins),
    }
    steps = [dict(zip(order, step, strict=True)) for step in product(*(turns[loop] for loop in order))]
    gathers = order[0] == "map"
    moved, held_map, held_weights = 0, None, None
    waiting: dict[tuple[object, ...], int] = {}
    sizes_of: dict[str, dict[object, int]] = {"map": {}, "weights": {}, "results": {}}
    most_sums = 0
    for step in steps:
        (top, left), group, out, part = step["map"], step["group"], step["out"], step["in"]
        members, results, depth = (span[1] - span[0] for span in (group, out, part))
        pixels = (top[1] - top[0]) * (left[1] - left[0])
        high, wide = needed(layer, top, layer.height), needed(layer, left, layer.width)
        map_bytes = (high[1] - high[0]) * (wide[1] - wide[0]) * members * depth
        weight_bytes = members * results * depth * layer.kernel**2
        the_map, weights = (step["map"], group, part), (group, out, part)
        if the_map != held_map:
            moved, held_map = moved + map_bytes, the_map
        if weights != held_weights:
            moved, held_weights = moved + weight_bytes, weights
        begins, ends = part[0] == 0, part[1] == layer.inputs
        if ends:
            moved += pixels * members * results
        result = step["map"] if gathers else (step["map"], group, out)
        all_results = pixels * (layer.groups * layer.outputs if gathers else members * results)
        for kind, tile, size in (
            ("map", the_map, map_bytes),
            ("weights", weights, weight_bytes),
            ("results", result, all_results),
        ):
            sizes_of[kind][tile] = size
        if not (begins and ends):
            waiting[step["map"], group, out] = pixels * members * results
        most_sums = max(
            most_sums, sum(waiting.values()), pixels * fold_columns(layer, members, results, depth, buffers)
        )
        if ends:
            waiting.pop((step["map"], group, out), None)
    places = {kind: max(tiles.values()) * (1 if len(tiles) == 1 else 2) for kind, tiles in sizes_of.items()}
    fits = places["map"] + places["results"] <= buffers.activation and places["weights"] <= buffers.weight
    return moved if fits and 2 * most_sums <= buffers.sums else None


def fold_columns(layer: Layer, groups: int, outs: int, ins: int, buffers: Buffers) -> int:
    """Columns of the array that one fold uses."""
    depth = ins * layer.kernel**2
    if depth > buffers.rows or outs > buffers.cols:
        return min(outs, buffers.cols)
    return outs * min(buffers.rows // depth, buffers.cols // outs, groups)


def every_walk(layer: Layer, buffers: Buffers) -> Iterator[int]:
    """All whole-number tile sizes in all 24 orders. For small layers only."""
    extents = (layer.out_height, layer.out_width, layer.groups, layer.outputs, layer.inputs)
    for sizes in product(*(range(1, extent + 1) for extent in extents)):
        if sizes[2] > 1 and (sizes[3] < layer.outputs or sizes[4] < layer.inputs):
            continue
        for order in permutations(LOOPS):
            moved = walk(layer, sizes, order, buffers)
            if moved is not None:
                yield moved


def least_traffic(layer: Layer, buffers: Buffers) -> int:
    """Bytes of the best tiles and order, over all map pieces and all numbers of channel tiles."""
    grid = _map_pieces(layer)
    channels = [(group, layer.outputs, layer.inputs) for group in _tile_sizes(layer.groups) if group > 1]
    channels += [(1, out, part) for out in _tile_sizes(layer.outputs) for part in _tile_sizes(layer.inputs)]
    tiles = np.array(channels, dtype=np.int64).T
    return min(
        _least_in_order(layer, buffers, grid[:, :, None], tiles[:, None, :], order) for order in permutations(LOOPS)
    )


@cache
def _map_pieces(layer: Layer) -> np.ndarray:
    """Number, output pixels, input pixels and all input pixels of the map pieces of each size."""
    rows, cols = np.arange(1, layer.out_height + 1), np.arange(1, layer.out_width + 1)
    tall, all_tall = _below(layer, layer.out_height, layer.height)
    wide, all_wide = _below(layer, layer.out_width, layer.width)
    pieces = np.outer(-(-layer.out_height // rows), -(-layer.out_width // cols)).reshape(-1)
    pixels, taken, all_taken = (
        np.outer(*pair).reshape(-1) for pair in ((rows, cols), (tall, wide), (all_tall, all_wide))
    )
    return _not_worse(np.unique(np.stack((pieces, pixels, taken, all_taken)), axis=1))


def _tile_sizes(extent: int) -> list[int]:
    """For each number of tiles the smallest size: a larger one takes more room and moves as much."""
    return sorted({-(-extent // count) for count in range(1, extent + 1)})


def _below(layer: Layer, outputs: int, extent: int) -> tuple[np.ndarray, np.ndarray]:
    """For each size: the most input below one tile, and below all tiles together."""
    each = [
        [high - low for low, high in (needed(layer, span, extent) for span in spans(outputs, size))]
        for size in range(1, outputs + 1)
    ]
    return np.array([max(some) for some in each]), np.array([sum(some) for some in each])


def _not_worse(pieces: np.ndarray) -> np.ndarray:
    """Map pieces, without those that another one beats in number, pixels, room and bytes alike."""
    kept = np.empty((0, len(pieces)), dtype=np.int64)
    for one in pieces[:, np.lexsort(pieces[::-1])].T:
        if not (kept <= one).all(axis=1).any():
            kept = np.vstack((kept, one))
    return kept.T


def _least_in_order(
    layer: Layer, buffers: Buffers, pieces: np.ndarray, tiles: np.ndarray, order: tuple[str, ...]
) -> int:
    count, _, _, all_taken = pieces
    group, out, part = tiles
    turns = {
        "map": count,
        "group": -(-layer.groups // group),
        "out": -(-layer.outputs // out),
        "in": -(-layer.inputs // part),
    }
    whole = layer.groups * layer.outputs * layer.out_height * layer.out_width
    maps = all_taken * layer.groups * layer.inputs * _times_loaded(turns, order, ("map", "group", "in"))
    weights = layer.groups * layer.outputs * layer.inputs * layer.kernel**2
    moved = maps + weights * _times_loaded(turns, order, ("group", "out", "in")) + whole
    fits = _room(layer, buffers, pieces, tiles, turns, gathers=order[0] == "map")
    fits = fits & (2 * _sums(layer, buffers, pieces, tiles, turns, order) <= buffers.sums)
    moved = np.where(fits, moved, np.iinfo(np.int64).max)
    return int(moved.min())


def _times_loaded(turns: dict[str, np.ndarray], order: tuple[str, ...], own: tuple[str, ...]) -> np.ndarray:
    """From the inside out: another loop loads all again if something of the tile has changed inside of it."""
    changes: np.ndarray = np.array(False)
    times: np.ndarray = np.array(1)
    for loop in reversed(order):
        if loop in own:
            changes = changes | (turns[loop] > 1)
        else:
            times = times * np.where(changes, turns[loop], 1)
    return times


def _room(
    layer: Layer,
    buffers: Buffers,
    pieces: np.ndarray,
    tiles: np.ndarray,
    turns: dict[str, np.ndarray],
    *,
    gathers: bool,
) -> np.ndarray:
    count, pixels, taken, _ = pieces
    group, out, part = tiles
    some = np.where(turns["group"] * count * turns["in"] == 1, 1, 2)
    weights = np.where(turns["group"] * turns["out"] * turns["in"] == 1, 1, 2) * group * out * part * layer.kernel**2
    results = np.where(count * turns["group"] * turns["out"] == 1, 1, 2) * pixels * group * out
    if gathers:
        results = np.where(count == 1, 1, 2) * pixels * layer.groups * layer.outputs
    fits: np.ndarray = (some * taken * group * part + results <= buffers.activation) & (weights <= buffers.weight)
    return fits


def _sums(
    layer: Layer,
    buffers: Buffers,
    pieces: np.ndarray,
    tiles: np.ndarray,
    turns: dict[str, np.ndarray],
    order: tuple[str, ...],
) -> np.ndarray:
    """Sums that wait: of one fold, or where they are split of all that is inside of the loop over input channels."""
    pixels = pieces[1]
    group, out, part = tiles
    depth = part * layer.kernel**2
    packed = np.where(
        (depth > buffers.rows) | (out > buffers.cols),
        1,
        np.maximum(1, np.minimum(np.minimum(buffers.rows // depth, buffers.cols // out), group)),
    )
    fold = pixels * np.minimum(buffers.cols, packed * out)
    inside = order[order.index("in") + 1 :]
    all_pixels = layer.out_height * layer.out_width if "map" in inside else pixels
    all_outs = layer.outputs if "out" in inside else out
    all_groups = layer.groups if "group" in inside else group
    return np.where(turns["in"] > 1, np.maximum(fold, all_pixels * all_outs * all_groups), fold)
