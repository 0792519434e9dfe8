"""What the tiles of a piece compute, on the values that they hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from accelsim.check import arithmetic
from accelsim.check.arithmetic import Values
from accelsim.network.graph import Axis, Node, Op, Shape, Window
from accelsim.program.commands import Work
from accelsim.program.tensors import Range, Region

LOWEST = int(np.iinfo(np.int64).min)
ABSENT = LOWEST + 1
"""Stands for a value that no tile holds."""


class CheckError(Exception):
    """Something read that was not there, overwritten while in use, or written twice."""


def taps(window: Window, work: Work, region: Region, image: Values, fill: int, size: Shape) -> Iterator[Values]:
    """What lies under each position of a window for the outputs of `work`; `fill` where that is padding.

    region: images, rows and columns of the image. Raises CheckError where an output needs what no tile holds.
    """
    down, right = window.vertical, window.horizontal
    images = slice(work.images.start - region[0].start, work.images.stop - region[0].start)
    for row in range(down.kernel):
        rows, rows_inside = _under(down, row, work.rows, region[1], size.height)
        for col in range(right.kernel):
            cols, cols_inside = _under(right, col, work.cols, region[2], size.width)
            tap = image[images, rows[:, None], cols[None, :], :]
            inside = rows_inside[:, None] & cols_inside[None, :]
            found = np.where(inside[None, :, :, None], tap, fill)
            if np.any(found == ABSENT):
                raise CheckError("an output needs inputs that are not in its tiles")
            yield found


def _under(axis: Axis, tap: int, outputs: Range, part: Range, extent: int) -> tuple[Values, NDArray[np.bool_]]:
    """Indices into a tile of the inputs under one tap, and which of them are not padding."""
    wanted = np.arange(outputs.start, outputs.stop) * axis.stride - axis.pad + tap * axis.dilation
    inside = (wanted >= 0) & (wanted < extent)
    held = (wanted >= part.start) & (wanted < part.stop)
    if np.any(inside & ~held):
        raise CheckError("an output needs inputs that are not in its tile")
    return np.where(inside, wanted - part.start, 0), inside


def operate(node: Node, work: Work, inputs: list[tuple[Region, Values]]) -> Values:
    """What the vector unit does with the inputs of a piece."""
    if node.op in (Op.MAX_POOL, Op.AVG_POOL, Op.GLOBAL_POOL, Op.SUBSAMPLE_PAD):
        return _windowed(node, work, *inputs[0])
    values = [_under_block(node, position, work, *each) for position, each in enumerate(inputs)]
    first, second = values[0], values[-1]
    simple: dict[Op, Callable[[], Values]] = {
        Op.ADD: lambda: first + second,
        Op.MUL: lambda: first * second,
        Op.SCALE: lambda: first * second,
        Op.CONCAT: lambda: first,
        Op.SHUFFLE: lambda: first,
        Op.SIGMOID: lambda: arithmetic.sigmoid(first),
        Op.HARD_SWISH: lambda: arithmetic.hard_swish(first),
        Op.GELU: lambda: arithmetic.gelu(first),
        Op.SOFTMAX: lambda: arithmetic.softmax(first, node.groups),
        Op.LAYER_NORM: lambda: arithmetic.layer_norm(first, np.arange(work.channels.start, work.channels.stop)),
        Op.LRN: lambda: arithmetic.lrn(first, node.channel_window),
        Op.BATCH_NORM: lambda: arithmetic.batch_norm(first, np.arange(work.channels.start, work.channels.stop)),
        Op.RELU: lambda: np.maximum(first, 0),
    }
    return simple[node.op]()


def _windowed(node: Node, work: Work, region: Region, image: Values) -> Values:
    """Pools, and every so manieth pixel."""
    fill = LOWEST if node.op is Op.MAX_POOL else 0
    found = list(taps(node.window, work, region, image, fill, node.sizes[0]))
    match node.op:
        case Op.MAX_POOL:
            return np.asarray(np.max(found, axis=0))
        case Op.SUBSAMPLE_PAD:
            return np.pad(found[0], ((0, 0), (0, 0), (0, 0), (0, node.output.channels - found[0].shape[-1])))
        case _:
            return np.asarray(np.sum(found, axis=0) // node.window.elements)


def _under_block(node: Node, position: int, work: Work, region: Region, image: Values) -> Values:
    """The elements of an input that an operation without a window takes; of factors, the one pixel."""
    size = node.sizes[position]
    if node.op is Op.SCALE and position == 1:
        work = replace(work, rows=Range(0, 1), cols=Range(0, 1))
    (values,) = taps(Window(), work, region, image, 0, size)
    return values
