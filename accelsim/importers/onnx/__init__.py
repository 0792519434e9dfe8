"""ONNX models as networks (https://onnx.ai/onnx/operators).

Shapes are worked out here, operator by operator, so that weights need not be present: an initializer, a file beside the
model (which is never opened), a `ConstantOfShape` and an input of the graph all have a shape, and that is enough.
Small constants, such as the shape that a Reshape asks for, are computed. What cannot be modelled is refused, all of it
at once and by the names of node and operator, or left out and listed where that is allowed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any, NamedTuple, SupportsInt, cast

import onnx

from accelsim.config.strict_yaml import Document, Origin
from accelsim.errors import Mistake, UserError, shorten, visible
from accelsim.importers.onnx.attributes import Attributes
from accelsim.importers.onnx.folding import folded
from accelsim.importers.onnx.importing import Importing
from accelsim.importers.onnx.inference import apart
from accelsim.importers.onnx.inputs import Shapes, axes_of, started
from accelsim.importers.onnx.model import DOMAINS, Graph, has_graph, operator_key, operator_name, read_graph
from accelsim.importers.onnx.naming import named
from accelsim.importers.onnx.operators import OPERATORS, Call
from accelsim.importers.onnx.operators.node import PLACES, note_bits
from accelsim.importers.onnx.patterns import recognised
from accelsim.importers.onnx.refusals import Refusal, grouped
from accelsim.importers.onnx.tensors import Dim, FeatureMap, Tensor, UnmodelledError, fresh

NO_SHAPES: Shapes = {}
MODELLED = "an operator that can be modelled (docs/onnx.md)"
_ENDS = "an output whose size does not depend on the data; a model that ends before this has none"
UNKNOWN = {
    **dict.fromkeys(("NonMaxSuppression", "NonZero", "Unique", "Compress", "StringSplit", "TfIdfVectorizer"), _ENDS),
    **dict.fromkeys(("GridSample", "RoiAlign", "MaxRoiPool", "DeformConv", "MaxUnpool"), PLACES),
}
"""Operators that make no sense on such a machine, and what a model needs instead."""
WIDTHS = "; data is as wide as the machine's where the model does not quantise it"


def read(path: Path, shown_as: str, *, allow_unmodelled: bool = False, shapes: Shapes = NO_SHAPES) -> Document:
    """The network of a model. Raises UserError with everything that cannot be modelled.

    shapes: of inputs, by their names, where the model leaves them open.
    """
    return network_of(
        read_graph(path, shown_as), path.stem, shown_as, "ONNX", allow_unmodelled=allow_unmodelled, shapes=shapes
    )


def network_of(
    graph: Graph, name: str, shown_as: str, kind: str, *, allow_unmodelled: bool = False, shapes: Shapes = NO_SHAPES
) -> Document:
    """The network of a graph. kind: of the model that it comes from. Raises UserError as `read` does."""
    graph = recognised(graph)
    importing, refusals = taken(graph, shown_as, shapes, batched=True, allow_unmodelled=allow_unmodelled)
    if refusals and importing.batch is not None:
        other, none = taken(graph, shown_as, shapes, batched=False, allow_unmodelled=allow_unmodelled)
        importing, refusals = (other, none) if not none else (importing, refusals)
    mistakes = list(grouped(refusals, shown_as))
    if not any(row["op"] != "input" for row in importing.rows.values()) and not mistakes:
        mistakes.append(Mistake(shown_as, 0, "graph", "nodes that compute something", "none"))
    if mistakes:
        raise UserError(mistakes)
    return _document(importing, graph, name, shown_as, kind)


def taken(
    graph: Graph, shown_as: str, shapes: Shapes, *, batched: bool, allow_unmodelled: bool = False
) -> tuple[Importing, list[Refusal]]:
    """A model with all nodes taken, and those that cannot be modelled; what reads one of those is passed over.

    allow_unmodelled: let a map of the shape that ONNX infers stand for what such a node gives; where it infers none,
    leave out what reads that, too.
    """
    try:
        importing = started(graph, shown_as, shapes, batched=batched)
    except UnmodelledError as error:
        raise UserError([Mistake(shown_as, 0, "graph", error.expected, error.got)]) from None
    for name, value in importing.values.items():
        if name in graph.bits and isinstance(value, FeatureMap):
            note_bits(importing, value.row, activation_bits=graph.bits[name])
    refusals: list[Refusal] = []
    lost: set[str] = set()
    layers = named(graph)
    declared = _declared_shapes(graph.proto)
    inferred: dict[str, tuple[int, ...]] | None = None
    for number, node in graph.nodes:
        if lost.intersection(node.input):
            lost.update(node.output)
            if allow_unmodelled:
                importing.unmodelled.append(_line(node, "reads what is left out"))
            continue
        importing.wanted, importing.stage = layers[number]
        try:
            _take(importing, node, declared, graph.bits)
        except UnmodelledError as error:
            if allow_unmodelled:
                inferred = _inferred_shapes(graph.proto) if inferred is None else inferred
                importing.unmodelled.append(_line(node, error.got))
                if not _left_out(importing, node, inferred):
                    lost.update(name for name in node.output if name)
                continue
            refusals.append(Refusal(number, operator_name(node), _label(node), error.expected, error.got))
            lost.update(name for name in node.output if name)
    refusals += _padded_outputs(importing, graph.proto)
    return importing, refusals


def _label(node: onnx.NodeProto) -> str:
    return shorten(node.name or next(iter(node.output), ""))


def _line(node: onnx.NodeProto, reason: str) -> str:
    """A node that is left out, in a line."""
    kind = visible(node.op_type).replace(" ", "_") or "node"
    return visible(f"{kind} {_label(node)}: {reason}")[:200]


def _padded_outputs(importing: Importing, graph: onnx.GraphProto) -> Iterator[Refusal]:
    """Rows for outputs whose padding no layer has taken in."""
    for each in graph.output:
        value = importing.values.get(each.name)
        if isinstance(value, FeatureMap) and value.pads:
            importing.wanted = each.name
            try:
                importing.values[each.name] = importing.padded(value)
            except UnmodelledError as error:
                yield Refusal(len(graph.node), "output", shorten(each.name), error.expected, error.got)


def _take(
    importing: Importing, node: onnx.NodeProto, declared: Mapping[str, tuple[int, ...]], bits: Mapping[str, int]
) -> None:
    """Model one node. Raises UnmodelledError."""
    if not any(node.output):
        raise UnmodelledError("outputs", "none")
    if any(name in importing.values or name in importing.lists for name in node.output if name):
        raise UnmodelledError("outputs that no earlier node has", "one again")
    if has_graph(node):
        raise UnmodelledError("an operator without a graph inside", operator_name(node))
    lists = importing.lists.keys() & set(node.input)
    inputs = [importing.value(name) if name and name not in lists else None for name in node.input]
    if node.domain in DOMAINS:
        _check_signature(importing, node)
    found = folded(node, inputs, importing) if node.domain in DOMAINS and not lists else None
    if found is None:
        if operator_key(node) not in OPERATORS:
            raise UnmodelledError(UNKNOWN.get(operator_key(node), MODELLED), shorten(operator_key(node)))
        found = list(_modelled(Call(importing, node, inputs, Attributes(node))))
    for name, value in zip(node.output, found, strict=False):
        if name:
            _keep(importing, node, name, value, declared)
            if name in bits and isinstance(value, FeatureMap):
                note_bits(importing, value.row, activation_bits=bits[name])


def _modelled(call: Call) -> Sequence[Tensor]:
    """The outputs of a node. Raises UnmodelledError, whatever it is that does not fit."""
    try:
        return OPERATORS[operator_key(call.node)](call)
    except (ValueError, IndexError, KeyError, TypeError, ZeroDivisionError, OverflowError, StopIteration):
        shapes = " and ".join(str(list(each.shape)) for each in call.inputs[:4] if each is not None)
        raise UnmodelledError(f"inputs that fit {call.op}", shapes or "none") from None


def _keep(
    importing: Importing, node: onnx.NodeProto, name: str, value: Tensor, declared: Mapping[str, tuple[int, ...]]
) -> None:
    """Remember an output; who reads another view of a map reads the map. Raises UnmodelledError."""
    _check_size(value.shape)
    _check_declared(value.shape, declared.get(name, ()))
    importing.values[name] = value
    if not isinstance(value, FeatureMap):
        return
    for source in node.input:
        before = importing.values.get(source)
        if isinstance(before, FeatureMap) and before.row == value.row:
            readers = importing.readers.get(source, 1) - 1 + importing.readers.get(name, 0)
            importing.readers[source] = importing.readers[name] = readers
            break
    importing.latest[value.row] = name


def _check_declared(shape: Sequence[int], declared: Sequence[int]) -> None:
    """Raises UnmodelledError where a shape is another than the file itself says."""
    if declared and (
        len(declared) != len(shape) or any(a not in (b, 0) for a, b in zip(declared[1:], shape[1:], strict=True))
    ):
        raise UnmodelledError(f"the shape that the file says, {list(declared)}", list(shape))


def _declared_shapes(graph: onnx.GraphProto) -> dict[str, tuple[int, ...]]:
    """Shapes that the file has of what nodes compute; 0 where a dimension has no number."""
    return {
        each.name: tuple(dim.dim_value for dim in each.type.tensor_type.shape.dim)
        for each in (*graph.value_info, *graph.output)
        if each.type.tensor_type.HasField("shape")
    }


class _Signature(NamedTuple):
    """An operator's inputs, least and most; types of its attributes by name; names of those that it needs."""

    least: int
    most: int
    attributes: Mapping[str, int]
    needed: Sequence[str]


