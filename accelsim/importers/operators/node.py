"""What the functions of operators share: attributes, inputs, and the registry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from onnx import helper

from accelsim.importers.onnx import Importing, UnmodelledError, Value

Operator = Callable[[Importing, onnx.NodeProto], list[Value]]
OPERATORS: dict[str, Operator] = {}
"""By the name that ONNX gives them."""


def operator(*names: str) -> Callable[[Operator], Operator]:
    """Register a function for these operators."""

    def register(function: Operator) -> Operator:
        OPERATORS.update(dict.fromkeys(names, function))
        return function

    return register


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Attributes by name. Raises UnmodelledError where one has no value of a known type."""
    try:
        return {each.name: helper.get_attribute_value(each) for each in node.attribute}
    except (ValueError, TypeError, NotImplementedError):
        raise UnmodelledError("attributes of ONNX's types", "others") from None


def ints(value: Any, count: int, default: int, what: str) -> list[int]:
    """So many numbers of at least 0 of an attribute. Raises UnmodelledError."""
    found = [default] * count if value is None else list(value)
    if len(found) != count or not all(isinstance(each, int) and 0 <= each <= 1 << 20 for each in found):
        raise UnmodelledError(f"{what}: {count} numbers from 0 on", found[:8])
    return found


def inputs_of(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """The inputs that are there."""
    return [importing.value(name) for name in node.input if name]


def image(value: Value, what: str = "a map") -> tuple[int, int, int]:
    """(height, width, channels) of a map as it is. Raises UnmodelledError."""
    if not value.is_image or value.shuffled or value.padded:
        raise UnmodelledError(f"{what} of (batch, channels, height, width)", list(value.dims))
    assert value.map_dims is not None
    return value.map_dims


def name_of(node: onnx.NodeProto) -> str:
    """What a node's row is called."""
    return node.name or node.output[0]


def constants(node: onnx.NodeProto, values: Sequence[Value]) -> list[np.ndarray[Any, Any]]:
    """Inputs whose values are known. Raises UnmodelledError."""
    found = [each.constant for each in values]
    if any(each is None for each in found):
        raise UnmodelledError("known constants", f"{node.op_type} of unknown ones")
    return [each for each in found if each is not None]


def seen_as(made: Value, source: Value) -> Value:
    """A new map of a map's size, in that one's shape."""
    return replace(made, dims=source.dims, by_token=source.by_token, heads=source.heads, turned=source.turned)


def viewed(value: Value, dims: Sequence[int]) -> Value:
    """The same elements in another shape."""
    return replace(value, dims=tuple(dims))


def whole(value: Value) -> tuple[int, int, int]:
    """The size of the map that a tensor is, in whatever shape. Raises UnmodelledError."""
    if value.map_dims is None or value.shuffled or value.padded or value.parts:
        raise UnmodelledError("a map that is not shuffled, padded or in parts", list(value.dims))
    return value.map_dims


def note_bits(importing: Importing, value: Value, **bits: int | None) -> None:
    """Bits of a row, where they are known and not the 8 that machines have."""
    known = {key: count for key, count in bits.items() if count is not None and count != 8}
    if known and value.row is not None:
        importing.bits.setdefault(value.row, {}).update(known)


def permutation(given: Any, rank: int) -> list[int]:
    """The order of dimensions that a Transpose asks for; without one, the reverse. Raises UnmodelledError."""
    order = list(reversed(range(rank))) if given is None else list(given)
    if sorted(order) != list(range(rank)):
        raise UnmodelledError(f"an order of {rank} dimensions", order[:8])
    return order
