"""Transfers of the tiles of many tilings at once: how many, their bursts, and clocks of a DMA engine for each."""

from __future__ import annotations

from math import gcd
from typing import NamedTuple

import numpy as np

from accelsim.lowering.ir import LayerTask, TilingContext
from accelsim.lowering.right_map import RightMap
from accelsim.lowering.tiling.candidates import Candidates, Floats
from accelsim.lowering.tiling.moved import Part
from accelsim.lowering.tiling.sizes import Bools, Ints
from accelsim.program.tensors import ALIGNMENT_BYTES, RowCode
from accelsim.units import ceil_div, product_of

NOTHING: tuple[Floats | float, Floats | float] = (0.0, 0.0)
"""Bursts and clocks of a transfer that there is none of."""


class Transfers(NamedTuple):
    """Loads of the input map and of weights, stores of results: how many, and bursts and clocks of a DMA engine for an
    average one. shortcut_bursts, shortcut_cycles: of all loads of what is added to results."""

    map_loads: Ints
    map_bursts: Floats | float
    map_cycles: Floats | float
    weight_loads: Ints
    weight_bursts: Floats | float
    weight_cycles: Floats | float
    stores: Ints
    store_bursts: Floats | float
    store_cycles: Floats | float
    shortcut_bursts: Floats | float
    shortcut_cycles: Floats | float

    @property
    def result_bursts(self) -> Floats:
        """Bursts of all results and of what is added to them."""
        bursts: Floats = self.stores * self.store_bursts + self.shortcut_bursts
        return bursts

    @property
    def bursts(self) -> Floats:
        """Bursts of all transfers."""
        loads: Floats = self.map_loads * self.map_bursts + self.weight_loads * self.weight_bursts
        return loads + self.result_bursts

    def at(self, index: Ints) -> Transfers:
        """The transfers of some of the tilings."""
        return Transfers._make(each if isinstance(each, float) else each[index] for each in self)


def transfers_of(task: LayerTask, context: TilingContext, plans: Candidates) -> Transfers:
    """The transfers of each of these tilings."""
    tiles = plans.group_tiles * plans.in_tiles
    map_loads = plans.blocks.count * tiles * plans.map_loads_each * (task.loaded_inputs > 0)
    weight_loads = tiles * plans.out_tiles * plans.weight_loads_each * (not context.resident_weights)
    stores = plans.blocks.count * np.where(plans.gathers, 1, plans.group_tiles * plans.out_tiles)
    maps = weights = results = NOTHING
    if task.loaded_inputs:
        maps = _each(context, *_map_transfer(task, context, plans))
    if not context.resident_weights:
        weights = _each(context, *_weight_transfer(task, context, plans))
    if task.stored:
        results = _each(context, *_store_transfer(task, context, plans, stores))
    shortcut = _shortcut_transfers(task, context, plans, stores)
    return Transfers(map_loads, *maps, weight_loads, *weights, stores * (task.stored > 0), *results, *shortcut)


def _each(context: TilingContext, bursts: Floats, parts: Ints) -> tuple[Floats, Floats]:
    """Bursts of a transfer, and clocks of a DMA engine for it: its set-up and issue, bursts in flight, or the bus with
    its idle clocks, where a set-up takes longer than the requests before it."""
    setup = context.setup_cycles * parts
    bus = bursts * (context.burst_bytes / context.bytes_per_cycle)
    idle = np.maximum(0.0, setup - np.minimum(bus, _ahead_cycles(context)))
    held = bursts * (context.round_trip_cycles / context.window_bursts)
    cycles: Floats = np.maximum(np.maximum(setup + bursts / context.bursts_per_cycle, held), bus + idle)
    return bursts, cycles


def _ahead_cycles(context: TilingContext) -> float:
    """Clocks for which the bus goes on where the engines issue nothing, with all requests in flight or queues full."""
    each = context.burst_bytes / context.bytes_per_cycle
    window = context.window_bursts * each - context.latency_cycles
    return max(0.0, window if context.queue_bursts is None else min(window, context.queue_bursts * each))


