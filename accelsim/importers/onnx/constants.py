"""What is computed from constants alone: a list of a few operators of our own, each bounded, and nothing else.

A constant that is large, or whose values are not in the file, still has a shape, and that is followed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, isfinite, prod
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from accelsim.importers.onnx.attributes import Attributes
from accelsim.importers.onnx.tensors import MAX_KNOWN, Constant, Tensor, UnmodelledError, Values

MAX_RANK = 8
MOST_ELEMENTS = 1 << 40
_KINDS = onnx.TensorProto
INTEGER_BITS: dict[int, int] = {
    _KINDS.INT8: 8, _KINDS.UINT8: 8, _KINDS.INT4: 4, _KINDS.UINT4: 4, _KINDS.INT16: 16, _KINDS.UINT16: 16,
}  # fmt: skip
_TYPES: dict[int, Any] = {
    _KINDS.FLOAT: np.float32, _KINDS.DOUBLE: np.float64, _KINDS.FLOAT16: np.float16, _KINDS.BFLOAT16: np.float32,
    _KINDS.INT8: np.int8, _KINDS.UINT8: np.uint8, _KINDS.INT16: np.int16, _KINDS.UINT16: np.uint16,
    _KINDS.INT32: np.int32, _KINDS.UINT32: np.uint32, _KINDS.INT64: np.int64, _KINDS.UINT64: np.uint64,
    _KINDS.BOOL: np.bool_,
}  # fmt: skip


def tensor_value(tensor: onnx.TensorProto) -> Constant:
    """A tensor of the file; its values only if they are few, numbers, and in the file itself."""
    shape, values = checked_shape(tensor.dims), None
    inside = tensor.data_location != onnx.TensorProto.EXTERNAL and not tensor.external_data
    if inside and 0 < prod(shape) <= MAX_KNOWN and tensor.data_type in (*_TYPES, *INTEGER_BITS):
        try:
            values = numpy_helper.to_array(tensor)
        except (ValueError, TypeError, KeyError, AttributeError):
            values = None
    return Constant(shape, values, INTEGER_BITS.get(tensor.data_type))


def checked_shape(dims: Sequence[int]) -> tuple[int, ...]:
    """A shape within bounds. Raises UnmodelledError."""
    shape = tuple(int(each) for each in dims)
    if len(shape) > MAX_RANK or any(not 0 <= each <= 1 << 31 for each in shape) or prod(shape) > MOST_ELEMENTS:
        raise UnmodelledError(f"tensors of at most {MAX_RANK} dimensions and 2^40 elements", list(shape[:MAX_RANK]))
    return shape


def known(value: Tensor, what: str) -> Values:
    """The numbers of a constant. Raises UnmodelledError where they are none, or not known."""
    if not isinstance(value, Constant) or value.values is None:
        raise UnmodelledError(f"known constants for {what}", "others")
    if value.values.dtype.kind not in "biuf":
        raise UnmodelledError(f"numbers for {what}", "text")
    return value.values


def integers(value: Tensor, what: str) -> list[int]:
    """The whole numbers of a constant of one dimension, or of none. Raises UnmodelledError."""
    values = known(value, what)
    if values.ndim > 1 or not np.all(np.isfinite(values)):
        raise UnmodelledError(f"a list of numbers for {what}", "others")
    return [int(each) for each in values.ravel()]


def folded(node: onnx.NodeProto, inputs: Sequence[Tensor | None], opset: int) -> list[Tensor] | None:
    """The outputs of a node that has to do with constants alone; None where it has to do with maps.

    Raises UnmodelledError where it is no operator of this list.
    """
    found = Attributes(node)
    if node.op_type == "Constant":
        return [_constant(node, found)]
    there = [each for each in inputs if each is not None]
    if node.op_type in ("Shape", "Size") and there:
        return [_shape_of(node, there[0], found)]
    if node.op_type == "ConstantOfShape":
        return [_of_shape(there[0], found)]
    if not there or not all(isinstance(each, Constant) for each in there):
        return None
    constants = [each if isinstance(each, Constant) else None for each in inputs]
    if node.op_type not in FOLDED:
        raise UnmodelledError("constants that can be computed (docs/onnx.md)", f"{node.op_type} of constants")
    try:
        return list(FOLDED[node.op_type](constants, found, opset, len(node.output)))
    except (ValueError, TypeError, IndexError, OverflowError, ZeroDivisionError):
        raise UnmodelledError("constants that fit each other", f"{node.op_type} of {_shapes(there)}") from None


def _shapes(values: Sequence[Tensor]) -> str:
    return " and ".join(str(list(each.shape)) for each in values[:4])


def _constant(node: onnx.NodeProto, found: Attributes) -> Constant:
    del node
    for each in found.there("value", "value_int", "value_ints", "value_float", "value_floats"):
        value = found.raw(each)
        if each == "value":
            return tensor_value(value)
        return of(np.array(value, dtype=np.int64 if "int" in each else np.float32))
    raise UnmodelledError("a constant of numbers", "another")


def of(values: Values) -> Constant:
    """A constant with these values, where they are few. Raises UnmodelledError."""
    return Constant(checked_shape(values.shape), values if values.size <= MAX_KNOWN else None)


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
    return Constant(dims, np.full(dims, value.ravel()[0]) if 0 < prod(dims) <= MAX_KNOWN else None)


Inputs = list[Constant | None]
Fold = Callable[[Inputs, Attributes, int, int], Sequence[Constant]]


def _values(inputs: Inputs) -> list[Values] | None:
    """Those of all inputs that are there; None where some are not known."""
    found = [each.values for each in inputs if each is not None]
    return [each for each in found if each is not None] if all(each is not None for each in found) else None


def _result(shape: Sequence[int], inputs: Inputs, compute: Callable[[list[Values]], Values]) -> list[Constant]:
    """A constant of a shape; with values, where they are few and those of the inputs are known."""
    dims, values = checked_shape(shape), _values(inputs)
    bits = inputs[0].bits if inputs[0] is not None else None
    if values is None or prod(dims) > MAX_KNOWN or any(each.dtype.kind not in "biuf" for each in values):
        return [Constant(dims, bits=bits)]
    with np.errstate(all="ignore"):
        computed = np.asarray(compute(values))
    return [Constant(dims, computed.reshape(dims), bits)]


def _elementwise(compute: Callable[..., Any]) -> Fold:
    def fold(inputs: Inputs, found: Attributes, opset: int, outputs: int) -> list[Constant]:
        del found, opset, outputs
        there = [each for each in inputs if each is not None]
        shape = np.broadcast_shapes(*(each.shape for each in there))
        return _result(shape, inputs, lambda values: compute(*values))

    return fold


def _same(inputs: Inputs, found: Attributes, opset: int, outputs: int) -> list[Constant]:
    del found, opset, outputs
    zero = inputs[2].bits if len(inputs) > 2 and inputs[2] is not None else None
    first = _first(inputs)
    return [Constant(first.shape, first.values, first.bits or zero)]


def _cast(inputs: Inputs, found: Attributes, opset: int, outputs: int) -> list[Constant]:
    del opset, outputs
    first, kind = _first(inputs), found.integer("to", 1)
    bits = INTEGER_BITS.get(kind) or first.bits
    if kind not in _TYPES or first.values is None or first.values.dtype.kind not in "biuf":
        return [Constant(first.shape, None, bits)]
    whole = np.issubdtype(_TYPES[kind], np.integer)
    if whole and not np.all(np.isfinite(first.values)):
        return [Constant(first.shape, None, bits)]
    with np.errstate(all="ignore"):
        return [Constant(first.shape, first.values.astype(_TYPES[kind]), bits)]


def _shape_only(inputs: Inputs, found: Attributes, opset: int, outputs: int) -> list[Constant]:
    del found, opset, outputs
    return [Constant(_first(inputs).shape)]


def _first(inputs: Inputs) -> Constant:
    if not inputs or inputs[0] is None:
        raise UnmodelledError("an input", "none")
    return inputs[0]


def _divided(first: Values, second: Values) -> Values:
    if first.dtype.kind in "iu" and second.dtype.kind in "iu":
        quotient = np.abs(first) // np.abs(second)
        return np.asarray(np.where((first < 0) != (second < 0), -quotient, quotient))
    return np.asarray(first / second)


def _range(inputs: Inputs, found: Attributes, opset: int, outputs: int) -> list[Constant]:
    del found, opset, outputs
    start, stop, step = (known(each or Constant(()), "a range").ravel()[0] for each in inputs)
    if not all(isfinite(float(each)) for each in (start, stop, step)) or step == 0:
        raise ValueError
    count = max(0, ceil((float(stop) - float(start)) / float(step)))
    shape = checked_shape((count,))
    if count > MAX_KNOWN:
        return [Constant(shape)]
    return [Constant(shape, np.asarray(start + np.arange(count) * step).astype(start.dtype))]


def transposed(shape: tuple[int, ...], order: Sequence[int] | None) -> list[int]:
    """The order of dimensions that a Transpose asks for; without one, the reverse. Raises UnmodelledError."""
    found = list(reversed(range(len(shape)))) if order is None else list(order)
    if sorted(found) != list(range(len(shape))):
        raise UnmodelledError(f"an order of {len(shape)} dimensions", found[:MAX_RANK])
    return found


def _transpose(inputs: Inputs, found: Attributes, opset: int, outputs: int) -> list[Constant]:
    del opset, outputs
    shape = _first(inputs).shape
    order = transposed(shape, found.integers("perm"))
    return _result([shape[each] for each in order], inputs, lambda values: values[0].transpose(order))


def new_shape(op: str, shape: tuple[int, ...], rest: Sequence[Tensor | None], found: Attributes) -> tuple[int, ...]:
    """The shape that a Reshape, Flatten, Squeeze or Unsqueeze gives. Raises UnmodelledError."""
    given = rest[0] if rest and rest[0] is not None else None
    if op == "Flatten":
        axis = normalised([found.integer("axis", 1)], len(shape) + 1)[0]
        return prod(shape[:axis]), prod(shape[axis:])
    if op == "Reshape":
        wanted = integers(given, "a shape") if given is not None else found.integers("shape") or []
        return _completed(wanted, shape, keep_zeros=bool(found.integer("allowzero", 0)))
    axes = integers(given, "axes") if given is not None else found.integers("axes")
    if op == "Squeeze":
        places = normalised(axes, len(shape)) if axes is not None else [i for i, each in enumerate(shape) if each == 1]
        if any(shape[place] != 1 for place in places):
            raise UnmodelledError("axes of one element", list(axes or []))
        return tuple(each for place, each in enumerate(shape) if place not in places)
    places = normalised(axes or [], len(shape) + len(axes or []))
    remaining = iter(shape)
    return tuple(1 if place in places else next(remaining) for place in range(len(shape) + len(places)))


def normalised(axes: Sequence[int], rank: int) -> list[int]:
    """Axes counted from the front, each once. Raises UnmodelledError."""
    found = [each + rank if each < 0 else each for each in axes]
    if any(not 0 <= each < rank for each in found) or len(set(found)) < len(found) or rank > MAX_RANK:
        raise UnmodelledError(f"axes of {rank} dimensions, each once", list(axes)[:MAX_RANK])
    return found


def _completed(wanted: list[int], shape: tuple[int, ...], *, keep_zeros: bool) -> tuple[int, ...]:
    if len(wanted) > MAX_RANK or min(wanted, default=0) < -1 or wanted.count(-1) > 1:
        raise UnmodelledError("a shape with one -1 at most", wanted[:MAX_RANK])
    dims = [
        shape[place] if size == 0 and not keep_zeros and place < len(shape) else size
        for place, size in enumerate(wanted)
    ]
    if -1 in dims:
        others = prod(size for size in dims if size != -1)
        dims[dims.index(-1)] = prod(shape) // others if others else 0
    if prod(dims) != prod(shape):
        raise UnmodelledError(f"a shape of {prod(shape)} elements", dims)
    return checked_shape(dims)


def _reshaped(op: str) -> Fold:
    def fold(inputs: Inputs, found: Attributes, opset: int, outputs: int) -> list[Constant]:
        del opset, outputs
        shape = new_shape(op, _first(inputs).shape, inputs[1:], found)
        return _result(shape, inputs[:1], lambda values: values[0].reshape(shape))

    return fold


def _concat(inputs: Inputs, found: Attributes, opset: int, outputs: int) -> list[Constant]:
    del opset, outputs
    shapes = [each.shape for each in inputs if each is not None]
    axis = normalised([found.integer("axis", 0)], len(shapes[0]))[0]
    if any(shape[:axis] + shape[axis + 1 :] != shapes[0][:axis] + shapes[0][axis + 1 :] for shape in shapes):
        raise ValueError
    shape = (*shapes[0][:axis], sum(each[axis] for each in shapes), *shapes[0][axis + 1 :])
    return _result(shape, inputs, lambda values: np.concatenate(values, axis))


def slices_of(shape: tuple[int, ...], inputs: Sequence[Tensor | None], found: Attributes) -> dict[int, range]:
    """The indices that a Slice takes of each axis that it names. Raises UnmodelledError."""
    given = [None if each is None else integers(each, "a slice") for each in inputs]
    starts, ends, axes, steps = (*given, None, None, None, None)[:4]
    if starts is None and ends is None:
        starts, ends, axes = found.integers("starts"), found.integers("ends"), found.integers("axes")
    starts, ends = starts or [], ends or []
    axes = list(range(len(starts))) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise UnmodelledError("a start, end and step other than 0 for each axis", [len(starts), len(ends), len(axes)])
    places = normalised(axes, len(shape))
    return {
        place: range(*slice(start, end, step).indices(shape[place])) if step > 0 or end >= -shape[place]
        else range(*slice(start, None, step).indices(shape[place]))
        for place, start, end, step in zip(places, starts, ends, steps, strict=True)
    }  # fmt: skip


def _slice(inputs: Inputs, found: Attributes, opset: int, outputs: int) -> list[Constant]:
    del opset, outputs
    shape = _first(inputs).shape
    taken = slices_of(shape, inputs[1:], found)
    dims = [len(taken[place]) if place in taken else size for place, size in enumerate(shape)]

    def compute(values: list[Values]) -> Values:
        result = values[0]
        for place, indices in taken.items():
            result = result.take(list(indices), axis=place)
        return result

    return _result(dims, inputs[:1], compute)


def _gather(inputs: Inputs, found: Attributes, opset: int, outputs: int) -> list[Constant]:
    del opset, outputs
    data, index = _first(inputs), inputs[1] or Constant(())
    axis = normalised([found.integer("axis", 0)], len(data.shape))[0]
    shape = (*data.shape[:axis], *index.shape, *data.shape[axis + 1 :])
    return _result(shape, [data, index], lambda values: values[0].take(values[1].astype(np.int64), axis))


def _gathered(inputs: Inputs, found: Attributes, opset: int, outputs: int) -> list[Constant]:
    del found, opset, outputs
    return [Constant((inputs[1] or Constant(())).shape)]


def _expand(inputs: Inputs, found: Attributes, opset: int, outputs: int) -> list[Constant]:
    del found, opset, outputs
    wanted = checked_shape(integers(inputs[1] or Constant(()), "a shape"))
    shape = np.broadcast_shapes(_first(inputs).shape, wanted)
    return _result(shape, inputs[:1], lambda values: np.broadcast_to(values[0], shape))


def _tile(inputs: Inputs, found: Attributes, opset: int, outputs: int) -> list[Constant]:
    del found, opset, outputs
    times = integers(inputs[1] or Constant(()), "repetitions")
    shape = checked_shape([a * b for a, b in zip(_first(inputs).shape, times, strict=True)])
    return _result(shape, inputs[:1], lambda values: np.tile(values[0], times))


def _split(inputs: Inputs, found: Attributes, opset: int, outputs: int) -> list[Constant]:
    del opset
    data = _first(inputs)
    axis = normalised([found.integer("axis", 0)], len(data.shape))[0]
    sizes = split_sizes(data.shape[axis], outputs, inputs[1:], found)
    made, start = list[Constant](), 0
    for size in sizes:
        shape, low = (*data.shape[:axis], size, *data.shape[axis + 1 :]), start
        made += _result(shape, [data], lambda v, low=low, size=size: v[0].take(range(low, low + size), axis))  # type: ignore[misc]
        start += size
    return made


def split_sizes(extent: int, outputs: int, rest: Sequence[Tensor | None], found: Attributes) -> list[int]:
    """How long each part of a Split is. Raises UnmodelledError."""
    given = integers(rest[0], "sizes") if rest and rest[0] is not None else found.integers("split")
    if outputs < 1:
        raise UnmodelledError("parts of a map", "none")
    size = -(-extent // outputs)
    sizes = (
        given
        if given is not None
        else [min(size, max(0, extent - start)) for start in range(0, size * outputs, size or 1)]
    )
    if len(sizes) != outputs or sum(sizes) != extent or min(sizes, default=0) < 1:
        raise UnmodelledError(f"{outputs} parts of {extent}", sizes[:MAX_RANK])
    return sizes


def _matmul(inputs: Inputs, found: Attributes, opset: int, outputs: int) -> list[Constant]:
    del found, opset, outputs
    left, right = (each.shape for each in inputs if each is not None)
    if len(left) < 2 or len(right) < 2 or left[-1] != right[-2]:
        raise ValueError
    return [Constant(checked_shape((*np.broadcast_shapes(left[:-2], right[:-2]), left[-2], right[-1])))]


def _reduced(compute: Callable[..., Any]) -> Fold:
    def fold(inputs: Inputs, found: Attributes, opset: int, outputs: int) -> list[Constant]:
        del opset, outputs
        shape = _first(inputs).shape
        axes = reduced_axes(shape, inputs[1:], found)
        keep = bool(found.integer("keepdims", 1))
        dims = [1 if place in axes else size for place, size in enumerate(shape) if keep or place not in axes]
        return _result(dims, inputs[:1], lambda values: compute(values[0], axis=tuple(axes), keepdims=keep))

    return fold


def reduced_axes(shape: tuple[int, ...], rest: Sequence[Tensor | None], found: Attributes) -> list[int]:
    """The axes that a Reduce names; all, where it names none and does not say that this means none."""
    given = integers(rest[0], "axes") if rest and rest[0] is not None else found.integers("axes")
    if not given:
        return [] if found.integer("noop_with_empty_axes", 0) else list(range(len(shape)))
    return normalised(given, len(shape))


FOLDED: dict[str, Fold] = {
    **dict.fromkeys(("Identity", "Dropout", "QuantizeLinear", "DequantizeLinear"), _same),
    "Cast": _cast,
    "CastLike": _same,
    "Range": _range,
    "Transpose": _transpose,
    **{op: _reshaped(op) for op in ("Reshape", "Flatten", "Squeeze", "Unsqueeze")},
    "Concat": _concat,
    "Slice": _slice,
    "Gather": _gather,
    "GatherElements": _gathered,
    "Expand": _expand,
    "Tile": _tile,
    "Split": _split,
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
    "Erf": _shape_only,
    "Tanh": _shape_only,
    "Sigmoid": _shape_only,
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
    "ReduceMax": _reduced(np.max),
    "ReduceMin": _reduced(np.min),
    "ReduceMean": _reduced(np.mean),
}
"""Operators on constants, by the name that ONNX gives them."""
