"""Does a batch run in the blocks of images that suit it, and no worse than image by image?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.check.execute import check_network
from accelsim.config.plan import Plan
from accelsim.config.scheduling import Scheduling
from accelsim.errors import LoweringError, UserError
from accelsim.lowering.compile import lower, written
from accelsim.lowering.trials import block_sizes
from accelsim.run.play import perform
from accelsim.run.simulate import load_both, simulate
from tests.strategies import machine_of, machines, network_of, networks

LARGE_WEIGHTS = [{"name": name, "op": "fc", "channels": 512} for name in ("a", "b", "c")]
LARGE_MAPS = [{"name": name, "op": "conv", "kernel": 1, "channels": 32} for name in ("a", "b", "c")]


def blocks(rows: list[dict[str, Any]], size: tuple[int, int, int], **plan: Any) -> int:
    """Images of a block of a batch of 8."""
    options = Scheduling(fusion="never", plan=Plan.model_validate(plan))
    lowered = lower(network_of(rows, size, batch=8), machine_of(sram__activation__capacity_bytes=1 << 15), options)
    assert lowered.network.batch * lowered.network.inferences == 8
    return lowered.network.batch


def test_weights_are_loaded_once_for_all_images_and_maps_stay_image_by_image() -> None:
    assert blocks(LARGE_WEIGHTS, (1, 1, 512)) == 8
    assert blocks(LARGE_MAPS, (20, 20, 32)) < 8


def test_blocks_can_be_given() -> None:
    assert [blocks(LARGE_MAPS, (20, 20, 32), images=size) for size in (1, 2, 8)] == [1, 2, 8]
    with pytest.raises(UserError) as raised:
        check_network(
            network_of(LARGE_MAPS, (4, 4, 8), batch=8),
            machine_of(),
            Scheduling(plan=Plan.model_validate({"images": 3})),
        )
    assert str(raised.value) == (
        "arguments:0: scheduling.plan.images: expected a divisor of the batch, 8, for at most 64 blocks, got 3"
    )


def test_sizes_that_are_tried() -> None:
    assert block_sizes(1, None) == (1,)
    assert block_sizes(8, None) == (1, 2, 8)
    assert block_sizes(7, None) == (1, 7)
    assert block_sizes(256, None) == (4, 16, 256)


def test_records_are_of_the_whole_batch() -> None:
    """As many inferences end as are asked for, and each layer has the MACs and the bound of the batch."""
    network = network_of(LARGE_MAPS, (20, 20, 32), batch=4)
    found = {}
    for images in (1, 4):
        options = Scheduling(inferences=2, plan=Plan.model_validate({"images": images}))
        done = perform(network, machine_of(), options)
        assert len(done.inference_ends) == 2
        assert done.inference_ends[-1] == done.outcome.total_cycles
        found[images] = [(each.counts.macs, each.array_clocks, each.dram_bound_bytes) for each in done.records]
    assert found[1] == found[4]
    assert found[1][0][0] == 2 * 4 * network.nodes[0].macs


@pytest.mark.slow
@settings(max_examples=40)
@given(networks(), machines(), st.sampled_from([2, 3, 4, 6]), st.sampled_from([1, 1, 2]))
def test_blocks_compute_what_they_should(network: Any, machine: Any, batch: int, inferences: int) -> None:
    try:
        assert check_network(replace(network, batch=batch), machine, Scheduling(inferences=inferences)) == []
    except (LoweringError, UserError):
        return


@pytest.mark.slow
@pytest.mark.parametrize("name", ["shufflenet_g3", "mobilenet_v1_1.00_224", "resnet18", "squeezenet_v1.0"])
def test_a_larger_batch_is_no_worse_an_image(name: str) -> None:
    one, eight = (simulate(name, "edge", {"network.batch": batch}).totals for batch in (1, 8))
    assert eight["total_cycles"] <= 1.01 * 8 * one["total_cycles"]
    assert eight["dram_burst_bytes"] <= 1.01 * 8 * one["dram_burst_bytes"]


@pytest.mark.slow
def test_a_plan_that_seems_hardly_better_does_not_count() -> None:
    """Weights that stay seemed to save 0.7 % of the bytes, and took 5.7 % more cycles."""
    one, two = (simulate("vit_tiny_16_224", "edge", {"network.batch": batch}).totals for batch in (1, 2))
    assert two["total_cycles"] <= 1.01 * 2 * one["total_cycles"]
    assert two["dram_burst_bytes"] <= 1.01 * 2 * one["dram_burst_bytes"]


@pytest.mark.slow
def test_a_shuffle_that_would_store_single_bytes_is_a_copy() -> None:
    """ShuffleNet v2 joins halves that are shuffled: stores that scatter them would fill a burst with a byte."""
    small = {"sram.activation.capacity_bytes": 1 << 15}
    _, network, machine, scheduling = load_both(
        "shufflenet_v2_0.5x", "edge", [(0, f"{key}={value}") for key, value in small.items()]
    )
    lowered = lower(network, machine, scheduling)
    assert not lowered.scatters
    assert written(lowered, 1)["scatter"] is False
    scattered = scheduling.model_copy(update={"plan": Plan.model_validate({"scatter": True})})
    assert lower(network, machine, scattered).scatters
    copied = scheduling.model_copy(update={"plan": Plan.model_validate({"scatter": False})})
    runs = [simulate("shufflenet_v2_0.5x", "edge", {**small, **each}) for each in ({}, {"dma.scatter": False})]
    assert runs[0].total.total_cycles == runs[1].total.total_cycles
    assert runs[0].total.counts.burst_efficiency > 0.7  # a byte in a burst of 64 is 0.02
    assert lower(network, machine, copied).plans == lowered.plans


@pytest.mark.parametrize("scatter", [True, False])
def test_halves_that_are_joined_and_shuffled_stay_on_chip(scatter: bool) -> None:
    """DRAM moves the image, the weights and the classes, and nothing twice."""
    _, network, machine, scheduling = load_both(
        "shufflenet_v2_0.5x", "edge", [(0, f"dma.scatter={str(scatter).lower()}")]
    )
    lowered = lower(network, machine, scheduling)
    counts = simulate("shufflenet_v2_0.5x", "edge", {"dma.scatter": scatter}).total.counts
    weights = sum(node.weights for node in network.nodes)
    assert counts.dram_bytes == 224 * 224 * 3 + weights + 1000
    given = scheduling.model_copy(update={"plan": Plan.model_validate(written(lowered, 1))})
    assert lower(network, machine, given).plans == lowered.plans
