"""Tilings of a layer, as arrays with an element for each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.config.plan import Order
from accelsim.dataflows import DataflowName
from accelsim.lowering.given import GivenTile
from accelsim.lowering.ir import Tiling
from accelsim.lowering.tiling.sizes import Blocks, Bools, Ints
from accelsim.units import ceil_div

Floats = NDArray[np.floating[Any]]

ORDERS: tuple[Order, ...] = (
    ("map", "groups", "outputs", "inputs"),
    ("map", "groups", "inputs", "outputs"),
    ("groups", "map", "outputs", "inputs"),
    ("groups", "map", "inputs", "outputs"),
    ("groups", "outputs", "inputs", "map"),
    ("groups", "outputs", "map", "inputs"),
)
"""The orders that no other one betters: groups share nothing, and input channels outside of both the map and the output
channels load as much as inside of either, with more sums waiting. Without a cut of K, every second repeats the one
before it."""

GATHERING, WEIGHTS_OUTSIDE, LAST_ORDER = 1, 4, 5
"""Orders up to which results gather, and from which on the weights are outside of the map; and the last."""


def free_orders(given: GivenTile) -> list[int]:
    """Places of the orders that a given plan leaves free."""
    orders = ORDERS if given.orders is None else given.orders
    return [place for place in map(ORDERS.index, orders) if given.gathers in (None, place <= GATHERING)]


class Allowed(NamedTuple):
    """Tilings of a grid whose weights and partial sums fit, wherever the feature maps lie.

    run: of each a number, below `runs`, that those share which differ in nothing but the sum over K; set: tiles of the
    input map that inner loops touch.
    """

    run: Ints
    runs: int
    blocks: Blocks
    groups: Ints
    outs: Ints
    ins: Ints
    order: Ints
    group_tiles: Ints
    out_tiles: Ints
    in_tiles: Ints
    set: Ints
    weight_tiles: Ints
    weight_hidden: Bools
    weight_loads_each: Ints
    compute_cycles: Floats


@dataclass(frozen=True, slots=True)
class Candidates:
    """Tilings that fit. in_tiles: tiles of the sum over K, of `taps` kernel positions and `ins` channels each.

    ifmap_tiles, weight_tiles: tiles of the operand that are kept; *_hidden: true where the next one, if there is one,
    has a place beside them. weight_loads_each: loads of each tile of the weights (`ir.loads_each`). activation_bytes:
    what the tiling needs, of which result_bytes for results. compute_cycles: of the array, by the average fold.
    """

    blocks: Blocks
    groups: Ints
    outs: Ints
    taps: Ints
    ins: Ints
    order: Ints
    group_tiles: Ints
    out_tiles: Ints
    in_tiles: Ints
    ifmap_tiles: Ints
    ifmap_hidden: Bools
    weight_tiles: Ints
    weight_hidden: Bools
    weight_loads_each: Ints
    activation_bytes: Ints
    result_bytes: Ints
    compute_cycles: Floats

    def __len__(self) -> int:
        return len(self.order)

    @property
    def gathers(self) -> Bools:
        """See `Tiling.gathers`."""
        return self.order <= GATHERING

    @property
    def iterations(self) -> Ints:
        """Tile iterations of the layer."""
        return self.blocks.count * self.group_tiles * self.out_tiles * self.in_tiles

    @property
    def map_loads_each(self) -> Ints:
        """Loads of each tile of the input map (`ir.loads_each`)."""
        whole = ifmap_set(self.order, self.blocks.count, self.in_tiles)
        return _map_loads_each(self.order, self.ifmap_tiles, whole, self.in_tiles, self.out_tiles)

    def shape_of(self, index: int) -> tuple[object, ...]:
        """All by which one of them may differ from another: sizes of its tiles, tiles that stay, whether its results
        gather, and the order of its loops of several iterations."""
        sizes = self.blocks.images, self.blocks.rows, self.blocks.cols, self.groups, self.outs, self.taps, self.ins
        counts = {
            "groups": self.group_tiles,
            "map": self.blocks.count,
            "outputs": self.out_tiles,
            "inputs": self.in_tiles,
        }
        rest = self.ifmap_tiles, self.weight_tiles, self.gathers
        several = tuple(loop for loop in ORDERS[self.order[index]] if counts[loop][index] > 1)
        return several, *(int(each[index]) for each in (*sizes, *rest))

    def at(self, index: Ints | slice) -> Candidates:
        """Some of them, in this order."""
        rest = (getattr(self, part.name)[index] for part in fields(self)[1:])
        return Candidates(self.blocks.at(index), *rest)

    def plan(self, index: int, dataflow: DataflowName, taps: int) -> Tiling:
        """One of them, for a layer with these kernel positions."""
        blocks = self.blocks
        each = (blocks.images, blocks.rows, blocks.cols, self.groups, self.outs, self.ins, self.taps)
        images, rows, cols, groups, outs, ins, part = (int(size[index]) for size in each)
        order, positions = ORDERS[self.order[index]], part if part < taps else None
        rest = int(self.ifmap_tiles[index]), int(self.weight_tiles[index]), bool(self.gathers[index])
        return Tiling(images, rows, cols, groups, outs, ins, order, dataflow, positions, *rest)


class FittingTilings(NamedTuple):
    """Tilings that fit, by the number in `allowed` of all but what stays of the input map.

    ifmap_tiles, has_spare: of each, tiles of the input map that are kept, and whether the next one has a place beside
    them, too; hidden: whether that is so or there is no next one. ifmap, results: bytes of tiles, by number.
    """

    allowed: Allowed
    taps: int
    number: Ints
    ifmap_tiles: Ints
    has_spare: Bools
    hidden: Bools
    ifmap: Ints
    results: Ints

    @property
    def compute_cycles(self) -> Floats:
        """Clocks of the array, by the average fold."""
        return self.allowed.compute_cycles[self.number]

    @property
    def map_loads_each(self) -> Ints:
        """Loads of each tile of the input map."""
        allowed, number = self.allowed, self.number
        tiles = allowed.in_tiles[number], allowed.out_tiles[number]
        return _map_loads_each(allowed.order[number], self.ifmap_tiles, allowed.set[number], *tiles)

    @property
    def weight_loads_each(self) -> Ints:
        """Loads of each tile of the weights: once for each band of the map where it goes in bands."""
        allowed, number = self.allowed, self.number
        in_tiles = allowed.in_tiles[number]
        bands = ceil_div(allowed.blocks.count[number], np.maximum(1, self.ifmap_tiles // in_tiles))
        in_bands = is_in_bands(allowed.order[number], self.ifmap_tiles, in_tiles)
        return allowed.weight_loads_each[number] * np.where(in_bands, bands, 1)

    @property
    def taken_total(self) -> Ints:
        """Input pixels of all parts of the map."""
        return self.allowed.blocks.taken_total[self.number]

    def candidates(self, index: Ints | slice = slice(None)) -> Candidates:
        """Some of them, in this order."""
        allowed, number = self.allowed, self.number[index]
        tiles, results = self.ifmap_tiles[index], self.results[number]
        return Candidates(
            allowed.blocks.at(number),
            allowed.groups[number],
            allowed.outs[number],
            np.full(len(number), self.taps),
            allowed.ins[number],
            allowed.order[number],
            allowed.group_tiles[number],
            allowed.out_tiles[number],
            allowed.in_tiles[number],
            tiles,
            self.hidden[index],
            allowed.weight_tiles[number],
            allowed.weight_hidden[number],
            self.weight_loads_each[index],
            (tiles + self.has_spare[index]) * self.ifmap[number] + results,
            results,
            allowed.compute_cycles[number],
        )


def ifmap_set(order: Ints, count: Ints, in_tiles: Ints) -> Ints:
    """Tiles of the input map that the loops inside of the outermost one over other things touch."""
    sums_inside = (order == 0) | (order == 2)
    return np.where(sums_inside, in_tiles, np.where(order >= WEIGHTS_OUTSIDE, count * in_tiles, 1))


def is_in_bands(order: Ints, ifmap_tiles: Ints, in_tiles: Ints) -> Bools:
    """True where the loops over weights go on for a band of the map, of which all tiles stay, and then for the next, if
    there is one."""
    result: Bools = (order >= WEIGHTS_OUTSIDE) & (ifmap_tiles > in_tiles)
    return result


def _map_loads_each(order: Ints, ifmap_tiles: Ints, whole: Ints, in_tiles: Ints, out_tiles: Ints) -> Ints:
    """Loads of each tile of the input map: one where all tiles that inner loops touch stay, or those of a band."""
    stays = (ifmap_tiles >= whole) | is_in_bands(order, ifmap_tiles, in_tiles)
    return np.where(stays, 1, out_tiles)


def weight_set(order: Ints, group_tiles: Ints, out_tiles: Ints, in_tiles: Ints) -> Ints:
    """Tiles of the weights that the loops inside of that over the map touch."""
    inside = out_tiles * in_tiles * np.where(order <= GATHERING, group_tiles, 1)
    return np.where(order < WEIGHTS_OUTSIDE, inside, np.where(order == WEIGHTS_OUTSIDE, 1, in_tiles))


def gathered(found: Iterable[FittingTilings]) -> Candidates:
    """All of these tilings."""
    return joined([each.candidates() for each in found])


def joined(found: Sequence[Candidates]) -> Candidates:
    """All of these tilings."""
    if len(found) == 1:
        return found[0]
    blocks = Blocks(*(np.concatenate([getattr(each.blocks, part.name) for each in found]) for part in fields(Blocks)))
    rest = (np.concatenate([getattr(each, part.name) for each in found]) for part in fields(Candidates)[1:])
    return Candidates(blocks, *rest)
