"""ShuffleNet v1."""

from __future__ import annotations

from accelsim.config.families import ShuffleNetV1
from accelsim.network.families.rows import RowData, classifier, conv, pool, row

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
