"""Regions of a tensor that were stored, and who stored what a read region holds."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import Generic, NamedTuple, TypeVar

from accelsim.program.tensors import Range, Region, Tensor
from accelsim.units import ceil_div

Who = TypeVar("Who")


class _Found(NamedTuple):
    """Elements of a region that the first `seen` stores wrote, and which of those wrote to it, in order."""

    seen: int
    elements: int
    stores: tuple[int, ...]


class StoredRegions(Generic[Who]):
    """Stores to one tensor so far, in order, each of a region of its own; `Who` names them.

    Stores are found by the line (row of an image, all images one below the other) in which they begin, and what was
    found for a region is kept, so that time grows with what overlaps.
    """

    def __init__(self, tensor: Tensor) -> None:
        self._height = tensor.dims[1]
        self._stores: list[tuple[Who, Region]] = []
        self._by_line: dict[int, list[int]] = {}
        self._lines: list[int] = []
        self._longest = 0
        self._found: dict[Region, _Found] = {}

    def add(self, who: Who, region: Region) -> None:
        """Note a store."""
        low, high = self._span(region)
        if low not in self._by_line:
            insort(self._lines, low)
            self._by_line[low] = []
        self._by_line[low].append(len(self._stores))
        self._longest = max(self._longest, high - low)
        self._stores.append((who, region))

    def elements(self, region: Region) -> int:
        """Elements of a region, of step 1, that are stored."""
        return self._look(region).elements

    def writers(self, region: Region) -> list[Who]:
        """Stores of what a region, of step 1, holds, in order."""
        return [self._stores[number][0] for number in self._look(region).stores]

    def _span(self, region: Region) -> tuple[int, int]:
        """First line and the one behind the last."""
        images, rows = region[:2]
        return images.start * self._height + rows.start, (images.stop - 1) * self._height + rows.stop

    def _look(self, region: Region) -> _Found:
        found = self._found.get(region)
        if found is None or found.seen < len(self._stores):
            found = self._found[region] = self._looked_again(region, found or _Found(0, 0, ()))
        return found

    def _looked_again(self, region: Region, before: _Found) -> _Found:
        total, stores = before.elements, list(before.stores)
        numbers = range(before.seen, len(self._stores)) if before.seen else sorted(self._near(region))
        for number in numbers:
            common = _common_elements(self._stores[number][1], region)
            if common:
                total += common
                stores.append(number)
        return _Found(len(self._stores), total, tuple(stores))

    def _near(self, region: Region) -> Iterator[int]:
        """Stores that can have lines in common with a region."""
        low, high = self._span(region)
        lines = self._lines[bisect_right(self._lines, low - self._longest) : bisect_left(self._lines, high)]
        for line in lines:
            yield from self._by_line[line]


def _common_elements(stored: Region, wanted: Region) -> int:
    """Elements that a region of a feature map, of any step, and one of step 1 have in common."""
    images, rows, cols, (start, stop, step) = stored
    other_images, other_rows, other_cols, (low, high, _) = wanted
    if step > 1 and start < low:
        start += ceil_div(low - start, step) * step
    channels = min(stop, high) - max(start, low)
    if channels <= 0:
        return 0
    channels = channels if step == 1 else ceil_div(channels, step)
    pixels = _common(rows, other_rows) * _common(cols, other_cols)
    return channels * pixels * _common(images, other_images) if pixels else 0


def _common(one: Range, other: Range) -> int:
    return max(0, min(one[1], other[1]) - max(one[0], other[0]))
