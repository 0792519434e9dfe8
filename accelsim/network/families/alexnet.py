"""AlexNet."""

from __future__ import annotations

from accelsim.config.families import AlexNet
from accelsim.network.families.rows import RowData, conv, pool, row


def alexnet_rows(network: AlexNet) -> list[RowData]:
    """Krizhevsky et al., NIPS 2012, section 3.5, `grouped` as on its two GPUs; `owt` is arXiv 1404.5997."""
    owt = network.layout == "owt"
    groups = 2 if network.layout == "grouped" else 1
    widths = (64, 192, 384, 256, 256) if owt else (96, 256, 384, 384, 256)
    norms = [] if owt else [[row("lrn", "norm1")], [row("lrn", "norm2")]]
    return [
        conv("conv1", widths[0], 11, stride=4, pad=2 if owt else 0),
        *(norms[0] if norms else []),
        pool("maxpool", "pool1", 3, 2),
        conv("conv2", widths[1], 5, groups=groups),
        *(norms[1] if norms else []),
        pool("maxpool", "pool2", 3, 2),
        conv("conv3", widths[2], 3),
        conv("conv4", widths[3], 3, groups=groups),
        conv("conv5", widths[4], 3, groups=groups),
        pool("maxpool", "pool5", 3, 2),
        row("fc", "fc6", channels=4096, activation="relu"),
        row("fc", "fc7", channels=4096, activation="relu"),
        row("fc", "fc8", channels=network.classes),
        row("softmax", "softmax"),
    ]
