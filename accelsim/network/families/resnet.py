"""ResNet and ResNeXt."""

from __future__ import annotations

from collections.abc import Iterator

from accelsim.config.families import ResNet
from accelsim.network.families.rows import RowData, classifier, conv, pool, row

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def resnet_rows(network: ResNet) -> list[RowData]:
    """He et al., arXiv 1512.03385, Table 1; ResNeXt as Xie et al., arXiv 1611.05431, Table 1."""
    rows = [conv("conv1", 64, 7, stride=2), pool("maxpool", "pool1", 3, 2, pad=1)]
    block = _bottleneck if network.depth >= 50 else _basic
    source, channels = "pool1", 64
    for stage, count in enumerate(BLOCKS[network.depth], 2):
        for number in range(1, count + 1):
            stride = 2 if stage > 2 and number == 1 else 1
            name = f"conv{stage}_{number}"
            outputs = 64 * 2 ** (stage - 2) * (4 if network.depth >= 50 else 1)
            rows += block(network, name, source, outputs, stride)
            rows += _shortcut(network, name, source, channels, outputs, stride)
            source, channels = f"{name}_add", outputs
    return [*rows, *classifier(network.classes)]


def _basic(_: ResNet, name: str, source: str, outputs: int, stride: int) -> list[RowData]:
    return [conv(f"{name}_a", outputs, 3, source, stride=stride), conv(f"{name}_b", outputs, 3, act="none")]


def _bottleneck(network: ResNet, name: str, source: str, outputs: int, stride: int) -> list[RowData]:
    width = outputs // 4 * network.group_width * network.cardinality // 64
    first, second = (stride, 1) if network.stride_in == "1x1" else (1, stride)
    return [
        conv(f"{name}_a", width, 1, source, stride=first),
        conv(f"{name}_b", width, 3, stride=second, groups=network.cardinality),
        conv(f"{name}_c", outputs, 1, act="none"),
    ]


def _shortcut(network: ResNet, name: str, source: str, channels: int, outputs: int, stride: int) -> Iterator[RowData]:
    """Shortcut round a block, and the add; the block's last row stands before it."""
    last = f"{name}_c" if network.depth >= 50 else f"{name}_b"
    around = source
    changes = stride > 1 or channels != outputs
    if network.shortcut == "C" or (network.shortcut == "B" and changes):
        around = f"{name}_proj"
        yield conv(around, outputs, 1, source, stride=stride, act="none")
    elif changes:
        around = f"{name}_pad"
        yield row("subsample_pad", around, source, channels=outputs, stride=stride)
    yield row("add", f"{name}_add", last, around, activation="relu")
