"""Are models that people bring what they say: MACs, weights, the shape of every tensor, and what they compute?"""

from __future__ import annotations

import csv
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import onnx
import pytest

from accelsim.check.execute import check_network
from accelsim.cli import main
from accelsim.config.load import load_machine
from accelsim.errors import UserError
from accelsim.importers.onnx import read, taken
from accelsim.importers.onnx.model import read_graph
from accelsim.network.graph import Network
from accelsim.run.define import build_network

ROOT = Path(__file__).resolve().parents[3]
DATA = Path(__file__).parents[2] / "data" / "onnx"
MODELS, SMALL, HOSTILE = (zipfile.ZipFile(DATA / f"{name}.zip") for name in ("models", "small", "hostile"))
COUNTED = {row["file"]: row for row in csv.DictReader((DATA / "models.csv").read_text(encoding="utf-8").splitlines())}
EXPECTED = list(COUNTED)

REFUSED = {
    "dynamic_hw.onnx": "dynamic_hw.onnx:0: 'x': expected a shape that is known but for the images "
    "(a shape can be given by the name of the input), got ['N', 3, 'H', 'W']",
    "flatten_nonbatch.onnx": "flatten_nonbatch.onnx:3: Gemm 'y': expected two matrices, got [512] by [512, 10]",
}
"""Of the small ones; the second is none that ONNX allows."""


def unpacked(archive: zipfile.ZipFile, name: str, folder: Path) -> Path:
    return Path(archive.extract(name, folder))


def network(path: Path) -> Network:
    return build_network(read(path, path.name))[1]


@pytest.mark.parametrize("name", EXPECTED)
def test_a_model_has_the_macs_and_weights_that_were_counted(name: str, tmp_path: Path) -> None:
    path = unpacked(MODELS, name, tmp_path)
    begin = time.process_time()
    found = network(path)
    assert time.process_time() - begin < 2
    row = COUNTED[name]
    assert found.weights == int(row["conv_gemm_weights"])
    if row["macs"]:
        assert found.macs * found.batch == int(row["macs"])


@pytest.mark.slow
def test_models_are_read_in_little_memory(tmp_path: Path) -> None:
    """All of them, one after the other, in one process: below 300 MB; ru_maxrss would be that of pytest."""
    paths = [str(unpacked(MODELS, name, tmp_path)) for name in EXPECTED]
    code = (
        "import sys\nfrom pathlib import Path\nfrom accelsim.run.simulate import load_network\n"
        "for path in sys.argv[1:]:\n    load_network(path)\n"
        "print(Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0])"
    )
    line = [sys.executable, "-c", code, *paths]
    done = subprocess.run(line, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)}, check=True)
    assert int(done.stdout) < 300 * 1000


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "timm_ghostnet_100_ts17.onnx",
        "keras_MobileNetV3Small_nchw.onnx",
        "mtcnn_pnet_12.onnx",
        "hf_bert_tiny_emb_ts17.onnx",
    ],
)
def test_a_model_computes_what_it_should(name: str, tmp_path: Path) -> None:
    """`accelsim check`, bit for bit, on the edge machine."""
    found = network(unpacked(MODELS, name, tmp_path))
    assert check_network(found, load_machine("edge", ())) == []


@pytest.mark.parametrize("name", [*EXPECTED, *(name for name in SMALL.namelist() if name not in REFUSED)])
def test_every_tensor_has_the_shape_that_onnx_infers(name: str, tmp_path: Path) -> None:
    path = unpacked(MODELS if name in EXPECTED else SMALL, name, tmp_path)
    importing, refusals = taken(read_graph(path, name), name, {}, batched=True)
    assert not refusals
    inferred = onnx.shape_inference.infer_shapes(onnx.load(path), data_prop=True).graph
    compared = 0
    for each in (*inferred.value_info, *inferred.output):
        dims = [dim.dim_value for dim in each.type.tensor_type.shape.dim]
        if each.name in importing.values and min(dims, default=1) > 0 and each.type.tensor_type.HasField("shape"):
            assert list(importing.values[each.name].shape) == dims, each.name
            compared += 1
    assert compared


@pytest.mark.parametrize("name", SMALL.namelist())
def test_a_small_obstacle_is_computed_as_it_should_be(name: str, tmp_path: Path) -> None:
    """Or refused, where it is not known, or no valid graph."""
    path = unpacked(SMALL, name, tmp_path)
    if name in REFUSED:
        with pytest.raises(UserError) as error:
            network(path)
        assert [str(each) for each in error.value.mistakes] == [REFUSED[name]]
        return
    found = network(path)
    if found.macs < 1 << 24 and "blowup" not in name:
        assert check_network(found, load_machine("edge", ())) == []


