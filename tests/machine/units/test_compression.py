"""Weights that lie compressed in DRAM and are decoded on their way."""

from __future__ import annotations

from typing import Any

import pytest

from accelsim.check.execute import check_network
from accelsim.config.machine import Machine
from accelsim.config.scheduling import Scheduling
from accelsim.errors import UserError
from accelsim.network.graph import Network
from accelsim.run.define import load_network
from accelsim.run.result import Run
from accelsim.run.simulate import run_network, simulate
from tests.strategies import machine_of, network_of

WORKLOAD = load_network("shufflenet_g3")[0]
FC = {"name": "fc", "op": "fc", "channels": 64}
CONV = {"name": "c", "op": "conv", "kernel": 3, "pad": 1, "channels": 16}


def with_decoder(bytes_per_clock: int = 1 << 16, **changes: Any) -> Machine:
    return machine_of(dma__decoder={"format": "huffman", "bytes_per_clock": bytes_per_clock}, **changes)


def of(*rows: dict[str, Any], size: tuple[int, int, int] = (1, 1, 128), **keys: Any) -> Network:
    return network_of(list(rows), size, **keys)


def ran(network: Network, machine: Machine) -> Run:
    return run_network(WORKLOAD, network, machine)


def test_bytes_by_hand() -> None:
    """128 x 64 weights at a quarter of their bits: 2048 bytes are loaded and 8192 written to SRAM and read by the
    array."""
    counts = ran(of(FC, compress={"ratio": 0.25}), with_decoder()).total.counts
    assert counts.dram_read_weight_bytes == 2048
    assert counts.sram_write_weight_bytes == counts.sram_read_weight_bytes == counts.coded_bytes == 8192
    plain = ran(of(FC), with_decoder()).total.counts
    assert plain.dram_read_weight_bytes == plain.sram_write_weight_bytes == 8192
    assert plain.coded_bytes == 0


def test_without_a_decoder_weights_are_stored_as_they_are() -> None:
    machine = machine_of()
    assert ran(of(FC, compress={"ratio": 0.25}), machine).total == ran(of(FC), machine).total


def test_a_slow_decoder_holds_up_the_array() -> None:
    """A byte a clock: at least as many clocks as there are weights; one that is quick makes the layer quicker."""
    compressed = of(FC, compress={"ratio": 0.25})
    cycles = {rate: ran(compressed, with_decoder(rate)).total.total_cycles for rate in (1, 16, 1 << 16)}
    plain = ran(of(FC), with_decoder()).total.total_cycles
    assert cycles[1] >= 8192
    assert cycles[1] > cycles[16] > cycles[1 << 16]
    assert cycles[1 << 16] < plain - (8192 - 2048) / 12.8 * 0.9


def test_pruned_weights_are_decoded_where_no_ratio_is_given() -> None:
    """A bitmap and a quarter of the values: 8192 x (1 + 0.25 x 8) bits; zeros are back on chip."""
    network = of(FC, prune={"density": 0.25, "format": "bitmap"}, compress={})
    counts = ran(network, with_decoder()).total.counts
    assert counts.dram_read_weight_bytes == 8192 * 3 // 8
    assert counts.sram_read_weight_bytes == 8192


@pytest.mark.parametrize("ratio", [0.1, 0.37, 0.99])
@pytest.mark.parametrize("bits", [8, 6])
def test_the_numbers_are_those_of_plain_weights(ratio: float, bits: int) -> None:
    """Executed, in tiles of odd sizes."""
    rows = [CONV, {"name": "d", "op": "dwconv", "kernel": 3, "pad": 1}, {**FC, "channels": 10}]
    network = of(*rows, size=(6, 6, 12), compress={"ratio": ratio, "layers": {"d": 0.5}})
    machine = with_decoder(4, array__weight_bits=bits, sram__weight__capacity_bytes=600)
    assert check_network(network, machine, Scheduling()) == []


def test_a_layer_that_has_no_weights_is_refused() -> None:
    with pytest.raises(UserError, match=r"compress\.layers\.gap"):
        simulate("shufflenet_g3", "edge", {"network.compress.layers.gap": 0.5})
