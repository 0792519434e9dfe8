"""Estimates of many tilings at once: clocks, DRAM bytes, energy.

An estimate only chooses; the counts and clocks of a run are those of the machine.
"""

from __future__ import annotations

from copy import copy
from functools import cached_property
from typing import NamedTuple

import numpy as np

from accelsim.dataflows import DATAFLOWS, DataflowName
from accelsim.lowering.ir import LayerTask, TilingContext
from accelsim.lowering.tiling.candidates import Candidates, FittingTilings, Floats
from accelsim.lowering.tiling.footprint import ifmap_bytes, weight_bytes
from accelsim.lowering.tiling.overlap import (
    Flow,
    in_turn,
    last_pass,
    map_flow,
    ragged_waits,
    stepwise,
    weight_flow,
    within,
)
from accelsim.lowering.tiling.played import TiledWork, known_work, tiled_work
from accelsim.lowering.tiling.sizes import Bools, Ints
from accelsim.lowering.tiling.transfers import Transfers, transfers_of
from accelsim.program.tensors import share_of_plain

STORES_BEHIND = 2
"""Stores that a busy bus is behind with at most: results have two places."""


def requested_bytes(task: LayerTask, context: TilingContext, plans: FittingTilings) -> Floats:
    """Bytes that DMA asks for; exact where elements are whole bytes and maps plain (`traffic.traffic`)."""
    array = context.array
    moved = _loaded_as_often(task, context, plans.taken_total * plans.map_loads_each, plans.weight_loads_each)
    fmaps, results = moved.fmaps * share_of_plain(array.ifmap_code), moved.results * share_of_plain(array.ofmap_code)
    shortcut = moved.shortcut * share_of_plain(array.shortcut_code)
    total: Floats = fmaps + shortcut + moved.weights + results
    return total


class _Moved(NamedTuple):
    """Bytes that DMA asks for, maps as if they were plain."""

    fmaps: Floats
    shortcut: float
    weights: Floats
    results: float


def _moved_bytes(task: LayerTask, context: TilingContext, plans: Candidates) -> _Moved:
    pixels = plans.blocks.taken_total * plans.map_loads_each
    return _loaded_as_often(task, context, pixels, plans.weight_loads_each)


def _loaded_as_often(task: LayerTask, context: TilingContext, pixels: Ints, weight_loads_each: Ints) -> _Moved:
    """Bytes of loads of this many pixels of the input map, and of all weights this many times."""
    array = context.array
    loaded = pixels * (task.loaded_inputs * array.ifmap_bits / 8)
    bits, weights = array.loaded_weights
    all_weights = 0.0 if context.resident_weights else task.weights * bits / weights / 8
    shortcut, results = (task.pixels * each * array.ofmap_bits / 8 for each in (task.shortcut_loaded, task.stored))
    return _Moved(loaded, shortcut, weight_loads_each * all_weights, results)


