"""ONNX models as networks (https://onnx.ai/onnx/operators, opset 7 and later).

Shapes are worked out here, operator by operator, so that weights need not be present: an initializer, a file beside the
model (which is never opened), a `ConstantOfShape` and an input of the graph all have a shape, and that is enough.
Small constants, such as the shape that a Reshape asks for, are computed. What cannot be modelled is refused, all of it
at once and by the names of node and operator, or left out and listed where that is allowed.

An operator is a function here, under its name in `accelsim.importers.operators`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, SupportsInt, cast

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from accelsim.config.strict_yaml import Document, Origin, read_bytes
from accelsim.errors import Mistake, UserError, shorten

MAX_MODEL_BYTES = 100 << 20
MAX_GRAPH_NODES = 20_000
MAX_RANK = 6
MAX_KNOWN = 4096
"""Elements of a constant whose values are looked at."""
OLDEST_OPSET = 7
MOST_MISTAKES = 100


_KINDS = onnx.TensorProto
_INTEGER_BITS: dict[int, int] = {
    _KINDS.INT8: 8, _KINDS.UINT8: 8, _KINDS.INT4: 4, _KINDS.UINT4: 4, _KINDS.INT16: 16, _KINDS.UINT16: 16,
}  # fmt: skip


class UnmodelledError(Exception):
    """A node that cannot be modelled: what was expected, and what it has instead."""

    def __init__(self, expected: str, got: object) -> None:
        super().__init__(expected, got)
        self.expected, self.got = expected, str(got)


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor of the graph.

    dims: its shape, the batch first where it is a map. row: the row of the network that computes it, None for
    constants; map_dims: (height, width, channels) of that row's map, in which the tensor lies in another shape where a
    Reshape or Transpose left the order of elements as it is in memory; constant: the values, where they are few and
    known; bits: of an element, where a QuantizeLinear says so. shuffled: groups of channels that a Transpose exchanged.
    by_token: whether the elements are in the order (tokens, features), and not (channels, pixels). heads: those that
    the features are split into, outside of the tokens: (batch, heads, tokens, features), or with the last two exchanged
    where it is turned; batch and heads may be one dimension. parts: that the features have outside of the batch, as
    queries, keys and values of one product.
    """

    dims: tuple[int, ...]
    row: str | None = None
    map_dims: tuple[int, int, int] | None = None
    constant: np.ndarray[Any, Any] | None = None
    bits: int | None = None
    shuffled: int | None = None
    padded: tuple[int, int, int, int] | None = None
    by_token: bool = False
    heads: int | None = None
    turned: bool = False
    parts: int | None = None

    @property
    def is_map(self) -> bool:
        """Whether it is computed, or given as an input, and not a constant."""
        return self.row is not None

    @property
    def is_image(self) -> bool:
        """Whether it is (batch, channels, height, width) of its map as it is."""
        if self.map_dims is None or (self.by_token and self.pixels > 1) or self.heads is not None:
            return False
        return self.dims[1:] == (self.map_dims[2], *self.map_dims[:2])

    @property
    def pixels(self) -> int:
        """Of its map: the tokens."""
        return prod(self.map_dims[:2]) if self.map_dims is not None else 0

    @property
    def is_vector(self) -> bool:
        """Whether it is (batch, features), all of its map."""
        return self.map_dims is not None and len(self.dims) == 2 and self.dims[1] == prod(self.map_dims)

    @property
    def is_tokens(self) -> bool:
        """Whether it is (batch, tokens, features), the pixels of its map being the tokens."""
        if self.map_dims is None or not (self.by_token or self.pixels == 1) or self.heads is not None:
            return False
        return self.dims[1:] == (self.pixels, self.map_dims[2])


