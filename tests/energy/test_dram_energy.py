"""Do the commands of a DRAM come into the records of a run, and at what price?"""

from __future__ import annotations

import pytest

from accelsim.cli import main
from accelsim.config.dram import CommandDevice
from accelsim.machine.memory.dram.statistics import DramCounts
from accelsim.records import ActionCounts
from accelsim.run.play import with_commands
from accelsim.run.simulate import simulate

NETWORK = "study_conv_separable"
SETTINGS = {"dram.device": "lpddr4-3200", "energy.dram_by": "command"}


def test_a_run_is_priced_by_its_commands() -> None:
    """As the device file prices them, with the PHY, in the run and, by share, in its layers."""
    run = simulate(NETWORK, "edge", SETTINGS)
    totals, device = run.totals, run.machine.dram
    assert isinstance(device, CommandDevice)
    energy, interface = device.energy, run.machine.energy.dram_interface_byte
    assert interface is not None
    moved = totals["dram_read_burst_bytes"] + totals["dram_write_burst_bytes"]
    idle_clocks = totals["dram_rank_clocks"] - totals["dram_active_clocks"]
    milliwatt_clocks = energy.active_mw * totals["dram_active_clocks"] + energy.precharged_mw * idle_clocks
    expected = (
        energy.activate_pj * totals["dram_activates"]
        + energy.read_pj * totals["dram_read_commands"]
        + energy.write_pj * totals["dram_write_commands"]
        + energy.refresh_pj * totals["dram_refreshes"]
        + milliwatt_clocks * 1000 / device.clock_mhz
        + interface.energy_pj * moved
    )
    assert totals["energy_dram_pj"] == pytest.approx(expected)
    assert totals["energy_dram_pj"] == pytest.approx(run.layers["energy_dram_pj"].sum())
    assert totals["dram_read_commands"] * device.burst_bytes == totals["dram_read_burst_bytes"]
    assert totals["dram_write_commands"] * device.burst_bytes == totals["dram_write_burst_bytes"]
    assert totals["dram_row_hits"] + totals["dram_row_misses"] + totals["dram_row_conflicts"] > 0


def test_by_bytes_the_commands_cost_nothing() -> None:
    """The same run by the table's byte: only the price of DRAM differs."""
    by_byte, by_command = (
        simulate(NETWORK, "edge", {**SETTINGS, "energy.dram_by": by}).totals for by in ("byte", "command")
    )
    moved = by_byte["dram_read_burst_bytes"] + by_byte["dram_write_burst_bytes"]
    assert by_byte["energy_dram_pj"] == pytest.approx((64 + 8.4) * moved)
    assert {name for name in by_byte if by_byte[name] != by_command[name]} <= {
        "energy_dram_pj",
        "energy_total_pj",
        "energy_low_pj",
        "energy_high_pj",
        "energy_per_inference_pj",
        "energy_per_image_pj",
        "dram_penalty_pj",
        "dram_energy_share",
        "dram_sram_energy_ratio",
        "average_power_mw",
        "assumed_energy_share",
    }


def test_what_is_known_of_the_run_only_is_shared_out_without_remainder() -> None:
    """Accesses by bursts, time by clocks; a layer without either gets nothing."""
    moved = [
        ActionCounts(dram_read_burst_bytes=64),
        ActionCounts(),
        ActionCounts(dram_read_burst_bytes=64, dram_write_burst_bytes=128),
    ]
    done = DramCounts(
        reads=3, writes=2, row_hits=3, row_misses=1, row_conflicts=1, activates=2, refreshes=5, turnarounds=1,
        forwarded=0, active_clocks=101, rank_clocks=1000,
    )  # fmt: skip
    shared = with_commands(moved, done, [10, 0, 30])
    assert [each.dram_read_commands for each in shared] == [1, 0, 2]
    assert [each.dram_write_commands for each in shared] == [0, 0, 2]
    assert [each.dram_refreshes for each in shared] == [1, 0, 4]
    assert [each.dram_rank_clocks for each in shared] == [250, 0, 750]
    assert sum(each.dram_active_clocks for each in shared) == 101


def test_a_device_without_commands_has_no_price_for_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", NETWORK, "gemmini_default", "--set", "energy.dram_by=command"]) == 2
    said = capsys.readouterr().err
    assert (
        said
        == "command-line:4: energy.dram_by: expected byte or auto, as the DRAM device has no commands, got command\n"
    )
