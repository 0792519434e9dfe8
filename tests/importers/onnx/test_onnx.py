"""Are ONNX models the networks they stand for, and is what cannot be modelled refused, whatever the file?"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from accelsim.cli import main
from accelsim.errors import UserError
from accelsim.importers.onnx import model as model_file
from accelsim.importers.onnx import read, skeleton, taken
from accelsim.importers.onnx.folding import folded
from accelsim.importers.onnx.importing import Importing
from accelsim.importers.onnx.operators import OPERATORS
from accelsim.importers.onnx.tensors import Constant
from accelsim.network.graph import Network
from accelsim.report.layers import layer_table
from accelsim.run.define import build_network, load_network
from accelsim.run.simulate import load_both, run_network, simulate

ROOT = Path(__file__).resolve().parents[3]
GOLDENS = sorted((Path(__file__).parents[2] / "data" / "onnx").glob("*.onnx"))
COLUMNS = (
    "type", "in_h", "in_w", "in_c", "out_h", "out_w", "out_c", "kh", "kw", "stride", "pad", "groups", "macs", "params",
)  # fmt: skip

ATTRIBUTES = (
    "pads", "strides", "kernel_shape", "group", "axis", "perm", "axes", "dilations", "ceil_mode", "size",
)  # fmt: skip

Nodes = Sequence[onnx.NodeProto]


def saved(
    folder: Path,
    nodes: Nodes,
    *,
    size: Sequence[int | str] = (1, 8, 16, 16),
    weights: dict[str, Sequence[int]] | None = None,
    constants: dict[str, Any] | None = None,
    opset: int = 18,
    outputs: Sequence[str] = ("y",),
) -> Path:
    """A model with an input `x`; weights have shapes and values outside of the file, constants have their values."""
    initializers = [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()]
    for name, dims in (weights or {}).items():
        tensor = TensorProto(name=name, dims=dims, data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", "../../../../etc/passwd"
        initializers.append(tensor)
    graph = helper.make_graph(
        list(nodes),
        "model",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, size)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def node(op: str, inputs: str, output: str = "y", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs.split(), [output], name=f"{op}_{output}", **attributes)


def network(path: Path, **options: Any) -> Network:
    return build_network(read(path, path.name, **options))[1]


def rows(path: Path) -> list[tuple[str, ...]]:
    """Op, output shape and activation of each layer."""
    return [
        (each.label, f"{each.output.height}x{each.output.width}x{each.output.channels}", each.activation)
        for each in network(path).nodes
    ]


def refused(path: Path, **options: Any) -> list[str]:
    with pytest.raises(UserError) as error:
        network(path, **options)
    return [str(each) for each in error.value.mistakes]


def table(of: Network) -> list[list[str]]:
    return [[str(row[column]) for column in COLUMNS] for row in layer_table(of)]


# What is published.


@pytest.mark.parametrize(
    "path", [pytest.param(path, marks=[pytest.mark.slow] * (".dynamo." in path.name), id=path.stem) for path in GOLDENS]
)
def test_an_exported_network_is_ours_layer_by_layer(path: Path) -> None:
    """Exported by PyTorch in two ways, weights as ConstantOfShape or as inputs; and it costs the same, the softmax that
    only the built-in network ends with left out. The terms of an addition come in another order, a few clocks apart."""
    ours = path.name.split(".dynamo")[0].split(".ts")[0]
    workload, whole, *target = load_both(ours, "edge")
    assert table(network(path)) == table(whole)
    assert whole.nodes[-1].label == "softmax"
    own = run_network(workload, replace(whole, nodes=whole.nodes[:-1]), *target)
    imported = simulate(path, "edge")
    assert imported.total.total_cycles == pytest.approx(own.total.total_cycles, rel=3e-4)
    moved = [record.counts.dram_burst_bytes for record in own.records]
    assert [record.counts.dram_burst_bytes for record in imported.records] == moved
    assert imported.total.counts.macs == own.total.counts.macs


def test_all_goldens_are_there() -> None:
    assert len(GOLDENS) == 5


# Operators.


def test_convolutions_in_every_form(tmp_path: Path) -> None:
    path = saved(
        tmp_path,
        [
            node("Conv", "x a", "a1", pads=[1, 0, 2, 1], strides=[2, 1]),
            node("Conv", "a1 b", "b1", group=4, dilations=[2, 2], kernel_shape=[3, 3], pads=[2, 2, 2, 2]),
            node("Conv", "b1 c", "c1", group=16, auto_pad="SAME_UPPER", strides=[2, 2]),
            node("Conv", "c1 d bias", "y", auto_pad="SAME_LOWER", kernel_shape=[4, 4]),
        ],
        weights={"a": (16, 8, 3, 3), "b": (16, 4, 3, 3), "c": (16, 1, 3, 3), "d": (5, 16, 4, 4), "bias": (5,)},
    )
    assert rows(path) == [
        ("conv", "9x15x16", "none"),
        ("gconv", "9x15x16", "none"),
        ("dwconv", "5x8x16", "none"),
        ("conv", "5x8x5", "none"),
    ]
    last = network(path).nodes[-1].window
    assert (last.vertical.pad, last.vertical.pad_end) == (2, 1)


def test_a_signal_is_an_image_one_pixel_wide(tmp_path: Path) -> None:
    """Convolutions and pools over (batch, channels, steps), as in speech and sensors."""
    path = saved(
        tmp_path,
        [
            node("Conv", "x a", "b", kernel_shape=[5], strides=[2], pads=[2, 2]),
            node("Relu", "b", "c"),
            node("MaxPool", "c", "d", kernel_shape=[2], strides=[2]),
            node("Conv", "d e", "f", group=16, dilations=[2], auto_pad="SAME_UPPER"),
            node("Flatten", "f", "g"),
            node("Gemm", "g w", "y", transB=1),
        ],
        size=(1, 3, 64),
        weights={"a": (16, 3, 5), "e": (16, 1, 3), "w": (4, 256)},
    )
    assert rows(path) == [
        ("conv", "32x1x16", "relu"), ("maxpool", "16x1x16", "none"), ("dwconv", "16x1x16", "none"),
        ("fc", "1x1x4", "none"),
    ]  # fmt: skip
    assert network(path).macs == 32 * 16 * 15 + 16 * 16 * 3 + 1024
    assert main(["check", str(path), "edge"]) == 0


@pytest.mark.parametrize(("op", "ours"), [("MaxPool", "maxpool"), ("AveragePool", "avgpool")])
def test_pools_round_up_or_down_as_onnx_does(op: str, ours: str, tmp_path: Path) -> None:
    """Shapes as ONNX's own inference has them."""
    for size in range(5, 12):
        for ceil in (0, 1):
            pool = node(op, "x", kernel_shape=[3, 3], strides=[2, 2], pads=[0, 1, 0, 1], ceil_mode=ceil)
            path = saved(tmp_path, [pool], size=(1, 4, size, size))
            inferred = onnx.shape_inference.infer_shapes(onnx.load(path)).graph.output[0].type.tensor_type.shape
            height, width = (each.dim_value for each in inferred.dim[2:])
            assert rows(path) == [(ours, f"{height}x{width}x4", "none")]


