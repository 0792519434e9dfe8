"""A network as a table of layers: what is counted, before anything is simulated."""

from __future__ import annotations

from accelsim.network.graph import Network, Node, Op
from accelsim.report.columns import Value

LEFT_OUT = (Op.LRN, Op.SOFTMAX, Op.BATCH_NORM, Op.SIGMOID, Op.RELU)
"""Normalisations and activations: simulated where they can't be fused, but no rows of a paper's table."""


def layer_table(network: Network) -> list[dict[str, Value]]:
    """A row for each layer, in execution order; pad is that of the top, fc reads its input as one vector."""
    return [_row(node) for node in network.nodes if node.op not in LEFT_OUT]


def _row(node: Node) -> dict[str, Value]:
    size, vertical, horizontal = node.sizes[0], node.window.vertical, node.window.horizontal
    flat = node.label == "fc"
    channels = sum(each.channels for each in node.sizes) if node.op is Op.CONCAT else size.channels
    return {
        "name": node.name,
        "type": node.label,
        "in_h": 1 if flat else size.height,
        "in_w": 1 if flat else size.width,
        "in_c": size.elements if flat else channels,
        "out_h": node.output.height,
        "out_w": node.output.width,
        "out_c": node.output.channels,
        "kh": 1 if flat else vertical.kernel,
        "kw": 1 if flat else horizontal.kernel,
        "stride": vertical.stride,
        "pad": vertical.pad,
        "groups": node.groups,
        "macs": node.macs,
        "params": node.weights,
    }
