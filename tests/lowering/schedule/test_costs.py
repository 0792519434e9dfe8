"""Are the costs that schedules are chosen by bounded by the least of each layer, and do stripes fit their room?"""

from __future__ import annotations

from itertools import pairwise

import pytest

from accelsim.config.scheduling import Objective
from accelsim.lowering.ir import NO_RESIDENTS
from accelsim.lowering.layout import layout_of
from accelsim.lowering.rewrite import rewrite
from accelsim.lowering.schedule.costs import Costs, value_of
from accelsim.lowering.schedule.effort import Effort
from accelsim.lowering.schedule.groups import Groups
from accelsim.lowering.schedule.heights import Heights
from accelsim.lowering.schedule.rings import Fmap
from accelsim.lowering.schedule.weights import WeightResidents, no_resident_weights
from accelsim.lowering.tiling.cache import TilingCache
from accelsim.network.graph import Network
from accelsim.network.placement import placed
from accelsim.program.tensors import Range
from accelsim.run.define import load_network
from tests.strategies import machine_of

MACHINE = machine_of()
NOTHING_STAYS = no_resident_weights(MACHINE.sram.weight.capacity_bytes)


def planned(objective: Objective = "cycles") -> tuple[Network, TilingCache, WeightResidents]:
    network = placed(rewrite(load_network("shufflenet_0.25x_g3")[1], MACHINE), MACHINE, "cycles")
    cache = TilingCache(MACHINE, 1, layout_of(network, MACHINE), objective, nodes=network.nodes)
    return network, cache, NOTHING_STAYS


@pytest.mark.parametrize("objective", ["cycles", "dram_bytes", "energy", "edp"])
def test_no_layer_costs_less_than_its_least(objective: Objective) -> None:
    """In any room; and the value of more clocks, or of more bytes, is more."""
    network, cache, weights = planned(objective)
    value = value_of(cache, weights, network.nodes)
    costs = Costs(cache, weights, value)
    for node in network.nodes:
        least = costs.least(node, NO_RESIDENTS)
        for room in (1 << 14, MACHINE.sram.activation.capacity_bytes):
            effort = costs.alone(node, room, NO_RESIDENTS)
            assert isinstance(effort, Effort)
            assert least.cycles <= 1.0001 * effort.cycles
    assert value(2.0, 1.0) > value(1.0, 1.0)
    assert value(1.0, 2.0) > value(1.0, 1.0)


def test_channels_far_apart_move_a_burst_each() -> None:
    """Of each pixel of a shuffled map every 128th channel."""
    network, cache, weights = planned()
    fmap = Fmap(4, 4, 4, 8, 1024, (Range(0, 512, 128),))
    assert Groups(network, cache, weights)._burst_bytes(fmap, fmap.ranges) == 4 * 4 * 4 * cache.base.burst_bytes


def test_more_room_makes_no_stripes_slower() -> None:
    """Lower ones are not lost to higher ones that fit as well."""
    network, cache, weights = planned()
    groups = Groups(network, cache, weights)
    heights, rooms = Heights(groups), range(1 << 13, 1 << 17, 1 << 13)
    steps = list[float]()
    for first in range(len(network.nodes)):
        for span in groups.spans(first):
            found = (heights.best(span, frozenset[int](), room) for room in rooms)
            cycles = [best.effort.cycles for best in found if best is not None]
            steps += (after - before for before, after in pairwise(cycles))
    assert max(steps) <= 0
    assert min(steps) < 0


def test_the_best_stripes_fit_their_room() -> None:
    """And no group that has no stripes fits."""
    network, cache, weights = planned()
    groups = Groups(network, cache, weights)
    heights, nothing, fitted = Heights(groups), frozenset[int](), 0
    for first in range(len(network.nodes)):
        for span in groups.spans(first):
            for room in (1 << 12, 1 << 15):
                best = heights.best(span, nothing, room)
                if best is not None:
                    assert best.striped.ring_bytes <= room
                    assert heights.fit(span, nothing, room)
                    assert best.effort.cycles >= groups.least(span, nothing).cycles / 1.0001
                    fitted += 1
    assert fitted > 10
