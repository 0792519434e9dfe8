"""All that is wrong with a given plan, where one thing is."""

from __future__ import annotations

from dataclasses import replace

from accelsim.config.machine import Machine
from accelsim.config.plan import Plan
from accelsim.config.scheduling import Scheduling
from accelsim.errors import PlanError, PlanFaults
from accelsim.lowering.ir import NO_RESIDENTS
from accelsim.lowering.layout import layout_of
from accelsim.lowering.rewrite import rewrite
from accelsim.lowering.schedule.given import given_schedule
from accelsim.lowering.schedule.groups import Groups
from accelsim.lowering.schedule.plan import plan_weights
from accelsim.lowering.schedule.residents import candidates
from accelsim.lowering.schedule.weights import no_resident_weights
from accelsim.lowering.tiling.cache import TilingCache
from accelsim.lowering.tiling.given import given_layers
from accelsim.lowering.trials import block_sizes, memory_splits
from accelsim.network.graph import Network
from accelsim.network.stream import stream


def with_all_faults(error: PlanError, network: Network, machine: Machine, scheduling: Scheduling) -> PlanError:
    """The error with all else that is wrong with the plan, whatever it is about."""
    assert scheduling.plan is not None
    faults, sizes, splits = PlanFaults(), block_sizes(network.batch, None), [machine]
    faults.note(error)
    with faults:
        sizes = block_sizes(network.batch, scheduling.plan)
    with faults:
        splits = list(memory_splits(machine, scheduling.plan))
    source = stream(replace(network, batch=sizes[0]), scheduling.inferences * (network.batch // sizes[0]))
    _find_faults(faults, rewrite(source, splits[0]), splits[0], scheduling.plan)
    return faults.error


def _find_faults(faults: PlanFaults, network: Network, machine: Machine, plan: Plan) -> None:
    """Check tiles, weights, groups and feature maps that are given each without the others."""
    layout = layout_of(network, machine)
    given = given_layers(plan, network, machine, layout, faults)
    cache = TilingCache(machine, network.batch, layout, nodes=network.nodes, given=given)
    weights = no_resident_weights(machine.sram.weight.capacity_bytes)
    faults.note(plan_weights(network, cache, plan))
    faults.note(
        given_schedule(plan, Groups(network, cache, weights), {each.name: each for each in candidates(network, layout)})
    )
    for node in network.nodes[: network.layers]:
        if node.name in given and cache.unstriped(node, given[node.name].tile, weights):
            faults.note(cache.cost(node, machine.sram.activation.capacity_bytes, NO_RESIDENTS, weights))
