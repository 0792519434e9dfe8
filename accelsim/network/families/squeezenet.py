"""SqueezeNet."""

from __future__ import annotations

from accelsim.config.families import SqueezeNet
from accelsim.network.families.rows import RowData, conv, pool, row

STEM = {"1.0": (96, 7), "1.1": (64, 3)}
"""Channels and kernel of the first convolution."""
POOLED_AFTER = {"1.0": (4, 8), "1.1": (3, 5)}
SAME_CHANNELS = (3, 5, 7, 9)
"""Fire modules whose input has as many channels as their output, so that a simple bypass fits."""


def squeezenet_rows(network: SqueezeNet) -> list[RowData]:
    """Iandola et al., arXiv 1602.07360, Table 1 and Fig. 2; no ReLU after a bypass, and 1.1 (the authors' Caffe files).

    Pools of 1.1 keep a last, partial window, as Caffe's do.
    """
    pools = {"ceil": True} if network.version == "1.1" else {}
    rows = [conv("conv1", *STEM[network.version], stride=2, pad=0), pool("maxpool", "maxpool1", 3, 2, **pools)]
    source = "maxpool1"
    for module, widths in enumerate(zip(network.s1x1, network.e1x1, network.e3x3, strict=True), 2):
        name = f"fire{module}"
        rows += _fire(name, source, widths)
        result = f"{name}_concat"
        if network.bypass == "complex" and module not in SAME_CHANNELS:
            rows.append(conv(f"{name}_bypass", widths[1] + widths[2], 1, source, act="none"))
            rows.append(row("add", f"{name}_add", f"{name}_bypass", result))
            result = f"{name}_add"
        elif network.bypass != "none" and module in SAME_CHANNELS:
            rows.append(row("add", f"{name}_add", source, result))
            result = f"{name}_add"
        source = result
        if module in POOLED_AFTER[network.version]:
            source = f"maxpool{module}"
            rows.append(pool("maxpool", source, 3, 2, result, **pools))
    return [*rows, conv("conv10", network.classes, 1), row("gap", "avgpool10"), row("softmax", "softmax")]


def _fire(name: str, source: str, widths: tuple[int, int, int]) -> list[RowData]:
    squeeze, ones, threes = widths
    return [
        conv(f"{name}_squeeze1x1", squeeze, 1, source),
        conv(f"{name}_expand1x1", ones, 1, f"{name}_squeeze1x1"),
        conv(f"{name}_expand3x3", threes, 3, f"{name}_squeeze1x1"),
        row("concat", f"{name}_concat", f"{name}_expand1x1", f"{name}_expand3x3"),
    ]
