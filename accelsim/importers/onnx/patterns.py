"""Functions that exporters write as several nodes, found again and taken as one, so that all exports cost the same.

Each rule looks at the last node of a function and gives the one node that stands for all, or None. Nodes in between are
left out where nothing else reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import prod

import onnx
from onnx import helper

from accelsim.importers.onnx.constants import KINDS, tensor_value
from accelsim.importers.onnx.model import Graph, data_inputs

OWN = "recognised"
"""The domain of nodes that stand for several."""

Rule = Callable[["Nodes", onnx.NodeProto], "onnx.NodeProto | None"]


class Nodes:
    """Nodes by what they give, how many read that, and which tensors depend on no input."""

    def __init__(self, graph: Graph) -> None:
        self.made_by: dict[str, onnx.NodeProto] = {}
        self.readers: dict[str, int] = {}
        self.constants = {each.name for each in graph.proto.initializer}
        self.numbers = {each.name for each in graph.proto.initializer if prod(each.dims) == 1}
        self.vectors = {each.name for each in graph.proto.initializer if len(each.dims) == 1}
        for _, node in graph.nodes:
            self.see(node)
        for each in graph.proto.output:
            self.readers[each.name] = self.readers.get(each.name, 0) + 1

    def see(self, node: onnx.NodeProto) -> None:
        """A node that is there."""
        there = data_inputs(node)
        for name in there:
            self.readers[name] = self.readers.get(name, 0) + 1
        if node.op_type in ("Constant", "ConstantOfShape", "Shape") or (there and self.constants.issuperset(there)):
            self.constants.update(node.output)
            if self._gives_a_number(node, there):
                self.numbers.update(node.output)
            if self._gives_a_vector(node, there):
                self.vectors.update(node.output)
        self.made_by.update((name, node) for name in node.output if name)

    def _gives_a_number(self, node: onnx.NodeProto, there: Sequence[str]) -> bool:
        """True where a node of constants gives one element."""
        if node.op_type == "Constant":
            tensors = [each.t for each in node.attribute if each.name == "value"]
            single = any(
                each.name in ("value_float", "value_int") or len(each.ints) + len(each.floats) == 1
                for each in node.attribute
            )
            return prod(tensors[0].dims) == 1 if tensors else single
        if node.op_type == "Slice" and len(there) > 2:
            ends = [self._whole_number(name) for name in there[1:3]]
            return ends[0] is not None and ends[1] is not None and _takes_one(ends[0], ends[1])
        if node.op_type == "Gather":
            return there[-1] in self.numbers and self.made_by.get(there[0], node).op_type in ("Shape", "Constant")
        return bool(there) and node.op_type != "Shape" and self.numbers.issuperset(there)

    def _gives_a_vector(self, node: onnx.NodeProto, there: Sequence[str]) -> bool:
        """True where a node of constants gives one dimension."""
        if node.op_type == "ConstantOfShape":
            return self.numbers.issuperset(there) and bool(there)
        if node.op_type in ("Identity", "Cast", "CastLike"):
            return there[0] in self.vectors
        return node.op_type == "Constant" and any(
            len(each.t.dims) == 1 for each in node.attribute if each.name == "value"
        )

    def _whole_number(self, name: str) -> int | None:
        """The value of a constant node of one whole number."""
        node = self.made_by.get(name)
        if node is None or node.op_type != "Constant" or name not in self.numbers:
            return None
        tensor = next((each.t for each in node.attribute if each.name == "value"), None)
        if tensor is None or tensor.data_type != KINDS.INT64 or len(tensor.dims) > 1:
            return None
        values = tensor_value(tensor).values
        return None if values is None or values.size != 1 else int(values.ravel()[0])

    def before(self, name: str, *ops: str, alone: bool = True) -> onnx.NodeProto | None:
        """The node of one of these operators that gives a tensor; alone: which nothing else reads."""
        node = self.made_by.get(name)
        if node is None or node.op_type not in ops or node.domain or (alone and self.readers.get(name, 0) != 1):
            return None
        return node

    def one_map(self, node: onnx.NodeProto) -> str | None:
        """The only input of a node that is no constant; None where there are several."""
        maps = [name for name in node.input if name and name not in self.constants]
        return maps[0] if len(maps) == 1 else None

    def with_constant(self, name: str, *ops: str) -> str | None:
        """The map that a node of one of these operators, which gives a tensor, combines with a constant."""
        node = self.before(name, *ops)
        return None if node is None or len(node.input) < 2 else self.one_map(node)

    def pairs(self, node: onnx.NodeProto) -> Iterator[tuple[str, str]]:
        """Both inputs of a node that are maps, either way round."""
        if len(node.input) == 2 and not self.constants.intersection(node.input):
            first, second = node.input
            yield from ((first, second), (second, first))


def _takes_one(start: int, end: int) -> bool:
    """True of the ends of a slice that is the last element, or one between."""
    return (start == -1 and end > 0) or (end - start == 1 and (start >= 0) == (end > 0))


def _stands_for(node: onnx.NodeProto, op: str, *inputs: str) -> onnx.NodeProto:
    made = helper.make_node(op, inputs, list(node.output[:1]), name=node.name, domain=OWN)
    made.metadata_props.extend(node.metadata_props)
    return made


def silu(nodes: Nodes, node: onnx.NodeProto) -> onnx.NodeProto | None:
    """x times sigmoid(x)."""
    if node.op_type != "Mul":
        return None
    for source, gate in nodes.pairs(node):
        sigmoid = nodes.before(gate, "Sigmoid")
        if sigmoid is not None and sigmoid.input[0] == source:
            return _stands_for(node, "Swish", source)
    return None


def hard_swish(nodes: Nodes, node: onnx.NodeProto) -> onnx.NodeProto | None:
    """x times hard-sigmoid(x), or x times a clipped x + 3, by 6 before or behind."""
    if node.op_type not in ("Mul", "Div"):
        return None
    inner = node
    scaled = nodes.one_map(node)
    if scaled is not None:
        product = nodes.before(scaled, "Mul")
        if product is None:
            return None
        inner = product
    for source, gate in nodes.pairs(inner):
        hard = nodes.before(gate, "HardSigmoid")
        if scaled is None and hard is not None and hard.input[0] == source:
            return _stands_for(node, "HardSwish", source)
        clipped = gate if scaled is not None else nodes.with_constant(gate, "Mul", "Div")
        if clipped is not None and _clipped_sum(nodes, clipped) == source:
            return _stands_for(node, "HardSwish", source)
    return None


def _clipped_sum(nodes: Nodes, name: str) -> str | None:
    """x, where a tensor is a clipped x + a constant."""
    clip = nodes.before(name, "Clip")
    return nodes.with_constant(clip.input[0], "Add") if clip is not None else None


def hard_sigmoid(nodes: Nodes, node: onnx.NodeProto) -> onnx.NodeProto | None:
    """A clipped x + 3, by 6."""
    if node.op_type not in ("Mul", "Div"):
        return None
    clipped = nodes.one_map(node)
    source = _clipped_sum(nodes, clipped) if clipped is not None else None
    return _stands_for(node, "HardSigmoid", source) if source is not None else None


def gelu(nodes: Nodes, node: onnx.NodeProto) -> onnx.NodeProto | None:
    """x times (1 + erf(x / root 2)), by 2 before or behind; or with a tanh of x and its cube."""
    if node.op_type not in ("Mul", "Div"):
        return None
    halved = nodes.one_map(node)
    inner = node if halved is None else nodes.before(halved, "Mul")
    if inner is None:
        return None
    for mine, gate in nodes.pairs(inner):
        source = mine if halved is not None else nodes.with_constant(mine, "Mul", "Div")
        one = nodes.with_constant(gate, "Add") if source is not None else None
        half = nodes.with_constant(gate, "Mul") if source is None and one is None else None
        if half is not None:
            source, one = mine, nodes.with_constant(half, "Add")
        bend = nodes.before(one, "Erf", "Tanh") if one is not None else None
        if bend is not None and source is not None and _comes_from(nodes, bend.input[0], source):
            return _stands_for(node, "Gelu", source)
    return None


def _comes_from(nodes: Nodes, name: str, source: str, steps: int = 8) -> bool:
    """True where a tensor is x by constants, or with its cube added."""
    for _ in range(steps):
        if name == source:
            return True
        node = nodes.before(name, "Mul", "Div", "Add", alone=False)
        if node is None:
            return False
        after = [each for each in node.input if each not in nodes.constants]
        name = source if source in after else after[0] if after else ""
    return False


def _squared(nodes: Nodes, name: str) -> str | None:
    """x, where a tensor is its square."""
    node = nodes.before(name, "Pow", "Mul")
    if node is None or len(node.input) != 2:
        return None
    if node.op_type == "Mul":
        return node.input[0] if node.input[0] == node.input[1] else None
    return nodes.one_map(node)


def _mean(nodes: Nodes, name: str) -> onnx.NodeProto | None:
    return nodes.before(name, "ReduceMean", alone=False)


def layer_norm(nodes: Nodes, node: onnx.NodeProto) -> onnx.NodeProto | None:
    """(x - mean) over the root of its mean square; or x over that root alone."""
    if node.op_type == "Div":
        ways = [(node.input[0], node.input[1])] if len(node.input) == 2 else []
    elif node.op_type == "Mul":
        ways = [
            (mine, inverse.input[-1])
            for mine, other in nodes.pairs(node)
            for inverse in [nodes.before(other, "Reciprocal", "Div")]
            if inverse is not None and nodes.one_map(inverse) == inverse.input[-1]
        ]
    else:
        return None
    for mine, deviation in ways:
        root = nodes.before(deviation, "Sqrt")
        added = nodes.with_constant(root.input[0], "Add") if root is not None else None
        mean = _mean(nodes, added) if added is not None else None
        if mean is None or _squared(nodes, mean.input[0]) != mine:
            continue
        centred = nodes.before(mine, "Sub", alone=False)
        average = _mean(nodes, centred.input[1]) if centred is not None else None
        whole = centred is not None and average is not None and average.input[0] == centred.input[0]
        source = centred.input[0] if whole and centred is not None else mine
        return _normalised(node, "LayerNormalization", source, mean)
    return None


def scaled_norm(nodes: Nodes, node: onnx.NodeProto) -> onnx.NodeProto | None:
    """A norm times a factor for each channel, and perhaps with an offset: both are part of it."""
    if node.op_type == "Add":
        product = nodes.before(nodes.one_map(node) or "", "Mul")
    else:
        product = node if node.op_type == "Mul" else None
    if product is None or not all(nodes.vectors.intersection(each.input) for each in (node, product)):
        return None
    inner = nodes.before(nodes.one_map(product) or "", "Div", "Mul")
    made = layer_norm(nodes, inner) if inner is not None else None
    if made is None:
        return None
    made.output[0], made.name = node.output[0], node.name
    return made


def _normalised(node: onnx.NodeProto, op: str, source: str, over: onnx.NodeProto) -> onnx.NodeProto:
    """A norm over what a mean or sum is over."""
    made = _stands_for(node, op, source, *over.input[1:2])
    made.attribute.extend(each for each in over.attribute if each.name == "axes")
    return made


def softmax(nodes: Nodes, node: onnx.NodeProto) -> onnx.NodeProto | None:
    """exp(x - its largest) over the sum of that."""
    if node.op_type != "Div" or len(node.input) != 2:
        return None
    power, total = nodes.before(node.input[0], "Exp", alone=False), nodes.before(node.input[1], "ReduceSum")
    if power is None or total is None or total.input[0] != node.input[0] or nodes.readers[node.input[0]] != 2:
        return None
    centred = nodes.before(power.input[0], "Sub")
    largest = nodes.before(centred.input[1], "ReduceMax") if centred is not None else None
    source = power.input[0]
    if centred is not None and largest is not None and largest.input[0] == centred.input[0]:
        source = centred.input[0]
    return _normalised(node, "Softmax", source, total)


def lrn(nodes: Nodes, node: onnx.NodeProto) -> onnx.NodeProto | None:
    """x over a power of the mean of its square over some channels, pooled with the channels as depth."""
    if node.op_type != "Div" or len(node.input) != 2:
        return None
    power = nodes.with_constant(node.input[1], "Pow")
    name = nodes.with_constant(power, "Add") if power is not None else None
    size = 0
    for _ in range(MOST_STEPS):
        step = nodes.made_by.get(name) if name is not None else None
        if name is None or step is None or _squared(nodes, name) == node.input[0]:
            break
        if step.op_type == "AveragePool":
            kernel = next((list(each.ints) for each in step.attribute if each.name == "kernel_shape"), [])
            size = max(kernel, default=0)
        elif step.op_type not in ("Mul", "Squeeze", "Unsqueeze", "Reshape", "Pad"):
            return None
        name = nodes.one_map(step)
    if not size or name is None or _squared(nodes, name) != node.input[0]:
        return None
    made = _stands_for(node, "LRN", node.input[0])
    made.attribute.append(helper.make_attribute("size", size))
    return made


def scaled_product(nodes: Nodes, node: onnx.NodeProto) -> onnx.NodeProto | None:
    """A product of two maps, either of them times one number: that is a factor of the product."""
    if node.op_type != "MatMul" or len(node.input) != 2 or nodes.constants.intersection(node.input):
        return None
    sources = [_unscaled(nodes, name) for name in node.input]
    if sources == list(node.input):
        return None
    made = helper.make_node("MatMul", sources, list(node.output), name=node.name)
    made.metadata_props.extend(node.metadata_props)
    return made


def _unscaled(nodes: Nodes, name: str) -> str:
    """The map that a tensor is a multiple of; itself where it is none."""
    factor = nodes.before(name, "Mul", "Div")
    if factor is None or len(factor.input) != 2:
        return name
    source = nodes.one_map(factor)
    number = factor.input[1] if source == factor.input[0] else factor.input[0]
    if source is None or number not in nodes.numbers or (factor.op_type == "Div" and source != factor.input[0]):
        return name
    return source


MOST_STEPS = 12
"""Nodes between the square and the power of a local response normalisation."""

RULES: Sequence[Rule] = (silu, hard_swish, gelu, scaled_norm, layer_norm, softmax, hard_sigmoid, lrn, scaled_product)


def recognised(graph: Graph) -> Graph:
    """The graph with one node for each function that is found, and without the nodes that nothing then reads."""
    nodes = Nodes(graph)
    found = {}
    for number, node in graph.nodes:
        for rule in RULES:
            made = rule(nodes, node)
            if made is not None:
                found[number] = made
                break
    if not found:
        return graph
    kept = [(number, found.get(number, node)) for number, node in graph.nodes]
    return replace(graph, nodes=tuple(_still_read(graph, kept)))


def _still_read(graph: Graph, nodes: Sequence[tuple[int, onnx.NodeProto]]) -> Sequence[tuple[int, onnx.NodeProto]]:
    wanted = {each.name for each in graph.proto.output}
    known = wanted.intersection(name for _, node in nodes for name in node.output)
    kept = []
    for number, node in reversed(nodes):
        if not known or wanted.intersection(node.output):
            kept.append((number, node))
            wanted.update(node.input)
    return kept[::-1]