def test_activations_are_part_of_the_layer_before_where_nothing_else_reads_it(tmp_path: Path) -> None:
    path = saved(
        tmp_path,
        [
            node("Conv", "x w", "a"),
            node("BatchNormalization", "a s s s s", "b"),
            node("Clip", "b zero six", "c"),
            node("Conv", "c w", "d"),
            node("Relu", "d", "e"),
            node("Add", "d e", "f"),
            node("HardSwish", "f", "g"),
            node("Relu", "g", "y"),
        ],
        weights={"w": (8, 8, 1, 1), "s": (8,)},
        constants={"zero": np.float32(0), "six": np.float32(6)},
    )
    assert [(label, activation) for label, _, activation in rows(path)] == [
        ("conv", "relu6"), ("conv", "none"), ("relu", "none"), ("add", "none"), ("hardswish", "none"), ("relu", "none"),
    ]  # fmt: skip


@pytest.mark.parametrize(("op", "own_row"), [("Relu", False), ("Clip", True)])
def test_a_relu_behind_a_concat_belongs_to_its_parts_but_one_that_clips_does_not(
    op: str, own_row: bool, tmp_path: Path
) -> None:
    """A pooled map that has no negative values may have some above 6."""
    path = saved(
        tmp_path,
        [
            node("Relu", "x", "a"),
            node("MaxPool", "a", "b", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
            node("Conv", "a w", "c"),
            node("Concat", "b c", "d", axis=1),
            node(op, "d" if op == "Relu" else "d zero six"),
        ],
        weights={"w": (8, 8, 1, 1)},
        constants={"zero": np.float32(0), "six": np.float32(6)},
    )
    labels = [label for label, *_ in rows(path)]
    assert labels == ["relu", "maxpool", "conv", "concat", *(["relu"] if own_row else [])]
    assert [activation for label, _, activation in rows(path) if label == "conv"] == ["none" if own_row else "relu"]


def test_squeeze_and_excitation(tmp_path: Path) -> None:
    """By a mean, two products, a gate; the factors are one for each channel."""
    path = saved(
        tmp_path,
        [
            node("ReduceMean", "x axes", "m", keepdims=1),
            node("Conv", "m a", "b"),
            node("Relu", "b", "c"),
            node("Conv", "c d", "e"),
            node("Sigmoid", "e", "f"),
            node("Mul", "x f", "y"),
        ],
        weights={"a": (2, 8, 1, 1), "d": (8, 2, 1, 1)},
        constants={"axes": np.array([2, 3])},
    )
    assert [label for label, *_ in rows(path)] == ["gap", "conv", "conv", "sigmoid", "scale"]


def test_a_classifier_behind_a_computed_shape(tmp_path: Path) -> None:
    """As older exporters write it: the batch is read off the map."""
    path = saved(
        tmp_path,
        [
            node("MaxPool", "x", "p", kernel_shape=[4, 4], strides=[4, 4]),
            node("Shape", "p", "shape"),
            node("Gather", "shape zero", "n", axis=0),
            node("Unsqueeze", "n axes", "n1"),
            node("Concat", "n1 rest", "wanted", axis=0),
            node("Reshape", "p wanted", "flat"),
            node("Gemm", "flat w bias", "z", transB=1),
            node("Softmax", "z", "y", axis=1),
        ],
        size=("N", 8, 16, 16),
        weights={"w": (10, 128), "bias": (10,)},
        constants={"zero": np.int64(0), "axes": np.array([0]), "rest": np.array([-1])},
    )
    assert rows(path) == [("maxpool", "4x4x8", "none"), ("fc", "1x1x10", "none"), ("softmax", "1x1x10", "none")]
    assert network(path).nodes[1].weights == 1280


def test_a_block_of_tokens(tmp_path: Path) -> None:
    """An MLP of a transformer: normalised, two products with weights, a GELU, and what entered added."""
    path = saved(
        tmp_path,
        [
            node("LayerNormalization", "x g b", "n", axis=-1),
            node("MatMul", "n w1", "h"),
            node("Add", "h b1", "h1"),
            node("Gelu", "h1", "a"),
            node("MatMul", "a w2", "o"),
            node("Add", "o b2", "o2"),
            node("Add", "x o2", "y"),
        ],
        size=(1, 49, 32),
        weights={"g": (32,), "b": (32,), "w1": (32, 128), "b1": (128,), "w2": (128, 32), "b2": (32,)},
        opset=20,
    )
    assert [(label, size) for label, size, _ in rows(path)] == [
        ("layernorm", "49x1x32"), ("matmul", "49x1x128"), ("gelu", "49x1x128"), ("matmul", "49x1x32"),
        ("add", "49x1x32"),
    ]  # fmt: skip
    assert network(path).macs == 2 * 49 * 32 * 128
    assert main(["check", str(path), "edge"]) == 0


def attention(*, scaled: str = "scores", merged: bool = False) -> list[onnx.NodeProto]:
    """Self-attention in 4 heads of 8 features over 49 tokens, from `n` to `o`; scaled: what a constant divides."""
    nodes = []
    turned = [0, 2, 1, 3] if merged else [0, 2, 3, 1]
    for each in "qkv":
        nodes += [
            node("MatMul", f"n w{each}", f"{each}1"),
            node("Add", f"{each}1 b{each}", f"{each}2"),
            node("Reshape", f"{each}2 apart", f"{each}3"),
            node("Transpose", f"{each}3", f"{each}4", perm=turned if each == "k" else [0, 2, 1, 3]),
        ]
        if merged:
            nodes.append(node("Reshape", f"{each}4 merged", f"{each}5"))
    q, k, v = ("q5", "k6", "v5") if merged else ("q4", "k4", "v4")
    if merged:
        nodes.append(node("Transpose", "k5", "k6", perm=[0, 2, 1]))
    if scaled == "query":
        nodes.append(node("Mul", f"{q} root", "scaled"))
        q = "scaled"
    nodes.append(node("MatMul", f"{q} {k}", "scores"))
    if scaled == "scores":
        nodes.append(node("Div", "scores root", "divided"))
    nodes += [
        node("Softmax", "divided" if scaled == "scores" else "scores", "shares", axis=-1),
        node("MatMul", f"shares {v}", "heads"),
    ]
    last = "heads"
    if merged:
        nodes.append(node("Reshape", "heads unmerged", "heads4"))
        last = "heads4"
    return [
        *nodes,
        node("Transpose", last, "joined", perm=[0, 2, 1, 3]),
        node("Reshape", "joined whole", "together"),
        node("MatMul", "together wo", "o1"),
        node("Add", "o1 bo", "o"),
    ]


SHAPES = {
    "apart": np.array([0, 0, 4, 8]), "merged": np.array([-1, 49, 8]), "unmerged": np.array([-1, 4, 49, 8]),
    "whole": np.array([0, 0, 32]), "root": np.float32(8**0.5),
}  # fmt: skip
PROJECTIONS = {f"w{each}": (32, 32) for each in "qkvo"} | {f"b{each}": (32,) for each in "qkvo"}


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(
    "form", [{}, {"scaled": "query"}, {"scaled": "nothing"}, {"merged": True}], ids=["", "query", "plain", "merged"]
)
def test_an_encoder_block(form: dict[str, Any], batch: int, tmp_path: Path) -> None:
    """Attention and MLP of a transformer as exporters write them: scaled where it costs nothing, heads beside the batch
    or one dimension with it. Each head multiplies 49 x 8 by 8 x 49, and 49 x 49 by 49 x 8."""
    path = saved(
        tmp_path,
        [
            node("LayerNormalization", "x g b", "n", axis=-1),
            *attention(**form),
            node("Add", "x o", "r"),
            node("LayerNormalization", "r g b", "n2", axis=-1),
            node("MatMul", "n2 w1", "h"),
            node("Add", "h b1", "h1"),
            node("Gelu", "h1", "a"),
            node("MatMul", "a w2", "m"),
            node("Add", "m b", "m2"),
            node("Add", "r m2", "y"),
        ],
        size=(batch, 49, 32),
        weights={**PROJECTIONS, "g": (32,), "b": (32,), "w1": (32, 128), "b1": (128,), "w2": (128, 32)},
        constants=SHAPES,
        opset=20,
    )
    found = network(path)
    assert [(each.label, each.output.channels, each.groups) for each in found.nodes] == [
        ("layernorm", 32, 1),
        *[("matmul", 32, 1)] * 3,
        ("product", 4 * 49, 4), ("softmax", 4 * 49, 4), ("product", 32, 4),
        ("matmul", 32, 1), ("add", 32, 1), ("layernorm", 32, 1),
        ("matmul", 128, 1), ("gelu", 128, 1), ("matmul", 32, 1), ("add", 32, 1),
    ]  # fmt: skip
    assert found.macs == 4 * 49 * 32 * 32 + 2 * 4 * 49 * 49 * 8 + 2 * 49 * 32 * 128
    assert found.weights == 4 * 32 * 32 + 2 * 32 * 128
    assert [each.transposed for each in found.nodes if each.label == "product"] == [True, False]
    scores, shares = (
        next(each for each in found.nodes if each.name == f"MatMul_{name}") for name in ("scores", "heads")
    )
    assert [name[-2:] for name in (*scores.inputs, shares.inputs[1])] == ["q1", "k1", "v1"]
    assert main(["check", str(path), "edge"]) == 0


def test_queries_keys_and_values_of_one_product(tmp_path: Path) -> None:
    """As one map of which each is a part: by Gather or Split of a dimension of three, by Split or Slice of features."""
    tail = [
        node("Transpose", "k", "kt", perm=[0, 1, 3, 2]),
        node("MatMul", "q kt", "scores"),
        node("Softmax", "scores", "shares", axis=-1),
        node("MatMul", "shares v", "heads"),
        node("Transpose", "heads", "joined", perm=[0, 2, 1, 3]),
        node("Reshape", "joined whole", "y"),
    ]
    apart = [node("Reshape", "m five", "m5"), node("Transpose", "m5", "parts", perm=[2, 0, 3, 1, 4])]
    heads = [
        made
        for each in "qkv"
        for made in (
            node("Reshape", f"{each}1 four", f"{each}4"),
            node("Transpose", f"{each}4", each, perm=[0, 2, 1, 3]),
        )
    ]
    gathered = [node("Gather", f"parts n{place}", each, axis=0) for place, each in enumerate("qkv")]
    cut = [node("Slice", f"m from{place} to{place} last", f"{each}1") for place, each in enumerate("qkv")]
    squeezed = [node("Squeeze", f"{each}1 first", each) for each in "qkv"]
    forms = {
        "gather": [*apart, *gathered],
        "split": [*apart, helper.make_node("Split", ["parts"], ["q1", "k1", "v1"], axis=0, num_outputs=3), *squeezed],
        "features": [helper.make_node("Split", ["m", "sizes"], ["q1", "k1", "v1"], axis=-1), *heads],
        "slice": [*cut, *heads],
    }
    numbers: dict[str, Any] = {f"n{place}": np.int64(place) for place in range(3)}
    numbers |= {f"from{place}": np.array([32 * place]) for place in range(3)}
    numbers |= {f"to{place}": np.array([32 * place + 32 if place < 2 else 1 << 62]) for place in range(3)}
    numbers |= {"five": np.array([0, 0, 3, 4, 8]), "four": np.array([0, 0, 4, 8]), "whole": np.array([0, 0, 32])}
    numbers |= {"first": np.array([0]), "last": np.array([-1]), "sizes": np.array([32, 32, 32])}
    for name, nodes in forms.items():
        path = saved(
            tmp_path,
            [node("MatMul", "x w", "m"), *nodes, *tail],
            size=(2, 49, 32),
            weights={"w": (32, 96)},
            constants=numbers,
        )
        found = network(path)
        assert [(each.label, each.first_channel, each.output.channels) for each in found.nodes] == [
            ("matmul", 0, 96), ("slice", 0, 32), ("slice", 32, 32), ("slice", 64, 32),
            ("product", 0, 196), ("softmax", 0, 196), ("product", 0, 32),
        ], name  # fmt: skip
        queries, keys, values = (each.name for each in found.nodes[1:4])
        assert [each.inputs for each in found.nodes if each.label == "product"] == [
            (queries, keys), (found.nodes[5].name, values),
        ], name  # fmt: skip
        assert main(["check", str(path), "edge"]) == 0


def test_half_of_the_channels_go_round(tmp_path: Path) -> None:
    """ShuffleNet v2's unit: half of the map goes through, half beside; nothing is copied but what a concat has to."""
    path = saved(
        tmp_path,
        [
            helper.make_node("Split", ["x"], ["a", "b"], axis=1, num_outputs=2, name="halves"),
            node("Conv", "b w", "c"),
            node("Concat", "a c", "d", axis=1),
            node("Reshape", "d five", "e"),
            node("Transpose", "e", "f", perm=[0, 2, 1, 3, 4]),
            node("Reshape", "f four", "g"),
            node("Conv", "g v", "y", group=2),
        ],
        weights={"w": (4, 4, 1, 1), "v": (8, 4, 1, 1)},
        constants={"five": np.array([0, 2, 4, 16, 16]), "four": np.array([0, 8, 16, 16])},
    )
    assert [label for label, *_ in rows(path)] == ["slice", "slice", "conv", "concat", "shuffle", "gconv"]
    assert main(["check", str(path), "edge"]) == 0


def test_parts_of_tokens_and_steps_are_moved(tmp_path: Path) -> None:
    """Tokens are rows of the map; every other feature, and queries before they are split, are crops and slices."""
    constants = {
        "one": np.array([1]), "two": np.array([2]), "last": np.array([-1]), "end": np.array([49]),
        "five": np.array([0, 0, 2, 4, 4]), "zero": np.int64(0), "whole": np.array([1, 48, 16]),
    }  # fmt: skip
    path = saved(
        tmp_path,
        [
            node("Slice", "x one end one", "tokens"),
            node("Slice", "tokens one end last two", "odd"),
            node("MatMul", "odd w", "y"),
        ],
        size=(1, 49, 32),
        constants=constants,
        weights={"w": (16, 4)},
    )
    assert rows(path) == [
        ("crop", "48x1x32", "none"), ("crop", "48x1x16", "none"), ("matmul", "48x1x4", "none"),
    ]  # fmt: skip
    assert main(["check", str(path), "edge"]) == 0


def test_parts_that_do_not_add_up_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, [node("Split", "x sizes", axis=2)], size=(1, 49, 32), constants={"sizes": np.array([3, 4])})
    assert refused(path) == ["model.onnx:1: Split 'Split_y': expected 1 parts of 32, got [3, 4]"]


