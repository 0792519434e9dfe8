"""MobileNet v1."""

from __future__ import annotations

from accelsim.config.families import MobileNetV1
from accelsim.network.families.rows import RowData, classifier, conv, row
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
            rows.append(row("dwconv", f"dw{number}", kernel=3, stride=stride, pad=1, activation="relu"))
            rows.append(conv(f"pw{number}", width, 1))
        else:
            rows.append(conv(f"conv{number}", width, 3, stride=stride))
    return [*rows, *classifier(network.classes)]


def _scaled(channels: int, width: float) -> int:
    return max(1, int(times(channels, width)))
