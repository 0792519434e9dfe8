"""The types that the passes hand on: where feature maps lie, layers as tasks, their tilings, and what these cost.

Whoever explains or checks a compiled network reads these types and no pass's inside.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from accelsim.config.machine import Machine
from accelsim.config.plan import Loop, Order, Results
from accelsim.config.scheduling import Objective
from accelsim.dataflows import DATAFLOWS, DEFAULT, DataflowName
from accelsim.dataflows.contract import Dataflow
from accelsim.dataflows.work import ArrayContext
from accelsim.lowering.given import FREE, GivenTile
from accelsim.lowering.placement import Beyond, Channels, Placement
from accelsim.lowering.prices import Prices
from accelsim.lowering.right_map import RightMap
from accelsim.network.array import array_context
from accelsim.network.graph import Node
from accelsim.operators.shapes import Pooled, Shape, Window
from accelsim.program.tensors import Tensor
from accelsim.unit_kinds import UnitKind
from accelsim.units import ceil_div

ResidentChannels = Mapping[str, int]
"""Channels of each feature map that stay on chip, the leading ones, by the name of the map."""

NO_RESIDENTS: ResidentChannels = MappingProxyType({})

SCORE_TOLERANCE = 1.01
"""Tilings whose estimated score is within this factor of the least count as equal: energy or clocks decide."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Places of all feature maps, inputs that a concat or shuffle still has to copy, and the first free address."""

    by_name: dict[str, Placement]
    copies: dict[str, tuple[str, ...]]
    next_address: int

    def reads(self, node: Node) -> tuple[str, ...]:
        """The maps that a layer works on from the activation buffer: of a concat or shuffle those that it copies."""
        return self.copies[node.name] if node.op.is_address else node.map_inputs

    def written(self, node: Node) -> int:
        """Count of the channels of its map that a layer writes."""
        return len(self.writes(node)) if node.op.is_address else node.output.channels

    def writes(self, node: Node) -> Channels:
        """The channels of its map that a layer writes: of a concat or shuffle those that it copies."""
        if not node.op.is_address:
            return np.arange(node.output.channels)
        copied = (copied_channels(node, place) for place, name in enumerate(node.inputs) if name in self.reads(node))
        return np.sort(np.concatenate([np.arange(0), *copied]))


def copied_channels(node: Node, position: int) -> Channels:
    """The output channels that input number `position` of a concat or shuffle is copied to."""
    assert node.op.goes_to is not None
    return np.array(node.op.goes_to(node, position), dtype=np.int64)


IFMAP_LOOPS = ("groups", "bands", "map", "inputs")
WEIGHT_LOOPS = ("groups", "outputs", "inputs")
"""The loops that a tile of the operand depends on."""

Sizes = tuple[int, int, int, int, int, int, int | None]
"""Images, rows, columns, groups, output channels, input channels and kernel positions of a tile, None for all."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """Tile sizes of a layer: output images, rows and columns; groups; output and input channels of a group.

    order: a tile stays on chip while the loops inside of those that it depends on go on. With the input channels
    innermost the sums are stationary, with the output channels the map, with the map the weights. taps: kernel
    positions of a tile, whole rows of the kernel or an equal part of each; None for all. The loop over input channels
    is inside of that over kernel positions, and both are the loop `inputs`. ifmap_tiles, weight_tiles: tiles of the
    operand that are kept at once: where those that some inner loops touch are no more, they stay while these go on; for
    bands see `loop_turns`. gathers: the results of all channels leave together for each block of the map, not tile by
    tile.
    """

    images: int
    rows: int
    cols: int
    groups: int
    out_channels: int
    in_channels: int
    order: Order = ("map", "groups", "outputs", "inputs")
    dataflow: DataflowName = DEFAULT
    taps: int | None = None
    ifmap_tiles: int = 1
    weight_tiles: int = 1
    gathers: bool = True

    @property
    def sizes(self) -> Sizes:
        """Sizes of the tiles."""
        return self.images, self.rows, self.cols, self.groups, self.out_channels, self.in_channels, self.taps

    @property
    def results(self) -> Results:
        """A plan's word for the time at which results leave."""
        return "together" if self.gathers else "apart"


