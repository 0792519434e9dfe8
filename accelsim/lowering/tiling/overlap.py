"""Loads of tiles beside tile iterations, of many tilings at once.

The first tiles of an operand come one for each of the first iterations. A later one comes while those before it are in
use: behind as many iterations as use one of them in a row, or as pass over a set of them that stays.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from accelsim.lowering.tiling.candidates import (
    GATHERING,
    WEIGHTS_OUTSIDE,
    Candidates,
    Floats,
    ifmap_set,
    is_in_bands,
    weight_set,
)
from accelsim.lowering.tiling.sizes import Bools, Ints
from accelsim.units import ceil_div

SWEEPS = 2
"""Passes over a set of tiles beside which those of the next one come, where there are no places beside the set: in the
last one each takes the place of one that is done with, in the next set's first one it is there in time."""


class Flow(NamedTuple):
    """The loads of an operand.

    cycles: of one; first: loads that come one for each of the first iterations; later: the others, each behind `window`
    iterations; tail: iterations behind the one that waits for the last load; spare: share of a second set of tiles that
    has places, of a second tile in flight where no set stays.
    """

    cycles: Floats
    first: Ints
    later: Ints
    window: Floats
    tail: Ints
    spare: Floats

    @property
    def all_cycles(self) -> Floats:
        """Clocks of all loads."""
        cycles: Floats = (self.first + self.later) * self.cycles
        return cycles

    def until(self, iteration: Ints, iterations: Ints) -> Floats:
        """Clocks of the loads that the iterations up to one wait for."""
        share = (iteration - self.first) / np.maximum(1, iterations - self.tail - self.first)
        later = np.floor(self.later * np.minimum(np.maximum(share, 0.0), 1.0))
        loads: Floats = np.minimum(self.first, iteration) + later
        return loads * self.cycles


def map_flow(plans: Candidates, loads: Ints, cycles: Floats, places: Ints) -> Flow:
    """Loads of the input map, whose tiles have this many places."""
    order, outs, ins = plans.order, plans.out_tiles, plans.in_tiles
    outputs_inside = order % 2 == 1
    in_a_row = (order < WEIGHTS_OUTSIDE) & (outputs_inside | (ins == 1))
    in_bands = is_in_bands(order, plans.ifmap_tiles, ins)
    whole = ifmap_set(order, plans.blocks.count, ins)
    tiles = np.where(in_a_row, 1, np.where(in_bands, np.minimum(plans.ifmap_tiles, whole), whole))
    return _flow(loads, cycles, plans.ifmap_tiles >= tiles, tiles, outs, places)


def weight_flow(plans: Candidates, loads: Ints, cycles: Floats, places: Ints) -> Flow:
    """Loads of the weights, whose tiles have this many places."""
    order, ins, count = plans.order, plans.in_tiles, plans.blocks.count
    tiles = weight_set(order, plans.group_tiles, plans.out_tiles, ins)
    band = np.where(is_in_bands(order, plans.ifmap_tiles, ins), plans.ifmap_tiles // ins, count)
    return _flow(loads, cycles, plans.weight_tiles >= tiles, tiles, band, places)


def _flow(loads: Ints, cycles: Floats, stays: Bools, tiles: Ints, turns: Ints, places: Ints) -> Flow:
    """Loads of sets of tiles, of which each stays for some turns, if any does."""
    spare = np.minimum(np.maximum(np.where(stays, places / tiles - 1, places - 2), 0.0), 1.0)
    least = np.where(tiles > 1, np.minimum(turns, SWEEPS), turns)
    first = np.where(stays, np.minimum(loads, tiles), 0)
    window = np.where(stays, least + spare * (turns - least), 1.0)
    return Flow(cycles, first, loads - first, window, np.where(stays, (turns - 1) * tiles, 0), spare)


def within(flow: Flow, slots: int | None) -> Flow:
    """The same loads where tiles are loaded for this many iterations at once, the one that runs included."""
    if slots is None:
        return flow
    ahead = max(1, slots - 1)
    return flow._replace(window=np.minimum(flow.window, ahead), spare=flow.spare * (ahead > 1))


def stepwise(iterations: Ints, period: Floats, stored: Floats, maps: Flow, weights: Flow) -> Floats:
    """Clocks of all tile iterations, one after the other, each with the loads that are hidden behind it.

    period, stored: clocks of an iteration, and of its share of the stores.
    """
    first = np.maximum(maps.first, weights.first)
    left = iterations - first
    counts = (np.minimum(left, flow.later * flow.window) for flow in (maps, weights))
    later = zip(counts, (maps.cycles / maps.window, weights.cycles / weights.window), strict=True)
    begin = _hidden(first, period, stored, (maps.first, maps.cycles), (weights.first, weights.cycles))
    return begin + _hidden(left, period, stored, *later)


def _hidden(
    iterations: Ints,
    period: Floats,
    stored: Floats,
    maps: tuple[Ints | Floats, Floats],
    weights: tuple[Ints | Floats, Floats],
) -> Floats:
    """Clocks of iterations of which some hide loads of both operands, some of one. maps, weights: how many do, and
    clocks of a load."""
    (map_count, map_load), (weight_count, weight_load) = maps, weights
    both, one = np.minimum(map_count, weight_count), np.maximum(map_count, weight_count)
    either = np.where(map_count > weight_count, map_load, weight_load)
    total: Floats = both * np.maximum(period, map_load + weight_load + stored)
    total = total + (one - both) * np.maximum(period, either + stored)
    return total + (iterations - one) * np.maximum(period, stored)


def in_turn(iterations: Ints, period: Floats, maps: Flow, weights: Flow) -> Floats:
    """Clocks until the last iteration ends, where each waits for all loads up to its own, however far they run
    ahead."""
    first = np.maximum(1, np.maximum(maps.first, weights.first))
    ends = [maps.until(first, iterations) + weights.until(first, iterations) + (iterations + 1 - first) * period]
    for flow, other in ((maps, weights), (weights, maps)):
        loaded = flow.all_cycles + other.until(iterations - flow.tail, iterations)
        ends.append(loaded + (flow.tail + 1) * period)
    result: Floats = np.maximum.reduce(ends)
    return result


def ragged_waits(plans: Candidates, depth: int, period: Floats, *flows: Flow) -> Floats:
    """Clocks by which the last tile of the sum over K, which may be short, hides less than a load, and its own load
    takes less, where no load runs further ahead."""
    tiles, share = plans.in_tiles, plans.taps * plans.ins / depth
    short = np.maximum(0, 1 - (tiles - 1) * share)
    each = sum(flow.cycles * flow.later * (1 - flow.spare) for flow in flows) / plans.iterations
    load, whole = each * tiles, period * tiles
    even = np.maximum(load, whole)
    uneven = (
        (tiles - 2) * share * even + np.maximum(short * load, share * whole) + np.maximum(share * load, short * whole)
    )
    waits: Floats = plans.iterations / tiles * np.maximum(0, uneven - even) * (tiles > 1)
    return waits


def last_pass(plans: Candidates, width: int) -> Floats:
    """The share of the iterations that are left when the first rows have all their channels."""
    order, rows = plans.order, plans.blocks.count // ceil_div(width, plans.blocks.cols)
    passes = np.where(order < WEIGHTS_OUTSIDE, 1, plans.out_tiles)
    passes = passes * np.where(order == WEIGHTS_OUTSIDE, plans.in_tiles, 1)
    passes = passes * np.where(order > GATHERING, plans.group_tiles, 1)
    left: Floats = (1 - 1 / rows) / passes
    return left