@dataclass(slots=True)
class Importing:
    """A model on its way to rows.

    values: by name; rows: of the network, by name; readers: how many nodes, and outputs of the graph, read a value;
    bits: of weights and maps, by row; unmodelled: nodes that were left out; latest: the value that a row gives, last of
    all that are parts of it.
    """

    batch: int
    opset: int
    values: dict[str, Value] = field(default_factory=dict)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    readers: dict[str, int] = field(default_factory=dict)
    bits: dict[str, dict[str, int]] = field(default_factory=dict)
    unmodelled: list[str] = field(default_factory=list)
    latest: dict[str, str] = field(default_factory=dict)

    def value(self, name: str) -> Value:
        """Raises UnmodelledError where nothing has computed it."""
        if name not in self.values:
            raise UnmodelledError("inputs that an earlier node, an initializer or the graph gives", shorten(name))
        return self.values[name]

    def add(self, wanted: str, op: str, inputs: list[Value], map_dims: tuple[int, int, int], **more: Any) -> Value:
        """Add a row; its map as a tensor (batch, channels, height, width). map_dims: height, width, channels."""
        name = self.own_name(wanted)
        row: dict[str, Any] = {"name": name, "op": op}
        sources = [each.row for each in inputs]
        if sources != [next(reversed(self.rows), "input")]:
            row["inputs"] = sources
        self.rows[name] = {**row, **more}
        height, width, channels = map_dims
        return Value((self.batch, channels, height, width), name, map_dims)

    def own_name(self, wanted: str) -> str:
        """A name like this one that no row has."""
        plain = re.sub(r"[^A-Za-z0-9_.+-]+", "_", wanted).strip("_.+-")[-80:].strip("_.+-") or "layer"
        name, number = plain, 1
        while name in self.rows or name in ("input", "above"):
            number += 1
            name = f"{plain}_{number}"
        return name


def read(path: Path, shown_as: str, *, allow_unmodelled: bool = False) -> Document:
    """The network of a model. Raises UserError with everything that cannot be modelled."""
    graph, opset = _graph(path, shown_as)
    importing = _started(graph, opset, shown_as)
    mistakes: list[Mistake] = []
    for node in graph.node:
        try:
            _take(importing, node)
        except UnmodelledError as error:
            label = f"{node.op_type} {shorten(node.name or next(iter(node.output), ''))}"
            if allow_unmodelled and _pass_on(importing, node):
                importing.unmodelled.append(" ".join(f"{label}: {error.got}".split())[:200])
                continue
            mistakes.append(Mistake(shown_as, 0, label, error.expected, error.got))
            _pass_on(importing, node)
        if len(mistakes) >= MOST_MISTAKES:
            break
    if not importing.rows and not mistakes:
        mistakes.append(Mistake(shown_as, 0, "graph", "nodes that compute something", "none"))
    if mistakes:
        raise UserError(mistakes)
    return _document(importing, graph, path, shown_as)


def _graph(path: Path, shown_as: str) -> tuple[onnx.GraphProto, int]:
    """Raises UserError where the file is no model."""
    raw = read_bytes(path, shown_as, MAX_MODEL_BYTES)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(raw)
    except DecodeError:
        raise UserError([Mistake(shown_as, 0, "file", "an ONNX model", "other bytes")]) from None
    if not _names_are_text(model):
        raise UserError([Mistake(shown_as, 0, "file", "an ONNX model with names of text", "other bytes")])
    opsets = [each.version for each in model.opset_import if each.domain in ("", "ai.onnx")]
    if not opsets or not model.HasField("graph"):
        raise UserError([Mistake(shown_as, 0, "file", "an ONNX model with a graph and its opset", "neither")])
    if not OLDEST_OPSET <= max(opsets) <= 1000:
        expected = f"at least {OLDEST_OPSET}"
        raise UserError([Mistake(shown_as, 0, "opset", expected, str(max(opsets)))])
    if len(model.graph.node) > MAX_GRAPH_NODES:
        expected = f"at most {MAX_GRAPH_NODES} nodes"
        raise UserError([Mistake(shown_as, 0, "graph", expected, str(len(model.graph.node)))])
    return model.graph, max(opsets)


