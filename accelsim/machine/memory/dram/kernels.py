"""The kernel of a DRAM in plain Python, and the fastest there is: compiled, where there was a C compiler."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from accelsim.machine.memory.dram.kernel import LAYOUT

COMPILED = "accelsim.machine.memory.dram.compiled"

__all__ = ["fastest", "is_compiled", "plain"]


def plain() -> ModuleType:
    """The kernel in plain Python, which is not loaded where the compiled one is there."""
    return import_module("accelsim.machine.memory.dram.kernel.controller")


try:
    fastest = import_module(COMPILED)
except ImportError:
    fastest = plain()
if getattr(fastest, "LAYOUT", 1) != LAYOUT:  # compiled from sources that are not these any more
    fastest = plain()


def is_compiled() -> bool:
    """True where the fastest kernel is the compiled one."""
    return fastest.__name__ == COMPILED
