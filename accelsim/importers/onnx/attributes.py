"""Attributes of a node, each read by what it should be."""

from __future__ import annotations

from typing import Any

import onnx

from accelsim.errors import shorten
from accelsim.importers.onnx.tensors import UnmodelledError

_KINDS = onnx.AttributeProto
_FIELDS = {
    _KINDS.FLOAT: "f", _KINDS.INT: "i", _KINDS.STRING: "s", _KINDS.TENSOR: "t", _KINDS.FLOATS: "floats",
    _KINDS.INTS: "ints",
}  # fmt: skip
MOST_NUMBERS = 4096
"""In one attribute."""


class Attributes:
    """Attributes of a node; subgraphs are not entered."""

    def __init__(self, node: onnx.NodeProto) -> None:
        self._found: dict[str, Any] = {}
        for each in node.attribute:
            if each.name in self._found:
                raise UnmodelledError("each attribute once", shorten(each.name))
            if each.type in _FIELDS:
                self._found[each.name] = getattr(each, _FIELDS[each.type])

    def __contains__(self, name: str) -> bool:
        return name in self._found

    def raw(self, name: str) -> Any:
        """An attribute as it is; None where it is not there."""
        return self._found.get(name)

    def there(self, *names: str) -> list[str]:
        """Names of the attributes that a node has."""
        return [name for name in names if name in self._found]

    def integer(self, name: str, default: int) -> int:
        """A whole number. Raises UnmodelledError."""
        value = self._found.get(name, default)
        if not isinstance(value, int):
            raise UnmodelledError(f"a whole number as {name}", type(value).__name__)
        return value

    def number(self, name: str, default: float) -> float:
        """A number. Raises UnmodelledError."""
        value = self._found.get(name, default)
        if not isinstance(value, int | float):
            raise UnmodelledError(f"a number as {name}", type(value).__name__)
        return float(value)

    def integers(self, name: str) -> list[int] | None:
        """Whole numbers; None where they are not there. Raises UnmodelledError."""
        value = self._found.get(name)
        if value is None:
            return None
        if isinstance(value, bytes | str | float | int):
            raise UnmodelledError(f"whole numbers as {name}", "another value")
        found = list(value)
        if len(found) > MOST_NUMBERS or not all(isinstance(each, int) for each in found):
            raise UnmodelledError(f"whole numbers as {name}, {MOST_NUMBERS} at most", len(found))
        return found

    def text(self, name: str, default: str) -> str:
        """A word. Raises UnmodelledError."""
        value = self._found.get(name, default.encode())
        if not isinstance(value, bytes):
            raise UnmodelledError(f"text as {name}", type(value).__name__)
        return value.decode("utf-8", "replace")
