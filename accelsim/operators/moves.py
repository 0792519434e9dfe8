"""Shapes of operators that repeat, pick, join, fold or rearrange elements."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from accelsim.operators.access import extents, factors_fit
from accelsim.operators.form import Form, Pick
from accelsim.operators.shapes import Axis, Parameters, Shape, ShapeError, Window, only, text, window_of

LINEAR, CUBIC = 2, 4
"""Elements along an axis that are mixed for one that lies between."""


def repeated(sizes: Sequence[Shape], parameters: Parameters) -> Form:
    """Maps combined element by element; an axis of one element is repeated. Raises ShapeError."""
    if len(sizes) != parameters.get("maps", 2):
        raise ShapeError("inputs", "two maps", len(sizes))
    found = [max(axis) if 0 not in axis else 0 for axis in zip(*map(extents, sizes), strict=True)]
    if any(extent not in (1, most) for size in sizes for extent, most in zip(extents(size), found, strict=True)):
        expected = "maps of equal size, or of one element where they differ"
        raise ShapeError("inputs", expected, " and ".join(map(text, sizes)))
    return Form(sizes=tuple(sizes), output=Shape(*found))


def three_repeated(sizes: Sequence[Shape], parameters: Parameters) -> Form:
    """A choice between two maps by a third."""
    return repeated(sizes, {**parameters, "maps": 3})


def cropped(sizes: Sequence[Shape], parameters: Parameters) -> Form:
    """A part of a map in steps, perhaps beyond its edges. Raises ShapeError."""
    size, border = only(sizes), parameters.get("border", "zeros")
    output = Shape(parameters["height"], parameters["width"], parameters["channels"])
    firsts, steps = parameters.get("first", (0, 0, 0)), parameters.get("step", (1, 1, 1))
    picks = tuple(Pick(step=step, first=first) for first, step in zip(firsts, steps, strict=True))
    for pick, extent, outputs in zip(picks, extents(size), extents(output), strict=True):
        ends = pick.at(0), pick.at(outputs - 1)
        if pick.step == 0 or (border == "reflect" and not -extent < min(ends) <= max(ends) < 2 * extent - 1):
            raise ShapeError("first", "steps other than 0, and reflections once", list(ends), output)
    return Form(sizes=(size,), output=output, picks=picks, border=border)


def resized(sizes: Sequence[Shape], parameters: Parameters) -> Form:
    """A map of another height and width. Raises ShapeError."""
    size, mode = only(sizes), parameters.get("mode", "nearest")
    output = Shape(parameters["height"], parameters["width"], size.channels)
    taps = {"nearest": 1, "linear": LINEAR, "cubic": CUBIC}[mode]
    picks = [
        _between(parameters.get(key), extent, outputs, taps)
        for key, extent, outputs in zip(("rows", "cols"), extents(size), extents(output), strict=False)
    ]
    return Form(sizes=(size,), output=output, picks=(*picks, Pick()), border="edge")


def _between(numbers: Sequence[int] | None, extent: int, outputs: int, taps: int) -> Pick:
    """Place of an output on an axis: (output x step + first) / per, as the row says, or of squares side by side."""
    if numbers is None:
        numbers = (extent, 0, outputs) if taps == 1 else (2 * extent, extent - outputs, 2 * outputs)
    step, first, per = numbers
    if extent == outputs and (step, first) == (per, 0):
        return Pick()
    return Pick(step, first - (taps // 2 - 1) * per if taps > 1 else first, per, taps)


def rearranged(sizes: Sequence[Shape], parameters: Parameters) -> Form:
    """The elements of a map in another order: its extents in factors, these exchanged. Raises ShapeError."""
    size, split, order = only(sizes), tuple(parameters["split"]), tuple(parameters["order"])
    output = Shape(parameters["height"], parameters["width"], parameters["channels"])
    if not factors_fit(split, size):
        raise ShapeError("split", f"factors of {text(size)}, one axis behind the other", list(split), output)
    if sorted(order) != list(range(len(split))):
        raise ShapeError("order", f"the numbers from 0 to {len(split) - 1}", list(order), output)
    if not factors_fit(tuple(split[place] for place in order), output):
        raise ShapeError("order", f"factors of {text(output)}, one axis behind the other", list(order), output)
    return Form(sizes=(size,), output=output, split=split, order=order)


def joined(sizes: Sequence[Shape], parameters: Parameters) -> Form:
    """Maps one behind the other. Raises ShapeError."""
    axis = ("height", "width", "channels").index(parameters.get("axis", "height"))
    others = {tuple(extent for place, extent in enumerate(extents(size)) if place != axis) for size in sizes}
    if len(sizes) < 2 or len(others) > 1:
        raise ShapeError("inputs", "maps that differ in one axis alone", " and ".join(map(text, sizes)))
    found = list(extents(sizes[0]))
    found[axis] = sum(extents(size)[axis] for size in sizes)
    return Form(sizes=tuple(sizes), output=Shape(*found), axis=axis)


def summed(sizes: Sequence[Shape], parameters: Parameters) -> Form:
    """One channel for each group. Raises ShapeError."""
    size, groups = only(sizes), parameters.get("groups", 1)
    if size.channels % groups:
        raise ShapeError("groups", f"a divisor of {size.channels} channels", groups)
    return Form(sizes=(size,), output=Shape(size.height, size.width, groups), groups=groups)


def folded(sizes: Sequence[Shape], parameters: Parameters) -> Form:
    """A patch for each pixel, laid over its neighbours' and added up: what a transposed convolution does behind its
    product. Channel c of the output has channels c * taps and on. Raises ShapeError."""
    size, window = only(sizes), window_of(parameters)
    if size.channels % window.elements:
        raise ShapeError("kernel", f"a divisor of {size.channels} channels", window.elements)
    added = parameters.get("output_padding", 0)
    more = tuple(added) if isinstance(added, Sequence) else (added, added)
    height, width = (
        _unfolded(axis, extent) + extra
        for axis, extent, extra in zip((window.vertical, window.horizontal), extents(size), more, strict=False)
    )
    if height < 1 or width < 1:
        raise ShapeError("pad", "an output of at least one pixel", [height, width])
    return Form(sizes=(size,), output=Shape(height, width, size.channels // window.elements), window=window)


def _unfolded(axis: Axis, extent: int) -> int:
    return (extent - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1 - axis.pad - axis.pad_end


def group_elements(form: Form) -> int:
    """Channels of the input for each of the output's."""
    return form.sizes[0].channels // form.groups


def comparisons(form: Form) -> int:
    """Comparisons of each element, neighbours being merged until all channels of a group are in order."""
    return max(1, (group_elements(form) - 1).bit_length())


def mixed_elements(form: Form) -> int:
    """A multiply-add for each element that is mixed; an element alone is copied."""
    taps = prod(pick.taps for pick in form.picks)
    return 2 * taps if taps > 1 else 1


def overlapping_patches(form: Form) -> int:
    """Patches that meet in a pixel at most, each added."""
    axes = (form.window.vertical, form.window.horizontal)
    return prod(-(-axis.kernel // axis.stride) for axis in axes)


def whole_window(size: Shape) -> Window:
    """A window as large as a map."""
    return Window(Axis(kernel=size.height), Axis(kernel=size.width))
