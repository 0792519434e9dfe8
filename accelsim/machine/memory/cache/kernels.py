"""The kernel of caches in plain Python, and the fastest there is: compiled, where there was a C compiler."""

from __future__ import annotations

from importlib import import_module

from accelsim.machine.memory.cache.kernel import LAYOUT
from accelsim.machine.memory.cache.kernel import hierarchy as plain

try:
    fastest = import_module("accelsim.machine.memory.cache.compiled")
except (ImportError, AttributeError, TypeError, ValueError):  # not there, or beside another kernel of the DRAM
    fastest = plain
if getattr(fastest, "LAYOUT", 1) != LAYOUT:  # compiled from sources that are not these any more
    fastest = plain

__all__ = ["fastest", "plain"]
