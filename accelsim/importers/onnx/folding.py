"""Arithmetic on constants alone: a list of a few operators of our own, each bounded, and nothing else.

A constant that is large, or whose values are not in the file, still has a shape, and that is followed. So is what other
operators make of constants, where ONNX infers a shape for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from math import ceil, isfinite, prod
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper, shape_inference

from accelsim.importers.onnx import moved
from accelsim.importers.onnx.attributes import Attributes
from accelsim.importers.onnx.constants import (
    INTEGER_BITS,
    KINDS,
    TYPES,
    checked_shape,
    few,
    integers,
    known,
    of,
    tensor_value,
)
from accelsim.importers.onnx.importing import Importing
from accelsim.importers.onnx.inference import apart
from accelsim.importers.onnx.results import ConstantFold, Inputs, first_of, result, shape_only
from accelsim.importers.onnx.shapes import normalised, reduced_axes
from accelsim.importers.onnx.tensors import MAX_KNOWN, Constant, Tensor, UnmodelledError, Values

MOST_INFERRED = 1000
"""Constants of a model whose shape is inferred."""


def folded(node: onnx.NodeProto, inputs: Sequence[Tensor | None], importing: Importing) -> list[Tensor] | None:
    """The outputs of a node that has to do with constants alone; None where it has to do with maps.

    Raises UnmodelledError where it is no operator of this list, and ONNX infers no shape for it.
    """
    found = Attributes(node)
    if node.op_type == "Constant":
        return [_constant(found)]
    if node.op_type == "CastLike" and inputs and isinstance(inputs[0], Constant):
        return [_cast_like(inputs[0], inputs[-1])]
    there = [each for each in inputs if each is not None]
    if node.op_type in ("Shape", "Size") and there:
        return [_shape_of(node, there[0], found)]
    if node.op_type == "ConstantOfShape":
        return [_of_shape(there[0], found)]
    if not there or not all(isinstance(each, Constant) for each in there):
        return None
    constants = [each if isinstance(each, Constant) else None for each in inputs]
    if node.op_type not in FOLDED:
        return list(_inferred(node, constants, importing))
    try:
        return list(FOLDED[node.op_type](constants, found, len(node.output)))
    except (ValueError, TypeError, IndexError, OverflowError, ZeroDivisionError):
        raise UnmodelledError("constants that fit each other", f"{node.op_type} of {_shapes(there)}") from None


def _inferred(node: onnx.NodeProto, inputs: Inputs, importing: Importing) -> list[Constant]:
    """Constants of the shapes that ONNX infers, of any values. Raises UnmodelledError where it infers none, or of many
    nodes, each of which takes a process."""
    importing.inferred += 1
    if importing.inferred > MOST_INFERRED:
        raise UnmodelledError(f"at most {MOST_INFERRED} constants whose shape ONNX has to infer", "more")
    schema = onnx.defs.get_schema(node.op_type, importing.opset)
    there = {name: each for name, each in zip(node.input, inputs, strict=True) if each is not None}
    data = {
        name: numpy_helper.from_array(each.values)
        for name, each in there.items()
        if each.values is not None and each.values.dtype.kind in "biuf"
    }
    opsets = [onnx.helper.make_opsetid("", importing.opset)]

    def shapes() -> list[list[int]] | None:
        for unknown in (KINDS.FLOAT, KINDS.INT64):
            types = {
                name: onnx.helper.make_tensor_type_proto(data[name].data_type if name in data else unknown, each.shape)
                for name, each in there.items()
            }
            with suppress(Exception):
                found = shape_inference.infer_node_outputs(schema, node, types, data, opset_imports=opsets)
                dims = [_dims(found[name].tensor_type) if name in found else None for name in node.output]
                if dims and None not in dims:
                    return [each for each in dims if each is not None]
        return None

    found = apart(shapes)
    if found is None:
        raise UnmodelledError("constants that can be computed (docs/onnx.md)", f"{node.op_type} of constants")
    return [Constant(checked_shape(each)) for each in found]


def _dims(tensor: onnx.TypeProto.Tensor) -> list[int] | None:
    """The shape of a type; None where one dimension has no number."""
    dims = tensor.shape.dim
    has_numbers = tensor.HasField("shape") and all(each.HasField("dim_value") for each in dims)
    return [each.dim_value for each in dims] if has_numbers else None


def _shapes(values: Sequence[Tensor]) -> str:
    return " and ".join(str(list(each.shape)) for each in values[:4])


def _constant(found: Attributes) -> Constant:
    for each in found.there("value", "value_int", "value_ints", "value_float", "value_floats"):
        value = found.raw(each)
        if each == "value":
            return tensor_value(value)
        return of(np.array(value, dtype=np.int64 if "int" in each else np.float32))
    raise UnmodelledError("a constant of numbers", "another")


def _shape_of(node: onnx.NodeProto, value: Tensor, found: Attributes) -> Constant:
    if node.op_type == "Size":
        return of(np.array(prod(value.shape), dtype=np.int64))
    start, end = found.integer("start", 0), found.integer("end", len(value.shape))
    return of(np.array(value.shape[slice(start, end)], dtype=np.int64))


def _of_shape(shape: Tensor, found: Attributes) -> Constant:
    dims = checked_shape(integers(shape, "a shape"))
    fill = found.raw("value")
    value: Values = np.zeros(1, dtype=np.float32)
    if fill is not None:
        given = tensor_value(fill).values
        if given is None or given.size != 1:
            raise UnmodelledError("one number to fill a constant with", "another")
        value = given
    return Constant(dims, np.full(dims, value.ravel()[0]) if few(dims) else None)


def _elementwise(compute: Callable[..., Any]) -> ConstantFold:
    def fold(inputs: Inputs, found: Attributes, outputs: int) -> list[Constant]:
        del found, outputs
        there = [each for each in inputs if each is not None]
        shape = np.broadcast_shapes(*(each.shape for each in there))
        return result(shape, inputs, lambda values: compute(*values))

    return fold


def _same(inputs: Inputs, found: Attributes, outputs: int) -> list[Constant]:
    del found, outputs
    return [first_of(inputs)]


def _cast_like(first: Constant, like: Tensor | None) -> Constant:
    """A constant of the type that another tensor has; of a map nothing but its being of floats is known."""
    kind = like.values.dtype if isinstance(like, Constant) and like.values is not None else None
    if first.values is None or kind is None or kind.kind not in "biuf":
        return first
    if kind.kind in "iu" and not np.all(np.isfinite(first.values)):
        return Constant(first.shape, None, first.bits)
    with np.errstate(all="ignore"):
        return Constant(first.shape, first.values.astype(kind), first.bits)


def _scaled(*, back: bool) -> ConstantFold:
    """Integers for numbers by a scale and a zero, for each part of a dimension perhaps; or numbers for them."""

    def fold(inputs: Inputs, found: Attributes, outputs: int) -> list[Constant]:
        del outputs
        source, scale, zero = (*inputs, None)[:3]
        data = first_of([source])
        bits = data.bits or (zero.bits if zero is not None else None)
        scales = scale.values if scale is not None else None
        zeros = np.zeros(1) if zero is None else zero.values
        if data.values is None or scales is None or zeros is None or scales.ndim > 1 or "block_size" in found:
            return [Constant(data.shape, None, bits)]
        by = [1] * len(data.shape)
        if scales.size > 1:
            by[normalised([found.integer("axis", 1)], len(by))[0]] = scales.size
        factor, offset = scales.reshape(by or 1), zeros.astype(np.float64).reshape(by if zeros.size > 1 else 1)
        with np.errstate(all="ignore"):
            values = (data.values - offset) * factor if back else np.round(data.values / factor) + offset
        return [Constant(data.shape, values.reshape(data.shape), bits)]

    return fold


def _cast(inputs: Inputs, found: Attributes, outputs: int) -> list[Constant]:
    del outputs
    first, kind = first_of(inputs), found.integer("to", 1)
    bits = INTEGER_BITS.get(kind) or first.bits
    if kind not in TYPES or first.values is None or first.values.dtype.kind not in "biuf":
        return [Constant(first.shape, None, bits)]
    whole = np.issubdtype(TYPES[kind], np.integer)
    if whole and not np.all(np.isfinite(first.values)):
        return [Constant(first.shape, None, bits)]
    with np.errstate(all="ignore"):
        return [Constant(first.shape, first.values.astype(TYPES[kind]), bits)]


SAME_SHAPE = (
    "Erf", "Tanh", "Sigmoid", "Gelu", "Elu", "Selu", "LeakyRelu", "HardSigmoid", "HardSwish", "Softplus", "Tan", "Atan",
    "Softmax", "LogSoftmax", "LayerNormalization", "BatchNormalization", "InstanceNormalization", "ScatterElements",
    "QLinearAdd", "Hardmax",
)  # fmt: skip
"""Operators whose output has the shape of their first input, and values that no shape depends on."""


def _clipped(inputs: Inputs, found: Attributes, outputs: int) -> list[Constant]:
    del found, outputs
    low, high = (*inputs[1:], None, None)[:2]
    bounds = [None if each is None else known(each, "bounds").ravel()[0] for each in (low, high)]
    if bounds == [None, None]:
        return [first_of(inputs)]
    return result(first_of(inputs).shape, inputs[:1], lambda values: np.clip(values[0], *bounds))


def _nonzero(inputs: Inputs, found: Attributes, outputs: int) -> list[Constant]:
    del found, outputs
    return [of(np.array(np.nonzero(known(first_of(inputs), "what is not zero")), dtype=np.int64))]


def _divided(first: Values, second: Values) -> Values:
    if first.dtype.kind in "iu" and second.dtype.kind in "iu":
        quotient = np.abs(first) // np.abs(second)
        return np.asarray(np.where((first < 0) != (second < 0), -quotient, quotient))
    return np.asarray(first / second)


def _range(inputs: Inputs, found: Attributes, outputs: int) -> list[Constant]:
    del found, outputs
    start, stop, step = (known(each or Constant(()), "a range").ravel()[0] for each in inputs)
    if not all(isfinite(float(each)) for each in (start, stop, step)) or step == 0:
        raise ValueError
    count = max(0, ceil((float(stop) - float(start)) / float(step)))
    shape = checked_shape((count,))
    if count > MAX_KNOWN:
        return [Constant(shape)]
    return [Constant(shape, np.asarray(start + np.arange(count) * step).astype(start.dtype))]


def _running_sum(inputs: Inputs, found: Attributes, outputs: int) -> list[Constant]:
    del outputs
    data, axis = first_of(inputs), inputs[1] or Constant(())
    if axis.values is None or found.integer("exclusive", 0) or found.integer("reverse", 0):
        return [Constant(data.shape)]
    along = normalised([int(axis.values.ravel()[0])], len(data.shape))[0]
    return result(data.shape, [data], lambda values: np.cumsum(values[0], axis=along, dtype=values[0].dtype))


def _matmul(inputs: Inputs, found: Attributes, outputs: int) -> list[Constant]:
    del found, outputs
    left, right = (each.shape for each in inputs if each is not None)
    if len(left) < 2 or len(right) < 2 or left[-1] != right[-2]:
        raise ValueError
    return [Constant(checked_shape((*np.broadcast_shapes(left[:-2], right[:-2]), left[-2], right[-1])))]


def _reduced(compute: Callable[..., Any]) -> ConstantFold:
    def fold(inputs: Inputs, found: Attributes, outputs: int) -> list[Constant]:
        del outputs
        shape = first_of(inputs).shape
        axes = reduced_axes(shape, inputs[1:], found)
        keep = bool(found.integer("keepdims", 1))
        dims = [1 if place in axes else size for place, size in enumerate(shape) if keep or place not in axes]
        return result(dims, inputs[:1], lambda values: compute(values[0], axis=tuple(axes), keepdims=keep))

    return fold


def _mean(values: Values, **over: Any) -> Values:
    """The mean of each, none being that of no elements (`numpy.mean` warns of those)."""
    total = np.sum(values, **over)
    return np.asarray(total / (values.size / max(total.size, 1)))


def _ends(kind: np.dtype[Any]) -> tuple[Any, Any]:
    """The least and the largest value of a type: ONNX's largest and least of no elements."""
    if kind.kind == "b":
        return False, True
    return (-np.inf, np.inf) if kind.kind == "f" else (np.iinfo(kind).min, np.iinfo(kind).max)


