"""Cycle-level simulator of systolic-array DNN accelerators.

import accelsim as sim
run = sim.simulate("shufflenet_g3", "edge")
run.layers   # a pandas frame, a row for each layer
run.totals   # a dict

All public names are here; docs/python.md shows them. What is wrong with what they are given is a `UserError`.
"""

from __future__ import annotations

from accelsim.version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from accelsim.errors import UserError
    from accelsim.run.define import define_machine, define_network
    from accelsim.run.reprice import read_run, reprice
    from accelsim.run.result import Run
    from accelsim.run.simulate import simulate
    from accelsim.sweeps.frame import sweep

__all__ = [
    "Run",
    "UserError",
    "__version__",
    "define_machine",
    "define_network",
    "read_run",
    "reprice",
    "simulate",
    "sweep",
]

_HOMES = {
    "Run": "accelsim.run.result",
    "UserError": "accelsim.errors",
    "define_machine": "accelsim.run.define",
    "define_network": "accelsim.run.define",
    "read_run": "accelsim.run.reprice",
    "reprice": "accelsim.run.reprice",
    "simulate": "accelsim.run.simulate",
    "sweep": "accelsim.sweeps.frame",
}


def __getattr__(name: str) -> Any:
    """Import the public names when they are first used: `import accelsim` stays quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'accelsim' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """Names that a shell completes."""
    return __all__
