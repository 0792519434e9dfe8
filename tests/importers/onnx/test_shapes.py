"""Has every tensor of random graphs the shape that ONNX infers?

Graphs of convolutions, pools, products, norms, broadcasts and views, of up to twelve nodes; a graph may be refused,
with a message, but no shape may be another one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from accelsim.importers.onnx import taken
from accelsim.importers.onnx.model import Graph, graph_of
from accelsim.importers.onnx.patterns import recognised

Shape = tuple[int, ...]
OPSET = 18
MOST_ELEMENTS = 20_000


class Random:
    """A graph on its way, by a seed: nodes, constants, and the tensors that further ones may read."""

    def __init__(self, seed: int, size: Shape | None = None) -> None:
        self.random = random.Random(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self.shapes: dict[str, Shape] = {"x": size or self._input()}
        self.known = {"x": helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shapes["x"])}

    def _input(self) -> Shape:
        rank = self.random.choice([2, 3, 4, 4, 4])
        first = self.random.choice([1, 1, 2])
        return (first, *(self.random.choice([1, 2, 3, 4, 6, 8, 12]) for _ in range(rank - 1)))

    def any(self, fits: Callable[[Shape], bool] = lambda shape: True) -> str | None:
        """A tensor whose shape fits."""
        names = [name for name, shape in self.shapes.items() if fits(shape)]
        return self.random.choice(names[-6:]) if names else None

    def numbers(self, *values: int) -> str:
        name = f"k{len(self.constants)}"
        self.constants[name] = numpy_helper.from_array(np.array(values, dtype=np.int64), name)
        return name

    def weights(self, *shape: int) -> str:
        """A constant of which only the shape is there."""
        name = f"k{len(self.constants)}"
        outside = TensorProto.EXTERNAL
        self.constants[name] = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape, data_location=outside)
        return name

    def add(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> None:
        names = [f"t{len(self.nodes)}_{number}" for number in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, name=f"{op}{len(self.nodes)}", **attributes))

    def outputs(self, since: int) -> list[str]:
        """The tensors that nodes from this one on give."""
        return [name for node in self.nodes[since:] for name in node.output]

    def graph(self, since: int = 0) -> onnx.GraphProto:
        """Nodes from this one on; what they read of those before comes in."""
        nodes = self.nodes[since:]
        read = dict.fromkeys(name for node in nodes for name in node.input)
        given = [self.known[name] for name in read if name in self.known] if since else [self.known["x"]]
        constants = [self.constants[name] for name in read if name in self.constants]
        outputs = [onnx.ValueInfoProto(name=name) for name in nodes[-1].output]
        return onnx.GraphProto(name="random", node=nodes, input=given, output=outputs, initializer=constants)


Step = Callable[[Random], None]


def _pair(made: Random, low: int, high: int) -> list[int]:
    return [made.random.randint(low, high) for _ in range(2)]


def _window(made: Random, shape: Shape) -> dict[str, Any] | None:
    kernel = _pair(made, 1, 3)
    pads = [made.random.randint(0, min(each - 1, 1)) for each in kernel] * 2
    if any(size + 2 * pad < each for size, pad, each in zip(shape[2:], pads, kernel, strict=False)):
        return None
    more = {"auto_pad": "SAME_UPPER"} if made.random.random() < 0.2 else {"pads": pads}
    return {"kernel_shape": kernel, "strides": _pair(made, 1, 2), **more}


def conv(made: Random) -> None:
    source = made.any(lambda shape: len(shape) == 4)
    window = _window(made, made.shapes[source]) if source else None
    if source and window:
        channels = made.shapes[source][1]
        groups = made.random.choice([each for each in (1, 2, channels) if channels % each == 0])
        weights = made.weights(groups * made.random.choice([1, 2, 3]), channels // groups, *window["kernel_shape"])
        made.add("Conv", source, weights, group=groups, **window)


def pool(made: Random) -> None:
    source = made.any(lambda shape: len(shape) == 4)
    window = _window(made, made.shapes[source]) if source else None
    if source and window:
        made.add(made.random.choice(["MaxPool", "AveragePool"]), source, **window)


def transposed_conv(made: Random) -> None:
    source = made.any(lambda shape: len(shape) == 4 and prod(shape) < 500)
    if source:
        weights = made.weights(made.shapes[source][1], made.random.choice([1, 3]), 2, 2)
        made.add("ConvTranspose", source, weights, strides=[2, 2])


def global_pool(made: Random) -> None:
    source = made.any(lambda shape: len(shape) == 4)
    if source:
        made.add("GlobalAveragePool", source)


def product(made: Random) -> None:
    source = made.any(lambda shape: len(shape) >= 2)
    if source:
        made.add("MatMul", source, made.weights(made.shapes[source][-1], made.random.choice([2, 3, 8])))


def two_maps(made: Random) -> None:
    left = made.any(lambda shape: len(shape) >= 2)
    if left:
        shape = made.shapes[left]
        order = [*range(len(shape) - 2), len(shape) - 1, len(shape) - 2]
        made.add("Transpose", left, perm=order)
        made.add("MatMul", left, made.nodes[-1].output[0])


def gemm(made: Random) -> None:
    source = made.any(lambda shape: len(shape) == 2)
    if source:
        made.add("Gemm", source, made.weights(5, made.shapes[source][1]), transB=1)


def one(made: Random) -> None:
    op = made.random.choice(["Relu", "Sigmoid", "HardSwish", "Exp", "Tanh", "Erf", "LeakyRelu", "Identity", "Sqrt"])
    made.add(op, made.any() or "x")


def binary(made: Random) -> None:
    """Of two maps that broadcast, or a map and a constant."""
    source = made.any() or "x"
    shape = made.shapes[source]
    op = made.random.choice(["Add", "Mul", "Sub", "Div", "Max", "Pow"])
    if made.random.random() < 0.5:
        rank = made.random.randint(0, len(shape))
        other = [made.random.choice([1, each]) for each in shape[len(shape) - rank :]]
        if made.random.random() < 0.2:
            other = [2, *other] if len(other) == len(shape) < 4 else other
        inputs = [source, made.weights(*other)]
        made.random.shuffle(inputs)
        made.add(op, *inputs)
        return
    other_map = made.any(lambda each: _broadcasts(each, shape))
    made.add(op, source, other_map or source)


def _broadcasts(first: Shape, second: Shape) -> bool:
    pairs = zip(first[::-1], second[::-1], strict=False)
    return all(1 in pair or pair[0] == pair[1] for pair in pairs)


def softmax(made: Random) -> None:
    source = made.any(lambda shape: len(shape) >= 1)
    if source:
        made.add("Softmax", source, axis=made.random.randrange(-1, len(made.shapes[source])))


def running_sum(made: Random) -> None:
    source = made.any(lambda shape: len(shape) >= 2)
    if source:
        made.add("CumSum", source, made.numbers(made.random.randrange(1, len(made.shapes[source]))))


def largest(made: Random) -> None:
    source = made.any(lambda shape: len(shape) >= 2)
    if source:
        axis = made.random.randrange(1, len(made.shapes[source]))
        count = made.random.randint(1, made.shapes[source][axis])
        made.add("TopK", source, made.numbers(count), outputs=2, axis=axis)


def layer_norm(made: Random) -> None:
    source = made.any(lambda shape: len(shape) >= 2)
    if source:
        shape = made.shapes[source]
        axis = made.random.randint(1, len(shape) - 1)
        made.add("LayerNormalization", source, made.weights(*shape[axis:]), axis=axis)


def batch_norm(made: Random) -> None:
    source = made.any(lambda shape: len(shape) in (3, 4))
    if source:
        made.add("BatchNormalization", source, *(made.weights(made.shapes[source][1]) for _ in range(4)))


def reduce(made: Random) -> None:
    source = made.any(lambda shape: len(shape) >= 2)
    if source:
        rank = len(made.shapes[source])
        axes = made.random.sample(range(rank), made.random.randint(1, rank - 1))
        op = made.random.choice(["ReduceMean", "ReduceMax", "ReduceSum", "ReduceL2"])
        made.add(op, source, made.numbers(*axes), keepdims=made.random.randint(0, 1))


def reshape(made: Random) -> None:
    source = made.any() or "x"
    shape = made.shapes[source]
    total, wanted = prod(shape[1:]), list(shape[:1])
    while total > 1 and len(wanted) < 4:
        part = made.random.choice([each for each in range(1, total + 1) if total % each == 0])
        wanted.append(part)
        total //= part
    wanted += [total] if total > 1 else []
    if made.random.random() < 0.3:
        wanted[made.random.randrange(len(wanted))] = -1
    made.add("Reshape", source, made.numbers(*wanted))


def transpose(made: Random) -> None:
    source = made.any() or "x"
    order = list(range(len(made.shapes[source])))
    rest = order[1:]
    made.random.shuffle(rest)
    made.add("Transpose", source, perm=[*order[:1], *rest])


def flatten(made: Random) -> None:
    made.add("Flatten", made.any(lambda shape: len(shape) >= 2) or "x", axis=1)


def squeeze(made: Random) -> None:
    source = made.any(lambda shape: 1 in shape[1:])
    if source:
        places = [place for place, size in enumerate(made.shapes[source]) if size == 1 and place]
        made.add("Squeeze", source, made.numbers(made.random.choice(places)))


def unsqueeze(made: Random) -> None:
    source = made.any(lambda shape: len(shape) < 5)
    if source:
        made.add("Unsqueeze", source, made.numbers(made.random.randint(1, len(made.shapes[source]))))


def divisible(made: Random) -> tuple[str, int, int] | None:
    """A tensor, one of its dimensions that has several elements, and how many."""
    source = made.any(lambda shape: max(shape[1:], default=1) > 1)
    if not source:
        return None
    shape = made.shapes[source]
    axis = made.random.choice([place for place, size in enumerate(shape) if place and size > 1])
    return source, axis, shape[axis]


def cut(made: Random) -> None:
    if found := divisible(made):
        source, axis, size = found
        start = made.random.randint(0, size - 1)
        stop = made.random.choice([start + 1, size, 1 << 40, -1 if start < size - 1 else size])
        numbers = [made.numbers(each) for each in (start, stop, axis, made.random.choice([1, 1, 2]))]
        made.add("Slice", source, *numbers)


def split(made: Random) -> None:
    if found := divisible(made):
        source, axis, size = found
        first = made.random.randint(1, size - 1)
        made.add("Split", source, made.numbers(first, size - first), outputs=2, axis=axis)


def concat(made: Random) -> None:
    source = made.any(lambda shape: len(shape) >= 2) or "x"
    shape = made.shapes[source]
    axis = made.random.randint(1, len(shape) - 1)
    rest = shape[:axis] + shape[axis + 1 :]
    other = made.any(lambda each: len(each) == len(shape) and each[:axis] + each[axis + 1 :] == rest)
    made.add("Concat", source, other or source, axis=axis)


def gather(made: Random) -> None:
    source = made.any(lambda shape: len(shape) >= 2)
    if source:
        axis = made.random.randint(1, len(made.shapes[source]) - 1)
        most = made.shapes[source][axis] - 1
        made.add("Gather", source, made.numbers(*(made.random.randint(0, most) for _ in range(2))), axis=axis)


def pad(made: Random) -> None:
    source = made.any(lambda shape: len(shape) == 4)
    if source:
        made.add("Pad", source, made.numbers(0, 0, 1, 1, 0, 0, made.random.randint(0, 2), 1))


def resize(made: Random) -> None:
    source = made.any(lambda shape: len(shape) == 4 and prod(shape) < 2000)
    if source:
        scales = f"k{len(made.constants)}"
        made.constants[scales] = numpy_helper.from_array(np.array([1, 1, 2, 2], dtype=np.float32), scales)
        made.add("Resize", source, "", scales, mode="nearest")


def blocks(made: Random) -> None:
    source = made.any(lambda shape: len(shape) == 4 and not (shape[2] % 2 or shape[3] % 2))
    if source:
        made.add("SpaceToDepth", source, blocksize=2)


def expand(made: Random) -> None:
    source = made.any(lambda shape: 1 in shape[1:] and prod(shape) < 2000)
    if source:
        shape = list(made.shapes[source])
        shape[made.random.choice([place for place, size in enumerate(shape) if size == 1 and place])] = 3
        made.add("Expand", source, made.numbers(*shape))


def by_its_shape(made: Random) -> None:
    """A reshape to a shape that the graph computes: the images, and all the rest."""
    source = made.any(lambda shape: len(shape) >= 2)
    if source:
        made.add("Shape", source, start=0, end=1)
        made.add("Concat", made.nodes[-1].output[0], made.numbers(-1), axis=0)
        made.add("Reshape", source, made.nodes[-1].output[0])


def in_several_nodes(made: Random) -> None:
    """A function as exporters write it: SiLU, GELU, softmax, a layer norm or that without the mean."""
    source = made.any(lambda shape: len(shape) >= 2) or "x"
    FUNCTIONS[made.random.choice(list(FUNCTIONS))](made, source)


def _behind(made: Random, op: str, *others: str) -> str:
    made.add(op, *others)
    return made.nodes[-1].output[0]


def _silu(made: Random, source: str) -> None:
    made.add("Mul", source, _behind(made, "Sigmoid", source))


def _gelu(made: Random, source: str) -> None:
    bend = _behind(made, "Erf", _behind(made, "Div", source, made.weights()))
    product = _behind(made, "Mul", source, _behind(made, "Add", bend, made.weights()))
    made.add("Mul", product, made.weights())


def _axis(made: Random, source: str) -> str:
    """The last axis, or one of those behind the first."""
    return made.numbers(made.random.choice([-1, made.random.randrange(1, len(made.shapes[source]))]))


def _softmax(made: Random, source: str) -> None:
    axis = _axis(made, source)
    power = _behind(made, "Exp", _behind(made, "Sub", source, _behind(made, "ReduceMax", source, axis)))
    made.add("Div", power, _behind(made, "ReduceSum", power, axis))


def _layer_norm(made: Random, source: str, *, centred: bool = True) -> None:
    axis = _axis(made, source)
    apart = _behind(made, "Sub", source, _behind(made, "ReduceMean", source, axis)) if centred else source
    mean = _behind(made, "ReduceMean", _behind(made, "Mul", apart, apart), axis)
    made.add("Div", apart, _behind(made, "Sqrt", _behind(made, "Add", mean, made.weights())))


FUNCTIONS: dict[str, Callable[[Random, str], None]] = {
    "silu": _silu,
    "gelu": _gelu,
    "softmax": _softmax,
    "layer norm": _layer_norm,
    "mean square": lambda made, source: _layer_norm(made, source, centred=False),
}


STEPS: Sequence[Step] = (
    conv, conv, pool, transposed_conv, global_pool, product, two_maps, gemm, one, one, binary, binary, softmax,
    layer_norm, batch_norm, reduce, reshape, transpose, flatten, squeeze, unsqueeze, cut, split, concat, gather, pad,
    resize, blocks, expand, by_its_shape, running_sum, largest, in_several_nodes,
)  # fmt: skip


def inferred(graph: onnx.GraphProto) -> dict[str, onnx.ValueInfoProto] | None:
    """Every tensor that a graph computes, by ONNX; None where a node is none that ONNX allows."""
    model = onnx.ModelProto(ir_version=10, graph=graph, opset_import=[onnx.OperatorSetIdProto(version=OPSET)])
    try:
        found = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    except onnx.shape_inference.InferenceError:
        return None
    return {each.name: each for each in (*found.value_info, *found.output)}


def shape_of(value: onnx.ValueInfoProto | None) -> Shape:
    """The shape of a tensor; one without elements where ONNX has none."""
    if value is None or not value.type.tensor_type.HasField("shape"):
        return (0,)
    return tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)


def drawn(seed: int) -> Random:
    """A graph, each node of which ONNX allows."""
    made = Random(seed)
    for _ in range(made.random.randint(1, 12)):
        nodes, constants = len(made.nodes), dict(made.constants)
        step = made.random.choice(STEPS)
        step(made)
        if len(made.nodes) == nodes:
            continue
        found = inferred(made.graph(nodes)) or {}
        new = made.outputs(nodes)
        if any(not 0 < prod(shape_of(found.get(name))) <= MOST_ELEMENTS for name in new):
            del made.nodes[nodes:]
            made.constants = constants
            continue
        made.known |= found
        maps = new[-1:] if step in (by_its_shape, in_several_nodes) else new
        made.shapes |= {name: shape_of(found[name]) for name in maps}
    if not made.nodes:
        made.add("Relu", "x")
    return made


def whole(made: Random) -> tuple[Graph, dict[str, Shape]]:
    """A graph, and the shapes of its tensors, inferred for the graph as a whole."""
    graph = made.graph()
    found = inferred(graph)
    assert found is not None
    return graph_of(graph, OPSET), {name: shape_of(each) for name, each in found.items()}


def differences(graph: Graph, shapes: dict[str, Shape]) -> tuple[list[str], bool]:
    """Tensors of a graph that have another shape, and whether something of it is refused.

    The graph is taken as it is and with its functions recognised, with a batch of images and without; ways that are the
    same for it are taken once.
    """
    found = recognised(graph)
    ways = [(graph, True)]
    ways += [(found, True)] if found is not graph else []
    ways += [(graph, False)] if shape_of(graph.proto.input[0])[0] > 1 else []
    wrong, refused = [], []
    for shown, batched in ways:
        importing, refusals = taken(shown, "random.onnx", {}, batched=batched)
        refused.append(bool(refusals))
        wrong += [
            f"{name} {value.shape} for {shapes[name]}"
            for name, value in importing.values.items()
            if name in shapes and value.shape != shapes[name]
        ]
    return wrong, all(refused)


def test_random_graphs_have_the_shapes_that_onnx_infers() -> None:
    assert not [(seed, each) for seed in range(60) for each in differences(*whole(drawn(seed)))[0]]


def test_a_map_is_broadcast_with_a_view_of_itself() -> None:
    """Of which a part is taken then: one dimension of the two."""
    made = Random(0, (1, 4, 1))
    made.add("Flatten", "x", axis=1)
    made.add("Sub", "t0_0", "x")
    made.add("Gather", "t1_0", made.numbers(0, 2), axis=2)
    assert differences(*whole(made)) == ([], False)


def test_a_pool_keeps_the_size_of_a_padded_map() -> None:
    made = Random(0, (1, 2, 6, 6))
    made.add("Pad", "x", made.numbers(0, 0, 1, 1, 0, 0, 1, 2))
    made.add("MaxPool", "t0_0", kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER")
    assert differences(*whole(made)) == ([], False)


MANY = 5_000
"""Graphs of one case: six seconds of one core."""


@pytest.mark.slow
@pytest.mark.parametrize("case", range(1, 5))
def test_many_random_graphs_have_the_shapes_that_onnx_infers(case: int) -> None:
    """20,000 of them; few have a node that is refused."""
    refused = 0
    for seed in range(case * MANY, (case + 1) * MANY):
        wrong, is_refused = differences(*whole(drawn(seed)))
        assert not wrong, seed
        refused += is_refused
    assert refused < MANY / 100
