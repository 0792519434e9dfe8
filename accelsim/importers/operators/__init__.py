"""What each operator of ONNX is in a network: a row, an address, a part of the row before, or a constant.

An operator is a function in one of the modules here, registered under the name that ONNX gives it.
"""

from __future__ import annotations

from accelsim.importers.operators import addresses, elementwise, layers, parts
from accelsim.importers.operators.constants import folded
from accelsim.importers.operators.node import OPERATORS

__all__ = ["OPERATORS", "addresses", "elementwise", "folded", "layers", "parts"]