def _shortcut_transfers(
    task: LayerTask, context: TilingContext, plans: Candidates, loads: Ints
) -> tuple[Floats | float, Floats | float]:
    """Bursts of all loads of what is added to results, and clocks of a DMA engine for them."""
    if not task.shortcut_loaded:
        return 0.0, 0.0
    array = context.array
    moved = task.shortcut_loaded
    part = task.beyond and Part(moved, task.beyond.shortcut)
    region = _result_region(task, plans, loads, moved, task.shortcut_channels, 1, part)
    bursts, cycles = _each(context, *region.transfer(array.ofmap_bits, context.burst_bytes, array.shortcut_code))
    return loads * bursts, loads * cycles


def _map_transfer(task: LayerTask, context: TilingContext, plans: Candidates) -> tuple[Floats, Ints]:
    """Bursts and descriptors of a tile of the input map."""
    blocks, array = plans.blocks, context.array
    down, across, loaded = task.reach.vertical, task.reach.horizontal, max(1, task.loaded_inputs)
    largest = np.minimum(plans.groups * plans.ins, loaded)
    steps = (
        np.gcd(blocks.rows * down.stride, down.pad),
        np.gcd(blocks.cols * across.stride, across.pad),
        _channel_step(plans.groups < task.groups, plans.groups, plans.ins, task.group_inputs),
    )
    region = _LargestTile(
        (blocks.images, blocks.taken_rows, blocks.taken_cols, largest),
        (task.batch, task.size.height, task.size.width, task.source_channels),
        steps,
        blocks.taken_total / (blocks.count * ceil_div(task.taps, plans.taps)),
        loaded / (plans.group_tiles * ceil_div(task.group_inputs, plans.ins)),
        task.beyond and Part(loaded, task.beyond.loaded),
    )
    return region.transfer(array.ifmap_bits, context.burst_bytes, array.ifmap_code)


def _weight_transfer(task: LayerTask, context: TilingContext, plans: Candidates) -> tuple[Floats, Ints]:
    """Bursts and descriptors of a tile of weights, which lies in one piece, or of the right map."""
    burst, tiles = context.burst_bytes, plans.group_tiles * plans.in_tiles * plans.out_tiles
    bits, weights = context.array.loaded_weights
    if task.right is not None:
        return _right_region(task, plans, task.right).transfer(bits, burst, None)
    largest = product_of(plans.groups * plans.outs * plans.taps * plans.ins, bits) // (8 * weights)
    beyond = burst - np.gcd(largest, burst)
    return (task.weights * bits / weights / 8 / tiles + beyond) / burst, np.ones_like(tiles)


def _right_region(task: LayerTask, plans: Candidates, right: RightMap) -> _LargestTile:
    outs = plans.outs, task.group_outputs, plans.out_tiles
    ins = plans.ins, task.group_inputs, plans.in_tiles
    (pixels, _, pixel_tiles), (part, whole, parts) = (outs, ins) if right.pixels_are == "outputs" else (ins, outs)
    one = np.ones_like(pixels)
    return _LargestTile(
        (one, one, pixels, plans.groups * part),
        (1, 1, right.pixels, right.channels),
        (one, pixels, _channel_step(plans.groups < task.groups, plans.groups, part, whole)),
        right.pixels / pixel_tiles,
        task.groups * whole / (plans.group_tiles * parts),
    )


def _store_transfer(task: LayerTask, context: TilingContext, plans: Candidates, stores: Ints) -> tuple[Floats, Ints]:
    """Bursts and descriptors of a tile of results."""
    array, stored = context.array, task.stored or task.output.channels
    channels = _result_channels(task, plans, stored)
    whole = (channels == task.output.channels) & (task.target_channels == task.output.channels)
    ranges = np.where(task.scattered & ~whole, channels, 1)
    part = None if task.scattered else task.beyond and Part(stored, task.beyond.stored)
    region = _result_region(task, plans, stores, stored, task.target_channels, ranges, part)
    bursts, parts = region.transfer(array.ofmap_bits, context.burst_bytes, array.ofmap_code)
    return bursts * ranges, parts * ranges


