"""NAS-Bench-201."""

from __future__ import annotations

from accelsim.config.families import NasBench201, nasbench_inputs
from accelsim.network.families.rows import RowData, conv, pool, row

STAGES = (16, 32, 64)
"""Channels of the cells of each stage: Dong and Yang, ICLR 2020, section 2.1."""
CELLS = 5


def nasbench_rows(network: NasBench201) -> list[RowData]:
    """Dong and Yang, ICLR 2020 (arXiv 2001.00326), Fig. 1: a stem, three stages of five cells, and a residual block
    with stride 2 in front of the second and the third.

    The ReLU that a convolution has in front of it stands behind the layer before, at the same cost. Operations whose
    result reaches no output are left out.
    """
    source = "stem"
    rows = [conv(source, STAGES[0], 3)]
    for stage, channels in enumerate(STAGES, 1):
        if stage > 1:
            rows += _reduction(f"s{stage}_reduce", source, channels)
            source = f"s{stage}_reduce_add"
        for number in range(1, CELLS + 1):
            cell, source = _cell(f"s{stage}_c{number}", source, channels, network.cell)
            rows += cell
    return [*rows, row("gap", "gap", source), row("fc", "fc", channels=network.classes)]


def _reduction(name: str, source: str, channels: int) -> list[RowData]:
    """The basic block of a ResNet with stride 2, whose shortcut averages before it projects."""
    return [
        conv(f"{name}_conv1", channels, 3, source, stride=2),
        conv(f"{name}_conv2", channels, 3, act="none"),
        pool("avgpool", f"{name}_pool", 2, 2, source),
        conv(f"{name}_shortcut", channels, 1, act="none"),
        row("add", f"{name}_add", f"{name}_conv2", f"{name}_shortcut"),
    ]


def _cell(name: str, source: str, channels: int, cell: str) -> tuple[list[RowData], str]:
    """The rows of a cell, and the one that is its output: nodes are sums of an operation on each node before."""
    maps, rows = {0: source}, list[RowData]()
    for node, edges in nasbench_inputs(cell).items():
        terms = []
        for start, operation in edges:
            layer = f"{name}_{start}to{node}"
            rows += _operation(operation, layer, maps[start], channels)
            terms.append(maps[start] if operation == "skip" else layer)
        for place, term in enumerate(terms[1:], 1):
            rows.append(row("add", f"{name}_sum{node}_{place}", terms[0] if place == 1 else rows[-1]["name"], term))
        maps[node] = terms[0] if len(terms) == 1 else f"{name}_sum{node}_{len(terms) - 1}"
    return rows, maps[3]


def _operation(operation: str, name: str, source: str, channels: int) -> list[RowData]:
    match operation:
        case "conv1x1":
            return [conv(name, channels, 1, source)]
        case "conv3x3":
            return [conv(name, channels, 3, source)]
        case "avgpool":
            return [pool("avgpool", name, 3, 1, source, pad=1)]
        case _:
            return []
