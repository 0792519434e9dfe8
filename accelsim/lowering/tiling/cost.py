"""Estimates of many tilings at once: clocks, DRAM bytes, energy.

An estimate only chooses; the counts and clocks of a run are those of the machine.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np

from accelsim.dataflows import DATAFLOWS, DataflowName
from accelsim.lowering.ir import LayerTask, TilingContext
from accelsim.lowering.right_map import RightMap
from accelsim.lowering.tiling.candidates import Bools, Candidates, Floats
from accelsim.lowering.tiling.footprint import ifmap_bytes, weight_bytes
from accelsim.lowering.tiling.played import ArrayWork, array_work, known_work
from accelsim.lowering.tiling.sizes import Ints
from accelsim.program.tensors import RowCode, share_of_plain
from accelsim.units import ceil_div, product_of


def requested_bytes(task: LayerTask, context: TilingContext, plans: Candidates) -> Floats:
    """Bytes that DMA asks for; exact where elements are whole bytes and maps plain (`traffic.traffic`)."""
    moved, array = _moved_bytes(task, context, plans), context.array
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
    array = context.array
    loaded = plans.blocks.taken_total * plans.map_loads_each * (task.loaded_inputs * array.ifmap_bits / 8)
    bits, weights = array.loaded_weights
    all_weights = 0.0 if context.resident_weights else task.weights * bits / weights / 8
    shortcut, results = (task.pixels * each * array.ofmap_bits / 8 for each in (task.shortcut_loaded, task.stored))
    return _Moved(loaded, shortcut, plans.weight_loads_each * all_weights, results)


class Estimate:
    """Estimates of each of these plans. compute_cycles: clocks of the array alone, its data on chip.

    averaged: by the average fold and without the first load and the last tail, which is quicker; else by all different
    ones.
    """

    def __init__(
        self, task: LayerTask, context: TilingContext, dataflow: DataflowName, plans: Candidates, *, averaged: bool
    ) -> None:
        self.task, self.context, self.plans = task, context, plans
        self.dataflow_name, self.dataflow = dataflow, DATAFLOWS[dataflow]
        self._transfers()
        self.burst_bytes = self._burst_bytes()
        self.compute_cycles: Floats = plans.compute_cycles
        self.end_cycles: Floats | float = 0.0
        self.averaged = averaged
        if not averaged:
            self.compute_cycles, self.end_cycles = self.work.cycles, self.work.end_cycles
        self.cycles = self._cycles()

    def _transfers(self) -> None:
        """Number, bursts and descriptors of the transfers of each operand; bursts are those of an average one."""
        task, context, plans = self.task, self.context, self.plans
        tiles = plans.group_tiles * plans.in_tiles
        self.map_loads = plans.blocks.count * tiles * plans.map_loads_each * (task.loaded_inputs > 0)
        self.map_bursts, self.map_parts = self._map_transfer()
        self.weight_loads = tiles * plans.out_tiles * plans.weight_loads_each * (not context.resident_weights)
        self.weight_bursts, self.weight_parts = self._weight_transfer()
        stores = plans.blocks.count * np.where(plans.gathers, 1, plans.group_tiles * plans.out_tiles)
        self.stores = stores * (task.stored > 0)
        self.store_bursts, self.store_parts = self._store_transfer(stores)
        self.shortcut_bursts, self.shortcut_cycles = self._shortcut_transfers(stores)

    def _shortcut_transfers(self, loads: Ints) -> tuple[Floats | float, Floats | float]:
        """Bursts of all loads of what is added to results, and clocks of a DMA engine for them."""
        task, array = self.task, self.context.array
        if not task.shortcut_loaded:
            return 0.0, 0.0
        region = self._result_region(loads, task.shortcut_loaded, task.shortcut_channels, 1)
        bursts, parts = region.transfer(array.ofmap_bits, self.context.burst_bytes, array.shortcut_code)
        return loads * bursts, loads * self._transfer(bursts, parts)

    def _map_transfer(self) -> tuple[Floats, Ints]:
        task, plans, blocks = self.task, self.plans, self.plans.blocks
        down, across, loaded = task.reach.vertical, task.reach.horizontal, max(1, task.loaded_inputs)
        largest = np.minimum(plans.groups * plans.ins, loaded)
        steps = (
            np.gcd(blocks.rows * down.stride, down.pad),
            np.gcd(blocks.cols * across.stride, across.pad),
            _channel_step(plans.groups < task.groups, plans.groups, plans.ins, task.group_inputs),
        )
        region = _Region(
            (blocks.images, blocks.taken_rows, blocks.taken_cols, largest),
            (task.batch, task.size.height, task.size.width, task.source_channels),
            steps,
            blocks.taken_total / (blocks.count * ceil_div(task.taps, plans.taps)),
            loaded / (plans.group_tiles * ceil_div(task.group_inputs, plans.ins)),
        )
        array = self.context.array
        return region.transfer(array.ifmap_bits, self.context.burst_bytes, array.ifmap_code)

    def _weight_transfer(self) -> tuple[Floats, Ints]:
        """Transfer of weights, a tile of which lies in one piece, or of the right map."""
        task, plans, burst = self.task, self.plans, self.context.burst_bytes
        tiles = plans.group_tiles * plans.in_tiles * plans.out_tiles
        bits, weights = self.context.array.loaded_weights
        if task.right is not None:
            return self._right_region(task.right).transfer(bits, burst, None)
        largest = product_of(plans.groups * plans.outs * plans.taps * plans.ins, bits) // (8 * weights)
        beyond = burst - np.gcd(largest, burst)
        return (task.weights * bits / weights / 8 / tiles + beyond) / burst, np.ones_like(tiles)

    def _right_region(self, right: RightMap) -> _Region:
        task, plans = self.task, self.plans
        outs = plans.outs, task.group_outputs, plans.out_tiles
        ins = plans.ins, task.group_inputs, plans.in_tiles
        (pixels, _, pixel_tiles), (part, whole, parts) = (outs, ins) if right.pixels_are == "outputs" else (ins, outs)
        one = np.ones_like(pixels)
        return _Region(
            (one, one, pixels, plans.groups * part),
            (1, 1, right.pixels, right.channels),
            (one, pixels, _channel_step(plans.groups < task.groups, plans.groups, part, whole)),
            right.pixels / pixel_tiles,
            task.groups * whole / (plans.group_tiles * parts),
        )

    def _store_transfer(self, stores: Ints) -> tuple[Floats, Ints]:
        task = self.task
        stored = task.stored or task.output.channels
        channels = self._result_channels(stored)
        whole = (channels == task.output.channels) & (task.target_channels == task.output.channels)
        ranges = np.where(task.scattered & ~whole, channels, 1)
        region = self._result_region(stores, stored, task.target_channels, ranges)
        array = self.context.array
        bursts, parts = region.transfer(array.ofmap_bits, self.context.burst_bytes, array.ofmap_code)
        return bursts * ranges, parts * ranges

    def _result_channels(self, most: int) -> Ints:
        """Channels of a tile of results of which this many are moved."""
        plans, channels = self.plans, self.task.output.channels
        return np.minimum(np.where(plans.gathers, channels, plans.groups * plans.outs), most)

    def _result_region(self, tiles: Ints, moved: int, whole: int, ranges: Ints | int) -> _Region:
        """The region of a tile of results in a tensor of `whole` channels, in ranges of channels."""
        task, plans, blocks = self.task, self.plans, self.plans.blocks
        step = _channel_step(plans.groups < task.groups, plans.groups, plans.outs, task.group_outputs)
        return _Region(
            (blocks.images, blocks.rows, blocks.cols, self._result_channels(moved) // ranges),
            (task.batch, task.output.height, task.output.width, whole),
            (blocks.rows, blocks.cols, np.where(np.asarray(ranges) > 1, 1, step)),
            task.pixels / blocks.count,
            moved * blocks.count / (tiles * ranges),
        )

    @cached_property
    def work(self) -> ArrayWork:
        """The array's work."""
        about = self.task, self.context, self.dataflow_name, self.plans
        return array_work(*about, averaged=True) if self.averaged else known_work(*about)

    def _burst_bytes(self) -> Floats:
        """DRAM bytes, bursts in full."""
        bursts = self.map_loads * self.map_bursts + self.weight_loads * self.weight_bursts
        total: Floats = (bursts + self._result_bursts()) * self.context.burst_bytes
        return total

    def _result_bursts(self) -> Floats:
        """Bursts of results and of what is added to them."""
        bursts: Floats = self.stores * self.store_bursts + self.shortcut_bursts
        return bursts

    @cached_property
    def energy_pj(self) -> Floats:
        """Energy of what differs from plan to plan: DRAM, SRAM, moves between PEs, leakage."""
        task, array, prices, work = self.task, self.context.array, self.context.prices, self.work
        bits, weights = array.stored_weights
        outputs = task.results * task.output.channels
        under_kernel = task.positions * task.size.channels * work.n_tiles
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

    def _cycles(self) -> Floats:
        """The busiest of bus, array and DMA engines, with what cannot overlap at the ends of the layer.

        A tile iteration and the loads of the next one overlap where these have a place, so it takes the longer of both;
        nothing hides the first loads, nor the last iteration where the bus is the busiest.
        """
        context, plans, array = self.context, self.plans, self.compute_cycles
        period = array / plans.iterations
        map_coded, store_coded = self._code_cycles()
        map_load = np.maximum(self._transfer(self.map_bursts, self.map_parts), map_coded)
        weight_load = np.maximum(self._transfer(self.weight_bursts, self.weight_parts), self._decode_cycles())
        store = np.maximum(self._transfer(self.store_bursts, self.store_parts), store_coded)
        stored = self._result_bursts() * context.burst_bytes / context.bytes_per_cycle / plans.iterations
        loads, first = self.map_loads * map_load + self.weight_loads * weight_load, map_load + weight_load
        loads = loads + self.shortcut_cycles
        ahead = (
            map_load * _run_ahead(plans.ifmap_hidden, plans.ifmap_tiles),
            weight_load * _run_ahead(plans.weight_hidden, plans.weight_tiles),
        )
        stepwise = self._stepwise(period, *ahead, stored) + self._ragged_waits(period, first)
        waits = _waits(~plans.ifmap_hidden, self.map_loads, plans.ifmap_tiles, map_load, period)
        waits = waits + _waits(~plans.weight_hidden, self.weight_loads, plans.weight_tiles, weight_load, period)
        last = np.maximum(0, period + self.end_cycles - store * (self.stores > 1))
        busiest = (
            (stepwise + waits + last) * ~self._all_ahead(),
            np.maximum(self.burst_bytes / context.bytes_per_cycle, loads + store) + last,
            self._in_turn(period, map_load, weight_load) + self.end_cycles + store,
            first + array + self.end_cycles + store,
            first + array / np.maximum(1, self.stores) + self.end_cycles + self.stores * store,
        )
        result: Floats = np.maximum.reduce(busiest) + 2 * context.latency_cycles
        return result

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
        loads, stores = (np.maximum(1, count) * rate for count in (self.map_loads, self.stores))
        decoded = 0.0 if array.ifmap_code is None else moved.fmaps / loads
        return decoded, 0.0 if array.ofmap_code is None else moved.results / stores

    def _in_turn(self, period: Floats, map_load: Floats, weight_load: Floats) -> Floats:
        """Clocks until the last iteration, where iterations that load both operands come first, then those that load
        one: each waits for all loads up to its own, however far they run ahead."""
        both = np.minimum(self.map_loads, self.weight_loads)
        any_load = np.maximum(self.map_loads, self.weight_loads)
        either = np.where(self.map_loads > self.weight_loads, map_load, weight_load)
        loaded = both * (map_load + weight_load)
        left = self.plans.iterations + 1
        result: Floats = np.maximum(
            loaded + (left - both) * period, loaded + (any_load - both) * either + (left - any_load) * period
        )
        return result

    def _all_ahead(self) -> Bools:
        """True where all loads fit beside each other, so that none waits for an iteration."""
        context, plans = self.context, self.plans
        maps = self.map_loads * ifmap_bytes(self.task, context, plans.blocks.taken, plans.groups, plans.ins)
        weights = self.weight_loads * weight_bytes(context, plans.groups, plans.outs, plans.taps * plans.ins)
        result: Bools = (maps + plans.result_bytes <= context.activation_bytes) & (weights <= context.weight_bytes)
        return result

    def _stepwise(self, period: Floats, map_load: Floats, weight_load: Floats, stored: Floats) -> Floats:
        """Clocks of all tile iterations, one after the other, each with the loads that are hidden behind it."""
        both = np.minimum(self.map_loads, self.weight_loads)
        one = np.maximum(self.map_loads, self.weight_loads) - both
        either = np.where(self.map_loads > self.weight_loads, map_load, weight_load)
        total: Floats = (
            both * np.maximum(period, map_load + weight_load + stored)
            + one * np.maximum(period, either + stored)
            + (self.plans.iterations - both - one) * np.maximum(period, stored)
        )
        return total

    def _ragged_waits(self, period: Floats, load: Floats) -> Floats:
        """Clocks by which the last tile of the sum over K, which may be short, hides less than a load."""
        plans, depth = self.plans, self.task.depth
        size = plans.taps * plans.ins
        last = np.maximum(0, depth - (plans.in_tiles - 1) * size) / size
        full = period * size * plans.in_tiles / depth
        waits: Floats = np.maximum(0, np.minimum(load, full) - last * full) * (plans.in_tiles > 1)
        return plans.iterations / plans.in_tiles * waits

    def _transfer(self, bursts: Floats, parts: Ints) -> Floats:
        """Clocks of a DMA engine for a load or store: its descriptors, issue, or the bus."""
        context = self.context
        issue = np.maximum(
            bursts / context.bursts_per_cycle, bursts * (context.round_trip_cycles / context.window_bursts)
        )
        bus = bursts * (context.burst_bytes / context.bytes_per_cycle)
        hidden = np.minimum(bus, context.window_bursts * (context.burst_bytes / context.bytes_per_cycle))
        result: Floats = np.maximum(issue, bus) + np.maximum(0.0, context.setup_cycles * parts - hidden)
        return result


