"""A trace, played as fast as the queues of a DRAM take it."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np

from accelsim.config.dram import CommandDevice
from accelsim.machine.memory.dram.address import Integers
from accelsim.machine.memory.dram.memory import NEVER, Dram
from accelsim.machine.memory.dram.statistics import energy_pj

MOST_AHEAD = 1 << 18
"""Bursts of a trace that its requester knows ahead."""


def play_trace(
    device: CommandDevice, directions: Integers, addresses: Integers, *, plain: bool = False
) -> dict[str, int | float]:
    """Time, commands and cost of these bursts (1 for each write, byte addresses)."""
    dram = played(Dram(device, plain=plain), directions, addresses)
    cycles = dram.end
    counts = dram.counts(cycles)
    moved = len(addresses) * device.burst_bytes
    energy = energy_pj(device, counts)
    return {
        "cycles": cycles,
        "time_ns": cycles * 1000 / device.clock_mhz,
        "bytes": moved,
        "share_of_peak": moved / (cycles * device.bytes_per_clock),
        **{part.name: getattr(counts, part.name) for part in fields(counts) if part.name != "rank_clocks"},
        **{f"energy_{command}_pj": amount for command, amount in energy.items()},
        "energy_total_pj": math.fsum(energy.values()),
    }


def played(dram: Dram, directions: Integers, addresses: Integers) -> Dram:
    """The DRAM after one requester without a window has sent these bursts. Raises DeadlockError."""
    requester = dram.add_requester(0, 1, (0, 0))
    size = dram.device.burst_bytes
    for begin in range(0, len(addresses), MOST_AHEAD):
        piece = slice(begin, begin + MOST_AHEAD)
        blocks = _blocks(directions[piece], addresses[piece] // size, size)
        dram.controller.begin(requester, blocks.reshape(-1).data, len(addresses[piece]), 0)
        while not any(progress.issued is not None for progress in dram.advance(NEVER)):
            pass
    while dram.controller.waiting:
        dram.advance(NEVER)
    return dram


def _blocks(directions: Integers, bursts: Integers, burst_bytes: int) -> Integers:
    """Bursts as blocks, those that follow each other in one: direction, address, 1 row, its bytes, no stride."""
    goes_on = (np.diff(bursts) == 1) & (np.diff(directions) == 0)
    firsts = np.flatnonzero(np.concatenate([[True], ~goes_on]))
    blocks = np.zeros((len(firsts), 5), dtype=np.int64)
    blocks[:, 0], blocks[:, 1], blocks[:, 2] = directions[firsts], bursts[firsts] * burst_bytes, 1
    blocks[:, 3] = np.diff(firsts, append=len(bursts)) * burst_bytes
    return blocks
