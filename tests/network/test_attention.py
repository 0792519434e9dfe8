"""Are products of two maps, and attention made of them, computed, counted and refused as they should be?"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from accelsim.check.execute import check_network, check_program
from accelsim.config.machine import Machine
from accelsim.config.scheduling import Scheduling
from accelsim.errors import UserError
from accelsim.lowering.compile import lower
from accelsim.lowering.tiling.bound import least_dram_bytes
from accelsim.network.graph import Network
from accelsim.network.transforms.rewrite import TransformError
from accelsim.network.transforms.width import widened
from accelsim.operators.shapes import Shape
from accelsim.program.commands import Buffer, Compute, Load
from accelsim.program.link import link
from accelsim.program.tensors import Range
from accelsim.run.define import load_network
from accelsim.run.gemm import run_gemm
from accelsim.run.result import Run
from accelsim.run.simulate import run_network
from tests.played import dma_counts, lowered_or_skip, settled
from tests.strategies import any_machines, attentions, machine_of, network_of, schedulings

TOKENS, HEADS, DEPTH = 50, 3, 16
ATTENTION: list[dict[str, Any]] = [
    {"name": "q", "op": "matmul", "inputs": ["input"], "channels": HEADS * DEPTH},
    {"name": "k", "op": "matmul", "inputs": ["input"], "channels": HEADS * DEPTH},
    {"name": "v", "op": "matmul", "inputs": ["input"], "channels": HEADS * DEPTH},
    {"name": "scores", "op": "product", "inputs": ["q", "k"], "groups": HEADS, "transposed": True},
    {"name": "shares", "op": "softmax", "groups": HEADS},
    {"name": "heads", "op": "product", "inputs": ["shares", "v"], "groups": HEADS},
]


def run(network: Network, machine: Machine) -> Run:
    return run_network(load_network("shufflenet_g3")[0], network, machine)


def attention(batch: int = 1) -> Network:
    return network_of(ATTENTION, (TOKENS, 1, 24), batch=batch)


def test_macs_and_shapes_by_hand() -> None:
    """Each head is 50 x 16 times 16 x 50, then 50 x 50 times 50 x 16; no weights are in them."""
    *_, scores, shares, heads = attention().nodes
    assert scores.output == shares.output == Shape(TOKENS, 1, HEADS * TOKENS)
    assert heads.output == Shape(TOKENS, 1, HEADS * DEPTH)
    assert scores.macs == heads.macs == HEADS * TOKENS * TOKENS * DEPTH == 120_000
    assert scores.weights == heads.weights == 0


@pytest.mark.parametrize("dataflow", ["ws", "is", "os"])
def test_a_product_takes_the_array_as_long_as_a_grouped_product_with_weights(dataflow: str) -> None:
    """The scores of `edge` are three products of 50 x 16 and 16 x 50, whatever the right operand is."""
    machine = machine_of(array__dataflow=dataflow)
    asked = run_gemm(TOKENS, DEPTH, TOKENS, HEADS, machine)
    scores = next(record for record in run(attention(), machine).records if record.layer == "scores")
    assert scores.array_clocks == asked["array_cycles"]
    assert scores.counts.macs == asked["macs"]


def test_the_right_map_goes_the_way_of_weights_and_images_have_their_own() -> None:
    """It is loaded once an image where it fits, though all other maps stay on chip; nothing is stored twice."""
    for batch in (1, 3):
        lowered = lower(attention(batch), machine_of())
        names = lowered.program.layers
        for layer, moved in zip(names, dma_counts(lowered.program, 64), strict=True):
            if layer in ("scores", "heads"):
                assert moved.dram_read_weight_bytes == batch * TOKENS * HEADS * DEPTH
                assert moved.dram_read_ifmap_bytes == 0
        for command in lowered.program.commands:
            if isinstance(command, Load) and command.tile.buffer is Buffer.WEIGHT and names[command.layer] == "heads":
                assert command.tile.tensor.name == "v"
                assert command.tile.region[0].size == 1


@pytest.mark.slow
@given(attentions(), any_machines(), schedulings())
def test_attention_is_what_a_direct_computation_gives(
    network: Network, machine: Machine, scheduling: Scheduling
) -> None:
    """In tiles however small, over several images, with maps in concats and of any number of bits."""
    lowered = lowered_or_skip(network, machine, scheduling)
    assert check_program(machine, lowered, link(lowered.program), scheduling.arbitration) == []
    moved = dma_counts(lowered.program, machine.dram.burst_bytes)
    if scheduling.keep_activations == "never" and scheduling.inferences == 1:
        for node, counts in zip(lowered.source.nodes, moved, strict=True):
            done = counts.dram_read_ifmap_bytes + counts.dram_read_weight_bytes + counts.dram_write_ofmap_bytes
            assert done >= least_dram_bytes(node, lowered.network.batch, lowered.maps, machine)


def test_a_wrong_part_of_the_right_map_is_seen() -> None:
    """The other head's values, in the place of the own."""
    small = machine_of(sram__weight__capacity_bytes=900, sram__activation__capacity_bytes=2000)
    network = attention()
    lowered, commands = settled(lower(network, small))
    assert check_program(small, lowered, link(lowered.program)) == []
    index = lowered.program.layers.index("heads")
    computes = [each for each in commands if isinstance(each, Compute) and each.layer == index]
    tile = next(tile for tile in (*computes[0].stationary, *computes[0].streamed) if tile.buffer is Buffer.WEIGHT)
    channels = tile.region[3]
    assert channels.stop < HEADS * DEPTH
    moved = Range(channels.start + 1, channels.stop + 1)
    tile.region = (*tile.region[:3], moved)
    (failure,) = check_program(small, lowered, link(lowered.program))
    assert "needs of its right map what is not in its tiles" in failure


