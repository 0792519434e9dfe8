"""A depthwise engine register by register: pixels pass a line buffer and a window, products an adder tree.

In each clock the engine reads its registers, and writes them at the clock's end. It accepts a position of the padded
map unless its window has steps left after this clock. The weights of the next channels come in from the clock on in
which the first position of the last ones does. Nothing here knows how many clocks all that takes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class Axis(NamedTuple):
    """A window along an axis. low: its first position of the first output, below 0 on padding."""

    kernel: int
    stride: int
    dilation: int
    low: int
    outputs: int

    @property
    def window(self) -> int:
        """Positions of a window."""
        return (self.kernel - 1) * self.dilation + 1

    def positions(self) -> range:
        """Positions under all outputs."""
        return range(self.low, self.low + (self.outputs - 1) * self.stride + self.window)

    def ends_window(self, position: int) -> bool:
        """True at the last position of an output's window."""
        behind = position - self.low - (self.window - 1)
        return behind >= 0 and behind % self.stride == 0


@dataclass(frozen=True, slots=True)
class Pass:
    """Channels that pass together. images: maps of rows x columns x channels; weights: taps x channels; cols: of each
    strip; load_clocks: until the weights are in."""

    images: Sequence[Ints]
    weights: Ints
    rows: Axis
    cols: Sequence[Axis]
    load_clocks: int


class _Products(NamedTuple):
    """Content of a stage: summands of a sum, the first or the last of it."""

    values: list[Ints]
    first: bool
    last: bool


@dataclass(slots=True)
class Engine:
    """An engine. multipliers: of each channel; stages: clocks of one.

    reads, line_reads, line_writes: values of all channels; window_moves, adder_moves, sum_moves: registers written in
    the window, with products and by adders of the tree, and with sums.
    """

    multipliers: int
    stages: int
    reads: int = 0
    line_reads: int = 0
    line_writes: int = 0
    window_moves: int = 0
    adder_moves: int = 0
    sum_moves: int = 0
    outputs: list[Ints] = field(default_factory=list)
    cycles: int = 0
    _window: list[Ints] = field(default_factory=list)
    _steps: deque[_Products] = field(default_factory=deque)
    _pipe: list[_Products | None] = field(default_factory=list)
    _sum: Ints | None = None

    def play(self, passes: Sequence[Pass]) -> int:
        """Clocks until the last output is registered."""
        self._pipe = [None] * (self.stages + (self.multipliers - 1).bit_length())
        loaded, clock, positions = passes[0].load_clocks, 0, self._positions(passes)
        whole = next(positions)
        number = -1
        while whole is not None or self._steps or any(self._pipe):
            self._clock(clock)
            if whole is not None and not self._steps:
                entering, enter = whole
                if entering == number or clock >= loaded:
                    if entering != number:
                        after = passes[entering + 1].load_clocks if entering + 1 < len(passes) else 0
                        number, loaded = entering, clock + after
                    if enter(passes[entering]):
                        self._steps.extend(self._products(passes[entering]))
                    whole = next(positions, None)
            clock += 1
        return self.cycles

    def _clock(self, clock: int) -> None:
        """The multipliers, the tree and the sum, from the registers of the clock before."""
        last = self._pipe[-1]
        if last is not None:
            (root,) = last.values
            self._sum = root if last.first or self._sum is None else self._sum + root
            self.sum_moves += root.size
            if last.last:
                self.outputs.append(self._sum)
                self.cycles = clock + 1
        step = self._steps.popleft() if self._steps else None
        if step is not None:
            self.adder_moves += sum(value.size for value in step.values)
        tree = range(self.stages, len(self._pipe))
        behind = [self._added(each) if place in tree else each for place, each in enumerate(self._pipe[:-1], 1)]
        self._pipe = [step, *behind]

    def _added(self, each: _Products | None) -> _Products | None:
        """A level of the tree."""
        if each is None:
            return None
        values = each.values
        pairs = [sum(values[place : place + 2]) for place in range(0, len(values), 2)]
        self.adder_moves += len(values) // 2 * values[0].size
        return each._replace(values=pairs)

    def _products(self, channels: Pass) -> Iterator[_Products]:
        """The steps of the window that is whole now."""
        taps = [
            column[row] for row in range(channels.rows.kernel) for column in self._window[:: channels.cols[0].dilation]
        ]
        products = [tap * weight for tap, weight in zip(taps, channels.weights, strict=True)]
        starts = range(0, len(products), self.multipliers)
        for start in starts:
            step = products[start : start + self.multipliers]
            yield _Products(step, start == 0, start == starts[-1])

    def _positions(self, passes: Sequence[Pass]):
        """(number of the pass, what happens when a position enters) in order; that says whether a window is whole."""
        for number, channels in enumerate(passes):
            for image in channels.images:
                for cols in channels.cols:
                    lines: dict[tuple[int, int], tuple[int, Ints]] = {}
                    for row in channels.rows.positions():
                        for col in cols.positions():
                            yield (
                                number,
                                lambda each, i=image, c=cols, y=row, x=col, held=lines: self._enter(
                                    each, i, c, y, x, held
                                ),
                            )

    def _enter(
        self,
        channels: Pass,
        image: Ints,
        cols: Axis,
        row: int,
        col: int,
        lines: dict[tuple[int, int], tuple[int, Ints]],
    ) -> bool:
        """A position comes in, with those above it in the line buffer, which has as many rows as a window has above."""
        rows, (height, width, depth) = channels.rows, image.shape
        kept = rows.window - 1
        column = []
        for above in range(kept, 0, -rows.dilation):
            held, value = lines.get(((row - above) % kept, col), (None, np.zeros(depth, dtype=np.int64)))
            inside = rows.low <= row - above and 0 <= row - above < height and 0 <= col < width
            assert not inside or held == row - above, "a row was overwritten before its time"
            self.line_reads += depth if inside else 0
            column.append(value if inside else np.zeros(depth, dtype=np.int64))
        pixel = np.zeros(depth, dtype=np.int64)
        if 0 <= row < height and 0 <= col < width:
            pixel = image[row, col]
            self.reads += depth
            if kept:
                lines[row % kept, col] = row, pixel
                self.line_writes += depth
        self._window = [*self._window, np.array([*column, pixel])][-cols.window :]
        self.window_moves += rows.kernel * cols.window * depth
        return rows.ends_window(row) and cols.ends_window(col)


def expected(passes: Sequence[Pass]) -> list[Ints]:
    """The outputs, channels of each, in the order in which an engine gives them."""
    found = []
    for channels in passes:
        for image in channels.images:
            for cols in channels.cols:
                for row in range(channels.rows.outputs):
                    found += [_output(channels, image, cols, row, col) for col in range(cols.outputs)]
    return found


def _output(channels: Pass, image: Ints, cols: Axis, row: int, col: int) -> Ints:
    rows, total = channels.rows, np.zeros(image.shape[2], dtype=np.int64)
    for tap, weight in enumerate(channels.weights):
        y = rows.low + row * rows.stride + tap // cols.kernel * rows.dilation
        x = cols.low + col * cols.stride + tap % cols.kernel * cols.dilation
        if 0 <= y < image.shape[0] and 0 <= x < image.shape[1]:
            total = total + image[y, x] * weight
    return total
