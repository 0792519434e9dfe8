"""Result of the tiles of a piece, on the values that they hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from accelsim.check.arithmetic import ELEMENTS, FILL, MOVED, WINDOWS, Values, activate, matmul, wrap
from accelsim.check.moves import TAKEN, Taken
from accelsim.network.geometry import window_of, work_block
from accelsim.network.graph import Node
from accelsim.operators.shapes import Axis, Shape, Window
from accelsim.program.commands import Work
from accelsim.program.tensors import Range, Region

ABSENT = int(np.iinfo(np.int64).min) + 1
"""Stands for a value that no tile holds."""


class CheckError(Exception):
    """Something read that was not there, overwritten while in use, or written twice."""


def taps(window: Window, work: Work, region: Region, image: Values, fill: int, size: Shape) -> Iterator[Values]:
    """Values under each position of a window for the outputs of `work`; `fill` where that is padding.

    region: images, rows and columns of the image. Raises CheckError where an output needs what no tile holds.
    """
    down, right = window.vertical, window.horizontal
    images = slice(work.images.start - region[0].start, work.images.stop - region[0].start)
    columns = [_under(right, col, work.cols, region[2], size.width) for col in range(right.kernel)]
    for row in range(down.kernel):
        rows, rows_inside = _under(down, row, work.rows, region[1], size.height)
        for cols, cols_inside in columns:
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


InputValues = list[tuple[Region, Values] | None]
"""The part of each input that is there, and its values; None where a piece reads nothing of one."""


def operate(node: Node, work: Work, inputs: InputValues) -> Values:
    """Result of the vector unit for the inputs of a piece."""
    if node.op.name in MOVED:
        wanted = _moved_box(work)
        return MOVED[node.op.name](node, (_taken(work, inputs, each) for each in TAKEN[node.op.name](node, wanted)))
    there = [each for each in inputs if each is not None]
    return _operate(node, work, there)


Pool = Callable[[Node, Values], Values]
"""Outputs of a pool for values that come on its way, and those of earlier tiles that it still has."""


def on_way(
    way: Iterable[Node],
    values: Values,
    channels: Range,
    bits: Mapping[str, int],
    *,
    pool: Pool | None = None,
    shortcut: Values | None = None,
) -> Values:
    """Result of operators on the way to or from the array, for values of these channels; ABSENT ones stay so.

    bits: of an element of each map; shortcut: values that are added.
    """
    for node in way:
        if node.op.slides:
            assert pool is not None
            done = values = pool(node, values)
        else:
            inputs = [values] if shortcut is None or node.op.maps == 1 else [values, shortcut]
            done = ELEMENTS[node.op.name](node, inputs, np.arange(channels.start, channels.stop))
        done = wrap(activate(done, node.activation), bits[node.name])
        values = np.where(values == ABSENT, ABSENT, done)
    return values


def slide(node: Node, work: Work, region: Region, image: Values) -> Values:
    """Result of an operator with a window for an image of these images, rows and columns."""
    fill = FILL.get(node.op.name, 0)
    return WINDOWS[node.op.name](node, taps(node.window, work, region, image, fill, node.sizes[0]))


def multiplied(node: Node, work: Work, region: Region, image: Values, weights: Values, bits: int) -> Values:
    """Products of a part of a map with weights (groups, outputs, inputs, kernel positions), summed. bits: of both
    operands of a product together."""
    groups, outputs, inputs, _ = weights.shape
    images, rows, cols = work_block(node, work)
    pixels, made = images.size * rows.size * cols.size, replace(work, images=images, rows=rows, cols=cols)
    total: Values = np.zeros((groups, pixels, outputs), dtype=np.int64)
    for number, tap in enumerate(taps(window_of(node, work.taps), made, region, image, fill=0, size=node.sizes[0])):
        moved = tap.reshape(pixels, groups, inputs).transpose(1, 0, 2)
        total += matmul(moved, weights[:, :, :, number].transpose(0, 2, 1), bits)
    return total.transpose(1, 0, 2).reshape(images.size, rows.size, cols.size, groups * outputs)


def summed(node: Node, work: Work, region: Region, image: Values) -> Values:
    """Sums of a part of a map."""
    return reduce(np.add, taps(window_of(node, work.taps), work, region, image, 0, node.sizes[0]))


def _moved_box(work: Work) -> tuple[range, range, range]:
    rows, cols, channels = (range(part.start, part.stop) for part in (work.rows, work.cols, work.channels))
    return rows, cols, channels


def _taken(work: Work, inputs: InputValues, taken: Taken) -> Values:
    """Elements of an input; 0 where there are none. Raises CheckError where the tiles do not hold one."""
    shape = work.images.size, work.rows.size, work.cols.size, work.channels.size
    given = inputs[taken.position]
    if given is None:
        if np.any(taken.inside):
            raise CheckError("an output needs inputs that are not in its tiles")
        return np.zeros(shape, dtype=np.int64)
    region, image = given
    image = image[work.images.start - region[0].start :][: work.images.size]
    places = (taken.rows - region[1].start, taken.cols - region[2].start, taken.channels - region[3].start)
    held = [(place >= 0) & (place < extent) for place, extent in zip(places, image.shape[1:], strict=True)]
    if np.any(taken.inside & ~(held[0] & held[1] & held[2])):
        raise CheckError("an output needs inputs that are not in its tiles")
    rows, cols, channels = (
        np.clip(place, 0, extent - 1) for place, extent in zip(places, image.shape[1:], strict=True)
    )
    found = np.where(taken.inside, image[:, rows, cols, channels], 0)
    if np.any(found == ABSENT):
        raise CheckError("an output needs inputs that are not in its tiles")
    return np.broadcast_to(found, shape)


def _operate(node: Node, work: Work, inputs: list[tuple[Region, Values]]) -> Values:
    if node.op.name in WINDOWS:
        return slide(node, work, *inputs[0])
    values = [_at_outputs(node, position, work, *each) for position, each in enumerate(inputs)]
    if node.op.is_address:
        return values[0]
    return ELEMENTS[node.op.name](node, values, np.arange(work.channels.start, work.channels.stop))


def _at_outputs(node: Node, position: int, work: Work, region: Region, image: Values) -> Values:
    """The elements of an input that an operation without a window takes; of factors, the one pixel."""
    size = node.sizes[position]
    repeats = (node.op.factored and position == 1) or node.op.access_of(node) is not None
    if repeats:
        rows = Range(0, 1) if size.height == 1 else work.rows
        work = replace(work, rows=rows, cols=Range(0, 1) if size.width == 1 else work.cols)
    return under_block(work, region, image, size)


def under_block(work: Work, region: Region, image: Values, size: Shape) -> Values:
    """The elements of a map of this size at the outputs of `work`. Raises CheckError where one is in no tile."""
    (values,) = taps(Window(), work, region, image, 0, size)
    return values
