"""Do maps stay on chip where they fit, until they were read for the last time, and never at the cost of more bytes?"""

from __future__ import annotations

from itertools import combinations
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from accelsim.check.execute import check_program
from accelsim.config.machine import Machine
from accelsim.config.scheduling import Scheduling
from accelsim.errors import LoweringError, ProgramError
from accelsim.lowering.compile import Lowered, lower
from accelsim.lowering.ir import ResidentChannels
from accelsim.lowering.layout import lay_out
from accelsim.lowering.schedule.residents import Cost, Resident, candidates, plan_residents, readers_of
from accelsim.lowering.tiling import cache
from accelsim.lowering.tiling.cache import TilingCache
from accelsim.network.graph import Network, Node
from accelsim.program.commands import Compute, Load, Store
from accelsim.program.link import link
from accelsim.run.simulate import load_network, simulate
from tests.played import dma_counts, settled, tiles_on_chip
from tests.strategies import machine_of, machines, network_of, networks, schedulings

CONV: dict[str, Any] = {"op": "conv", "kernel": 1, "channels": 64}
TWO = [{**CONV, "name": "a"}, {**CONV, "name": "b"}]
SIZE = (8, 8, 64)
MAP = 8 * 8 * 64


def kept(lowered: Lowered) -> set[str]:
    """Layers whose results stay."""
    program = lowered.program
    computes = [command for command in program.commands if isinstance(command, Compute)]
    return {program.layers[c.layer] for c in computes for tile in c.results if tile.resident}


def dram_bytes(lowered: Lowered) -> int:
    counts = dma_counts(lowered.program, 64)
    return sum(each.dram_read_bytes + each.dram_write_bytes for each in counts)


def test_a_map_that_just_fits_stays_and_one_byte_less_sends_it_out() -> None:
    """Two layers that cost a byte for each map they move, in whatever room: the map between them takes all of it."""
    network = network_of(TWO, SIZE)
    maps = lay_out(network, 8, scatter=True)

    def cost(node: Node, room: int, stays: ResidentChannels) -> Cost:
        return Cost(sum(name not in stays for name in (node.name, *node.inputs)), 1)

    for capacity, stays in ((MAP, {"a"}), (MAP - 1, set())):
        (planned,) = plan_residents(network.nodes, candidates(network, maps, 2), capacity, [capacity], cost)
        assert planned.stays.keys() == stays
    assert planned.rooms == ((0, MAP - 1),) * 2


def test_a_map_stays_if_the_objective_is_nearly_as_good() -> None:
    """Two layers that take 50 each; with the map between on chip 51 (2 % more), or a bit more than that."""
    network = network_of(TWO, SIZE)
    maps = lay_out(network, 8, scatter=True)
    for score, stays in ((51.0, {"a"}), (51.1, set())):

        def cost(node: Node, room: int, stays: ResidentChannels, score: float = score) -> Cost:
            return Cost(2 - len(stays), score if stays else 50)

        (planned,) = plan_residents(network.nodes, candidates(network, maps, 2), MAP, [MAP], cost)
        assert planned.stays.keys() == stays


def test_what_stays_is_neither_stored_nor_loaded() -> None:
    """With room for the map and for tiles beside it; a buffer smaller than the map sends it through DRAM."""
    network = network_of(TWO, SIZE)
    for room, stays in ((2 * MAP, {"a"}), (MAP - 1, set())):
        lowered = lower(network, machine_of(sram__activation__capacity_bytes=room), Scheduling(fusion="never"))
        assert kept(lowered) == stays
        loads = [c.tile.tensor.name for c in lowered.program.commands if isinstance(c, Load)]
        stores = [c.tile.tensor.name for c in lowered.program.commands if isinstance(c, Store)]
        assert ("a" in loads, "a" in stores) == (not stays, not stays)


def test_the_whole_network_on_chip_moves_input_weights_and_output_only() -> None:
    """With room for everything: the compulsory bytes."""
    network = network_of([*TWO, {"name": "add", "op": "add", "inputs": ["a", "b"]}], SIZE)
    lowered = lower(network, machine_of(sram__activation__capacity_bytes=1 << 20))
    assert kept(lowered) == {"a", "b"}
    assert dram_bytes(lowered) == MAP + 2 * 64 * 64 + MAP