def _names_are_text(model: onnx.ModelProto) -> bool:
    """Protobuf does not look at the bytes of a string before it is asked for."""
    graph = model.graph
    named = (*graph.node, *graph.initializer, *graph.input, *graph.output, graph)
    try:
        texts = [each.name for each in named] + [each.domain for each in model.opset_import]
        for node in graph.node:
            texts += [node.op_type, node.domain, *node.input, *node.output, *(each.name for each in node.attribute)]
    except UnicodeDecodeError:
        return False
    return all(isinstance(text, str) for text in texts)


def _started(graph: onnx.GraphProto, opset: int, shown_as: str) -> Importing:
    """With the constants and the input of the graph. Raises UserError where there is no input, or several."""
    names = {each.name for each in graph.initializer}
    weights = _weight_names(graph)
    given = [each for each in graph.input if each.name not in names and each.name not in weights]
    if len(given) != 1:
        got = ", ".join(shorten(each.name) for each in given[:10]) or "none"
        raise UserError([Mistake(shown_as, 0, "graph", "one input beside the weights", got)])
    dims = _declared(given[0])
    if not dims or not 2 <= len(dims) <= 4 or any(each <= 0 for each in dims[1:]):
        expected = "an input of (batch, channels, height, width), or of fewer dimensions, known but for the batch"
        raise UserError([Mistake(shown_as, 0, shorten(given[0].name), expected, str(list(dims)))])
    importing = Importing(max(1, dims[0]), opset)
    for tensor in graph.initializer:
        importing.values[tensor.name] = tensor_value(tensor)
    for each in graph.input:
        if each.name in weights and each.name not in names:
            importing.values[each.name] = Value(_declared(each))
    whole = (importing.batch, *dims[1:])
    signal = len(dims) == 3 and any(
        node.op_type in ("Conv", "MaxPool", "AveragePool") and given[0].name in node.input[:1] for node in graph.node
    )
    size = (dims[2], 1, dims[1]) if signal else _map_dims(dims[1:])
    importing.values[given[0].name] = Value(whole, "input", size, by_token=len(dims) == 3 and not signal)
    for node in graph.node:
        for name in node.input:
            importing.readers[name] = importing.readers.get(name, 0) + 1
    for each in graph.output:
        importing.readers[each.name] = importing.readers.get(each.name, 0) + 1
    return importing


def _map_dims(dims: tuple[int, ...]) -> tuple[int, int, int]:
    """(height, width, channels) of an input without its batch: an image, tokens or features."""
    match dims:
        case (channels, height, width):
            return height, width, channels
        case (tokens, features):
            return tokens, 1, features
        case _:
            return 1, 1, dims[0]


def _weight_names(graph: onnx.GraphProto) -> set[str]:
    """Inputs of the graph that are weights: what stands in a node where weights, biases and the like do."""
    places = {"Conv": 1, "ConvTranspose": 1, "Gemm": 1, "MatMul": 1, "BatchNormalization": 1, "LayerNormalization": 1}
    inputs = [each.name for each in graph.input]
    found = {name for node in graph.node if node.op_type in places for name in node.input[places[node.op_type] :]}
    return found - {inputs[0]} if inputs else found


def _declared(value: onnx.ValueInfoProto) -> tuple[int, ...]:
    """The shape of an input; 0 where it has a name instead of a number."""
    return tuple(each.dim_value for each in value.type.tensor_type.shape.dim)


def tensor_value(tensor: onnx.TensorProto) -> Value:
    """An initializer, its values only if they are few and in the file itself."""
    dims = tuple(tensor.dims)
    known = None
    if tensor.data_location != onnx.TensorProto.EXTERNAL and 0 < prod(dims) <= MAX_KNOWN and min(dims, default=1) > 0:
        try:
            known = numpy_helper.to_array(tensor)
        except (ValueError, TypeError, KeyError):
            known = None
    return Value(dims, constant=known, bits=integer_bits(tensor.data_type))


