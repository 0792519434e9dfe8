"""Are TensorFlow Lite models what they say: shapes, MACs, weights and widths?"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

import pytest
import tflite
from hypothesis import given
from hypothesis import strategies as st

from accelsim.cli import main
from accelsim.errors import UserError
from accelsim.importers import ModelOptions, read
from accelsim.importers.tflite.operators import TRANSLATIONS
from accelsim.network.graph import Network
from accelsim.run.define import build_network
from accelsim.run.simulate import load_network
from tests.tflite_files import FLOAT, INT8, INT16, INT32, SAME, VALID, Lite, lite_of, saved

ROOT = Path(__file__).resolve().parents[3]
DATA = Path(__file__).parents[2] / "data"


def network(path: Path, **options: Any) -> Network:
    return build_network(read(path, path.name, ModelOptions(**options)))[1]


NETWORKS = {
    "mobilenet_v1_0.25_128": "MobileNet, as converters quantise it",
    "mobilenet_v3_small_1.00_224": "squeeze-and-excitation and hard swish",
    "efficientnet_lite0": "what Edge TPUs run: ReLU6, and no squeeze-and-excitation",
    "resnet50_v1.5": "what Ethos-U is measured with",
    "squeezenet_v1.0": "concatenations, and pools that leave padding out",
}


WIDTHS = {FLOAT: None, INT8: None, INT16: 16}
"""None is what machines have, 8 bits but where a file says otherwise."""


@pytest.mark.parametrize(
    ("name", "kind"),
    [*((name, INT8) for name in NETWORKS), ("mobilenet_v1_0.25_128", FLOAT), ("mobilenet_v1_0.25_128", INT16)],
)
def test_a_network_that_was_converted_is_the_network(name: str, kind: int, tmp_path: Path) -> None:
    """Layer by layer: operator, sizes, groups, activation, MACs, weights; and the widths of its data."""
    wanted = load_network(name)[1]
    path = tmp_path / f"{name}.tflite"
    path.write_bytes(lite_of(wanted, kind))
    found = network(path)
    assert (found.macs, found.weights) == (wanted.macs, wanted.weights)
    for mine, theirs in zip(found.nodes, wanted.nodes, strict=True):
        assert (mine.op, mine.output, mine.macs, mine.weights) == (
            theirs.op,
            theirs.output,
            theirs.macs,
            theirs.weights,
        )
        assert (mine.groups, mine.activation) == (theirs.groups, theirs.activation)
        assert mine.bits.output == WIDTHS[kind]
        assert not mine.weights or mine.bits.weight == WIDTHS[kind]
    assert found.input_bits == WIDTHS[kind]


def test_layers_have_the_names_of_their_modules(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(lite_of(load_network("mobilenet_v1_0.25_128")[1], INT8))
    assert [node.name for node in network(path).nodes[:3]] == ["net.conv1.conv", "net.dw2.dwconv", "net.pw2.conv"]


def test_a_model_by_others_counts_as_its_export_to_onnx(tmp_path: Path) -> None:
    """MediaPipe's iris landmarks, to the last MAC and weight; the operators are the same."""
    with zipfile.ZipFile(DATA / "tflite" / "iris_landmark.zip") as archive:
        found = network(Path(archive.extract("iris_landmark.tflite", tmp_path)))
    with zipfile.ZipFile(DATA / "onnx" / "models.zip") as archive:
        other = network(Path(archive.extract("mediapipe_iris_landmark.onnx", tmp_path)))
    with (DATA / "onnx" / "models.csv").open(newline="") as file:
        counted = {row["file"]: row for row in csv.DictReader(file)}["mediapipe_iris_landmark.onnx"]
    assert (found.macs, found.weights) == (int(counted["macs"]), int(counted["conv_gemm_weights"]))
    assert sorted(node.op.name for node in found.nodes) == sorted(node.op.name for node in other.nodes)