def test_a_shortcut_stays_past_the_layers_between() -> None:
    """`a` is read by `b` and by the add behind it."""
    network = network_of([*TWO, {**CONV, "name": "c"}, {"name": "add", "op": "add", "inputs": ["a", "c"]}], SIZE)
    maps = lay_out(network, 8, scatter=True)
    stays = {stay.name: stay for stay in candidates(network, maps, len(network.nodes))}
    assert stays["a"] == Resident("a", 0, 3, MAP, 64)
    assert stays["b"] == Resident("b", 1, 2, MAP, 64)
    assert "add" not in stays


def test_readers_are_found_through_concats_and_shuffles() -> None:
    """And the map of a concat that is the network's output has to be stored."""
    rows = [
        {**CONV, "name": "a"},
        {**CONV, "name": "b", "inputs": ["input"]},
        {"name": "cat", "op": "concat", "inputs": ["a", "b"]},
        {"name": "mix", "op": "shuffle", "groups": 4},
        {**CONV, "name": "c"},
    ]
    network = network_of(rows, SIZE)
    maps = lay_out(network, 8, scatter=True)
    assert readers_of(network, maps, "a") == readers_of(network, maps, "b") == ["c"]
    shorter = network_of(rows[:-1], SIZE)
    assert readers_of(shorter, lay_out(shorter, 8, scatter=True), "a") == []


def test_part_of_a_concat_stays() -> None:
    """Room for one of two maps: the consumer reads one from SRAM, and loads the channels of the other."""
    rows = [
        {**CONV, "name": "a"},
        {**CONV, "name": "b", "inputs": ["input"]},
        {"name": "cat", "op": "concat", "inputs": ["a", "b"]},
        {**CONV, "name": "c"},
    ]
    network, machine = network_of(rows, SIZE), machine_of(sram__activation__capacity_bytes=2 * MAP - 1)
    lowered = lower(network, machine)
    assert len(kept(lowered)) == 1
    assert check_program(machine, lowered, link(lowered.program)) == []


def test_never_is_never() -> None:
    """Every map goes through DRAM."""
    never = Scheduling(keep_activations="never")
    assert kept(lower(load_network("shufflenet_g3")[1], machine_of(), never)) == set()


@pytest.mark.parametrize(
    "name",
    [
        "shufflenet_g3",
        "mobilenet_v1_0.50_160",
        "resnet18",
        pytest.param("googlenet", marks=pytest.mark.slow),
        pytest.param("densenet121", marks=pytest.mark.slow),
    ],
)
def test_keeping_maps_never_moves_more_bytes(name: str) -> None:
    """On `edge`, and with a quarter and four times its activation buffer."""
    network = load_network(name)[1]
    for capacity in (1 << 16, 1 << 18, 1 << 20):
        size = {"sram__activation__capacity_bytes": capacity}
        auto, never = (
            dram_bytes(lower(network, machine_of(**size), each))
            for each in (Scheduling(), Scheduling(keep_activations="never"))
        )
        assert auto <= never


