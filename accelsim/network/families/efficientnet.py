"""MnasNet and EfficientNet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil

from accelsim.config.families import EfficientNet, MnasNet
from accelsim.network.families.inverted import Inverted, inverted_residuals
from accelsim.network.families.rows import RowData, activated, classifier, conv, divisible
from accelsim.units import times


@dataclass(frozen=True, slots=True)
class Stage:
    """Equal blocks: expansion, kernel, stride of the first, output channels, how many, whether squeezed."""

    expansion: int
    kernel: int
    stride: int
    channels: int
    blocks: int
    squeezes: bool = False


MNASNET = {
    "a1": (
        Stage(1, 3, 1, 16, 1),
        Stage(6, 3, 2, 24, 2),
        Stage(3, 5, 2, 40, 3, squeezes=True),
        Stage(6, 3, 2, 80, 4),
        Stage(6, 3, 1, 112, 2, squeezes=True),
        Stage(6, 5, 2, 160, 3, squeezes=True),
        Stage(6, 3, 1, 320, 1),
    ),
    "b1": (
        Stage(1, 3, 1, 16, 1),
        Stage(3, 3, 2, 24, 3),
        Stage(3, 5, 2, 40, 3),
        Stage(6, 5, 2, 80, 3),
        Stage(6, 3, 1, 96, 2),
        Stage(6, 5, 2, 192, 4),
        Stage(6, 3, 1, 320, 1),
    ),
}
"""Tan et al., arXiv 1807.11626, Fig. 7 (A1); B1 is the authors' network without squeeze-and-excitation."""

EFFICIENTNET_B0 = (
    Stage(1, 3, 1, 16, 1, squeezes=True),
    Stage(6, 3, 2, 24, 2, squeezes=True),
    Stage(6, 5, 2, 40, 2, squeezes=True),
    Stage(6, 3, 2, 80, 3, squeezes=True),
    Stage(6, 5, 1, 112, 3, squeezes=True),
    Stage(6, 5, 2, 192, 4, squeezes=True),
    Stage(6, 3, 1, 320, 1, squeezes=True),
)
"""Tan and Le, arXiv 1905.11946, Table 1."""


def mnasnet_rows(network: MnasNet) -> list[RowData]:
    """Tan et al., arXiv 1807.11626, Fig. 7; the last 1280 channels are not scaled below width 1 (the authors' code)."""
    width = network.width
    stem, last = divisible(times(32, width)), divisible(times(1280, max(1.0, width)))
    stages = [_scaled(stage, width, stage.blocks) for stage in MNASNET[network.layout]]
    return _rows(stages, stem, last, "relu", network.classes)


def efficientnet_rows(network: EfficientNet) -> list[RowData]:
    """Tan and Le, arXiv 1905.11946, Table 1, channels and blocks scaled; Lite as the authors' code has it."""
    width, depth, last = network.width, network.depth, len(EFFICIENTNET_B0) - 1
    stages = []
    for number, stage in enumerate(EFFICIENTNET_B0):
        fixed = network.lite and number in (0, last)
        count = stage.blocks if fixed else ceil(times(stage.blocks, depth))
        stages.append(_scaled(stage, width, count, squeezes=not network.lite))
    around = 1.0 if network.lite else width
    act = "relu6" if network.lite else "silu"
    return _rows(stages, divisible(times(32, around)), divisible(times(1280, around)), act, network.classes)


def _scaled(stage: Stage, width: float, blocks: int, *, squeezes: bool = True) -> Stage:
    channels = divisible(times(stage.channels, width))
    return replace(stage, channels=channels, blocks=blocks, squeezes=stage.squeezes and squeezes)


def _rows(stages: list[Stage], stem: int, last: int, act: str, classes: int) -> list[RowData]:
    rows = activated(conv("stem", stem, 3, stride=2), act)
    rows += inverted_residuals(list(_blocks(stages, stem, act)), rows[-1]["name"], stem)
    return [*rows, *activated(conv("head", last, 1), act), *classifier(classes)]


def _blocks(stages: list[Stage], inputs: int, act: str) -> Iterator[Inverted]:
    """Squeeze-and-excitation has a quarter of the channels that enter the block, not of the expanded ones."""
    for place, stage in enumerate(stages, 1):
        for number in range(1, stage.blocks + 1):
            stride = stage.stride if number == 1 else 1
            squeezed = max(1, inputs // 4) if stage.squeezes else 0
            expanded = stage.expansion * inputs
            yield Inverted(
                f"s{place}_{number}", stage.kernel, stride, expanded, stage.channels, act, squeezed, squeeze_act=act
            )
            inputs = stage.channels
