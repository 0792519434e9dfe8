"""Who wrote what a region holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from accelsim.program.tensors import Region

CHUNK = 256


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

    in_order: whether only writers before the reader count. `writes` are in ascending order of `who`.
    """
    if not writes:
        return [Source(-1, 0)] * len(reads)
    who = np.array([access.who for access in writes])
    start, stop, step = np.array([access.region for access in writes], dtype=np.int64).transpose(2, 0, 1)
    found: list[Source] = []
    for chunk in range(0, len(reads), CHUNK):
        part = reads[chunk : chunk + CHUNK]
        low, high, _ = np.array([access.region for access in part], dtype=np.int64).transpose(2, 0, 1)[:, :, None, :]
        first = start + np.maximum(0, -((start - low) // step)) * step
        volumes = np.maximum(0, -((first - np.minimum(stop, high)) // step)).prod(axis=2)
        if in_order:
            volumes[np.array([access.who for access in part])[:, None] <= who] = 0
        last = np.where(volumes > 0, who, -1).max(axis=1)
        found += map(Source, last.tolist(), volumes.sum(axis=1).tolist())
    return found