@dataclass(frozen=True, slots=True)
class LayerTask:
    """A layer as the tiler sees it, names left out, so that equal layers are planned once.

    source_channels, target_channels: of the tensors that input and output lie in, more than their own where they are
    parts of a concat. scattered: true where neighbouring channels are stored apart (a shuffle follows). loaded:
    channels of all inputs that come from DRAM; stored: those of the output that go there. times: how often the tiling
    is carried out, each time on other operands (products of maps). pool: rows and columns of results that become
    outputs on their way, if pooled. right: the map in the place of weights, if any. shortcut_channels: of the tensor of
    a map that is added to results; shortcut_loaded: those from DRAM. followed: whether a layer reads the results.
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
    pool: tuple[Pooled, Pooled] | None = None
    right: RightMap | None = None
    shortcut_channels: int = 0
    shortcut_loaded: int = 0
    beyond: Beyond | None = None
    followed: bool = False

    @classmethod
    def of(cls, node: Node, batch: int, layout: Layout) -> LayerTask:
        """The task of a node whose feature maps all go through DRAM.

        A product of two maps is planned for one image, its right map in the place of weights.
        """
        product = node.op.multiplies_maps
        source, target = layout.by_name[node.inputs[0]], layout.by_name[node.name]
        shortcut = layout.by_name[node.shortcut].tensor.dims[3] if node.shortcut else 0
        return cls(
            1 if product else batch,
            node.sizes[0],
            node.output,
            node.window,
            node.groups,
            source.tensor.dims[3],
            target.tensor.dims[3],
            bool(np.any(np.diff(target.channels) != 1)),
            sum(len(layout.by_name[name].channels) for name in layout.reads(node)),
            layout.written(node),
            batch if product else 1,
            node.pooled if node.pool else None,
            RightMap.of(node, layout.by_name[node.inputs[1]].tensor) if product else None,
            shortcut,
            node.output.channels if shortcut else 0,
        )

    @property
    def loaded_inputs(self) -> int:
        """Channels of the first input that come from DRAM."""
        return min(self.loaded, self.size.channels)

    @property
    def taps(self) -> int:
        return self.window.elements

    @property
    def pixels(self) -> int:
        """Output pixels of all images."""
        return self.batch * self.output.height * self.output.width

    @property
    def pooled(self) -> tuple[Pooled, Pooled]:
        """Rows and columns of the array's results that become outputs on their way."""
        return self.pool or (Pooled(self.output.height), Pooled(self.output.width))

    @property
    def results(self) -> int:
        """Results of the array for all images, of each channel."""
        down, across = self.pooled
        return self.batch * down.extent * across.extent

    @property
    def reach(self) -> Window:
        """The window of an output over the input, behind any pooling."""
        return self.window.of_several(self.pooled)

    @property
    def group_inputs(self) -> int:
        return self.size.channels // self.groups

    @property
    def group_outputs(self) -> int:
        return self.output.channels // self.groups

    @property
    def depth(self) -> int:
        """Products in the sum of an output."""
        return self.taps * self.group_inputs

    @property
    def weights(self) -> int:
        """Weights of all groups."""
        return self.output.channels * self.depth


def tile_counts(task: LayerTask, tiling: Tiling) -> dict[Loop, int]:
    """Iterations of each loop."""
    rows, cols = ceil_div(task.output.height, tiling.rows), ceil_div(task.output.width, tiling.cols)
    return {
        "groups": ceil_div(task.groups, tiling.groups),
        "map": ceil_div(task.batch, tiling.images) * rows * cols,
        "outputs": ceil_div(task.group_outputs, tiling.out_channels),
        "inputs": ceil_div(task.group_inputs, tiling.in_channels) * ceil_div(task.taps, tiling.taps or task.taps),
    }


def loop_turns(task: LayerTask, tiling: Tiling) -> dict[str, int]:
    """Iterations of each loop inside of the others, outermost first. Where the map is inside of the output channels
    and more of its tiles stay than those of a block, `outputs` goes on for a band of blocks and then for the next."""
    counts = tile_counts(task, tiling)
    turns: dict[str, int] = {loop: counts[loop] for loop in tiling.order}
    band = tiling.ifmap_tiles // counts["inputs"]
    if 1 < band < counts["map"] and tiling.order.index("outputs") < tiling.order.index("map"):
        turns = {"groups": counts["groups"], "bands": ceil_div(counts["map"], band), **turns, "map": band}
    return turns


def loads_each(turns: Mapping[str, int], depends: Collection[str], kept: int = 1) -> int:
    """Loads of each tile of an operand: one in every iteration of the other loops that are outside of its set.

    The set is the most tiles, at most `kept`, that the innermost loops touch.
    """
    outside, tiles = list(turns), 1
    while outside and (outside[-1] not in depends or tiles * turns[outside[-1]] <= kept):
        loop = outside.pop()
        tiles *= turns[loop] if loop in depends else 1
    return prod(turns[loop] for loop in outside if loop not in depends)