def _result_channels(task: LayerTask, plans: Candidates, most: int) -> Ints:
    """Channels of a tile of results of which this many are moved."""
    return np.minimum(np.where(plans.gathers, task.output.channels, plans.groups * plans.outs), most)


def _result_region(
    task: LayerTask,
    plans: Candidates,
    tiles: Ints,
    moved: int,
    whole: int,
    ranges: Ints | int,
    part: Part | None,
) -> _LargestTile:
    """The region of a tile of results in a tensor of `whole` channels, in ranges of channels."""
    blocks = plans.blocks
    step = _channel_step(plans.groups < task.groups, plans.groups, plans.outs, task.group_outputs)
    return _LargestTile(
        (blocks.images, blocks.rows, blocks.cols, _result_channels(task, plans, moved) // ranges),
        (task.batch, task.output.height, task.output.width, whole),
        (blocks.rows, blocks.cols, np.where(np.asarray(ranges) > 1, 1, step)),
        task.pixels / blocks.count,
        moved * blocks.count / (tiles * ranges),
        part,
    )


def _channel_step(parts: Bools, groups: Ints, size: Ints, whole: int) -> Ints:
    """Channels of whose multiples tiles begin: those of some groups, and of parts of a group."""
    step: Ints = np.gcd(np.where(parts, groups * whole, 0), np.where(size < whole, size, 0))
    return step


class _LargestTile(NamedTuple):
    """The largest tile of a row-major tensor of `dims`: images, rows, columns, channels.

    steps: rows, columns and channels of whose multiples tiles begin; pixels, channels: of an average tile; part: all
    channels of a pixel that are moved, None where it is not known where they lie.
    """

    sizes: tuple[Ints, Ints, Ints, Ints]
    dims: tuple[int, int, int, int]
    steps: tuple[Ints, Ints, Ints]
    pixels: Floats
    channels: Floats
    part: Part | None = None

    def transfer(self, bits: int, burst: int, code: RowCode | None) -> tuple[Floats, Ints]:
        """Bursts and descriptors of an average tile."""
        (images, rows, cols, channels), dims = self.sizes, self.dims
        part_channels, part_row, part_map = channels < dims[3], cols < dims[2], rows < dims[1]
        pixel = max(1, dims[3] * bits // 8)
        row = pixel * dims[2]
        begins = np.where(part_row, np.gcd(row, self.steps[1] * pixel), np.where(part_map, self.steps[0] * row, burst))
        begins = np.gcd(
            np.where(part_channels, np.gcd(pixel, self.steps[2] * bits // 8), begins), gcd(burst, ALIGNMENT_BYTES)
        )
        in_row = images * np.where(part_row, rows, 1)
        filled = self.pixels / (images * rows * cols)
        runs = np.where(part_channels, self.pixels, in_row * np.where(part_row, filled, 1))
        run = np.where(part_channels, 1, cols * np.where(part_row, 1, rows * np.where(part_map, 1, images))) * channels
        requested, run_bits = self.pixels * self.channels * bits / 8, run * bits
        if code is not None:
            requested, run_bits = requested * (code.bits(run_bits) / run_bits), code.bits(run_bits)
        beyond = burst - begins + -(run_bits // 8) % begins
        if self.part is not None and self.part.channels < dims[3] and code is None:
            share = self.channels / self.part.channels
            beyond = np.where(part_channels, (1 - share) * beyond + share * self.part.beyond, beyond)
        bursts: Floats = (requested + runs * beyond) / burst
        return bursts, np.where(part_channels & part_row, rows * images, np.where(part_row & part_map, images, 1))
