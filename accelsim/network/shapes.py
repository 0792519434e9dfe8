"""Sizes of maps that operations give, and which do not fit."""

from __future__ import annotations

from accelsim.config.strict_yaml import KeyPath
from accelsim.network.graph import Shape, Window


class ShapeError(Exception):
    """A layer that does not fit its inputs: (key, expected, got), and what it would have given where that is clear."""

    def __init__(self, key: str, expected: str, got: object, output: Shape | None = None) -> None:
        super().__init__(key, expected, got)
        self.path: KeyPath = (key,)
        self.expected, self.got, self.output = expected, str(got), output


def equal_sizes(sizes: list[Shape]) -> Shape:
    """The size of two maps, element by element. Raises ShapeError."""
    if len(sizes) != 2 or sizes[0] != sizes[1]:
        raise ShapeError("inputs", "two maps of equal size", " and ".join(map(text, sizes)))
    return sizes[0]


def concatenated(sizes: list[Shape]) -> Shape:
    """The size of maps side by side. Raises ShapeError."""
    if len(sizes) < 2 or len({(size.height, size.width) for size in sizes}) > 1:
        raise ShapeError("inputs", "maps of equal height and width", " and ".join(map(text, sizes)))
    return Shape(sizes[0].height, sizes[0].width, sum(size.channels for size in sizes))


def scaled(sizes: list[Shape]) -> Shape:
    """The size of a map, each channel times its factor. Raises ShapeError."""
    if len(sizes) != 2 or sizes[1] != Shape(1, 1, sizes[0].channels):
        raise ShapeError("inputs", "a map and one factor for each channel", " and ".join(map(text, sizes)))
    return sizes[0]


def multiplied(sizes: list[Shape], groups: int, *, transposed: bool) -> Shape:
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
        room = extent + axis.pad + axis.pad_end - (axis.kernel - 1) * axis.dilation - 1
        if room < 0:
            raise ShapeError("kernel", f"a window within the padded map ({text(size)})", axis.kernel)
        steps = -(-room // axis.stride) if ceil else room // axis.stride
        if ceil and steps * axis.stride >= extent + axis.pad:
            steps -= 1
        extents.append(steps + 1)
    return extents[0], extents[1]