class Estimate:
    """Estimates of each of these plans. compute_cycles: clocks of the array alone, its data on chip.

    averaged: by the average fold and without the first load and the last tail, which is quicker; else by all different
    ones.
    """

    def __init__(
        self,
        task: LayerTask,
        context: TilingContext,
        dataflow: DataflowName,
        plans: Candidates,
        transfers: Transfers | None = None,
        *,
        averaged: bool,
    ) -> None:
        self.task, self.context, self.plans = task, context, plans
        self.dataflow_name, self.dataflow = dataflow, DATAFLOWS[dataflow]
        self.transfers = transfers_of(task, context, plans) if transfers is None else transfers
        self.burst_bytes: Floats = self.transfers.bursts * context.burst_bytes
        self.compute_cycles: Floats = plans.compute_cycles
        self.end_cycles: Floats | float = 0.0
        self.averaged = averaged
        if not averaged:
            self.compute_cycles, self.end_cycles = self.work.cycles, self.work.end_cycles
        self.cycles = self._cycles()

    @cached_property
    def work(self) -> TiledWork:
        """The array's work."""
        about = self.task, self.context, self.dataflow_name, self.plans
        return tiled_work(*about, averaged=True) if self.averaged else known_work(*about)

    def priced(self, context: TilingContext) -> Estimate:
        """The same on a machine that differs in prices alone."""
        found = copy(self)
        found.context = context
        return found

    def exactly(self, index: Ints) -> Estimate:
        """Some of them by all different folds."""
        plans, transfers = self.plans.at(index), self.transfers.at(index)
        return Estimate(self.task, self.context, self.dataflow_name, plans, transfers, averaged=False)

    @cached_property
    def energy_pj(self) -> Floats:
        """Energy of what differs from plan to plan: DRAM, SRAM, moves between PEs, leakage."""
        task, array, prices, work = self.task, self.context.array, self.context.prices, self.work
        bits, weights = array.stored_weights
        outputs = task.results * task.output.channels
        under_kernel = _positions(task) * task.size.channels * work.n_tiles
        ifmap_bits = under_kernel * self.context.ifmap_reuse(task, self.dataflow) * array.ifmap_bits
        weight_bits = task.weights * work.m_tiles * bits / weights
        sum_bits = np.maximum(0, outputs * (work.k_tiles - 1)) * array.psum_bits * (not self.dataflow.sums_stay)
        result_bytes = task.pixels * task.output.channels * array.ofmap_bits / 8
        moved = _moved_bytes(task, self.context, self.plans)
        total: Floats = (
            self.burst_bytes * prices.dram_byte
            + (ifmap_bits * prices.ifmap_byte + weight_bits * prices.weight_byte + sum_bits * prices.sum_byte) / 8
            + (moved.fmaps + moved.shortcut) * prices.ifmap_fill_byte
            + moved.weights * prices.weight_fill_byte
            + result_bytes * prices.result_byte
            + moved.results * prices.store_byte
            + work.moved_bits / 8 * prices.register_byte
            + self.cycles * prices.cycle
        )
        return total

    @cached_property
    def ramp_cycles(self) -> Floats:
        """Clocks in which the array waits for its first tiles, and the last ones leave."""
        map_load, weight_load, store = self._tile_cycles
        ends: Floats = map_load + weight_load + store + self.end_cycles + 2 * self.context.latency_cycles
        return ends

    @cached_property
    def _tile_cycles(self) -> tuple[Floats, Floats, Floats]:
        """Clocks of a load of each operand, and of a store."""
        moved, (map_coded, store_coded) = self.transfers, self._code_cycles()
        weight_load = np.maximum(moved.weight_cycles, self._decode_cycles())
        return (
            np.maximum(moved.map_cycles, map_coded) * (moved.map_loads > 0),
            weight_load * (moved.weight_loads > 0),
            np.maximum(moved.store_cycles, store_coded) * (moved.stores > 0),
        )

    def _cycles(self) -> Floats:
        """The busiest of bus, array and DMA engines, with what cannot overlap at the ends of the layer.

        A tile iteration and the loads of the next one overlap where these have a place, so it takes the longer of both;
        nothing hides the first loads, nor the last iteration where the bus is the busiest.
        """
        context, plans, array, moved = self.context, self.plans, self.compute_cycles, self.transfers
        period = array / plans.iterations
        map_load, weight_load, store = self._tile_cycles
        bus = self.burst_bytes / context.bytes_per_cycle
        stored = moved.result_bursts * context.burst_bytes / context.bytes_per_cycle / plans.iterations
        loads: Floats = moved.map_loads * map_load + moved.weight_loads * weight_load + moved.shortcut_cycles
        first = map_load + weight_load
        flows = maps, weights = self._flows(map_load, weight_load)
        ahead = (
            maps._replace(cycles=map_load * _run_ahead(plans.ifmap_hidden, plans.ifmap_tiles)),
            weights._replace(cycles=weight_load * _run_ahead(plans.weight_hidden, plans.weight_tiles)),
        )
        steps = stepwise(plans.iterations, period, stored, *ahead)
        steps = steps + ragged_waits(plans, self.task.depth, period, *ahead)
        waits = _waits(~plans.ifmap_hidden, moved.map_loads, plans.ifmap_tiles, map_load, period)
        waits = waits + _waits(~plans.weight_hidden, moved.weight_loads, plans.weight_tiles, weight_load, period)
        last = self._last_cycles(period, store)
        stores = np.maximum(1, moved.stores)
        busiest = (
            (steps + waits + last) * ~self._all_ahead(),
            np.maximum(bus, loads + store) + last,
            in_turn(plans.iterations, period, *flows) + self.end_cycles + store,
            first + array + self.end_cycles + store,
            first + array / stores + self.end_cycles + np.maximum(stores * store, bus - first - loads / stores),
        )
        result: Floats = np.maximum.reduce(busiest) + 2 * context.latency_cycles
        return result

    def _last_cycles(self, period: Floats, store: Floats) -> Floats:
        """Clocks for which a busy bus is idle beside the last iteration: less those of stores that are still to be made
        then, where there is one at least for every second iteration."""
        stores = self.transfers.stores
        waiting = np.where(2 * stores > self.plans.iterations, np.minimum(stores - 1, STORES_BEHIND), 0)
        last: Floats = np.maximum(0, period + self.end_cycles - store * waiting)
        return last

    @cached_property
    def followed_cycles(self) -> Floats:
        """Clocks until the array may work on the layer behind: beside what this one does at its end, where that reads
        pixels that have all channels by then, or a part of results that stay."""
        if not self.task.followed:
            return self.cycles
        ends = self.end_cycles + self._tile_cycles[2]
        if self.task.stored:
            span = np.maximum(self.compute_cycles, self.cycles - self.ramp_cycles)
            hidden: Floats = np.minimum(ends, span * last_pass(self.plans, self.task.output.width))
            return self.cycles - hidden
        plans = self.plans
        several = (plans.blocks.count > 1) | (~plans.gathers & (plans.group_tiles * plans.out_tiles > 1))
        return self.cycles - ends * several

    def _decode_cycles(self) -> Floats:
        """Clocks in which the weights of a tile are decoded, if they are."""
        array, tiles = self.context.array, self.plans.group_tiles * self.plans.in_tiles * self.plans.out_tiles
        bits, weights = array.stored_weights
        decoded = 0.0 if array.dram_weights is None else self.task.weights * bits / weights / 8
        result: Floats = decoded / (tiles * self.context.decoded_bytes_per_cycle)
        return result

    def _code_cycles(self) -> tuple[Floats | float, Floats | float]:
        """Clocks in which maps of a tile are decoded, and its results encoded, if they are."""
        array, rate = self.context.array, self.context.coded_bytes_per_cycle
        if array.ifmap_code is None and array.ofmap_code is None:
            return 0.0, 0.0
        moved = _moved_bytes(self.task, self.context, self.plans)
        loads, stores = (np.maximum(1, count) * rate for count in (self.transfers.map_loads, self.transfers.stores))
        decoded = 0.0 if array.ifmap_code is None else moved.fmaps / loads
        return decoded, 0.0 if array.ofmap_code is None else moved.results / stores

    def _all_ahead(self) -> Bools:
        """True where all loads fit beside each other, so that none waits for an iteration."""
        context, plans = self.context, self.plans
        ifmap, right = self._tile_bytes
        maps, weights = self.transfers.map_loads * ifmap, self.transfers.weight_loads * right
        fit = (maps + plans.result_bytes <= context.activation_bytes) & (weights <= context.weight_bytes)
        result: Bools = fit & (context.slots is None)
        return result

    @cached_property
    def _tile_bytes(self) -> tuple[Ints, Ints]:
        """Bytes of the largest tile of the map, and of weights."""
        task, context, plans = self.task, self.context, self.plans
        ifmap = ifmap_bytes(task, context, plans.blocks.taken, plans.groups, plans.ins)
        return ifmap, weight_bytes(context, plans.groups, plans.outs, plans.taps * plans.ins)

    def _flows(self, map_load: Floats, weight_load: Floats) -> tuple[Flow, Flow]:
        """Loads of both operands that take these clocks each."""
        context, plans, moved = self.context, self.plans, self.transfers
        ifmap, right = (np.maximum(1, each) for each in self._tile_bytes)
        maps, weights = (context.activation_bytes - plans.result_bytes) // ifmap, context.weight_bytes // right
        return (
            within(map_flow(plans, moved.map_loads, map_load, maps), context.slots),
            within(weight_flow(plans, moved.weight_loads, weight_load, weights), context.slots),
        )


def _positions(task: LayerTask) -> int:
    """(output pixel, kernel position) pairs that are not on padding."""
    (down, across), window, size = task.pooled, task.window, task.size
    vertical = window.vertical.reads(0, down.extent, size.height)
    return task.batch * vertical * window.horizontal.reads(0, across.extent, size.width)


def _run_ahead(hidden: Bools, kept: Ints) -> Bools:
    """True where tiles are loaded while the array works: they have a place of their own, or one of several."""
    return hidden | (kept > 1)


def _waits(unhidden: Bools, loads: Ints, kept: Ints, load: Floats, period: Floats) -> Floats:
    """Clocks in which the array waits for tiles that have no place before one that is kept is done with.

    Tile by tile, the next ones come in the place of those that were used for the last time.
    """
    result: Floats = unhidden * loads / kept * np.maximum(0, load - (kept - 1) * period)
    return result
