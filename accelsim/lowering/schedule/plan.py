"""The schedule of a network: weights that stay; cascades and residents by beam search; then partial residents in the
room that is left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from accelsim.config.plan import Plan
from accelsim.config.scheduling import Scheduling
from accelsim.errors import LoweringError, PlanError
from accelsim.lowering.ir import NO_RESIDENTS
from accelsim.lowering.schedule.costs import Costs, value_of
from accelsim.lowering.schedule.given import GivenSchedule, given_schedule
from accelsim.lowering.schedule.groups import Groups
from accelsim.lowering.schedule.partial import place_given_parts, plan_partial_residents
from accelsim.lowering.schedule.residents import Residency, Resident
from accelsim.lowering.schedule.search import ScheduleSearch
from accelsim.lowering.schedule.weights import (
    WeightResidents,
    given_resident_weights,
    plan_resident_weights,
    stored_bytes,
)
from accelsim.lowering.tiling.cache import TilingCache
from accelsim.network.graph import Network, Node


def plan_weights(network: Network, cache: TilingCache, plan: Plan | None) -> tuple[WeightResidents, ...] | PlanError:
    """The weights that may stay, as if no map did; or those that are given. An error with all that is wrong with
    these."""
    capacity, bits = cache.machine.sram.weight.capacity_bytes, cache.machine.array.weight_bits
    sizes = [(node, stored_bytes(node, bits)) for node in network.nodes[: network.layers] if node.weights]
    if plan is not None and plan.keep_weights is not None:
        given = given_resident_weights(network, sizes, capacity, plan.keep_weights)
        return given if isinstance(given, PlanError) else (given,)
    return plan_resident_weights(network, sizes, capacity, partial(_burst_bytes, cache))


def _burst_bytes(cache: TilingCache, node: Node, weights: WeightResidents) -> int | None:
    """DRAM bytes of a layer with the whole activation buffer; None where it does not fit."""
    cost = cache.cost(node, cache.machine.sram.activation.capacity_bytes, NO_RESIDENTS, weights)
    return None if isinstance(cost, LoweringError) else cost.burst_bytes


def plan_schedule(
    network: Network,
    cache: TilingCache,
    weights: WeightResidents,
    found: Iterable[Resident],
    scheduling: Scheduling,
) -> Residency | LoweringError:
    """The schedule of one inference; an error that names the layer that does not fit, or says what is
    wrong with the groups and feature maps that are given."""
    nodes, capacity = network.nodes[: network.layers], cache.machine.sram.activation.capacity_bytes
    costs = Costs(cache, weights, value_of(cache, weights, nodes))
    by_name = {each.name: each for each in found}
    keeps = scheduling.keep_activations == "auto" and bool(by_name)
    groups = Groups(network, cache, weights)
    given = given_schedule(scheduling.plan, groups, by_name)
    if isinstance(given, PlanError):
        return given
    cascades = scheduling.fusion == "auto" and keeps
    burst_bytes = cache.machine.dram.burst_bytes
    residency: Residency | LoweringError
    for candidates, free in _freedoms(given, by_name) if scheduling.plan is not None and keeps else [(by_name, True)]:
        search = ScheduleSearch(
            groups, candidates, capacity, costs, given, cascades=cascades and free, keeps=keeps and free
        )
        residency = search.plan()
        if isinstance(residency, Residency):
            residency = place_given_parts(residency, given.parts, cache.layout, burst_bytes)
        if isinstance(residency, Residency):
            break
    if not keeps or isinstance(residency, LoweringError):
        return residency
    return plan_partial_residents(nodes, residency, by_name.values(), cache.layout, burst_bytes, costs.cost)


def _freedoms(given: GivenSchedule, found: Mapping[str, Resident]) -> Iterator[tuple[Mapping[str, Resident], bool]]:
    """The feature maps that may stay beside a given plan, and whether the compiler may choose more than is given: what
    it chose gives way to what is given."""
    yield found, True
    yield given.apart(found), True
    yield found, False
