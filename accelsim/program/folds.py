"""Fold timing of a systolic array, composed without walking the folds (docs/machine.md section 2).

A fold is one mapping of a piece of a matrix product onto the array. A `FoldChain` stands for any number of folds
whose data is on chip; joining two chains, or repeating one, gives another chain of the same size, so the timing of
a million folds costs as much as that of one.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fold:
    """Timing of one fold, in array clocks.

    load: clocks of the stationary load (0 for OS); stream: clocks of the streamed dimension; drain: clocks the
    drain chain needs after the stream ends before the stream of the next fold that drains may end (0 for WS and IS,
    and for a piece of an OS sum that goes on); tail: from the end of the stream until the last output is registered
    out of the bottom row; skew: how many clocks after the first row or column at most the last one in use reads its
    operands.
    """

    load: int
    stream: int
    drain: int
    tail: int
    skew: int


@dataclass(frozen=True, slots=True)
class FoldChain:
    """Folds one after the other, all their data on chip. A piece of an OS sum that goes on is a chain of its own.

    span: from the start of the first fold's stream to the start of the last one's; end: from the start of the first
    stream to the last output of all folds; stream_cycles: sum of the streams; serial_cycles: sum of the folds when
    each drains before the next begins; count: number of folds.
    """

    first: Fold
    last: Fold
    span: int
    end: int
    stream_cycles: int
    serial_cycles: int
    count: int


def single(fold: Fold) -> FoldChain:
    """A chain of one fold."""
    return FoldChain(
        first=fold,
        last=fold,
        span=0,
        end=fold.stream + fold.tail,
        stream_cycles=fold.stream,
        serial_cycles=fold.load + fold.stream + fold.tail,
        count=1,
    )


def distance(before: Fold, after: Fold) -> int:
    """Clocks between the starts of two neighbouring folds when loads and drains run behind the streams."""
    return max(before.stream, after.load, before.stream + before.drain - after.stream)


def join(chain: FoldChain, after: FoldChain) -> FoldChain:
    """The folds of `chain`, then those of `after`."""
    offset = chain.span + distance(chain.last, after.first)
    return FoldChain(
        first=chain.first,
        last=after.last,
        span=offset + after.span,
        end=max(chain.end, offset + after.end),
        stream_cycles=chain.stream_cycles + after.stream_cycles,
        serial_cycles=chain.serial_cycles + after.serial_cycles,
        count=chain.count + after.count,
    )


def repeat(chain: FoldChain, times: int) -> FoldChain:
    """The folds of `chain`, `times` over (at least once)."""
    offset = (times - 1) * (chain.span + distance(chain.last, chain.first))
    return FoldChain(
        first=chain.first,
        last=chain.last,
        span=offset + chain.span,
        end=offset + chain.end,
        stream_cycles=times * chain.stream_cycles,
        serial_cycles=times * chain.serial_cycles,
        count=times * chain.count,
    )


def cycles_of(chain: FoldChain, *, overlap: bool) -> int:
    """Clocks from the first load of a chain to its last output."""
    return chain.first.load + chain.end if overlap else chain.serial_cycles


def bubble_cycles(chain: FoldChain, *, overlap: bool) -> int:
    """Clocks between the streams of a chain's folds."""
    span = chain.span + chain.last.stream
    if not overlap:
        span = chain.serial_cycles - chain.first.load - chain.last.tail
    return span - chain.stream_cycles