@lru_cache(maxsize=1024)
def _signature(op: str, opset: int) -> _Signature | None:
    """ONNX's signature of an operator; None where it has none."""
    try:
        schema = onnx.defs.get_schema(op, opset)
    except onnx.defs.SchemaError:
        return None
    attributes = schema.attributes
    types = {name: int(cast(SupportsInt, each.type)) for name, each in attributes.items()}
    needed = [name for name, each in attributes.items() if each.required]
    return _Signature(schema.min_input, schema.max_input, types, needed)


def _check_signature(importing: Importing, node: onnx.NodeProto) -> None:
    """Raises UnmodelledError where inputs or attributes are not as ONNX has them for this operator."""
    signature = _signature(node.op_type, importing.opset)
    if signature is None:
        raise UnmodelledError("an operator of ONNX", shorten(node.op_type))
    if not signature.least <= len(node.input) <= signature.most:
        raise UnmodelledError(f"{signature.least} to {signature.most} inputs", len(node.input))
    for place in range(signature.least):
        if not node.input[place]:
            raise UnmodelledError(f"input {place}", "none")
    for each in node.attribute:
        if signature.attributes.get(each.name) != each.type:
            raise UnmodelledError(f"attributes of ONNX's {node.op_type}", shorten(each.name))
    there = {each.name for each in node.attribute}
    missing = [name for name in signature.needed if name not in there]
    if missing:
        raise UnmodelledError(f"the attribute {missing[0]}", "none")


