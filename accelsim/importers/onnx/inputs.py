"""Inputs of a graph: maps that come in, and weights that are inputs, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx

from accelsim.errors import Mistake, UserError, shorten
from accelsim.importers.onnx.constants import tensor_value
from accelsim.importers.onnx.importing import Importing
from accelsim.importers.onnx.model import Graph, data_inputs, has_graph, operator_name
from accelsim.importers.onnx.tensors import Atom, Axes, Constant, FeatureMap, fresh

Shapes = Mapping[str, Sequence[int]]
"""Shapes that are given from outside, by the name of the input."""

_WEIGHTS = {
    "Conv": 1, "ConvTranspose": 1, "Gemm": 1, "MatMul": 1, "BatchNormalization": 1, "LayerNormalization": 1,
    "InstanceNormalization": 1, "PRelu": 1, "LSTM": 1, "GRU": 1,
}  # fmt: skip
"""From which input on an operator reads weights."""
_FIRST = ("Conv", "MaxPool", "AveragePool", "ConvTranspose", "BatchNormalization", "GlobalAveragePool", "Resize")
_LAST = ("MatMul", "LayerNormalization", "Gemm")
_SAME_ORDER = (
    "Identity", "Cast", "Add", "Sub", "Mul", "Div", "Pad", "QuantizeLinear", "DequantizeLinear", "Unsqueeze", "Relu",
    "Clip", "Slice", "Concat",
)  # fmt: skip
_TO_FIRST = ([0, 3, 1, 2], [0, 2, 1])


def started(graph: Graph, shown_as: str, shapes: Shapes, *, batched: bool) -> Importing:
    """With the constants and inputs of a graph. Raises UserError where there is no input, or one of unknown shape.

    batched: whether the first dimension of the inputs is the images.
    """
    proto = graph.proto
    names = {each.name for each in proto.initializer}
    read = {name for _, node in graph.nodes for name in node.input}
    weights = _weight_names(graph, shapes)
    scalars = {each.name for each in proto.input if _is_scalar(each)}
    maps = [each for each in proto.input if each.name in read and each.name not in names | weights | scalars]
    unknown = [name for name in shapes if name not in {each.name for each in proto.input}]
    if unknown:
        got = ", ".join(shorten(name) for name in unknown[:10])
        raise UserError([Mistake(shown_as, 0, "graph", "names of inputs with the shapes that are given", got)])
    inside = next(((number, node) for number, node in graph.nodes if has_graph(node)), None)
    if not maps and inside is not None:
        number, node = inside
        label = f"{operator_name(node)} {shorten(node.name or next(iter(node.output), ''))}"
        raise UserError([Mistake(shown_as, number, label, "an operator without a graph inside", operator_name(node))])
    if not maps:
        raise UserError([Mistake(shown_as, 0, "graph", "an input that a node reads", "none")])
    dims = {each.name: _known_dims(each, shapes, shown_as) for each in maps}
    first = dims[maps[0].name]
    images = first[0] if batched and len(first) > 1 else 1
    importing = Importing(Atom(images) if images > 1 else None, graph.opset, channels_first=channels_first(graph))
    for tensor in proto.initializer:
        importing.values[tensor.name] = tensor_value(tensor)
    for each in proto.input:
        if each.name in weights | scalars and each.name not in names:
            importing.values[each.name] = Constant(_declared(each))
    for number, each in enumerate(maps):
        importing.values[each.name] = _given(importing, each.name, dims[each.name], first=not number)
    for _, node in graph.nodes:
        for name in data_inputs(node):
            importing.readers[name] = importing.readers.get(name, 0) + 1
    for each in proto.output:
        importing.readers[each.name] = importing.readers.get(each.name, 0) + 1
    return importing


def _known_dims(value: onnx.ValueInfoProto, shapes: Shapes, shown_as: str) -> tuple[int, ...]:
    """The shape of an input, one image where that is open. Raises UserError where more than the images is open."""
    declared = _declared(value)
    given = tuple(shapes.get(value.name, declared))
    if declared and len(given) != len(declared):
        expected = f"a shape of {len(declared)} dimensions"
        raise UserError([Mistake(shown_as, 0, shorten(value.name), expected, str(list(given)))])
    dims = (max(1, given[0]), *given[1:]) if given else ()
    if len(dims) > 6 or any(not 1 <= each <= 1 << 20 for each in dims):
        text = ", ".join(_dim_text(each) for each in value.type.tensor_type.shape.dim)
        expected = "a shape that is known but for the images (a shape can be given by the name of the input)"
        raise UserError([Mistake(shown_as, 0, shorten(value.name), expected, f"[{text}]")])
    return dims


def _is_scalar(value: onnx.ValueInfoProto) -> bool:
    """True where an input is one number, such as a rate or a bound."""
    return value.type.tensor_type.HasField("shape") and not value.type.tensor_type.shape.dim


def _dim_text(dim: onnx.TensorShapeProto.Dimension) -> str:
    return str(dim.dim_value) if dim.HasField("dim_value") else shorten(dim.dim_param or "?")


def _declared(value: onnx.ValueInfoProto) -> tuple[int, ...]:
    """The shape of an input; 0 where it has a name instead of a number."""
    return tuple(each.dim_value for each in value.type.tensor_type.shape.dim)


def _weight_names(graph: Graph, shapes: Shapes) -> set[str]:
    """Inputs of the graph that are weights: what stands in a node where weights, biases and the like do."""
    inputs = [each.name for each in graph.proto.input]
    found = {
        name for _, node in graph.nodes if node.op_type in _WEIGHTS for name in node.input[_WEIGHTS[node.op_type] :]
    }
    return (found & set(inputs[1:])) - set(shapes) if inputs else set()


def _given(importing: Importing, name: str, dims: tuple[int, ...], *, first: bool) -> FeatureMap:
    """An input as a map, in the order in which what reads it wants it."""
    images = importing.batch is not None and dims[:1] == (importing.images,)
    atoms = [importing.batch_dim if images and not place else fresh(size) for place, size in enumerate(dims)]
    own = [atom for atom in atoms if atom != importing.batch_dim or not atom]
    axes = axes_of(own, channels_first=importing.channels_first.get(name))
    importing.wanted = name
    height, width, channels = axes.extents
    row = "input"
    if not first:
        row = importing.row("input", (), axes.extents, height=height, width=width, channels=channels)
    importing.extents[row] = axes.extents
    return FeatureMap(tuple(atoms), row, axes, importing.batch if images else None)


def axes_of(atoms: Sequence[tuple[Atom, ...]], *, channels_first: bool | None) -> Axes:
    """Channels last in the map, wherever they are in the tensor: where the first operator that minds has them."""
    dims = [each for each in atoms if each]
    rank = len(atoms)
    rest = list(atoms[1:]) if rank in (3, 4) and not atoms[0] else dims
    if len(rest) == 3:
        channels, rows, cols = rest if channels_first is not False else (rest[2], rest[0], rest[1])
        return Axes(rows, cols, channels)
    if len(rest) == 2:
        channels, rows = rest if channels_first else rest[::-1]
        return Axes(rows, (), channels)
    if len(rest) == 1:
        return Axes(rest[0], (), ()) if channels_first else Axes((), (), rest[0])
    flat = tuple(atom for each in rest for atom in each)
    return Axes(flat[:-2], flat[-2:-1], flat[-1:]) if channels_first is False else Axes(flat[1:2], flat[2:], flat[:1])


def channels_first(graph: Graph) -> Mapping[str, bool]:
    """For each tensor, true where what reads it has channels as its second dimension; none where nothing says so."""
    found = dict[str, tuple[int, bool]]()
    for place, (_, node) in reversed(list(enumerate(graph.nodes))):
        answer = _has_channels_second(node)
        first = found.get(next(iter(node.output), "")) if answer is None else (place, answer)
        if first is None or (answer is None and node.op_type not in _SAME_ORDER):
            continue
        for name in node.input[:1] if node.op_type in _FIRST else node.input:
            found[name] = min(first, found.get(name, first))
    return {name: second for name, (_, second) in found.items()}


def _has_channels_second(node: onnx.NodeProto) -> bool | None:
    """True where a node has the channels of what it reads as the second dimension; None where it does not mind."""
    if node.op_type in _FIRST:
        return True
    if node.op_type in _LAST:
        return False
    ints = {each.name: list(each.ints) for each in node.attribute}
    if node.op_type == "Transpose":
        return ints.get("perm", []) not in _TO_FIRST
    return sorted(ints.get("axes", [])) not in ([1], [1, 2]) if node.op_type.startswith("Reduce") else None