def test_a_quantised_model_computes_what_it_should(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`accelsim check`, bit for bit."""
    path = tmp_path / "net.tflite"
    lite = Lite(INT8)
    source = lite.tensor("x", 1, 8, 8, 3)
    weights, output = lite.tensor("w", 4, 3, 3, 3, channels=4), lite.tensor("y", 1, 4, 4, 4)
    lite.add("CONV_2D", [source, weights, -1], output, options="Conv2D", StrideH=2, StrideW=2, Padding=SAME)
    path.write_bytes(lite.bytes([source], [output]))
    assert main(["check", str(path), "edge"]) == 0
    assert "bit for bit" in capsys.readouterr().out


SHAPE = tuple[int, ...]
Case = tuple[str, Sequence[SHAPE | list[int]], SHAPE, str, dict[str, Any]]
"""Operator, shapes of its inputs (a list: a constant of these numbers), of its output, its options."""
CASES: list[Case] = [
    ("CONV_2D", [(1, 9, 9, 4), (8, 3, 3, 2)], (1, 4, 4, 8), "Conv2D", {"StrideH": 2, "StrideW": 2, "Padding": VALID}),
    ("CONV_2D", [(1, 9, 9, 4), (8, 3, 3, 4)], (1, 5, 5, 8), "Conv2D",
     {"StrideH": 1, "StrideW": 1, "DilationHFactor": 2, "DilationWFactor": 2, "Padding": VALID}),
    ("DEPTHWISE_CONV_2D", [(1, 9, 9, 4), (1, 3, 3, 8)], (1, 9, 9, 8), "DepthwiseConv2D",
     {"StrideH": 1, "StrideW": 1, "DepthMultiplier": 2, "Padding": SAME}),
    ("TRANSPOSE_CONV", [[1, 8, 8, 6], (6, 3, 3, 4), (1, 4, 4, 4)], (1, 8, 8, 6), "TransposeConv",
     {"StrideH": 2, "StrideW": 2, "Padding": SAME}),
    ("TRANSPOSE_CONV", [[1, 9, 9, 6], (6, 3, 3, 4), (1, 4, 4, 4)], (1, 9, 9, 6), "TransposeConv",
     {"StrideH": 2, "StrideW": 2, "Padding": VALID}),
    ("FULLY_CONNECTED", [(1, 4, 4, 2), (7, 32)], (1, 7), "FullyConnected", {}),
    ("FULLY_CONNECTED", [(1, 6, 8), (7, 8)], (1, 6, 7), "FullyConnected", {"KeepNumDims": True}),
    ("BATCH_MATMUL", [(1, 2, 6, 8), (1, 2, 5, 8)], (1, 2, 6, 5), "BatchMatMul", {"AdjY": True}),
    ("MEAN", [(1, 4, 5, 6), [1, 2]], (1, 6), "Reducer", {}),
    ("SUM", [(1, 4, 5, 6), [3]], (1, 4, 5, 1), "Reducer", {"KeepDims": True}),
    ("L2_POOL_2D", [(1, 4, 4, 6)], (1, 2, 2, 6), "Pool2D",
     {"FilterHeight": 2, "FilterWidth": 2, "StrideH": 2, "StrideW": 2, "Padding": VALID}),
    ("RESIZE_BILINEAR", [(1, 4, 5, 6), [8, 10]], (1, 8, 10, 6), "ResizeBilinear", {"HalfPixelCenters": True}),
    ("RESIZE_NEAREST_NEIGHBOR", [(1, 4, 5, 6), [8, 10]], (1, 8, 10, 6), "ResizeNearestNeighbor", {}),
    ("DEPTH_TO_SPACE", [(1, 4, 5, 8)], (1, 8, 10, 2), "DepthToSpace", {"BlockSize": 2}),
    ("SPACE_TO_DEPTH", [(1, 4, 6, 3)], (1, 2, 3, 12), "SpaceToDepth", {"BlockSize": 2}),
    ("LOCAL_RESPONSE_NORMALIZATION", [(1, 4, 4, 8)], (1, 4, 4, 8), "LocalResponseNormalization", {"Radius": 2}),
    ("L2_NORMALIZATION", [(1, 4, 4, 8)], (1, 4, 4, 8), "", {}),
    ("PRELU", [(1, 4, 4, 8), (1, 1, 8)], (1, 4, 4, 8), "", {}),
    ("LEAKY_RELU", [(1, 4, 4, 8)], (1, 4, 4, 8), "LeakyRelu", {"Alpha": 0.5}),
    ("SQUARED_DIFFERENCE", [(1, 4, 4, 8), (1, 4, 4, 8)], (1, 4, 4, 8), "", {}),
    ("RSQRT", [(1, 4, 4, 8)], (1, 4, 4, 8), "", {}),
    ("RELU_0_TO_1", [(1, 4, 4, 8)], (1, 4, 4, 8), "", {}),
    ("RESHAPE", [(1, 4, 4, 8), [1, 16, 8]], (1, 16, 8), "", {}),
    ("SQUEEZE", [(1, 1, 4, 8)], (1, 4, 8), "", {}),
    ("TRANSPOSE", [(1, 4, 6, 8), [0, 2, 1, 3]], (1, 6, 4, 8), "", {}),
    ("CONCATENATION", [(1, 4, 4, 8), (1, 4, 2, 8)], (1, 4, 6, 8), "Concatenation", {"Axis": 2}),
    ("PACK", [(1, 4, 8), (1, 4, 8)], (1, 2, 4, 8), "Pack", {"Axis": 1, "ValuesCount": 2}),
    ("SLICE", [(1, 6, 6, 8), [0, 1, 2, 0], [1, 3, -1, 8]], (1, 3, 4, 8), "", {}),
    ("STRIDED_SLICE", [(1, 6, 6, 8), [0, 1, 0, 0], [0, 5, 0, 0], [1, 2, 1, 1]], (1, 2, 6, 8), "StridedSlice",
     {"BeginMask": 13, "EndMask": 13}),
    ("STRIDED_SLICE", [(1, 6, 6, 8), [0, 2, 0, 0], [0, 3, 0, 0], [1, 1, 1, 1]], (1, 6, 8), "StridedSlice",
     {"BeginMask": 13, "EndMask": 13, "ShrinkAxisMask": 2}),
    ("GATHER", [(1, 6, 6, 8), [0, 2]], (1, 2, 6, 8), "Gather", {"Axis": 1}),
    ("PAD", [(1, 4, 4, 8), [[0, 0], [1, 2], [0, 1], [0, 0]]], (1, 7, 5, 8), "", {}),
    ("MIRROR_PAD", [(1, 4, 4, 8), [[0, 0], [1, 1], [1, 1], [0, 0]]], (1, 6, 6, 8), "MirrorPad", {"Mode": 0}),
    ("TILE", [(1, 4, 4, 8), [1, 1, 2, 1]], (1, 4, 8, 8), "", {}),
    ("ARG_MAX", [(1, 4, 4, 8), [3]], (1, 4, 4), "ArgMax", {}),
    ("DIV", [(1, 4, 4, 8), (1, 4, 4, 8)], (1, 4, 4, 8), "Div", {"FusedActivationFunction": 1}),
    ("UNIDIRECTIONAL_SEQUENCE_LSTM",
     [(1, 5, 3), *[(4, 3)] * 4, *[(4, 4)] * 4, *[()] * 3, *[(4,)] * 4], (1, 5, 4), "UnidirectionalSequenceLSTM", {}),
    ("SOFTMAX", [(1, 4, 4, 8)], (1, 4, 4, 8), "Softmax", {}),
]  # fmt: skip


def model_of(case: Case, folder: Path) -> Path:
    op, inputs, output, options, fields = case
    lite = Lite()
    numbers = []
    for place, each in enumerate(inputs):
        if isinstance(each, list):
            flat = [number for row in each for number in row] if isinstance(each[0], list) else each
            numbers.append(lite.numbers(*flat, shape=(len(flat) // 2, 2) if isinstance(each[0], list) else None))
        else:
            numbers.append(-1 if each == () else lite.tensor(f"in{place}", *each))
    made = lite.add(op, numbers, lite.tensor("out", *output), options=options, **fields)
    maps = [number for number, each in zip(numbers, inputs, strict=True) if isinstance(each, tuple) and number >= 0]
    weighted = op in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "PRELU") or "LSTM" in op
    given_maps = maps[:1] if weighted else maps[1:] if op == "TRANSPOSE_CONV" else maps
    end = lite.add("EXP", [made], lite.tensor("end", *output))
    return saved(folder, lite, given_maps, [end])


@pytest.mark.parametrize("case", CASES, ids=[f"{case[0]}-{number}" for number, case in enumerate(CASES)])
def test_an_operator_gives_the_shape_that_the_file_says(case: Case, tmp_path: Path) -> None:
    """Every tensor's shape is held to the file's; its elements are those of the last layer, each once."""
    repeats = 2 if case[0] == "TILE" else 1
    assert network(model_of(case, tmp_path)).nodes[-1].output.elements == prod(case[2]) // repeats


@pytest.mark.parametrize("case", [CASES[0], CASES[8], CASES[22], CASES[25]], ids=["conv", "mean", "reshape", "concat"])
def test_a_shape_other_than_the_files_is_refused(case: Case, tmp_path: Path) -> None:
    op, inputs, output, options, fields = case
    output = (1, 16, 9) if op == "RESHAPE" else (*output[:-1], output[-1] + 1)
    with pytest.raises(UserError):
        network(model_of((op, inputs, output, options, fields), tmp_path))


def test_every_operator_that_is_claimed_is_listed() -> None:
    """In the page, and a name of TensorFlow Lite."""
    page = (ROOT / "docs" / "tflite.md").read_text(encoding="utf-8")
    assert [name for name in TRANSLATIONS if f"`{name}`" not in page] == []
    assert [name for name in TRANSLATIONS if not hasattr(tflite.BuiltinOperator, name)] == []


POOL = {"FilterHeight": 2, "FilterWidth": 2, "StrideH": 2, "StrideW": 2, "Padding": VALID}


def test_what_is_not_modelled_is_named_and_may_be_left_out(tmp_path: Path) -> None:
    """All nodes of a kind in one line; left out, it stands for the map that the file says."""
    lite = Lite()
    source = lite.tensor("x", 1, 8, 8, 4)
    first = lite.add("TFLite_Thing", [source], lite.tensor("a", 1, 8, 8, 6))
    second = lite.add("TFLite_Thing", [source], lite.tensor("b", 1, 8, 8, 6))
    added = lite.add("ADD", [first, second], lite.tensor("c", 1, 8, 8, 6), options="Add")
    end = lite.add("MAX_POOL_2D", [added], lite.tensor("d", 1, 4, 4, 6), options="Pool2D", **POOL)
    path = saved(tmp_path, lite, [source], [end])
    with pytest.raises(UserError) as caught:
        network(path)
    (line,) = map(str, caught.value.mistakes)
    assert line.startswith("model.tflite:1: tflite.TFLite_Thing")
    found = network(path, allow_unmodelled=True)
    assert [(node.op.name, node.output.channels) for node in found.nodes] == [("add", 6), ("maxpool", 6)]


def test_a_model_needs_its_library(tmp_path: Path) -> None:
    """One line that says what to install."""
    path = saved(tmp_path, *_small())
    code = (
        "import sys; sys.modules['tflite'] = None\n"
        "from accelsim.cli import main\n"
        f"sys.exit(main(['run', {str(path)!r}, 'edge']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)}, check=False
    )
    assert done.returncode == 2
    said = "command-line:0: FILE: expected tflite, installed by `pip install 'accelsim[tflite]'`, got none\n"
    assert done.stderr == said


def _small() -> tuple[Lite, list[int], list[int]]:
    lite = Lite(INT8)
    source = lite.tensor("x", 1, 8, 8, 3)
    weights, bias = lite.tensor("w", 4, 3, 3, 3, channels=4), lite.tensor("b", 4, kind=INT32)
    made = lite.add(
        "CONV_2D", [source, weights, bias], lite.tensor("y", 1, 4, 4, 4), options="Conv2D", StrideH=2, StrideW=2
    )  # fmt: skip
    end = lite.add("MEAN", [made, lite.numbers(1, 2)], lite.tensor("m", 1, 4), options="Reducer")
    return lite, [source], [end]


def _raw() -> bytes:
    lite, inputs, outputs = _small()
    return lite.bytes(inputs, outputs)


RAW = _raw()
HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "identifier": b"\0\0\0\0TFL3",
    "text": b"name: network\n" * 100,
    "zeros": bytes(4) + b"TFL3" + bytes(1 << 20),
    "ones": b"\xff" * 4 + b"TFL3" + b"\xff" * (1 << 20),
    "truncated": RAW[: len(RAW) // 2],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_bytes_that_are_no_model_are_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.tflite"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(UserError) as caught:
        network(path)
    assert str(caught.value.mistakes[0]).startswith(f"{name}.tflite:0: file: expected a TensorFlow Lite model, got")


def test_a_file_whose_parts_are_all_one_is_refused_at_once(tmp_path: Path) -> None:
    """Lists of many operators may be one and the same, of 4,000 numbers."""
    lite = Lite()
    source = lite.tensor("x", 1, 8)
    lite.add("ADD_N", [source] * 4000, lite.tensor("y", 1, 8))
    lite.operators *= 140
    path = saved(tmp_path, lite, [source], [1])
    begin = time.process_time()
    with pytest.raises(UserError, match="a list of more than 4096, or 524288 in all"):
        network(path)
    assert time.process_time() - begin < 2


def test_a_pipe_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "pipe.tflite"
    os.mkfifo(path)
    with pytest.raises(UserError, match="expected a regular file, got a FIFO"):
        network(path)


def taken_or_refused(raw: bytes, folder: Path) -> None:
    """Nothing but UserError comes out, with messages of one line each."""
    path = folder / "fuzz.tflite"
    path.write_bytes(raw)
    refused: UserError | None = None
    try:
        network(path)
    except UserError as error:
        refused = error
    assert refused is None or all("\n" not in str(mistake) for mistake in refused.mistakes)


CHANGES = st.lists(st.tuples(st.integers(0, len(RAW) - 1), st.integers(0, 255)), min_size=1, max_size=6)


@given(CHANGES)
def test_any_bytes_are_taken_or_refused(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]
) -> None:
    raw = bytearray(RAW)
    for place, value in changes:
        raw[place] = value
    taken_or_refused(bytes(raw), tmp_path_factory.getbasetemp())
