"""What the plan of a layer is chosen for, and what the layer then costs, depending on what else is on chip."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from accelsim.config.machine import Machine
from accelsim.errors import LoweringError
from accelsim.lowering.array_work import Share
from accelsim.lowering.pinning import Pins
from accelsim.lowering.placement import Maps
from accelsim.lowering.search import Band, bands, least_vector_room, plan_vector, planned, vector_dram_bytes
from accelsim.lowering.tiling import LayerShape, Limits, Plan
from accelsim.lowering.vector_work import on_vector_unit
from accelsim.network.graph import ADDRESSES, Node, Op

PARTIAL_ROWS = 4
"""Bytes that two parts of a product's right map may take beyond their elements: each may begin and end within a row,
and then comes as three tiles that are rounded up."""


class LayerCost(NamedTuple):
    """What a layer takes with a room for its tiles from `least` to `most`, and its plan, if that is one.

    burst_bytes: of DRAM, bursts in full, by the estimate; asked_bytes: what is asked for, exact where elements are
    whole bytes.
    """

    least: int
    most: int
    burst_bytes: int
    asked_bytes: int
    plan: Plan | None


NOTHING = LayerCost(0, 0, 0, 0, None)
"""Of a layer that is only addresses."""

Setting = tuple[str, frozenset[str], int, bool]
"""What a layer's plan depends on beside its room: the layer, the maps that concern it and stay, room for weights, and
whether its own stay."""


@dataclass(slots=True)
class Planner:
    """Looks for the plan of each layer once, and anew only where it would not fit, or might be bettered in more room.

    searches: how often it looked. known: by setting; planned: by what makes layers alike, on the vector unit also by
    what they do. concerned: maps whose staying makes a difference to a layer. by_tensor: the maps that lie in each.
    """

    machine: Machine
    batch: int
    maps: Maps
    base: Limits = field(init=False)
    searches: int = 0
    known: dict[Setting, list[LayerCost]] = field(default_factory=dict)
    planned: dict[tuple[LayerShape, Limits, tuple[Op | None, int]], list[LayerCost]] = field(default_factory=dict)
    shapes: dict[str, LayerShape] = field(default_factory=dict)
    roomless: dict[tuple[str, int, bool], Limits] = field(default_factory=dict)
    concerned: dict[str, frozenset[str]] = field(default_factory=dict)
    by_tensor: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.base = Limits.of(self.machine)
        for name, place in self.maps.by_name.items():
            self.by_tensor.setdefault(place.tensor.name, set()).add(name)

    def bits(self, name: str) -> int:
        """Of an element of a map."""
        return self.maps.by_name[name].tensor.bits

    def limits(self, node: Node, room: int, pins: Pins) -> Limits:
        """The machine's limits, with the widths of the layer's data and the bytes that its tiles have."""
        return replace(self._limits(node, pins), activation_bytes=room)

    def _limits(self, node: Node, pins: Pins) -> Limits:
        """Those with no room for maps, made once."""
        pinned = node.weights_name in pins.names
        key = (node.name, pins.room, pinned)
        if key not in self.roomless:
            weight_bytes = min(pins.room, self.base.weight_bytes)
            ifmap, ofmap = max(self.bits(name) for name in node.inputs), self.bits(node.name)
            right = 8
            if node.op is Op.PRODUCT:
                ifmap, right = (self.bits(name) for name in node.inputs)
                weight_bytes -= PARTIAL_ROWS if right % 8 else 0
            array = self.base.array.for_layer(node, self.machine, ifmap, ofmap)
            if node.op is Op.PRODUCT:
                array = replace(array, weight_bits=right, stored_weights=Share(right, 1))
            self.roomless[key] = replace(
                self.base, array=array, activation_bytes=0, weight_bytes=weight_bytes, pinned=pinned
            )
        return self.roomless[key]

    def shape(self, node: Node, stays: frozenset[str]) -> LayerShape:
        """What the choice of a layer's plan depends on, if these maps stay."""
        shape = self.shapes.get(node.name)
        if shape is None:
            shape = self.shapes[node.name] = LayerShape.of(node, self.batch, self.maps)
        own = stays & self._concerning(node)
        return shape.with_stays(node, self.maps, own) if own else shape

    def cost(self, node: Node, room: int, stays: frozenset[str], pins: Pins) -> LayerCost:
        """Of a layer with so much room for its tiles, if these maps and weights stay. Raises LoweringError."""
        if node.op in ADDRESSES and not self.maps.copies[node.name]:
            return NOTHING
        setting = (node.name, stays & self._concerning(node), pins.room, node.weights_name in pins.names)
        known = self.known.get(setting)
        if known is None:
            known = self.known[setting] = self._family(node, setting[1], pins)
        for cost in known:
            if cost.least <= room <= cost.most:
                return cost
        try:
            known.append(self._cost(node, room, setting[1], pins))
        except LoweringError as error:
            raise LoweringError(f"{node.name}: {error}") from None
        return known[-1]

    def bands(self, node: Node, room: int, stays: frozenset[str], pins: Pins) -> dict[int, Band]:
        """The plans of a layer on the array in bands, with so much room for its tiles and these maps on chip."""
        return bands(self.shape(node, stays), self.limits(node, room, pins))

    def _family(self, node: Node, stays: frozenset[str], pins: Pins) -> list[LayerCost]:
        """What is known of a layer: the same list for those that are alike."""
        alike: tuple[Op | None, int] = (None, 0)
        if on_vector_unit(node, self.machine):
            alike = (node.op, node.stored_weight_bits(self.machine.array.weight_bits) if node.is_depthwise else 0)
        return self.planned.setdefault((self.shape(node, stays), self._limits(node, pins), alike), [])

    def _cost(self, node: Node, room: int, stays: frozenset[str], pins: Pins) -> LayerCost:
        shape, limits = self.shape(node, stays), self.limits(node, room, pins)
        self.searches += 1
        if not on_vector_unit(node, self.machine):
            best = planned(shape, limits)
        else:
            least = least_vector_room(node, shape, limits)
            if least is not None and least <= room:
                moved = round(vector_dram_bytes(node, shape, limits, 1, 1))
                return LayerCost(least, self.base.activation_bytes, moved, moved, None)
            best = plan_vector(node, shape, limits)
        moved, asked = (round(shape.times * each) for each in (best.burst_bytes, best.asked_bytes))
        return LayerCost(best.activation_bytes, room, moved, asked, best.plan)

    def _concerning(self, node: Node) -> frozenset[str]:
        """The maps whose staying makes a difference to a layer: its own, and those that lie where it reads."""
        if node.name not in self.concerned:
            tensors = {self.maps.by_name[name].tensor.name for name in node.inputs}
            names = (self.by_tensor[tensor] for tensor in tensors)
            self.concerned[node.name] = frozenset({node.name}.union(*names))
        return self.concerned[node.name]
