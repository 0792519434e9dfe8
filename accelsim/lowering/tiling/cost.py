"""Estimates of many tilings at once: clocks, DRAM bytes, energy.

An estimate only chooses; the counts and clocks of a run are those of the machine.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.dataflows import DATAFLOWS, DataflowName
from accelsim.dataflows.average import AverageFolds, Cut, average_cycles, average_folds, average_moves
from accelsim.dataflows.contract import Dimension
from accelsim.dataflows.timing import Ports, Ratio
from accelsim.dataflows.work import ONE_OUTPUT
from accelsim.lowering.ir import LayerTask, TilingContext
from accelsim.lowering.tiling.space import Candidates, Ints
from accelsim.network.patches import patch_pixels
from accelsim.units import ceil_div

Floats = NDArray[np.floating[Any]]


def requested_bytes(task: LayerTask, context: TilingContext, plans: Candidates) -> Floats:
    """Bytes that DMA asks for; exact where elements are whole bytes (`traffic.traffic`)."""
    moved = _moved_bytes(task, context, plans)
    total: Floats = moved.fmaps + moved.weights + moved.results
    return total


class _Moved(NamedTuple):
    """Bytes that DMA asks for."""

    fmaps: Floats
    weights: Floats
    results: float


def _moved_bytes(task: LayerTask, context: TilingContext, plans: Candidates) -> _Moved:
    array = context.array
    loaded = plans.blocks.taken_total * plans.map_loads_each * (task.loaded_inputs * array.ifmap_bits / 8)
    bits, weights = array.loaded_weights
    all_weights = 0.0 if context.resident_weights else task.weights * bits / weights / 8
    return _Moved(loaded, plans.weight_loads_each * all_weights, task.pixels * task.stored * array.ofmap_bits / 8)


class Estimate:
    """Of each of these plans. compute_cycles: clocks of the array alone, its data on chip."""

    def __init__(self, task: LayerTask, context: TilingContext, dataflow: DataflowName, plans: Candidates) -> None:
        self.task, self.context, self.plans = task, context, plans
        self.dataflow = DATAFLOWS[dataflow]
        self._transfers()
        self.burst_bytes = self._burst_bytes()
        self.folds = self._folds()
        self.compute_cycles = self._array_cycles()
        self.cycles = self._cycles()

    def _transfers(self) -> None:
        """Number, bursts and descriptors of the transfers of each operand; bursts are those of an average one."""
        task, context, plans, blocks = self.task, self.context, self.plans, self.plans.blocks
        array, burst = context.array, context.burst_bytes
        tiles, loaded = plans.group_tiles * plans.in_tiles, max(1, task.loaded_inputs)
        self.map_loads = blocks.count * tiles * plans.map_loads_each * (task.loaded_inputs > 0)
        bursts, self.map_parts = _region(
            (blocks.images, blocks.taken_rows, blocks.taken_cols, np.minimum(plans.groups * plans.ins, loaded)),
            (task.batch, task.size.height, task.size.width, task.source_channels),
            array.ifmap_bits,
            burst,
        )
        largest = blocks.taken * np.minimum(plans.groups * plans.ins, loaded)
        self.map_bursts = bursts * (blocks.taken_total * loaded / (blocks.count * tiles * largest))
        tiles = tiles * plans.out_tiles
        self.weight_loads = tiles * plans.weight_loads_each * (not context.resident_weights)
        bits, weights = array.loaded_weights
        all_weights = task.weights * bits / weights / 8
        self.weight_bursts = all_weights / (tiles * burst) + 0.5
        stored = task.stored or task.output.channels
        channels = np.minimum(np.where(plans.gathers, task.output.channels, plans.groups * plans.outs), stored)
        ranges = np.where(task.scattered & (channels < task.output.channels), channels, 1)
        bursts, parts = _region(
            (blocks.images, blocks.rows, blocks.cols, channels // ranges),
            (task.batch, task.output.height, task.output.width, task.target_channels),
            array.ofmap_bits,
            burst,
        )
        stores = blocks.count * np.where(plans.gathers, 1, plans.group_tiles * plans.out_tiles)
        filled = task.pixels * stored / (stores * blocks.pixels * channels)
        self.stores = stores * (task.stored > 0)
        self.store_bursts, self.store_parts = bursts * ranges * filled, parts * ranges

    def _folds(self) -> AverageFolds:
        task, plans, patch = self.task, self.plans, self.context.array.patch
        cuts: dict[Dimension, Cut] = {
            "m": Cut(plans.blocks.pixels * task.results_each, task.pixels * task.results_each, plans.blocks.count),
            "k": Cut(task.taps * plans.ins, task.taps * task.group_inputs, plans.in_tiles),
            "n": Cut(plans.outs, task.group_outputs, plans.out_tiles),
        }
        if patch != ONE_OUTPUT:
            blocks, one = plans.blocks, np.ones_like(plans.blocks.count)
            steps = blocks.images * ceil_div(blocks.rows, patch.rows) * ceil_div(blocks.cols, patch.cols)
            pixels = patch_pixels(task.window, patch)
            cuts = {
                "m": Cut(steps, steps * blocks.count, blocks.count),
                "k": Cut(pixels * one, pixels, plans.in_tiles),
                "n": Cut(patch.outputs * one, patch.outputs, plans.out_tiles),
            }
        line = plans.blocks.cols if task.output.width > 1 else 0
        return average_folds(self.dataflow, cuts, plans.groups, plans.group_tiles, self.context.array.shape, line)

    def _burst_bytes(self) -> Floats:
        """DRAM bytes, bursts in full."""
        bursts = self.map_loads * self.map_bursts + self.weight_loads * self.weight_bursts
        total: Floats = (bursts + self.stores * self.store_bursts) * self.context.burst_bytes
        return total

    @cached_property
    def energy_pj(self) -> Floats:
        """Energy of what differs from plan to plan: DRAM, SRAM, moves between PEs, leakage."""
        task, array, prices, tiles = self.task, self.context.array, self.context.prices, self.folds.tiles
        bits, weights = array.stored_weights
        outputs = task.batch * task.output.elements * task.results_each
        under_kernel = task.positions * task.size.channels * tiles["n"]
        ifmap_bits = under_kernel * self.context.ifmap_reuse(task, self.dataflow) * array.ifmap_bits
        weight_bits = task.weights * tiles["m"] * bits / weights
        sum_bits = np.maximum(0, outputs * (tiles["k"] - 1)) * array.psum_bits * (not self.dataflow.sums_stay)
        result_bytes = task.pixels * task.output.channels * array.ofmap_bits / 8
        moved = _moved_bytes(task, self.context, self.plans)
        moves = average_moves(self.dataflow, self.folds, array.shape)
        moved_bits = sum(count * width for count, width in zip(moves, array.move_bits(), strict=True))
        total: Floats = (
            self.burst_bytes * prices.dram_byte
            + (ifmap_bits * prices.ifmap_byte + weight_bits * prices.weight_byte + sum_bits * prices.sum_byte) / 8
            + moved.fmaps * prices.ifmap_fill_byte
            + moved.weights * prices.weight_fill_byte
            + result_bytes * prices.result_byte
            + moved.results * prices.store_byte
            + moved_bits / 8 * prices.register_byte
            + self.cycles * prices.cycle
        )
        return total

    def _cycles(self) -> Floats:
        """The busiest of bus, array and DMA engines, with what cannot overlap at the ends of the layer.

        A piece and the loads of the next one overlap, so a piece takes the longer of the two.
        """
        task, context, plans, array = self.task, self.context, self.plans, self.compute_cycles
        period = array / plans.iterations
        map_load = self._transfer(self.map_bursts, self.map_parts)
        weight_load = np.maximum(
            self._transfer(self.weight_bursts, np.ones_like(self.map_parts)), self._decode_cycles()
        )
        store = self._transfer(self.store_bursts, self.store_parts)
        stored = self.stores * self.store_bursts * context.burst_bytes / context.bytes_per_cycle / plans.iterations
        both = np.minimum(self.map_loads, self.weight_loads)
        one = np.maximum(self.map_loads, self.weight_loads) - both
        either = np.where(self.map_loads > self.weight_loads, map_load, weight_load)
        stepwise = (
            both * np.maximum(period, map_load + weight_load + stored)
            + one * np.maximum(period, either + stored)
            + (plans.iterations - both - one) * np.maximum(period, stored)
        )
        last = (task.group_inputs - (plans.in_tiles - 1) * plans.ins) / plans.ins
        full = period * plans.ins * plans.in_tiles / task.group_inputs
        waits = np.minimum(map_load + weight_load, full) - last * full
        stepwise = stepwise + plans.iterations / plans.in_tiles * np.maximum(0, waits) * (plans.in_tiles > 1)
        loads = self.map_loads * map_load + self.weight_loads * weight_load
        busiest = (
            stepwise,
            np.maximum(self.burst_bytes / context.bytes_per_cycle, loads + store) + period,
            map_load + weight_load + array + store,
            self.stores * store,
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

    def _array_cycles(self) -> Floats:
        """All folds, their data on chip, with SRAM ports."""
        array, context = self.context.array, self.context
        ports = Ports(*(Ratio(port.part / port.whole) for port in array.ports(Ratio(), array.stored_weights)))
        ports = ports._replace(ifmap=Ratio(ports.ifmap.part * context.ifmap_reuse(self.task, self.dataflow)))
        result: Floats = average_cycles(self.dataflow, self.folds, ports, array.shape, overlap=context.overlap)
        return result

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


def _region(
    sizes: tuple[Ints, Ints, Ints, Ints], dims: tuple[int, int, int, int], bits: int, burst: int
) -> tuple[Floats, Ints]:
    """(bursts, descriptors) of a region of a row-major tensor, rows beginning anywhere in a burst."""
    images, rows, cols, channels = sizes
    bursts: Floats
    part_channels, part_row, part_map = channels < dims[3], cols < dims[2], rows < dims[1]
    run = channels * np.where(part_channels, 1, cols * np.where(part_row, 1, rows * np.where(part_map, 1, images)))
    runs = images * rows * cols * channels // run
    places = np.gcd(np.gcd(max(1, dims[3] * bits // 8), burst), np.where(part_channels, channels * bits // 8, 0))
    bursts = runs * (run * bits / 8 + burst - places) / burst
    loops = np.where(part_channels & part_row, rows * images, np.where(part_row & part_map, images, 1))
    return bursts, loops
