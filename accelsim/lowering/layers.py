"""Each layer as Compute commands over tiles, with the actions they take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from accelsim.config.machine import Machine
from accelsim.errors import LoweringError
from accelsim.lowering.array_work import ArrayWork, Reuse, array_work
from accelsim.lowering.dataflows import Gemm
from accelsim.lowering.placement import Channels, Maps, Placement, aligned, copied_channels
from accelsim.lowering.tiling import LayerShape, Limits, Plan, plan_convolution, plan_vector
from accelsim.lowering.vector_work import on_vector_unit, ops_per_element, vector_cycles
from accelsim.network.graph import Axis, Node, Op
from accelsim.program.commands import Buffer, Compute, Tile, Unit, Work
from accelsim.program.tensors import Range, Tensor, elements
from accelsim.records import ActionCounts
from accelsim.units import packed_bytes

Block = tuple[Range, Range, Range]
"""Output images, rows and columns of a piece."""


@dataclass(slots=True)
class Lowerer:
    """Turns one layer after the other into commands; remembers addresses of weights and counts of actions."""

    machine: Machine
    limits: Limits
    batch: int
    maps: Maps
    next_address: int
    weights: list[Tensor] = field(default_factory=list)
    counts: list[ActionCounts] = field(default_factory=list)
    stretched: list[int] = field(default_factory=list)
    plans: list[Plan | None] = field(default_factory=list)

    def layer(self, index: int, node: Node) -> list[Compute]:
        """The commands of a node, in order. Raises LoweringError."""
        self.counts.append(ActionCounts())
        self.stretched.append(0)
        self.plans.append(None)
        try:
            return list(self._commands(index, node))
        except LoweringError as error:
            raise LoweringError(f"{node.name}: {error}") from None

    def _commands(self, index: int, node: Node) -> Iterator[Compute]:
        if node.op in (Op.CONCAT, Op.SHUFFLE):
            for position, name in enumerate(node.inputs):
                if name in self.maps.copies[node.name]:
                    yield from self._copy(index, node, position)
        elif on_vector_unit(node, self.machine):
            yield from self._vector(index, node)
        else:
            yield from self._convolution(index, node)

    def _count(self, **amounts: int) -> None:
        self.counts[-1] = self.counts[-1] + ActionCounts(**amounts)

    def _weight_tensor(self, node: Node, tile: tuple[int, int, int]) -> Tensor:
        taps = node.window.elements
        dims = (node.groups, node.output.channels // node.groups, node.sizes[0].channels // node.groups, taps)
        bits = self.machine.array.weight_bits
        tensor = Tensor(f"{node.name}.weights", dims, bits, self.next_address, (*tile, taps))
        self.next_address = aligned(self.next_address + tensor.bytes)
        self.weights.append(tensor)
        return tensor

    def _convolution(self, index: int, node: Node) -> Iterator[Compute]:
        scattered = bool(np.any(np.diff(self.maps.by_name[node.name].channels) != 1))
        plan = plan_convolution(LayerShape.of(node, self.batch, scattered=scattered), self.limits)
        self.plans[-1] = plan
        weights = self._weight_tensor(node, (plan.groups, plan.out_channels, plan.in_channels))
        source = self.maps.by_name[node.inputs[0]]
        held = _Held()
        for block, groups, outs, ins in _loops(node, self.batch, plan):
            group_inputs, group_outputs = weights.dims[2], weights.dims[1]
            inputs = Range(groups.start * group_inputs + ins.start, (groups.stop - 1) * group_inputs + ins.stop)
            outputs = Range(groups.start * group_outputs + outs.start, (groups.stop - 1) * group_outputs + outs.stop)
            ifmap = held.tile(source, (*_window(node, block), source.reads(*inputs[:2])))
            weight = held.weight_tile(weights, (groups, outs, ins, Range(0, weights.dims[3])))
            first, last = ins.start == 0, ins.stop == group_inputs
            work = Work(*block, outputs, ins, first, last)
            results = self._piece_results(node, work, plan, held) if last else ()
            done = self._array_work(node, work, groups.size, outs.size)
            yield Compute(
                index,
                Unit.ARRAY,
                work,
                *_roles(self.machine.array.dataflow, ifmap, weight),
                results,
                chain=done.chain,
                post_cycles=self.machine.array.post_latency if last else 0,
            )

    def _array_work(self, node: Node, work: Work, groups: int, outs: int) -> ArrayWork:
        pixels = work.images.size * work.rows.size * work.cols.size
        positions = _positions(node, work)
        reuse = self._reuse(node, work, positions)
        gemm = Gemm(groups, pixels, node.window.elements * work.reduction.size, outs)
        done = array_work(gemm, self.limits.array, first=work.first, last=work.last, reuse=reuse)
        array = self.machine.array
        ins = groups * work.reduction.size
        self.stretched[-1] += done.chain.stream_cycles - done.unstretched_cycles
        self._count(
            macs=gemm.groups * gemm.m * gemm.k * gemm.n,
            active_macs=positions * ins * outs,
            register_bytes=packed_bytes(done.activation_hops, array.activation_bits)
            + packed_bytes(done.weight_hops, array.weight_bits)
            + packed_bytes(done.psum_hops, array.psum_bits),
            sram_read_ifmap_bytes=packed_bytes(
                done.ifmap_passes * ins * positions * reuse.pixels // reuse.positions, array.activation_bits
            ),
            sram_read_weight_bytes=packed_bytes(done.weight_reads, array.weight_bits),
            sram_read_psum_bytes=packed_bytes(done.psum_reads, array.psum_bits),
            sram_write_psum_bytes=packed_bytes(done.psum_writes, array.psum_bits),
            sram_write_ofmap_bytes=packed_bytes(done.outputs, array.activation_bits),
        )
        return done

    def _reuse(self, node: Node, work: Work, positions: int) -> Reuse:
        """What a line buffer saves; an operand that is pinned is read once anyway."""
        if not self.machine.sram.line_buffer or self.machine.array.dataflow == "is":
            return Reuse()
        return Reuse(_pixels(node, work), positions) if positions else Reuse()

    def _piece_results(self, node: Node, work: Work, plan: Plan, held: _Held) -> tuple[Tile, ...]:
        """The tiles a piece fills: its own, or those of all channels of its block."""
        if plan.channels_outer:
            return self._results(node, work)
        block = (work.images, work.rows, work.cols)
        if held.block != block:
            held.block = block
            held.results = self._results(node, Work(*block, Range(0, node.output.channels), work.reduction))
        return held.results

    def _results(self, node: Node, work: Work, channels: Channels | None = None) -> tuple[Tile, ...]:
        """The tiles that the outputs of `work` fill, one for each range of channels where they lie."""
        if channels is None:
            channels = np.arange(work.channels.start, work.channels.stop)
        place = self.maps.by_name[node.name]
        return tuple(
            Tile(place.tensor, (work.images, work.rows, work.cols, where), Buffer.ACTIVATION)
            for where in place.writes(channels)
        )

    def _vector(self, index: int, node: Node) -> Iterator[Compute]:
        plan = plan_vector(node, self.batch, self.limits)
        self.plans[-1] = plan
        weights = self._weight_tensor(node, (plan.out_channels, 1, 1)) if node.is_depthwise else None
        held = _Held()
        for channels in _tiles(node.output.channels, plan.out_channels):
            for block in _blocks(node, self.batch, plan):
                work = Work(*block, channels, Range(0, 1))
                streamed = _once(self._operands(node, work, held))
                if weights is not None:
                    whole = (channels, Range(0, 1), Range(0, 1), Range(0, weights.dims[3]))
                    streamed = (*streamed, held.weight_tile(weights, whole))
                yield self._vector_compute(index, node, work, streamed, self._results(node, work))

    def _operands(self, node: Node, work: Work, held: _Held) -> Iterator[Tile]:
        for position, name in enumerate(node.inputs):
            place = self.maps.by_name[name]
            wanted = work.channels if node.op is not Op.SUBSAMPLE_PAD else Range(0, node.sizes[0].channels)
            channels = place.reads(*wanted[:2])
            if node.op is Op.SCALE and position == 1:
                yield held.factor_tile(place, (work.images, Range(0, 1), Range(0, 1), channels))
            else:
                window = _window(node, (work.images, work.rows, work.cols))
                yield Tile(place.tensor, (*window, channels), Buffer.ACTIVATION)

    def _copy(self, index: int, node: Node, position: int) -> Iterator[Compute]:
        """A concat's or shuffle's input, moved to where it belongs. Channels of the work are those of the input."""
        plan = plan_vector(node, self.batch, self.limits)
        self.plans[-1] = plan
        goes_to = copied_channels(node, position)
        place = self.maps.by_name[node.inputs[position]]
        for channels in _tiles(node.sizes[position].channels, plan.out_channels):
            for block in _blocks(node, self.batch, plan):
                work = Work(*block, channels, Range(position, position + 1))
                source = Tile(place.tensor, (*block, place.reads(*channels[:2])), Buffer.ACTIVATION)
                results = self._results(node, work, goes_to[channels.start : channels.stop])
                yield self._vector_compute(index, node, work, (source,), results)

    def _vector_compute(
        self, index: int, node: Node, work: Work, streamed: tuple[Tile, ...], results: tuple[Tile, ...]
    ) -> Compute:
        outputs = work.images.size * work.rows.size * work.cols.size * work.channels.size
        operations = outputs * ops_per_element(node)
        bits = self.machine.array.activation_bits
        maps = [tile for tile in streamed if tile.buffer is Buffer.ACTIVATION]
        once = self.machine.sram.line_buffer
        read = sum(_vector_reads(node, work, tile, once=once) for tile in maps)
        read_bytes, written_bytes = packed_bytes(read, bits), packed_bytes(outputs, bits)
        weight_bytes = sum(tile.bytes for tile in streamed if tile.buffer is Buffer.WEIGHT)
        depthwise = node.op is Op.CONV
        self._count(
            macs=operations if depthwise else 0,
            vector_ops=operations,
            sram_read_ifmap_bytes=read_bytes,
            sram_read_weight_bytes=weight_bytes,
            sram_write_ofmap_bytes=written_bytes,
        )
        cycles = vector_cycles(self.machine, operations, read_bytes, written_bytes)
        return Compute(index, Unit.VECTOR, work, (), streamed, results, vector_cycles=cycles)


def _vector_reads(node: Node, work: Work, tile: Tile, *, once: bool) -> int:
    """Elements read of a tile: once for each window over it, padding left out, unless a line buffer reads them once."""
    if node.op in (Op.MAX_POOL, Op.AVG_POOL, Op.CONV):
        return (_pixels if once else _positions)(node, work) * work.channels.size
    return elements(tile.region)


@dataclass(slots=True)
class _Held:
    """Tiles that the piece before left in SRAM, to be used again if the next piece wants the same."""

    map_tile: Tile | None = None
    weights: Tile | None = None
    factors: Tile | None = None
    block: Block | None = None
    results: tuple[Tile, ...] = ()

    def tile(self, place: Placement, region: tuple[Range, ...]) -> Tile:
        """The piece of the map."""
        if self.map_tile is None or self.map_tile.region != region:
            self.map_tile = Tile(place.tensor, region, Buffer.ACTIVATION)
        return self.map_tile

    def weight_tile(self, tensor: Tensor, region: tuple[Range, ...]) -> Tile:
        """The tile of the weights."""
        if self.weights is None or self.weights.region != region:
            self.weights = Tile(tensor, region, Buffer.WEIGHT)
        return self.weights

    def factor_tile(self, place: Placement, region: tuple[Range, ...]) -> Tile:
        """The factors of a scale layer."""
        if self.factors is None or self.factors.region != region:
            self.factors = Tile(place.tensor, region, Buffer.ACTIVATION)
        return self.factors


def _once(tiles: Iterable[Tile]) -> tuple[Tile, ...]:
    """Tiles of equal content (a map added to itself) only once."""
    return tuple({(tile.tensor, tile.region): tile for tile in tiles}.values())


def _roles(dataflow: str, ifmap: Tile, weight: Tile) -> tuple[tuple[Tile, ...], tuple[Tile, ...]]:
    """(stationary, streamed) operands."""
    match dataflow:
        case "ws":
            return (weight,), (ifmap,)
        case "is":
            return (ifmap,), (weight,)
        case _:
            return (), (ifmap, weight)


def _tiles(extent: int, size: int) -> Iterator[Range]:
    for start in range(0, extent, size):
        yield Range(start, min(start + size, extent))


def _blocks(node: Node, batch: int, plan: Plan) -> Iterator[Block]:
    yield from product(
        _tiles(batch, plan.images), _tiles(node.output.height, plan.rows), _tiles(node.output.width, plan.cols)
    )


def _loops(node: Node, batch: int, plan: Plan) -> Iterator[tuple[Block, Range, Range, Range]]:
    """(block, groups, output channels, input channels) of each piece, in the plan's loop order."""
    inputs, outputs = node.sizes[0].channels // node.groups, node.output.channels // node.groups
    blocks = list(_blocks(node, batch, plan))
    channels = list(product(_tiles(node.groups, plan.groups), _tiles(outputs, plan.out_channels)))
    pairs = ((block, pair) for pair in channels for block in blocks)
    if not plan.channels_outer:
        pairs = ((block, pair) for block in blocks for pair in channels)
    for block, (groups, outs) in pairs:
        for ins in _tiles(inputs, plan.in_channels):
            yield block, groups, outs, ins


def _window(node: Node, block: Block) -> Block:
    """The part of the input map that the outputs of a block read."""
    images, rows, cols = block
    vertical, horizontal = node.window.vertical, node.window.horizontal
    return (
        images,
        Range(*vertical.taken(rows.start, rows.stop, node.sizes[0].height)),
        Range(*horizontal.taken(cols.start, cols.stop, node.sizes[0].width)),
    )


def _pixels(node: Node, work: Work) -> int:
    """Input pixels that a piece reads, each counted once."""
    size, window = node.sizes[0], node.window
    high = window.vertical.touched(work.rows.start, work.rows.stop, size.height)
    return work.images.size * high * window.horizontal.touched(work.cols.start, work.cols.stop, size.width)


def _positions(node: Node, work: Work) -> int:
    """(output pixel, kernel position) pairs of a piece that are not on padding."""

    def reads(axis: Axis, part: Range, extent: int) -> int:
        return axis.reads(part.start, part.stop, extent)

    size = node.sizes[0]
    vertical = reads(node.window.vertical, work.rows, size.height)
    return work.images.size * vertical * reads(node.window.horizontal, work.cols, size.width)
