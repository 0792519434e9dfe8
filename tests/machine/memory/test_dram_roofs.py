"""Every shipped DRAM device draws, in a stream, what its data sheet leaves of its bus."""

from __future__ import annotations

import numpy as np
import pytest

from accelsim.config.dram import IdealDevice
from accelsim.config.load import load_dram
from accelsim.config.named import shipped
from accelsim.machine.memory import Block, Request, memory_of
from accelsim.machine.memory.dram.replay import play_trace
from tests.dram_cases import device_of
from tests.strategies import COMMAND_DEVICES

BURSTS = 100_000


def read_roof(name: str) -> float:
    """The share of time in which data moves: all but, once in t_refi, the last RD, PRE, REF and ACT to the next RD."""
    clocks = device_of(name).clocks
    lost = clocks("t_rtp") + clocks("t_rp_all") + clocks("t_rfc") + clocks("t_rcd")
    return 1 - lost / clocks("t_refi")


def write_roof(name: str) -> float:
    """As for reads, but PRE waits until the last data was written."""
    device = device_of(name)
    clocks = device.clocks
    written = clocks("t_cwl") + device.burst_clocks + clocks("t_wr")
    return 1 - (written + clocks("t_rp_all") + clocks("t_rfc") + clocks("t_rcd_wr")) / clocks("t_refi")


@pytest.mark.parametrize("name", COMMAND_DEVICES)
def test_a_stream_draws_all_that_refreshes_leave(name: str) -> None:
    """To a per cent: bank groups, pseudo channels and rows follow each other without a gap."""
    device = device_of(name)
    addresses = np.arange(BURSTS) * device.burst_bytes
    for write, roof in ((0, read_roof(name)), (1, write_roof(name))):
        share = play_trace(device, np.full(BURSTS, write), addresses)["share_of_peak"]
        assert share == pytest.approx(roof, rel=0.01)


def test_roofs_by_hand() -> None:
    """LPDDR4-3200: (12 + 29 + 448 + 29) of 6246 clocks; HBM2: (5 + 14 + 350 + 14) of 3900; DDR4: (9 + 17 + 420 + 17)
    of 9360."""
    assert read_roof("lpddr4-3200") == 1 - (12 + 29 + 448 + 29) / 6246
    assert read_roof("hbm2") == 1 - (5 + 14 + 350 + 14) / 3900
    assert read_roof("ddr4-2400-x8") == 1 - (9 + 17 + 420 + 17) / 9360


IDEAL = [name for name in shipped("dram") if isinstance(load_dram(name, []), IdealDevice)]


@pytest.mark.parametrize("name", IDEAL)
def test_an_ideal_stream_takes_its_bytes_over_its_bus(name: str) -> None:
    device = load_dram(name, [])
    memory = memory_of(device, device.clock_mhz)
    memory.add_requester(1 << 20, 64)
    served = memory.request(Request(0, False, [Block(0, 1, BURSTS * device.burst_bytes, 0)]), 0)
    assert served is not None
    assert served.sent == pytest.approx(BURSTS * device.burst_bytes / device.bytes_per_clock, abs=1)
    assert served.done == served.sent + device.latency_clocks
