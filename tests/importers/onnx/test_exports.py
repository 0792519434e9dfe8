"""Does the same network cost the same, whoever exported it and however it was written?"""

from __future__ import annotations

import zipfile
from collections import Counter
from dataclasses import replace
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import pytest

from accelsim.cli import main
from accelsim.config.load import load_machine, parse_overrides
from accelsim.config.workload import Workload
from accelsim.network.graph import Network
from accelsim.run.simulate import load_network, run_network, simulate
from tests.importers.onnx.test_same_layers import layers

ROOT = Path(__file__).resolve().parents[3]
DATA = Path(__file__).parents[2] / "data" / "onnx"

SAME = [
    ("mobilenet_v2_1.00_224", "tv_mobilenet_v2_dynamo.onnx", "keras_MobileNetV2_nhwc.onnx"),
    ("mnasnet_b1_1.00_224", "tv_mnasnet1_0_ts17d.onnx"),
    ("shufflenet_v2_1.0x", "tv_shufflenet_v2_x1_0_ts17d.onnx", "tv_shufflenet_v2_x1_0_dynamo.onnx"),
    ("squeezenet_v1.1", "tv_squeezenet1_1_dynamo.onnx", "light_squeezenet.onnx"),
    ("resnet50_v1.5", "light_resnet50.onnx"),
    ("efficientnet_b0", "tv_efficientnet_b0_ts17d.onnx"),
    ("vit_tiny_16_224", "timm_deit_tiny_patch16_224_ts17.onnx"),
    ("vit_base_16_224", "tv_vit_b_16_dynamo.onnx", "tv_vit_b_16_ts17d.onnx"),
    ("resnet18", "tv_resnet18_ts17d.onnx", "tv_resnet18_dynamo.onnx"),
    ("alexnet_owt", "tv_alexnet_ts17d.onnx"),
    ("densenet121", "tv_densenet121_ts17d.onnx", "tv_densenet121_dynamo.onnx"),
    ("resnext50_32x4d", "tv_resnext50_32x4d_dynamo.onnx"),
    ("mobilenet_v1_1.00_224", "keras_MobileNet_nhwc.onnx"),
    ("keras_MobileNetV3Small_nhwc.onnx", "keras_MobileNetV3Small_nchw.onnx"),
    ("q_resnet18_qdq_u8s8.onnx", "q_resnet18_qop_u8s8.onnx"),
    ("timm_mobilevit_xxs_ts17.onnx", "timm_mobilevit_xxs_dynamo.onnx"),
]
"""Networks that are equal but for a softmax at the end, which built-in ones have, and the side on which Keras pads."""


class Unequal(NamedTuple):
    """A network as another graph: its clocks on `edge`, percent more than those of the built-in one, and why.

    differ: how many layers differ, by what; where not all are in both, how many more there are of a kind.
    """

    built_in: str
    export: str
    exporter: str
    percent: float
    differ: dict[str, int]
    why: str


UNEQUAL = [
    Unequal(
        *("mobilenet_v3_small_1.00_224", "keras_MobileNetV3Small_nhwc.onnx", "Keras", 0, {"bn": 1}),
        "`SAME` pads behind the map alone; a scale and offset of the image are a layer",
    ),
    Unequal(
        *("efficientnet_b0", "keras_EfficientNetB0_nchw.onnx", "Keras", -0.12, {"bn": 1}),
        "`SAME` pads behind the map alone; a scale and offset of the image are a layer",
    ),
    Unequal(
        *("mobilevit_xxs", "timm_mobilevit_xxs_ts17.onnx", "timm", 1.6, {"rearrange": 9}),
        "the projection reads patches, not pixels: each layer moves the map once more",
    ),
    Unequal(
        *("googlenet", "tv_googlenet_ts17d.onnx", "torchvision", -5.6, {"lrn": -2}),
        "3x3 where the paper has 5x5, and no LRN: 5 % fewer MACs",
    ),
    Unequal(
        *("googlenet", "light_inception_v1.onnx", "Caffe2", -7.4),
        {"inputs": 80, "output": 80, "kind": 1, "window": 1},
        "max pools round sizes down where the paper rounds up: 10 % fewer MACs",
    ),
    Unequal(
        *("alexnet_grouped", "light_bvlc_alexnet.onnx", "Caffe2", -1.5, {"inputs": 10, "output": 9, "window": 1}),
        "images of 224 where the layers fit 227: 10 % fewer MACs",
    ),
    Unequal(
        *("resnet50_v1", "light_resnet50.onnx", "Caffe2", 4.7, {"inputs": 3, "output": 3, "window": 6}),
        "its stride is in the 3x3: it is `resnet50_v1.5`",
    ),
    Unequal(
        *("shufflenet_1.0x_g3", "light_shufflenet.onnx", "Caffe2", 36.7),
        {"inputs": 83, "output": 83, "groups": 64, "kind": 16},
        "another network: 4 groups, 136 to 544 channels, its first layer grouped too",
    ),
]
LARGE = {
    *("densenet121", "resnext50_32x4d", "timm_mobilevit_xxs_ts17.onnx", "resnet50_v1.5", "efficientnet_b0"),
    *("vit_tiny_16_224", "vit_base_16_224", "mnasnet_b1_1.00_224", "mobilenet_v2_1.00_224", "shufflenet_v2_1.0x"),
    *("squeezenet_v1.1", "mobilenet_v1_1.00_224", "alexnet_owt"),
}
SETTINGS = {"squeezenet_v1.1": ("network.resolution=224",)}