def integer_bits(data_type: int) -> int | None:
    """Bits of an element of an integer type; None of others."""
    return _INTEGER_BITS.get(data_type)


def _take(importing: Importing, node: onnx.NodeProto) -> None:
    """Model one node. Raises UnmodelledError."""
    from accelsim.importers.operators import OPERATORS, folded

    if node.domain not in ("", "ai.onnx"):
        raise UnmodelledError("an operator of ONNX itself", f"one of {shorten(node.domain)}")
    if any(name in importing.values for name in node.output if name):
        raise UnmodelledError("outputs that no earlier node has", "one again")
    _check_signature(importing, node)
    found = folded(importing, node)
    if found is None:
        if node.op_type not in OPERATORS:
            raise UnmodelledError("an operator that can be modelled (docs/onnx.md)", node.op_type)
        found = OPERATORS[node.op_type](importing, node)
    for name, value in zip(node.output, found, strict=False):
        if name:
            _check_size(value.dims)
            importing.values[name] = value
            if value.row is not None:
                importing.latest[value.row] = name


def _check_signature(importing: Importing, node: onnx.NodeProto) -> None:
    """Whether inputs and attributes are as ONNX has them for this operator. Raises UnmodelledError."""
    try:
        schema = onnx.defs.get_schema(node.op_type, importing.opset)
    except onnx.defs.SchemaError:
        raise UnmodelledError("an operator of ONNX", shorten(node.op_type)) from None
    if not schema.min_input <= len(node.input) <= schema.max_input:
        raise UnmodelledError(f"{schema.min_input} to {schema.max_input} inputs", len(node.input))
    for place, name in enumerate(node.input):
        if name:
            importing.value(name)
        elif place < schema.min_input:
            raise UnmodelledError(f"input {place}", "none")
    for each in node.attribute:
        known = schema.attributes.get(each.name)
        if known is None or int(cast(SupportsInt, known.type)) != each.type:
            raise UnmodelledError(f"attributes of ONNX's {node.op_type}", shorten(each.name))
    missing = [name for name, each in schema.attributes.items() if each.required]
    missing = [name for name in missing if name not in {each.name for each in node.attribute}]
    if missing:
        raise UnmodelledError(f"the attribute {missing[0]}", "none")


def _check_size(dims: tuple[int, ...]) -> None:
    if len(dims) > MAX_RANK or any(each < 0 for each in dims) or prod(dims) > 1 << 40:
        raise UnmodelledError(f"tensors of at most {MAX_RANK} dimensions and 2^40 elements", list(dims))


def _pass_on(importing: Importing, node: onnx.NodeProto) -> bool:
    """Let what reads a node that is not modelled read its first map; whether that can stand for its only output."""
    maps = [importing.values[name] for name in node.input if name in importing.values and importing.values[name].is_map]
    for name in node.output:
        if maps and name not in importing.values:
            importing.values[name] = maps[0]
    return bool(maps) and len(node.output) == 1


def _document(importing: Importing, graph: onnx.GraphProto, path: Path, shown_as: str) -> Document:
    name = importing.own_name(path.stem)
    given = next(value for value in importing.values.values() if value.row == "input")
    assert given.map_dims is not None
    height, width, channels = given.map_dims
    data: dict[str, Any] = {
        "name": name,
        "source": f"ONNX model {name}, graph {importing.own_name(graph.name)}",
        "batch": importing.batch,
        "input": {"height": height, "width": width, "channels": channels},
        "layers": list(importing.rows.values()),
    }
    if importing.bits:
        data["quantize"] = {"layers": importing.bits}
    if importing.unmodelled:
        data["unmodelled"] = importing.unmodelled
    return Document(data, dict(_origins(importing, shown_as)))


def _origins(importing: Importing, shown_as: str) -> Iterator[tuple[tuple[str | int, ...], Origin]]:
    yield (), Origin(shown_as, 0)
    for place in range(len(importing.rows)):
        yield ("layers", place), Origin(shown_as, 0)
