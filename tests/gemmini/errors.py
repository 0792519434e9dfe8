"""Errors of what accelsim plays of Gemmini's rows, averaged over where the linker may have put the arrays."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from statistics import fmean, median
from typing import NamedTuple

from tests.gemmini.measured import Measured, Played
from tests.validation import rank_correlation


class Error(NamedTuple):
    """A row: clocks on average over the offsets, and the average distance from those measured, as shares of them.

    mean: |clocks / measured - 1| on average; signed: of the average clocks.
    """

    row: Measured
    clocks: float
    measured: float
    mean: float

    @property
    def signed(self) -> float:
        return self.clocks / self.measured - 1


class Summary(NamedTuple):
    """Errors of several rows: of the average one, the one in the middle, the largest; and how well they are ordered."""

    rows: int
    mean: float
    median: float
    largest: float
    rank: float


def errors(played: Sequence[Played], *, mapped: bool) -> list[Error]:
    """A row each, of the default tiles or of the mapping."""
    found: list[Error] = []
    for _, group in groupby(played, lambda each: each.row.number):
        each = list(group)
        row = each[0].row
        measured = row.mapped_clocks if mapped else row.default_clocks
        clocks = [one.mapped_clocks if mapped else one.default_clocks for one in each]
        found.append(Error(row, fmean(clocks), measured, fmean(abs(clock / measured - 1) for clock in clocks)))
    return found


def at_best_places(played: Sequence[Played]) -> list[Played]:
    """All rows of each program at the one offset at which they are nearest to what was measured, with both tilings."""
    found: list[Played] = []
    for program in dict.fromkeys(each.row.program for each in played):
        by_offset: dict[int, list[Played]] = {}
        for each in played:
            if each.row.program == program:
                by_offset.setdefault(each.offset, []).append(each)
        found += min(by_offset.values(), key=_distance)
    return sorted(found, key=lambda each: each.row.number)


def _distance(rows: Sequence[Played]) -> float:
    return sum(summary(errors(rows, mapped=mapped)).mean for mapped in (False, True))


def summary(found: Sequence[Error]) -> Summary:
    """Of these rows."""
    shares = [each.mean for each in found]
    rank = rank_correlation([each.clocks for each in found], [each.measured for each in found])
    return Summary(len(found), fmean(shares), median(shares), max(abs(each.signed) for each in found), rank)
