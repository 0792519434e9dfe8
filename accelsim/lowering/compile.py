"""From a network and a machine to a tile program, pass by pass.

`_planned` and `_scheduled` are rewrite, layout, tiling and schedule, `_emitted` is allocation, commands and prefetch.
A plan that does not fit is a LoweringError in its place: `lower` takes the best of all that do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from itertools import chain
from typing import Any

from accelsim.collection import uncollected
from accelsim.config.machine import Machine
from accelsim.config.plan import Plan
from accelsim.config.scheduling import Objective, Scheduling
from accelsim.errors import LoweringError, PlanError, PlanFaults
from accelsim.lowering.emit.planned import iteration_count, plan_layers, working
from accelsim.lowering.emit.residents import ResidentPlan, outgrown_residents, weight_rooms
from accelsim.lowering.emit.stream import ComputeStream
from accelsim.lowering.faults import with_all_faults
from accelsim.lowering.ir import Alternatives, LayerTask, Layout, PlannedLayer, Tiling, TilingContext
from accelsim.lowering.layout import layout_of
from accelsim.lowering.prefetch import prefetch
from accelsim.lowering.rewrite import done_on_ways, rewrite
from accelsim.lowering.schedule.plan import plan_schedule, plan_weights
from accelsim.lowering.schedule.residents import Residency, candidates
from accelsim.lowering.schedule.weights import WeightResidents
from accelsim.lowering.tiling import search
from accelsim.lowering.tiling.bound import least_dram_bytes
from accelsim.lowering.tiling.cache import TilingCache
from accelsim.lowering.tiling.given import given_layers
from accelsim.lowering.trials import OBJECTIVES, BlockPlan, Trial, best_plan, block_sizes, trials
from accelsim.lowering.written import written_plan
from accelsim.network.graph import Network
from accelsim.network.placement import placed
from accelsim.network.units import lacking
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
        first = self.network.nodes[: self.network.layers]
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
    Raises LoweringError, naming the layer, where a layer's smallest tile does not fit the SRAM or its unit can't do it,
    and PlanError where the given plan does not fit or contradicts itself.
    """
    found = lowered_or_error(network, machine, scheduling)
    if isinstance(found, LoweringError):
        raise found
    return found


@uncollected()
def lowered_or_error(network: Network, machine: Machine, scheduling: Scheduling) -> Lowered | LoweringError:
    """The tile program, as `lower` gives it, or the error that it raises."""
    network = placed(network, machine, scheduling.objective)
    plans: dict[Objective, list[BlockPlan]] = {}
    for objective in OBJECTIVES[scheduling.objective]:
        found = _plans(network, machine, scheduling, objective)
        if isinstance(found, PlanError):
            return with_all_faults(found, network, machine, scheduling)
        if isinstance(found, LoweringError):
            return found
        plans[objective] = found
    return _emitted(best_plan(plans), _bounds(network, machine), scheduling.slots)


def _plans(
    network: Network, machine: Machine, scheduling: Scheduling, objective: Objective
) -> list[BlockPlan] | LoweringError:
    """The plans by an objective of all trials that fit; the first error where none does."""
    faults = PlanFaults()
    with faults:
        every = list(trials(network, machine, scheduling, objective))
    if faults.found:
        return faults.error
    attempts = list(chain.from_iterable(_attempts(trial, scheduling) for trial in every))
    found = [each for each in attempts if isinstance(each, BlockPlan)]
    return found or next(each for each in attempts if isinstance(each, LoweringError))


def _attempts(trial: Trial, scheduling: Scheduling) -> list[BlockPlan | LoweringError]:
    """The plans of a trial as stores scatter, and where that shreds bursts, with shuffles as copies."""
    attempts = list(_planned(trial, scheduling))
    shreds = any(isinstance(each, BlockPlan) and each.shreds for each in attempts)
    if shreds and scheduling.plan is None and trial.machine.dma.scatter:
        attempts += _planned(trial.copying, scheduling)
    return attempts


def _planned(trial: Trial, scheduling: Scheduling) -> Iterator[BlockPlan | LoweringError]:
    """The plans of a trial, without and with weights that stay."""
    machine, faults = trial.machine, PlanFaults()
    network = rewrite(trial.source, machine)
    layout = layout_of(network, machine)
    given = given_layers(scheduling.plan, network, machine, layout, faults)
    cache = TilingCache(machine, network.batch, layout, trial.objective, network.nodes, given, scheduling.slots)
    refused = faults.error if faults.found else _undone(network, cache)
    weights = refused or plan_weights(network, cache, scheduling.plan)
    if isinstance(weights, LoweringError):
        yield weights
    else:
        yield from (_scheduled(trial.source, network, cache, each, scheduling) for each in weights)


def _undone(network: Network, cache: TilingCache) -> LoweringError | None:
    """The error of the first layer that its unit can't do; None where there is none."""
    for node in network.nodes:
        reason = lacking(node, cache.machine, cache.input_bits(node))
        if reason is not None:
            return LoweringError(f"{node.name}: {reason}")
    return None


