"""The schedule of a network: cascades and residents by beam search, then partial residents in the room that is left."""

from __future__ import annotations

from collections.abc import Iterable

from accelsim.config.scheduling import Scheduling
from accelsim.errors import LoweringError
from accelsim.lowering.schedule.costs import Costs, value_of
from accelsim.lowering.schedule.given import given_schedule
from accelsim.lowering.schedule.groups import Groups
from accelsim.lowering.schedule.partial import place_given_parts, plan_partial_residents
from accelsim.lowering.schedule.residents import Residency, Resident
from accelsim.lowering.schedule.search import ScheduleSearch
from accelsim.lowering.schedule.weights import WeightResidents
from accelsim.lowering.tiling.cache import TilingCache
from accelsim.network.graph import Network


def plan_schedule(
    network: Network,
    layers: int,
    cache: TilingCache,
    weights: WeightResidents,
    found: Iterable[Resident],
    scheduling: Scheduling,
) -> Residency:
    """The schedule of the first layers, one inference. Raises LoweringError, naming the layer that does not fit."""
    nodes, capacity = network.nodes[:layers], cache.machine.sram.activation.capacity_bytes
    costs = Costs(cache, weights, value_of(cache, weights, nodes))
    by_name = {each.name: each for each in found}
    keeps = scheduling.keep_activations == "auto" and bool(by_name)
    groups = Groups(network, layers, cache, weights)
    given = given_schedule(scheduling.plan, groups, by_name)
    cascades = scheduling.fusion == "auto" and keeps
    burst_bytes = cache.machine.dram.burst_bytes

    def searched(*, cascades: bool, keeps: bool) -> Residency:
        search = ScheduleSearch(groups, by_name, capacity, costs, given, cascades=cascades, keeps=keeps)
        return place_given_parts(search.plan(), given.parts, cache.layout, burst_bytes)

    try:
        residency = searched(cascades=cascades, keeps=keeps)
    except LoweringError:
        if scheduling.plan is None or not keeps:
            raise
        return searched(cascades=False, keeps=False)
    if not keeps:
        return residency
    return plan_partial_residents(nodes, residency, by_name.values(), cache.layout, burst_bytes, costs.cost)