def _run_ahead(hidden: Bools, kept: Ints) -> Bools:
    """True where tiles are loaded while the array works: they have a place of their own, or one of several."""
    return hidden | (kept > 1)


def _waits(unhidden: Bools, loads: Ints, kept: Ints, load: Floats, period: Floats) -> Floats:
    """Clocks in which the array waits for tiles that have no place before one that is kept is done with.

    Tile by tile, the next ones come in the place of those that were used for the last time.
    """
    result: Floats = unhidden * loads / kept * np.maximum(0, load - (kept - 1) * period)
    return result


def _channel_step(parts: Bools, groups: Ints, size: Ints, whole: int) -> Ints:
    """Channels of whose multiples tiles begin: those of some groups, and of parts of a group."""
    step: Ints = np.gcd(np.where(parts, groups * whole, 0), np.where(size < whole, size, 0))
    return step


class _Region(NamedTuple):
    """The largest tile of a row-major tensor of `dims`: images, rows, columns, channels.

    steps: rows, columns and channels of whose multiples tiles begin; pixels, channels: of an average tile.
    """

    sizes: tuple[Ints, Ints, Ints, Ints]
    dims: tuple[int, int, int, int]
    steps: tuple[Ints, Ints, Ints]
    pixels: Floats
    channels: Floats

    def transfer(self, bits: int, burst: int, code: RowCode | None) -> tuple[Floats, Ints]:
        """Bursts and descriptors of an average tile."""
        (images, rows, cols, channels), dims = self.sizes, self.dims
        part_channels, part_row, part_map = channels < dims[3], cols < dims[2], rows < dims[1]
        pixel = max(1, dims[3] * bits // 8)
        row = pixel * dims[2]
        begins = np.where(part_row, np.gcd(row, self.steps[1] * pixel), np.where(part_map, self.steps[0] * row, burst))
        begins = np.gcd(np.where(part_channels, np.gcd(pixel, self.steps[2] * bits // 8), begins), burst)
        in_row = images * np.where(part_row, rows, 1)
        filled = self.pixels / (images * rows * cols)
        runs = np.where(part_channels, self.pixels, in_row * np.where(part_row, filled, 1))
        run = np.where(part_channels, 1, cols * np.where(part_row, 1, rows * np.where(part_map, 1, images))) * channels
        requested, run_bits = self.pixels * self.channels * bits / 8, run * bits
        if code is not None:
            requested, run_bits = requested * (code.bits(run_bits) / run_bits), code.bits(run_bits)
        beyond = burst - begins + -(run_bits // 8) % begins
        bursts: Floats = (requested + runs * beyond) / burst
        return bursts, np.where(part_channels & part_row, rows * images, np.where(part_row & part_map, images, 1))
