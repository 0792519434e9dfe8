"""Ports of which units together ask for more than they pass: by how much, and where."""

from __future__ import annotations

import pytest

from accelsim.report.ports import overrun
from accelsim.run.advice import advice, choice
from accelsim.run.simulate import simulate

NETWORK, ENGINE = "mobilenet_v1_0.25_128", {"depthwise.channels": 32, "array.depthwise_on": "engine"}


def test_an_engine_and_the_array_read_one_buffer_at_once() -> None:
    """By hand: bytes of a group over the width of the port and the clocks that are given to its layers."""
    run = simulate(NETWORK, "edge", ENGINE)
    worst = overrun(run.records, run.machine)[0]
    mine = [record for record in run.records if worst.layer in (record.group, record.layer)]
    asked = sum(record.counts.sram_read_ifmap_bytes + record.counts.sram_read_ofmap_bytes for record in mine)
    clocks = sum(record.total_cycles for record in mine)
    assert worst.port == "activation buffer's read port"
    assert worst.share == pytest.approx(asked / 32 / clocks)
    assert worst.share > 1
    assert worst.longer * run.total.total_cycles >= asked / 32 - clocks
    assert f"up to {worst.share:.0%} of what it passes ({worst.layer})" in str(worst)


def test_a_wide_port_passes_all() -> None:
    wide = {f"sram.{buffer}.port_bytes_per_cycle": 256 for buffer in ("activation", "weight")}
    run = simulate(NETWORK, "edge", {**ENGINE, **wide})
    assert overrun(run.records, run.machine) == []


def test_the_array_alone_is_held_up_by_its_ports_instead() -> None:
    """Layers one after the other on one unit never ask for more than a port passes."""
    narrow = {"sram.activation.port_bytes_per_cycle": 4, "scheduling.fusion": "never"}
    run = simulate("study_conv_standard", "edge", narrow)
    assert [demand for demand in overrun(run.records, run.machine) if "read" in demand.port] == []


def test_advice_says_what_sharing_a_port_would_cost() -> None:
    run = simulate(NETWORK, "edge", {"sram.activation.port_bytes_per_cycle": 16})
    text = next(each.text for each in advice(run, choice(run).tried) if "depthwise.channels" in each.settings)
    assert "cycles or so if units share SRAM ports" in text
