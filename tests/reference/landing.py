"""A register-level reference of how a DMA engine makes rows of a buffer of the beats of its requests.

The registers, and what changes them each clock, are those of Gemmini's BeatMerger.scala (gemmini-dosa@67ca2f9).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Request(NamedTuple):
    """Bytes that are asked for, of which `shift` are left out and `wanted` are used; begun: bytes of the first row that
    are there already."""

    size: int
    shift: int
    wanted: int
    begun: int


class Merged(NamedTuple):
    """The clock of a request's first beat and that of its last row."""

    first_beat: int
    last_row: int


def merged(requests: Sequence[Request], row_bytes: int, beat_bytes: int) -> list[Merged]:
    """The clocks of requests whose beats are all there, one after the other."""
    found: list[Merged] = []
    waiting = list(reversed(requests))
    current: Request | None = None
    read = sent = clock = first = 0
    while waiting or current is not None:
        was, was_read, was_sent = current, read, sent
        ready = was is None
        if was is not None:
            there = min(max(was_read - was.shift, 0), was.wanted)
            if there > was_sent and (there - was_sent >= row_bytes or there == was.wanted):
                sent = min(was_sent + row_bytes - (was.begun if was_sent == 0 else 0), was.wanted)
                if sent == was.wanted:
                    found.append(Merged(first, clock))
                    if was_read == was.size:
                        current, ready = None, True
            if was_read == was.size and was_sent == was.wanted:
                current = None
            if was_read < was.size:
                read = was_read + beat_bytes
                if was_sent == was.wanted and read == was.size:
                    current = None
        if ready and waiting:
            current = waiting.pop()
            read, sent, first = beat_bytes, 0, clock
        clock += 1
    return found
