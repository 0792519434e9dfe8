"""Memory behind a port.

`port.py` is the contract. `ideal.py` is a bus and a latency; `dram/` is a DRAM at command granularity; `cache/` are
caches above one of them.
"""

from __future__ import annotations

import logging

from accelsim.config.dram import CommandDevice, IdealDevice
from accelsim.config.machine import Machine
from accelsim.machine.memory.dram import kernels
from accelsim.machine.memory.dram.memory import CommandMemory
from accelsim.machine.memory.ideal import IdealMemory
from accelsim.machine.memory.port import Block, BusSpan, CacheCounts, Completion, Memory, Met, Progress, Reads, Request

__all__ = [
    "Block",
    "BusSpan",
    "CacheCounts",
    "Completion",
    "IdealMemory",
    "Memory",
    "Met",
    "Progress",
    "Reads",
    "Request",
    "behind_caches",
    "memory_of",
]


LOGGER = logging.getLogger("accelsim")


def memory_of(device: IdealDevice | CommandDevice, array_mhz: float, *, bus_spans: bool = False) -> Memory:
    """The memory that a device is, for an array of this clock; bus_spans: note when its data buses move what."""
    if isinstance(device, IdealDevice):
        return IdealMemory(device, array_mhz, bus_spans=bus_spans)
    if not kernels.is_compiled():
        LOGGER.info("playing DRAM commands in plain Python, without the compiled kernel")
    return CommandMemory(device, array_mhz, bus_spans=bus_spans)


def behind_caches(memory: Memory, machine: Machine) -> Memory:
    """A memory behind the caches of a machine, if it has any."""
    if machine.caches is None:
        return memory
    from accelsim.machine.memory.cache import kernels as caches
    from accelsim.machine.memory.cache.memory import CachedMemory

    if caches.fastest is caches.plain:
        LOGGER.info("playing caches in plain Python, without the compiled kernel")
    return CachedMemory(machine.caches, machine.dma, memory)
