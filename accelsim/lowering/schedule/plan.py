"""The schedule of a network: cascades and residents by beam search, then partial residents in the room that is left."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

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

    def searched(candidates: Mapping[str, Resident], *, free: bool) -> Residency:
        search = ScheduleSearch(
            groups, candidates, capacity, costs, given, cascades=cascades and free, keeps=keeps and free
        )
        return place_given_parts(search.plan(), given.parts, cache.layout, burst_bytes)

    searches = [lambda: searched(by_name, free=True)]
    if scheduling.plan is not None and keeps:
        searches += [lambda: searched(given.apart(by_name), free=True), lambda: searched(by_name, free=False)]
    residency = _first_found(searches)
    if not keeps:
        return residency
    return plan_partial_residents(nodes, residency, by_name.values(), cache.layout, burst_bytes, costs.cost)


def _first_found(searches: Sequence[Callable[[], Residency]]) -> Residency:
    """The schedule of the first search that has one: what the compiler chose gives way to what is given. Raises
    LoweringError, the last one."""
    *others, last = searches
    for search in others:
        with suppress(LoweringError):
            return search()
    return last()
