"""A trace, played as fast as the queues of a DRAM take it."""

from __future__ import annotations

import gc
import math
from dataclasses import fields

from accelsim.config.dram import CommandDevice
from accelsim.machine.memory.dram import compiled
from accelsim.machine.memory.dram.memory import Memory, Numbers, Sender
from accelsim.machine.memory.dram.statistics import energy_pj


def play_trace(device: CommandDevice, directions: Numbers, addresses: Numbers) -> dict[str, int | float]:
    """What it takes, does and costs to send these bursts (1 for each write, byte addresses)."""
    memory = _played(device, directions, addresses)
    cycles = memory.end
    counts = memory.counts(cycles)
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


def _played(device: CommandDevice, directions: Numbers, addresses: Numbers) -> Memory | compiled.CompiledMemory:
    if not compiled.IS_COMPILED:
        return _played_plainly(device, directions, addresses)
    memory = compiled.CompiledMemory(device)
    memory.play(directions, addresses)
    return memory


def _played_plainly(device: CommandDevice, directions: Numbers, addresses: Numbers) -> Memory:
    """No garbage is cyclic here: without the collector it takes a tenth less time."""
    memory = Memory(device)
    sender = Sender(memory)
    memory.senders.append(sender)
    collects = gc.isenabled()
    gc.disable()
    try:
        sender.send(directions, addresses, 0)
        memory.finish()
    finally:
        if collects:
            gc.enable()
    return memory
