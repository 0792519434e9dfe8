"""Are loads as early as they help, and no earlier?"""

from __future__ import annotations

import pytest

from accelsim.config.load import load_machine
from accelsim.config.plan import Plan
from accelsim.config.scheduling import Scheduling
from accelsim.lowering import prefetch
from accelsim.lowering.compile import lower
from accelsim.program.commands import Command
from accelsim.run.play import perform
from accelsim.run.simulate import load_both, simulate
from tests.strategies import machine_of, network_of

NEAR_AND_FAR = [
    *({"name": f"near{number}", "op": "conv", "kernel": 3, "pad": 1, "channels": 64} for number in range(4)),
    {"name": "pool", "op": "gap"},
    *({"name": f"far{number}", "op": "fc", "channels": 1024} for number in range(3)),
]
LAYER_BY_LAYER = Scheduling(fusion="never", keep_activations="never")


def test_far_weights_keep_no_near_maps_and_no_stores_waiting() -> None:
    """A weight buffer that holds them all is filled while the bus would be idle."""
    network = network_of(NEAR_AND_FAR, (16, 16, 64))
    small, large = (
        perform(network, machine_of(sram__weight__capacity_bytes=size), LAYER_BY_LAYER).outcome.total_cycles
        for size in (1 << 17, 1 << 22)
    )
    assert large <= small


def test_maps_are_loaded_while_weights_wait_for_their_only_place() -> None:
    """Weights of four iterations, 1,664 clocks each, come one after the other; maps, 1,372 each, beside the array's
    1,274 clocks. In the order of the program nothing overlaps: 17,622 clocks."""
    row = {
        "match": "layer",
        "tile": {"rows": 4, "columns": 7, "groups": 1, "outputs": 32, "inputs": 416},
        "order": ["map", "groups", "inputs", "outputs"],
        "stay": {"inputs": 1, "weights": 1},
    }
    plan = Plan.model_validate({"layers": [row]})
    network = network_of([{"name": "layer", "op": "conv", "kernel": 1, "channels": 32}], (7, 7, 832))
    scheduling = Scheduling(plan=plan, fusion="never", keep_activations="never")
    clocks = perform(network, load_machine("tiny"), scheduling).outcome.total_cycles
    assert clocks < 1.05 * (1_372 + 4 * 1_664 + 3 * 1_372 + 1_274)


@pytest.mark.slow
@pytest.mark.parametrize("fusion", ["auto", "never"])
def test_a_weight_buffer_for_a_whole_network_makes_it_no_slower(fusion: str) -> None:
    """ResNet-34: 20 % slower when weights were loaded in program order."""
    small, large = (
        simulate("resnet34_A", "edge", {"scheduling.fusion": fusion, "sram.weight.capacity_bytes": size})
        for size in (1 << 17, 1 << 24)
    )
    assert large.totals["total_cycles"] <= small.totals["total_cycles"]


@pytest.mark.slow
def test_a_tile_in_pieces_finds_room_beside_its_slots() -> None:
    """Channels that stay cut the tiles of DenseNet's maps in two, which the slots of a tile that stays do not hold."""
    sizes = {"activation": 98304, "weight": 98304, "accumulator": 65536}
    settings = [(0, f"sram.{name}.capacity_bytes={size}") for name, size in sizes.items()]
    _, network, machine, scheduling = load_both("densenet161", "edge", settings)
    assert sum(1 for _ in lower(network, machine, scheduling).program.commands) > 20_000


def test_a_long_layer_without_weights_is_never_held_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights behind it are looked for some computes ahead of maps, and no further."""
    monkeypatch.setattr(prefetch, "WEIGHTS_AHEAD", 8)
    held = list[int]()
    next_commands = prefetch._Prefetcher.next_commands

    def counted(self: prefetch._Prefetcher) -> list[Command]:
        held.append(len(self.ahead))
        return next_commands(self)

    monkeypatch.setattr(prefetch._Prefetcher, "next_commands", counted)
    network = network_of([{"name": "a", "op": "relu"}], (256, 64, 16))
    lowered = lower(network, machine_of(sram__activation__capacity_bytes=8192))
    assert sum(1 for _ in lowered.program.commands) > 3 * 64
    assert max(held) < 8 + 8
