"""RepVGG and MobileOne as they are deployed: the branches that they are trained with are one convolution by then."""

from __future__ import annotations

from accelsim.config.families import MobileOne, RepVgg
from accelsim.network.families.rows import RowData, activated, classifier, conv, depthwise, row, squeeze_and_excite
from accelsim.units import times

STAGE_CHANNELS = (64, 128, 256, 512)
MOBILEONE_BLOCKS = (2, 8, 10, 1)
REPVGG_BLOCKS = {"a": (2, 4, 14, 1), "b": (4, 6, 16, 1)}


def _widths(network: RepVgg | MobileOne) -> list[int]:
    """Channels of each stage."""
    return [int(times(channels, each)) for channels, each in zip(STAGE_CHANNELS, network.widths, strict=True)]


def repvgg_rows(network: RepVgg) -> list[RowData]:
    """Ding et al., arXiv 2101.03697, Table 2 and section 3.4; every second 3x3 layer, from the third, is grouped."""
    widths = _widths(network)
    rows = [conv("s0_1", min(64, widths[0]), 3, stride=2)]
    for stage, (count, channels) in enumerate(zip(REPVGG_BLOCKS[network.depth], widths, strict=True), 1):
        for number in range(1, count + 1):
            groups = network.groups if len(rows) % 2 == 0 else 1
            rows.append(conv(f"s{stage}_{number}", channels, 3, stride=2 if number == 1 else 1, groups=groups))
    return [*rows, *classifier(network.classes)]


def mobileone_rows(network: MobileOne) -> list[RowData]:
    """Vasu et al., arXiv 2206.04040, Tables 2 and 3; where squeezed, both layers of a block are, by 16."""
    widths = _widths(network)
    inputs = min(64, widths[0])
    rows = [conv("s0_1", inputs, 3, stride=2)]
    for stage, (count, channels) in enumerate(zip(MOBILEONE_BLOCKS, widths, strict=True), 1):
        squeezed = {3: count // 2, 4: count}.get(stage, 0) if network.se else 0
        for number in range(1, count + 1):
            name, squeezes = f"s{stage}_{number}", number > count - squeezed
            rows += _squeezed(depthwise(f"{name}_dw", 3, stride=2 if number == 1 else 1), inputs, squeezes=squeezes)
            rows += _squeezed(conv(f"{name}_pw", channels, 1), channels, squeezes=squeezes)
            inputs = channels
    return [*rows, *classifier(network.classes)]


def _squeezed(layer: RowData, channels: int, *, squeezes: bool) -> list[RowData]:
    """A layer and its ReLU, which stands behind the squeeze-and-excitation between them."""
    if not squeezes:
        return [layer]
    name = layer["name"]
    return [
        *activated(layer, "none"),
        *squeeze_and_excite(f"{name}_se", name, channels, channels // 16),
        row("relu", f"{name}_relu"),
    ]
