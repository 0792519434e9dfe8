"""DRAM as the DMA engines see it.

`model.py` is the contract. `ideal.py` is a bus and a latency. The other files are a DRAM at command granularity, each
decision apart: `address.py` (mapping), `timing.py`, `banks.py` (what is allowed when), `scheduler.py` (FR-FCFS and page
policy), `channel.py` (commands and refresh), `memory.py` (channels and senders), `command.py` (behind the contract),
`statistics.py` (counts and energy), `trace.py` and `replay.py` (traces).
`compiled/` is those once more, compiled: it is taken where it is there, and gives the same commands.
"""

from __future__ import annotations

import logging

from accelsim.config.dram import CommandDevice, IdealDevice
from accelsim.machine.dram.command import CommandDram
from accelsim.machine.dram.compiled import CompiledDram, can_be_compiled
from accelsim.machine.dram.ideal import IdealDram
from accelsim.machine.dram.model import BusSpan, DramModel, Report, Served, Transfer

__all__ = [
    "BusSpan",
    "CommandDram",
    "CompiledDram",
    "DramModel",
    "IdealDram",
    "Report",
    "Served",
    "Transfer",
    "model_of",
]

LOGGER = logging.getLogger("accelsim")


def model_of(device: IdealDevice | CommandDevice, array_mhz: float) -> DramModel:
    """The model of a device, for an array of this clock."""
    if isinstance(device, IdealDevice):
        return IdealDram(device, array_mhz)
    if can_be_compiled(device, array_mhz):
        return CompiledDram(device, array_mhz)
    LOGGER.info("playing DRAM commands in plain Python, without the compiled kernel")
    return CommandDram(device, array_mhz)
