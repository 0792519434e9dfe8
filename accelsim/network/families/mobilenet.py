"""MobileNet v1, v2 and v3."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from accelsim.config.families import MobileNetV1, MobileNetV2, MobileNetV3
from accelsim.network.families.inverted import Inverted, inverted_residuals
from accelsim.network.families.rows import RowData, activated, classifier, conv, depthwise, divisible, row
from accelsim.units import times

PAIRS = (
    # stride of the depthwise convolution, output channels of the pointwise one
    (1, 64),
    (2, 128),
    (1, 128),
    (2, 256),
    (1, 256),
    (2, 512),
    *[(1, 512)] * 5,
    (2, 1024),
    (1, 1024),
)
"""Howard et al., arXiv 1704.04861, Table 1; its last depthwise row prints s2, where only s1 fits the next row."""

EQUAL_PAIRS = slice(6, 11)
"""The five layers of 14x14x512 that the shallow network leaves out (section 4.1)."""


def mobilenet_rows(network: MobileNetV1) -> list[RowData]:
    """Howard et al., arXiv 1704.04861, Table 1; channels are int(width * C), at least 1."""
    pairs = list(PAIRS)
    if network.shallow:
        del pairs[EQUAL_PAIRS]
    rows = [conv("conv1", _scaled(32, network.width), 3, stride=2)]
    for number, (stride, channels) in enumerate(pairs, 2):
        width = _scaled(channels, network.width)
        if network.separable:
            rows.append(depthwise(f"dw{number}", 3, stride=stride))
            rows.append(conv(f"pw{number}", width, 1))
        else:
            rows.append(conv(f"conv{number}", width, 3, stride=stride))
    return [*rows, *classifier(network.classes)]


def _scaled(channels: int, width: float) -> int:
    return max(1, int(times(channels, width)))


V2_STAGES = (
    # expansion, output channels, blocks, stride of the first
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Sandler et al., arXiv 1801.04381, Table 2."""


def mobilenet_v2_rows(network: MobileNetV2) -> list[RowData]:
    """Sandler et al., arXiv 1801.04381, Table 2; the last 1280 channels are not scaled below 1 (its section 4)."""
    stem = divisible(times(32, network.width))
    rows = [conv("conv1", stem, 3, stride=2, act="relu6")]
    rows += inverted_residuals(list(_v2_blocks(network.width, stem)), "conv1", stem)
    rows.append(conv("conv9", divisible(times(1280, max(1.0, network.width))), 1, act="relu6"))
    return [*rows, *classifier(network.classes)]


def _v2_blocks(width: float, inputs: int) -> Iterator[Inverted]:
    for stage, (expansion, channels, count, stride) in enumerate(V2_STAGES, 2):
        outputs = divisible(times(channels, width))
        for number in range(1, count + 1):
            step = stride if number == 1 else 1
            yield Inverted(f"s{stage}_{number}", 3, step, expansion * inputs, outputs, "relu6")
            inputs = outputs


V3_BLOCKS = {
    # kernel, expanded channels, output channels, whether squeezed, activation, stride
    "large": (
        (3, 16, 16, False, "relu", 1),
        (3, 64, 24, False, "relu", 2),
        (3, 72, 24, False, "relu", 1),
        (5, 72, 40, True, "relu", 2),
        (5, 120, 40, True, "relu", 1),
        (5, 120, 40, True, "relu", 1),
        (3, 240, 80, False, "hardswish", 2),
        (3, 200, 80, False, "hardswish", 1),
        (3, 184, 80, False, "hardswish", 1),
        (3, 184, 80, False, "hardswish", 1),
        (3, 480, 112, True, "hardswish", 1),
        (3, 672, 112, True, "hardswish", 1),
        (5, 672, 160, True, "hardswish", 2),
        (5, 960, 160, True, "hardswish", 1),
        (5, 960, 160, True, "hardswish", 1),
    ),
    "small": (
        (3, 16, 16, True, "relu", 2),
        (3, 72, 24, False, "relu", 2),
        (3, 88, 24, False, "relu", 1),
        (5, 96, 40, True, "hardswish", 2),
        (5, 240, 40, True, "hardswish", 1),
        (5, 240, 40, True, "hardswish", 1),
        (5, 120, 48, True, "hardswish", 1),
        (5, 144, 48, True, "hardswish", 1),
        (5, 288, 96, True, "hardswish", 2),
        (5, 576, 96, True, "hardswish", 1),
        (5, 576, 96, True, "hardswish", 1),
    ),
}
"""Howard et al., arXiv 1905.02244, Tables 1 and 2."""

V3_LAST = {"large": 1280, "small": 1024}


def mobilenet_v3_rows(network: MobileNetV3) -> list[RowData]:
    """Howard et al., arXiv 1905.02244, Tables 1 and 2; squeezed to a quarter of the expanded channels (section 5.3),
    in multiples of 8. The layer behind the global pool has no batch norm and stays as wide below width 1."""
    act = "relu" if network.minimalistic else "hardswish"
    stem = divisible(times(16, network.width))
    blocks = list(_v3_blocks(network, stem))
    rows = activated(conv("conv1", stem, 3, stride=2), act)
    rows += inverted_residuals(blocks, rows[-1]["name"], stem)
    rows += activated(conv("conv_last", 6 * blocks[-1].outputs, 1), act)
    last = divisible(times(V3_LAST[network.size], max(1.0, network.width)))
    return [*rows, *classifier(network.classes, *activated(row("fc", "fc1", channels=last), act))]


def _v3_blocks(network: MobileNetV3, inputs: int) -> Iterator[Inverted]:
    """Blocks expand what enters them by the table's ratio; what enters is what is scaled, as in the authors' code."""
    entering, plain = 16, network.minimalistic
    for number, (kernel, wide, channels, squeezes, act, stride) in enumerate(V3_BLOCKS[network.size], 1):
        expanded, outputs = divisible(Fraction(wide * inputs, entering)), divisible(times(channels, network.width))
        squeezed = divisible(Fraction(expanded, 4)) if squeezes and not plain else 0
        kernel, act = (3, "relu") if plain else (kernel, act)
        yield Inverted(f"b{number}", kernel, stride, expanded, outputs, act, squeezed, gate="hardsigmoid")
        entering, inputs = channels, outputs
