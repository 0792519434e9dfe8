"""VGG."""

from __future__ import annotations

from accelsim.config.families import Vgg
from accelsim.network.families.rows import RowData, conv, pool, row

CONVOLUTIONS = {13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
WIDTHS = (64, 128, 256, 512, 512)


def vgg_rows(network: Vgg) -> list[RowData]:
    """Simonyan and Zisserman, arXiv 1409.1556, Table 1, columns B, D, E."""
    rows: list[RowData] = []
    for block, (count, width) in enumerate(zip(CONVOLUTIONS[network.depth], WIDTHS, strict=True), 1):
        rows += [conv(f"conv{block}_{number}", width, 3) for number in range(1, count + 1)]
        rows.append(pool("maxpool", f"pool{block}", 2, 2))
    return [
        *rows,
        row("fc", "fc6", channels=4096, activation="relu"),
        row("fc", "fc7", channels=4096, activation="relu"),
        row("fc", "fc8", channels=network.classes),
        row("softmax", "softmax"),
    ]
