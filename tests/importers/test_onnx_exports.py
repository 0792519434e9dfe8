"""Does the same network cost the same, whoever exported it and however it was written?"""

from __future__ import annotations

import zipfile
from functools import partial
from operator import itemgetter
from pathlib import Path

import pytest

from accelsim.cli import main
from accelsim.run.simulate import load_network, simulate

DATA = Path(__file__).parents[1] / "data" / "onnx"

SAME = [
    ("mobilenet_v2_1.00_224", "tv_mobilenet_v2_dynamo.onnx"),
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
    ("keras_MobileNetV3Small_nhwc.onnx", "keras_MobileNetV3Small_nchw.onnx"),
    ("q_resnet18_qdq_u8s8.onnx", "q_resnet18_qop_u8s8.onnx"),
    ("timm_mobilevit_xxs_ts17.onnx", "timm_mobilevit_xxs_dynamo.onnx"),
]
"""Networks that are equal but for a softmax at the end, which built-in ones have."""
LARGE = {
    *("densenet121", "resnext50_32x4d", "timm_mobilevit_xxs_ts17.onnx", "resnet50_v1.5", "efficientnet_b0"),
    *("vit_tiny_16_224", "vit_base_16_224", "mnasnet_b1_1.00_224", "mobilenet_v2_1.00_224", "shufflenet_v2_1.0x"),
    "squeezenet_v1.1",
}
SETTINGS = {"squeezenet_v1.1": {"network.resolution": 224}}

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


def clocks(name: str, archive: str, folder: Path) -> int:
    if not name.endswith(".onnx"):
        return simulate(name, "edge", SETTINGS.get(name)).total.total_cycles
    with zipfile.ZipFile(DATA / archive) as found:
        return simulate(found.extract(name, folder), "edge").total.total_cycles


@pytest.mark.parametrize("names", [each if each[0] not in LARGE else slow(each) for each in SAME], ids=itemgetter(0))
def test_exports_of_a_network_take_the_same_clocks(names: tuple[str, ...], tmp_path: Path) -> None:
    first, *others = (clocks(name, "models.zip", tmp_path) for name in names)
    assert all(other == pytest.approx(first, rel=1e-3) for other in others), (first, others)


@pytest.mark.parametrize("names", SMALL, ids=lambda names: names[0])
def test_a_function_takes_the_same_clocks_in_one_node_or_several(names: tuple[str, ...], tmp_path: Path) -> None:
    first, *others = (clocks(name, "small.zip", tmp_path) for name in names)
    assert all(other == first for other in others), (first, others)
