"""The structures ShuffleNet is compared with, within its frame of three stages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from accelsim.config.families import Comparator
from accelsim.network.families.rows import RowData, classifier, conv, pool, row
from accelsim.network.families.shufflenet import UNITS


def comparator_rows(network: Comparator) -> list[RowData]:
    """Zhang et al., arXiv 1707.01083, section 4.2: VGG-like units of two 3x3 convolutions, ResNet bottlenecks 1:4,
    ResNeXt bottlenecks 1:2 with ShuffleNet's pooled shortcut."""
    rows = [conv("conv1", network.stem, 3, stride=2), pool("maxpool", "maxpool1", 3, 2, pad=1)]
    unit = {"vgglike": _vgg_unit, "resnet": _resnet_unit, "resnext": _resnext_unit}[network.structure]
    source, inputs = "maxpool1", network.stem
    stages = zip(UNITS, network.channels, network.cardinality, strict=True)
    for stage, (units, outputs, groups) in enumerate(stages, 2):
        for number in range(1, units + 1):
            step = _ComparatorUnit(f"s{stage}_u{number}", source, inputs, outputs, 2 if number == 1 else 1, groups)
            added = list(unit(step))
            rows += added
            source, inputs = added[-1]["name"], outputs
    return [*rows, *classifier(network.classes)]


@dataclass(frozen=True, slots=True)
class _ComparatorUnit:
    """A unit: its name, what it reads, channels in and out, stride, and groups of its 3x3."""

    name: str
    source: str
    inputs: int
    outputs: int
    stride: int
    groups: int


def _vgg_unit(step: _ComparatorUnit) -> Iterator[RowData]:
    yield conv(f"{step.name}_a", step.outputs, 3, step.source, stride=step.stride)
    yield conv(f"{step.name}_b", step.outputs, 3)


def _resnet_unit(step: _ComparatorUnit) -> Iterator[RowData]:
    yield conv(f"{step.name}_a", step.outputs // 4, 1, step.source)
    yield conv(f"{step.name}_b", step.outputs // 4, 3, stride=step.stride)
    yield conv(f"{step.name}_c", step.outputs, 1, act="none")
    around = step.source
    if step.stride > 1 or step.inputs != step.outputs:
        around = f"{step.name}_proj"
        yield conv(around, step.outputs, 1, step.source, stride=step.stride, act="none")
    yield row("add", f"{step.name}_add", f"{step.name}_c", around, activation="relu")


def _resnext_unit(step: _ComparatorUnit) -> Iterator[RowData]:
    pools = step.stride > 1
    branch = step.outputs - step.inputs if pools else step.outputs
    yield conv(f"{step.name}_a", step.outputs // 2, 1, step.source)
    yield conv(f"{step.name}_b", step.outputs // 2, 3, stride=step.stride, groups=step.groups)
    yield conv(f"{step.name}_c", branch, 1, act="relu" if pools else "none")
    if pools:
        yield pool("avgpool", f"{step.name}_avg", 3, 2, step.source, pad=1)
        yield row("concat", f"{step.name}_cat", f"{step.name}_avg", f"{step.name}_c")
    else:
        yield row("add", f"{step.name}_add", f"{step.name}_c", step.source, activation="relu")
