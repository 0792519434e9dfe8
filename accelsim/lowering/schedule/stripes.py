"""The order in which the layers of a cascade compute their stripes, and the rows that must be on chip meanwhile.

Every layer of a cascade works on stripes of whole rows. The last layer sets the pace: after each of its stripes the
others run ahead as far as the layers that read them need for their next stripe, so that no unit waits for results of
the same step. Stripes are counted over all images of the batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.operators.shapes import Axis
from accelsim.units import ceil_div

Counts = NDArray[np.int64]
"""Stripes computed after each step."""


class Read(NamedTuple):
    """Rows that a member reads: of the feature map of a producer, through a window, over an input of `height` rows."""

    producer: int
    window: Axis
    height: int


class Member(NamedTuple):
    """A layer of a cascade: rows of one stripe, rows of its feature map, and what it reads of earlier members."""

    rows: int
    height: int
    reads: tuple[Read, ...]

    @property
    def stripes(self) -> int:
        """Stripes of one image."""
        return ceil_div(self.height, self.rows)


def stripe_counts(members: Sequence[Member], batch: int) -> list[Counts]:
    """Stripes of each member that are computed after each step; in the end all, those that nobody reads as well."""
    last = members[-1]
    steps = np.arange(batch * last.stripes + 1)
    found: list[Counts | None] = [None] * len(members)
    for number in range(len(members) - 1, -1, -1):
        member = members[number]
        if found[number] is None:
            found[number] = -(-steps * member.stripes // last.stripes)
        counts = found[number]
        assert counts is not None
        counts[-1] = batch * member.stripes
        ahead = next_step(counts)
        for read in member.reads:
            wanted = rows_until(member, read, ahead, members[read.producer].rows)
            before = found[read.producer]
            found[read.producer] = wanted if before is None else np.maximum(before, wanted)
    return [counts for counts in found if counts is not None]


def next_step(counts: Counts) -> Counts:
    """Stripes computed one step later."""
    later = np.empty_like(counts)
    later[:-1], later[-1] = counts[1:], counts[-1]
    return later


def rows_until(member: Member, read: Read, counts: Counts, rows: int) -> Counts:
    """Stripes of `rows` rows of an input that the first stripes of a member need."""
    needed = _until(member.rows, member.height, read.window, read.height, rows)
    last = len(needed) - 1
    if counts[-1] <= last:
        return needed[counts]
    image = np.maximum(counts - 1, 0) // last
    found: Counts = image * ceil_div(read.height, rows) + needed[counts - image * last]
    return found


def rows_from(member: Member, read: Read, counts: Counts, rows: int) -> Counts:
    """Stripes of `rows` rows of an input that no stripe of a member after the first ones needs."""
    left = _from(member.rows, member.height, read.window, read.height, rows)
    last = len(left) - 1
    if counts[-1] <= last:
        return left[counts]
    image = counts // last
    found: Counts = image * left[last] + left[counts - image * last]
    return found


@lru_cache(maxsize=1 << 13)
def _until(rows: int, height: int, window: Axis, extent: int, each: int) -> Counts:
    """Rows of one image with `extent` rows of input, for each number of stripes of `rows` rows."""
    counts = np.arange(ceil_div(height, rows) + 1)
    high = np.minimum(counts * rows, height) * window.stride
    high += (window.kernel - 1) * window.dilation + 1 - window.pad - window.stride
    found: Counts = -(-np.clip(high, 1, extent) // each)
    found[0] = 0
    return found


@lru_cache(maxsize=1 << 13)
def _from(rows: int, height: int, window: Axis, extent: int, each: int) -> Counts:
    """Rows of one image with `extent` rows of input, for each number of stripes of `rows` rows; of all of them, all."""
    low = np.arange(ceil_div(height, rows) + 1) * (rows * window.stride) - window.pad
    low[0] -= window.lead
    found: Counts = np.clip(low, 0, extent - 1) // each
    found[-1] = ceil_div(extent, each)
    return found


def ring_slots(made: Counts, kept_from: Counts) -> int:
    """Stripes that must be on chip at once: those made in a step beside those that readers had not left before it."""
    return max(int(made[0]), int((made[1:] - kept_from[:-1]).max()))


def in_order(members: Sequence[Member], batch: int) -> Iterator[tuple[int, int]]:
    """(member, stripe) of all stripes in the order of execution."""
    counts = [each.tolist() for each in stripe_counts(members, batch)]
    done = [0] * len(members)
    for step in range(len(counts[-1])):
        for number, until in enumerate(each[step] for each in counts):
            for stripe in range(done[number], until):
                yield number, stripe
            done[number] = max(done[number], until)
