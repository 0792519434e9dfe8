"""Does a part of a map stay on chip where the whole does not fit, is it computed right, and what does it save?"""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accelsim.check.execute import check_program
from accelsim.config.machine import Machine
from accelsim.config.scheduling import Scheduling
from accelsim.errors import LoweringError
from accelsim.lowering import compile as lowering
from accelsim.lowering.compile import Lowered, lower
from accelsim.lowering.ir import ResidentChannels
from accelsim.lowering.layout import lay_out
from accelsim.lowering.schedule.partial import plan_partial_residents
from accelsim.lowering.schedule.residents import Cost, Residency, Resident, candidates, no_residents
from accelsim.network.graph import Network, Node
from accelsim.program.commands import Compute, Load, Store, Tile
from accelsim.program.link import link
from accelsim.run.simulate import load_network
from tests.played import dma_counts
from tests.strategies import machine_of, machines, network_of, networks, schedulings

PIXELS = 8 * 8
TWO = [
    {"name": "a", "op": "conv", "kernel": 1, "channels": 128},
    {"name": "b", "op": "conv", "kernel": 1, "channels": 64},
]
ALONE = Scheduling(fusion="never", objective="energy")
WHOLE = PIXELS * 64 + 64 * 128 + 2 * PIXELS * 128 + 128 * 64 + PIXELS * 64
"""Bytes of input, weights, map out and in, weights, output."""


def parts(lowered: Lowered) -> set[str]:
    """Layout of which one piece stays and one is stored."""
    computes = [command for command in lowered.program.commands if isinstance(command, Compute)]
    kept, stored = (
        {lowered.program.layers[each.layer] for each in computes for tile in each.results if tile.resident == stays}
        for stays in (True, False)
    )
    return kept & stored


def dram_bytes(lowered: Lowered) -> int:
    counts = dma_counts(lowered.program, 64)
    return sum(each.dram_read_bytes + each.dram_write_bytes for each in counts)


def without_parts(network: Network, machine: Machine, scheduling: Scheduling = Scheduling()) -> Lowered:
    """Layout stay whole or not at all."""

    def same(nodes: object, residency: Residency, *rest: object) -> Residency:
        return residency

    with patch.object(lowering, "plan_partial_residents", same):
        return lower(network, machine, scheduling)


def moved_tiles(lowered: Lowered, name: str) -> Iterator[Tile]:
    """What of a map is loaded and stored."""
    for command in lowered.program.commands:
        if isinstance(command, Load | Store) and command.tile.tensor.name == name:
            yield command.tile


def test_the_largest_part_that_fits_stays_and_one_byte_less_sends_it_out() -> None:
    """A map of 8 x 8 x 128 bytes, bursts of 64, and layers that cost a byte for each channel they move, in whatever
    room: half of the map takes 4096 bytes, which is 15/16 of 4369.07."""
    network = network_of(TWO, (8, 8, 64))
    maps = lay_out(network, 8, scatter=True)

    def cost(node: Node, room: int, stays: ResidentChannels) -> Cost:
        return Cost(sum(128 - stays.get(name, 0) for name in (node.name, *node.inputs)), 1)

    for room, channels in ((4370, {"a": 64}), (4369, {})):
        found = candidates(network, maps, 2)
        planned = plan_partial_residents(network.nodes, no_residents(2, room), found, maps, 64, (cost,))
        assert planned.channels == channels
    planned = plan_partial_residents(
        network.nodes, no_residents(2, 4370), candidates(network, maps, 2), maps, 64, (cost,)
    )
    assert planned.stays["a"] == Resident("a", 0, 1, PIXELS * 64, 64)
    assert planned.rooms == ((0, 4370 - PIXELS * 64),) * 2


def test_a_part_stays_if_the_objective_is_nearly_as_good() -> None:
    """Two layers that take 50 each; with part of the map between on chip 51 (2 % more), or a bit more than that."""
    network = network_of(TWO, (8, 8, 64))
    maps = lay_out(network, 8, scatter=True)
    for score, stays in ((51.0, {"a"}), (51.1, set())):

        def cost(node: Node, room: int, stays: ResidentChannels, score: float = score) -> Cost:
            return Cost(2 - len(stays), score if stays else 50)

        found = candidates(network, maps, 2)
        planned = plan_partial_residents(network.nodes, no_residents(2, 5000), found, maps, 64, (cost,))
        assert planned.stays.keys() == stays


