"""A simple tiler: a small set of tile sizes for each layer, the quickest by a rough estimate.

Every tile is at most half of its buffer, so that a tile in use and one in flight both fit (docs/machine.md section
5). What is estimated only chooses; what the machine then simulates is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import inf

from accelsim.config.machine import Machine
from accelsim.errors import LoweringError
from accelsim.lowering.array_work import ArrayMachine, array_work
from accelsim.lowering.dataflows import DATAFLOWS, Gemm, pack_size
from accelsim.network.graph import Node, Op, Shape, Window
from accelsim.program.folds import distance
from accelsim.units import ceil_div, packed_bytes

Fits = Callable[[int, int, int], bool]
"""Whether so many images, rows and columns of outputs fit."""

MOST_PIECES = 1 << 20
"""Of a layer; more would take minutes to simulate and mean that the buffers are too small for it."""

NEARLY = 1.03
"""Plans whose estimated clocks are this near to the least count as equally quick, the estimate being no better than
that: fewer bytes decide, then fewer pieces."""

SPLITS = (1, 2, 4, 8)
"""Into how many pieces the largest tile that fits is tried to be cut, for more overlap."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Tile sizes of a layer: output images, rows and columns; groups; output and input channels of a group.

    channels_outer: whether the loop over channel tiles is outside of that over the map, so that weights stay and each
    piece stores its own channels; else the piece of the map stays, and its results leave when all channels are there.
    """

    images: int
    rows: int
    cols: int
    groups: int
    out_channels: int
    in_channels: int
    channels_outer: bool = False


@dataclass(frozen=True, slots=True)
class LayerShape:
    """What the choice of a plan depends on, names left out, so that equal layers are planned once.

    scattered: whether neighbouring output channels are stored apart (a channel shuffle follows).
    """

    batch: int
    size: Shape
    output: Shape
    window: Window
    groups: int
    scattered: bool = False

    @classmethod
    def of(cls, node: Node, batch: int, *, scattered: bool = False) -> LayerShape:
        """The shape of a node's first input and output."""
        return cls(batch, node.sizes[0], node.output, node.window, node.groups, scattered)

    @property
    def group_inputs(self) -> int:
        return self.size.channels // self.groups

    @property
    def group_outputs(self) -> int:
        return self.output.channels // self.groups


@dataclass(frozen=True, slots=True)
class Limits:
    """What tiles are held to, and what the estimate needs of the machine."""

    array: ArrayMachine
    overlap: bool
    activation_half: int
    weight_half: int
    psums_half: int
    bytes_per_cycle: float
    burst_bytes: int
    setup_cycles: int

    @classmethod
    def of(cls, machine: Machine) -> Limits:
        """The limits of a machine."""
        sram, dram = machine.sram, machine.dram
        return cls(
            array=ArrayMachine.of(machine),
            overlap=machine.array.overlap,
            activation_half=sram.activation.capacity_bytes // 2,
            weight_half=sram.weight.capacity_bytes // 2,
            psums_half=sram.accumulator.capacity_bytes // 2 * 8 // machine.array.psum_bits,
            bytes_per_cycle=dram.bytes_per_clock * dram.clock_mhz / machine.array.clock_mhz,
            burst_bytes=dram.burst_bytes,
            setup_cycles=machine.dma.setup_cycles,
        )


@lru_cache(maxsize=1 << 12)
def plan_convolution(shape: LayerShape, limits: Limits) -> Plan:
    """Tile sizes for a convolution on the array.

    Raises LoweringError where not even the smallest tiles fit.
    """
    estimates = [_Estimate(shape, limits, plan) for plan in _candidates(shape, limits)]
    if not estimates:
        raise LoweringError("its smallest tile fits no half of the SRAM buffers")
    quick_enough = NEARLY * min(estimate.cycles for estimate in estimates)
    best = min(
        (estimate for estimate in estimates if estimate.cycles <= quick_enough),
        key=lambda estimate: (estimate.bus_bytes, estimate.pieces, estimate.cycles),
    )
    if best.pieces > MOST_PIECES:
        raise LoweringError(f"{best.pieces} pieces of tiles as small as fit, of which {MOST_PIECES} are the most")
    return best.plan


def _candidates(shape: LayerShape, limits: Limits) -> Iterator[Plan]:
    for groups, outs, ins in _channel_tiles(shape, limits):
        for outer in (False, True):
            largest = _largest_map_tile(shape, limits, Plan(1, 1, 1, groups, outs, ins, outer))
            for images, rows, cols in _splits(*largest) if largest else ():
                yield Plan(images, rows, cols, groups, outs, ins, outer)


