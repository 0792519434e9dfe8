"""Plans of layers and their costs, depending on what else is on chip."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NamedTuple

from accelsim.config.machine import Machine
from accelsim.config.scheduling import Objective
from accelsim.dataflows.timing import Ratio
from accelsim.dataflows.work import ArrayContext
from accelsim.errors import LoweringError, PlanError
from accelsim.lowering.given import FREE, GivenTile
from accelsim.lowering.ir import NO_RESIDENTS, LayerTask, Layout, ResidentChannels, Tiling, TilingContext
from accelsim.lowering.prices import NO_PRICES
from accelsim.lowering.schedule.weights import WeightResidents
from accelsim.lowering.tiling.footprint import PARTIAL_TILE_BYTES, layer_weight_bytes
from accelsim.lowering.tiling.given import GivenLayer, unstriped
from accelsim.lowering.tiling.moved import MovedChannels, MovedParts
from accelsim.lowering.tiling.search import Least, Stripes, least, planned, stripes
from accelsim.lowering.tiling.shortage import reasons, shortage
from accelsim.lowering.tiling.space import on_chip
from accelsim.lowering.tiling.vector import least_vector_room, plan_vector, vector_dram_bytes, vector_shortage
from accelsim.network.array import layer_context
from accelsim.network.graph import Node
from accelsim.network.pieces import Piece
from accelsim.network.units import PIECE_UNITS, on_array, unit_of
from accelsim.program.commands import Work
from accelsim.program.tensors import Range, RowCode, elements


class LayerCost(NamedTuple):
    """Cost of a layer with a room for its tiles from `least` to `most`, and its tiling, if that is one.

    burst_bytes: of DRAM, bursts in full, by the estimate.
    """

    least: int
    most: int
    burst_bytes: int
    cycles: float
    compute_cycles: float
    tiling: Tiling | None


NOTHING = LayerCost(0, 0, 0, 0, 0, None)
"""Cost of a layer that is only addresses."""

Setting = tuple[str, MovedParts, int, bool]
"""All that a layer's plan depends on beside its room: the layer, what it moves, room for weights and whether its
own stay."""


@dataclass(slots=True)
class PlanCacheEntry:
    """Layers that are alike, in settings that are, and what is known of them. vector_tilings: by room."""

    task: LayerTask
    context: TilingContext
    known: list[LayerCost] = field(default_factory=list)
    least: Least | None = None
    stripes: dict[int, Stripes] | None = None
    vector_tilings: dict[int, Tiling] = field(default_factory=dict)


@dataclass(slots=True)
class TilingCache:
    """Looks for the plan of each layer once, and anew only where it would not fit, or might be bettered in more room.

    entries: by setting; alike: by all that makes layers alike, on the vector unit also what they do. contexts: of a
    layer with the whole activation buffer, room for weights, and whether its own stay. given: choices made already, by
    layer; followed: names of maps that a layer reads. piece_cycles: by layer and rows of a tile.
    """

    machine: Machine
    batch: int
    layout: Layout
    objective: Objective = "cycles"
    nodes: tuple[Node, ...] = ()
    given: Mapping[str, GivenLayer] = field(default_factory=dict)
    slots: int | None = None
    base: TilingContext = field(init=False)
    moved: MovedChannels = field(init=False)
    followed: frozenset[str] = field(init=False)
    entries: dict[Setting, PlanCacheEntry] = field(default_factory=dict)
    alike: dict[tuple[LayerTask, TilingContext, object, int], PlanCacheEntry] = field(default_factory=dict)
    tasks: dict[str, LayerTask] = field(default_factory=dict)
    contexts: dict[tuple[str, int, bool], TilingContext] = field(default_factory=dict)
    piece_cycles: dict[tuple[str, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.base = replace(TilingContext.of(self.machine, self.objective), slots=self.slots)
        self.moved = MovedChannels(self.layout, self.nodes, self.base.burst_bytes)
        self.followed = frozenset(name for node in self.nodes if not node.absorbed for name in node.inputs)

    def bits(self, name: str) -> int:
        """Bits of an element of a map."""
        return self.layout.by_name[name].tensor.bits

    def input_bits(self, node: Node) -> int:
        """Bits of an element of the maps that a layer reads, of the widest."""
        return max(map(self.bits, node.map_inputs))

    def code(self, name: str) -> RowCode | None:
        """Code of the rows of a map."""
        return self.layout.by_name[name].tensor.code

    def context(self, node: Node, room: int, weights: WeightResidents) -> TilingContext:
        """The machine's context, with the widths of the layer's data and the bytes that its tiles have."""
        weight_bytes = min(weights.room, self.base.weight_bytes)
        ifmap, ofmap = self.input_bits(node), self.bits(node.name)
        if node.op.multiplies_maps:
            ifmap, right = (self.bits(name) for name in node.inputs)
            array = layer_context(self.base.array, node, self.machine, ifmap, ofmap)
            array = replace(array, weight_bits=right, stored_weights=Ratio(right, 1))
            weight_bytes -= 2 * PARTIAL_TILE_BYTES if right % 8 else 0
        else:
            array = layer_context(self.base.array, node, self.machine, ifmap, ofmap)
        read, written = _longest(map(self.code, self.layout.reads(node))), self.code(node.name)
        shortcut = self.code(node.shortcut) if node.shortcut else None
        array = replace(array, ifmap_code=read, ofmap_code=written, shortcut_code=shortcut)
        given = self.given[node.weights_name].tile if node.weights_name in self.given else FREE
        return replace(
            self.base,
            array=array,
            activation_bytes=room,
            weight_bytes=weight_bytes,
            resident_weights=node.weights_name in weights.names,
            dataflows=(given.dataflow,) if given.dataflow else self.base.dataflows,
            given=given,
        )

    def task(self, node: Node, residents: ResidentChannels) -> LayerTask:
        """Task of a layer, on which the choice of its plan depends, if these maps stay."""
        if node.name not in self.tasks:
            task = LayerTask.of(node, self.batch, self.layout)
            self.tasks[node.name] = replace(task, followed=node.name in self.followed)
        moved = self.moved.of(node, residents)
        return replace(
            self.tasks[node.name],
            loaded=moved.loaded.channels,
            shortcut_loaded=moved.shortcut.channels,
            stored=moved.stored.channels,
            beyond=moved.beyond,
        )

    def is_idle(self, node: Node) -> bool:
        """True where a layer has no commands: it is only addresses, or part of another."""
        return node.absorbed or (node.op.is_address and not self.layout.copies[node.name])

    def cost(
        self, node: Node, room: int, residents: ResidentChannels, weights: WeightResidents
    ) -> LayerCost | LoweringError:
        """Cost of a layer with this room for its tiles, if these maps and weights stay; an error where it does not
        fit."""
        if self.is_idle(node):
            return NOTHING
        entry = self._entry(node, residents, weights)
        for cost in entry.known:
            if cost.least <= room <= cost.most:
                return cost
        context = replace(entry.context, activation_bytes=room)
        found = self._cost(node, entry.task, context)
        if isinstance(found, LoweringError):
            return self._refused(node, entry.task, context, found)
        entry.known.append(found)
        return found

    def vector_tiling(
        self, node: Node, room: int, residents: ResidentChannels, weights: WeightResidents
    ) -> Tiling | LoweringError:
        """The tiling of a layer on the vector unit with this room, if these maps and weights stay; an error where it
        does not fit."""
        entry = self._entry(node, residents, weights)
        if room not in entry.vector_tilings:
            found = plan_vector(node, entry.task, replace(entry.context, activation_bytes=room))
            if isinstance(found, LoweringError):
                return _named(node, found)
            entry.vector_tilings[room] = found.tiling
        return entry.vector_tilings[room]

    def least(self, node: Node, residents: ResidentChannels, weights: WeightResidents) -> Least:
        """The least that a layer takes in any room, if these maps and weights stay; nothing where it is not known."""
        if self.is_idle(node) or not on_array(node, self.machine):
            return Least(0.0, 0.0, 0.0)
        entry = self._entry(node, residents, weights)
        if entry.least is None:
            entry.least = least(entry.task, entry.context)
        return entry.least

    def _refused(self, node: Node, task: LayerTask, context: TilingContext, error: LoweringError) -> LoweringError:
        """The error of a layer, or that of the plan where that gives a tile of the layer."""
        if context.given == FREE:
            return _named(node, error)
        got = shortage(task, context) if on_array(node, self.machine) else vector_shortage(node, task, context)
        expected = f"a tile of {node.name} that fits"
        return PlanError(self.given[node.weights_name].path, expected, got or str(error))

    def stripes(self, node: Node, weights: WeightResidents) -> dict[int, Stripes]:
        """The tilings of a layer on the array in stripes of whole rows, by rows, all feature maps being on chip."""
        entry = self._entry(node, NO_RESIDENTS, weights)
        if entry.stripes is None:
            entry.stripes = stripes(on_chip(entry.task), replace(entry.context, prices=NO_PRICES))
        return entry.stripes

    def unstriped(self, node: Node, given: GivenTile, weights: WeightResidents) -> str:
        """The reason why a layer can't work on stripes with the choices that are given; empty where it can."""
        arrayed = on_array(node, self.machine)
        wrong = unstriped(node, given, on_array=arrayed)
        if wrong or not arrayed or self.stripes(node, weights):
            return wrong
        entry, width = self._entry(node, NO_RESIDENTS, weights), node.output.width
        task = on_chip(entry.task)
        tiling = Tiling(1, given.rows or 1, width, task.groups, task.group_outputs, task.group_inputs)
        order = given.orders[0] if given.orders else tiling.order
        tiling = replace(tiling, order=order, dataflow=entry.context.dataflows[0])
        return ", ".join(reasons(task, entry.context, tiling))

    def stripe_tiling(self, node: Node, rows: int, weights: WeightResidents) -> Tiling:
        """The tiling of a layer in stripes of this many rows."""
        if not on_array(node, self.machine):
            return Tiling(1, rows, node.output.width, 1, node.output.channels, node.output.channels)
        return self.stripes(node, weights)[rows].tiling

    def unit_cycles(self, node: Node, rows: int, weights: WeightResidents) -> int:
        """Clocks of a layer that is not on the array on its unit, in tiles of this many rows."""
        unit = PIECE_UNITS[unit_of(node, self.machine)]
        key = node.name, rows if unit.by_rows else node.output.height
        if key not in self.piece_cycles:
            array = self._entry(node, NO_RESIDENTS, weights).context.array
            parts = pairwise((*range(0, node.output.height, key[1]), node.output.height))
            pieces = (self._piece(node, Range(*part), array) for part in parts)
            self.piece_cycles[key] = sum(unit.work(piece, self.machine).cycles for piece in pieces)
        return self.piece_cycles[key]

    def _piece(self, node: Node, rows: Range, array: ArrayContext) -> Piece:
        """Some rows of all images and channels of a layer, elements of its maps being bytes."""
        block, channels = (Range(0, self.batch), rows, Range(0, node.output.width)), self.layout.written(node)
        outputs = elements(block) * channels
        reads = outputs
        if not node.op.is_address:
            windows = node.window.elements if node.op.slides and not self.machine.sram.line_buffer else 1
            first, *others = (self.batch * size.elements * rows.size // node.output.height for size in node.sizes)
            reads = max(outputs * windows, first) + sum(others)
        weight_bits = node.stored_weight_bits(self.machine.array.weight_bits)
        return Piece(node, Work(*block, Range(0, channels), Range(0, 1)), array, weight_bits, reads, outputs)

    def kind(self, node: Node, weights: WeightResidents) -> object:
        """Everything by which the stripes of two layers may differ."""
        entry = self._entry(node, NO_RESIDENTS, weights)
        return id(entry), node.op.name, node.activation, node.window

    def weight_bytes(self, node: Node, weights: WeightResidents) -> int:
        """Bytes of all weights of a layer in one tile; 0 if it has none."""
        if not node.op.weighted:
            return 0
        entry = self._entry(node, NO_RESIDENTS, weights)
        return layer_weight_bytes(entry.task, entry.context)

    def _entry(self, node: Node, residents: ResidentChannels, weights: WeightResidents) -> PlanCacheEntry:
        stays = node.weights_name in weights.names
        setting = (node.name, self.moved.of(node, residents), weights.room, stays)
        entry = self.entries.get(setting)
        if entry is None:
            task = self.task(node, residents)
            context = self.contexts.get((node.name, weights.room, stays))
            if context is None:
                context = self.context(node, self.base.activation_bytes, weights)
                self.contexts[node.name, weights.room, stays] = context
            does: object = None
            weight_bits = 0
            if not on_array(node, self.machine):
                does = (node.op, *_reached(node))
                weight_bits = node.stored_weight_bits(self.machine.array.weight_bits) if node.is_depthwise else 0
            entry = self.alike.setdefault((task, context, does, weight_bits), PlanCacheEntry(task, context))
            self.entries[setting] = entry
        return entry

    def _cost(self, node: Node, task: LayerTask, context: TilingContext) -> LayerCost | LoweringError:
        room = context.activation_bytes
        if on_array(node, self.machine):
            best = planned(task, context)
        else:
            least = least_vector_room(node, task, context)
            if least is not None and least <= room and context.given == FREE:
                moved = round(vector_dram_bytes(node, task, context, 1, 1))
                return LayerCost(least, self.base.activation_bytes, moved, moved / context.bytes_per_cycle, 0, None)
            best = plan_vector(node, task, context)
        if isinstance(best, LoweringError):
            return best
        cycles, compute = task.times * best.cycles, task.times * best.compute_cycles
        moved = round(task.times * best.burst_bytes)
        return LayerCost(best.activation_bytes, room, moved, cycles, compute, best.tiling)


def _named(node: Node, error: LoweringError) -> LoweringError:
    """The error with the name of its layer before it."""
    return LoweringError(f"{node.name}: {error}")


def _longest(codes: Iterable[RowCode | None]) -> RowCode | None:
    """The code that saves the least; None where one of the maps is plain."""
    found = list(codes)
    coded = [code for code in found if code is not None]
    return max(coded) if len(coded) == len(found) else None


def _reached(node: Node) -> tuple[object, ...]:
    """The parameters by which a layer reaches its inputs, where that is no matter of its window."""
    if node.op.access_of(node) is None:
        return ()
    return node.sizes, node.picks, node.border, node.split, node.order, node.axis, node.groups