def test_the_least_traffic_of_a_product_counts_a_map_once_that_is_both_operands() -> None:
    network = network_of([{"name": "y", "op": "product", "inputs": ["input", "input"], "transposed": True}], (9, 1, 8))
    machine = machine_of()
    assert least_dram_bytes(network.nodes[0], 1, lower(network, machine).maps, machine) == 9 * 8 + 9 * 9
    assert check_network(network, machine) == []


def test_a_width_that_maps_no_longer_fit_is_refused() -> None:
    """Keys and queries scale alike; shares are as many as there are tokens, whatever the width."""
    last = {"name": "last", "op": "matmul", "channels": 24}
    thinner = widened(network_of([*ATTENTION, last], (TOKENS, 1, 24)), 0.5)
    assert [node.output.channels for node in thinner.nodes] == [24, 24, 24, 150, 150, 24, 24]
    product = {"name": "y", "op": "product", "inputs": ["input", "k"], "transposed": True}
    unequal = network_of([*ATTENTION[:3], product], (TOKENS, 1, HEADS * DEPTH))
    with pytest.raises(TransformError) as error:
        widened(unequal, 0.5)
    assert error.value.wrong[0][1:] == ("a multiplier that leaves the left map of y 24 channels", "0.5, which gives 48")


def test_a_slice_keeps_its_share_of_a_thinner_map() -> None:
    """Or is refused where that is no whole number of channels."""
    rows = [
        {"name": "a", "op": "matmul", "channels": 12},
        {"name": "s", "op": "slice", "first": 4, "channels": 6},
        {"name": "b", "op": "matmul", "channels": 4},
    ]
    network = network_of(rows, (TOKENS, 1, 24))
    thinner = widened(network, 0.5).nodes[1]
    assert (thinner.first_channel, thinner.output.channels) == (2, 3)
    with pytest.raises(TransformError) as error:
        widened(network, 0.25)
    assert error.value.wrong[0][1] == "a multiplier that leaves s whole channels"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"inputs": ["q"]}, "two maps"),
        ({"inputs": ["q", "v"], "groups": 5}, "a divisor of 48 and 48 channels"),
        ({"inputs": ["q", "v"], "groups": 3}, "a left map of 3 x 50 channels"),
        ({"inputs": ["q", "input"], "transposed": True}, "a left map of 1 x 24 channels"),
    ],
)
def test_maps_that_can_not_be_multiplied_are_refused(row: dict[str, Any], expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        network_of([*ATTENTION[:3], {"name": "y", "op": "product", **row}], (TOKENS, 1, 24))


def test_a_softmax_has_groups_of_channels() -> None:
    with pytest.raises(UserError, match="a divisor of 24 channels"):
        network_of([{"name": "y", "op": "softmax", "groups": 5}], (TOKENS, 1, 24))
