"""The kernel of a DRAM in plain Python, and the fastest there is: compiled, where there was a C compiler."""

from __future__ import annotations

from types import ModuleType

from accelsim.machine.memory.dram.kernel import controller as plain

try:
    from accelsim.machine.memory.dram import compiled
except ImportError:
    fastest: ModuleType = plain
else:
    fastest = compiled

__all__ = ["fastest", "plain"]
