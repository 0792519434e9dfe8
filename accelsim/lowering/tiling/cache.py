"""What the plan of a layer is chosen for, and what the layer then costs, depending on what else is on chip."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from accelsim.config.machine import Machine
from accelsim.dataflows.work import Ratio
from accelsim.errors import LoweringError
from accelsim.lowering.ir import (
    NO_RESIDENTS,
    LayerTask,
    ResidentChannels,
    Tiling,
    TilingContext,
    layer_weight_bytes,
    loaded_inputs,
)
from accelsim.lowering.layout import Layout
from accelsim.lowering.schedule.weights import WeightResidents
from accelsim.lowering.tiling.search import (
    Stripes,
    least_vector_room,
    moving_score,
    plan_vector,
    planned,
    stripes,
    vector_dram_bytes,
)
from accelsim.network.graph import Node
from accelsim.network.ops import on_vector_unit
from accelsim.operators.table import Operator

PARTIAL_ROWS = 4
"""Bytes that two parts of a product's right map may take beyond their elements: each may begin and end within a row,
and then comes as three tiles that are rounded up."""


class LayerCost(NamedTuple):
    """What a layer takes with a room for its tiles from `least` to `most`, and its plan, if that is one.

    burst_bytes: of DRAM, bursts in full, by the estimate; asked_bytes: what is asked for, exact where elements are
    whole bytes. score: what is to be small.
    """

    least: int
    most: int
    burst_bytes: int
    asked_bytes: int
    score: float
    plan: Tiling | None


NOTHING = LayerCost(0, 0, 0, 0, 0, None)
"""Of a layer that is only addresses."""

Setting = tuple[str, int, int, int, bool]
"""What a layer's plan depends on beside its room: the layer, how many channels it loads and stores, room for weights
and whether its own stay."""


@contextmanager
def naming(node: Node) -> Iterator[None]:
    """Whatever LoweringError is raised inside begins with the name of the layer."""
    try:
        yield
    except LoweringError as error:
        raise LoweringError(f"{node.name}: {error}") from None


class PlanCacheEntry(NamedTuple):
    """Layers that are alike, in settings that are, and what is known of them."""

    shape: LayerTask
    limits: TilingContext
    known: list[LayerCost]


@dataclass(slots=True)
class TilingCache:
    """Looks for the plan of each layer once, and anew only where it would not fit, or might be bettered in more room.

    families: by setting; alike: by all that makes layers alike, on the vector unit also what they do. limits_of: a
    layer with the whole activation buffer, room for weights, and whether its own stay. inputs: of each layer how many
    channels it reads, and how many of them are of which map. by_tensor: the maps that lie in each.
    """

    machine: Machine
    batch: int
    maps: Layout
    base: TilingContext = field(init=False)
    families: dict[Setting, PlanCacheEntry] = field(default_factory=dict)
    alike: dict[tuple[LayerTask, TilingContext, Operator | None, int], PlanCacheEntry] = field(default_factory=dict)
    shapes: dict[str, LayerTask] = field(default_factory=dict)
    limits_of: dict[tuple[str, int, bool], TilingContext] = field(default_factory=dict)
    inputs: dict[str, tuple[int, dict[str, int]]] = field(default_factory=dict)
    by_tensor: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.base = TilingContext.of(self.machine)
        for name, place in self.maps.by_name.items():
            self.by_tensor.setdefault(place.tensor.name, []).append(name)

    def bits(self, name: str) -> int:
        """Of an element of a map."""
        return self.maps.by_name[name].tensor.bits

    def limits(self, node: Node, room: int, pins: WeightResidents) -> TilingContext:
        """The machine's limits, with the widths of the layer's data and the bytes that its tiles have."""
        weight_bytes = min(pins.room, self.base.weight_bytes)
        ifmap, ofmap = max(self.bits(name) for name in node.inputs), self.bits(node.name)
        if node.op.multiplies_maps:
            ifmap, right = (self.bits(name) for name in node.inputs)
            array = self.base.array.for_layer(node, self.machine, ifmap, ofmap)
            array = replace(array, weight_bits=right, stored_weights=Ratio(right, 1))
            weight_bytes -= PARTIAL_ROWS if right % 8 else 0
        else:
            array = self.base.array.for_layer(node, self.machine, ifmap, ofmap)
        return replace(
            self.base,
            array=array,
            activation_bytes=room,
            weight_bytes=weight_bytes,
            pinned=node.weights_name in pins.names,
        )

    def shape(self, node: Node, stays: ResidentChannels) -> LayerTask:
        """What the choice of a layer's plan depends on, if these maps stay."""
        if node.name not in self.shapes:
            self.shapes[node.name] = LayerTask.of(node, self.batch, self.maps)
        return replace(self.shapes[node.name], loaded=self._loaded(node, stays), stored=_stored(node, stays))

    def cost(self, node: Node, room: int, stays: ResidentChannels, pins: WeightResidents) -> LayerCost:
        """Of a layer with so much room for its tiles, if these maps and weights stay. Raises LoweringError."""
        if node.op.is_address and not self.maps.copies[node.name]:
            return NOTHING
        family = self._family(node, stays, pins)
        for cost in family.known:
            if cost.least <= room <= cost.most:
                return cost
        with naming(node):
            family.known.append(self._cost(node, family.shape, replace(family.limits, activation_bytes=room)))
        return family.known[-1]

    def stripes(self, node: Node, stays: ResidentChannels, pins: WeightResidents) -> dict[int, Stripes]:
        """The plans of a layer on the array in stripes, these maps being on chip."""
        family = self._family(node, stays, pins)
        return stripes(family.shape, family.limits)

    def weight_bytes(self, node: Node, pins: WeightResidents) -> int:
        """Of all weights of a layer in one tile."""
        family = self._family(node, NO_RESIDENTS, pins)
        return layer_weight_bytes(family.shape, family.limits)

    def _family(self, node: Node, stays: ResidentChannels, pins: WeightResidents) -> PlanCacheEntry:
        pinned = node.weights_name in pins.names
        setting = (node.name, self._loaded(node, stays), _stored(node, stays), pins.room, pinned)
        family = self.families.get(setting)
        if family is None:
            shape = self.shape(node, stays)
            limits = self.limits_of.get((node.name, pins.room, pinned))
            if limits is None:
                limits = self.limits(node, self.base.activation_bytes, pins)
                self.limits_of[node.name, pins.room, pinned] = limits
            does, weights = None, 0
            if on_vector_unit(node, self.machine):
                does = node.op
                weights = node.stored_weight_bits(self.machine.array.weight_bits) if node.is_depthwise else 0
            family = self.alike.setdefault((shape, limits, does, weights), PlanCacheEntry(shape, limits, []))
            self.families[setting] = family
        return family

    def _cost(self, node: Node, shape: LayerTask, limits: TilingContext) -> LayerCost:
        room = limits.activation_bytes
        if not on_vector_unit(node, self.machine):
            best = planned(shape, limits)
        else:
            least = least_vector_room(node, shape, limits)
            if least is not None and least <= room:
                moved = round(vector_dram_bytes(node, shape, limits, 1, 1))
                score = moving_score(moved, limits)
                return LayerCost(least, self.base.activation_bytes, moved, moved, score, None)
            best = plan_vector(node, shape, limits)
        moved, asked = (round(shape.times * each) for each in (best.burst_bytes, best.asked_bytes))
        return LayerCost(best.activation_bytes, room, moved, asked, shape.times * best.score, best.plan)

    def _loaded(self, node: Node, stays: ResidentChannels) -> int:
        """Channels that a layer loads if these maps stay (`LayerTask.loaded`)."""
        if node.name not in self.inputs:
            self.inputs[node.name] = self._inputs(node)
        channels, parts = self.inputs[node.name]
        return channels - sum(min(parts[name], stays[name]) for name in parts.keys() & stays.keys())

    def _inputs(self, node: Node) -> tuple[int, dict[str, int]]:
        read = [self.maps.by_name[name] for name in loaded_inputs(node)]
        parts: dict[str, int] = {}
        for place in read:
            own = np.zeros(place.tensor.dims[3], dtype=np.bool_)
            own[place.channels] = True
            for name in self.by_tensor[place.tensor.name]:
                part = int(np.count_nonzero(own[self.maps.by_name[name].channels]))
                if part:
                    parts[name] = parts.get(name, 0) + part
        return sum(len(place.channels) for place in read), parts


def _stored(node: Node, stays: ResidentChannels) -> int:
    """Channels that a layer stores if these maps stay."""
    return node.output.channels - stays.get(node.name, 0)
