"""Constants of a model: their shapes, and their values where these are few."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from accelsim.importers.onnx.tensors import MAX_KNOWN, Constant, Tensor, UnmodelledError, Values

MAX_RANK = 8
MOST_ELEMENTS = 1 << 40
KINDS = onnx.TensorProto
INTEGER_BITS: dict[int, int] = {
    KINDS.INT8: 8, KINDS.UINT8: 8, KINDS.INT4: 4, KINDS.UINT4: 4, KINDS.INT16: 16, KINDS.UINT16: 16,
}  # fmt: skip
TYPES: dict[int, Any] = {
    KINDS.FLOAT: np.float32, KINDS.DOUBLE: np.float64, KINDS.FLOAT16: np.float16, KINDS.BFLOAT16: np.float32,
    KINDS.INT8: np.int8, KINDS.UINT8: np.uint8, KINDS.INT16: np.int16, KINDS.UINT16: np.uint16,
    KINDS.INT32: np.int32, KINDS.UINT32: np.uint32, KINDS.INT64: np.int64, KINDS.UINT64: np.uint64,
    KINDS.BOOL: np.bool_,
}  # fmt: skip


def tensor_value(tensor: onnx.TensorProto) -> Constant:
    """A tensor of the file; its values only if they are few, numbers, and in the file itself."""
    shape, values = checked_shape(tensor.dims), None
    if tensor.data_type == KINDS.STRING:
        return Constant(shape, np.array("text"))
    inside = tensor.data_location != onnx.TensorProto.EXTERNAL and not tensor.external_data
    if inside and few(shape) and tensor.data_type in (*TYPES, *INTEGER_BITS):
        try:
            values = numpy_helper.to_array(tensor)
        except (ValueError, TypeError, KeyError, AttributeError):
            values = None
    return Constant(shape, values, INTEGER_BITS.get(tensor.data_type))


def few(shape: Sequence[int]) -> bool:
    """True of a shape whose values are looked at: no dimension is longer than those, even if another one is empty."""
    return prod(max(1, each) for each in shape) <= MAX_KNOWN


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


def of(values: Values) -> Constant:
    """A constant with these values, where they are few. Raises UnmodelledError."""
    return Constant(checked_shape(values.shape), values if few(values.shape) else None)
