"""ShuffleNet v1 and v2."""

from __future__ import annotations

from accelsim.config.families import ShuffleNetV1, ShuffleNetV2
from accelsim.network.families.rows import RowData, classifier, conv, depthwise, pool, row

STAGE2_CHANNELS = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}
"""Zhang et al., arXiv 1707.01083, Table 1: output channels of stage 2 by groups; doubled in stages 3 and 4."""

UNITS = (4, 8, 4)
STEMS = {(0.5, 3): 12, (0.5, 8): 16, (1.5, 3): 24, (2.0, 3): 48, (0.25, 8): 8}
"""Output channels of the first convolution where they are not 24 x width: the authors' published code; 0.25x g8, which
needs a multiple of 8 below it, is derived."""


def shufflenet_rows(network: ShuffleNetV1) -> list[RowData]:
    """Zhang et al., arXiv 1707.01083, Table 1 and Fig. 2; the first pointwise layer of stage 2 is not grouped."""
    rows = [conv("conv1", stem_channels(network), 3, stride=2), pool("maxpool", "maxpool1", 3, 2, pad=1)]
    channels = stage2_channels(network)
    for stage, units in enumerate(UNITS, 2):
        common = {"channels": channels * 2 ** (stage - 2), "groups": network.groups, "shuffle": network.shuffle}
        common["se"] = network.se
        units = units // 2 if network.shallow else units
        rows.append(row("shufflenet_unit", f"s{stage}", stride=2, group_entry=stage > 2, **common))
        if units > 1:
            rows.append(row("shufflenet_unit", f"s{stage}", stride=1, first=2, repeat=units - 1, **common))
    return [*rows, *classifier(network.classes)]


def stage2_channels(network: ShuffleNetV1) -> int:
    """Given channels, else the paper's, scaled."""
    return network.channels or round(STAGE2_CHANNELS[network.groups] * network.width)


def stem_channels(network: ShuffleNetV1) -> int:
    """Given channels, else the authors', else 24 scaled, but no fewer than 12."""
    if network.stem is not None:
        return network.stem
    return STEMS.get((network.width, network.groups), max(12, round(24 * network.width)))


V2_CHANNELS = {0.5: 48, 1.0: 116, 1.5: 176, 2.0: 244}
"""Ma et al., arXiv 1807.11164, Table 5: output channels of stage 2 by width; doubled in stages 3 and 4."""


def shufflenet_v2_rows(network: ShuffleNetV2) -> list[RowData]:
    """Ma et al., arXiv 1807.11164, Table 5 and Fig. 3c and 3d."""
    rows = [conv("conv1", 24, 3, stride=2), pool("maxpool", "maxpool1", 3, 2, pad=1)]
    channels = network.channels or V2_CHANNELS.get(network.width, 2 * round(58 * network.width))
    source = "maxpool1"
    for stage, units in enumerate(UNITS, 2):
        half = channels * 2 ** (stage - 2) // 2
        for number in range(1, units + 1):
            name = f"s{stage}_u{number}"
            rows += _v2_first_unit(name, source, half) if number == 1 else _v2_unit(name, source, half)
            source = f"{name}_shuf"
    last = 2048 if network.width >= 2 else 1024
    return [*rows, conv("conv5", last, 1), *classifier(network.classes)]


def _v2_branch(name: str, source: str, channels: int, stride: int) -> list[RowData]:
    return [
        conv(f"{name}_1x1a", channels, 1, source),
        depthwise(f"{name}_dw", 3, stride=stride, act="none"),
        conv(f"{name}_1x1b", channels, 1),
    ]


def _v2_unit(name: str, source: str, half: int) -> list[RowData]:
    """Half of the channels pass, the other half goes through the branch."""
    return [
        row("slice", f"{name}_left", source, channels=half),
        row("slice", f"{name}_right", source, channels=half, first=half),
        *_v2_branch(name, f"{name}_right", half, 1),
        *_v2_join(name, f"{name}_left"),
    ]


def _v2_first_unit(name: str, source: str, half: int) -> list[RowData]:
    """All channels go through both branches, whose depthwise layers stride."""
    return [
        depthwise(f"{name}_dw0", 3, source, stride=2, act="none"),
        conv(f"{name}_1x1", half, 1),
        *_v2_branch(name, source, half, 2),
        *_v2_join(name, f"{name}_1x1"),
    ]


def _v2_join(name: str, left: str) -> list[RowData]:
    return [row("concat", f"{name}_cat", left, f"{name}_1x1b"), row("shuffle", f"{name}_shuf", groups=2)]