slow = partial(pytest.param, marks=pytest.mark.slow)

SMALL = [
    ("gelu_erf.onnx", "gelu_op.onnx"),
    ("hswish_hardsigmoid.onnx", "hswish_op.onnx"),
    ("dense_list.onnx", "dense_pairs.onnx"),
    ("bn_relu.onnx", "bn_mul_add_relu.onnx"),
    ("nhwc_input.onnx", "nhwc_output.onnx", "noop_slice.onnx"),
]


def test_layers_are_named_after_modules_and_grouped_by_blocks(tmp_path: Path) -> None:
    """By both of PyTorch's exporters, the names of nodes being all numbers in one of them."""
    for name in ("tv_resnet18_ts17d.onnx", "tv_resnet18_dynamo.onnx"):
        with zipfile.ZipFile(DATA / "models.zip") as found:
            run = simulate(found.extract(name, tmp_path), "edge")
        names = [record.layer for record in run.records if record.weights]
        assert names[:4] == ["conv1", "layer1.0.conv1", "layer1.0.conv2", "layer1.1.conv1"]
        blocks = [f"layer{stage}.{block}" for stage in range(1, 5) for block in range(2)]
        stages = list(dict.fromkeys(record.stage for record in run.records))
        assert [stage for stage in stages if stage in blocks] == blocks
        assert len(stages) <= len(blocks) + 4


