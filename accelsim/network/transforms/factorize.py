"""Layers as products of smaller ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import ceil

from accelsim.config.transforms import Factorize, Factors
from accelsim.network.graph import Network, Node
from accelsim.network.transforms.rewrite import TransformError, rewrite, unknown_layers
from accelsim.operators.shapes import Axis, Shape, Window
from accelsim.units import times

DEFAULT_RANK = 0.5


def factorized(network: Network, section: Factorize) -> Network:
    """Each convolution or fully connected layer that a factor is asked for as two layers; depthwise ones stay.

    Raises TransformError for names of no such layers, or where nothing is asked for.
    """
    known = [node.name for node in network.nodes if node.op.weighted and not node.is_depthwise]
    wrong = unknown_layers(section.layers, known, "with weights that is not depthwise")
    if not any(each.dense or each.kernels for each in (section, *section.layers.values())):
        wrong.append(((), "dense or kernels", "neither"))
    if wrong:
        raise TransformError(wrong)

    def step(before: Node, node: Node) -> Sequence[Node]:
        if before.name not in known:
            return [node]
        own = section.layers.get(before.name, Factors())
        rank = own.rank or section.rank or DEFAULT_RANK
        method = own.dense or section.dense if _is_dense(node) else own.kernels or section.kernels
        return METHODS[method or "none"](node, rank)

    return rewrite(network, step)


def _is_dense(node: Node) -> bool:
    """True where each output pixel is one matrix product: 1x1, or the whole map at once."""
    return node.window.elements == 1 or node.label == "fc"


def _unchanged(node: Node, _: float) -> list[Node]:
    return [node]


def _low_rank(node: Node, rank: float) -> list[Node]:
    """W (K x N) as (K x r) (r x N): truncated SVD, as in Denton et al., NIPS 2014 (arXiv 1404.0736)."""
    first, second = _halves(node, "in", "out", _rank(node, rank))
    return [first, replace(second, window=Window(), label=node.label)]


def _spatial(node: Node, rank: float) -> list[Node]:
    """k x k as k x 1 and 1 x k: Jaderberg et al., BMVC 2014 (arXiv 1405.3866), scheme 2."""
    vertical, horizontal = node.window.vertical, node.window.horizontal
    if min(vertical.kernel, horizontal.kernel) == 1:
        return [node]
    first, second = _halves(node, "vertical", "horizontal", _rank(node, rank))
    across = Shape(node.output.height, node.sizes[0].width, first.output.channels)
    first = replace(first, window=Window(vertical, Axis()), output=across)
    return [first, replace(second, sizes=(across,), window=Window(Axis(), horizontal))]


def _channel(node: Node, rank: float) -> list[Node]:
    """k x k to fewer channels, and 1 x 1: Zhang et al., TPAMI 2016 (arXiv 1505.06798)."""
    first, second = _halves(node, "kernel", "out", _rank(node, rank))
    return [first, replace(second, window=Window())]


def _separable(node: Node, _: float) -> list[Node]:
    """k x k as depthwise and 1 x 1, the activation after both: Howard et al., arXiv 1704.04861, section 3.1."""
    channels = node.sizes[0].channels
    first, second = _halves(node, "dw", "pw", channels)
    first = replace(first, label="dwconv", groups=channels, activation=node.activation)
    return [first, replace(second, window=Window())]


METHODS: dict[str, Callable[[Node, float], list[Node]]] = {
    "none": _unchanged,
    "low_rank": _low_rank,
    "spatial": _spatial,
    "channel": _channel,
    "separable": _separable,
}


def _rank(node: Node, rank: float) -> int:
    """Channels in between: a share of the smaller side of each group's matrix, rounded up."""
    taps = node.window.elements if node.label == "fc" else 1
    inputs = taps * node.sizes[0].channels // node.groups
    return node.groups * ceil(times(min(inputs, node.output.channels // node.groups), rank))


def _halves(node: Node, first: str, second: str, channels: int) -> tuple[Node, Node]:
    """The node to a number of channels, linear, and a node from there to its output."""
    between = Shape(node.output.height, node.output.width, channels)
    name = f"{node.name}_{first}"
    before = replace(node, name=name, output=between, activation="none")
    return before, replace(node, name=f"{node.name}_{second}", inputs=(name,), sizes=(between,))
