"""Do tensors keep their elements through every reshape, transpose, part, join and product?

Random graphs of operators that are exact on integers: each tensor is compared with ONNX's own reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from accelsim.check.reference import compute_directly
from accelsim.errors import UserError
from accelsim.importers import onnx as importer
from accelsim.importers.onnx.model import read_graph
from accelsim.importers.onnx.tensors import Constant, FeatureMap, extent
from accelsim.run.define import build_network

BITS = 40
Values = np.ndarray[Any, Any]


def tensor_of(value: FeatureMap, maps: dict[str, Values]) -> Values:
    """The elements of a tensor from its map, of one image."""
    lies = maps[value.row][0].reshape([atom.extent for atom in value.axes.all])
    order = [atom for dim in value.dims for atom in dim]
    there = [atom for atom in order if atom not in value.repeated]
    found = lies.transpose([value.axes.all.index(atom) for atom in there])
    for place, atom in enumerate(order):
        if atom in value.repeated:
            found = np.repeat(np.expand_dims(found, place), atom.extent, axis=place)
    found = found.reshape([extent(dim) for dim in value.dims])
    if not value.pads:
        return found
    inside = np.pad(found, [(max(a, 0), max(b, 0)) for a, b in value.pads], mode=(
        "reflect" if value.border == "reflect" else "edge" if value.border == "edge" else "constant"
    ))  # fmt: skip
    return np.asarray(inside)


def map_of(value: FeatureMap, tensor: Values) -> Values:
    """The map of an input from its tensor."""
    order = [atom for dim in value.dims for atom in dim]
    apart = tensor.reshape([atom.extent for atom in order])
    return apart.transpose([order.index(atom) for atom in value.axes.all]).reshape(1, *value.axes.extents)


class Drawn:
    """A graph on its way: its nodes, constants, and the shape of each tensor."""

    def __init__(self, shape: Sequence[int], other: Sequence[int]) -> None:
        self.inputs = {"x": tuple(shape), "z": tuple(other)}
        self.shapes: dict[str, tuple[int, ...]] = dict(self.inputs)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, Values] = {}
        self.add("Max", ["z", "z"], [other])
        del self.shapes["z"]

    def constant(self, values: Any) -> str:
        name = f"k{len(self.constants)}"
        self.constants[name] = np.array(values, dtype=np.int64)
        return name

    def add(self, op: str, inputs: Sequence[str], outputs: Sequence[Sequence[int]], **attributes: Any) -> None:
        names = [f"t{len(self.nodes)}_{number}" for number in range(len(outputs))]
        self.nodes.append(helper.make_node(op, inputs, names, name=f"{op}_{names[0]}", **attributes))
        self.shapes.update(zip(names, map(tuple, outputs), strict=True))

    def model(self) -> onnx.ModelProto:
        outputs = [name for node in self.nodes for name in node.output]
        graph = helper.make_graph(
            self.nodes,
            "views",
            [helper.make_tensor_value_info(name, TensorProto.INT64, dims) for name, dims in self.inputs.items()],
            [helper.make_tensor_value_info(name, TensorProto.INT64, None) for name in outputs],
            [numpy_helper.from_array(values, name) for name, values in self.constants.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


@st.composite
def graphs(draw: st.DrawFn) -> Drawn:
    """Up to nine operators over two inputs."""
    sizes = st.sampled_from([1, 2, 3, 4, 6])
    shape = [1, *draw(st.lists(sizes, min_size=1, max_size=3))]
    other = draw(st.sampled_from([shape, [1, *draw(st.lists(sizes, min_size=1, max_size=3))]]))
    drawn = Drawn(shape, other)
    for _ in range(draw(st.integers(1, 9))):
        source = draw(st.sampled_from([name for name, dims in drawn.shapes.items() if dims]))
        STEPS[draw(st.sampled_from(list(STEPS)))](draw, drawn, source)
    return drawn


def _reshape(draw: Any, drawn: Drawn, source: str) -> None:
    total, shape = prod(drawn.shapes[source]), list[int]()
    while total > 1 and len(shape) < 4:
        part = draw(st.sampled_from([each for each in range(1, total + 1) if total % each == 0]))
        shape.append(part)
        total //= part
    shape = [*draw(st.sampled_from([[], [1]])), *shape, *([total] if total > 1 or not shape else [])]
    drawn.add("Reshape", [source, drawn.constant(shape)], [shape])


def _transpose(draw: Any, drawn: Drawn, source: str) -> None:
    shape = drawn.shapes[source]
    order = draw(st.permutations(range(len(shape))))
    drawn.add("Transpose", [source], [[shape[each] for each in order]], perm=order)


def _slice(draw: Any, drawn: Drawn, source: str) -> None:
    shape = list(drawn.shapes[source])
    axis = draw(st.integers(0, len(shape) - 1))
    start = draw(st.integers(0, shape[axis] - 1))
    stop, step = draw(st.integers(start + 1, shape[axis])), draw(st.sampled_from([1, 1, 2]))
    shape[axis] = len(range(start, stop, step))
    numbers = [drawn.constant([each]) for each in (start, stop, axis, step)]
    drawn.add("Slice", [source, *numbers], [shape])


def _split(draw: Any, drawn: Drawn, source: str) -> None:
    shape = list(drawn.shapes[source])
    axis = draw(st.integers(0, len(shape) - 1))
    if shape[axis] > 1:
        first = draw(st.integers(1, shape[axis] - 1))
        sizes = [first, shape[axis] - first]
        outputs = [[*shape[:axis], size, *shape[axis + 1 :]] for size in sizes]
        drawn.add("Split", [source, drawn.constant(sizes)], outputs, axis=axis)


def _gather(draw: Any, drawn: Drawn, source: str) -> None:
    shape = list(drawn.shapes[source])
    axis = draw(st.integers(0, len(shape) - 1))
    scalar = draw(st.booleans())
    numbers = draw(
        st.integers(0, shape[axis] - 1) if scalar else st.lists(st.integers(0, shape[axis] - 1), min_size=1, max_size=3)
    )
    middle = [] if scalar else [len(numbers)]
    drawn.add("Gather", [source, drawn.constant(numbers)], [[*shape[:axis], *middle, *shape[axis + 1 :]]], axis=axis)


def _numbers(draw: Any, shape: Sequence[int], axis: int) -> Values:
    """Numbers along an axis, for no more elements than there are: alike for all others, or each its own."""
    size = shape[axis]
    dims = [draw(st.integers(1, 3)) if place == axis else each for place, each in enumerate(shape)]
    if draw(st.booleans()):
        row = np.array(draw(st.lists(st.integers(-size, size - 1), min_size=dims[axis], max_size=dims[axis])))
        return np.broadcast_to(row.reshape([-1 if place == axis else 1 for place in range(len(dims))]), dims)
    count = prod(dims)
    return np.array(draw(st.lists(st.integers(0, size - 1), min_size=count, max_size=count))).reshape(dims)


def _gather_elements(draw: Any, drawn: Drawn, source: str) -> None:
    shape = drawn.shapes[source]
    axis = draw(st.integers(0, len(shape) - 1))
    if prod(shape) <= 48:
        numbers = _numbers(draw, shape, axis)
        drawn.add("GatherElements", [source, drawn.constant(numbers)], [numbers.shape], axis=axis)


def _blocks(draw: Any, shape: Sequence[int]) -> Values:
    """Numbers of some of the blocks of the first dimensions, each once."""
    leading = draw(st.integers(1, len(shape)))
    outer = shape[:leading]
    most = min(prod(outer), 5)
    flat = draw(st.lists(st.integers(0, prod(outer) - 1), min_size=1, max_size=most, unique=True))
    return np.stack(np.unravel_index(flat, outer), axis=-1)


def _gather_blocks(draw: Any, drawn: Drawn, source: str) -> None:
    shape = drawn.shapes[source]
    numbers = _blocks(draw, shape)
    drawn.add("GatherND", [source, drawn.constant(numbers)], [[len(numbers), *shape[numbers.shape[1] :]]])


def _scatter_blocks(draw: Any, drawn: Drawn, source: str) -> None:
    """Blocks of the map itself, in other places."""
    shape = drawn.shapes[source]
    numbers, others = (_blocks(draw, shape) for _ in range(2))
    if numbers.shape == others.shape:
        places = drawn.constant(numbers)
        drawn.add("GatherND", [source, drawn.constant(others)], [[len(numbers), *shape[numbers.shape[1] :]]])
        blocks = drawn.nodes[-1].output[0]
        drawn.add("ScatterND", [source, places, blocks], [shape])


def _scatter_elements(draw: Any, drawn: Drawn, source: str) -> None:
    """The last elements of an axis in the place of the first."""
    shape = drawn.shapes[source]
    axis = draw(st.integers(0, len(shape) - 1))
    size = draw(st.integers(1, shape[axis]))
    part = [size if place == axis else each for place, each in enumerate(shape)]
    start = shape[axis] - size
    drawn.add("Slice", [source, *(drawn.constant([each]) for each in (start, shape[axis], axis))], [part])
    last = drawn.nodes[-1].output[0]
    places = np.broadcast_to(np.arange(size).reshape([-1 if place == axis else 1 for place in range(len(part))]), part)
    if prod(part) <= 48:
        drawn.add("ScatterElements", [source, drawn.constant(places), last], [shape], axis=axis)


def _concat(draw: Any, drawn: Drawn, source: str) -> None:
    shape = drawn.shapes[source]
    axis = draw(st.integers(0, len(shape) - 1))

    def fits(other: tuple[int, ...]) -> bool:
        return len(other) == len(shape) and other[:axis] + other[axis + 1 :] == shape[:axis] + shape[axis + 1 :]

    other = draw(st.sampled_from([name for name, each in drawn.shapes.items() if fits(each)]))
    total = shape[axis] + drawn.shapes[other][axis]
    drawn.add("Concat", [source, other], [[*shape[:axis], total, *shape[axis + 1 :]]], axis=axis)


def _combine(draw: Any, drawn: Drawn, source: str) -> None:
    fitting = []
    for name, shape in drawn.shapes.items():
        try:
            np.broadcast_shapes(shape, drawn.shapes[source])
            fitting.append(name)
        except ValueError:
            continue
    other = draw(st.sampled_from(fitting))
    op = draw(st.sampled_from(["Add", "Sub", "Max", "Min"]))
    drawn.add(op, [source, other], [np.broadcast_shapes(drawn.shapes[other], drawn.shapes[source])])


def _reduce(draw: Any, drawn: Drawn, source: str) -> None:
    shape = drawn.shapes[source]
    axes = draw(st.lists(st.integers(0, len(shape) - 1), min_size=1, max_size=2, unique=True))
    keep = draw(st.booleans())
    output = [1 if place in axes else size for place, size in enumerate(shape) if keep or place not in axes]
    drawn.add("ReduceMax", [source, drawn.constant(axes)], [output], keepdims=keep)


def _unsqueeze(draw: Any, drawn: Drawn, source: str) -> None:
    shape = drawn.shapes[source]
    place = draw(st.integers(0, len(shape)))
    drawn.add("Unsqueeze", [source, drawn.constant([place])], [[*shape[:place], 1, *shape[place:]]])


def _expand(draw: Any, drawn: Drawn, source: str) -> None:
    shape = list(drawn.shapes[source])
    places = [place for place, size in enumerate(shape) if size == 1]
    if places:
        shape[draw(st.sampled_from(places))] = draw(st.integers(2, 3))
        drawn.add("Expand", [source, drawn.constant(shape)], [shape])


def _tile(draw: Any, drawn: Drawn, source: str) -> None:
    shape = drawn.shapes[source]
    times = [draw(st.sampled_from([1, 1, 2])) for _ in shape]
    if prod(shape) * prod(times) < 500:
        drawn.add("Tile", [source, drawn.constant(times)], [[a * b for a, b in zip(shape, times, strict=True)]])


def _matmul(draw: Any, drawn: Drawn, source: str) -> None:
    left = drawn.shapes[source]

    def fits(right: tuple[int, ...]) -> bool:
        return len(left) > 1 and len(right) > 1 and left[-1] == right[-2] and all(
            1 in (a, b) or a == b for a, b in zip(left[-3::-1], right[-3::-1], strict=False)
        )  # fmt: skip

    rights = [name for name, shape in drawn.shapes.items() if fits(shape)]
    if rights:
        other = draw(st.sampled_from(rights))
        right = drawn.shapes[other]
        drawn.add("MatMul", [source, other], [[*np.broadcast_shapes(left[:-2], right[:-2]), left[-2], right[-1]]])


def _pad(draw: Any, drawn: Drawn, source: str) -> None:
    shape = drawn.shapes[source]
    mode = draw(st.sampled_from(["constant", "edge", "reflect"]))
    most = [size - 1 if mode == "reflect" else 2 for size in shape]
    before, behind = ([draw(st.integers(0, min(2, each))) for each in most] for _ in range(2))
    output = [size + a + b for size, a, b in zip(shape, before, behind, strict=True)]
    drawn.add("Pad", [source, drawn.constant([*before, *behind])], [output], mode=mode)


STEPS: dict[str, Any] = {
    "reshape": _reshape, "transpose": _transpose, "slice": _slice, "split": _split, "gather": _gather,
    "concat": _concat, "combine": _combine, "reduce": _reduce, "unsqueeze": _unsqueeze, "expand": _expand,
    "tile": _tile, "gather elements": _gather_elements, "gather blocks": _gather_blocks,
    "scatter blocks": _scatter_blocks, "scatter elements": _scatter_elements,
    "matmul": _matmul, "pad": _pad,
}  # fmt: skip


def differences(drawn: Drawn, folder: Path, seed: int) -> list[str] | None:
    """Tensors that are not what ONNX says; None where the importer refuses the graph."""
    model = drawn.model()
    path = folder / "views.onnx"
    path.write_bytes(model.SerializeToString())
    graph = read_graph(path, path.name)
    try:
        _, network = build_network(importer.read(path, path.name))
        importing, refusals = importer.taken(graph, path.name, {}, batched=True)
    except UserError:
        return None
    assert not refusals
    random = np.random.default_rng(seed)
    given_values = {name: random.integers(-9, 9, size=dims, dtype=np.int64) for name, dims in drawn.inputs.items()}
    wanted = ReferenceEvaluator(model).run(None, given_values)
    images = {}
    for name, values in given_values.items():
        value = importing.values.get(name)
        if isinstance(value, FeatureMap):
            images[value.row] = map_of(value, values)
    bits = dict.fromkeys((*images, *(node.name for node in network.nodes)), BITS)
    maps = images | compute_directly(network, images, {}, map_bits=bits, weight_bits=8)
    wrong = []
    for name, values in zip((each.name for each in model.graph.output), wanted, strict=True):
        value = importing.values[name]
        assert not isinstance(value, Constant)
        if value.shape != values.shape or not np.array_equal(tensor_of(value, maps), values):
            wrong.append(f"{name}: {value.shape} for {values.shape}")
    return wrong


@settings(max_examples=200)
@given(drawn=graphs(), seed=st.integers(0, 1 << 30))
def test_each_tensor_is_what_onnx_says(drawn: Drawn, seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert not differences(drawn, tmp_path_factory.mktemp("views"), seed)