@dataclass(frozen=True, slots=True)
class TilingContext:
    """The machine as the tiler sees it: the bytes that the tiles of a layer may take, and what costs depend on.

    activation_bytes, weight_bytes: room for tiles. queue_bursts: loads that wait in queues of the DRAM at most, if any.
    resident_weights: the weights are there already, and take none; given: choices made already; slots: of `Scheduling`.
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
    bursts_per_cycle: int
    latency_cycles: float
    queue_bursts: int | None
    line_buffer: bool
    objective: Objective
    dataflows: tuple[DataflowName, ...]
    prices: Prices
    decoded_bytes_per_cycle: int = 1
    coded_bytes_per_cycle: int = 1
    resident_weights: bool = False
    given: GivenTile = FREE
    slots: int | None = None

    @classmethod
    def of(cls, machine: Machine, objective: Objective = "cycles") -> TilingContext:
        """The context of a layer that has the machine to itself."""
        sram, dram = machine.sram, machine.dram
        return cls(
            array=array_context(machine),
            overlap=machine.array.overlap,
            activation_bytes=sram.activation.capacity_bytes,
            weight_bytes=sram.weight.capacity_bytes,
            psum_bits_half=sram.accumulator.capacity_bytes // 2 * 8,
            bytes_per_cycle=machine.streamed_bytes_per_cycle,
            burst_bytes=dram.burst_bytes,
            setup_cycles=machine.dma.setup_cycles,
            window_bursts=machine.dma.max_outstanding_bursts * machine.dma.engines_in,
            bursts_per_cycle=machine.dma.bursts_per_clock * machine.dma.engines_in,
            latency_cycles=dram.latency_clocks * machine.array.clock_mhz / dram.clock_mhz,
            queue_bursts=dram.queue_bursts,
            line_buffer=sram.line_buffer,
            objective=objective,
            dataflows=tuple(DATAFLOWS) if machine.array.dataflow == "auto" else (machine.array.dataflow,),
            prices=Prices.of(machine),
            decoded_bytes_per_cycle=machine.dma.decoder.bytes_per_clock if machine.dma.decoder else 1,
            coded_bytes_per_cycle=machine.dma.map_codec.bytes_per_clock if machine.dma.map_codec else 1,
        )

    @property
    def activation_half(self) -> int:
        """Bytes of which two fit the room for feature maps."""
        return self.activation_bytes // 2

    @property
    def weight_half(self) -> int:
        """Bytes of which two fit the room for weights."""
        return self.weight_bytes // 2

    @property
    def psums_half(self) -> int:
        """Partial sums in half of the accumulator."""
        return self.psum_bits_half // self.array.psum_bits

    @property
    def round_trip_cycles(self) -> float:
        """Clocks from the issue of a burst until its data is here."""
        return self.latency_cycles + self.burst_bytes / self.bytes_per_cycle

    def dma_cycles(self, moved: float) -> float:
        """Clocks in which the engines that load move bytes of whole bursts: bus, issue, or bursts in flight."""
        issue = max(1.0 / self.bursts_per_cycle, self.round_trip_cycles / self.window_bursts)
        return max(moved / self.burst_bytes * issue, moved / self.bytes_per_cycle)

    def ifmap_reuse(self, task: LayerTask, dataflow: Dataflow) -> float:
        """The ratio of ifmap elements under the kernel that pass the port, if a line buffer keeps the rest."""
        if not self.line_buffer or dataflow.stationary == "ifmap":
            return 1.0
        each = (max(1, axis.kernel / axis.stride) for axis in (task.window.vertical, task.window.horizontal))
        return 1 / prod(each)


Absorbed = tuple[int, Node]
"""A layer that is done on the way of another one's data, behind its number."""


@dataclass(frozen=True, slots=True)
class PlannedLayer:
    """A layer that has commands, with its tile sizes.

    index: number of the layer; unit: that it runs on; plan: its tile sizes; task, context: what these were chosen for;
    weights: their tensor; unread: tensors that no later layer loads; before, after: done on ways to and from the array.
    """

    index: int
    node: Node
    unit: UnitKind
    plan: Tiling
    task: LayerTask
    context: TilingContext
    weights: Tensor | None
    unread: tuple[Tensor, ...]
    before: tuple[Absorbed, ...] = ()
    after: tuple[Absorbed, ...] = ()

    @property
    def on_array(self) -> bool:
        """True where it runs on the array."""
        return self.unit.folds

    @property
    def shreds(self) -> bool:
        """True where stores to DRAM write channels apart, each in a burst of its own."""
        task, plan = self.task, self.plan
        parts = not plan.gathers and plan.groups * plan.out_channels < task.output.channels
        apart = parts if self.on_array else self.node.op.is_address
        return task.scattered and task.stored > 0 and (apart or task.target_channels > task.output.channels)


class Alternative(NamedTuple):
    """A tiling that was estimated, with the objective's value, its tile iterations, and the places that the weight
    buffer lacks for tiles in flight; bursts are whole."""

    tiling: Tiling
    score: float
    iterations: int
    missing_slots: int
    cycles: float
    burst_bytes: float
    energy_pj: float


class Alternatives(NamedTuple):
    """The tilings of a layer that fit and that were estimated, in number, and the noteworthy ones, the chosen first."""

    fitted: int
    estimated: int
    noteworthy: tuple[Alternative, ...]