def test_attention_over_the_pixels_of_an_image_in_one_head(tmp_path: Path) -> None:
    """Pixels become tokens, as many as they have features, and the order of the elements tells them apart."""
    path = saved(
        tmp_path,
        [
            node("Conv", "x w", "c"),
            node("Reshape", "c flat", "p"),
            node("Transpose", "p", "t", perm=[0, 2, 1]),
            node("Transpose", "t", "k", perm=[0, 2, 1]),
            node("MatMul", "t k", "scores"),
            node("Softmax", "scores", "shares", axis=2),
            node("MatMul", "shares t", "a"),
            node("Transpose", "a", "back", perm=[0, 2, 1]),
            node("Reshape", "back image", "i"),
            node("Conv", "i w", "y"),
        ],
        size=(1, 16, 4, 4),
        weights={"w": (16, 16, 1, 1)},
        constants={"flat": np.array([0, 16, 16]), "image": np.array([0, 16, 4, 4])},
    )
    found = network(path)
    assert [each.label for each in found.nodes] == ["conv", "product", "softmax", "product", "conv"]
    assert [each.transposed for each in found.nodes if each.label == "product"] == [True, False]
    assert found.macs == 4 * 16**3
    assert main(["check", str(path), "edge"]) == 0


def test_what_is_no_product_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, [node("MatMul", "x x")], size=(1, 49, 32))
    expected = "matrices that fit each other, got [1, 49, 32] by [1, 49, 32]"
    assert refused(path) == [f"model.onnx:1: MatMul 'MatMul_y': expected {expected}"]


