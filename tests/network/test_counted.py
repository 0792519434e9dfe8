"""Are the tables of printed and counted figures in docs/networks.md what is counted?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.network.test_lecture import (
    CONV_MOBILENET,
    MEBI,
    MEGA,
    MOBILENET,
    SQUEEZENET,
    biases,
    error_pct,
    is_conv,
    macs,
    network,
    node,
    table,
    text,
)

PAGE = Path(__file__).parents[2] / "docs" / "networks.md"
SECTION = "## How they are counted"


def million(number: float, digits: int = 1) -> str:
    """Such as 15,346.6."""
    return f"{number / MEGA:,.{digits}f}"


def of_convolutions(name: str) -> str:
    return million(macs(name, without_fc=True))


def of_fc(name: str, digits: int = 1) -> str:
    return million(macs(name) - macs(name, without_fc=True), digits)


def convolutional_weights(name: str, digits: int = 1) -> str:
    return million(sum(each.weights for each in network(name).nodes if is_conv(each)), digits)


def fc_weights(name: str, digits: int = 1) -> str:
    return million(sum(each.weights for each in network(name).nodes if each.label == "fc"), digits)


def layers(name: str) -> str:
    """Convolutions on the main path and fc layers."""
    weighted = [each for each in network(name).nodes if each.weights and not each.name.endswith("_proj")]
    fcs = sum(each.label == "fc" for each in weighted)
    return f"{len(weighted) - fcs} + {fcs}"


def errors_of_alexnet() -> str:
    return " / ".join(f"{error:.1f}" for error in error_pct("alexnet_grouped") if error is not None)


def share_of_the_first_convolution() -> str:
    first = sum(each.macs for each in network(MOBILENET).nodes if each.kind == "conv 3x3")
    return f"{100 * first / macs(MOBILENET):.2f} %"


def above_alpha_squared() -> str:
    widths = ("0.75", "0.50", "0.25")
    more = [macs(f"mobilenet_v1_{width}_224") / macs(MOBILENET) / float(width) ** 2 - 1 for width in widths]
    percents = [f"{100 * each:.0f}" for each in more]
    return f"{percents[0]}, {percents[1]} and {percents[2]} % more at 0.75, 0.5, 0.25; rho^2 but for the fc"


def separable() -> str:
    """Times fewer MACs, of each pair of layers and of the network."""
    pairs = [
        node(CONV_MOBILENET, f"conv{number}").macs
        / (node(MOBILENET, f"dw{number}").macs + node(MOBILENET, f"pw{number}").macs)
        for number in range(2, 15)
    ]
    whole = macs(CONV_MOBILENET, without_fc=True) / macs(MOBILENET)
    return f"{min(pairs):.1f} to {max(pairs):.1f}; {whole:.1f} for all of MobileNet"


def smaller_than_resnet() -> str:
    weights = network("resnet34_A").weights / network(MOBILENET).weights
    return f"{weights:.1f}x in weights, {macs('resnet34_A') / macs(MOBILENET):.1f}x in MACs"


def complex_bypass() -> str:
    name = "squeezenet_v1.0_complex_bypass"
    size = 4 * (network(name).weights + biases(name))
    return f"{size / MEGA:.2f} MB = {size / MEBI:.2f} MiB"


def pruned() -> str:
    left = int(table("squeezenet_table1")[-1]["params_after"])
    bare, indexed = (left * bits / 8 / MEGA for bits in (6, 6 + 4))
    return f"{bare:.3f} MB; {indexed:.3f} MB with an index of 4 bits each"


def classes() -> str:
    """ShuffleNets of Table 4, and the least and most of those they are compared with."""
    ours = ", ".join(of_convolutions(f"shufflenet_{name}") for name in ("1.0x_g8", "0.5x_g4", "0.25x_g8"))
    others = [row for row in table("shufflenet_table4_structures") if row["structure"] != "ShuffleNet"]
    ranges = []
    for label in ("140", "38", "13"):
        found = [row["structure"].lower() for row in others if row["complexity_MFLOPs"] == label]
        names = [f"cmp_{structure.replace('-', '')}_{label}" for structure in found]
        counted = sorted(macs(name, without_fc=True) for name in names)
        ranges.append(f"{million(counted[0])} to {million(counted[-1])}")
    return f"{ours} M; the comparators {', '.join(ranges)}"


def shuffling() -> str:
    gains = [float(row["delta_pct"]) for row in table("shufflenet_shuffle_ablation")]
    return f"{min(gains)} to {max(gains)} points"


def fewer_than_alexnet() -> str:
    return f"{network('alexnet_grouped').weights / (network(SQUEEZENET).weights + biases(SQUEEZENET)):.1f}x"


def fire8() -> str:
    (pruned_layer,) = (each for each in network("squeezenet_v1.0_pruned_6bit").nodes if each.name == "fire8_expand3x3")
    return f"{100 * pruned_layer.nonzeros / pruned_layer.weights:.0f} %"


def less_than_v1_0() -> str:
    """SqueezeNet v1.1 at the size of v1.0, and at 224."""
    whole = macs(SQUEEZENET)
    at_224 = network("squeezenet_v1.1", "network.resolution=224").macs
    small = network(SQUEEZENET, "network.resolution=224").macs
    return f"{whole / macs('squeezenet_v1.1'):.2f} times at 227, {small / at_224:.2f} at 224"


def each_of(names: Iterable[str], digits: int = 1) -> str:
    return ", ".join(million(macs(name), digits) for name in names)


COUNTED: dict[str, Callable[[], str]] = {
    "AlexNet 720 M": lambda: (
        f"`alexnet_grouped` {million(macs('alexnet_grouped'))} M; `alexnet_ungrouped` "
        f"{of_convolutions('alexnet_ungrouped')} M + {of_fc('alexnet_ungrouped')} M"
    ),
    "AlexNet 42.9": errors_of_alexnet,
    'VGG16 "16C-3F"': lambda: f"{layers('vgg16')} and {layers('resnet34_A')} layers",
    "VGG16 15,360 M": lambda: f"{of_convolutions('vgg16')} M + {of_fc('vgg16')} M",
    "ResNet-34 21 M": lambda: (
        f"`resnet34_A` {convolutional_weights('resnet34_A')} M + {fc_weights('resnet34_A')} M, "
        f"{million(macs('resnet34_A'))} M; `resnet34_C` has that error, with multi-scale testing"
    ),
    "DenseNet-161 52 M": lambda: f"{convolutional_weights('densenet161', 2)} M + {fc_weights('densenet161', 3)} M",
    "MobileNet 532 M": lambda: f"{million(macs(MOBILENET))} M with its fc",
    "MobileNet Table 2": share_of_the_first_convolution,
    "alpha^2 and rho^2": above_alpha_squared,
    "separable 3x3": separable,
    'MobileNet "5x smaller': smaller_than_resnet,
    "SqueezeNet on 224x224": lambda: text(network(SQUEEZENET).input).removesuffix("x3"),
    "SqueezeNet with complex bypass": complex_bypass,
    '"< 0.5 MB"': pruned,
    "ShuffleNet 1x, g=3": lambda: (
        f"{of_convolutions('shufflenet_1.0x_g3')} M, and {million(macs('shufflenet_1.0x_g3'))} M with the fc"
    ),
    "ShuffleNet 0.5x, g=4": lambda: f"{of_convolutions('shufflenet_0.5x_g4')} M, with stage 2 of 144 channels",
    "ShuffleNet's Table 4": classes,
    "channel shuffle": shuffling,
    '"50x fewer': fewer_than_alexnet,
    "SqueezeNet's fire8": fire8,
    "GoogLeNet 1.5 B": lambda: f"{million(macs('googlenet'))} M",
    "MobileNet v2 1.4": lambda: (
        f"{million(macs('mobilenet_v2_1.40_224'))} M, {million(network('mobilenet_v2_1.40_224').weights, 2)} M weights"
    ),
    "MobileNet v3 small 56 M": lambda: (
        f"{each_of(['mobilenet_v3_small_1.00_224'])} M; {each_of(['mobilenet_v3_small_minimalistic_1.00_224'])} M"
    ),
    "MobileNet v3 at width 0.75": lambda: (
        f"{each_of(['mobilenet_v3_large_0.75_224'])} M, {each_of(['mobilenet_v3_small_0.75_224'])} M"
    ),
    "ShuffleNet v2": lambda: f"{each_of(f'shufflenet_v2_{scale}x' for scale in ('0.5', '1.0', '1.5', '2.0'))} M",
    "SqueezeNet v1.1": less_than_v1_0,
    "EfficientNet-B4": lambda: f"{macs('efficientnet_b4') / 1e9:.2f} G",
    "EfficientNet-Lite0": lambda: (
        f"{macs('efficientnet_lite0') / 1e6:.0f} M to {macs('efficientnet_lite4') / 1e9:.2f} G"
    ),
}
"""What is counted, by how the row begins."""
NOT_COUNTED = ("MobileNet 11.022 %", '"the pointwise term dominates')
"""An error without a source, and a condition that tests/network/test_lecture.py proves."""


def rows() -> list[tuple[str, str]]:
    """(printed, counted) of both tables."""
    lines = PAGE.read_text(encoding="utf-8").partition(SECTION)[2].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return [(cell[0], cell[1]) for cell in cells if cell[0] != "printed"]


@pytest.mark.parametrize("start", COUNTED)
def test_a_row_has_what_is_counted(start: str) -> None:
    (found,) = (counted for printed, counted in rows() if printed.startswith(start))
    assert found == COUNTED[start]()


def test_no_row_is_left_out() -> None:
    known = (*COUNTED, *NOT_COUNTED)
    assert [printed for printed, _ in rows() if not printed.startswith(known)] == []
    assert len(rows()) == len(known)
