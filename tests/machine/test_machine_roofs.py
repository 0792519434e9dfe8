"""Every shipped machine draws from its DRAM, and gets out of its array, what its own numbers give by hand."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from accelsim.config.load import load_machine
from accelsim.config.named import shipped
from accelsim.config.scheduling import Scheduling
from accelsim.run.gemm import run_gemm
from accelsim.run.play import perform
from tests.strategies import network_of


class Roofs(NamedTuple):
    """By hand: bytes that the engine that loads draws in an array clock, bytes that the bus moves, PEs, clocks of the
    folds of a vector times 1024 x 1024, and clocks of the vector unit for a byte of a map that it pools 2 x 2."""

    loads: float
    bus: float
    pes: int
    gemv: int
    pools: float


LPDDR4 = 1 - (12 + 29 + 448 + 29) / 6246
DDR4 = 1 - (9 + 17 + 420 + 17) / 9360
"""What refreshes leave of a bus; see test_dram_roofs."""
BY_HAND = {
    # 256 GB/s at 940 MHz; 8 bursts of 64 bytes a clock and 1024 in 94 clocks allow more
    "cloud": Roofs(256e3 / 940, 256e3 / 940, 128 * 128, 1024 * 1024 // 128, 1 / 1024),
    # 19.2 GB/s at 300 MHz are a burst a clock, which the engine issues
    "dpu_b4096": Roofs(64 * DDR4, 64, 128 * 16, 1024 * 1024 // 16, 1 / 64),
    # 12.8 GB/s at 1 GHz; 64 bursts of 64 bytes in 37 clocks allow 110
    "edge": Roofs(12.8 * LPDDR4, 12.8, 32 * 32, 1024 * 1024 // 32, 1 / 32),
    "edge_tpu": Roofs(12.8e3 / 480 * LPDDR4, 12.8e3 / 480, 64 * 64, 1024 * 1024 // 64, 1 / 64),
    # 48 bursts of 128 bytes in 510.7 clocks are just the 12 GB/s; 32 outputs at once, 1024 inputs each
    "ethos_u65": Roofs(12, 12, 16 * 32, 1024 // 32 * 1024, 1 / 32),
    # a line of 128 bytes is missed in 2 clocks of its lowest cache, comes in 16, and its other half goes in 9; one of
    # four is written, which takes 9 for either half, and 16 to come first. Loads: the other half, and all behind it,
    # waits for the line: 24 clocks to ask for it, one to be seen, 14 and 4 of the DRAM; then it takes its 9
    "gemmini": Roofs(128 / (24 + 1 + 14 + 4 + 9), 1.25 * 128 / (27 + 34 / 4), 16 * 16, 1024 * 1024 // 16, 1 / 16),
    # 16 bursts of 64 bytes in 104 clocks: two thirds of its bus
    "gemmini_default": Roofs(16 * 64 / 104, 16, 16 * 16, 1024 * 1024 // 16, 1 / 16),
    # 10 bytes a clock; each of 32 x 32 folds takes 32 to load, 1 to stream and 62 to drain
    "scalesim_default": Roofs(10, 10, 32 * 32, 32 * 32 * (32 + 1 + 32 + 32 - 2), 1 / 32),
    # 16 bursts of 64 bytes in 42 clocks; folds one after the other, of 10 x 10 or what is left, 4
    "sncpu": Roofs(16 * 64 / 42, 32, 10 * 10, 102 * 102 * 29 + 2 * 102 * 23 + 17, 1 / 10),
    # 1.6 GB/s at 200 MHz; 8 bursts of 64 bytes in 28 clocks allow 18
    "tiny": Roofs(8, 8, 16 * 16, 1024 * 1024 // 16, 1 / 16),
    # 34.1 GB/s at 700 MHz
    "tpu_v1": Roofs(34.128e3 / 700, 34.128e3 / 700, 256 * 256, 1024 * 1024 // 256, 1 / 256),
}


def test_all_are_here() -> None:
    assert list(BY_HAND) == shipped("machines")


@pytest.mark.parametrize("name", BY_HAND)
def test_a_stream(name: str) -> None:
    """A map of 1 MiB is pooled, so that it comes in and a quarter goes out: within 16 %, the first tile coming and the
    last leaving."""
    roofs = BY_HAND[name]
    network = network_of([{"name": "pool", "op": "maxpool", "kernel": 2, "stride": 2}], (128, 128, 64))
    clocks = perform(network, load_machine(name), Scheduling()).outcome.total_cycles
    size = 128 * 128 * 64
    roof = max(size / roofs.loads, 1.25 * size / roofs.bus, size * roofs.pools)
    assert 0.999 * roof <= clocks <= 1.16 * roof


@pytest.mark.parametrize("name", BY_HAND)
def test_a_vector_times_a_matrix(name: str) -> None:
    """Weights once from the DRAM, behind them the folds, or the other way round: within 14 %."""
    roofs = BY_HAND[name]
    clocks = run_gemm(1, 1024, 1024, 1, load_machine(name))["total_cycles"]
    roof = max(1024 * 1024 / roofs.loads, roofs.gemv)
    assert isinstance(clocks, int)
    assert 0.999 * roof <= clocks <= 1.14 * roof


@pytest.mark.parametrize("name", BY_HAND)
def test_a_matrix_times_a_matrix(name: str) -> None:
    """All PEs in all clocks, or each byte once: half as much again where tiles have to come twice, or folds drain one
    after the other."""
    roofs = BY_HAND[name]
    clocks = run_gemm(512, 512, 512, 1, load_machine(name))["total_cycles"]
    roof = max(512**3 / roofs.pes, 3 * 512 * 512 / roofs.bus)
    assert isinstance(clocks, int)
    assert 0.999 * roof <= clocks <= 1.5 * roof