@pytest.mark.parametrize(
    ("nodes", "labels"),
    [
        ([node("Transpose", "x", "t", perm=[0, 2, 1]), node("MatMul", "t x")], ["rearrange", "product"]),
        (
            [
                node("Reshape", "x apart", "a"),
                node("Transpose", "a", "h", perm=[0, 2, 1, 3]),
                node("LayerNormalization", "h g b", axis=-1),
            ],
            ["layernorm"],
        ),
        (
            [
                node("Reshape", "x apart", "a"),
                node("Transpose", "a", "h", perm=[0, 2, 1, 3]),
                node("Softmax", "h", axis=2),
            ],
            ["rearrange", "softmax"],
        ),
    ],
    ids=["turned", "norm", "tokens"],
)
def test_whatever_lies_otherwise_is_moved_first(nodes: Nodes, labels: list[str], tmp_path: Path) -> None:
    """Features by tokens on the left of a product, a norm of each head, a softmax over tokens."""
    constants = {"apart": np.array([0, 0, 4, 8])}
    path = saved(tmp_path, nodes, size=(1, 49, 32), constants=constants, weights={"g": (8,), "b": (8,)}, opset=17)
    assert [label for label, *_ in rows(path)] == labels
    assert main(["check", str(path), "edge"]) == 0


def test_quantised_weights_and_maps_have_their_bits(tmp_path: Path) -> None:
    """QuantizeLinear and DequantizeLinear in pairs; 8 bits are what machines have."""
    path = saved(
        tmp_path,
        [
            node("DequantizeLinear", "w4 s z4", "w"),
            node("Conv", "x w", "a"),
            node("QuantizeLinear", "a s z16", "q"),
            node("DequantizeLinear", "q s z16", "d"),
            node("Conv", "d w8", "y"),
        ],
        weights={"w8": (8, 8, 1, 1)},
        constants={"s": np.float32(0.1), "z16": np.int16(0)},
        opset=21,
    )
    model = onnx.load(path, load_external_data=False)
    model.graph.initializer.append(helper.make_tensor("w4", TensorProto.INT4, (8, 8, 1, 1), [1] * 64))
    model.graph.initializer.append(helper.make_tensor("z4", TensorProto.INT4, (), [0]))
    path.write_bytes(model.SerializeToString())
    first, second = network(path).nodes
    assert (first.bits.weight, first.bits.output) == (4, 16)
    assert (second.bits.weight, second.bits.output) == (None, None)


def test_padding_of_its_own_becomes_that_of_the_window(tmp_path: Path) -> None:
    path = saved(
        tmp_path,
        [node("Pad", "x amounts", "p"), node("Conv", "p w", "y", strides=[2, 2], pads=[1, 1, 1, 1])],
        weights={"w": (8, 8, 3, 3)},
        constants={"amounts": np.array([0, 0, 0, 0, 0, 0, 1, 1])},
    )
    (only,) = network(path).nodes
    assert (only.window.vertical.pad, only.window.vertical.pad_end, only.output.height) == (1, 2, 9 - 0)


def test_the_batch_is_that_of_the_file_or_the_one_asked_for(tmp_path: Path) -> None:
    path = saved(tmp_path, [node("Conv", "x w")], size=(3, 8, 4, 4), weights={"w": (8, 8, 1, 1)})
    assert network(path).batch == 3
    text = tmp_path / "mine.yaml"
    assert main(["import", str(path), "--batch", "5", "-o", str(text)]) == 0
    assert load_network(text)[1].batch == 5
    assert main(["run", str(path), "edge", "--batch", "2", "-o", str(tmp_path / "run")]) == 0
    assert json.loads((tmp_path / "run" / "run.json").read_text())["config"]["network"]["batch"] == 2


def test_what_is_imported_runs_as_the_model_does(tmp_path: Path) -> None:
    text = tmp_path / "mine.yaml"
    assert main(["import", str(GOLDENS[0]), "-o", str(text)]) == 0
    kept, direct = simulate(text, "edge"), simulate(GOLDENS[0], "edge")
    assert kept.records == direct.records


# What can't be modelled.


def test_what_can_not_be_modelled_is_refused_all_at_once(tmp_path: Path) -> None:
    """By node and operator, those that are alike as one, and without what only reads them."""
    path = saved(
        tmp_path,
        [
            node("Conv", "x w", "b"),
            helper.make_node("Fancy", ["b"], ["c"], name="mine", domain="ai.acme"),
            node("ReverseSequence", "b one", "d"),
            node("ReverseSequence", "d one", "e"),
            node("ReverseSequence", "b one", "f"),
            node("Add", "c d", "g"),
            node("Add", "e f", "h"),
            node("Add", "g h", "y"),
        ],
        weights={"w": (8, 8, 1, 1)},
        constants={"one": np.int64(1)},
    )
    assert refused(path) == [
        "model.onnx:2: ai.acme.Fancy 'mine': expected an operator that can be modelled (docs/onnx.md), "
        "got 'ai.acme.Fancy'",
        "model.onnx:3: ReverseSequence 'ReverseSequence_d': expected an operator that can be modelled (docs/onnx.md), "
        "got 'ReverseSequence' (and 1 nodes alike)",
    ]


