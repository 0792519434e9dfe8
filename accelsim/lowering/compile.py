"""From a network and a machine to a tile program: place the maps, tile each layer, schedule it all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from accelsim.config.machine import Machine
from accelsim.config.scheduling import Scheduling
from accelsim.lowering.emit.planned import plan_layers, working
from accelsim.lowering.emit.residents import ResidentPlan, outgrown
from accelsim.lowering.emit.stream import ComputeStream
from accelsim.lowering.ir import (
    NO_RESIDENTS,
    Alternatives,
    LayerTask,
    Layout,
    PlannedLayer,
    ResidentChannels,
    Tiling,
    TilingContext,
)
from accelsim.lowering.layout import lay_out
from accelsim.lowering.prefetch import prefetch
from accelsim.lowering.schedule.cascades import Memories, plan_cascades
from accelsim.lowering.schedule.partial import plan_partial_residents
from accelsim.lowering.schedule.residents import (
    Cost,
    OutgrownError,
    Residency,
    Resident,
    candidates,
    no_residents,
    plan_residents,
)
from accelsim.lowering.schedule.weights import (
    WeightResidents,
    no_resident_weights,
    plan_resident_weights,
    stored_bytes,
)
from accelsim.lowering.tiling import search
from accelsim.lowering.tiling.bound import least_dram_bytes
from accelsim.lowering.tiling.cache import TilingCache
from accelsim.network.graph import Network, Node
from accelsim.network.ops import on_vector_unit
from accelsim.network.stream import stream
from accelsim.program.commands import Buffer, Program, Restartable

PARTS = (2, 4, 8)
"""Parts of the activation buffer that a map that stays whole may have, beside all of it and nothing."""


@dataclass(frozen=True, slots=True)
class Lowered:
    """A program, and what is known of each layer before it runs.

    network: with all its inferences; layers: with their tile sizes, None for those that are only addresses; fused:
    names of the layers that take turns with others. least_dram_bytes: of each layer of one inference on its own,
    however it is tiled.
    """

    network: Network
    program: Program
    maps: Layout
    layers: tuple[PlannedLayer | None, ...]
    fused: frozenset[str]
    least_dram_bytes: tuple[int, ...]

    @property
    def plans(self) -> tuple[Tiling | None, ...]:
        """Tile sizes of each layer; None for those that are only addresses."""
        return tuple(None if layer is None else layer.plan for layer in self.layers)


def lower(network: Network, machine: Machine, scheduling: Scheduling = Scheduling()) -> Lowered:
    """The tile program of a network on a machine, for all its inferences, as the compiler's options say.

    Raises LoweringError, naming the layer, where a layer's smallest tile does not fit the SRAM.
    """
    layers = len(network.nodes)
    network = stream(network, scheduling.inferences)
    maps = layout_of(network, machine)
    planner = TilingCache(machine, network.batch, maps, scheduling.objective)
    pins = _pins(network, layers, planner)
    found = list(candidates(network, maps, layers)) if scheduling.keep_activations == "auto" else []
    while True:
        residency = _residency(network, layers, planner, found, pins, fusing=scheduling.fusion == "auto")
        try:
            return _lowered(network, planner, residency.repeated(network.inferences, layers), pins)
        except OutgrownError as error:
            found = [stay for stay in found if stay.name not in error.names]


def _residency(
    network: Network,
    layers: int,
    planner: TilingCache,
    found: Sequence[Resident],
    pins: WeightResidents,
    *,
    fusing: bool,
) -> Residency:
    """What stays, and what is fused beside it: large maps that stay leave no room to fuse others, so that several
    limits to their size are tried, and what asks for the fewest DRAM bytes is taken. Parts of maps come last."""
    machine, nodes = planner.machine, network.nodes[:layers]
    capacity = machine.sram.activation.capacity_bytes

    def in_bursts(node: Node, room: int, stays: ResidentChannels) -> Cost:
        cost = planner.cost(node, room, stays, pins)
        return Cost(cost.burst_bytes, cost.score)

    def requested(node: Node, room: int, stays: ResidentChannels) -> Cost:
        cost = planner.cost(node, room, stays, pins)
        return Cost(cost.requested_bytes, cost.score)

    def fused(residency: Residency) -> Residency:
        return plan_cascades(
            network,
            planner.layout,
            residency,
            Memories(capacity, pins.room),
            lambda node, stays: planner.stripes(node, stays, pins),
            lambda node: planner.weight_bytes(node, pins),
            requested,
            lambda node: node.op.weighted and not on_vector_unit(node, machine),
        )

    nothing = no_residents(layers, capacity)
    if not found:
        return nothing
    alone = fused(nothing) if fusing else nothing
    limits = (capacity, *(capacity // part for part in PARTS if alone.fusions))
    costs = (in_bursts, requested) if planner.objective == "dram_bytes" else (in_bursts,)
    plans = [each for cost in costs for each in plan_residents(nodes, found, capacity, limits, cost)]
    different = {id(each): each for each in plans}.values()
    choices = [*(fused(each) if fusing else each for each in different), alone]
    best = min(choices, key=lambda each: each.taken(nodes, requested).dram_bytes)
    return plan_partial_residents(nodes, best, found, planner.layout, machine.dram.burst_bytes, (in_bursts, requested))


def _pins(network: Network, layers: int, planner: TilingCache) -> WeightResidents:
    """The weights that stay, as if no map did."""
    sram, bits = planner.machine.sram, planner.machine.array.weight_bits
    sizes = [(node, stored_bytes(node, bits)) for node in network.nodes[:layers] if node.weights]
    room = sram.activation.capacity_bytes
    return plan_resident_weights(
        network,
        sizes,
        sram.weight.capacity_bytes,
        lambda node, pins: planner.cost(node, room, NO_RESIDENTS, pins).burst_bytes,
    )


def _lowered(network: Network, planner: TilingCache, residency: Residency, pins: WeightResidents) -> Lowered:
    """The program with these maps and weights on chip. Raises OutgrownError."""
    maps = planner.layout
    layers = plan_layers(network, planner, residency, pins)
    present = list(working(layers))
    if names := outgrown(present, maps, network.batch, residency):
        raise OutgrownError(names)
    residents = ResidentPlan.of(present, maps, network.batch, residency, pins)
    program = _program(network, ComputeStream(planner.machine, maps, network.batch, layers, residents), planner)
    fused = frozenset(name for cascade in residency.fusions.values() for name in cascade.plans)
    return Lowered(network, program, maps, tuple(layers), fused, _bounds(network, maps, planner.machine))


def _program(network: Network, computes: ComputeStream, planner: TilingCache) -> Program:
    sram, residents = planner.machine.sram, computes.residents
    capacities = {
        Buffer.ACTIVATION: sram.activation.capacity_bytes,
        Buffer.WEIGHT: sram.weight.capacity_bytes,
    }
    weights = dict.fromkeys(layer.weights for layer in working(computes.layers) if layer.weights)
    preloaded = (*(planner.layout.by_name[name].tensor for name in network.inputs), *weights)
    rooms, room = residents.residency.rooms, residents.weights.room
    return Program(
        tuple(node.name for node in network.nodes),
        preloaded,
        Restartable(lambda: prefetch(computes, preloaded, capacities, rooms, room)),
        capacities,
        frozenset(index for index, layer in enumerate(computes.layers) if layer is None),
    )


def _bounds(network: Network, layout: Layout, machine: Machine) -> tuple[int, ...]:
    """The least DRAM bytes of each layer of one inference."""
    layers = network.nodes[: len(network.nodes) // network.inferences]
    return tuple(least_dram_bytes(node, network.batch, layout, machine) for node in layers)


def layout_of(network: Network, machine: Machine) -> Layout:
    """Where the feature maps of a network lie in the machine's DRAM."""
    return lay_out(network, machine.array.activation_bits, scatter=machine.dma.scatter)


def layer_alone(
    node: Node,
    machine: Machine,
    scheduling: Scheduling,
    batch: int,
    layout: Layout,
    residents: ResidentChannels = NO_RESIDENTS,
) -> tuple[LayerTask, TilingContext]:
    """A layer that has the machine to itself, but for the channels of feature maps that are on chip."""
    planner, sram = TilingCache(machine, batch, layout, scheduling.objective), machine.sram
    weights = no_resident_weights(sram.weight.capacity_bytes)
    return planner.task(node, residents), planner.context(node, sram.activation.capacity_bytes, weights)


def dram_bytes(task: LayerTask, context: TilingContext) -> float:
    """Estimate of the DRAM bytes, bursts in full, of a layer on the array by itself. Raises LoweringError."""
    return search.planned(task, context).burst_bytes


def alternatives(task: LayerTask, context: TilingContext) -> Alternatives:
    """The tiling that is chosen for a layer on the array and noteworthy ones that are not."""
    return search.alternatives(task, context)
