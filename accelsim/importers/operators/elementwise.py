"""Activations, normalisations, and maps combined element by element."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import onnx

from accelsim.importers.onnx import Importing, UnmodelledError, Value
from accelsim.importers.onnx_heads import heads_of
from accelsim.importers.operators.node import (
    OPERATORS,
    Operator,
    attributes,
    constants,
    image,
    inputs_of,
    ints,
    name_of,
    operator,
    seen_as,
    whole,
)

_FUSES = {"conv", "dwconv", "fc", "matmul", "product", "add"}
"""Rows that an activation can be part of."""


@operator("Relu", "Clip")
def relu(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """Part of the row before where nothing else reads that; else a row. A Clip to 0 .. 6 is a ReLU6."""
    kind = "relu6" if node.op_type == "Clip" and _limits(importing, node)[1] is not None else "relu"
    source = inputs_of(importing, node)[0]
    return [_activated(importing, node, source, kind)]


def _limits(importing: Importing, node: onnx.NodeProto) -> tuple[float | None, float | None]:
    found = attributes(node)
    bounds: list[float | None] = [found.get("min"), found.get("max")]
    for place, name in enumerate(node.input[1:3]):
        if name:
            (known,) = constants(node, [importing.value(name)])
            bounds[place] = float(known.ravel()[0]) if known.size else None
    return bounds[0], bounds[1]


def _activated(importing: Importing, node: onnx.NodeProto, source: Value, kind: str) -> Value:
    assert source.row is not None
    row = importing.rows.get(source.row)
    fuses = row is not None and row["op"] in _FUSES and "activation" not in row
    if row is not None and fuses and importing.readers.get(node.input[0], 0) == 1:
        row["activation"] = kind
        return source
    if kind == "relu" and row is not None and row["op"] == "concat" and importing.readers.get(node.input[0], 0) == 1:
        parts = [importing.rows[name] for name in row["inputs"] if name in importing.rows]
        if len(parts) == len(row["inputs"]) and all(_takes_relu(importing, part) for part in parts):
            for part in parts:
                if not _is_positive(importing, part):
                    part["activation"] = kind
            return source
    made = importing.add(name_of(node), "relu", [source], whole(source))
    return seen_as(made, source)


def _takes_relu(importing: Importing, row: dict[str, Any]) -> bool:
    """Whether a ReLU behind a concatenation can be part of this row, or changes nothing in its map."""
    alone = importing.readers.get(importing.latest.get(row["name"], ""), 0) == 1
    return _is_positive(importing, row) or (alone and row["op"] in _FUSES and "activation" not in row)


def _is_positive(importing: Importing, row: dict[str, Any]) -> bool:
    """Whether a map has no negative values: behind a ReLU, perhaps pooled."""
    while row["op"] in ("maxpool", "avgpool", "gap", "shuffle"):
        before = row.get("inputs") or [_row_before(importing, row)]
        if before[0] not in importing.rows:
            return False
        row = importing.rows[before[0]]
    return row.get("activation") == "relu" or row["op"] == "relu"


def _row_before(importing: Importing, row: dict[str, Any]) -> str:
    names = list(importing.rows)
    place = names.index(row["name"])
    return names[place - 1] if place else "input"


def _elementwise(op: str) -> Operator:
    def function(importing: Importing, node: onnx.NodeProto) -> list[Value]:
        source = inputs_of(importing, node)[0]
        made = importing.add(name_of(node), op, [source], whole(source))
        return [seen_as(made, source)]

    return function


OPERATORS["Sigmoid"] = OPERATORS["Tanh"] = OPERATORS["HardSigmoid"] = _elementwise("sigmoid")
OPERATORS["HardSwish"] = _elementwise("hardswish")
OPERATORS["Gelu"] = OPERATORS["Erf"] = _elementwise("gelu")


@operator("Swish")
def swish(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """A map times its sigmoid."""
    source = inputs_of(importing, node)[0]
    gate = importing.add(f"{name_of(node)}_sigmoid", "sigmoid", [source], whole(source))
    made = importing.add(name_of(node), "mul", [source, gate], whole(source))
    return [seen_as(made, source)]


@operator("Softmax", "LayerNormalization")
def over_channels(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """A softmax or normalisation over the channels, or features."""
    source = inputs_of(importing, node)[0]
    size, rank = whole(source), len(source.dims)
    default = 1 if node.op_type == "Softmax" and importing.opset < 13 else -1
    axis = attributes(node).get("axis", default)
    channels = {2: 1, 3: 2, 4: 1}.get(rank)
    heads = heads_of(source) if node.op_type == "Softmax" else None
    if heads is not None and heads.groups > 1 and not heads.turned:
        if axis % rank != rank - 1:
            raise UnmodelledError("the axis of the last dimension", f"axis {axis} of {rank} dimensions")
        return [seen_as(importing.add(name_of(node), "softmax", [source], size, groups=heads.groups), source)]
    if source.heads is not None and (source.heads > 1 or source.turned):
        raise UnmodelledError("a normalisation of all features of a token", f"one of {source.heads} heads")
    channels = rank - 1 if source.by_token else channels
    if not -rank <= axis < rank or axis % rank != channels:
        raise UnmodelledError("the axis of the channels", f"axis {axis} of {rank} dimensions")
    op = "softmax" if node.op_type == "Softmax" else "layernorm"
    made = importing.add(name_of(node), op, [source], size)
    return [seen_as(made, source)]


@operator("LRN")
def lrn(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """Local response normalisation."""
    source = inputs_of(importing, node)[0]
    (size,) = ints([attributes(node).get("size", 0)], 1, 0, "size")
    return [importing.add(name_of(node), "lrn", [source], image(source), size=max(size, 1))]


@operator("BatchNormalization")
def batch_norm(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """Part of the convolution before where nothing else reads that, and nothing is in between."""
    source = inputs_of(importing, node)[0]
    row = importing.rows.get(source.row or "")
    plain = row is not None and row["op"] in ("conv", "dwconv", "fc", "matmul") and "activation" not in row
    if plain and importing.readers.get(node.input[0], 0) == 1:
        return [source]
    made = importing.add(name_of(node), "bn", [source], whole(source))
    return [seen_as(made, source)]


@operator("Add", "Sub", "Sum")
def add(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """Two maps added; a constant is a bias, part of the layer before where that has weights."""
    values = inputs_of(importing, node)
    maps = [each for each in values if each.is_map]
    if len(values) != 2:
        raise UnmodelledError("two inputs", len(values))
    if len(maps) == 1:
        return [_with_constant(importing, node, maps[0])]
    return [_two_maps(importing, node, "add", maps)]


@operator("Mul", "Div")
def multiply(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """A map times a map, times a factor for each channel, or times a constant."""
    values = inputs_of(importing, node)
    maps = [each for each in values if each.is_map]
    if len(maps) == 1:
        return [_with_constant(importing, node, maps[0])]
    if node.op_type == "Div":
        raise UnmodelledError("a map over a constant", "a map over a map")
    maps.sort(key=lambda each: -prod(each.dims))
    channels = maps[0].map_dims[2] if maps[0].map_dims else 0
    if maps[1].map_dims == (1, 1, channels) and maps[0].map_dims != maps[1].map_dims and maps[0].is_image:
        return [importing.add(name_of(node), "scale", maps, image(maps[0]))]
    return [_two_maps(importing, node, "mul", maps)]


def _two_maps(importing: Importing, node: onnx.NodeProto, op: str, maps: Sequence[Value]) -> Value:
    sizes = [whole(each) for each in maps]
    if seen_as(maps[0], maps[1]) != maps[0] or sizes[0] != sizes[1]:
        raise UnmodelledError("two maps of one size", " and ".join(str(list(each.dims)) for each in maps))
    return seen_as(importing.add(name_of(node), op, list(maps), sizes[0]), maps[0])


def _with_constant(importing: Importing, node: onnx.NodeProto, source: Value) -> Value:
    """A bias or a factor: nothing beside the layer before it, or as an unfolded batch norm.

    Beside a product of maps only one factor for all is nothing.
    """
    row = importing.rows.get(source.row or "")
    plain = row is not None and row["op"] in ("conv", "dwconv", "fc", "matmul") and "activation" not in row
    place = next(name for name in node.input if importing.value(name).is_map)
    numbers = [importing.value(name) for name in node.input if not importing.value(name).is_map]
    factor = node.op_type in ("Mul", "Div") and all(prod(each.dims) == 1 for each in numbers)
    plain = plain or (row is not None and row["op"] == "product" and "activation" not in row and factor)
    if plain and importing.readers.get(place, 0) == 1:
        return source
    return seen_as(importing.add(name_of(node), "bn", [source], whole(source)), source)