def _channel_tiles(shape: LayerShape, limits: Limits) -> Iterator[tuple[int, int, int]]:
    """(groups, output channels, input channels of a group) of tiles whose weights fit."""
    array = limits.array
    pixels = shape.batch * shape.output.height * shape.output.width
    gemm = Gemm(shape.groups, pixels, _taps(shape) * shape.group_inputs, shape.group_outputs)
    least_ins = ceil_div(array.shape.rows, _taps(shape))
    packed = pack_size(DATAFLOWS[array.dataflow], gemm, array.shape)
    for groups in _halvings(shape.groups, packed):
        if _weight_bytes(shape, limits, groups, shape.group_outputs, shape.group_inputs) <= limits.weight_half:
            yield groups, shape.group_outputs, shape.group_inputs
    for outs in _halvings(shape.group_outputs, array.shape.cols):
        for ins in _halvings(shape.group_inputs, least_ins):
            if _weight_bytes(shape, limits, 1, outs, ins) <= limits.weight_half:
                yield 1, outs, ins
                break
    for ins in (*_halvings(shape.group_inputs, least_ins), 1):
        outs = min(shape.group_outputs, array.shape.cols)
        if _weight_bytes(shape, limits, 1, outs, ins) <= limits.weight_half:
            yield 1, outs, ins
    if _weight_bytes(shape, limits, 1, 1, 1) <= limits.weight_half:
        yield 1, 1, 1


def _halvings(extent: int, unit: int) -> Iterator[int]:
    """The extent, then halves of it rounded up to the unit, down to the unit."""
    size = extent
    yield size
    while size > unit:
        size = ceil_div(ceil_div(size, 2), unit) * unit
        if size >= extent:
            return
        yield size
        if size == unit:
            return


def _taps(shape: LayerShape) -> int:
    return shape.window.elements


def _weight_bytes(shape: LayerShape, limits: Limits, groups: int, outs: int, ins: int) -> int:
    return packed_bytes(groups * outs * ins * _taps(shape), limits.array.weight_bits)


def _largest_map_tile(shape: LayerShape, limits: Limits, plan: Plan) -> tuple[int, int, int] | None:
    """(images, rows, columns) of the largest piece of the map that fits with the plan's channels."""
    pixels = _pixel_limit(shape, limits, plan.groups, plan.out_channels, plan.in_channels)
    bits = limits.array.activation_bits
    results = plan.groups * plan.out_channels if plan.channels_outer else shape.output.channels

    def fits(images: int, rows: int, cols: int) -> bool:
        if images * rows * cols > pixels:
            return False
        taken = _taken(shape, rows, cols) * plan.groups * plan.in_channels
        given = rows * cols * results
        return packed_bytes(images * taken, bits) + packed_bytes(images * given, bits) <= limits.activation_half

    return largest_map_tile(shape, fits)


def largest_map_tile(shape: LayerShape, fits: Fits) -> tuple[int, int, int] | None:
    """Whole images if one fits, else whole rows, else a part of a row; None where not one output fits."""
    height, width = shape.output.height, shape.output.width
    if fits(1, height, width):
        return _most(shape.batch, lambda images: fits(images, height, width)), height, width
    if fits(1, 1, width):
        return 1, _most(height, lambda rows: fits(1, rows, width)), width
    if fits(1, 1, 1):
        return 1, 1, _most(width, lambda cols: fits(1, 1, cols))
    return None


def _most(extent: int, fits: Callable[[int], bool]) -> int:
    """The largest number up to `extent` that fits, where 1 does."""
    low, high = 1, extent
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _taken(shape: LayerShape, rows: int, cols: int) -> int:
    """Input pixels under `rows` x `cols` outputs, at most."""
    vertical, horizontal = shape.window.vertical, shape.window.horizontal
    high = min(shape.size.height, (rows - 1) * vertical.stride + (vertical.kernel - 1) * vertical.dilation + 1)
    wide = min(shape.size.width, (cols - 1) * horizontal.stride + (horizontal.kernel - 1) * horizontal.dilation + 1)
    return high * wide


