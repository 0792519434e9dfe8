"""Feature maps, sliding windows over them, and the sizes that operators give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from accelsim.units import ceil_div

Parameters = Mapping[str, Any]
"""Parameters of a row of a workload file, by key; a key that is left out has its default."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A feature map of one image."""

    height: int
    width: int
    channels: int

    @property
    def elements(self) -> int:
        return self.height * self.width * self.channels


class Pooled(NamedTuple):
    """Results of the array that become outputs on their way, along one axis: some for each output, and others that the
    first takes before its own. extent: of all; waits: outputs under way behind a result."""

    extent: int
    each: int = 1
    lead: int = 0
    waits: int = 0

    @classmethod
    def by(cls, axis: Axis, extent: int) -> Pooled:
        """Results of a pool along an axis: an output is done with the last one of its window."""
        reach = axis.reach(1)
        return cls(extent, axis.stride, reach - axis.stride - axis.pad, ceil_div(reach, axis.stride) - 1)

    def results(self, start: int, stop: int) -> tuple[int, int]:
        """The results [low, high) that outputs [start, stop) are done with, and the outputs before them not."""
        low = start * self.each + self.lead if start else 0
        return low, min(stop * self.each + self.lead, self.extent)

    def read(self, axis: Axis, extent: int) -> int:
        """The extent of an input up to the last element that the results read under a window."""
        return max(1, min(extent, axis.reach(self.extent) - axis.pad))


