"""Thinner and wider networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import lcm

from accelsim.network.graph import Network, Node
from accelsim.network.transforms.rewrite import TransformError, rewrite, with_weights
from accelsim.operators.shapes import Shape
from accelsim.units import times


def widened(network: Network, width: float) -> Network:
    """All channels times `width`, rounded down to what the groups divide; the last layer with weights keeps its own.

    Howard et al., arXiv 1704.04861, section 3.3, for any network. Raises TransformError where maps that are added no
    longer fit.
    """
    if width == 1:
        return network
    unit = lcm(*(node.groups for node in network.nodes if node.groups > 1 and not _by_channel(node)))
    last = with_weights(network)[-1:]

    def scaled(channels: int) -> int:
        return max(unit, int(times(channels, width)) // unit * unit)

    def step(before: Node, node: Node) -> Sequence[Node]:
        channels = max(size.channels for size in node.sizes)
        if before.op.weighted and _by_channel(before):
            multiplier = before.output.channels // before.groups
            node, channels = replace(node, groups=channels), channels * multiplier
        elif before.op.channels == "own":
            channels = before.output.channels if before.name in last else scaled(before.output.channels)
        elif before.op.channels == "sum":
            channels = sum(size.channels for size in node.sizes)
        elif before.op.within:
            node, channels = _sliced(before, node, width)
        elif before.op.multiplies_maps:
            channels = _multiplied(node, width)
        elif before.op.channels == "fixed":
            channels = before.output.channels
            if node.sizes != before.sizes:
                expected = f"a network without {node.name}, whose row fixes its channels"
                raise TransformError([((), expected, f"{width:g}")])
        elif len({size.channels for size in node.sizes} - {1}) > 1:
            found = " and ".join(str(size.channels) for size in node.sizes)
            expected = f"a multiplier that leaves the inputs of {node.name} equal channels"
            raise TransformError([((), expected, f"{width:g}, which gives {found}")])
        return [replace(node, output=Shape(before.output.height, before.output.width, channels))]

    return rewrite(network, step)


def _sliced(before: Node, node: Node, width: float) -> tuple[Node, int]:
    """A slice of the same share of its input, and its channels. Raises TransformError where that is no whole number."""
    was, now = before.sizes[0].channels, node.sizes[0].channels
    first, channels = before.first_channel * now, before.output.channels * now
    if first % was or channels % was:
        expected = f"a multiplier that leaves {node.name} whole channels"
        raise TransformError([((), expected, f"{width:g}, which gives {channels / was:g} from {first / was:g} on")])
    return replace(node, first_channel=first // was), channels // was


def _multiplied(node: Node, width: float) -> int:
    """Channels of a product of maps. Raises TransformError where one of them no longer fits the other."""
    left, right = node.sizes
    tokens = right.height * right.width
    wanted = right.channels if node.transposed else node.groups * tokens
    if left.channels != wanted:
        expected = f"a multiplier that leaves the left map of {node.name} {wanted} channels"
        raise TransformError([((), expected, f"{width:g}, which gives {left.channels}")])
    return node.groups * tokens if node.transposed else right.channels


def _by_channel(node: Node) -> bool:
    """True where each input channel is a group of its own."""
    return node.op.weighted and node.groups == node.sizes[0].channels > 1
