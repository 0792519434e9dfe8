"""What each operator of ONNX is in a network: a row, an address, a part of the row before, or a constant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import helper

from accelsim.importers.onnx import MAX_KNOWN, Importing, UnmodelledError, Value, tensor_value
from accelsim.importers.onnx_heads import heads_of, heads_reshaped, heads_transposed, multiplied

Operator = Callable[[Importing, onnx.NodeProto], list[Value]]
OPERATORS: dict[str, Operator] = {}
"""By the name that ONNX gives them."""
_FUSES = {"conv", "dwconv", "fc", "matmul", "product", "add"}
"""Rows that an activation can be part of."""


def operator(*names: str) -> Callable[[Operator], Operator]:
    """Register a function for these operators."""

    def register(function: Operator) -> Operator:
        OPERATORS.update(dict.fromkeys(names, function))
        return function

    return register


# Helpers.


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


# Constants.


def folded(importing: Importing, node: onnx.NodeProto) -> list[Value] | None:
    """The outputs of a node that only has to do with constants; None where it has to do with maps."""
    if node.op_type == "Constant":
        return [_constant(node)]
    values = inputs_of(importing, node)
    if node.op_type == "Shape" and len(values) == 1:
        start, end = (attributes(node).get(key) for key in ("start", "end"))
        return [_known(np.array(values[0].dims[start:end], dtype=np.int64))]
    if node.op_type == "ConstantOfShape":
        return [_of_shape(constants(node, values)[0])]
    if not values or any(each.is_map for each in values):
        return None
    if node.op_type in ("Identity", "Cast", "DequantizeLinear", "QuantizeLinear", "Dropout"):
        zero = values[2].bits if len(values) > 2 else None
        return [replace(values[0], bits=values[0].bits or zero)]
    if node.op_type == "Transpose" and values[0].constant is None:
        order = _permutation(attributes(node).get("perm"), len(values[0].dims))
        return [Value(tuple(values[0].dims[each] for each in order), bits=values[0].bits)]
    return _evaluated(importing, node, values)


def _constant(node: onnx.NodeProto) -> Value:
    for name, value in attributes(node).items():
        if name == "value":
            return tensor_value(value)
        if name in ("value_int", "value_ints", "value_float", "value_floats"):
            return _known(np.array(value))
    raise UnmodelledError("a constant of numbers", "another")


def _known(values: np.ndarray[Any, Any]) -> Value:
    return Value(values.shape, constant=values if values.size <= MAX_KNOWN else None)


def _of_shape(shape: np.ndarray[Any, Any]) -> Value:
    dims = tuple(int(each) for each in shape.ravel())
    if len(dims) > 6 or any(not 0 <= each <= 1 << 31 for each in dims):
        raise UnmodelledError("a constant of at most 6 dimensions", list(dims[:8]))
    known = np.zeros(dims) if 0 < prod(dims) <= MAX_KNOWN else None
    return Value(dims, constant=known)


def _evaluated(importing: Importing, node: onnx.NodeProto, values: Sequence[Value]) -> list[Value]:
    """Small constants, by ONNX's own reference. Raises UnmodelledError."""
    from onnx.reference import ReferenceEvaluator

    known = constants(node, values)
    names = [name for name in node.input if name]
    graph = helper.make_graph(
        [node],
        "constant",
        [helper.make_empty_tensor_value_info(name) for name in dict.fromkeys(names)],
        [helper.make_empty_tensor_value_info(name) for name in node.output],
    )
    try:
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", importing.opset)])
        found = ReferenceEvaluator(model).run(None, dict(zip(names, known, strict=True)))
    except Exception:
        raise UnmodelledError("constants that can be computed", f"{node.op_type} of {len(known)}") from None
    return [_known(np.asarray(each)) for each in found]


# Layers with weights.


