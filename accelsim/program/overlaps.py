"""Who wrote what a region holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.program.tensors import Region

CHUNK = 64


class Access(NamedTuple):
    """A command, or step, that writes or reads a region of a tensor."""

    who: int
    region: Region


class Source(NamedTuple):
    """Where a read region comes from: its last writer (-1 for none), and how many elements of it were written."""

    last: int
    elements: int


def sources(writes: Sequence[Access], reads: Sequence[Access], *, in_order: bool) -> list[Source]:
    """The source of each read of one tensor; ranges that are read have step 1.

    in_order: whether only writers before the reader count. Reads are looked at in the order of the rows they start in,
    some at a time, beside the writes to the same rows, so that time grows with what overlaps.
    """
    if not writes:
        return [Source(-1, 0)] * len(reads)
    written, wanted = _Bounds.of(writes), _Bounds.of(reads)
    height = int(max(written.stop[1].max(), wanted.stop[1].max()))
    low, high = written.lines(height)
    by_line = np.argsort(low, kind="stable")
    longest = int((high - low).max())
    read_low, read_high = wanted.lines(height)
    found: list[Source] = [Source(-1, 0)] * len(reads)
    order = np.argsort(read_low, kind="stable")
    for start in range(0, len(reads), CHUNK):
        part = order[start : start + CHUNK]
        first, last = np.searchsorted(low[by_line], [read_low[part[0]] - longest, read_high[part].max()], side="left")
        near = by_line[first:last]
        for number, source in zip(part.tolist(), _meet(written, near, wanted, part, in_order), strict=True):
            found[number] = source
    return found


@dataclass(frozen=True, slots=True)
class _Bounds:
    """Accesses as arrays: who, and start, stop and step as (dimension, access)."""

    who: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    step: NDArray[np.int64]

    @classmethod
    def of(cls, accesses: Sequence[Access]) -> _Bounds:
        ranges = np.array([access.region for access in accesses], dtype=np.int64).transpose(2, 1, 0)
        return cls(np.array([access.who for access in accesses]), *ranges)

    def lines(self, height: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First line (row of an image, all images one below the other) and the one behind the last."""
        return self.start[0] * height + self.start[1], (self.stop[0] - 1) * height + self.stop[1]


def _meet(
    written: _Bounds, near: NDArray[np.int64], wanted: _Bounds, part: NDArray[np.int64], in_order: bool
) -> Iterator[Source]:
    """The sources of the reads in `part`, among the writes in `near`."""
    start, stop, step = (bounds[:, None, near] for bounds in (written.start, written.stop, written.step))
    low, high = wanted.start[:, part, None], wanted.stop[:, part, None]
    first = start + np.maximum(0, -((start - low) // step)) * step
    volumes = np.maximum(0, -((first - np.minimum(stop, high)) // step)).prod(axis=0)
    who = written.who[near]
    if in_order:
        volumes[wanted.who[part][:, None] <= who] = 0
    last = np.where(volumes > 0, who, -1).max(axis=1, initial=-1)
    yield from map(Source, last.tolist(), volumes.sum(axis=1).tolist())
