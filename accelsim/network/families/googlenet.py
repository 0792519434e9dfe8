"""GoogLeNet."""

from __future__ import annotations

from accelsim.config.families import GoogLeNet
from accelsim.network.families.rows import RowData, classifier, conv, pool, row

INCEPTIONS = {
    # name: 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
"""Szegedy et al., arXiv 1409.4842, Table 1."""


def googlenet_rows(network: GoogLeNet) -> list[RowData]:
    """Szegedy et al., arXiv 1409.4842, Table 1 and Fig. 3; pools keep a last, partial window."""
    rows = [
        conv("conv1_7x7", 64, 7, stride=2),
        pool("maxpool", "pool1", 3, 2, ceil=True),
        row("lrn", "norm1"),
        conv("conv2_reduce", 64, 1),
        conv("conv2_3x3", 192, 3),
        row("lrn", "norm2"),
        pool("maxpool", "pool2", 3, 2, ceil=True),
    ]
    source = "pool2"
    for name, widths in INCEPTIONS.items():
        if name in ("4a", "5a"):
            pool_name = f"pool{int(name[0]) - 1}"
            rows.append(pool("maxpool", pool_name, 3, 2, ceil=True))
            source = pool_name
        rows += _inception(f"inc{name}", source, widths)
        source = f"inc{name}_cat"
    return [*rows, *classifier(network.classes)]


def _inception(name: str, source: str, widths: tuple[int, ...]) -> list[RowData]:
    ones, reduce3, threes, reduce5, fives, projected = widths
    return [
        conv(f"{name}_1x1", ones, 1, source),
        conv(f"{name}_3x3_reduce", reduce3, 1, source),
        conv(f"{name}_3x3", threes, 3),
        conv(f"{name}_5x5_reduce", reduce5, 1, source),
        conv(f"{name}_5x5", fives, 5),
        pool("maxpool", f"{name}_pool", 3, 1, source, pad=1),
        conv(f"{name}_pool_proj", projected, 1),
        row("concat", f"{name}_cat", f"{name}_1x1", f"{name}_3x3", f"{name}_5x5", f"{name}_pool_proj"),
    ]
