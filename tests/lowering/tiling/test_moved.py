"""Are the bytes that the planner counts those that are moved, bursts in full, wherever parts of a tensor lie?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.lowering.compile import lower
from accelsim.lowering.placement import ranges_of, whole_burst_bytes
from accelsim.run.simulate import load_both
from tests.played import dma_counts


@given(st.sets(st.integers(0, 39), min_size=1), st.sampled_from([1, 4, 8, 16]), st.integers(0, 40))
def test_bursts_are_those_that_runs_of_channels_touch(moved: set[int], bits: int, more: int) -> None:
    """Bit by bit over a thousand pixels; each run of neighbours has bursts of its own."""
    channels, burst_bytes, pixels = max(moved) + 1 + more, 16, 1024
    touched = 0
    for pixel in range(pixels):
        runs = {channel - number: set[int]() for number, channel in enumerate(sorted(moved))}
        for number, channel in enumerate(sorted(moved)):
            first = (pixel * channels + channel) * bits
            runs[channel - number] |= {bit // (8 * burst_bytes) for bit in (first, first + bits - 1)}
        touched += sum(map(len, runs.values()))
    found = whole_burst_bytes(np.array(sorted(moved)), bits, channels, burst_bytes)
    assert found == pytest.approx(burst_bytes * touched / pixels)


@given(st.sets(st.integers(0, 60)))
def test_ranges_have_the_channels_that_they_are_made_from(channels: set[int]) -> None:
    ranges = ranges_of(np.array(list(channels), dtype=np.int64))
    assert [channel for each in ranges for channel in range(*each)] == sorted(channels)


@pytest.mark.parametrize(
    ("network", "machine", "batch"),
    [
        ("shufflenet_1.0x_g3", "edge", 1),
        ("googlenet", "edge", 1),
        pytest.param("densenet121", "edge", 1, marks=pytest.mark.slow),
        pytest.param("densenet201", "edge", 1, marks=pytest.mark.slow),
        pytest.param("shufflenet_v2_1.0x", "edge", 1, marks=pytest.mark.slow),
        pytest.param("squeezenet_v1.0", "edge", 4, marks=pytest.mark.slow),
        pytest.param("googlenet", "ethos_u65", 2, marks=pytest.mark.slow),
    ],
)
def test_bytes_of_a_schedule_are_those_of_its_program(network: str, machine: str, batch: int) -> None:
    """Within 1 %, of networks whose concats and shuffles are parts of tensors, some of them on chip."""
    _, nodes, chip, scheduling = load_both(network, machine, [(0, f"network.batch={batch}")])
    lowered = lower(nodes, chip, scheduling)
    counts = dma_counts(lowered.program, chip.dram.burst_bytes)
    moved = sum(each.dram_read_burst_bytes + each.dram_write_burst_bytes for each in counts)
    assert lowered.residency.dram_bytes * lowered.network.inferences == pytest.approx(moved, rel=0.01)