@settings(derandomize=True, deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(networks(), machines(), schedulings())
def test_keeping_maps_of_random_networks_never_moves_more_bytes(
    network: Network, machine: Machine, scheduling: Scheduling
) -> None:
    """Requested bytes; the planner compares estimates, so a little more may come of halos cut otherwise."""
    try:
        never, auto = (
            lower(network, machine, scheduling.model_copy(update={"keep_activations": keep}))
            for keep in ("never", "auto")
        )
    except LoweringError:
        assume(False)
        raise
    assert dram_bytes(auto) <= dram_bytes(never)


def test_two_maps_in_one_place_are_seen() -> None:
    """A program in which the second map lies where the first still stands is no program."""
    network = network_of([*TWO, {"name": "add", "op": "add", "inputs": ["a", "b"]}], SIZE)
    lowered = lower(network, machine_of(sram__activation__capacity_bytes=1 << 20))
    lowered, _ = settled(lowered)
    residents = [tile for tile in tiles_on_chip(lowered.program) if tile.resident]
    first, second = (next(tile for tile in residents if tile.tensor.name == name) for name in "ab")
    second.address = first.address
    with pytest.raises(ProgramError, match="still to be read"):
        list(link(lowered.program))


def test_weights_that_fit_are_loaded_once_for_all_inferences() -> None:
    """Two layers of 4096 weights each, three images: with room for both, or less."""
    network = network_of(TWO, SIZE)
    loads = []
    for room in (8192, 8191, 2048):
        machine = machine_of(sram__weight__capacity_bytes=room)
        lowered = lower(network, machine, Scheduling(inferences=3))
        counts = dma_counts(lowered.program, 64)
        loads.append(sum(each.dram_read_weight_bytes for each in counts))
        assert check_program(machine, lowered, link(lowered.program)) == []
    assert loads[0] == 8192
    assert min(loads[1:]) > 8192


def test_later_inferences_take_no_longer_and_add_up() -> None:
    """The first one waits for its weights; the ends are those of the clocks, the energy is that of all images."""
    once = simulate("mobilenet_v1_0.25_128", "edge", {"sram.weight.capacity_bytes": 1 << 20}).totals
    settings = {"sram.weight.capacity_bytes": 1 << 20, "scheduling.inferences": 4}
    run = simulate("mobilenet_v1_0.25_128", "edge", settings)
    totals = run.totals
    assert list(run.inference_ends) == sorted(run.inference_ends)
    assert totals["total_cycles"] == run.inference_ends[-1] == sum(run.layers["total_cycles"])
    assert totals["interval_ms"] < totals["first_inference_ms"] <= once["latency_ms"] * 1.02
    assert totals["macs"] == 4 * once["macs"]
    assert totals["dram_read_weight_bytes"] == once["weights"]
    assert totals["energy_per_inference_pj"] == pytest.approx(totals["energy_total_pj"] / 4)
    assert totals["energy_per_inference_pj"] < once["energy_per_inference_pj"]


@settings(derandomize=True, deadline=None, max_examples=100)
@example([(3, 1, 8), (0, 1, 2), (1, 1, 2), (2, 2, 2)])
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(1, 6), st.integers(1, 9)), min_size=2, max_size=8))
def test_maps_that_stay_at_the_same_time_have_places_of_their_own(drawn: list[tuple[int, int, int]]) -> None:
    """Whatever stays before and behind them; and the room of a layer is free of those that stay meanwhile."""
    nodes = network_of([{"name": f"l{number}", "op": "relu"} for number in range(14)], (1, 1, 1)).nodes
    found = [
        Resident(f"m{number}", first, first + length, size, 1) for number, (first, length, size) in enumerate(drawn)
    ]

    def cost(node: Node, room: int, stays: ResidentChannels) -> Cost:
        return Cost(100 - len(stays), 1)

    limits = (24, 6, 5, 3)
    plans = plan_residents(nodes, found, 24, limits, cost)
    chosen = plans[0]
    places = [(stay, chosen.addresses[stay.name]) for stay in chosen.stays.values()]
    for (one, low), (other, start) in combinations(places, 2):
        if one.first <= other.last and other.first <= one.last:
            assert low + one.size <= start or start + other.size <= low
    for stay, low in places:
        assert 0 <= low <= 24 - stay.size
        for bottom, top in chosen.rooms[stay.first : stay.last + 1]:
            assert top <= low or low + stay.size <= bottom
    for limit, plan in zip(limits, plans, strict=True):
        assert [plan] == plan_residents(nodes, [stay for stay in found if stay.size <= limit], 24, [24], cost)


@pytest.mark.parametrize("name", ["resnet34_B", "shufflenet_g3", "densenet161"])
def test_planning_looks_for_few_plans(name: str) -> None:
    """Of a convolution two or three, whichever maps stay beside it, although each is priced for many; and it is priced
    again only where its room or what it loads and stores is another."""
    network = load_network(name)[1]
    with (
        patch.object(cache, "planned", wraps=cache.planned) as searches,
        patch.object(TilingCache, "cost", autospec=True, side_effect=TilingCache.cost) as prices,
    ):
        lower(network, machine_of())
    on_array = sum(node.op.weighted for node in network.nodes)
    assert searches.call_count <= 2.2 * on_array
    assert prices.call_count <= 60 * len(network.nodes)