def test_open_sizes_are_given_beside_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(unpacked(SMALL, "dynamic_hw.onnx", tmp_path))
    assert main(["run", path, "edge", "--input-shape", "x=1x3x16x24", "--quiet"]) == 0
    assert main(["run", path, "edge", "--input-shape", "z=1x3x16x24"]) == 2
    assert main(["run", path, "edge", "--input-shape", "x=1x3x16"]) == 2
    assert main(["import", path, "--input-shape", "x=1x3x16x24", "-o", str(tmp_path / "fixed.yaml")]) == 0
    assert main(["check", str(tmp_path / "fixed.yaml"), "edge"]) == 0
    assert [line.removeprefix(path) for line in capsys.readouterr().err.splitlines()] == [
        ":0: graph: expected names of inputs with the shapes that are given, got 'z'",
        ":0: 'x': expected a shape of 4 dimensions, got [1, 3, 16]",
    ]


@pytest.mark.parametrize(("suffix", "said"), [("pt", "torch.onnx.export"), ("keras", "tf2onnx")])
def test_files_of_other_kinds_say_what_to_give_instead(
    suffix: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"model.{suffix}"
    path.write_bytes(b"weights")
    assert main(["run", str(path), "edge"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert line.endswith(f"got a .{suffix} file")


@pytest.mark.parametrize(
    ("name", "macs"),
    [("upsample_then_conv.onnx", 9_437_184), ("add_const_broadcast.onnx", 2048), ("focus.onnx", 110_592)],
)
def test_what_once_had_too_few_macs_has_them_all(name: str, macs: int, tmp_path: Path) -> None:
    """A resize, a constant that is larger than the map, strided slices: by the last convolution."""
    assert [node.macs for node in network(unpacked(SMALL, name, tmp_path)).nodes if node.macs][-1] == macs


HOSTILE_MESSAGES = {
    "onnx_20000_equal_names": "0: layers: expected 10000 or fewer values, got 20000",
    "onnx_clip_text": "1: Clip 'y': expected numbers for bounds, got text",
    "onnx_escape_codes": "1: 'Foo\\x1b[31mRED' 'y': expected an operator of ONNX, got 'Foo\\x1b[31mRED'",
    "onnx_loop_forever": "1: Loop 'z': expected an operator without a graph inside, got Loop",
    "onnx_pad_empty_value": "0: graph: expected nodes that compute something, got none",
    "onnx_reads_another_file": "1: If 'z': expected an operator without a graph inside, got If",
    "onnx_reshape_nan": "1: Reshape 'y': expected a list of numbers for a shape, got others",
    "onnx_reshape_text": "1: Reshape 'y': expected numbers for a shape, got text",
    "onnx_split_of_zero_channels": "1: Conv 'c': expected weights that fit 4 channels, got [0, 4, 3, 3] in 1 groups",
    "onnx_squeeze_inf": "1: Squeeze 'y': expected a list of numbers for axes, got others",
    "onnx_unsqueeze_twice": "1: Unsqueeze 'y': expected axes of 6 dimensions, each once, got [0, 0]",
}
"""What is said of a file; the others do harm only in nodes that no output needs."""


def mistakes(path: Path) -> list[str]:
    try:
        network(path)
    except UserError as error:
        return [str(each) for each in error.mistakes]
    return []


@pytest.mark.parametrize("name", HOSTILE.namelist())
def test_a_hostile_model_is_refused_in_one_line_or_does_no_harm(name: str, tmp_path: Path) -> None:
    path = unpacked(HOSTILE, name, tmp_path)
    begin = time.process_time()
    wanted = HOSTILE_MESSAGES.get(path.stem)
    assert mistakes(path) == ([] if wanted is None else [f"{name}:{wanted}"])
    assert time.process_time() - begin < 20


@pytest.mark.parametrize("name", HOSTILE.namelist())
def test_nor_does_it_where_every_node_is_needed(name: str, tmp_path: Path) -> None:
    """All that nodes give is an output of the graph, so that none is left out."""
    path = unpacked(HOSTILE, name, tmp_path)
    model = onnx.load(path, load_external_data=False)
    names = dict.fromkeys(name for node in model.graph.node for name in node.output if name)
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(each) for each in names)
    path.write_bytes(model.SerializeToString())
    begin = time.process_time()
    assert len(mistakes(path)) <= 3
    assert time.process_time() - begin < 20
