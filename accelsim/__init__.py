"""Cycle-level simulator of systolic-array DNN accelerators.

import accelsim as sim
run = sim.simulate("shufflenet_g3", "edge")
run.layers   # a pandas frame, a row for each layer
run.totals   # a dict
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from accelsim.version import __version__

if TYPE_CHECKING:
    from accelsim.run.result import Run
    from accelsim.run.simulate import simulate

__all__ = ["Run", "__version__", "simulate"]

_HOMES = {"Run": "accelsim.run.result", "simulate": "accelsim.run.simulate"}


def __getattr__(name: str) -> Any:
    """Import the public names when they are first used: `import accelsim` stays quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'accelsim' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
