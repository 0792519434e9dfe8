"""Do all exports of a network become the very same layers, those that are built in?

What is simulated are the layers, so exports whose layers are equal take the same clocks, on every machine.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from accelsim.importers.onnx import read
from accelsim.network.graph import Network, Node
from accelsim.run.define import build_network, load_network

EXPORTS, MODELS = (
    zipfile.ZipFile(Path(__file__).parents[2] / "data" / "onnx" / f"{name}.zip") for name in ("exports", "models")
)
WAYS = ("ts11", "ts17", "dyn", "dynraw")
"""TorchScript at opsets 11 and 17; dynamo, optimised and, as `accelsim.simulate` takes a module, not."""
BUILT_IN = {
    "tv_alexnet": "alexnet_owt",
    "tv_vgg16": "vgg16",
    "tv_resnet18": "resnet18",
    "tv_mobilenet_v2": "mobilenet_v2_1.00_224",
    "tv_mobilenet_v3_small": "mobilenet_v3_small_1.00_224",
    "tv_densenet121": "densenet121",
    "tv_shufflenet_v2_x1_0": "shufflenet_v2_1.0x",
}
"""torchvision's networks, and those of ours with the same layers but for a softmax at the end."""
ALONE = ("tv_googlenet", "tv_squeezenet1_1")
"""3x3 convolutions where the paper's GoogLeNet has 5x5, and no LRN; the built-in SqueezeNet's images are 227 wide."""
BY_OTHERS = {
    **{f"keras_ResNet50_{layout}": "resnet50_v1" for layout in ("nhwc", "nchw")},
    **{f"keras_DenseNet121_{layout}": "densenet121" for layout in ("nhwc", "nchw")},
    **{f"keras_VGG16_{layout}": "vgg16" for layout in ("nhwc", "nchw")},
    "caffe2_densenet121": "densenet121",
    "caffe2_vgg19": "vgg19",
    "light_resnet50": "resnet50_v1.5",
    "timm_ghostnet_100_ts17": "ghostnet_1.0x",
}
"""Networks of Keras, with channels last or first, of Caffe2 and timm, and those of ours with the same layers.

Keras has no AlexNet, GoogLeNet, SqueezeNet and ShuffleNet; its MobileNets pad otherwise. What else there is of Caffe2
is in `test_onnx_exports.py`.
"""
COUNTED = {
    "hf_clipv_ts17": 1_974_528,
    "hf_convbert_ts17": 1_848_320,
    "hf_distilbert_ts17": 1_114_112,
    "hf_t5enc_ts17": 1_114_112,
    "tv_swin_t_ts11": 4_490_566_656,
    "timm_beit_base_patch16_224_dyn": 17_563_828_224,
}
"""MACs of token models, with windows and relative positions, by `torch.utils.flop_counter`."""


def exported(name: str, folder: Path) -> Network:
    archive = EXPORTS if f"{name}.onnx" in EXPORTS.namelist() else MODELS
    path = Path(archive.extract(f"{name}.onnx", folder))
    return build_network(read(path, path.name))[1]


def layers(network: Network) -> list[tuple[Any, ...]]:
    """All that is simulated of layers, but for a softmax at the end, and a product of one pixel being either kind."""
    places = {node.name: place for place, node in enumerate(network.nodes)}
    nodes = network.nodes[:-1] if network.nodes[-1].op.name == "softmax" else network.nodes
    return [_layer(node, places) for node in nodes]


def _layer(node: Node, places: dict[str, int]) -> tuple[Any, ...]:
    one_pixel = node.op.weighted and (node.sizes[0].height, node.sizes[0].width) == (1, 1)
    kind = "fc" if one_pixel else node.op.name
    sources = sorted(places.get(name, -1) for name in node.inputs)
    return kind, node.sizes, node.output, node.window, node.groups, node.activation, sources


def large(names: tuple[str, ...], quick: set[str]) -> list[Any]:
    """Parameters, all but some of which are slow."""
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.parametrize("name", large((*BUILT_IN, *ALONE), {"tv_resnet18", "tv_vgg16"}))
def test_exports_of_a_network_are_the_same_layers(name: str, tmp_path: Path) -> None:
    first, *others = (layers(exported(f"{name}_{way}", tmp_path)) for way in WAYS)
    assert all(other == first for other in others)
    if name in BUILT_IN:
        assert first == layers(load_network(BUILT_IN[name])[1])


@pytest.mark.parametrize("name", large(tuple(BY_OTHERS), {"keras_VGG16_nhwc", "keras_ResNet50_nhwc", "caffe2_vgg19"}))
def test_exports_by_others_are_the_same_layers(name: str, tmp_path: Path) -> None:
    assert layers(exported(name, tmp_path)) == layers(load_network(BY_OTHERS[name])[1])


@pytest.mark.parametrize(
    ("name", "ours", "activation"),
    [("MobileNetV2", "mobilenet_v2_1.00_224", "relu6"), ("MobileNet", "mobilenet_v1_1.00_224", "relu")],
)
def test_keras_pads_behind_the_map_alone(name: str, ours: str, activation: str, tmp_path: Path) -> None:
    """Layouts are the same layers, which differ from the paper's in the padding of five, and in MobileNet's ReLU6."""
    channels_last, channels_first = (layers(exported(f"keras_{name}_{way}", tmp_path)) for way in ("nhwc", "nchw"))
    assert channels_last == channels_first
    built_in = layers(load_network(ours)[1])
    pairs = list(zip(channels_last, built_in, strict=True))
    assert all((*mine[:3], mine[4], mine[6]) == (*paper[:3], paper[4], paper[6]) for mine, paper in pairs)
    assert {(mine[5], paper[5]) for mine, paper in pairs} == {("relu6", activation), ("none", "none")}
    padding = [(mine[3].vertical.pad, paper[3].vertical.pad) for mine, paper in pairs if mine[3] != paper[3]]
    assert padding == [(0, 1)] * 5


@pytest.mark.parametrize("name", large(tuple(COUNTED), {"hf_convbert_ts17"}))
def test_token_models_have_the_macs_that_torch_counts(name: str, tmp_path: Path) -> None:
    found = exported(name, tmp_path)
    assert found.macs * found.batch == COUNTED[name]


def test_positions_may_be_computed_from_the_tokens(tmp_path: Path) -> None:
    """A running sum over what is no padding, as RoBERTa has; the pooler's output is none of the graph's."""
    found = exported("hf_roberta_ts17", tmp_path)
    assert found.macs == 1_118_208 - 64 * 64
    assert [node.op.name for node in found.nodes].count("running_sum") == 1
