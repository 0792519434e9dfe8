"""GhostNet."""

from __future__ import annotations

from fractions import Fraction

from accelsim.config.families import GhostNet
from accelsim.network.families.rows import (
    RowData,
    activated,
    classifier,
    conv,
    depthwise,
    divisible,
    row,
    squeeze_and_excite,
)
from accelsim.units import times

BOTTLENECKS = (
    # kernel, expanded channels, output channels, whether squeezed, stride
    (3, 16, 16, False, 1),
    (3, 48, 24, False, 2),
    (3, 72, 24, False, 1),
    (5, 72, 40, True, 2),
    (5, 120, 40, True, 1),
    (3, 240, 80, False, 2),
    (3, 200, 80, False, 1),
    (3, 184, 80, False, 1),
    (3, 184, 80, False, 1),
    (3, 480, 112, True, 1),
    (3, 672, 112, True, 1),
    (5, 672, 160, True, 2),
    (5, 960, 160, False, 1),
    (5, 960, 160, True, 1),
    (5, 960, 160, False, 1),
    (5, 960, 160, True, 1),
)
"""Han et al., arXiv 1911.11907, Table 1."""


def ghostnet_rows(network: GhostNet) -> list[RowData]:
    """Han et al., arXiv 1911.11907, Table 1 and Fig. 3; channels in multiples of 4, as in the authors' code."""
    inputs = divisible(times(16, network.width), 4)
    rows, source = [conv("conv1", inputs, 3, stride=2)], "conv1"
    for number, (kernel, expanded, outputs, squeezes, stride) in enumerate(BOTTLENECKS, 1):
        wide, narrow = divisible(times(expanded, network.width), 4), divisible(times(outputs, network.width), 4)
        name = f"b{number}"
        rows += _expanded(name, source, wide, kernel if stride > 1 else 0, squeezes=squeezes)
        rows += _ghost(f"{name}_ghost2", rows[-1]["name"], narrow, "none")
        rows += _added(name, source, narrow, kernel, stride, projects=stride > 1 or inputs != narrow)
        source, inputs = f"{name}_add", narrow
    rows.append(conv("conv_last", divisible(times(960, network.width), 4), 1))
    return [*rows, *classifier(network.classes, *activated(row("fc", "fc1", channels=1280), "relu"))]


def _ghost(name: str, source: str, channels: int, act: str) -> list[RowData]:
    """A ghost module: half of the channels by a 1x1 convolution, the other half from these, depthwise (Fig. 2b)."""
    primary = -(-channels // 2)
    return [
        conv(f"{name}_primary", primary, 1, source, act=act),
        depthwise(f"{name}_cheap", 3, act=act),
        row("concat", name, f"{name}_primary", f"{name}_cheap"),
    ]


def _expanded(name: str, source: str, wide: int, kernel: int, *, squeezes: bool) -> list[RowData]:
    """The wide part of a bottleneck; kernel: of the depthwise layer that strides, 0 for none."""
    rows = _ghost(f"{name}_ghost1", source, wide, "relu")
    if kernel:
        rows.append(depthwise(f"{name}_dw", kernel, stride=2, act="none"))
    if squeezes:
        squeezed = divisible(Fraction(wide, 4), 4)
        rows += squeeze_and_excite(f"{name}_se", rows[-1]["name"], wide, squeezed, gate="hardsigmoid")
    return rows


def _added(name: str, source: str, narrow: int, kernel: int, stride: int, *, projects: bool) -> list[RowData]:
    """The shortcut round a bottleneck, depthwise and 1x1 where shapes change, and the add."""
    rows: list[RowData] = []
    if projects:
        rows.append(depthwise(f"{name}_short_dw", kernel, source, stride=stride, act="none"))
        rows.append(conv(f"{name}_short", narrow, 1, act="none"))
    around = rows[-1]["name"] if rows else source
    return [*rows, row("add", f"{name}_add", f"{name}_ghost2", around)]
