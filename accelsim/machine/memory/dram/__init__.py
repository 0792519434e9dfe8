"""DRAM at command granularity.

Each decision stands apart: `address.py` (mapping), `timing.py`, `banks.py` (what is allowed when), `scheduler.py`
(FR-FCFS and page policy), `channel.py` (commands and refresh), `memory.py` (channels and senders), `command.py` (behind
the memory port), `statistics.py` (counts and energy), `trace.py` and `replay.py` (traces).
`compiled/` is those once more, compiled: it is taken where it is there, and gives the same commands.
"""

from __future__ import annotations

import logging

from accelsim.config.dram import CommandDevice
from accelsim.machine.memory.dram.command import CommandDram
from accelsim.machine.memory.dram.compiled import CompiledDram, can_be_compiled

LOGGER = logging.getLogger("accelsim")


def command_memory(device: CommandDevice, array_mhz: float) -> CompiledDram | CommandDram:
    """The memory of a device, for an array of this clock."""
    if can_be_compiled(device, array_mhz):
        return CompiledDram(device, array_mhz)
    LOGGER.info("playing DRAM commands in plain Python, without the compiled kernel")
    return CommandDram(device, array_mhz)