@operator("Conv")
def conv(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """Any convolution over images: grouped, depthwise, dilated, padded on each side, SAME_UPPER and SAME_LOWER."""
    source, weights = inputs_of(importing, node)[:2]
    pads = source.padded or (0, 0, 0, 0)
    height, width, channels = image(replace(source, padded=None))
    if weights.is_map or len(weights.dims) != 4:
        raise UnmodelledError("constant weights of four dimensions", list(weights.dims))
    found = attributes(node)
    groups = found.get("group", 1)
    outputs, inputs, *kernel = weights.dims
    if list(found.get("kernel_shape", kernel)) != kernel or inputs * groups != channels or groups < 1:
        raise UnmodelledError(f"weights that fit {channels} channels", f"{list(weights.dims)} in {groups} groups")
    window = _window(node, kernel, (height, width), pads)
    size = (*_extents((height, width), window), outputs)
    more: dict[str, Any] = {**_written(window), "channels": outputs}
    kind = "conv"
    if groups == channels == outputs and groups > 1:
        kind = "dwconv"
        del more["channels"]
    elif groups > 1:
        more["groups"] = groups
    made = importing.add(name_of(node), kind, [source], size, **more)
    _note_bits(importing, made, weight_bits=weights.bits)
    return [made]


class _Window(dict[str, list[int]]):
    """kernel, stride and dilation as [height, width], pad as [top, left, bottom, right]."""


def _window(
    node: onnx.NodeProto, kernel: Sequence[int], size: tuple[int, int], before: tuple[int, int, int, int]
) -> _Window:
    """The window of a convolution or pool, explicit padding included. Raises UnmodelledError."""
    found = attributes(node)
    kernel = ints(kernel, 2, 1, "kernel_shape")
    stride, dilation = ints(found.get("strides"), 2, 1, "strides"), ints(found.get("dilations"), 2, 1, "dilations")
    if 0 in (*kernel, *stride, *dilation):
        raise UnmodelledError("kernel, strides and dilations of at least 1", [kernel, stride, dilation])
    mode = found.get("auto_pad", b"NOTSET").decode("utf-8", "replace")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        pads = [0, 0, 0, 0]
        for axis in (0, 1):
            reach = (kernel[axis] - 1) * dilation[axis] + 1
            missing = max(0, (-(-size[axis] // stride[axis]) - 1) * stride[axis] + reach - size[axis])
            less, more = missing // 2, missing - missing // 2
            pads[axis], pads[axis + 2] = (less, more) if mode == "SAME_UPPER" else (more, less)
    elif mode in ("NOTSET", "VALID", ""):
        pads = ints(None if mode == "VALID" else found.get("pads"), 4, 0, "pads")
    else:
        raise UnmodelledError("auto_pad of NOTSET, VALID, SAME_UPPER or SAME_LOWER", mode[:40])
    pads = [mine + other for mine, other in zip(pads, before, strict=True)]
    return _Window(kernel=kernel, stride=stride, dilation=dilation, pad=pads)


def _extents(size: tuple[int, int], window: _Window, *, ceil: bool = False) -> tuple[int, int]:
    """Height and width of what a window gives. Raises UnmodelledError."""
    found = []
    for axis in (0, 1):
        reach = (window["kernel"][axis] - 1) * window["dilation"][axis] + 1
        free = size[axis] + window["pad"][axis] + window["pad"][axis + 2] - reach
        if free < 0:
            raise UnmodelledError(f"a kernel that fits {size[0]} x {size[1]}", window["kernel"])
        steps = -(-free // window["stride"][axis]) if ceil else free // window["stride"][axis]
        # A window may not begin in the padding behind the map.
        if ceil and steps * window["stride"][axis] >= size[axis] + window["pad"][axis]:
            steps -= 1
        found.append(steps + 1)
    return found[0], found[1]


def _written(window: _Window) -> dict[str, Any]:
    """As rows have it: one number where all are equal, nothing where that is usual."""
    found: dict[str, Any] = {"kernel": _one(window["kernel"])}
    for key, usual in (("stride", 1), ("dilation", 1), ("pad", 0)):
        if _one(window[key]) != usual:
            found[key] = _one(window[key])
    return found


def _one(numbers: list[int]) -> int | list[int]:
    return numbers[0] if len(set(numbers)) == 1 else list(numbers)


@operator("Gemm")
def gemm(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """A fully connected layer."""
    source, weights = inputs_of(importing, node)[:2]
    found = attributes(node)
    if found.get("transA"):
        raise UnmodelledError("transA of 0", 1)
    dims = weights.dims if found.get("transB") else weights.dims[::-1]
    return [_dense(importing, node, source, weights, dims)]


@operator("MatMul")
def matmul(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """A product of a map with constant weights, for each image or each token, or of two maps, for each head."""
    source, weights = inputs_of(importing, node)[:2]
    if source.is_map and weights.is_map:
        return [multiplied(importing, name_of(node), source, weights)]
    if not source.is_map:
        raise UnmodelledError("a map times constant weights, or times a map", "weights times a map")
    return [_dense(importing, node, source, weights, weights.dims[::-1])]


def _dense(importing: Importing, node: onnx.NodeProto, source: Value, weights: Value, dims: tuple[int, ...]) -> Value:
    """dims: (outputs, inputs) of the weights."""
    if weights.is_map or len(dims) != 2 or source.dims[-1:] != dims[1:]:
        raise UnmodelledError("constant weights that fit the map", f"{list(weights.dims)} for {list(source.dims)}")
    assert source.map_dims is not None
    if source.is_vector and not source.shuffled:
        made = importing.add(name_of(node), "fc", [source], (1, 1, dims[0]), channels=dims[0])
        made = viewed(made, (importing.batch, dims[0]))
    elif source.is_tokens and not source.shuffled:
        height, width, _ = source.map_dims
        made = importing.add(name_of(node), "matmul", [source], (height, width, dims[0]), channels=dims[0])
        made = replace(made, dims=(importing.batch, height * width, dims[0]), by_token=True)
    else:
        raise UnmodelledError("a map of (batch, features) or (batch, tokens, features)", list(source.dims))
    _note_bits(importing, made, weight_bits=weights.bits)
    return made


# Pools.


@operator("MaxPool", "AveragePool")
def pool(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """A pool; one whose window is the whole map is a global one."""
    source = inputs_of(importing, node)[0]
    pads = source.padded or (0, 0, 0, 0)
    height, width, channels = image(replace(source, padded=None))
    found = attributes(node)
    window = _window(node, found.get("kernel_shape", []), (height, width), pads)
    average = node.op_type == "AveragePool"
    if average and window["kernel"] == [height, width] and not any(window["pad"]):
        return [importing.add(name_of(node), "gap", [source], (1, 1, channels))]
    if any(window["pad"][axis] >= window["kernel"][axis % 2] * window["dilation"][axis % 2] for axis in range(4)):
        raise UnmodelledError("padding smaller than the kernel", window["pad"])
    ceil = bool(found.get("ceil_mode"))
    size = (*_extents((height, width), window, ceil=ceil), channels)
    more = {"ceil": True} if ceil and size[:2] != _extents((height, width), window) else {}
    return [
        importing.add(name_of(node), "avgpool" if average else "maxpool", [source], size, **_written(window), **more)
    ]


@operator("GlobalAveragePool")
def global_pool(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """The mean of each channel."""
    source = inputs_of(importing, node)[0]
    return [importing.add(name_of(node), "gap", [source], (1, 1, image(source)[2]))]


@operator("GlobalMaxPool")
def global_max_pool(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """The largest of each channel."""
    source = inputs_of(importing, node)[0]
    height, width, channels = image(source)
    return [importing.add(name_of(node), "maxpool", [source], (1, 1, channels), kernel=[height, width])]


@operator("ReduceMean")
def reduce_mean(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """The mean over height and width."""
    source, *axes = inputs_of(importing, node)
    found = attributes(node)
    wanted = constants(node, axes)[0].tolist() if axes else list(found.get("axes", []))
    *_, channels = image(source)
    if sorted(each % 4 for each in wanted if -4 <= each < 4) != [2, 3] or len(wanted) != 2:
        raise UnmodelledError("a mean over height and width", f"axes {wanted[:8]}")
    made = importing.add(name_of(node), "gap", [source], (1, 1, channels))
    return [made if found.get("keepdims", 1) else viewed(made, (importing.batch, channels))]


# Elementwise.


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
    if row is not None and row["op"] == "concat" and importing.readers.get(node.input[0], 0) == 1:
        parts = [importing.rows[name] for name in row["inputs"] if name in importing.rows]
        if len(parts) == len(row["inputs"]) and all(_takes_relu(importing, part) for part in parts):
            for part in parts:
                if not _is_positive(importing, part):
                    part["activation"] = kind
            return source
    made = importing.add(name_of(node), "relu", [source], _whole(source))
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


def _whole(value: Value) -> tuple[int, int, int]:
    """The size of the map that a tensor is, in whatever shape. Raises UnmodelledError."""
    if value.map_dims is None or value.shuffled or value.padded:
        raise UnmodelledError("a map that is not shuffled or padded", list(value.dims))
    return value.map_dims


def _elementwise(op: str) -> Operator:
    def function(importing: Importing, node: onnx.NodeProto) -> list[Value]:
        source = inputs_of(importing, node)[0]
        made = importing.add(name_of(node), op, [source], _whole(source))
        return [seen_as(made, source)]

    return function


OPERATORS["Sigmoid"] = OPERATORS["Tanh"] = OPERATORS["HardSigmoid"] = _elementwise("sigmoid")
OPERATORS["HardSwish"] = _elementwise("hardswish")
OPERATORS["Gelu"] = OPERATORS["Erf"] = _elementwise("gelu")


@operator("Swish")
def swish(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """A map times its sigmoid."""
    source = inputs_of(importing, node)[0]
    gate = importing.add(f"{name_of(node)}_sigmoid", "sigmoid", [source], _whole(source))
    made = importing.add(name_of(node), "mul", [source, gate], _whole(source))
    return [seen_as(made, source)]


@operator("Softmax", "LayerNormalization")
def over_channels(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """A softmax or normalisation over the channels, or features."""
    source = inputs_of(importing, node)[0]
    size, rank = _whole(source), len(source.dims)
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
    made = importing.add(name_of(node), "bn", [source], _whole(source))
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
    sizes = [_whole(each) for each in maps]
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
    return seen_as(importing.add(name_of(node), "bn", [source], _whole(source)), source)


# Where things lie.


@operator("Concat")
def concat(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """Maps side by side, channel after channel."""
    values = inputs_of(importing, node)
    sizes = [image(each) for each in values if each.is_map]
    if len(sizes) != len(values) or attributes(node).get("axis") not in (1, -3):
        raise UnmodelledError("maps along their channels", f"axis {attributes(node).get('axis')}")
    if len(values) == 1:
        return values
    if len({size[:2] for size in sizes}) > 1:
        raise UnmodelledError("maps of equal height and width", [list(size) for size in sizes[:4]])
    total = sum(size[2] for size in sizes)
    return [importing.add(name_of(node), "concat", values, (*sizes[0][:2], total))]


@operator("Identity", "Dropout", "Cast")
def same(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """What does nothing at inference."""
    _forget_reader(importing, node)
    return [inputs_of(importing, node)[0]]


def _forget_reader(importing: Importing, node: onnx.NodeProto) -> None:
    """Who reads the output of a node that does nothing reads its input."""
    importing.readers[node.input[0]] = (
        importing.readers.get(node.input[0], 1) - 1 + importing.readers.get(node.output[0], 0)
    )
    importing.readers[node.output[0]] = importing.readers[node.input[0]]


@operator("QuantizeLinear", "DequantizeLinear")
def quantize(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """Says how many bits the map before has."""
    source = inputs_of(importing, node)[0]
    bits = importing.value(node.input[2]).bits if len(node.input) > 2 and node.input[2] else 8
    _note_bits(importing, source, activation_bits=bits)
    _forget_reader(importing, node)
    return [replace(source, bits=bits)]


def _note_bits(importing: Importing, value: Value, **bits: int | None) -> None:
    """Bits of a row, where they are known and not the 8 that machines have."""
    known = {key: count for key, count in bits.items() if count is not None and count != 8}
    if known and value.row is not None:
        importing.bits.setdefault(value.row, {}).update(known)


@operator("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def reshape(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """Another shape of the same elements in the same order; the end of a channel shuffle."""
    source, *rest = inputs_of(importing, node)
    dims = _new_dims(node, source, rest)
    if prod(dims) != prod(source.dims):
        raise UnmodelledError(f"a shape of {prod(source.dims)} elements", list(dims))
    _forget_reader(importing, node)
    if source.heads is not None:
        return [heads_reshaped(source, tuple(dims))]
    if source.shuffled is None:
        return [viewed(source, dims)]
    assert source.map_dims is not None
    height, width, channels = source.map_dims
    if tuple(dims) != (importing.batch, channels, height, width):
        raise UnmodelledError("the map again behind its channel shuffle", list(dims))
    plain = replace(source, shuffled=None, dims=(importing.batch, channels, height, width))
    return [importing.add(name_of(node), "shuffle", [plain], source.map_dims, groups=source.shuffled)]


def _new_dims(node: onnx.NodeProto, source: Value, rest: Sequence[Value]) -> list[int]:
    """The shape that is asked for. Raises UnmodelledError."""
    found, old = attributes(node), list(source.dims)
    if node.op_type == "Flatten":
        axis = found.get("axis", 1)
        if not -len(old) <= axis <= len(old):
            raise UnmodelledError("an axis of the map", axis)
        axis = axis if axis >= 0 else axis + len(old)
        return [prod(old[:axis]), prod(old[axis:])]
    if node.op_type == "Reshape":
        wanted = [int(each) for each in constants(node, rest)[0].ravel()]
        return _completed(wanted, old, keep_zeros=bool(found.get("allowzero")))
    axes = [int(each) for each in (constants(node, rest)[0].ravel() if rest else found.get("axes", []))]
    rank = len(old) + (len(axes) if node.op_type == "Unsqueeze" else 0)
    if any(not -rank <= each < rank for each in axes) or rank > 6:
        raise UnmodelledError("axes of the map", axes[:8])
    places = {each % rank for each in axes}
    if node.op_type == "Squeeze":
        places = places or {place for place, extent in enumerate(old) if extent == 1}
        return [extent for place, extent in enumerate(old) if place not in places]
    remaining = iter(old)
    return [1 if place in places else next(remaining) for place in range(rank)]


def _completed(wanted: list[int], old: list[int], *, keep_zeros: bool) -> list[int]:
    """With -1 and 0 replaced by what they stand for. Raises UnmodelledError."""
    if len(wanted) > 6 or min(wanted, default=0) < -1 or wanted.count(-1) > 1:
        raise UnmodelledError("a shape with one -1 at most", wanted[:8])
    dims = [
        old[place] if extent == 0 and not keep_zeros and place < len(old) else extent
        for place, extent in enumerate(wanted)
    ]
    if -1 in dims:
        others = prod(extent for extent in dims if extent != -1)
        dims[dims.index(-1)] = prod(old) // others if others else 0
    return dims


@operator("Transpose")
def transpose(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """The middle of a channel shuffle, heads of features, or what changes nothing in memory."""
    source = inputs_of(importing, node)[0]
    order = _permutation(attributes(node).get("perm"), len(source.dims))
    _forget_reader(importing, node)
    heads = heads_transposed(source, order)
    if heads is not None:
        return [heads]
    moved = [place for place in order if source.dims[place] != 1]
    if all(before < after for before, after in pairwise(moved)):
        return [viewed(source, [source.dims[place] for place in order])]
    if source.map_dims is None or source.shuffled is not None:
        raise UnmodelledError("a transpose that leaves a map, or shuffles its channels", order)
    height, width, channels = source.map_dims
    batch, *rest = source.dims
    groups = rest[0] if rest else 0
    split = batch == importing.batch and groups and channels % groups == 0
    if split and rest == [groups, channels // groups, height, width] and order == [0, 2, 1, 3, 4]:
        return [replace(source, dims=(batch, channels // groups, groups, height, width), shuffled=groups)]
    if split and rest == [groups, channels // groups, height * width] and order == [0, 2, 1, 3]:
        return [replace(source, dims=(batch, channels // groups, groups, height * width), shuffled=groups)]
    if rest == [channels, height * width] and order == [0, 2, 1] and not source.by_token:
        return [replace(source, dims=(batch, height * width, channels), by_token=True)]
    raise UnmodelledError("a transpose that shuffles channels, or makes tokens of pixels", order)


def _permutation(given: Any, rank: int) -> list[int]:
    order = list(reversed(range(rank))) if given is None else list(given)
    if sorted(order) != list(range(rank)):
        raise UnmodelledError(f"an order of {rank} dimensions", order[:8])
    return order


@operator("Pad")
def pad(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """Zeros round a map, which become the padding of the convolution or pool that reads it."""
    source, *rest = inputs_of(importing, node)
    found = attributes(node)
    image(source)
    amounts = [int(each) for each in (constants(node, rest[:1])[0].ravel() if rest else found.get("pads", []))]
    zero = float(constants(node, rest[1:2])[0].ravel()[0]) if len(rest) > 1 else float(found.get("value", 0.0))
    mode = found.get("mode", b"constant")
    if mode != b"constant" or zero != 0 or len(amounts) != 8 or min(amounts) < 0 or any(amounts[:2] + amounts[4:6]):
        raise UnmodelledError("zeros round height and width", amounts[:8])
    if max(amounts) > 1 << 12:
        raise UnmodelledError("padding of at most 4096", max(amounts))
    top, left, bottom, right = amounts[2], amounts[3], amounts[6], amounts[7]
    return [replace(source, padded=(top, left, bottom, right))]
