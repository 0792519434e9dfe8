"""The direct computation: whole maps, one node after the other, no tiles. Shares no code with the lowering."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from accelsim.check import arithmetic
from accelsim.check.arithmetic import Values
from accelsim.network.graph import Network, Node, Op


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
        if node.op is Op.CONV:
            values = _convolve(node, inputs[0], weights[node.weights_name], map_bits[node.inputs[0]] + weight_bits)
        elif node.op is Op.PRODUCT:
            values = _multiply(node, inputs, sum(map_bits[name] for name in node.inputs))
        else:
            values = _operate(node, inputs)
        maps[node.name] = arithmetic.wrap(arithmetic.activate(values, node.activation), map_bits[node.name])
    return maps


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


_EACH_ALONE: dict[Op, Callable[[Values], Values]] = {
    Op.SIGMOID: arithmetic.sigmoid,
    Op.HARD_SWISH: arithmetic.hard_swish,
    Op.GELU: arithmetic.gelu,
    Op.RELU: lambda values: np.maximum(values, 0),
}
"""Operations on one map that know no layer."""


def _operate(node: Node, inputs: list[Values]) -> Values:
    first = inputs[0]
    if node.op in _EACH_ALONE:
        return _EACH_ALONE[node.op](first)
    match node.op:
        case Op.MAX_POOL:
            lowest = int(np.iinfo(np.int64).min)
            return np.asarray(np.max(list(_taps(node, first, fill=lowest)), axis=0))
        case Op.AVG_POOL | Op.GLOBAL_POOL:
            return np.asarray(np.sum(list(_taps(node, first, fill=0)), axis=0) // node.window.elements)
        case Op.ADD:
            return first + inputs[1]
        case Op.MUL | Op.SCALE:
            return first * inputs[1]
        case Op.CONCAT:
            return np.concatenate(inputs, axis=-1)
        case Op.SHUFFLE:
            *size, channels = first.shape
            return first.reshape(*size, node.groups, channels // node.groups).swapaxes(-1, -2).reshape(*size, channels)
        case Op.SLICE:
            return first[..., node.first_channel : node.first_channel + node.output.channels]
        case Op.SOFTMAX:
            return arithmetic.softmax(first, node.groups)
        case Op.LAYER_NORM:
            return arithmetic.layer_norm(first, np.arange(first.shape[-1]))
        case Op.LRN:
            return arithmetic.lrn(first, node.channel_window)
        case Op.BATCH_NORM:
            return arithmetic.batch_norm(first, np.arange(first.shape[-1]))
        case Op.SUBSAMPLE_PAD:
            down, right = node.window.vertical.stride, node.window.horizontal.stride
            missing = node.output.channels - first.shape[-1]
            return np.pad(first[:, ::down, ::right], ((0, 0), (0, 0), (0, 0), (0, missing)))
        case _:
            raise ValueError("what the array computes has two operands")
