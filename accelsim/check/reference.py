"""The direct computation: whole maps, one node after the other, no tiles. Shares no code with the lowering."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from accelsim.check import arithmetic
from accelsim.check.arithmetic import ELEMENTS, FILL, MOVED, WINDOWS, Values
from accelsim.check.moves import TAKEN, Taken
from accelsim.network.graph import Network, Node


def compute_directly(
    network: Network,
    images: dict[str, Values],
    weights: dict[str, Values],
    *,
    map_bits: dict[str, int],
    weight_bits: int,
) -> dict[str, Values]:
    """All maps of the network, as (images, rows, columns, channels), by name.

    images: by name of the input; weights: for each convolution (groups, output channels, input channels, kernel rows *
    columns), of at most `weight_bits`; map_bits: of an element of each map.
    """
    maps = dict(images)
    for node in network.nodes:
        inputs = [maps[name] for name in node.inputs]
        if node.op.weighted:
            values = _convolve(node, inputs[0], weights[node.weights_name], map_bits[node.inputs[0]] + weight_bits)
        elif node.op.multiplies_maps:
            values = _multiply(node, inputs, sum(map_bits[name] for name in node.inputs))
        else:
            values = _operate(node, inputs)
        maps[node.name] = arithmetic.wrap(arithmetic.activate(values, node.activation), map_bits[node.name])
    return maps


def differing(node: Node, found: Values, wanted: Values) -> str | None:
    """Number of outputs that are not as computed directly, and the first; None where all are."""
    wrong = found != wanted
    if not np.any(wrong):
        return None
    first = tuple(int(position) for position in np.argwhere(wrong)[0])
    return f"{node.name}: {int(wrong.sum())} of {wrong.size} outputs differ, the first at {first}"


def _taps(node: Node, image: Values, fill: int) -> Iterator[Values]:
    """The map under each kernel position, `fill` where it is padding."""
    down, right = node.window.vertical, node.window.horizontal
    need_down = (node.output.height - 1) * down.stride + (down.kernel - 1) * down.dilation + 1
    need_right = (node.output.width - 1) * right.stride + (right.kernel - 1) * right.dilation + 1
    behind = max(0, need_down - down.pad - image.shape[1]), max(0, need_right - right.pad - image.shape[2])
    padded = np.pad(image, ((0, 0), (down.pad, behind[0]), (right.pad, behind[1]), (0, 0)), constant_values=fill)
    for row in range(0, down.kernel * down.dilation, down.dilation):
        for col in range(0, right.kernel * right.dilation, right.dilation):
            rows = slice(row, row + (node.output.height - 1) * down.stride + 1, down.stride)
            cols = slice(col, col + (node.output.width - 1) * right.stride + 1, right.stride)
            yield padded[:, rows, cols, :]


def _convolve(node: Node, image: Values, weights: Values, operand_bits: int) -> Values:
    groups, outputs, inputs, _ = weights.shape
    total: Values = np.zeros((image.shape[0], node.output.height, node.output.width, groups, outputs), dtype=np.int64)
    for number, tap in enumerate(_taps(node, image, fill=0)):
        pixels = tap.reshape(-1, groups, inputs).transpose(1, 0, 2)
        product = arithmetic.matmul(pixels, weights[:, :, :, number].transpose(0, 2, 1), operand_bits)
        total += product.transpose(1, 0, 2).reshape(total.shape)
    return total.reshape(*total.shape[:3], groups * outputs)


def _multiply(node: Node, inputs: list[Values], operand_bits: int) -> Values:
    """The product of two maps, head by head."""
    left, right = inputs
    images, height, width, _ = left.shape

    def heads(image: Values) -> Values:
        return image.reshape(images, -1, node.groups, image.shape[-1] // node.groups).swapaxes(1, 2)

    second = heads(right)
    product = arithmetic.matmul(heads(left), second.swapaxes(2, 3) if node.transposed else second, operand_bits)
    return product.swapaxes(1, 2).reshape(images, height, width, node.output.channels)


MOVES: dict[str, Callable[[Node, list[Values]], Values]] = {
    "concat": lambda _, maps: np.concatenate(maps, axis=-1),
    "shuffle": lambda node, maps: _shuffled(maps[0], node.groups),
    "slice": lambda node, maps: maps[0][..., node.first_channel : node.first_channel + node.output.channels],
}
"""Operators that only move elements, by name."""


def _shuffled(image: Values, groups: int) -> Values:
    *size, channels = image.shape
    return image.reshape(*size, groups, channels // groups).swapaxes(-1, -2).reshape(*size, channels)


def _taken(image: Values, taken: Taken) -> Values:
    return np.where(taken.inside, image[:, taken.rows, taken.cols, taken.channels], 0)


def _operate(node: Node, inputs: list[Values]) -> Values:
    name = node.op.name
    if name in WINDOWS:
        return WINDOWS[name](node, _taps(node, inputs[0], FILL.get(name, 0)))
    if name in MOVES:
        return MOVES[name](node, inputs)
    if name in MOVED:
        output = node.output
        whole = range(output.height), range(output.width), range(output.channels)
        return MOVED[name](node, (_taken(inputs[each.position], each) for each in TAKEN[name](node, whole)))
    return ELEMENTS[name](node, inputs, np.arange(node.output.channels))