def _check_size(shape: Sequence[int]) -> None:
    if len(shape) > 8 or any(each < 0 for each in shape) or prod(shape) > 1 << 40:
        raise UnmodelledError("tensors of at most 8 dimensions and 2^40 elements", list(shape[:8]))


def _inferred_shapes(graph: onnx.GraphProto) -> dict[str, tuple[int, ...]]:
    """Shapes as the file says, or by ONNX's own inference, where that finds numbers."""
    said = {name: dims for name, dims in _declared_shapes(graph).items() if dims and min(dims) > 0}
    model = onnx.helper.make_model(graph)
    inferred = apart(lambda: _declared_shapes(onnx.shape_inference.infer_shapes(model, data_prop=True).graph))
    return {name: tuple(dims) for name, dims in (inferred or {}).items() if all(dim > 0 for dim in dims)} | said


def _left_out(importing: Importing, node: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Give the outputs of a node that is left out as maps of their own; whether they are known, and not too large."""
    try:
        return _stood_in(importing, node, shapes)
    except UnmodelledError:
        return False


def _stood_in(importing: Importing, node: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    names = [name for name in node.output if name]
    if not names or any(name not in shapes or len(shapes[name]) > 6 for name in names):
        return False
    for name in names:
        dims = list(shapes[name])
        images = importing.batch is not None and dims[:1] == [importing.images]
        atoms: list[Dim] = [
            importing.batch_dim if images and not place else fresh(size) for place, size in enumerate(dims)
        ]
        own = [atom for atom in atoms if atom != importing.batch_dim or not atom]
        axes = axes_of(own, channels_first=importing.channels_first.get(name))
        height, width, channels = axes.extents
        row = importing.row("input", (), axes.extents, height=height, width=width, channels=channels)
        importing.values[name] = FeatureMap(tuple(atoms), row, axes, importing.batch if images else None)
    return True


def _document(importing: Importing, graph: Graph, title: str, shown_as: str, kind: str) -> Document:
    name = importing.own_name(title)
    height, width, channels = importing.extents["input"]
    data: dict[str, Any] = {
        "name": name,
        "source": f"{kind} model {name}, graph {importing.own_name(graph.proto.name)}{WIDTHS}",
        "batch": importing.images,
        "input": {"height": height, "width": width, "channels": channels},
        "layers": _in_stages(importing),
    }
    if importing.bits:
        data["quantize"] = {"layers": importing.bits}
    if importing.unmodelled:
        data["unmodelled"] = importing.unmodelled
    return Document(data, dict(_origins(importing, shown_as)))


def _in_stages(importing: Importing) -> list[dict[str, Any]]:
    """Rows with their stages: the sizes of the maps, where names tell none."""
    rows = list(importing.rows.values())
    if any("stage" in row for row in rows):
        return rows
    return [row if row["op"] == "input" else row | {"stage": _size(importing.extents[row["name"]])} for row in rows]


def _size(extents: tuple[int, int, int]) -> str:
    return f"{extents[0]}x{extents[1]}"


def _origins(importing: Importing, shown_as: str) -> Iterator[tuple[tuple[str | int, ...], Origin]]:
    yield (), Origin(shown_as, 0)
    for place in range(len(importing.rows)):
        yield ("layers", place), Origin(shown_as, 0)