def test_what_stays_of_a_map_is_neither_stored_nor_loaded() -> None:
    """In 6000 bytes half of the map and tiles find room: 8192 bytes fewer. In 4000 none of it does."""
    network = network_of(TWO, (8, 8, 64))
    for room, stays in ((6000, {"a"}), (4000, set())):
        machine = machine_of(sram__activation__capacity_bytes=room)
        lowered = lower(network, machine, ALONE)
        assert parts(lowered) == stays
        assert dram_bytes(lowered) == WHOLE - (2 * PIXELS * 64 if stays else 0)
        assert any(0 in range(*tile.region[3]) for tile in moved_tiles(lowered, "a")) == (not stays)
        assert check_program(machine, lowered, link(lowered.program)) == []


@pytest.mark.parametrize(
    ("channels", "burst_bytes", "stays"), [(128, 64, {"a"}), (96, 64, set()), (96, 32, {"a"}), (128, 128, set())]
)
def test_only_whole_bursts_of_each_pixel_stay(channels: int, burst_bytes: int, stays: set[str]) -> None:
    """Of 96 channels, or in bursts of 128 bytes, what is left of a pixel would take as many bursts as all of it."""
    network = network_of([{**TWO[0], "channels": channels}, TWO[1]], (8, 8, 64))
    machine = machine_of(sram__activation__capacity_bytes=6000, dram__burst_bytes=burst_bytes)
    assert parts(lower(network, machine, ALONE)) == stays


def test_maps_that_share_their_place_stay_whole_or_not_at_all() -> None:
    """Parts of a concat."""
    rows = [
        TWO[0],
        {**TWO[0], "name": "c", "inputs": ["input"]},
        {"name": "cat", "op": "concat", "inputs": ["a", "c"]},
        TWO[1],
    ]
    machine = machine_of(sram__activation__capacity_bytes=6000)
    assert parts(lower(network_of(rows, (8, 8, 64)), machine, ALONE)) == set()


def test_random_networks_with_parts_compute_what_the_layers_are() -> None:
    """Bit for bit, with no more bytes than with whole maps only; in many of them a part does stay."""
    found = []

    @settings(derandomize=True, deadline=None, max_examples=60, database=None, suppress_health_check=list(HealthCheck))
    @given(networks(), machines(**SMALL), schedulings(**FEW_BYTES), st.integers(100, 900))
    def each(network: Network, machine: Machine, scheduling: Scheduling, room: int) -> None:
        buffer = machine.sram.activation.model_copy(update={"capacity_bytes": room})
        machine = machine.model_copy(update={"sram": machine.sram.model_copy(update={"activation": buffer})})
        try:
            lowered = lower(network, machine, scheduling)
        except LoweringError:
            return
        if parts(lowered):
            found.append(network)
            assert check_program(machine, lowered, link(lowered.program), scheduling.arbitration) == []
            assert dram_bytes(lowered) <= dram_bytes(without_parts(network, machine, scheduling))

    each()
    assert len(found) >= 10


SMALL = {
    "array__activation_bits": 8,
    "array__weight_bits": 8,
    "dram__burst_bytes": 1,
    "sram__weight__capacity_bytes": 4000,
}
FEW_BYTES = {"keep_activations": "auto", "objective": "dram_bytes"}


@pytest.mark.parametrize(
    ("name", "saved"), [("vgg16", 2473984), ("resnet50_v1", 1262976), ("resnext50_32x4d", 3986304)]
)
def test_parts_of_maps_stay_in_networks_of_the_lecture(name: str, saved: int) -> None:
    """On `edge`: the bytes that parts save."""
    network, machine = load_network(name)[1], machine_of()
    lowered, whole = lower(network, machine), without_parts(network, machine)
    assert parts(lowered)
    assert not parts(whole)
    assert dram_bytes(whole) - dram_bytes(lowered) == saved