FOLDED: dict[str, ConstantFold] = {
    **dict.fromkeys(("Identity", "Dropout"), _same),
    "QuantizeLinear": _scaled(back=False),
    "DequantizeLinear": _scaled(back=True),
    "Cast": _cast,
    "Range": _range,
    "Transpose": moved.turned,
    **{op: moved.reshaped(op) for op in ("Reshape", "Flatten", "Squeeze", "Unsqueeze")},
    "Concat": moved.joined,
    "Slice": moved.sliced,
    "Gather": moved.gathered,
    "GatherElements": moved.one_for_each_index,
    "GatherND": moved.gathered_blocks,
    "ScatterND": moved.scattered_blocks,
    "CumSum": _running_sum,
    "Trilu": moved.triangle,
    "Pad": moved.padded,
    "Mean": _elementwise(lambda *values: np.mean(np.broadcast_arrays(*values), axis=0)),
    "Xor": _elementwise(np.logical_xor),
    "Expand": moved.expanded,
    "Tile": moved.tiled,
    "Split": moved.parted,
    "MatMul": _matmul,
    "Where": _elementwise(np.where),
    "Add": _elementwise(np.add),
    "Sub": _elementwise(np.subtract),
    "Mul": _elementwise(np.multiply),
    "Div": _elementwise(_divided),
    "Mod": _elementwise(np.mod),
    "Pow": _elementwise(lambda base, power: np.power(base.astype(np.float64), power).astype(base.dtype)),
    "Neg": _elementwise(np.negative),
    "Abs": _elementwise(np.abs),
    "Sqrt": _elementwise(np.sqrt),
    "Reciprocal": _elementwise(np.reciprocal),
    "Exp": _elementwise(np.exp),
    "Log": _elementwise(np.log),
    "Sin": _elementwise(np.sin),
    "Cos": _elementwise(np.cos),
    **dict.fromkeys(SAME_SHAPE, shape_only),
    "Clip": _clipped,
    "NonZero": _nonzero,
    "ReduceL1": _reduced(lambda values, **over: np.sum(np.abs(values), **over)),
    "ReduceL2": _reduced(lambda values, **over: np.sqrt(np.sum(np.square(values.astype(np.float64)), **over))),
    "ReduceSumSquare": _reduced(lambda values, **over: np.sum(np.square(values), **over)),
    "Relu": _elementwise(lambda values: np.maximum(values, 0)),
    "Sign": _elementwise(np.sign),
    "Floor": _elementwise(np.floor),
    "Ceil": _elementwise(np.ceil),
    "Round": _elementwise(np.round),
    "Not": _elementwise(np.logical_not),
    "IsNaN": _elementwise(np.isnan),
    "And": _elementwise(np.logical_and),
    "Or": _elementwise(np.logical_or),
    "Equal": _elementwise(np.equal),
    "Less": _elementwise(np.less),
    "LessOrEqual": _elementwise(np.less_equal),
    "Greater": _elementwise(np.greater),
    "GreaterOrEqual": _elementwise(np.greater_equal),
    "Max": _elementwise(lambda *values: np.maximum.reduce(np.broadcast_arrays(*values))),
    "Min": _elementwise(lambda *values: np.minimum.reduce(np.broadcast_arrays(*values))),
    "Sum": _elementwise(lambda *values: np.add.reduce(np.broadcast_arrays(*values))),
    "ReduceProd": _reduced(np.prod),
    "ReduceSum": _reduced(np.sum),
    "ReduceMax": _reduced(lambda values, **over: np.max(values, initial=_ends(values.dtype)[0], **over)),
    "ReduceMin": _reduced(lambda values, **over: np.min(values, initial=_ends(values.dtype)[1], **over)),
    "ReduceMean": _reduced(_mean),
}
"""Operators on constants, by the name that ONNX gives them."""