def test_layers_are_shown_with_their_stages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Names of modules, and the blocks that they are in."""
    with zipfile.ZipFile(DATA / "models.zip") as found:
        path = found.extract("tv_resnet18_dynamo.onnx", tmp_path)
    assert main(["show", path, "--layers"]) == 0
    lines = [line.split()[:3] for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["name", "stage", "type"]
    assert ["layer1.0.conv1", "layer1.0", "conv"] in lines


STAGES = {
    "tv_densenet121_dynamo.onnx": [
        "features.conv0",
        *(f"features.{kind}{number}" for number in range(1, 4) for kind in ("denseblock", "transition")),
        *("features.denseblock4", "classifier"),
    ],
    "timm_deit_tiny_patch16_224_ts17.onnx": ["patch_embed", *(f"blocks.{number}" for number in range(12)), "head"],
    "keras_MobileNetV3Small_nhwc.onnx": [
        f"MobileNetV3Small_1.{each}"
        for each in (
            "conv_bn_1",
            "expanded_conv",
            *(f"expanded_conv_{number}" for number in range(1, 11)),
            "conv_1_bn_1",
        )
    ],
    "light_squeezenet.onnx": ["conv1", *(f"fire{number}" for number in range(2, 10)), "conv10"],
    "tv_vit_b_16_dynamo.onnx": ["conv_proj", *(f"encoder.layers.encoder_layer_{number}" for number in range(12))],
    "mtcnn_pnet_12.onnx": ["10x10", "5x5", "3x3", "1x1"],
    "light_shufflenet.onnx": ["112x112", "56x56", "28x28", "14x14", "7x7", "1x1"],
}
"""Stages from scopes, from flat names, from weights, from biases, and by the size of maps where names tell none."""


@pytest.mark.parametrize("name", STAGES)
def test_stages_are_the_blocks_of_a_network(name: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(DATA / "models.zip") as found:
        network = load_network(found.extract(name, tmp_path))[1]
    stages = list(dict.fromkeys(node.stage for node in network.nodes))
    assert stages[: len(STAGES[name])] == STAGES[name]
    assert len(stages) <= len(STAGES[name]) + 2


def path_of(name: str, folder: Path) -> str:
    """The file of an export, from one of the archives or as it is."""
    for archive in ("models", "exports", "small"):
        with zipfile.ZipFile(DATA / f"{archive}.zip") as found:
            if name in found.namelist():
                return found.extract(name, folder)
    return str(DATA / name)


PLAYED: dict[str, int] = {}
"""Clocks of networks whose layers are numbered, by all that they are."""


def loaded(name: str, folder: Path) -> tuple[Workload, Network]:
    """A network whose layers are numbered."""
    path = path_of(name, folder) if name.endswith(".onnx") else name
    workload, network = load_network(path, parse_overrides(enumerate(SETTINGS.get(name, ()))))
    return workload, with_numbers(network)


def clocks(name: str, folder: Path) -> int:
    """Clocks of a network on `edge`, whatever its layers are called; those that are equal are played once."""
    workload, numbered = loaded(name, folder)
    key = repr(numbered)
    if key not in PLAYED:
        PLAYED[key] = run_network(workload, numbered, load_machine("edge")).total.total_cycles
    return PLAYED[key]


def with_numbers(network: Network) -> Network:
    """A network whose layers have numbers for names, and no stages."""
    names = {name: name for name in network.inputs}
    names |= {node.name: f"n{number}" for number, node in enumerate(network.nodes)}
    nodes = (
        replace(node, name=names[node.name], inputs=tuple(names[each] for each in node.inputs), stage="")
        for node in network.nodes
    )
    return replace(network, name="numbered", source="", nodes=tuple(nodes))


@pytest.mark.xdist_group("clocks of exports")
@pytest.mark.parametrize("names", [each if each[0] not in LARGE else slow(each) for each in SAME], ids=itemgetter(-1))
def test_exports_of_a_network_take_the_same_clocks(names: tuple[str, ...], tmp_path: Path) -> None:
    """Those that are equal but for a softmax at the end need not be played."""
    if len({repr(without_softmax(loaded(name, tmp_path)[1])) for name in names}) > 1:
        first, *others = (clocks(name, tmp_path) for name in names)
        assert all(other == pytest.approx(first, rel=3e-3) for other in others), (first, others)


def without_softmax(network: Network) -> Network:
    return replace(network, nodes=network.nodes[:-1]) if network.nodes[-1].op.name == "softmax" else network


FIELDS = ("kind", "inputs", "output", "window", "groups", "activation", "sources")


@pytest.mark.parametrize("case", UNEQUAL, ids=lambda case: case.export)
def test_exports_that_are_other_graphs_differ_as_it_is_said(case: Unequal, tmp_path: Path) -> None:
    others, ours = (layers(load_network(name)[1]) for name in (path_of(case.export, tmp_path), case.built_in))
    if len(others) == len(ours):
        pairs = zip(others, ours, strict=True)
        found = Counter(
            field for pair in pairs for field, *both in zip(FIELDS, *pair, strict=True) if both[0] != both[1]
        )
    else:
        found = Counter(layer[0] for layer in others)
        found.subtract(layer[0] for layer in ours)
    assert {field: count for field, count in found.items() if count} == case.differ


@pytest.mark.slow
@pytest.mark.xdist_group("clocks of exports")
@pytest.mark.parametrize("case", UNEQUAL, ids=lambda case: case.export)
def test_exports_that_are_other_graphs_take_other_clocks(case: Unequal, tmp_path: Path) -> None:
    ratio = clocks(case.export, tmp_path) / clocks(case.built_in, tmp_path)
    assert 100 * (ratio - 1) == pytest.approx(case.percent, abs=max(0.1, abs(case.percent) / 20))


@pytest.mark.parametrize("case", UNEQUAL, ids=lambda case: case.export)
def test_the_page_says_what_differs(case: Unequal) -> None:
    row = f"| `{case.built_in}` | {case.exporter} | {case.percent:+g} % | {case.why} |"
    assert row in (ROOT / "docs" / "onnx.md").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("names", SMALL, ids=lambda names: names[0])
def test_a_function_takes_the_same_clocks_in_one_node_or_several(names: tuple[str, ...], tmp_path: Path) -> None:
    first, *others = (clocks(name, tmp_path) for name in names)
    assert all(other == first for other in others), (first, others)