def _pixel_limit(shape: LayerShape, limits: Limits, groups: int, outs: int, ins: int) -> float:
    """How many output pixels a piece may have for its partial sums to fit half of the accumulator."""
    array = limits.array
    splits_sum = ins < shape.group_inputs
    if array.dataflow == "os":
        if not splits_sum:
            return inf
        return array.shape.rows if outs <= array.shape.cols else 0
    if splits_sum:
        return limits.psums_half // outs
    if array.dataflow == "is":
        if outs * array.shape.cols <= limits.psums_half:
            return inf
        packed = max(1, min(groups, array.shape.rows // (_taps(shape) * ins)))
        return limits.psums_half // (outs * packed)
    gemm = Gemm(groups, 1, _taps(shape) * ins, outs)
    packed = pack_size(DATAFLOWS["ws"], gemm, array.shape)
    return limits.psums_half // min(array.shape.cols, packed * outs)


def _splits(images: int, rows: int, cols: int) -> Iterator[tuple[int, int, int]]:
    """The largest tile and smaller ones, cut along the outermost of its dimensions that can be cut."""
    extent = images if images > 1 else rows if rows > 1 else cols
    for size in dict.fromkeys(ceil_div(extent, parts) for parts in SPLITS):
        if images > 1:
            yield size, rows, cols
        elif rows > 1:
            yield 1, size, cols
        else:
            yield 1, 1, size


class _Estimate:
    """Rough clocks of a layer under a plan: the busier of bus and array, and what can't overlap at its ends."""

    def __init__(self, shape: LayerShape, limits: Limits, plan: Plan) -> None:
        self.shape, self.limits, self.plan = shape, limits, plan
        self.map_tiles = ceil_div(shape.batch, plan.images) * ceil_div(shape.output.height, plan.rows)
        self.map_tiles *= ceil_div(shape.output.width, plan.cols)
        self.out_tiles = ceil_div(shape.group_outputs, plan.out_channels)
        self.in_tiles = ceil_div(shape.group_inputs, plan.in_channels)
        self.channel_tiles = ceil_div(shape.groups, plan.groups) * self.out_tiles * self.in_tiles
        self.pieces = self.map_tiles * self.channel_tiles
        self.map_loads = self.map_tiles * self.channel_tiles
        if not plan.channels_outer and self.in_tiles == 1:
            self.map_loads //= self.out_tiles
        weights_stay = self.channel_tiles == 1 or (plan.channels_outer and self.in_tiles == 1)
        self.weight_loads = self.channel_tiles * (1 if weights_stay else self.map_tiles)
        self.taken = plan.images * _taken(shape, plan.rows, plan.cols)
        self.pixels = plan.images * plan.rows * plan.cols

        period = self._array_period()
        per_load, per_weight, per_store = self._bytes()
        self.bus_bytes = self.map_loads * per_load + self.weight_loads * per_weight + self._stores() * per_store
        bus = self.bus_bytes / limits.bytes_per_cycle + limits.setup_cycles * (self.map_loads + self.weight_loads)
        ends = (per_load + per_weight + per_store) / limits.bytes_per_cycle
        self.cycles = max(bus, float(self.pieces * period)) + ends + period

    def _stores(self) -> int:
        return self.pieces // self.in_tiles if self.plan.channels_outer else self.map_tiles

    def _array_period(self) -> int:
        plan = self.plan
        gemm = Gemm(plan.groups, self.pixels, _taps(self.shape) * plan.in_channels, plan.out_channels)
        chain = array_work(gemm, self.limits.array).chain
        return chain.span + distance(chain.last, chain.first) if self.limits.overlap else chain.serial_cycles

    def _bytes(self) -> tuple[float, float, float]:
        """Burst bytes of a load of the map, of the weights, and of a store."""
        shape, plan = self.shape, self.plan
        inputs, outputs = plan.groups * plan.in_channels, plan.groups * plan.out_channels
        load = self.taken * inputs * self._burst_factor(inputs, whole=inputs == shape.size.channels)
        weights = _weight_bytes(shape, self.limits, plan.groups, plan.out_channels, plan.in_channels)
        if not plan.channels_outer or outputs == shape.output.channels:
            store = float(self.pixels * shape.output.channels)
        else:
            store = self.pixels * outputs * self._burst_factor(1 if shape.scattered else outputs, whole=False)
        scale = self.limits.array.activation_bits / 8
        return scale * load, float(weights), scale * store

    def _burst_factor(self, row_elements: int, *, whole: bool) -> float:
        """Burst bytes over requested ones, where rows are not followed by their neighbours."""
        row = row_elements * self.limits.array.activation_bits / 8
        burst = self.limits.burst_bytes
        return 1.0 if whole else max(1.0, (row - 1) / burst + 1) * burst / row


def plan_vector(node: Node, batch: int, limits: Limits) -> Plan:
    """Tile sizes for a layer on the vector unit: whole channels where a single output fits, else part of them.

    Raises LoweringError where one output of one channel does not fit.
    """
    shape = LayerShape.of(node, batch)
    channels = shape.output.channels
    may_split = node.op not in (Op.SOFTMAX, Op.LRN, Op.SUBSAMPLE_PAD)
    while True:
        largest = largest_map_tile(shape, _vector_fits(node, shape, limits, channels))
        if largest is not None:
            return _pipelined(largest, channels)
        if channels == 1 or not may_split:
            raise LoweringError("its smallest tile fits no half of the activation buffer")
        channels = ceil_div(channels, 2)


def _vector_fits(node: Node, shape: LayerShape, limits: Limits, channels: int) -> Fits:
    bits = limits.array.activation_bits
    maps = 2 if node.op is Op.ADD else 1

    def fits(images: int, rows: int, cols: int) -> bool:
        taken = maps * images * _taken(shape, rows, cols) * channels
        factors = images * channels if node.op is Op.SCALE else 0
        given = images * rows * cols * channels
        weights = packed_bytes(channels * shape.window.elements, limits.array.weight_bits) if node.is_depthwise else 0
        total = maps * packed_bytes(taken // maps, bits) + packed_bytes(factors, bits) + packed_bytes(given, bits)
        return total <= limits.activation_half and weights <= limits.weight_half

    return fits


def _pipelined(largest: tuple[int, int, int], channels: int) -> Plan:
    """At least four pieces of a map that has the rows, so that loads, work and stores overlap."""
    images, rows, cols = largest
    if images == 1:
        rows = ceil_div(rows, 4)
    return Plan(images, rows, cols, 1, channels, channels)
