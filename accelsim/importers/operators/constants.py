"""What is computed from constants alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import helper

from accelsim.importers.onnx import MAX_KNOWN, Importing, UnmodelledError, Value, tensor_value
from accelsim.importers.operators.node import (
    attributes,
    constants,
    inputs_of,
    permutation,
)


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
        order = permutation(attributes(node).get("perm"), len(values[0].dims))
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
