"""Operators of ONNX as rows of a network, or as other views of a map.

An operator is a function in one of the modules here, registered under the name that ONNX gives it.
"""

from __future__ import annotations

from accelsim.importers.onnx.operators import (
    attention,
    borders,
    elementwise,
    joins,
    parts,
    places,
    products,
    quantised,
    recurrent,
    reductions,
    views,
    windows,
)
from accelsim.importers.onnx.operators.node import OPERATORS, Call

MODULES = (
    attention,
    borders,
    elementwise,
    joins,
    parts,
    places,
    products,
    quantised,
    recurrent,
    reductions,
    views,
    windows,
)
"""Modules that register operators."""

__all__ = ["MODULES", "OPERATORS", "Call"]
