"""Parameters of the network families. How a family is built from them is in `accelsim.network.families`.

`family: NAME` in a workload file, with any of these keys beside it, is a network of that family; so is a variant name
such as `mobilenet_v1_0.75_160` (`accelsim.config.variants`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, get_args

from pydantic import Field

from accelsim.config.schema import Section
from accelsim.config.strict_yaml import KeyPath
from accelsim.config.workload import NetworkFile

Resolution = Annotated[int, Field(ge=8, le=4096, description="side of the square input")]
Channels = Annotated[int, Field(gt=0, le=1 << 16)]
Classes = Annotated[Channels, Field(description="outputs of the last layer")]
Excitation = Annotated[bool, Field(description="squeeze-and-excitation")]
Shallow = Annotated[bool, Field(description="fewer layers, as the paper's shallow network")]
FireChannels = Annotated[list[Channels], Field(min_length=8, max_length=8)]
StageChannels = Annotated[list[Channels], Field(min_length=3, max_length=3)]

SQUEEZE = [16, 16, 32, 32, 48, 48, 64, 64]
EXPAND = [64, 64, 128, 128, 192, 192, 256, 256]
SIXTEEN_GROUPS = [16, 16, 16]
Factor = Annotated[float, Field(gt=0, le=16, allow_inf_nan=False)]
StageFactors = Annotated[list[Factor], Field(min_length=4, max_length=4)]


class AlexNet(NetworkFile):
    """Krizhevsky et al., NIPS 2012, whose 224 x 224 fits its layers as 227; `owt` is the network of arXiv 1404.5997."""

    family: Literal["alexnet"] = Field(description="name of the family")
    layout: Literal["ungrouped", "grouped", "owt"] = Field(
        "ungrouped", description="without groups, with those of two GPUs, or the later one-GPU network"
    )
    resolution: Resolution = 227
    classes: Classes = 1000


class Vgg(NetworkFile):
    """Simonyan and Zisserman, ICLR 2015 (arXiv 1409.1556), Table 1: configurations B, D and E."""

    family: Literal["vgg"] = Field(description="name of the family")
    depth: Literal[13, 16, 19] = Field(16, description="layers with weights")
    resolution: Resolution = 224
    classes: Classes = 1000


class ResNet(NetworkFile):
    """He et al., CVPR 2016 (arXiv 1512.03385), Table 1; with `cardinality` above 1 ResNeXt, Xie et al., CVPR 2017.

    shortcut: option A (subsampled, zero channels), B (projections where shapes change) or C (all projections).
    stride_in: the convolution of a bottleneck that strides, 1x1 (v1) or 3x3 (v1.5). group_width: channels of a group
    in the first stage of a ResNeXt.
    """

    family: Literal["resnet"] = Field(description="name of the family")
    depth: Literal[18, 34, 50, 101, 152] = Field(50, description="layers with weights")
    shortcut: Literal["A", "B", "C"] = Field(
        "B", description="option A (zero channels), B (projections where shapes change) or C (all projections)"
    )
    stride_in: Literal["1x1", "3x3"] = Field(
        "1x1", description="convolution of a bottleneck that strides: 1x1 (v1) or 3x3 (v1.5)"
    )
    cardinality: Channels = Field(1, description="groups of the 3x3 convolutions; above 1 it is a ResNeXt")
    group_width: Channels = Field(64, description="channels of a group in the first stage")
    resolution: Resolution = 224
    classes: Classes = 1000


class DenseNet(NetworkFile):
    """Huang et al., CVPR 2017 (arXiv 1608.06993), Table 1: DenseNet-BC."""

    family: Literal["densenet"] = Field(description="name of the family")
    depth: Literal[121, 161, 169, 201] = Field(121, description="layers with weights")
    compression: Annotated[float, Field(gt=0, le=1)] = Field(
        0.5, description="channels behind a transition, over those before it"
    )
    resolution: Resolution = 224
    classes: Classes = 1000


class GoogLeNet(NetworkFile):
    """Szegedy et al., CVPR 2015 (arXiv 1409.4842), Table 1, without its auxiliary classifiers."""

    family: Literal["googlenet"] = Field(description="name of the family")
    resolution: Resolution = 224
    classes: Classes = 1000


class MobileNetV1(NetworkFile):
    """Howard et al., arXiv 1704.04861, Table 1.

    width: the multiplier alpha, channels rounded down; shallow: without the five equal layers of 14x14x512;
    separable: false replaces each depthwise and pointwise pair by a full 3x3 convolution (Table 4).
    """

    family: Literal["mobilenet_v1"] = Field(description="name of the family")
    resolution: Resolution = 224
    shallow: Shallow = False
    separable: bool = Field(True, description="depthwise and pointwise pairs; false: full 3x3 convolutions")
    classes: Classes = 1000


class MobileNetV2(NetworkFile):
    """Sandler et al., CVPR 2018 (arXiv 1801.04381), Table 2. width: of all channels, the last 1280 above 1 alone."""

    family: Literal["mobilenet_v2"] = Field(description="name of the family")
    resolution: Resolution = 224
    classes: Classes = 1000


class MobileNetV3(NetworkFile):
    """Howard et al., ICCV 2019 (arXiv 1905.02244), Tables 1 and 2.

    minimalistic: without squeeze-and-excitation, hard swish and 5x5 kernels, as the authors' code has it.
    """

    family: Literal["mobilenet_v3"] = Field(description="name of the family")
    size: Literal["large", "small"] = Field("large", description="variant of the paper")
    minimalistic: bool = Field(False, description="without squeeze-and-excitation, hard swish and 5x5 kernels")
    resolution: Resolution = 224
    classes: Classes = 1000


class MnasNet(NetworkFile):
    """Tan et al., CVPR 2019 (arXiv 1807.11626), Fig. 7: A1, and B1, which has no squeeze-and-excitation."""

    family: Literal["mnasnet"] = Field(description="name of the family")
    layout: Literal["a1", "b1"] = Field("a1", description="variant of the paper")
    resolution: Resolution = 224
    classes: Classes = 1000


class EfficientNet(NetworkFile):
    """Tan and Le, ICML 2019 (arXiv 1905.11946), Table 1, scaled by `width` and `depth` (blocks of a stage).

    lite: without squeeze-and-excitation, with ReLU6, and with stem, head, first and last stage that do not grow.
    """

    family: Literal["efficientnet"] = Field(description="name of the family")
    depth: Factor = Field(1.0, description="multiplier of the blocks of each stage")
    lite: bool = Field(False, description="the Lite variant")
    resolution: Resolution = 224
    classes: Classes = 1000


class GhostNet(NetworkFile):
    """Han et al., CVPR 2020 (arXiv 1911.11907), Table 1: ghost modules of ratio 2, with 3x3 cheap operations."""

    family: Literal["ghostnet"] = Field(description="name of the family")
    resolution: Resolution = 224
    classes: Classes = 1000


class RepVgg(NetworkFile):
    """Ding et al., CVPR 2021 (arXiv 2101.03697), Table 2, as deployed: 3x3 convolutions alone.

    depth: a (22 layers) or b (28); widths: of the stages, times 64, 128, 256 and 512; groups: of every second layer.
    """

    family: Literal["repvgg"] = Field(description="name of the family")
    depth: Literal["a", "b"] = Field("a", description="22 layers (a) or 28 (b)")
    widths: StageFactors = Field(description="multipliers of 64, 128, 256 and 512, the channels of the stages")
    groups: Channels = Field(1, description="groups of every second layer")
    resolution: Resolution = 224
    classes: Classes = 1000


class MobileOne(NetworkFile):
    """Vasu et al., CVPR 2023 (arXiv 2206.04040), Table 3, as deployed: a depthwise and a pointwise layer a block.

    widths: of the stages, times 64, 128, 256 and 512; se: squeeze-and-excitation in the last blocks.
    """

    family: Literal["mobileone"] = Field(description="name of the family")
    widths: StageFactors = Field(description="multipliers of 64, 128, 256 and 512, the channels of the stages")
    se: Excitation = False
    resolution: Resolution = 224
    classes: Classes = 1000


class MobileViT(NetworkFile):
    """Mehta and Rastegari, ICLR 2022 (arXiv 2110.02178), Table 4."""

    family: Literal["mobilevit"] = Field(description="name of the family")
    size: Literal["xxs", "xs", "s"] = Field("xxs", description="variant of the paper")
    resolution: Resolution = 256
    classes: Classes = 1000


class ViT(NetworkFile):
    """Dosovitskiy et al., ICLR 2021 (arXiv 2010.11929); the defaults are ViT-Tiny, DeiT-Ti of arXiv 2012.12877.

    embedding: channels of a token; depth: encoder layers; patch: side of a patch in pixels.
    """

    family: Literal["vit"] = Field(description="name of the family")
    embedding: Channels = Field(192, description="channels of a token")
    depth: Annotated[int, Field(gt=0, le=256)] = Field(12, description="encoder layers")
    heads: Channels = Field(3, description="heads of attention")
    patch: Channels = Field(16, description="side of a patch, pixels")
    resolution: Resolution = 224
    classes: Classes = 1000


class SqueezeNet(NetworkFile):
    """Iandola et al., arXiv 1602.07360, Table 1: SqueezeNet, and the bypasses of its Figure 2.

    version: 1.0, or the authors' 1.1, which has a smaller first convolution and pools earlier. s1x1, e1x1, e3x3:
    squeeze and expand channels of the fire modules 2 to 9.
    """

    family: Literal["squeezenet"] = Field(description="name of the family")
    version: Literal["1.0", "1.1"] = Field("1.0", description="1.1 has a smaller first convolution and pools earlier")
    bypass: Literal["none", "simple", "complex"] = Field("none", description="shortcuts around fire modules")
    s1x1: FireChannels = Field(SQUEEZE, description="squeeze channels of fire modules 2 to 9")
    e1x1: FireChannels = Field(EXPAND, description="1x1 expand channels of fire modules 2 to 9")
    e3x3: FireChannels = Field(EXPAND, description="3x3 expand channels of fire modules 2 to 9")
    resolution: Resolution = 227
    classes: Classes = 1000


class ShuffleNetV1(NetworkFile):
    """Zhang et al., CVPR 2018 (arXiv 1707.01083), Table 1.

    width: the scale s of "ShuffleNet s x"; channels, stem: output channels of stage 2 and of the first convolution,
    where the paper's width and groups do not fix them; se: squeeze-and-excitation with reduction 16 in each unit;
    shallow: half of the units in each stage.
    """

    family: Literal["shufflenet_v1"] = Field(description="name of the family")
    groups: Literal[1, 2, 3, 4, 8] = Field(3, description="groups of the 1x1 convolutions")
    channels: Channels | None = Field(None, description="output channels of stage 2; null: by `width`")
    stem: Channels | None = Field(None, description="output channels of the first convolution; null: by `width`")
    shuffle: bool = Field(True, description="whether channels are shuffled")
    se: Excitation = False
    shallow: Shallow = False
    resolution: Resolution = 224
    classes: Classes = 1000


class ShuffleNetV2(NetworkFile):
    """Ma et al., ECCV 2018 (arXiv 1807.11164), Table 5.

    width: 0.5, 1, 1.5 or 2; another one scales the 116 channels of stage 2, which `channels` gives outright.
    """

    family: Literal["shufflenet_v2"] = Field(description="name of the family")
    channels: Channels | None = Field(None, description="output channels of stage 2; null: by `width`")
    resolution: Resolution = 224
    classes: Classes = 1000


class Comparator(NetworkFile):
    """The structures that the ShuffleNet paper compares with, in ShuffleNet's frame (its section 4.2 and Table 4).

    channels: output channels of stages 2, 3 and 4; cardinality: groups of a ResNeXt's 3x3 in each of them.
    """

    family: Literal["shufflenet_comparator"] = Field(description="name of the family")
    structure: Literal["vgglike", "resnet", "resnext"] = Field(description="structure of the units")
    channels: StageChannels = Field(description="output channels of stages 2, 3 and 4")
    stem: Channels = Field(12, description="output channels of the first convolution")
    cardinality: StageChannels = Field(SIXTEEN_GROUPS, description="groups of a ResNeXt's 3x3 in each stage")
    resolution: Resolution = 224
    classes: Classes = 1000


SCALES_ITSELF = (
    MobileNetV1, MobileNetV2, MobileNetV3, MnasNet, EfficientNet, GhostNet, ShuffleNetV1, ShuffleNetV2,
)  # fmt: skip
"""Families whose papers say what `width` does to each layer; the channels of others are scaled alike."""

NASBENCH_OPERATIONS = ("none", "skip", "conv1x1", "conv3x3", "avgpool")
NASBENCH_EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))


class NasBench201(NetworkFile):
    """Dong and Yang, ICLR 2020 (arXiv 2001.00326): any of the 15,625 cells of NAS-Bench-201, on CIFAR-10 unless given.

    cell: a digit for each edge, 0to1, 0to2, 1to2, 0to3, 1to3, 2to3: 0 none, 1 skip, 2 conv 1x1, 3 conv 3x3, 4 average
    pool 3x3.
    """

    family: Literal["nasbench201"] = Field(description="name of the family")
    cell: Annotated[str, Field(pattern="^[0-4]{6}$")] = Field(description="a digit for the operation on each edge")
    resolution: Resolution = 32
    classes: Classes = 10


def nasbench_inputs(cell: str) -> dict[int, list[tuple[int, str]]]:
    """Edges, (start, operation), of each node of a cell that depends on the input and that the output depends on."""
    edges = [
        (*ends, NASBENCH_OPERATIONS[int(digit)])
        for ends, digit in zip(NASBENCH_EDGES, cell, strict=True)
        if digit != "0"
    ]
    fed, needed = {0}, {3}
    for _, node, _ in sorted(edges, key=lambda edge: edge[1]):
        fed |= {node} if any(start in fed and end == node for start, end, _ in edges) else set()
    for node in (2, 1):
        needed |= {node} if any(start == node and end in needed for start, end, _ in edges) else set()
    live = sorted(fed & needed)
    return {node: [(start, op) for start, end, op in edges if end == node and start in {0, *live}] for node in live}


FAMILIES: dict[str, type[NetworkFile]] = {
    get_args(family.model_fields["family"].annotation)[0]: family
    for family in (
        AlexNet, Vgg, ResNet, DenseNet, GoogLeNet, MobileNetV1, MobileNetV2, MobileNetV3,
        MnasNet, EfficientNet, SqueezeNet, ShuffleNetV1, ShuffleNetV2, Comparator,
        GhostNet, RepVgg, MobileOne, MobileViT, ViT, NasBench201,
    )
}  # fmt: skip


def broken_rules(network: Section) -> Iterator[tuple[KeyPath, str, str]]:
    """(key, expected, got) where parameters break a rule of the family's paper."""
    match network:
        case SqueezeNet():
            for number, squeeze in enumerate(network.s1x1):
                expanded = network.e1x1[number] + network.e3x3[number]
                if squeeze >= expanded:
                    rule = f"fewer squeeze than expand channels in fire{number + 2} ({expanded})"
                    yield ("s1x1", number), rule, str(squeeze)
        case NasBench201() if 3 not in nasbench_inputs(network.cell):
            yield ("cell",), "a cell whose output depends on its input", network.cell
        case MobileViT() if network.resolution % 64:
            yield ("resolution",), "a multiple of 64, for patches of 2 x 2 in the last stage", str(network.resolution)
        case ViT() if network.resolution % network.patch:
            yield ("resolution",), f"a multiple of the patch, {network.patch}", str(network.resolution)
        case ViT() if network.embedding % network.heads:
            yield ("heads",), f"a divisor of the embedding, {network.embedding}", str(network.heads)
        case ResNet() if network.cardinality > 1 and network.depth < 50:
            yield ("cardinality",), "1 where blocks have no bottleneck (depth 18 and 34)", str(network.cardinality)