@pytest.mark.slow
def test_it_is_left_out_where_that_is_allowed_and_said_everywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the run, in run.json, in the report, and beside other networks; all else is right."""
    nodes = [node("ReverseSequence", "x ones", "a"), node("Conv", "a w")]
    path = saved(tmp_path, nodes, weights={"w": (8, 8, 1, 1)}, constants={"ones": np.ones(8, np.int64)})
    assert main(["run", str(path), "edge"]) == 2
    capsys.readouterr()
    run = str(tmp_path / "run")
    assert main(["run", str(path), "edge", "--allow-unmodelled", "-o", run]) == 0
    printed = capsys.readouterr().out
    first = "INCOMPLETE: 1 nodes of the model (50.0%), 0.0% of the MACs, are in no figure: 1 ReverseSequence"
    assert printed.splitlines()[0] == first
    assert "  not modelled, and in no figure: ReverseSequence 'ReverseSequence_a': 'ReverseSequence'\n" in printed
    derived = [line for line in printed.splitlines() if "inferences/s" in line or "TOPS/W" in line]
    assert len(derived) == 2
    assert all("(INCOMPLETE)" in line for line in derived)
    assert main(["run", str(path), "edge", "--allow-unmodelled", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["complete"] is False
    assert document["left_out"] == {"nodes": 1, "share": 0.5, "macs_share": 0.0, "by_kind": {"ReverseSequence": 1}}
    page = tmp_path / "page.html"
    assert main(["report", run, "-o", str(page)]) == 0
    assert "ReverseSequence_a" in page.read_text()
    assert first.partition(": ")[2] in page.read_text()
    text = tmp_path / "mine.yaml"
    assert main(["import", str(path), "--allow-unmodelled", "-o", str(text)]) == 0
    explained = ["explain", str(path), "edge", "--allow-unmodelled"]
    sweep, spec = str(tmp_path / "sweep"), tmp_path / "spec.yaml"
    spec.write_text("networks: [model.onnx]\nmachines: [edge]\n")
    for argv in (
        ["check", str(path), "edge", "--allow-unmodelled"],
        ["compare", str(path), "--hw", "edge", "--allow-unmodelled"],
        ["compare", str(text), "--hw", "edge"],
        [*explained, "--plans"],
        [*explained, "--layer", document["layers"][0]["layer"]],
        ["diff", run, run],
        ["show", str(path), "--layers", "--allow-unmodelled"],
        ["sweep", "--network", str(path), "--hw", "edge", "-o", sweep, "--jobs", "1", "--allow-unmodelled"],
        ["pareto", sweep, "--minimize", "latency_ms,energy_total_pj"],
        [
            "recommend",
            str(spec),
            "--objective",
            "edp",
            "-o",
            str(tmp_path / "best"),
            "--jobs",
            "1",
            "--allow-unmodelled",
        ],
    ):
        capsys.readouterr()
        assert main(argv) == 0
        assert "INCOMPLETE" in capsys.readouterr().out.splitlines()[0]
    for folder in (run, sweep):
        picture = tmp_path / "energy.svg"
        assert main(["plot", folder, "--kind", "energy", "-o", str(picture), "--force"]) == 0
        assert "INCOMPLETE" in picture.read_text()
    assert main(["pareto", sweep, "--minimize", "latency_ms,energy_total_pj", "-o", str(tmp_path / "front")]) == 0
    assert "INCOMPLETE: " in (tmp_path / "front" / "pareto.svg").read_text()


def test_what_is_left_out_has_the_shape_that_onnx_infers(tmp_path: Path) -> None:
    nodes = [node("RoiAlign", "x r i", "a", output_height=5, output_width=16), node("Conv", "a w")]
    regions = {"r": np.zeros((1, 4), np.float32), "i": np.array([0])}
    path = saved(tmp_path, nodes, weights={"w": (4, 8, 1, 1)}, constants=regions)
    assert network(path, allow_unmodelled=True).macs == 5 * 16 * 8 * 4


@pytest.mark.parametrize(
    ("nodes", "constants"),
    [
        (
            [node("DequantizeLinear", "q s z", "v"), node("Cast", "v", "c", to=TensorProto.INT64)],
            {"q": np.array([5, 11, 129], np.uint8), "s": np.array(0.5, np.float32), "z": np.array(1, np.uint8)},
        ),
        (
            [node("QuantizeLinear", "q s z", "v"), node("Cast", "v", "c", to=TensorProto.INT64)],
            {"q": np.array([1.0, 4.0, 63.0], np.float32), "s": np.array(1, np.float32), "z": np.array(1, np.uint8)},
        ),
        ([node("CastLike", "q z", "c")], {"q": np.array([2.7, 5.0, 64.0], np.float32), "z": np.array(1, np.int64)}),
    ],
    ids=["dequantised", "quantised", "cast"],
)
def test_constants_have_their_values_and_not_those_that_they_are_stored_as(
    nodes: Sequence[onnx.NodeProto], constants: dict[str, Any], tmp_path: Path
) -> None:
    """A reshape of (2, 320) by 2, 5 and 64, as a product with 64 x 3 shows."""
    nodes = [*nodes, node("Reshape", "x c", "r"), node("MatMul", "r w")]
    found = network(saved(tmp_path, nodes, size=(2, 320), weights={"w": (64, 3)}, constants=constants))
    assert found.macs * found.batch == 2 * 5 * 64 * 3


def test_what_reads_an_output_of_unknown_size_is_left_out_too(tmp_path: Path) -> None:
    """Boxes that were chosen, and what is done with them; all else is there."""
    nodes = [
        node("Conv", "x w", "a"),
        node("Reshape", "a shape", "scores"),
        node("NonMaxSuppression", "boxes scores", "chosen"),
        node("Cast", "chosen", "y", to=TensorProto.FLOAT),
    ]
    constants = {"shape": np.array([1, 8, 256]), "boxes": np.zeros((1, 256, 4), np.float32)}
    path = saved(tmp_path, nodes, weights={"w": (8, 8, 1, 1)}, constants=constants)
    assert refused(path) == [
        "model.onnx:3: NonMaxSuppression 'NonMaxSuppression_chosen': expected an output whose size does not depend on "
        "the data; a model that ends before this has none, got 'NonMaxSuppression'"
    ]
    found = read(path, "model.onnx", allow_unmodelled=True)
    assert found.data["unmodelled"] == [
        "NonMaxSuppression 'NonMaxSuppression_chosen': 'NonMaxSuppression'",
        "Cast 'Cast_y': reads what is left out",
    ]
    assert network(path, allow_unmodelled=True).macs == 256 * 8 * 8


@pytest.mark.parametrize(
    ("nodes", "constants", "shape"),
    [
        ([node("Pad", "x p", "a"), node("Where", "mask a x9")], {"p": np.array([0, 0, 0, 0, 0, 0, 0, 1])}, (8, 16, 17)),
        ([node("Flatten", "x", axis=-4)], {}, (2048,)),
        ([node("GatherND", "x i")], {"i": np.array([[0, 1], [0, 3], [0, 5]])}, (3, 16, 16)),
        ([node("Einsum", "x", equation="abcd->dab")], {}, (16, 1, 8)),
        ([node("SplitToSequence", "x n", "l", axis=1), node("SequenceAt", "l two")], {"n": np.int64(2)}, (2, 16, 16)),
    ],
    ids=["padded choice", "flattened from behind", "blocks", "letters", "lists"],
)
def test_shapes_of_forms_that_are_seldom(
    nodes: Sequence[onnx.NodeProto], constants: dict[str, Any], shape: tuple[int, ...], tmp_path: Path
) -> None:
    more = {"two": np.int64(2), "mask": np.array(True), "x9": np.zeros((1, 8, 16, 17), np.float32)}
    path = saved(tmp_path, nodes, constants=constants | more)
    importing, refusals = taken(model_file.read_graph(path, "model.onnx"), "model.onnx", {}, batched=True)
    assert not refusals
    value = importing.values[nodes[-1].output[0]]
    assert tuple(size for size in value.shape if size > 1) == tuple(size for size in shape if size > 1)


def test_blocks_by_numbers_that_there_are_none_of_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, [node("GatherND", "x i")], constants={"i": np.array([[0, 99]])})
    assert ["numbers of 8 elements" in line for line in refused(path)] == [True]


COMPUTED = {
    "GatherElements": [node("GatherElements", "x p", axis=1)],
    "GatherND": [node("GatherND", "x p")],
    "ScatterND": [node("ScatterND", "x p x")],
    "ScatterElements": [node("ScatterElements", "x p x", axis=1)],
}


@pytest.mark.parametrize("op", COMPUTED)
def test_places_that_are_computed_are_for_a_host(op: str, tmp_path: Path) -> None:
    """By the numbers of the largest channels."""
    largest = helper.make_node("TopK", ["x", "k"], ["v", "p"], axis=1)
    path = saved(tmp_path, [largest, *COMPUTED[op]], constants={"k": np.array([8])})
    (line,) = refused(path)
    assert line.endswith("is for a host (docs/onnx.md), got a map of [1, 8, 16, 16] that says where")


@pytest.mark.parametrize(
    ("given", "index", "said"),
    [
        ({}, [[0, 1], [0, 1]], "places that are written once, and not added to"),
        ({"reduction": "add"}, [[0, 1], [0, 2]], "places that are written once, and not added to"),
        ({}, [[0, 1], [0, 8]], "numbers of 8 elements"),
        ({}, [[0, 1]], "blocks of [1, 16, 16]"),
    ],
    ids=["twice", "added", "none there", "too few"],
)
def test_blocks_that_cannot_be_replaced_are_refused(
    given: dict[str, Any], index: list[list[int]], said: str, tmp_path: Path
) -> None:
    nodes = [node("ScatterND", "x i u", **given)]
    path = saved(tmp_path, nodes, weights={"u": (2, 16, 16)}, constants={"i": np.array(index)})
    (line,) = refused(path)
    assert f"expected {said}" in line


def test_numbers_of_places_have_to_be_in_the_file(tmp_path: Path) -> None:
    path = saved(tmp_path, [node("GatherND", "x i")], weights={"i": (9000, 2)})
    (line,) = refused(path)
    assert "expected numbers of places in the file, 4096 at most, got [9000, 2]" in line


@pytest.mark.parametrize("others", [["l zero"], []], ids=["the list", "the map"])
def test_a_tensor_of_a_list_that_others_read_keeps_its_relu_apart(others: list[str], tmp_path: Path) -> None:
    """It is part of a convolution only where nobody reads that without it."""
    source = [node("SequenceAt", inputs, "b") for inputs in others]
    nodes = [
        node("Conv", "x w", "k"),
        node("SequenceConstruct", "k", "l"),
        node("SequenceAt", "l zero", "a"),
        *source,
        node("Relu", "a", "ra"),
        node("Sigmoid", "b" if others else "k", "rb"),
        node("Add", "ra rb"),
    ]
    path = saved(tmp_path, nodes, weights={"w": (8, 8, 1, 1)}, constants={"zero": np.int64(0)})
    assert [each.op.name for each in network(path).nodes] == ["conv", "relu", "sigmoid", "add"]


def test_the_page_lists_the_operators() -> None:
    text = (ROOT / "docs" / "onnx.md").read_text()
    named = [name for name in OPERATORS if not name.startswith("recognised.")]
    assert [name for name in named if f"`{name}`" not in text] == []


# Strangers' files.


def hostile(folder: Path) -> dict[str, Path]:
    """Files that do harm to readers that trust them."""
    conv = node("Conv", "x w")
    golden = GOLDENS[0].read_bytes()
    found = {
        "empty": b"",
        "text": b"name: network\n" * 100,
        "truncated": golden[: len(golden) // 2],
        "claims": b"\x3a\xff\xff\xff\xff\x07" + golden[:200],
        "zeros": bytes(1 << 20),
    }
    paths = {}
    for name, raw in found.items():
        paths[name] = folder / f"{name}.onnx"
        paths[name].write_bytes(raw)

    def model(name: str, nodes: Nodes, **more: Any) -> None:
        inner = folder / name
        inner.mkdir()
        paths[name] = saved(inner, nodes, **{"weights": {"w": (8, 8, 3, 3)}, **more})

    model("huge-weights", [conv], weights={"w": (1 << 40, 8, 3, 3)})
    model("huge-input", [conv], size=(1, 8, 1 << 30, 1 << 30))
    model("negative-pads", [node("Conv", "x w", pads=[-1, -1, -1, -1])])
    model("no-stride", [node("Conv", "x w", strides=[0, 0])])
    model("cycle", [node("Relu", "b", "a"), node("Add", "a x", "b"), node("Add", "b x")])
    model("itself", [node("Add", "y x", "y"), conv])
    model("twice", [node("Relu", "x", "y"), node("Conv", "y w", "y")])
    model("no-such-input", [node("Conv", "z w")])
    model("old", [conv], opset=3)
    model("many", [node("Relu", "x", f"a{number}") for number in range(30_000)])
    model("kernel", [node("Conv", "x w", kernel_shape=[1 << 20, 1 << 20])])
    model("groups", [node("Conv", "x w", group=0)])
    model("shape", [node("Reshape", "x s")], constants={"s": np.array([1 << 62, 1 << 62])})
    model("fill", [node("ConstantOfShape", "s", "w"), conv], weights={}, constants={"s": np.array([1 << 40] * 4)})
    model("no-shape", [node("ConstantOfShape", "", "w"), conv], weights={})
    dots = [helper.make_node("Relu", [f"r{number}"], [f"r{number + 1}"], name="." * 4096) for number in range(50)]
    model("dots", [node("Relu", "x", "r0"), *dots, node("Conv", "r50 w", group=0)])
    model("axis", [node("Flatten", "x", axis=1 << 40)])
    model("permutation", [node("Transpose", "x", perm=[0, 0, 0, 0])])
    model(
        "endless-range",
        [node("Range", "a b c", "r"), node("Reshape", "x r")],
        constants={k: np.int64(v) for k, v in zip("abc", (0, 1 << 40, 1), strict=True)},
    )
    model(
        "tile", [node("Tile", "a b", "r"), node("Add", "x r")], constants={"a": np.zeros(8), "b": np.array([1 << 34])}
    )
    return paths


def test_hostile_models_are_refused_in_one_line_each_quickly_and_in_little_memory(tmp_path: Path) -> None:
    """Each in under 2 s and 300 MB; all in one process, whose largest size tells."""
    paths = hostile(tmp_path)
    code = (
        "import re, sys, time\n"
        "from accelsim.cli import main\n"
        "main(['run', sys.argv[1], 'edge'])\n"
        "for path in sys.argv[1:]:\n"
        "    begin = time.process_time()\n"
        "    code = main(['run', path, 'edge'])\n"
        "    print(path, code, time.process_time() - begin < 2)\n"
        "status = open('/proc/self/status').read()\n"
        "print(int(re.search(r'VmHWM:\\s+(\\d+) kB', status)[1]) < 300_000)\n"
    )
    line = [sys.executable, "-c", code, *map(str, paths.values())]
    done = subprocess.run(line, capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.splitlines() == [*(f"{path} 2 True" for path in paths.values()), "True"]
    for message in done.stderr.splitlines():
        assert ": expected " in message
        assert ", got " in message
    assert "Traceback" not in done.stderr


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_file, "MAX_MODEL_BYTES", 1000)
    assert refused(GOLDENS[0]) == [f"{GOLDENS[0].name}:0: file: expected at most 1000 bytes, got a larger file"]


def test_the_contents_of_large_tensors_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In initializers and in constants; a model of any size is what its shapes say, in little memory."""
    model = onnx.load(saved(tmp_path, [node("Conv", "x w", "c"), node("MatMul", "c k")], opset=18))
    model.graph.initializer.append(numpy_helper.from_array(np.ones((64, 8, 32, 16), np.float32)[:, :, :1, :1], "w"))
    large = numpy_helper.from_array(np.ones((16, 4096), np.float32))
    model.graph.node.insert(0, helper.make_node("Constant", [], ["k"], value=large))
    weights = numpy_helper.from_array(np.ones((4096, 64), np.float32), "v")
    model.graph.initializer.append(weights)
    model.graph.node.append(node("MatMul", "y v", "z"))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, None))
    path = tmp_path / "large.onnx"
    path.write_bytes(model.SerializeToString())
    whole = network(path)
    copied = len(skeleton.skeleton(path, path.name))
    assert copied < 10_000 < path.stat().st_size
    monkeypatch.setattr(model_file, "WHOLE_BYTES", 1000)
    assert network(path).nodes == whole.nodes
    path.write_bytes(model.SerializeToString()[:-5000])
    assert refused(path) == ["large.onnx:0: file: expected an ONNX model, got other bytes"]


