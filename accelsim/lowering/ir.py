"""What tilers share: plans, the shapes they are for, and the limits of the machine (docs/machine.md section 5).

The tiles of the vector unit are here too: the largest of which two fit, and at least four of a map.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np

from accelsim.config.machine import Machine, Objective
from accelsim.dataflows.contract import DataflowName
from accelsim.dataflows.work import ArrayContext
from accelsim.energy.price import price
from accelsim.errors import LoweringError
from accelsim.lowering.layout import Layout
from accelsim.network.graph import Node
from accelsim.operators.shapes import Shape, Window
from accelsim.records import ActionCounts
from accelsim.units import ceil_div, packed_bytes

Loop = Literal["groups", "map", "outputs", "inputs"]
Order = tuple[Loop, Loop, Loop, Loop]
"""Loops over the tiles of a layer, outermost first; the map is that of the output."""

Size = Any
"""A number, or an array of numbers."""

ResidentChannels = Mapping[str, int]
"""How many channels of each map stay on chip, the leading ones."""

NO_RESIDENTS: ResidentChannels = MappingProxyType({})

Fits = Callable[[int, int, int], bool]
"""Whether so many images, rows and columns of outputs fit."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """Tile sizes of a layer: output images, rows and columns; groups; output and input channels of a group.

    order: a tile stays on chip while the loops inside of those that it depends on go on. With the input channels
    innermost the sums are stationary, with the output channels the map, with the map the weights.
    """

    images: int
    rows: int
    cols: int
    groups: int
    out_channels: int
    in_channels: int
    order: Order = ("map", "groups", "outputs", "inputs")
    dataflow: DataflowName = "ws"

    @property
    def gathers(self) -> bool:
        """Whether the results of all channels leave together, for each piece of the map; else those of each piece."""
        return self.order[0] == "map"


@dataclass(frozen=True, slots=True)
class LayerTask:
    """What the choice of a plan depends on, names left out, so that equal layers are planned once.

    source_channels, target_channels: of the tensors that input and output lie in, more than their own where these are
    parts of a concat. scattered: whether neighbouring output channels are stored apart (a channel shuffle follows).
    loaded: channels of all inputs that come from DRAM, the others being on chip; stored: those of the output that go
    there.
    times: how often the plan is carried out, each time on other operands (a product of maps, image by image).
    """

    batch: int
    size: Shape
    output: Shape
    window: Window
    groups: int
    source_channels: int
    target_channels: int
    scattered: bool
    loaded: int
    stored: int
    times: int = 1

    @classmethod
    def of(cls, node: Node, batch: int, maps: Layout) -> LayerTask:
        """The shape of a node's first input and output, placed so in DRAM, where all maps go.

        A product of two maps is planned for one image, its right map in the place of weights.
        """
        product = node.op.multiplies_maps
        source, target = maps.by_name[node.inputs[0]], maps.by_name[node.name]
        return cls(
            1 if product else batch,
            node.sizes[0],
            node.output,
            node.window,
            node.groups,
            source.tensor.dims[3],
            target.tensor.dims[3],
            bool(np.any(np.diff(target.channels) != 1)),
            sum(len(maps.by_name[name].channels) for name in loaded_inputs(node)),
            node.output.channels,
            batch if product else 1,
        )

    @property
    def loaded_inputs(self) -> int:
        """Channels of the first input that come from DRAM."""
        return min(self.loaded, self.size.channels)

    @property
    def taps(self) -> int:
        return self.window.elements

    @property
    def positions(self) -> int:
        """(output pixel, kernel position) pairs that are not on padding."""
        vertical = self.window.vertical.reads(0, self.output.height, self.size.height)
        return self.batch * vertical * self.window.horizontal.reads(0, self.output.width, self.size.width)

    @property
    def group_inputs(self) -> int:
        return self.size.channels // self.groups

    @property
    def group_outputs(self) -> int:
        return self.output.channels // self.groups


def loaded_inputs(node: Node) -> tuple[str, ...]:
    """The maps that pass through the activation buffer: the right one of a product is with the weights."""
    return node.inputs[:1] if node.op.multiplies_maps else tuple(dict.fromkeys(node.inputs))


class Prices(NamedTuple):
    """Picojoules of the actions that depend on the plan, and of a clock."""

    dram_byte: float
    sram_byte: float
    register_byte: float
    cycle: float

    @classmethod
    def of(cls, machine: Machine) -> Prices:
        """What the energy table asks for one of each: of a burst that is read, and of a word of the activation buffer,
        by the bytes in it."""
        burst_bytes, word_bytes = machine.dram.burst_bytes, machine.sram.activation.port_bytes_per_cycle
        burst = ActionCounts(dram_read_burst_bytes=burst_bytes, dram_read_commands=1)
        return cls(
            price(burst, 0, machine).total_pj / burst_bytes,
            price(ActionCounts(sram_read_ifmap_bytes=word_bytes), 0, machine).total_pj / word_bytes,
            price(ActionCounts(register_bytes=1), 0, machine).total_pj,
            price(ActionCounts(), 1, machine).total_pj,
        )


@dataclass(frozen=True, slots=True)
class TilingContext:
    """What tiles are held to, and what the estimate needs of the machine.

    pinned: the weights are on chip already, and have no limit.
    """

    array: ArrayContext
    overlap: bool
    activation_bytes: int
    weight_bytes: int
    psum_bits_half: int
    bytes_per_cycle: float
    burst_bytes: int
    setup_cycles: int
    window_bursts: int
    latency_cycles: float
    line_buffer: bool
    objective: Objective
    dataflows: tuple[DataflowName, ...]
    prices: Prices
    pinned: bool = False

    @classmethod
    def of(cls, machine: Machine) -> TilingContext:
        """The limits of a machine."""
        sram, dram = machine.sram, machine.dram
        return cls(
            array=ArrayContext.of(machine),
            overlap=machine.array.overlap,
            activation_bytes=sram.activation.capacity_bytes,
            weight_bytes=sram.weight.capacity_bytes,
            psum_bits_half=sram.accumulator.capacity_bytes // 2 * 8,
            bytes_per_cycle=dram.bytes_per_clock * dram.clock_mhz / machine.array.clock_mhz,
            burst_bytes=dram.burst_bytes,
            setup_cycles=machine.dma.setup_cycles,
            window_bursts=machine.dma.max_outstanding_bursts,
            latency_cycles=dram.latency_clocks * machine.array.clock_mhz / dram.clock_mhz,
            line_buffer=sram.line_buffer,
            objective=machine.scheduling.objective,
            dataflows=("ws", "is", "os") if machine.array.dataflow == "auto" else (machine.array.dataflow,),
            prices=Prices.of(machine),
        )

    @property
    def activation_half(self) -> int:
        """Bytes of which two fit the room for maps."""
        return self.activation_bytes // 2

    @property
    def weight_half(self) -> int:
        """Bytes of which two fit the room for weights."""
        return self.weight_bytes // 2

    @property
    def round_trip_cycles(self) -> float:
        """From the issue of a burst until its data is here."""
        return self.latency_cycles + self.burst_bytes / self.bytes_per_cycle

    def ifmap_reuse(self, shape: LayerTask, dataflow: DataflowName) -> float:
        """Which share of the ifmap elements under the kernel passes the port, if a line buffer keeps the rest."""
        if not self.line_buffer or dataflow == "is":
            return 1.0
        vertical, horizontal = shape.window.vertical, shape.window.horizontal
        each = (max(1, axis.kernel / axis.stride) for axis in (vertical, horizontal))
        return 1 / prod(each)

    @property
    def psums_half(self) -> int:
        """Partial sums in half of the accumulator."""
        return self.psum_bits_half // self.array.psum_bits


def _weight_bytes(shape: LayerTask, limits: TilingContext, groups: int, outs: int, ins: int) -> int:
    if limits.pinned:
        return 0
    bits, weights = limits.array.stored_weights
    return packed_bytes(ceil_div(groups * outs * ins * shape.taps * bits, weights), 1)


def layer_weight_bytes(shape: LayerTask, limits: TilingContext) -> int:
    """Bytes of all weights in one tile."""
    return _weight_bytes(shape, limits, shape.groups, shape.group_outputs, shape.group_inputs)


def largest_map_tile(shape: LayerTask, fits: Fits) -> tuple[int, int, int] | None:
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


def _taken(shape: LayerTask, rows: int, cols: int) -> int:
    """Input pixels under `rows` x `cols` outputs, at most."""
    vertical, horizontal = shape.window.vertical, shape.window.horizontal
    high = min(shape.size.height, (rows - 1) * vertical.stride + (vertical.kernel - 1) * vertical.dilation + 1)
    wide = min(shape.size.width, (cols - 1) * horizontal.stride + (horizontal.kernel - 1) * horizontal.dilation + 1)
    return high * wide


def plan_for_overlap(node: Node, shape: LayerTask, limits: TilingContext) -> tuple[Tiling, int]:
    """Tile sizes for a layer on the vector unit: whole channels where a single output fits, else part of them.

    And the least activation buffer for which they are chosen. Raises LoweringError where one output of one channel does
    not fit.
    """
    channels = shape.output.channels
    while True:
        largest = largest_map_tile(shape, _vector_fits(node, shape, limits, channels))
        if largest is not None:
            return _pipelined(largest, channels), 2 * piece_bytes(node, shape, limits, channels, largest)[0]
        if channels == 1 or not splits_channels(node):
            raise LoweringError("its smallest tile fits no half of the activation buffer")
        channels = ceil_div(channels, 2)


def splits_channels(node: Node) -> bool:
    """Whether a layer on the vector unit can work on some channels and then on others."""
    return node.op.splits


def _vector_fits(node: Node, shape: LayerTask, limits: TilingContext, channels: int) -> Fits:
    def fits(images: int, rows: int, cols: int) -> bool:
        maps, weights = piece_bytes(node, shape, limits, channels, (images, rows, cols))
        return maps <= limits.activation_half and weights <= limits.weight_half

    return fits


def piece_bytes(
    node: Node, shape: LayerTask, limits: TilingContext, channels: int, sizes: tuple[int, int, int]
) -> tuple[int, int]:
    """Bytes of maps and weights of so many images, rows and columns on the vector unit."""
    images, rows, cols = sizes
    taken = images * _taken(shape, rows, cols) * channels
    return vector_bytes(node, shape, limits, channels, images, taken, images * rows * cols * channels)


def vector_bytes(
    node: Node, shape: LayerTask, limits: TilingContext, channels: int, images: Size, taken: Size, given: Size
) -> tuple[Size, int]:
    """Bytes of maps and weights of a piece on the vector unit, from the elements it takes of a map and gives.

    What is on chip already and what stays there take none.
    """
    array = limits.array
    maps = node.op.maps
    factors = images * (channels if node.op.factored else 0)
    loaded = taken * min(shape.loaded, maps * channels) // channels
    total = maps * packed_bytes(ceil_div(loaded, maps), array.ifmap_bits) + packed_bytes(factors, array.ifmap_bits)
    weights = _weight_bytes(shape, limits, channels, 1, 1) if node.is_depthwise else 0
    stored = given * min(shape.stored, channels) // channels
    return total + packed_bytes(stored, array.ofmap_bits), weights


def _pipelined(largest: tuple[int, int, int], channels: int) -> Tiling:
    """At least four pieces of a map that has the rows, so that loads, work and stores overlap."""
    images, rows, cols = largest
    if images == 1:
        rows = ceil_div(rows, 4)
    return Tiling(images, rows, cols, 1, channels, channels)