@dataclass(frozen=True, slots=True)
class Axis:
    """A sliding window along one axis, with `pad` zeros before the map and `pad_end` behind it.

    lead: elements before its window that the first output reads, too.
    """

    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    pad: int = 0
    pad_end: int = 0
    lead: int = 0

    def taken(self, start: int, stop: int, extent: int) -> tuple[int, int]:
        """The part [low, high) of a map of `extent` that outputs [start, stop) read: at least one element of it."""
        low = start * self.stride - self.pad
        high = low + self.reach(stop - start)
        low -= 0 if start else self.lead
        low = min(max(low, 0), extent - 1)
        return low, max(min(high, extent), low + 1)

    def reach(self, outputs: int) -> int:
        """Positions under a number of neighbouring outputs, padding included."""
        return (outputs - 1) * self.stride + (self.kernel - 1) * self.dilation + 1

    def part(self, start: int, stop: int) -> Axis:
        """The axis with kernel positions [start, stop) alone."""
        before, behind = start * self.dilation, (self.kernel - stop) * self.dilation
        return Axis(stop - start, self.stride, self.dilation, self.pad - before, self.pad_end - behind)

    def of_several(self, pooled: Pooled) -> Axis:
        """The axis of outputs that each are made of some neighbouring ones of this."""
        if pooled.each == 1 and not pooled.lead:
            return self
        lead = pooled.lead * self.stride
        return Axis(self.reach(pooled.each), pooled.each * self.stride, 1, self.pad - lead, self.pad_end, lead)

    def span(self, outputs: int, extent: int) -> int:
        """Elements of a map of `extent` under a number of neighbouring outputs, at most."""
        return min(extent, self.reach(outputs) + self.lead)

    def touched(self, start: int, stop: int, extent: int) -> int:
        """Count of the elements of a map of `extent` that outputs [start, stop) read, each counted once."""
        total = 0
        ends: dict[int, int] = {}
        for tap in range(self.kernel):
            shift, lane = divmod(tap * self.dilation - self.pad, self.stride)
            low = max(start + shift, 0, ends.get(lane, 0))
            high = min(stop + shift, (extent - 1 - lane) // self.stride + 1)
            if high > low:
                total += high - low
                ends[lane] = high
        return total

    def reads(self, start: int, stop: int, extent: int) -> int:
        """Count of the kernel positions of outputs [start, stop) inside a map of `extent`, not on padding."""
        total = 0
        for tap in range(self.kernel):
            offset = tap * self.dilation - self.pad
            first = max(start, -(offset // self.stride))
            last = min(stop - 1, (extent - 1 - offset) // self.stride)
            total += max(0, last - first + 1)
        return total


@dataclass(frozen=True, slots=True)
class Window:
    """A sliding window over a map."""

    vertical: Axis = Axis()
    horizontal: Axis = Axis()

    @property
    def elements(self) -> int:
        return self.vertical.kernel * self.horizontal.kernel

    def part(self, start: int, stop: int) -> Window:
        """The window with kernel positions [start, stop) alone, row by row: whole rows or part of one."""
        width = self.horizontal.kernel
        first, last = start // width, (stop - 1) // width
        if first < last:
            return Window(self.vertical.part(first, last + 1), self.horizontal)
        begin = first * width
        return Window(self.vertical.part(first, first + 1), self.horizontal.part(start - begin, stop - begin))

    def of_several(self, pooled: tuple[Pooled, Pooled]) -> Window:
        """The window of outputs that each are made of some rows and columns of neighbouring ones."""
        rows, cols = pooled
        return Window(self.vertical.of_several(rows), self.horizontal.of_several(cols))


class ShapeError(Exception):
    """A layer that does not fit its inputs: (key, expected, got), and what it would have given where that is clear."""

    def __init__(self, key: str, expected: str, got: object, output: Shape | None = None) -> None:
        super().__init__(key, expected, got)
        self.path: tuple[str | int, ...] = (key,)
        self.expected, self.got, self.output = expected, str(got), output


def only(sizes: Sequence[Shape]) -> Shape:
    """The size of the one input. Raises ShapeError."""
    if len(sizes) != 1:
        raise ShapeError("inputs", "one input", len(sizes))
    return sizes[0]


def window_of(parameters: Parameters) -> Window:
    """The window of a row's kernel, stride, dilation and pad: a number, or one for each axis or side."""
    kernel, stride, dilation = (_pair(parameters.get(key, 1)) for key in ("kernel", "stride", "dilation"))
    pad = parameters.get("pad", 0)
    top, left, bottom, right = pad if isinstance(pad, Sequence) else (pad,) * 4
    return Window(
        Axis(kernel[0], stride[0], dilation[0], top, bottom),
        Axis(kernel[1], stride[1], dilation[1], left, right),
    )


def _pair(value: Any) -> tuple[int, int]:
    return (value[0], value[1]) if isinstance(value, Sequence) else (value, value)


def concatenated(sizes: Sequence[Shape]) -> Shape:
    """The size of maps side by side. Raises ShapeError."""
    if len(sizes) < 2 or len({(size.height, size.width) for size in sizes}) > 1:
        raise ShapeError("inputs", "maps of equal height and width", " and ".join(map(text, sizes)))
    return Shape(sizes[0].height, sizes[0].width, sum(size.channels for size in sizes))


def scaled(sizes: Sequence[Shape]) -> Shape:
    """The size of a map, each channel times its factor. Raises ShapeError."""
    if len(sizes) != 2 or sizes[1] != Shape(1, 1, sizes[0].channels):
        raise ShapeError("inputs", "a map and one factor for each channel", " and ".join(map(text, sizes)))
    return sizes[0]


def multiplied(sizes: Sequence[Shape], groups: int, *, transposed: bool) -> Shape:
    """The size of a product of two maps. Raises ShapeError."""
    if len(sizes) != 2:
        raise ShapeError("inputs", "two maps", len(sizes))
    left, right = sizes
    if left.channels % groups or right.channels % groups:
        expected = f"a divisor of {left.channels} and {right.channels} channels"
        raise ShapeError("groups", expected, groups)
    tokens = right.height * right.width
    inner, outer = (right.channels // groups, tokens) if transposed else (tokens, right.channels // groups)
    if left.channels != groups * inner:
        expected = f"a left map of {groups} x {inner} channels, what the right one has to multiply"
        raise ShapeError("inputs", expected, left.channels)
    return Shape(left.height, left.width, groups * outer)


def text(size: Shape) -> str:
    """A size as messages say it."""
    return f"{size.height}x{size.width}x{size.channels}"


def outputs(size: Shape, window: Window, *, ceil: bool = False) -> tuple[int, int]:
    """Height and width of what a window gives. Raises ShapeError."""
    extents = []
    for axis, extent in ((window.vertical, size.height), (window.horizontal, size.width)):
        room = extent + axis.pad + axis.pad_end - axis.reach(1)
        if room < 0:
            raise ShapeError("kernel", f"a window within the padded map ({text(size)})", axis.kernel)
        steps = -(-room // axis.stride) if ceil else room // axis.stride
        if ceil and steps * axis.stride >= extent + axis.pad:  # a window may not begin in the padding behind the map
            steps -= 1
        extents.append(steps + 1)
    return extents[0], extents[1]
