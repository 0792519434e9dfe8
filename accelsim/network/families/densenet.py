"""DenseNet."""

from __future__ import annotations

from accelsim.config.families import DenseNet
from accelsim.network.families.rows import RowData, classifier, conv, pool, row

LAYERS = {121: (6, 12, 24, 16), 161: (6, 12, 36, 24), 169: (6, 12, 32, 32), 201: (6, 12, 48, 32)}


def densenet_rows(network: DenseNet) -> list[RowData]:
    """Huang et al., arXiv 1608.06993, Table 1: DenseNet-BC.

    Batch norm and ReLU stand before each 1x1 convolution, on a concatenation, and can't be folded into a producer.
    """
    growth = 48 if network.depth == 161 else 32
    channels = 2 * growth
    rows = [conv("conv0", channels, 7, stride=2), pool("maxpool", "pool0", 3, 2, pad=1)]
    source = "pool0"
    for block, layers in enumerate(LAYERS[network.depth], 1):
        for number in range(1, layers + 1):
            name = f"b{block}_l{number}"
            rows += _layer(name, source, growth)
            source, channels = f"{name}_cat", channels + growth
        if block < 4:
            channels = int(channels * network.compression)
            rows += [
                row("bn", f"t{block}_bn", source, activation="relu"),
                conv(f"t{block}_1x1", channels, 1, act="none"),
                pool("avgpool", f"t{block}_pool", 2, 2),
            ]
            source = f"t{block}_pool"
    return [*rows, row("bn", "bn5", source, activation="relu"), *classifier(network.classes)]


def _layer(name: str, source: str, growth: int) -> list[RowData]:
    return [
        row("bn", f"{name}_bn", source, activation="relu"),
        conv(f"{name}_1x1", 4 * growth, 1),
        conv(f"{name}_3x3", growth, 3, act="none"),
        row("concat", f"{name}_cat", source, f"{name}_3x3"),
    ]
