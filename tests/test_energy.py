"""Is energy counts times table, and DRAM what the table says?"""

from __future__ import annotations

import pytest

from accelsim.energy.price import mac_pj, price, static_mw
from accelsim.records import ActionCounts
from accelsim.run.simulate import simulate
from tests.strategies import machine_of


def test_a_hand_priced_list_of_actions() -> None:
    """1000 MACs at 0.3 pJ, 100 bytes moved at 0.072, 10 vector operations at 0.3, 8 SRAM bytes at 1.25, 64 DRAM bytes
    at 125 pJ; 0.14336 mW of leakage (512 KiB at 0.28 uW) over 1000 clocks of 1 ns."""
    counts = ActionCounts(
        active_macs=1000,
        register_bytes=100,
        vector_ops=10,
        sram_read_ifmap_bytes=5,
        sram_write_psum_bytes=3,
        dram_read_burst_bytes=64,
    )
    energy = price(counts, 1000, machine_of())
    assert energy.mac_pj == pytest.approx(300)
    assert energy.register_pj == pytest.approx(7.2)
    assert energy.vector_pj == pytest.approx(3)
    assert energy.sram_pj == 10
    assert energy.dram_pj == 8000
    assert static_mw(machine_of()) == pytest.approx(512 * 0.00028)
    assert energy.static_pj == pytest.approx(0.14336 * 1000)
    assert energy.dram_penalty_pj == 64 * (125 - 1.25)
    assert energy.total_pj == pytest.approx(300 + 7.2 + 3 + 10 + 8000 + 143.36)


def test_a_dram_access_costs_a_hundred_sram_accesses_by_default() -> None:
    """The lecture's premise, in the default table and in the records of a run."""
    table = machine_of().energy
    assert table.dram_byte.energy_pj == 100 * table.sram_byte.energy_pj
    totals = simulate("shufflenet_g3", "edge").totals
    sram = totals["energy_sram_pj"] / (totals["sram_read_bytes"] + totals["sram_write_bytes"])
    dram = totals["energy_dram_pj"] / (totals["dram_read_burst_bytes"] + totals["dram_write_burst_bytes"])
    assert dram / sram == pytest.approx(100)


def test_narrower_operands_multiply_for_less() -> None:
    """The multiplier in proportion to the product of the widths, the adder to its own."""
    narrow = machine_of(array__weight_bits=4, array__activation_bits=2, array__psum_bits=16)
    assert mac_pj(narrow.energy, narrow.array) == pytest.approx(0.2 * 8 / 64 + 0.1 / 2)


def test_zeros_of_the_padding_take_their_clock_and_no_energy() -> None:
    """ShuffleNet pads its 3x3 convolutions: fewer active MACs than MACs."""
    totals = simulate("shufflenet_g3", "edge").totals
    assert totals["active_macs"] < totals["macs"]
    assert totals["energy_mac_pj"] == pytest.approx(0.3 * totals["active_macs"])