SEEDS = [path.read_bytes() for path in GOLDENS[:1]]


@settings(max_examples=150)
@given(
    changes=st.lists(st.tuples(st.integers(0, 10_700), st.integers(0, 255)), min_size=1, max_size=12),
    cut=st.integers(0, 10_755),
)
def test_any_bytes_are_read_or_refused(changes: list[tuple[int, int]], cut: int) -> None:
    """A model with bytes changed, and perhaps cut off, is a network or a mistake."""
    raw = bytearray(SEEDS[0])
    for place, byte in changes:
        raw[place % len(raw)] = byte
    if cut % 4 == 0:
        del raw[cut:]
    with suppress(UserError):
        graph_of(bytes(raw))


def graph_of(raw: bytes) -> Network:
    """As `network`, of bytes."""
    folder = Path(__file__).parents[2]
    original = model_file.read_bytes
    model_file.read_bytes = lambda *_: raw
    try:
        return network(folder / "fuzz.onnx")
    finally:
        model_file.read_bytes = original


OPERANDS = st.sampled_from(["x", "a", "b", "c", "w", "s", "none"])


@settings(max_examples=150)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(sorted(OPERATORS)),
            st.lists(OPERANDS, min_size=1, max_size=3),
            st.sampled_from(["a", "b", "c", "y"]),
            st.dictionaries(
                st.sampled_from(ATTRIBUTES),
                st.one_of(st.integers(-3, 9), st.lists(st.integers(-2, 5), min_size=1, max_size=5)),
                max_size=3,
            ),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_any_nodes_are_read_or_refused(
    steps: list[tuple[str, list[str], str, dict[str, Any]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    nodes = [helper.make_node(op, inputs, [output], **attributes) for op, inputs, output, attributes in steps]
    path = saved(
        tmp_path_factory.mktemp("fuzz"),
        nodes,
        weights={"w": (8, 8, 3, 3)},
        constants={"s": np.array([1, 2, 4, 16, 16])},
    )
    with suppress(UserError):
        network(path)


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize(("op", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_a_recurrent_layer_is_its_steps(op: str, gates: int, direction: str, tmp_path: Path) -> None:
    """The inputs' product for all steps, and the state's for each, whose weights are counted once."""
    ways, steps, features, hidden = 1 + (direction == "bidirectional"), 5, 16, 12
    nodes = [
        helper.make_node(op, ["x", "w", "r"], ["all", "last"], hidden_size=hidden, direction=direction, name="rnn"),
        node("Relu", "all", "y"),
        node("Relu", "last", "z"),
    ]
    weights = {"w": (ways, gates * hidden, features), "r": (ways, gates * hidden, hidden)}
    path = saved(tmp_path, nodes, size=(steps, 1, features), weights=weights, outputs=("y", "z"), opset=17)
    found = network(path)
    assert found.macs == ways * steps * gates * hidden * (features + hidden)
    assert found.weights == ways * gates * hidden * (features + hidden)
    sizes = {each.name: each.output.elements for each in found.nodes}
    assert (sizes["Relu_y"], sizes["Relu_z"]) == (steps * ways * hidden, ways * hidden)
    assert main(["check", str(path), "edge"]) == 0


def test_attention_as_one_node_is_its_products(tmp_path: Path) -> None:
    """By onnxruntime's optimiser, which multiplies by the weights as well."""
    attention = helper.make_node("Attention", ["x", "w", "b"], ["a"], name="a", domain="com.microsoft", num_heads=4)
    few_bits = helper.make_node(
        "MatMulNBits", ["a", "q", "s"], ["y"], name="m", domain="com.microsoft", K=32, N=8, bits=4, block_size=32
    )
    path = saved(
        tmp_path,
        [attention, few_bits],
        size=(1, 10, 32),
        weights={"w": (32, 96), "b": (96,), "q": (8, 1, 16), "s": (8,)},
    )
    found = network(path)
    assert found.macs == 10 * 32 * 96 + 2 * 4 * 10 * 10 * 8 + 10 * 32 * 8
    assert found.nodes[-1].bits.weight == 4
    assert main(["check", str(path), "edge"]) == 0


def test_embeddings_are_read_from_dram(tmp_path: Path) -> None:
    """Rows of a table by numbers that come in, with those of another table for the places added."""
    path = saved(
        tmp_path,
        [
            node("Gather", "table x", "e", axis=0),
            node("Add", "e places", "a"),
            node("LayerNormalization", "a g g", "n", axis=-1),
            node("MatMul", "n w"),
        ],
        size=(1, 12),
        weights={"table": (5000, 32), "places": (1, 12, 32), "g": (32,), "w": (32, 8)},
        opset=17,
    )
    found = network(path)
    assert [each.label for each in found.nodes] == ["add", "layernorm", "matmul"]
    assert sum(size.elements for size in found.inputs.values()) == 12 + 2 * 12 * 32
    assert main(["check", str(path), "edge"]) == 0


def test_a_local_response_normalisation_in_several_nodes_is_one(tmp_path: Path) -> None:
    """Square, pad, mean over depth, power, quotient: as PyTorch's exporter writes it."""
    path = saved(
        tmp_path,
        [
            node("Conv", "x w", "c"),
            node("Mul", "c c", "square"),
            node("Unsqueeze", "square one", "deep"),
            node("Pad", "deep amounts", "padded"),
            node("AveragePool", "padded", "mean", kernel_shape=[5, 1, 1], strides=[1, 1, 1]),
            node("Squeeze", "mean one", "flat"),
            node("Mul", "flat small", "scaled"),
            node("Add", "scaled small", "shifted"),
            node("Pow", "shifted small", "power"),
            node("Div", "c power", "y"),
        ],
        weights={"w": (8, 8, 1, 1)},
        constants={"one": np.array([1]), "amounts": np.array([0, 0, 2, 0, 0, 0, 0, 2, 0, 0]), "small": np.float32(0.5)},
    )
    assert [label for label, *_ in rows(path)] == ["conv", "lrn"]
    assert network(path).nodes[-1].channel_window == 5


def test_neighbours_without_a_rounding_lie_below(tmp_path: Path) -> None:
    """Upsample and the Resize of opset 10 round down; a later Resize says how, or takes the nearer one."""
    scales = {"s": np.float32([1, 1, 3, 3])}
    picks = {}
    for opset, op, inputs, said in (
        (9, "Upsample", "x s", {}),
        (10, "Resize", "x s", {}),
        (18, "Resize", "x none s", {"nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}),
        (18, "Resize", "x none s", {"coordinate_transformation_mode": "asymmetric"}),
        (
            18,
            "Resize",
            "x none s",
            {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "round_prefer_ceil"},
        ),
    ):
        if said:
            said["coordinate_transformation_mode"] = "asymmetric"
        nodes = [helper.make_node(op, ["" if each == "none" else each for each in inputs.split()], ["y"], **said)]
        (found,) = network(saved(tmp_path, nodes, constants=scales, opset=opset)).nodes
        picks[opset, *said.values()] = [pick.at(output) for pick in found.picks[:2] for output in range(4)]
    below = [0, 0, 0, 1, 0, 0, 0, 1]
    assert list(picks.values()) == [below, below, below, [0, 0, 1, 1, 0, 0, 1, 1], [0, 0, 1, 1, 0, 0, 1, 1]]


@pytest.mark.parametrize(("op", "value"), [("ReduceL1", 3), ("ReduceL2", 5**0.5), ("ReduceSumSquare", 5)])
def test_a_constant_is_reduced_as_its_operator_says(op: str, value: float) -> None:
    (found,) = folded(node(op, "a", keepdims=0), [Constant((2,), np.array([-1, 2]))], Importing(None, 17)) or []
    assert isinstance(found, Constant)
    assert found.values is not None
    assert float(found.values) == pytest.approx(value)


@pytest.mark.parametrize(
    ("op", "kind", "value"),
    [
        ("ReduceMean", np.float32, np.nan), ("ReduceSum", np.float32, 0), ("ReduceProd", np.int64, 1),
        ("ReduceMax", np.float32, -np.inf), ("ReduceMin", np.int64, np.iinfo(np.int64).max),
        ("ReduceMax", np.bool_, False),
    ],
)  # fmt: skip
def test_a_constant_of_no_elements_is_reduced_without_a_word(op: str, kind: Any, value: float) -> None:
    """To what ONNX says; warnings are errors here."""
    (found,) = folded(node(op, "a", keepdims=0), [Constant((0, 2), np.zeros((0, 2), kind))], Importing(None, 17)) or []
    assert isinstance(found, Constant)
    assert found.values is not None
    assert np.array_equal(found.values, value, equal_nan=True)


def test_a_softmax_in_several_nodes_is_one_layer(tmp_path: Path) -> None:
    """Of exponentials over their sum, the largest taken off before."""
    nodes = [
        node("ReduceMax", "x axis", "most"),
        node("Sub", "x most", "below"),
        node("Exp", "below", "power"),
        node("ReduceSum", "power axis", "sum"),
        node("Div", "power sum"),
    ]
    path = saved(tmp_path, nodes, constants={"axis": np.array([1])})
    assert [each.op.name for each in network(path).nodes] == ["softmax"]


FOREIGN = ("onnx.brevitas", "qonnx.custom_op.general")


@pytest.mark.parametrize("domain", FOREIGN)
@pytest.mark.parametrize(
    ("op", "others", "bits"), [("Quant", "s z n", 4), ("BipolarQuant", "s", 1), ("Trunc", "s z eight n", 4)]
)
def test_weights_and_maps_have_the_bits_that_a_foreign_quantiser_says(
    domain: str, op: str, others: str, bits: int, tmp_path: Path
) -> None:
    """Weights by a `Quant` or `BipolarQuant`, which brevitas and qonnx put before each layer."""
    nodes = [
        node(op, f"x {others}", "xq", domain=domain),
        node(op, f"w {others}", "wq", domain=domain),
        node("Conv", "xq wq"),
    ]
    numbers = {"s": np.float32(0.1), "z": np.float32(0), "n": np.float32(4), "eight": np.float32(8)}
    found = read(saved(tmp_path, nodes, weights={"w": (4, 8, 1, 1)}, constants=numbers), "model.onnx").data
    assert found["quantize"]["layers"] == {"input": {"activation_bits": bits}, "Conv_y": {"weight_bits": bits}}


def test_weights_may_be_expanded_by_a_node_of_onnxruntimes(tmp_path: Path) -> None:
    """As its quantiser writes them where ONNX once had no such types."""
    nodes = [node("DequantizeLinear", "w s", "wd", domain="com.microsoft"), node("Conv", "x wd")]
    path = saved(tmp_path, nodes, weights={"w": (4, 8, 1, 1)}, constants={"s": np.float32(0.1)})
    assert network(path).macs == 16 * 16 * 32


def test_a_run_says_once_how_wide_the_data_of_a_model_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path, [node("Conv", "x w")], weights={"w": (4, 8, 1, 1)})
    assert main(["run", str(path), "edge", "--quiet"]) == 0
    assert main(["run", "cmp_resnet_13", "edge", "--quiet"]) == 0
    said = "ONNX model model, graph model; data is as wide as the machine's where the model does not quantise it"
    assert capsys.readouterr().out.splitlines().count(f"  {said}") == 1