def _scheduled(
    source: Network, network: Network, cache: TilingCache, weights: WeightResidents, scheduling: Scheduling
) -> BlockPlan | LoweringError:
    """The plan with these weights on chip. A feature map whose tiles outgrow its place does not stay."""
    may_stay = list(candidates(network, cache.layout))
    while True:
        residency = plan_schedule(network, cache, weights, may_stay, scheduling)
        if isinstance(residency, LoweringError):
            return residency
        layers = plan_layers(network, cache, residency.repeated(network.inferences, network.layers), weights)
        if isinstance(layers, LoweringError):
            return layers
        outgrown = outgrown_residents(list(working(layers)), cache.layout, network.batch, residency)
        if not outgrown:
            return BlockPlan(source, network, cache, tuple(layers), residency, weights)
        refused = _outgrown_of(scheduling.plan, outgrown)
        if refused is not None:
            return refused
        may_stay = [each for each in may_stay if each.name not in outgrown]


def _outgrown_of(plan: Plan | None, outgrown: Collection[str]) -> PlanError | None:
    """The error where a feature map that is to stay by the plan has tiles that need more than its place."""
    for number, entry in enumerate(plan.keep if plan is not None else ()):
        for name in sorted(outgrown):
            if fnmatchcase(name, entry.match):
                expected = f"tiles of {name} that fit its place, each rounded up to bytes"
                return PlanError(("keep", number), expected, "too many small ones")
    return None


def _emitted(plan: BlockPlan, bounds: tuple[int, ...], slots: int | None) -> Lowered:
    """The program of a plan."""
    network, cache, layers, residency = plan.network, plan.cache, plan.layers, plan.residency
    repeated = residency.repeated(network.inferences, network.layers)
    residents = ResidentPlan.of(list(working(layers)), cache.layout, network.batch, repeated, plan.weights)
    computes = ComputeStream(cache.machine, cache.layout, network.batch, layers, residents)
    program = _program(network, computes, cache, slots)
    groups = _groups(network, residency)
    ends = groups, bounds, residency, plan.weights, cache.machine.sram.unified, cache.machine.dma.scatter
    return Lowered(plan.source, network, program, cache.layout, layers, *ends)


def _program(network: Network, computes: ComputeStream, cache: TilingCache, slots: int | None) -> Program:
    machine, residents, layers = cache.machine, computes.residents, list(working(computes.layers))
    capacities = {
        Buffer.ACTIVATION: machine.sram.activation.capacity_bytes,
        Buffer.WEIGHT: machine.sram.weight.capacity_bytes,
    }
    weights = dict.fromkeys(layer.weights for layer in layers if layer.weights)
    preloaded = (*(cache.layout.by_name[name].tensor for name in network.inputs), *weights)
    reloaded = frozenset(tensor for layer in layers for tensor in layer.unread)
    rooms = {Buffer.ACTIVATION: residents.residency.rooms, Buffer.WEIGHT: weight_rooms(computes.layers, residents)}
    host = machine.host.tile_clocks if machine.host else 0
    ahead = capacities, rooms, residents.weights.room, cache.base, slots, host
    commands = Restartable(partial(prefetch, computes, preloaded, reloaded, *ahead))
    return Program(tuple(node.name for node in network.nodes), preloaded, commands, capacities, reloaded)


def _groups(network: Network, residency: Residency) -> tuple[str, ...]:
    """The group of each layer of one inference, called by its first and last layer."""
    names = [node.name for node in network.nodes[: network.layers]]
    groups = [""] * len(names)
    for cascade in residency.cascades:
        for layer in cascade.span:
            groups[layer] = f"{names[cascade.span[0]]}..{names[cascade.span[-1]]}"
    return tuple(groups)


def _bounds(network: Network, machine: Machine) -> tuple[int, ...]:
    """The least DRAM bytes of each layer of one inference, of the whole batch."""
    network = rewrite(network, machine)
    layout = layout_of(network, machine)
    return tuple(least_dram_bytes(node, network.batch, layout, machine) for node in network.nodes)


def written(lowered: Lowered, batch: int) -> dict[str, Any]:
    """The plan of a program for a batch with the keys of a given plan, with which `lower` comes to the same program."""
    network = lowered.network
    layers = lowered.layers[: network.layers]
    split = {"activation_bytes": lowered.program.capacities[Buffer.ACTIVATION]} if lowered.is_split else {}
    scatter = {} if lowered.scatters else {"scatter": False}
    return {**split, **scatter, **written_plan(network, batch, layers, lowered.residency, lowered.weights)}


def block_choices(batch: int) -> int:
    """Sizes of blocks of images that a batch is planned in."""
    return len(block_sizes(batch, None))


def estimate(task: LayerTask, context: TilingContext) -> search.Planned:
    """The tiling of a layer on the array by itself, with its estimates. Raises LoweringError where it does not fit."""
    found = search.planned(task, context)
    if isinstance(found, LoweringError):
        raise found
    return found


def alternatives(task: LayerTask, context: TilingContext) -> Alternatives:
    """The tiling that is chosen for a layer on the array and noteworthy ones that are not."""
    return search.alternatives(task, context)
