"""The graph of a file: within bounds, in an order in which nodes can be taken, and without what nothing reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import onnx
from google.protobuf.message import DecodeError

from accelsim.config.strict_yaml import dotted, read_bytes
from accelsim.errors import Mistake, UserError
from accelsim.importers.onnx.skeleton import skeleton

WHOLE_BYTES = 64 << 20
"""Up to which a file is read whole; of a larger one the contents of tensors are passed over."""
MAX_MODEL_BYTES = 1 << 40
MAX_GRAPH_NODES = 20_000
MAX_GRAPH_READS = 100_000
"""Inputs of all nodes together."""
OLDEST_OPSET = 6
DOMAINS = ("", "ai.onnx")
"""Domains of ONNX itself."""
LIKE = ("Shape", "Size", "RandomNormalLike", "RandomUniformLike", "EyeLike")
"""Operators that look at the shape of their input alone."""


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes in execution order, each with its number in the file, from 1 on. bits: of maps, by tensor, beside nodes."""

    proto: onnx.GraphProto
    opset: int
    nodes: tuple[tuple[int, onnx.NodeProto], ...]
    bits: Mapping[str, int] = field(default_factory=dict)


def read_graph(path: Path, shown_as: str) -> Graph:
    """Raises UserError where the file is no model."""
    raw = _raw(path, shown_as)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(raw)
    except DecodeError:
        raise UserError([Mistake(shown_as, 0, "file", "an ONNX model", "other bytes")]) from None
    if not _names_are_text(model):
        raise UserError([Mistake(shown_as, 0, "file", "an ONNX model with names of text", "other bytes")])
    opsets = [each.version for each in model.opset_import if each.domain in DOMAINS]
    if not opsets or not model.HasField("graph"):
        raise UserError([Mistake(shown_as, 0, "file", "an ONNX model with a graph and its opset", "neither")])
    if not OLDEST_OPSET <= max(opsets) <= 1000:
        expected = f"at least {OLDEST_OPSET}"
        raise UserError([Mistake(shown_as, 0, "opset", expected, str(max(opsets)))])
    if len(model.graph.node) > MAX_GRAPH_NODES:
        expected = f"at most {MAX_GRAPH_NODES} nodes"
        raise UserError([Mistake(shown_as, 0, "graph", expected, str(len(model.graph.node)))])
    reads = sum(len(node.input) for node in model.graph.node)
    if reads > MAX_GRAPH_READS:
        expected = f"nodes that read at most {MAX_GRAPH_READS} tensors"
        raise UserError([Mistake(shown_as, 0, "graph", expected, str(reads))])
    return graph_of(model.graph, max(opsets))


def graph_of(proto: onnx.GraphProto, opset: int, bits: Mapping[str, int] = MappingProxyType({})) -> Graph:
    """A graph with its nodes in order. bits: of maps, by tensor."""
    return Graph(proto, opset, tuple(_ordered(proto)), bits)


def _raw(path: Path, shown_as: str) -> bytes:
    try:
        size = path.stat().st_size
    except (OSError, ValueError):
        size = 0
    if WHOLE_BYTES < size <= MAX_MODEL_BYTES:
        return skeleton(path, shown_as)
    return read_bytes(path, shown_as, min(WHOLE_BYTES, MAX_MODEL_BYTES))


def _names_are_text(model: onnx.ModelProto) -> bool:
    """Protobuf does not look at the bytes of a string before it is asked for."""
    graph = model.graph
    named = (*graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info, graph)
    try:
        texts = [each.name for each in named] + [each.domain for each in model.opset_import]
        for node in graph.node:
            texts += [node.op_type, node.domain, *node.input, *node.output, *(each.name for each in node.attribute)]
    except UnicodeDecodeError:
        return False
    return all(isinstance(text, str) for text in texts)


def _ordered(graph: onnx.GraphProto) -> Iterable[tuple[int, onnx.NodeProto]]:
    """Nodes in the file's order, but for those that stand before what they read; without those that nothing reads."""
    wanted = _needed(graph)
    made_by = {name: number for number in wanted for name in graph.node[number].output if name}
    waiting: dict[int, int] = {}
    readers: dict[int, list[int]] = {number: [] for number in wanted}
    for number in wanted:
        before = {made_by[name] for name in graph.node[number].input if made_by.get(name, number) != number}
        waiting[number] = len(before)
        for each in before:
            readers[each].append(number)
    if all(made_by.get(name, -1) < number for number in wanted for name in graph.node[number].input):
        yield from ((number + 1, graph.node[number]) for number in wanted)
        return
    ready = [number for number in wanted if not waiting[number]]
    for number in ready:
        yield number + 1, graph.node[number]
        for each in readers[number]:
            waiting[each] -= 1
            if not waiting[each]:
                ready.append(each)
    done = set(ready)
    yield from ((number + 1, graph.node[number]) for number in wanted if number not in done)


def data_inputs(node: onnx.NodeProto) -> Sequence[str]:
    """The tensors of which a node reads elements, and not only the shape or type."""
    if node.op_type in LIKE:
        return []
    return [name for name in (node.input[:1] if node.op_type == "CastLike" else node.input) if name]


def operator_key(node: onnx.NodeProto) -> str:
    """Name under which an operator is registered."""
    return node.op_type if node.domain in DOMAINS else f"{node.domain}.{node.op_type}"


def operator_name(node: onnx.NodeProto) -> str:
    """An operator in a mistake: what is no plain name is quoted."""
    return dotted(tuple(operator_key(node).split(".")))


def has_graph(node: onnx.NodeProto) -> bool:
    """True where an attribute is a graph."""
    return any(each.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for each in node.attribute)


def _needed(graph: onnx.GraphProto) -> Sequence[int]:
    """Numbers of the nodes that an output of the graph depends on; all where it names none that is computed,
    where two nodes compute the same, or where graphs inside of nodes may read anything."""
    made_by = {name: number for number, node in enumerate(graph.node) for name in node.output if name}
    open_names = [each.name for each in graph.output if each.name in made_by]
    twice = len(made_by) < sum(bool(name) for node in graph.node for name in node.output)
    if not open_names or twice or any(map(has_graph, graph.node)):
        return range(len(graph.node))
    found: set[int] = set()
    while open_names:
        number = made_by[open_names.pop()]
        if number not in found:
            found.add(number)
            open_names += [name for name in graph.node[number].input if name in made_by]
    return sorted(found)
