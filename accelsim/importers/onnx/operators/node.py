"""A node with its inputs, and the registry of the functions of operators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import onnx

from accelsim.importers.onnx.attributes import Attributes
from accelsim.importers.onnx.importing import Importing
from accelsim.importers.onnx.tensors import Axes, Constant, Dim, FeatureMap, Tensor, UnmodelledError, fresh

PLACES = "places that are known; what computes where it reads or writes is for a host (docs/onnx.md)"
"""Expected of operators that make no sense on such a machine where the places are computed."""


@dataclass(frozen=True, slots=True)
class Call:
    """A node on its way: what is imported so far, its inputs (None where one is left out) and attributes."""

    importing: Importing
    node: onnx.NodeProto
    inputs: Sequence[Tensor | None]
    attributes: Attributes

    @property
    def op(self) -> str:
        """Name of the operator in ONNX."""
        return self.node.op_type

    def tensor(self, place: int) -> Tensor:
        """An input, padding included. Raises UnmodelledError where it is left out."""
        found = self.optional(place)
        if found is None:
            raise UnmodelledError(f"input {place}", "none")
        return found

    def optional(self, place: int) -> Tensor | None:
        """An input that may be left out, padding included. Raises UnmodelledError."""
        found = self.inputs[place] if place < len(self.inputs) else None
        return self.importing.padded(found) if isinstance(found, FeatureMap) and found.pads else found

    def raw_map(self, place: int = 0) -> FeatureMap:
        """An input that is a map, its padding still to be added. Raises UnmodelledError."""
        found = self.inputs[place] if place < len(self.inputs) else None
        return _map_of(found, place)

    def map(self, place: int = 0) -> FeatureMap:
        """An input that is a map, padding included. Raises UnmodelledError."""
        return _map_of(self.tensor(place), place)

    def constant(self, place: int, what: str = "constant weights") -> Constant:
        """An input that is a constant. Raises UnmodelledError."""
        found = self.tensor(place)
        if not isinstance(found, Constant):
            raise UnmodelledError(what, f"a map of {list(found.shape)}")
        return found

    def axis(self, default: int, rank: int, name: str = "axis") -> int:
        """An attribute that counts dimensions. Raises UnmodelledError."""
        axis = self.attributes.integer(name, default)
        if not -rank <= axis < rank:
            raise UnmodelledError(f"an axis of {rank} dimensions", axis)
        return axis % rank


def _map_of(value: Tensor | None, place: int) -> FeatureMap:
    if isinstance(value, FeatureMap):
        return value
    got = "none" if value is None else f"a constant of {list(value.shape)}"
    raise UnmodelledError(f"a map as input {place}", got)


Translation = Callable[[Call], Sequence[Tensor]]
OPERATORS: dict[str, Translation] = {}
"""By the name that ONNX gives them; those of other domains behind that and a dot."""


def operator(*names: str) -> Callable[[Translation], Translation]:
    """Register a function for these operators."""

    def register(function: Translation) -> Translation:
        OPERATORS.update(dict.fromkeys(names, function))
        return function

    return register


def images_of(call: Call, source: FeatureMap) -> FeatureMap:
    """A map whose first dimension is the images and nothing else. Raises UnmodelledError."""
    if len(source.dims) < 2 or source.dims[0] != call.importing.batch_dim:
        expected = "a map whose first dimension is that of the images"
        raise UnmodelledError(expected, f"{list(source.shape)} with {call.importing.images} images")
    return source


def spatial(call: Call, place: int = 0) -> FeatureMap:
    """An input of (batch, channels, rows, columns), or (batch, channels, steps), as rows, columns and channels.

    Padding that is yet to be added is left so, where it is zeros of rows and columns. Raises UnmodelledError.
    """
    source = call.raw_map(place)
    if source.pads and (source.border != "zeros" or any(map(any, source.pads[:2])) or min(map(min, source.pads)) < 0):
        source = call.importing.padded(source)
    images_of(call, source)
    if not 3 <= len(source.dims) <= 4:
        raise UnmodelledError("a map of (batch, channels, height, width)", list(source.shape))
    pads, border = source.pads, source.border
    channels, rows, cols = (*source.dims[1:], ())[:3]
    plain = call.importing.ordered(replace(source, pads=()), rows, cols, channels)
    return replace(plain, pads=pads, border=border)


def image_dims(call: Call, source: FeatureMap, extents: tuple[int, int, int]) -> tuple[tuple[Dim, ...], Axes]:
    """Dimensions of an output of (batch, channels, ...) of the same rank as a map, and its axes."""
    rows, cols, channels = (fresh(size) for size in extents)
    dims = (call.importing.batch_dim, channels, rows, cols)[: len(source.dims)]
    return dims, Axes(rows, cols, channels)


def note_bits(importing: Importing, row: str, **bits: int | None) -> None:
    """Bits of a row, where they are known and not the 8 that machines have."""
    known = {key: count for key, count in bits.items() if count is not None and count != 8}
    if known and (row == "input" or importing.rows.get(row, {"op": "input"})["op"] != "input"):
        importing.bits.setdefault(row, {}).update(known)


def listed(**keys: Any) -> dict[str, Any]:
    """Keys of a row but those that are as usual."""
    usual = {"stride": 1, "dilation": 1, "pad": 0, "groups": 1}
    one = {key: value[0] if isinstance(value, list) and len(set(value)) == 1 else value for key, value in keys.items()}
    return {key: value for key, value in one.items() if value != usual.get(key)}
