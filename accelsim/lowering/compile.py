"""From a network and a machine to a tile program: place the maps, tile each layer, schedule it all."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import product
from typing import Any

from accelsim.config.machine import Machine
from accelsim.config.plan import Plan
from accelsim.config.scheduling import Objective, Scheduling
from accelsim.errors import LoweringError, PlanError, PlanFaults
from accelsim.lowering.blocks import OBJECTIVES, BlockPlan, best_plan, block_sizes, memory_splits, without_scatter
from accelsim.lowering.emit.planned import iteration_count, plan_layers, working
from accelsim.lowering.emit.residents import ResidentPlan, outgrown_residents, weight_rooms
from accelsim.lowering.emit.stream import ComputeStream
from accelsim.lowering.ir import (
    NO_RESIDENTS,
    Alternatives,
    LayerTask,
    Layout,
    PlannedLayer,
    Tiling,
    TilingContext,
)
from accelsim.lowering.layout import lay_out
from accelsim.lowering.prefetch import prefetch
from accelsim.lowering.rewrite import done_on_ways, rewrite
from accelsim.lowering.schedule.given import given_schedule
from accelsim.lowering.schedule.groups import Groups
from accelsim.lowering.schedule.plan import plan_schedule
from accelsim.lowering.schedule.residents import Residency, candidates
from accelsim.lowering.schedule.weights import (
    WeightResidents,
    given_resident_weights,
    no_resident_weights,
    plan_resident_weights,
    stored_bytes,
)
from accelsim.lowering.tiling import search
from accelsim.lowering.tiling.bound import least_dram_bytes
from accelsim.lowering.tiling.cache import TilingCache
from accelsim.lowering.tiling.given import given_layers
from accelsim.lowering.timeline import Timeline
from accelsim.lowering.written import written_plan
from accelsim.network.graph import Network
from accelsim.network.placement import placed
from accelsim.network.stream import stream
from accelsim.program.commands import Buffer, Program, Restartable


@dataclass(frozen=True, slots=True)
class Lowered:
    """A program, and all that is known of each layer before it runs.

    source: the network with all its inferences, once for each block of images of the batch; network: it with operators
    on the ways to and from the array; layers: with their tile sizes, None for those without commands. Of each layer of
    one inference: groups, the name of those that it runs depth-first with, or none; least_dram_bytes, of the whole
    batch, on its own, however it is tiled; residency: the schedule. weights: those that stay; is_split: whether
    activation and weight buffer are parts of one memory; scatters: whether stores may write channels apart.
    """

    source: Network
    network: Network
    program: Program
    maps: Layout
    layers: tuple[PlannedLayer | None, ...]
    groups: tuple[str, ...]
    least_dram_bytes: tuple[int, ...]
    residency: Residency
    weights: WeightResidents
    is_split: bool
    scatters: bool

    @property
    def plans(self) -> tuple[Tiling | None, ...]:
        """Tile sizes of each layer; None for those that are only addresses."""
        return tuple(None if layer is None else layer.plan for layer in self.layers)

    @property
    def iterations(self) -> int:
        """Tile iterations of all layers and inferences."""
        return sum(iteration_count(layer, self.maps, self.network.batch) for layer in working(self.layers))

    @property
    def kernel_positions(self) -> int:
        """Kernel positions of all tile iterations."""
        return sum(
            iteration_count(layer, self.maps, self.network.batch) * (layer.plan.taps or layer.node.window.elements)
            for layer in working(self.layers)
        )

    @property
    def iterations_apart(self) -> int:
        """Tile iterations whose results are loaded again, of the longest stretch of layers of which none is on the
        array."""
        longest = stretch = 0
        for layer in working(self.layers):
            is_reloaded = self.maps.by_name[layer.node.name].tensor in self.program.reloaded
            iterations = iteration_count(layer, self.maps, self.network.batch) if is_reloaded else 0
            stretch = 0 if layer.on_array else stretch + iterations
            longest = max(longest, stretch)
        return longest

    @property
    def done_on_ways(self) -> dict[str, str]:
        """Operators of one inference that are no layers of their own, by name, in order: the way that does each."""
        first = self.network.nodes[: len(self.network.nodes) // self.network.inferences]
        ways = done_on_ways(replace(self.network, nodes=first))
        return {node.name: ways[node.name] for node in first if node.name in ways}

    @property
    def map_bits(self) -> dict[str, int]:
        """Bits of an element of each map; one that is on a way only is as wide as what it is made from."""
        bits = {name: place.tensor.bits for name, place in self.maps.by_name.items()}
        for node in self.source.nodes:
            bits.setdefault(node.name, bits[node.inputs[0]])
        return bits


def lower(network: Network, machine: Machine, scheduling: Scheduling = Scheduling()) -> Lowered:
    """The tile program of a network on a machine, for all its inferences, as the compiler's options say.

    A batch runs as one block, image by image, or in blocks of images, and a unified memory is split: as is best by
    estimate.
    Raises LoweringError, naming the layer, where a layer's smallest tile does not fit the SRAM, and PlanError where the
    given plan does not fit or contradicts itself.
    """
    network = placed(network, machine, scheduling.objective)
    bounds = _bounds(network, machine)
    try:
        found = {each: list(_plans(network, machine, scheduling, each)) for each in OBJECTIVES[scheduling.objective]}
    except PlanError as error:
        raise _with_all_faults(error, network, machine, scheduling) from None
    return _lowered(best_plan(found), bounds, scheduling.slots)


def _with_all_faults(error: PlanError, network: Network, machine: Machine, scheduling: Scheduling) -> PlanError:
    """The error with all else that is wrong with the plan, whatever it is about."""
    assert scheduling.plan is not None
    faults, sizes, splits = PlanFaults(), block_sizes(network.batch, None), [machine]
    with faults:
        raise error
    with faults:
        sizes = block_sizes(network.batch, scheduling.plan)
    with faults:
        splits = list(memory_splits(machine, scheduling.plan))
    source = stream(replace(network, batch=sizes[0]), scheduling.inferences * (network.batch // sizes[0]))
    _find_faults(faults, rewrite(source, splits[0]), splits[0], scheduling.plan)
    return faults.error


def _find_faults(faults: PlanFaults, network: Network, machine: Machine, plan: Plan) -> None:
    """Check tiles, weights, groups and feature maps that are given each without the others."""
    layers, layout = len(network.nodes) // network.inferences, layout_of(network, machine)
    given = given_layers(plan, network, machine, layout, layers, faults)
    cache = TilingCache(machine, network.batch, layout, nodes=network.nodes, given=given)
    weights = no_resident_weights(machine.sram.weight.capacity_bytes)
    if plan.keep_weights is not None:
        with faults:
            _resident_weights(network, layers, cache, plan)
    groups = Groups(network, layers, cache, weights)
    with faults:
        given_schedule(plan, groups, {each.name: each for each in candidates(network, layout, layers)})
    for node in network.nodes[:layers]:
        if node.name in given and cache.unstriped(node, given[node.name].tile, weights):
            with suppress(LoweringError), faults:
                cache.cost(node, machine.sram.activation.capacity_bytes, NO_RESIDENTS, weights)


def block_choices(batch: int) -> int:
    """Sizes of blocks of images that a batch is planned in."""
    return len(block_sizes(batch, None))


def _plans(network: Network, machine: Machine, scheduling: Scheduling, objective: Objective) -> Iterator[BlockPlan]:
    """The plans by an objective for each split of a unified memory and each size of blocks that is tried, from single
    images up, without and with weights that stay.

    Raises LoweringError where none fits.
    """
    failure, found = None, 0
    sizes = block_sizes(network.batch, scheduling.plan)
    for split, images in product(memory_splits(machine, scheduling.plan), sizes):
        source = stream(replace(network, batch=images), scheduling.inferences * (network.batch // images))
        try:
            for plan in _block_plans(source, split, scheduling, objective):
                found += 1
                yield plan
        except LoweringError as error:
            failure = failure or error
    if failure is not None and not found:
        raise failure


def _block_plans(
    source: Network, machine: Machine, scheduling: Scheduling, objective: Objective
) -> Iterator[BlockPlan]:
    """The plans of a stream of blocks of images: as stores scatter, and where that shreds bursts, with shuffles as
    copies. Raises LoweringError."""
    if scheduling.plan is not None and scheduling.plan.scatter is False:
        machine = without_scatter(machine)
    found = list(_laid_out_plans(source, machine, scheduling, objective))
    yield from found
    if scheduling.plan is None and machine.dma.scatter and any(plan.shreds for plan in found):
        with suppress(LoweringError):
            yield from _laid_out_plans(source, without_scatter(machine), scheduling, objective)


def _laid_out_plans(
    source: Network, machine: Machine, scheduling: Scheduling, objective: Objective
) -> Iterator[BlockPlan]:
    """The plans of a stream of blocks of images: without and with weights that stay. Raises LoweringError."""
    layers = len(source.nodes) // source.inferences
    network = rewrite(source, machine)
    layout = layout_of(network, machine)
    faults = PlanFaults()
    given = given_layers(scheduling.plan, network, machine, layout, layers, faults)
    faults.raise_any()
    cache = TilingCache(machine, network.batch, layout, objective, network.nodes, given)
    first, *others = dict.fromkeys(_resident_weights(network, layers, cache, scheduling.plan))
    yield _block_plan(source, network, cache, first, scheduling)
    for weights in others:
        with suppress(LoweringError):
            yield _block_plan(source, network, cache, weights, scheduling)


def _block_plan(
    source: Network, network: Network, cache: TilingCache, weights: WeightResidents, scheduling: Scheduling
) -> BlockPlan:
    """The plan of a stream of blocks of images, with these weights on chip. Raises LoweringError."""
    layers = len(source.nodes) // source.inferences
    found = list(candidates(network, cache.layout, layers))
    while True:
        residency = plan_schedule(network, layers, cache, weights, found, scheduling)
        planned = plan_layers(network, cache, residency.repeated(network.inferences, layers), weights)
        outgrown = outgrown_residents(list(working(planned)), cache.layout, network.batch, residency)
        if not outgrown:
            return BlockPlan(source, network, cache, tuple(planned), residency, weights)
        _refuse_outgrown(scheduling.plan, outgrown)
        found = [each for each in found if each.name not in outgrown]


def _refuse_outgrown(plan: Plan | None, outgrown: Collection[str]) -> None:
    """Raises PlanError where a feature map that is to stay has tiles that need more than its place."""
    for number, entry in enumerate(plan.keep if plan is not None else ()):
        for name in sorted(outgrown):
            if fnmatchcase(name, entry.match):
                expected = f"tiles of {name} that fit its place, each rounded up to bytes"
                raise PlanError(("keep", number), expected, "too many small ones")


def written(lowered: Lowered, batch: int) -> dict[str, Any]:
    """The plan of a program for a batch with the keys of a given plan, with which `lower` comes to the same program."""
    network = lowered.network
    layers = lowered.layers[: len(network.nodes) // network.inferences]
    split = {"activation_bytes": lowered.program.capacities[Buffer.ACTIVATION]} if lowered.is_split else {}
    scatter = {} if lowered.scatters else {"scatter": False}
    return {**split, **scatter, **written_plan(network, batch, layers, lowered.residency, lowered.weights)}


def _resident_weights(
    network: Network, layers: int, cache: TilingCache, plan: Plan | None
) -> tuple[WeightResidents, ...]:
    """The weights that may stay, as if no map did: none, and the best; or those that are given. Raises PlanError."""
    sram, bits = cache.machine.sram, cache.machine.array.weight_bits
    sizes = [(node, stored_bytes(node, bits)) for node in network.nodes[:layers] if node.weights]
    room = sram.activation.capacity_bytes
    if plan is not None and plan.keep_weights is not None:
        return (given_resident_weights(network, sizes, sram.weight.capacity_bytes, plan.keep_weights),)
    best = plan_resident_weights(
        network,
        sizes,
        sram.weight.capacity_bytes,
        lambda node, weights: cache.cost(node, room, NO_RESIDENTS, weights).burst_bytes,
    )
    return no_resident_weights(sram.weight.capacity_bytes), best


def _lowered(plan: BlockPlan, bounds: tuple[int, ...], slots: int | None) -> Lowered:
    """The program of a plan."""
    network, cache, layers, residency = plan.network, plan.cache, plan.layers, plan.residency
    repeated = residency.repeated(network.inferences, len(network.nodes) // network.inferences)
    residents = ResidentPlan.of(list(working(layers)), cache.layout, network.batch, repeated, plan.weights)
    computes = ComputeStream(cache.machine, cache.layout, network.batch, layers, residents)
    program = _program(network, computes, cache, slots)
    groups = _groups(network, residency)
    ends = groups, bounds, residency, plan.weights, cache.machine.sram.unified, cache.machine.dma.scatter
    return Lowered(plan.source, network, program, cache.layout, layers, *ends)


def _groups(network: Network, residency: Residency) -> tuple[str, ...]:
    """The group of each layer of one inference, called by its first and last layer."""
    names = [node.name for node in network.nodes[: len(network.nodes) // network.inferences]]
    groups = [""] * len(names)
    for cascade in residency.cascades:
        for layer in cascade.span:
            groups[layer] = f"{names[cascade.span[0]]}..{names[cascade.span[-1]]}"
    return tuple(groups)


def _program(network: Network, computes: ComputeStream, cache: TilingCache, slots: int | None) -> Program:
    host = cache.machine.host.tile_clocks if cache.machine.host else 0
    sram, residents, base = cache.machine.sram, computes.residents, cache.base
    capacities = {
        Buffer.ACTIVATION: sram.activation.capacity_bytes,
        Buffer.WEIGHT: sram.weight.capacity_bytes,
    }
    weights = dict.fromkeys(layer.weights for layer in working(computes.layers) if layer.weights)
    preloaded = (*(cache.layout.by_name[name].tensor for name in network.inputs), *weights)
    reloaded = frozenset(tensor for layer in working(computes.layers) for tensor in layer.unread)
    room = residents.weights.room
    rooms = {Buffer.ACTIVATION: residents.residency.rooms, Buffer.WEIGHT: weight_rooms(computes.layers, residents)}
    return Program(
        tuple(node.name for node in network.nodes),
        preloaded,
        Restartable(
            lambda: prefetch(computes, preloaded, reloaded, capacities, rooms, room, Timeline(base), slots, host)
        ),
        capacities,
        reloaded,
    )


def _bounds(network: Network, machine: Machine) -> tuple[int, ...]:
    """The least DRAM bytes of each layer of one inference, of the whole batch."""
    network = rewrite(network, machine)
    layout = layout_of(network, machine)
    return tuple(least_dram_bytes(node, network.batch, layout, machine) for node in network.nodes)


def layout_of(network: Network, machine: Machine) -> Layout:
    """The layout of a network's feature maps in the machine's DRAM."""
    first = machine.dram.first_address or 0
    bits, dma = machine.array.activation_bits, machine.dma
    return lay_out(network, bits, scatter=dma.scatter, first_address=first, codec=dma.map_codec)


def estimate(task: LayerTask, context: TilingContext) -> search.Planned:
    """The tiling of a layer on the array by itself, with its estimates. Raises LoweringError."""
    return search.planned(task, context)


def alternatives(task: LayerTask, context: TilingContext) -> Alternatives:
    """The tiling that is chosen for a layer on the array and noteworthy ones that are not."""
    return search.alternatives(task, context)
