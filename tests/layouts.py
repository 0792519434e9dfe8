"""Operators of ONNX by the layouts that they are modelled in, each tried: the table of docs/operators.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from accelsim.importers.onnx import taken
from accelsim.importers.onnx.model import graph_of
from accelsim.importers.onnx.operators import OPERATORS

OPSET = 21
LAYOUTS = {
    "images": (1, 8, 6, 6),
    "channels last": (1, 6, 6, 8),
    "tokens, signals": (1, 10, 8),
    "vectors": (1, 8),
    "5 dimensions": (1, 2, 4, 6, 6),
}
"""Shapes of the map that an operator reads, by what it is called."""

Constant = tuple[str, Any]
"""Kind of constant (numbers of a kind, or weights of which only the shape is there), and its numbers or shape."""


TURNED: Constant = ("turned", ())
"""The map again, its last two dimensions exchanged."""


class Variant(NamedTuple):
    """A way to use an operator: what is said of it, the constants behind its map (None: the map again), attributes."""

    said: str
    inputs: Sequence[Constant | None] = ()
    attributes: dict[str, Any] = {}  # noqa: RUF012 (never changed)
    outputs: int = 1


def floats(*shape: int) -> Constant:
    return "weights", shape


def whole(*values: int) -> Constant:
    return "whole", values


def _axes(shape: Sequence[int]) -> range:
    return range(1, len(shape))


Ways = Callable[[tuple[int, ...]], Iterable[Variant]]


def _window(shape: Sequence[int]) -> dict[str, Any]:
    rank = len(shape) - 2
    return {"kernel_shape": [3] * rank, "pads": [1] * (2 * rank)}


def _convs(shape: tuple[int, ...]) -> Iterator[Variant]:
    channels, kernel = shape[1], [3] * (len(shape) - 2)
    yield Variant("full", [floats(4, channels, *kernel)], _window(shape))
    yield Variant("depthwise", [floats(channels, 1, *kernel)], {"group": channels, **_window(shape)})


def _each_axis(
    inputs: Callable[[Sequence[int], int], Sequence[Any]], *, attribute: bool = True, outputs: int = 1
) -> Ways:
    """A way for each dimension but that of the images."""

    def ways(shape: tuple[int, ...]) -> Iterator[Variant]:
        for axis in _axes(shape):
            yield Variant(f"axis {axis}", inputs(shape, axis), {"axis": axis} if attribute else {}, outputs)

    return ways


def _alone(*inputs: Any, **attributes: Any) -> Ways:
    return lambda shape: [Variant("", inputs, attributes)]


def _two(**attributes: Any) -> Ways:
    return lambda shape: [
        Variant("two maps", [None], attributes),
        Variant("a constant", [floats(*(1,) * (len(shape) - 1), shape[-1])], attributes),
    ]


def _channels(count: int, **attributes: Any) -> Ways:
    return lambda shape: [Variant("", [floats(shape[1])] * count, attributes)]


def _recurrent(gates: int) -> Ways:
    return lambda shape: [Variant("", [floats(1, gates * 4, shape[-1]), floats(1, gates * 4, 4)], {"hidden_size": 4})]


SECOND: Constant = ("whole", [[0, 1]])
"""The number of the second block of the first image."""


def _one_along(shape: Sequence[int], axis: int) -> list[int]:
    return [1 if place == axis else size for place, size in enumerate(shape)]


def _firsts(shape: Sequence[int], axis: int) -> Constant:
    """The numbers of the first elements along an axis."""
    return "whole", np.zeros(_one_along(shape, axis)).tolist()


def _einsum(shape: tuple[int, ...]) -> Iterator[Variant]:
    letters = "abcdefg"[: len(shape)]
    yield Variant("", [floats(shape[-1], 4)], {"equation": f"{letters},{letters[-1]}z->{letters[:-1]}z"})


WAYS: dict[str, Ways] = {
    "Conv": _convs,
    "ConvInteger": lambda shape: [Variant("", [("uint8", (4, shape[1], *[3] * (len(shape) - 2)))], _window(shape))],
    "ConvTranspose": lambda shape: [
        Variant("", [floats(shape[1], 4, *[2] * (len(shape) - 2))], {"strides": [2] * (len(shape) - 2)})
    ],
    **dict.fromkeys(("MaxPool", "AveragePool", "LpPool"), lambda shape: [Variant("", (), _window(shape))]),
    "PRelu": lambda shape: [Variant("", [floats(shape[1], *(1,) * (len(shape) - 2))])],
    "BatchNormalization": _channels(4),
    "InstanceNormalization": _channels(2),
    "GroupNormalization": _channels(2, num_groups=2),
    "LRN": _alone(size=5),
    "MatMul": lambda shape: [Variant("by weights", [floats(shape[-1], 4)]), Variant("by a map", [TURNED])],
    "MatMulInteger": lambda shape: [Variant("", [("uint8", (shape[-1], 4))])],
    "Gemm": lambda shape: [Variant("", [floats(4, shape[-1])], {"transB": 1})],
    "LayerNormalization": _each_axis(lambda shape, axis: [floats(*shape[axis:])]),
    **dict.fromkeys(
        ("Softmax", "LogSoftmax", "Hardmax", "LpNormalization", "ArgMax", "ArgMin"), _each_axis(lambda shape, axis: [])
    ),
    "MeanVarianceNormalization": lambda shape: [Variant("", (), {"axes": list(range(2, len(shape))) or [1]})],
    "Concat": _each_axis(lambda shape, axis: [None]),
    "Split": _each_axis(lambda shape, axis: [whole(1, shape[axis] - 1)], outputs=2),
    "Slice": _each_axis(lambda shape, axis: [whole(0), whole(shape[axis]), whole(axis), whole(2)], attribute=False),
    "Gather": _each_axis(lambda shape, axis: [whole(0, 1)]),
    "GatherND": lambda shape: [Variant("", [SECOND])],
    "ScatterND": lambda shape: [Variant("", [SECOND, floats(1, *shape[2:])])],
    "GatherElements": _each_axis(lambda shape, axis: [_firsts(shape, axis)]),
    "ScatterElements": _each_axis(lambda shape, axis: [_firsts(shape, axis), floats(*_one_along(shape, axis))]),
    "Pad": _each_axis(lambda shape, axis: [whole(*[int(at == axis) for at in range(len(shape))] * 2)], attribute=False),
    "Reshape": _alone(whole(1, -1)),
    "Transpose": lambda shape: [Variant("", (), {"perm": [0, *range(len(shape) - 1, 0, -1)]})],
    "Squeeze": _alone(whole(0)),
    "Unsqueeze": lambda shape: [Variant("", [whole(len(shape))])],
    "Expand": lambda shape: [Variant("", [whole(*shape[:1], 2, *shape[1:])])],
    "Tile": lambda shape: [Variant("", [whole(*(1,) * (len(shape) - 1), 2)])],
    "Resize": lambda shape: [Variant("", [floats(0), ("number", [1.0, 1.0, *[2.0] * (len(shape) - 2)])])],
    **dict.fromkeys(("DepthToSpace", "SpaceToDepth"), _alone(blocksize=2)),
    "CumSum": _each_axis(lambda shape, axis: [whole(axis)], attribute=False),
    "TopK": _each_axis(lambda shape, axis: [whole(2)], outputs=2),
    "Einsum": _einsum,
    "LSTM": _recurrent(4),
    "GRU": _recurrent(3),
    "RNN": _recurrent(1),
    "QuantizeLinear": _alone(floats(), ("uint8", ())),
    "Clip": _alone(("number", 0.0), ("number", 6.0)),
    "DynamicQuantizeLinear": lambda shape: [Variant("", (), {}, 3)],
    "Cast": _alone(to=TensorProto.FLOAT16),
    "CastLike": _alone(floats(1)),
    **dict.fromkeys(
        ("Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "Sum", "Mean", "Less", "LessOrEqual", "Equal", "Greater",
         "GreaterOrEqual"), _two()
    ),
    "Mod": _two(fmod=1),
}  # fmt: skip
"""Ways to use operators that take more than one map."""


def variants(op: str, shape: tuple[int, ...]) -> Iterable[Variant]:
    """The ways in which an operator is tried on a map of this shape."""
    if op.startswith("Reduce"):
        return _each_axis(lambda shape, axis: [whole(axis)], attribute=False)(shape)
    if len(shape) < 3 and op in WINDOWED:
        return []
    return WAYS.get(op, _alone())(shape)


WINDOWED = frozenset({"Conv", "ConvInteger", "ConvTranspose", "MaxPool", "AveragePool", "LpPool"})
NOT_TRIED = frozenset(
    {
        "And", "Or", "Xor", "Not", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot", "BitShift", "Where",
        "DequantizeLinear", "QLinearConv", "QLinearMatMul", "IsInf", "Upsample", "SplitToSequence",
        "SequenceConstruct", "SequenceAt", "ConcatFromSequence", "BitCast", "OneHot", "EyeLike",
        "RandomNormalLike", "RandomUniformLike",
    }
)  # fmt: skip
"""Operators whose map is of another type, or a list, or that are old."""


def _graph(op: str, shape: tuple[int, ...], way: Variant, *, behind_transpose: bool) -> onnx.GraphProto:
    nodes, constants, inputs = [], [], ["x"]
    if behind_transpose:
        nodes.append(helper.make_node("Transpose", ["x"], ["t"], perm=[0, len(shape) - 1, *range(1, len(shape) - 1)]))
        inputs = ["t"]
    for place, each in enumerate(way.inputs):
        name = f"k{place}"
        if each is None:
            inputs.append(inputs[0])
            continue
        inputs.append(name)
        if each == TURNED:
            order = [*range(len(shape) - 2), len(shape) - 1, len(shape) - 2]
            nodes.append(helper.make_node("Transpose", [inputs[0]], [name], perm=order))
            continue
        kind, values = each
        if kind == "whole":
            constants.append(numpy_helper.from_array(np.array(values, dtype=np.int64), name))
        elif kind == "number":
            constants.append(numpy_helper.from_array(np.array(values, dtype=np.float32), name))
        else:
            constants.append(
                TensorProto(
                    name=name, data_type=TensorProto.UINT8 if kind == "uint8" else TensorProto.FLOAT, dims=values
                )
            )
    outputs = [f"y{place}" for place in range(way.outputs)]
    nodes.append(helper.make_node(op, inputs, outputs, **way.attributes))
    kind = TensorProto.UINT8 if op in ("ConvInteger", "MatMulInteger") else TensorProto.FLOAT
    given = [helper.make_tensor_value_info("x", kind, shape)]
    results = [helper.make_empty_tensor_value_info(name) for name in outputs]
    return helper.make_graph(nodes, "one", given, results, constants)


SPATIAL = WINDOWED | {
    "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "BatchNormalization", "InstanceNormalization",
    "GroupNormalization", "LRN", "PRelu", "Resize", "DepthToSpace", "SpaceToDepth",
}  # fmt: skip
"""Operators that have channels behind the images, so that others stand behind a Transpose."""


def is_modelled(graph: onnx.GraphProto) -> bool | None:
    """True where a graph is taken, with the shapes that ONNX infers; None where ONNX does not allow it."""
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    try:
        found = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    except Exception:
        return None
    shapes = {each.name: each.type.tensor_type for each in (*found.value_info, *found.output)}
    importing, refusals = taken(graph_of(graph, OPSET), "one.onnx", {}, batched=True)
    for name, tensor in shapes.items():
        value = importing.values.get(name)
        if (
            value is not None
            and tensor.HasField("shape")
            and tensor.shape.dim
            and all(dim.dim_value for dim in tensor.shape.dim)
        ):
            assert list(value.shape) == [dim.dim_value for dim in tensor.shape.dim], (graph, name)
    return not refusals


def cell(op: str, layout: str) -> str:
    """Cell of the table for an operator in a layout."""
    shape = LAYOUTS[layout]
    turned = layout == "channels last" and op in SPATIAL
    seen = (shape[0], shape[-1], *shape[1:-1]) if turned else shape
    tried = [(way.said, is_modelled(_graph(op, shape, way, behind_transpose=turned))) for way in variants(op, seen)]
    allowed = [(said, each) for said, each in tried if each is not None]
    if not allowed:
        return "-"
    if all(each for _, each in allowed):
        return "yes"
    return ", ".join(said for said, each in allowed if each) or "no"


def rows() -> Iterator[tuple[str, ...]]:
    """A line for each operator of ONNX that has a row of its own in all layouts, those that are alike as one."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for op in OPERATORS:
        if "." in op or op in NOT_TRIED:
            continue
        try:
            onnx.defs.get_schema(op, OPSET)
        except onnx.defs.SchemaError:
            continue
        alike.setdefault(tuple(cell(op, layout) for layout in LAYOUTS), []).append(op)
    for cells, ops in alike.items():
        yield ", ".join(f"`{op}`" for op in ops), *cells
