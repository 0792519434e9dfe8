"""Each layer as Compute commands over tiles, with the actions they take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from accelsim.config.machine import Machine
from accelsim.dataflows.geometry import gemm_of, input_window, kernel_positions, line_buffer_ratio, window_of
from accelsim.dataflows.work import ArrayWork, array_work
from accelsim.lowering.emit.iterations import (
    blocks,
    cuts,
    loops,
    once_each,
    operand_positions,
    operand_region,
    overlap,
    right_regions,
    roles,
    vector_reads,
)
from accelsim.lowering.emit.reuse import TileReuse
from accelsim.lowering.ir import (
    Channels,
    LayerTask,
    Layout,
    Placement,
    Tiling,
    TilingContext,
    copied_channels,
    progressions,
)
from accelsim.lowering.layout import aligned
from accelsim.lowering.schedule.residents import OutgrownError, Residency, in_ring, one_after_the_other
from accelsim.lowering.schedule.weights import WeightResidents
from accelsim.lowering.tiling.cache import TilingCache, naming
from accelsim.lowering.tiling.vector import plan_vector
from accelsim.network.graph import Node, WeightKind
from accelsim.network.ops import on_vector_unit, ops_per_element, vector_cycles
from accelsim.program.commands import Buffer, Compute, Tile, Unit, Work
from accelsim.program.tensors import Range, Region, Tensor, elements, share_of_tile
from accelsim.records import ActionCounts
from accelsim.units import packed_bytes


@dataclass(slots=True)
class Lowerer:
    """Turns one layer after the other into commands; remembers what it placed and the counts of actions.

    counts: of each layer, those of each of its commands; tasks: what the plan of each layer was chosen for.
    tensors: weights by the name of their layer; kept, kept_by: tiles that stay, by the tensor they lie in and by layer;
    kept_channels: which channels of a tensor stay; pinned: tiles of weights that stay; fused_plans, fused_weights: of
    layers that are fused, by name.
    """

    planner: TilingCache
    next_address: int
    residency: Residency
    pins: WeightResidents
    machine: Machine = field(init=False)
    batch: int = field(init=False)
    maps: Layout = field(init=False)
    context: TilingContext = field(init=False)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    counts: list[list[ActionCounts]] = field(default_factory=list)
    tasks: list[tuple[LayerTask, TilingContext] | None] = field(default_factory=list)
    stretched: list[int] = field(default_factory=list)
    plans: list[Tiling | None] = field(default_factory=list)
    kept: dict[Tensor, list[Tile]] = field(default_factory=dict)
    kept_by: dict[str, list[Tile]] = field(default_factory=dict)
    pinned: dict[tuple[str, Region], Tile] = field(default_factory=dict)
    kept_channels: dict[Tensor, NDArray[np.bool_]] = field(default_factory=dict)
    fused_plans: dict[str, Tiling] = field(init=False)
    fused_weights: dict[str, Tile] = field(default_factory=dict)

    def __post_init__(self) -> None:
        planner = self.planner
        self.machine, self.batch, self.maps, self.context = planner.machine, planner.batch, planner.layout, planner.base
        fusions = self.residency.fusions.values()
        self.fused_plans = {name: plan for fusion in fusions for name, plan in fusion.plans.items()}

    def layer(self, index: int, node: Node) -> list[Compute]:
        """The commands of a node, in order. Raises LoweringError."""
        self.counts.append([])
        self.tasks.append(None)
        self.stretched.append(0)
        self.plans.append(None)
        low, high = self.residency.rooms[index]
        self.context = self.planner.context(node, high - low, self.pins)
        return list(self._commands(index, node))

    def _commands(self, index: int, node: Node) -> Iterator[Compute]:
        if node.op.is_address:
            for position, name in enumerate(node.inputs):
                if name in self.maps.copies[node.name]:
                    yield from self._copy(index, node, position)
        elif on_vector_unit(node, self.machine):
            yield from self._vector(index, node)
        else:
            yield from self._convolution(index, node)

    def _count(self, **amounts: int) -> None:
        """Of the command that is being made."""
        self.counts[-1].append(ActionCounts(**amounts))

    def _planned(self, node: Node) -> Tiling:
        """The plan of the layer, kept with what it was chosen for."""
        plan = self.fused_plans.get(node.name)
        if plan is None and on_vector_unit(node, self.machine):
            with naming(node):
                plan = plan_vector(node, self.planner.task(node, self.residency.channels), self.context).tiling
        elif plan is None:
            cost = self.planner.cost(node, self.context.activation_bytes, self.residency.channels, self.pins)
            plan, self.context = cost.tiling, replace(self.context, activation_bytes=cost.most)
        assert plan is not None
        self.plans[-1], self.tasks[-1] = plan, (self.planner.task(node, self.residency.channels), self.context)
        return plan

    def _weight_tensor(self, node: Node, tile: tuple[int, int, int], tile_taps: int | None = None) -> Tensor:
        if node.weights_name in self.tensors:
            return self.tensors[node.weights_name]
        taps = node.window.elements
        dims = (node.groups, node.output.channels // node.groups, node.sizes[0].channels // node.groups, taps)
        bits = self.context.array.weight_bits
        compressed = node.stored_weight_bits(bits) if node.pruning else None
        tensor = Tensor(f"{node.name}.weights", dims, bits, self.next_address, (*tile, tile_taps or taps), compressed)
        self.next_address = aligned(self.next_address + tensor.bytes)
        self.tensors[node.name] = tensor
        return tensor

    def _convolution(self, index: int, node: Node) -> Iterator[Compute]:
        plan = self._planned(node)
        self.context = replace(self.context, array=replace(self.context.array, dataflow=plan.dataflow))
        weights = None
        if node.op.weighted:
            weights = self._weight_tensor(node, (plan.groups, plan.out_channels, plan.in_channels), plan.taps)
        group_inputs, group_outputs = node.sizes[0].channels // node.groups, node.output.channels // node.groups
        source = self.maps.by_name[node.inputs[0]]
        held = TileReuse.of(plan)
        for block, groups, outs, (taps, ins) in loops(node, self.batch, plan):
            inputs = Range(groups.start * group_inputs + ins.start, (groups.stop - 1) * group_inputs + ins.stop)
            outputs = Range(groups.start * group_outputs + outs.start, (groups.stop - 1) * group_outputs + outs.stop)
            ifmaps = held.map_tiles(
                self.tiles_of, source, (*input_window(node, block, taps), source.reads(*inputs[:2])), (block, taps)
            )
            if weights is not None:
                tile = self._weight_tile(node, held, weights, (groups, outs, ins, taps or Range(0, weights.dims[3])))
                right: tuple[Tile, ...] = (tile,)
            else:
                place = self.maps.by_name[node.inputs[1]]
                right = held.right_tiles(place, tuple(right_regions(node, block[0], groups, outs, ins)))
            first = ins.start == 0 and (taps is None or taps.start == 0)
            last = ins.stop == group_inputs and (taps is None or taps.stop == node.window.elements)
            work = Work(*block, outputs, ins, first, last, taps)
            results = self._piece_results(node, work, plan, held) if last else ()
            done = self._array_work(node, work, right)
            yield Compute(
                index,
                Unit.ARRAY,
                work,
                *roles(plan.dataflow, ifmaps, right),
                results,
                chain=done.chain,
                post_cycles=self.machine.array.post_latency if last else 0,
            )

    def _weight_tile(self, node: Node, held: TileReuse, tensor: Tensor, region: Region) -> Tile:
        """The tile of the weights: one for all inferences where they stay."""
        if node.weights_name not in self.pins.names:
            tile = held.weight_tile(tensor, region)
            if node.name in self.fused_plans:
                self.fused_weights[node.name] = tile
            return tile
        return self.pinned.setdefault((tensor.name, region), Tile(tensor, region, Buffer.WEIGHT))

    def _array_work(self, node: Node, work: Work, weights: tuple[Tile, ...]) -> ArrayWork:
        positions = kernel_positions(node, work)
        reuse = line_buffer_ratio(node, work, self.machine.sram.line_buffer, self.context.array.dataflow)
        gemm = gemm_of(node, work)
        array = self.context.array
        done = array_work(gemm, array, first=work.first, last=work.last, reuse=reuse)
        self.stretched[-1] += done.chain.stream_cycles - done.unstretched_cycles
        self._count(
            **self._macs(node, work, positions, weights),
            register_bytes=packed_bytes(done.activation_hops, array.ifmap_bits)
            + packed_bytes(done.weight_hops, array.weight_bits)
            + packed_bytes(done.psum_hops, array.psum_bits),
            sram_read_ifmap_bytes=packed_bytes(
                done.ifmap_passes * gemm.groups * work.reduction.size * positions * reuse.part // reuse.whole,
                array.ifmap_bits,
            ),
            sram_read_weight_bytes=done.weight_passes * sum(tile.bytes for tile in weights),
            sram_read_psum_bytes=packed_bytes(done.psum_reads, array.psum_bits),
            sram_write_psum_bytes=packed_bytes(done.psum_writes, array.psum_bits),
            sram_write_ofmap_bytes=packed_bytes(done.outputs, array.ofmap_bits),
        )
        return done

    def _macs(self, node: Node, work: Work, positions: int, tiles: tuple[Tile, ...]) -> dict[str, int]:
        """MACs that are done, and those that take energy: the others meet a zero of the padding or a pruned weight."""
        taps, array = window_of(node, work.taps).elements, self.context.array
        pixels = work.images.size * work.rows.size * work.cols.size
        weights = nonzeros = sum(elements(tile.region) for tile in tiles)
        if node.op.weighted and node.pruning:
            nonzeros = sum(share_of_tile(tile.tensor, tile.region, node.nonzeros) for tile in tiles)
        zeros = node.pruning.zeros if node.pruning else "nothing"
        active = positions * (weights if zeros == "nothing" else nonzeros) // taps
        signs = node.weight_kind is not WeightKind.INTEGER
        return {
            "macs": pixels * (nonzeros if zeros == "skip" else weights),
            "active_macs": active,
            "multiplier_bit_products": 0 if signs else active * array.weight_bits * array.ifmap_bits,
            "adder_bits": active * array.psum_bits,
            "xnor_ops": active if signs and array.ifmap_bits == 1 else 0,
        }

    def _piece_results(self, node: Node, work: Work, plan: Tiling, held: TileReuse) -> tuple[Tile, ...]:
        """The tiles a piece fills: its own, or those of all channels of its block."""
        if not plan.gathers:
            return self._results(node, work)
        block = (work.images, work.rows, work.cols)
        if held.results_block != block:
            held.results_block = block
            held.results = self._results(node, Work(*block, Range(0, node.output.channels), work.reduction))
        return held.results

    def _results(self, node: Node, work: Work, channels: Channels | None = None) -> tuple[Tile, ...]:
        """The tiles that the outputs of `work` fill, one for each range of channels where they lie; those that stay and
        those that are stored are tiles of their own."""
        if channels is None:
            channels = np.arange(work.channels.start, work.channels.stop)
        place = self.maps.by_name[node.name]
        stay = self.residency.stays.get(node.name)
        leading = stay.channels if stay else 0
        kept, stored = (
            tuple(
                Tile(place.tensor, (work.images, work.rows, work.cols, where), Buffer.ACTIVATION, stays)
                for where in place.writes(part)
            )
            for part, stays in ((channels[channels < leading], True), (channels[channels >= leading], False))
        )
        if stay:
            self.kept.setdefault(place.tensor, []).extend(kept)
            self.kept_by.setdefault(node.name, []).extend(kept)
            mask = self.kept_channels.setdefault(place.tensor, np.zeros(place.tensor.dims[3], dtype=np.bool_))
            mask[place.channels[:leading]] = True
        return (*kept, *stored)

    def addresses(self) -> dict[Tile, int]:
        """Where the tiles that stay lie: those of a map one after the other.

        Raises OutgrownError where tiles of sub-byte data, each rounded up to bytes, need more than their map has.
        """
        found: dict[Tile, int] = {}
        outgrown = set()
        for name, tiles in self.kept_by.items():
            fusion = self.residency.fusions.get(name)
            if fusion is not None:
                found.update(in_ring(fusion, tiles))
                continue
            low = self.residency.addresses[name]
            address = one_after_the_other(tiles, low, found)
            if address > low + self.residency.stays[name].size:
                outgrown.add(name)
        if outgrown:
            raise OutgrownError(outgrown)
        one_after_the_other(self.pinned.values(), self.pins.room, found)
        for fusion in self.residency.fusions.values():
            own = [self.fused_weights[name] for name in fusion.plans if name in self.fused_weights]
            one_after_the_other(own, self.pins.room - sum(tile.bytes for tile in own), found)
        return found

    def tiles_of(self, place: Placement, region: Region) -> tuple[Tile, ...]:
        """The tiles that hold a region of a map: those that stay, and new ones for the channels that do not."""
        kept = self.kept.get(place.tensor)
        if kept is None:
            return (Tile(place.tensor, region, Buffer.ACTIVATION),)
        channels = region[3]
        loaded = np.flatnonzero(~self.kept_channels[place.tensor][channels.start : channels.stop]) + channels.start
        new = (
            Tile(place.tensor, (*region[:3], part), Buffer.ACTIVATION) for part in progressions(tuple(loaded.tolist()))
        )
        return (*new, *(tile for tile in kept if overlap(tile.region, region)))

    def _vector(self, index: int, node: Node) -> Iterator[Compute]:
        plan = self._planned(node)
        weights = self._weight_tensor(node, (plan.out_channels, 1, 1)) if node.is_depthwise else None
        held = TileReuse()
        for channels in cuts(node.output.channels, plan.out_channels):
            for block in blocks(node, self.batch, plan):
                work = Work(*block, channels, Range(0, 1))
                streamed = once_each(self._operands(node, work, held))
                if weights is not None:
                    whole = (channels, Range(0, 1), Range(0, 1), Range(0, weights.dims[3]))
                    streamed = (*streamed, self._weight_tile(node, held, weights, whole))
                yield self._vector_compute(index, node, work, streamed, self._results(node, work))

    def _operands(self, node: Node, work: Work, held: TileReuse) -> Iterator[Tile]:
        for position, name in enumerate(node.inputs):
            place = self.maps.by_name[name]
            if node.op.access_of(node) is not None:
                region = operand_region(node, position, work)
                if region is not None:
                    region = (*region[:3], place.reads(*region[3][:2]))
                    yield from held.operand_tiles(self.tiles_of, place, region, position)
                continue
            wanted = work.channels if not node.op.reads_all else Range(0, node.sizes[0].channels)
            channels = place.reads(*wanted[:2])
            if node.op.factored and position == 1:
                yield from held.factor_tiles(self.tiles_of, place, (work.images, Range(0, 1), Range(0, 1), channels))
            else:
                window = input_window(node, (work.images, work.rows, work.cols))
                yield from self.tiles_of(place, (*window, channels))

    def _copy(self, index: int, node: Node, position: int) -> Iterator[Compute]:
        """A concat's or shuffle's input, moved to where it belongs. Channels of the work are those of the input."""
        plan = self._planned(node)
        goes_to = copied_channels(node, position)
        place = self.maps.by_name[node.inputs[position]]
        for channels in cuts(node.sizes[position].channels, plan.out_channels):
            for block in blocks(node, self.batch, plan):
                work = Work(*block, channels, Range(position, position + 1))
                sources = self.tiles_of(place, (*block, place.reads(*channels[:2])))
                results = self._results(node, work, goes_to[channels.start : channels.stop])
                yield self._vector_compute(index, node, work, sources, results)

    def _vector_compute(
        self, index: int, node: Node, work: Work, streamed: tuple[Tile, ...], results: tuple[Tile, ...]
    ) -> Compute:
        outputs = work.images.size * work.rows.size * work.cols.size * work.channels.size
        operations = outputs * ops_per_element(node)
        once = self.machine.sram.line_buffer
        read = sum(
            vector_reads(node, position, work, once=once) * self.planner.bits(name)
            for position, name in operand_positions(node, work)
        )
        read_bytes, written_bytes = packed_bytes(read, 1), packed_bytes(outputs, self.planner.bits(node.name))
        weight_bytes = sum(tile.bytes for tile in streamed if tile.buffer is Buffer.WEIGHT)
        depthwise = node.op.weighted
        self._count(
            macs=operations if depthwise else 0,
            vector_ops=operations,
            sram_read_ifmap_bytes=read_bytes,
            sram_read_weight_bytes=weight_bytes,
            sram_write_ofmap_bytes=written_bytes,
        )
        cycles = vector_cycles(self.machine, operations, read_bytes, written_bytes)
        return Compute(index, Unit.VECTOR, work, (), streamed, results, vector_cycles=cycles)
