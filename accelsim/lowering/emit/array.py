"""Layers on the array: convolutions, and products of two feature maps."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from math import prod
from typing import NamedTuple

import numpy as np

from accelsim.dataflows import DATAFLOWS
from accelsim.dataflows.contract import Gemm
from accelsim.dataflows.timing import Ratio
from accelsim.dataflows.work import ArrayContext, array_work
from accelsim.lowering.emit.iterations import (
    channels_of,
    cuts,
    input_windows,
    loops,
    right_regions,
    roles,
    tap_cuts,
)
from accelsim.lowering.emit.layer import Iteration, LayerEmission, TilePlaces, all_channels, block_elements, largest
from accelsim.lowering.emit.readers import result_channels
from accelsim.lowering.emit.reuse import TileReuse, slots_of
from accelsim.lowering.ir import IFMAP_LOOPS, WEIGHT_LOOPS, Absorbed, loop_turns
from accelsim.lowering.placement import Placement
from accelsim.lowering.tiling.footprint import ifmap_slots
from accelsim.network.array import mac_counts, work_counts
from accelsim.network.geometry import (
    MapBlock,
    gemm_of,
    input_window,
    kernel_positions,
    line_buffer_ratio,
    pixels_under,
    work_block,
)
from accelsim.network.graph import Node
from accelsim.network.ops import bytes_under_way, ops_per_element
from accelsim.program.commands import Buffer, Tile, Work
from accelsim.program.folds import FoldChain
from accelsim.program.tensors import Range, elements, region_bytes, share_of_tile
from accelsim.records import ActionCounts
from accelsim.unit_kinds import ARRAY
from accelsim.units import ceil_div, packed_bytes


class _Operands(NamedTuple):
    """Operands of an iteration, which decide its clocks and actions.

    pixels: of its results; pooled: that are left of them behind the array; taps: kernel positions; inputs: to a sum, of
    each; positions: of all pixels that are not on padding, and under: as folds carry them; weights: elements, of which
    nonzero, and their bytes.
    """

    gemm: Gemm
    pixels: int
    pooled: int
    channels: int
    taps: int
    inputs: int
    positions: int
    under: int
    reuse: Ratio
    first: bool
    last: bool
    weights: int
    nonzeros: int
    weight_bytes: int


MOST_KNOWN = 1 << 12
"""Parts of a layer of which is kept what was found for them."""


class _LayerPart(NamedTuple):
    """The part of a layer that an iteration works on, as far as its clocks and actions depend on it, where weights are
    stored one by one and not pruned."""

    block: MapBlock
    taps: Range | None
    inputs: Range
    groups: int
    outputs: int


class _Done(NamedTuple):
    """The folds of an iteration, clocks by which ports lengthen their streams, and its actions.

    beside: those of the operators on the ways to and from the array, by number of the layer.
    """

    chain: FoldChain
    stretched_cycles: int
    actions: ActionCounts
    beside: tuple[tuple[int, ActionCounts], ...]


@dataclass(slots=True)
class ArrayEmission(LayerEmission):
    """A layer on the array in one pass. done: of iterations so far, by what they depend on; parts: the same by their
    part of the layer; windows: what blocks read of the map under kernel positions; keeps_maps, keeps_right:
    whether a tile of the operand stays until the loop that it does not depend on goes on; band: see `loops`;
    keeps_right_on: whether tiles of the right operand stay from one band to the next; shortcut_bytes: of the largest
    tile that is added to results."""

    array: ArrayContext = field(init=False)
    done: dict[_Operands, _Done] = field(default_factory=dict)
    parts: dict[_LayerPart, _Done] = field(default_factory=dict)
    windows: dict[tuple[MapBlock, Range | None], MapBlock] = field(default_factory=dict)
    keeps_maps: bool = field(init=False)
    keeps_right: bool = field(init=False)
    band: int | None = field(init=False)
    keeps_right_on: bool = field(init=False)
    shortcut_bytes: int = 0

    def __post_init__(self) -> None:
        plan = self.layer.plan
        self.array = replace(self.layer.context.array, dataflow=plan.dataflow)
        self.reuse = TileReuse.of(plan)
        low, high = self.shared.residents.plan.residency.rooms[self.layer.index]
        self.slots = slots_of(plan, ifmap_slots(self.layer.task, self.layer.context, plan, high - low))
        turns = loop_turns(self.layer.task, plan)
        self.keeps_maps = _tiles_inside(turns, "outputs", IFMAP_LOOPS) <= plan.ifmap_tiles
        self.keeps_right = _tiles_inside(turns, "map", WEIGHT_LOOPS) <= plan.weight_tiles
        self.band = turns["map"] if "bands" in turns else None
        self.keeps_right_on = self.band is None or _tiles_inside(turns, "bands", WEIGHT_LOOPS) <= plan.weight_tiles
        self.measure()

    def measure(self) -> None:
        """See `LayerEmission`."""
        node, plan = self.layer.node, self.layer.plan
        rows, cols = (next(cuts(*each)) for each in ((node.output.height, plan.rows), (node.output.width, plan.cols)))
        images = Range(0, 1 if node.op.multiplies_maps else min(plan.images, self.shared.batch))
        self._measure_maps(images)
        for region in self._weight_regions():
            self._measure_right(images, region)
        pixels = block_elements(Work(images, rows, cols, Range(0, 1), Range(0, 1)))
        for channels in result_channels(self.layer):
            self.note_stores(pixels, np.arange(*channels[:2]))
            if node.shortcut:
                self._note_shortcut(pixels, self.shared.maps.by_name[node.shortcut], channels)
        if self.store_bytes and self.shortcut_bytes:
            self.store_bytes = self.shortcut_bytes = max(self.store_bytes, self.shortcut_bytes)

    def _note_shortcut(self, pixels: int, place: Placement, channels: Range) -> None:
        """Take note of the size of what is added to results of `pixels` pixels and these channels."""
        parts = self.loaded_channels(place.tensor, place.reads(*channels[:2]))
        if len(parts) == 1:
            self.shortcut_bytes = max(self.shortcut_bytes, packed_bytes(pixels * parts[0].size, place.tensor.bits))

    def _measure_maps(self, images: Range) -> None:
        node, plan = self.layer.node, self.layer.plan
        place = self.shared.maps.by_name[node.inputs[0]]
        outputs = tuple(cuts(node.output.height, plan.rows)), tuple(cuts(node.output.width, plan.cols))
        windows = (input_windows(node, *outputs, taps) for taps in tap_cuts(node, plan))
        pixels = images.size * max(largest(rows) * largest(cols) for rows, cols in windows)
        each = node.sizes[0].channels // node.groups
        for groups, ins in product(cuts(node.groups, plan.groups), cuts(each, plan.in_channels)):
            wanted = place.reads(*channels_of(groups, ins, each)[:2])
            parts = self.loaded_channels(place.tensor, wanted)
            sizes = (packed_bytes(pixels * part.size, place.tensor.bits) for part in parts)
            self.note_loads((TilePlaces(place.tensor, Buffer.ACTIVATION), size) for size in sizes)

    def _measure_right(self, images: Range, region: tuple[Range, Range, Range, Range]) -> None:
        node, weights = self.layer.node, self.layer.weights
        if weights is not None:
            self.note_loads([(TilePlaces(weights, Buffer.WEIGHT), region_bytes(weights, region))])
        else:
            tensor = self.shared.maps.by_name[node.inputs[1]].tensor
            found = right_regions(node, images, *region[:3])
            self.note_loads((TilePlaces(tensor, Buffer.WEIGHT), region_bytes(tensor, each)) for each in found)

    def _weight_regions(self) -> Iterator[tuple[Range, Range, Range, Range]]:
        """Groups, output and input channels and kernel positions of the tiles of the right operand, or only of the
        largest where it shows."""
        node, plan, weights = self.layer.node, self.layer.plan, self.layer.weights
        axes = (
            cuts(node.groups, plan.groups),
            cuts(node.output.channels // node.groups, plan.out_channels),
            cuts(node.sizes[0].channels // node.groups, plan.in_channels),
            cuts(node.window.elements, plan.taps or node.window.elements),
        )
        if weights is not None and weights.compressed_bits is None:
            groups, outs, ins, taps = map(next, axes)
            yield groups, outs, ins, taps
        else:
            yield from product(*axes)

    def iterations(self) -> Iterator[Iteration]:
        """See `LayerEmission`."""
        node, plan, reuse = self.layer.node, self.layer.plan, self.reuse
        group_inputs, group_outputs = node.sizes[0].channels // node.groups, node.output.channels // node.groups
        place, post_latency = self.shared.maps.by_name[node.inputs[0]], self.shared.machine.array.post_latency
        stationary = DATAFLOWS[plan.dataflow].stationary
        maps: tuple[Tile, ...] = ()
        right: tuple[Tile, ...] = ()
        for block, groups, outs, (taps, ins) in loops(node, self.shared.batch, plan, self.band):
            region = (*self._window(block, taps), place.reads(*channels_of(groups, ins, group_inputs)[:2]))
            maps_before, right_before = maps, right
            maps = reuse.map_tiles(self.map_tiles, place, region, (block, taps))
            right = self._right_tiles(block, groups, outs, ins, taps)
            if maps is not maps_before:
                self.reserve(maps)
            if right is not right_before:
                self.reserve(right)
            first = ins.start == 0 and (taps is None or taps.start == 0)
            last = ins.stop == group_inputs and (taps is None or taps.stop == node.window.elements)
            work = Work(*block, channels_of(groups, outs, group_outputs), ins, first, last, taps)
            results = self._iteration_results(work) if last else ()
            fills = last and (not plan.gathers or (groups.stop == node.groups and outs.stop == group_outputs))
            added = self._added(work) if last and node.shortcut else ()
            done = self._done_of_part(_LayerPart(block, taps, ins, groups.size, outs.size), work, right)
            yield Iteration(
                ARRAY,
                work,
                *roles(stationary, maps, right),
                results,
                results if fills else (),
                done.actions,
                done.chain,
                post_cycles=post_latency if last else 0,
                stretched_cycles=done.stretched_cycles,
                beside=done.beside,
                fill_cycles=self._fill_cycles(work),
                added=added,
                released=(
                    *(self.loaded(added) if fills else ()),
                    *(() if self.keeps_maps and outs.stop < group_outputs else self.loaded(maps)),
                    *(() if self.keeps_right and not self._is_last_block(block) else self.loaded(right)),
                ),
            )

    def _window(self, block: MapBlock, taps: Range | None) -> MapBlock:
        """The part of the input map that a block reads under these kernel positions."""
        key = block, taps
        found = self.windows.get(key)
        if found is None:
            if len(self.windows) == MOST_KNOWN:
                self.windows.clear()
            found = self.windows[key] = input_window(self.layer.node, block, taps)
        return found

    def _fill_cycles(self, work: Work) -> int:
        """Clocks in which the DMA writes the zeros that sums begin with, a row of the array's columns in each."""
        machine = self.shared.machine
        if machine.sram.accumulator.fill is None or not work.first:
            return 0
        return block_elements(work) * ceil_div(work.channels.size, machine.array.cols)

    def _is_last_block(self, block: MapBlock) -> bool:
        """True where no other block of the output map follows, of the image for a product, or of a band."""
        node, (images, rows, cols) = self.layer.node, block
        last_image = node.op.multiplies_maps or images.stop == self.shared.batch
        is_last = last_image and (rows.stop, cols.stop) == (node.output.height, node.output.width)
        return is_last or (not self.keeps_right_on and self._ends_band(block))

    def _ends_band(self, block: MapBlock) -> bool:
        """True where a block is the last of a band."""
        node, plan = self.layer.node, self.layer.plan
        assert self.band is not None
        sizes = plan.images, plan.rows, plan.cols
        images, rows, cols = (part.start // size for part, size in zip(block, sizes, strict=True))
        images = 0 if node.op.multiplies_maps else images
        down, across = ceil_div(node.output.height, plan.rows), ceil_div(node.output.width, plan.cols)
        return ((images * down + rows) * across + cols + 1) % self.band == 0

    def _right_tiles(
        self, block: MapBlock, groups: Range, outs: Range, ins: Range, taps: Range | None
    ) -> tuple[Tile, ...]:
        """Tiles of the weights, or of the right map of a product."""
        node, weights = self.layer.node, self.layer.weights
        if weights is not None:
            return self.weight_tiles((groups, outs, ins, taps or Range(0, weights.dims[3])))
        place = self.shared.maps.by_name[node.inputs[1]]
        return self.reuse.right_tiles(place, tuple(right_regions(node, block[0], groups, outs, ins)))

    def _iteration_results(self, work: Work) -> tuple[Tile, ...]:
        """The tiles an iteration fills: its own, or those of all channels of its block."""
        if not self.layer.plan.gathers:
            return self.results(work, all_channels(work))
        block = (work.images, work.rows, work.cols)
        if self.reuse.results_block != block:
            self.reuse.results_block = block
            self.reuse.results = self.results(work, np.arange(self.layer.node.output.channels))
        return self.reuse.results

    def _added(self, work: Work) -> tuple[Tile, ...]:
        """The tiles that are added to the results of an iteration, which are those of a tile of results."""
        node, block = self.layer.node, (work.images, work.rows, work.cols)
        assert node.shortcut is not None
        place = self.shared.maps.by_name[node.shortcut]
        channels = Range(0, node.output.channels) if self.layer.plan.gathers else work.channels
        region = (*block, place.reads(*channels[:2]))
        before = self.reuse.shortcut
        tiles = self.reuse.shortcut_tiles(self.map_tiles, place, region)
        loaded = self.loaded(tiles)
        if tiles is not before and len(loaded) == 1:
            loaded[0].place_bytes = self.shortcut_bytes
        return tiles

    def _done_of_part(self, part: _LayerPart, work: Work, right: tuple[Tile, ...]) -> _Done:
        weights = self.layer.weights
        if weights is None or weights.compressed_bits is not None or self.layer.node.pruning:
            return self._done(work, right)
        done = self.parts.get(part)
        if done is None:
            if len(self.parts) == MOST_KNOWN:
                self.parts.clear()
            done = self.parts[part] = self._done(work, right)
        return done

    def _done(self, work: Work, right: tuple[Tile, ...]) -> _Done:
        node = self.layer.node
        weights = nonzeros = sum(elements(tile.region) for tile in right)
        if node.op.weighted and node.pruning:
            nonzeros = sum(share_of_tile(tile.tensor, tile.region, node.nonzeros) for tile in right)
        operands = _Operands(
            gemm_of(node, work, self.array.patch),
            elements(work_block(node, work)),
            block_elements(work),
            work.channels.size,
            node.window.elements if work.taps is None else work.taps.size,
            work.reduction.size,
            kernel_positions(node, work),
            pixels_under(node, work, self.array.patch),
            line_buffer_ratio(node, work, self.shared.machine.sram.line_buffer, self.array.dataflow, self.array.patch),
            work.first,
            work.last,
            weights,
            nonzeros,
            sum(tile.bytes for tile in right),
        )
        done = self.done.get(operands)
        if done is None:
            done = self.done[operands] = self._looked_up(operands)
        return done

    def _looked_up(self, operands: _Operands) -> _Done:
        gemm, reuse, array = operands.gemm, operands.reuse, self.array
        node = self.layer.node
        done = array_work(gemm, array, first=operands.first, last=operands.last, reuse=reuse)
        read = done.ifmap_passes * gemm.groups * operands.inputs * operands.under * reuse.part // reuse.whole
        outputs = min(done.outputs, operands.pixels * operands.channels)
        written = outputs * operands.pooled // operands.pixels
        actions = ActionCounts(
            **_macs(node, operands, array),
            **work_counts(done, array, read, operands.weight_bytes, outputs, written),
        )
        beside = (*self._on_way(self.layer.before, read, read), *self._on_way(self.layer.after, outputs, written))
        return _Done(done.chain, done.chain.stream_cycles - done.unstretched_cycles, actions, beside)

    def _on_way(self, way: Iterable[Absorbed], elements: int, pooled: int) -> Iterator[tuple[int, ActionCounts]]:
        """Operations of what is done to elements on their way. Each row of a pool's window but the first goes on with
        what the row above has left in the pool's memory. pooled: elements that are left behind a pool."""
        for number, node in way:
            elements = pooled if node.op.slides else elements
            read = elements if node.op.station == "add" else 0
            kept = elements * (node.window.vertical.kernel - 1) * bytes_under_way(node, self.array.ofmap_bits)
            yield (
                number,
                ActionCounts(
                    vector_ops=elements * ops_per_element(node),
                    sram_read_ifmap_bytes=packed_bytes(read, self.array.ofmap_bits),
                    sram_read_pool_bytes=kept,
                    sram_write_pool_bytes=kept,
                ),
            )


def _tiles_inside(turns: Mapping[str, int], loop: str, depends: Collection[str]) -> int:
    """Tiles of an operand that the loops inside of one touch."""
    inside = list(turns)[list(turns).index(loop) + 1 :]
    return prod(turns[inner] for inner in inside if inner in depends)


def _macs(node: Node, operands: _Operands, array: ArrayContext) -> dict[str, int]:
    """MACs that are done, and those that take energy: the others meet a zero of the padding or a pruned weight."""
    zeros = node.pruning.zeros if node.pruning else "nothing"
    counted = operands.weights if zeros == "nothing" else operands.nonzeros
    done = operands.nonzeros if zeros == "skip" else operands.weights
    return mac_counts(node, array, operands.pixels * done, operands.positions * counted // operands.taps)
