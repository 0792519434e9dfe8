"""The part of its inputs that an operator reads for a part of its output, where no window slides over them.

A box is (rows, columns, channels), each as (start, stop). `reads` may name more than is needed, never less; `most`
bounds the extents of what it names for every box of a size whose start is a multiple of that size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import prod
from typing import TypeVar

from accelsim.operators.form import Form, Pick
from accelsim.operators.shapes import Shape

Interval = tuple[int, int]
Box = tuple[Interval, Interval, Interval]
Extents = tuple[int, int, int]
Each = TypeVar("Each")


@dataclass(frozen=True, slots=True)
class Access:
    """The way an operator reaches its inputs, each by its position; None where a box needs nothing of one."""

    reads: Callable[[Form, int, Box], Box | None]
    most: Callable[[Form, int, Extents], Extents]


def extents(size: Shape) -> Extents:
    """Extents of a map, as a box has them."""
    return size.height, size.width, size.channels


def _repeated(form: Form, position: int, box: Box) -> Box:
    return _three((0, 1) if extent == 1 else span for extent, span in zip(_of(form, position), box, strict=True))


def _repeated_most(form: Form, position: int, sizes: Extents) -> Extents:
    return _three(min(mine, size) for mine, size in zip(_of(form, position), sizes, strict=True))


def _picked(form: Form, position: int, box: Box) -> Box | None:
    spans = [
        _pick_span(pick, span, extent, form.border)
        for pick, span, extent in zip(form.picks, box, _of(form, position), strict=True)
    ]
    found = [span for span in spans if span is not None]
    return (found[0], found[1], found[2]) if len(found) == 3 else None


def _pick_span(pick: Pick, span: Interval, extent: int, border: str) -> Interval | None:
    """The elements of an axis that outputs of a span take."""
    ends = pick.at(span[0]), pick.at(span[1] - 1)
    low, high = min(ends), max(ends) + pick.taps - 1
    if border == "zeros":
        low, high = max(low, 0), min(high, extent - 1)
        return (low, high + 1) if low <= high else None
    reached = [min(max(end, 0), extent - 1) for end in (low, high)]
    if border == "reflect":
        reached += [-low] if low < 0 else []
        reached += [0] if low < 0 <= high else []
        reached += [2 * (extent - 1) - high] if high >= extent else []
        reached += [extent - 1] if high >= extent > low else []
        reached = [min(max(each, 0), extent - 1) for each in reached]
    return min(reached), max(reached) + 1


def _picked_most(form: Form, position: int, sizes: Extents) -> Extents:
    slack = 2 if form.border == "reflect" else 1
    return _three(
        min(extent, slack * (-(-(size - 1) * abs(pick.step) // pick.per) + pick.taps + 1))
        if (pick.per, pick.taps, slack) != (1, 1, 1)
        else min(extent, (size - 1) * abs(pick.step) + 1)
        for pick, size, extent in zip(form.picks, sizes, _of(form, position), strict=True)
    )


def _joined(form: Form, position: int, box: Box) -> Box | None:
    start = sum(_of(form, before)[form.axis] for before in range(position))
    low, high = (edge - start for edge in box[form.axis])
    low, high = max(low, 0), min(high, _of(form, position)[form.axis])
    if low >= high:
        return None
    return _three((low, high) if axis == form.axis else span for axis, span in enumerate(box))


def _summed(form: Form, position: int, box: Box) -> Box:
    each = form.sizes[position].channels // form.groups
    return box[0], box[1], (box[2][0] * each, box[2][1] * each)


def _summed_most(form: Form, position: int, sizes: Extents) -> Extents:
    return sizes[0], sizes[1], sizes[2] * (form.sizes[position].channels // form.groups)


def _folded(form: Form, position: int, box: Box) -> Box | None:
    """Input pixels whose patches, `kernel` apart by `stride`, overlap the box."""
    axes, spans = (form.window.vertical, form.window.horizontal), []
    for axis, (start, stop), extent in zip(axes, box, _of(form, position), strict=False):
        low = -(-(start + axis.pad - (axis.kernel - 1) * axis.dilation) // axis.stride)
        high = (stop - 1 + axis.pad) // axis.stride
        low, high = max(low, 0), min(high, extent - 1)
        if low > high:
            return None
        spans.append((low, high + 1))
    taps = form.window.elements
    return spans[0], spans[1], (box[2][0] * taps, box[2][1] * taps)


def _folded_most(form: Form, position: int, sizes: Extents) -> Extents:
    axes = form.window.vertical, form.window.horizontal
    rows, cols = (
        min(extent, (size - 1 + (axis.kernel - 1) * axis.dilation) // axis.stride + 1)
        for axis, size, extent in zip(axes, sizes, _of(form, position), strict=False)
    )
    return rows, cols, sizes[2] * form.window.elements


def _rearranged(form: Form, position: int, box: Box) -> Box:
    """Each factor of the input's extents has a span; those of an axis give the axis' span."""
    del position
    spans: dict[int, Interval] = {}
    for (start, stop), factors in zip(box, output_factors(form), strict=True):
        for factor, inner, extent in factors:
            first, last = start // inner, (stop - 1) // inner
            spans[factor] = (first, last + 1) if last - first < extent else (0, extent)
            start, stop = (start - first * inner, stop - first * inner) if first == last else (0, inner)
    found = []
    for factors in input_factors(form):
        low = sum(spans[factor][0] * inner for factor, inner, _ in factors)
        high = sum((spans[factor][1] - 1) * inner for factor, inner, _ in factors)
        found.append((low, high + 1))
    return found[0], found[1], found[2]


def _rearranged_most(form: Form, position: int, sizes: Extents) -> Extents:
    del position
    longest: dict[int, int] = {}
    for size, factors in zip(sizes, output_factors(form), strict=True):
        crosses = False
        for factor, inner, extent in factors:
            exact = size % inner == 0 or inner % size == 0
            longest[factor] = extent if crosses else min(extent, -(-size // inner) + (0 if exact else 1))
            crosses = longest[factor] > 1
    return _three(
        1 + sum((longest[factor] - 1) * inner for factor, inner, _ in factors) for factors in input_factors(form)
    )


Factors = list[tuple[int, int, int]]
"""Factors of an axis, outermost first: their place in `Form.split`, what is inside of each, and its length."""


def input_factors(form: Form) -> list[Factors]:
    """The factors of rows, columns and channels of the input."""
    return list(_by_axis(form, range(len(form.split)), form.sizes[0]))


def output_factors(form: Form) -> list[Factors]:
    """The factors of rows, columns and channels of the output."""
    return list(_by_axis(form, form.order, form.output))


def _by_axis(form: Form, order: range | tuple[int, ...], size: Shape) -> Iterator[Factors]:
    places = [place for place in order if form.split[place] > 1]
    for extent in extents(size):
        own: list[int] = []
        while prod(form.split[place] for place in own) < extent:
            own.append(places.pop(0))
        yield [
            (place, prod(form.split[each] for each in own[number + 1 :]), form.split[place])
            for number, place in enumerate(own)
        ]


def factors_fit(split: tuple[int, ...], size: Shape) -> bool:
    """True where each axis of a map is a product of neighbouring factors."""
    places = [extent for extent in split if extent > 1]
    for extent in extents(size):
        product = 1
        while product < extent and places:
            product *= places.pop(0)
        if product != extent:
            return False
    return not places


def _of(form: Form, position: int) -> Extents:
    return extents(form.sizes[position])


def _three(each: Iterable[Each]) -> tuple[Each, Each, Each]:
    first, second, third = each
    return first, second, third


REPEATED = Access(_repeated, _repeated_most)
"""An axis of one element stands for all of the output's."""
PICKED = Access(_picked, _picked_most)
"""Elements a step apart, from one on; beyond the edges what the border says."""
JOINED = Access(_joined, _repeated_most)
"""Maps one behind the other along an axis."""
SUMMED = Access(_summed, _summed_most)
"""All channels of a group for each of the output's."""
FOLDED = Access(_folded, _folded_most)
"""Patches that are laid over each other."""
REARRANGED = Access(_rearranged, _rearranged_most)
"""The same elements in another order."""
