"""Heights of the stripes of a group: the best of those whose rings fit a room."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from typing import NamedTuple

from accelsim.lowering.schedule.effort import Effort
from accelsim.lowering.schedule.group import Group
from accelsim.lowering.schedule.groups import MOST_ROWS, Groups, Span
from accelsim.lowering.tiling.sizes import sizes_of


@dataclass(frozen=True, eq=False)
class Striped:
    """A group with stripes of some height, and which of its feature maps are resident, by their distance."""

    group: Group
    residents: frozenset[int]

    @cached_property
    def ring_bytes(self) -> int:
        """SRAM of its rings."""
        return self.group.ring_bytes(self.residents)

    @cached_property
    def most_ring_bytes(self) -> int:
        """SRAM of its rings at most, which is known sooner."""
        return self.group.most_ring_bytes(self.residents)

    def fits(self, room: int) -> bool:
        """True where its rings fit a room."""
        return self.most_ring_bytes <= room or self.ring_bytes <= room


class Fitted(NamedTuple):
    """A group whose rings fit a room, and its effort."""

    striped: Striped
    effort: Effort


class Over(NamedTuple):
    """A result of a group in the place of a resident, which has stripes of some rows: the distances of both."""

    made: int
    old: int
    rows: int


FittedKey = tuple[int, frozenset[int], int, Over | None]
"""Groups that are alike, with the same residents, room and result in the place of another."""


@dataclass
class Heights:
    """The groups of a network with the stripes that are best for them, those that are alike worked out once."""

    groups: Groups
    tried: dict[tuple[int, frozenset[int]], dict[int, Striped | None]] = field(default_factory=dict)
    bests: dict[FittedKey, Fitted | None] = field(default_factory=dict)
    most: dict[int, float] = field(default_factory=dict)

    def fit(self, span: Span, residents: frozenset[int], room: int) -> bool:
        """True where the rings of a group fit a room with some stripes: with some that were tried, or the highest, or
        the lowest."""
        if self._most(span) <= room:
            return True
        tried = self._of(span, residents)
        if any(_fits(each, room) for each in tried.values()):
            return True
        ends = 0, len(_heights(span)) - 1
        return any(_fits(self._try(span, number, residents), room) for number in ends if number not in tried)

    def _most(self, span: Span) -> float:
        """SRAM of the rings of a group with the highest stripes at most, whatever is resident; more than there is where
        it has none such."""
        if span.alike not in self.most:
            group = self.groups.group(span, _heights(span)[0])
            self.most[span.alike] = group.most_ring_bytes(()) if group else inf
        return self.most[span.alike]

    def best(self, span: Span, residents: frozenset[int], room: int, over: Over | None = None) -> Fitted | None:
        """The quickest of the groups whose rings fit a room: lower stripes overlap units better, higher ones load the
        array less often. None where none fits."""
        key = span.alike, residents, room, over
        if key not in self.bests:
            self.bests[key] = self._best(span, residents, room, over)
        return self.bests[key]

    def _best(self, span: Span, residents: frozenset[int], room: int, over: Over | None) -> Fitted | None:
        numbers = range(self._highest(span, residents, room, over), len(_heights(span)))
        moved = self.groups.moved_bytes(span, residents)
        tried = [self._try(span, number, residents) for number in numbers]
        found = [(each, self.groups.effort(each.group, moved)) for each in tried if each is not None]
        for striped, effort in sorted(found, key=lambda each: each[1].cycles):
            if striped.fits(room - self._ahead(span, striped, over)):
                return Fitted(striped, effort)
        return None

    def _highest(self, span: Span, residents: frozenset[int], room: int, over: Over | None) -> int:
        """Number of the highest stripes whose rings fit a room; of all where none do. The lower the better they fit."""
        heights, tried = _heights(span), self._of(span, residents)
        high = len(heights)
        if over is None:
            high = min((number for number, each in tried.items() if _fits(each, room)), default=high)
        low = max((number for number, each in tried.items() if number < high and not _fits(each, room)), default=-1)
        while high - low > 1:
            number = 0 if low < 0 else high - 1 if high == len(heights) else (low + high) // 2
            found = self._try(span, number, residents)
            fits = found and found.fits(room - self._ahead(span, found, over))
            low, high = (low, number) if fits else (number, high)
        return high

    def _ahead(self, span: Span, striped: Striped, over: Over | None) -> int:
        return self.groups.ahead(span, striped.group, *over) if over else 0

    def _of(self, span: Span, residents: frozenset[int]) -> dict[int, Striped | None]:
        return self.tried.setdefault((span.alike, residents), {})

    def _try(self, span: Span, number: int, residents: frozenset[int]) -> Striped | None:
        """The group with stripes of the height of this number."""
        tried = self._of(span, residents)
        if number not in tried:
            group = self.groups.group(span, _heights(span)[number])
            tried[number] = Striped(group, residents) if group else None
        return tried[number]


def _heights(span: Span) -> tuple[int, ...]:
    """Rows of the stripes that are tried, the highest first."""
    return sizes_of(min(span.height, MOST_ROWS))


def _fits(striped: Striped | None, room: int) -> bool:
    return striped is not None and striped.fits(room)
