"""Causes of idle clocks of the array: each gets one (docs/machine.md section 8).

Between two streams, the path of what had to happen is walked backwards from the start of the second one: its load, the
transfer it waited for, what that transfer waited for, and so on until the end of the first stream. So a command is
looked at no more once a stream has ended after it began. Of a long time without streams, the path is counted in parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from accelsim.machine.doubling import TransferRates
from accelsim.program.commands import Buffer
from accelsim.program.folds import FoldChain
from accelsim.program.link import Moment, Task, Wait


class Cause(StrEnum):
    """Cause for which the array waits.

    FILL_DRAIN: its own loads, drains and tails; DRAM_*: loads by operand, and STORE: results, as the DRAM serves them;
    CACHE: transfers as caches serve them; DMA_ISSUE, DMA_OUTSTANDING: as their engine issues bursts, or has as many in
    flight as may be; DMA_SETUP: descriptors; HOST: the core that issues tiles; LATENCY: the way back from DRAM,
    requantisation; DEPENDENCY: anything else that had to come first. A unit that works on pieces is a cause of its
    own, by the name of its kind.
    """

    FILL_DRAIN = "fill_drain"
    DRAM_IFMAP = "dram_ifmap"
    DRAM_WEIGHT = "dram_weight"
    STORE = "store"
    CACHE = "cache"
    DMA_ISSUE = "dma_issue"
    DMA_OUTSTANDING = "dma_outstanding"
    DMA_SETUP = "dma_setup"
    HOST = "host"
    LATENCY = "latency"
    DEPENDENCY = "dependency"


class PathPhase(StrEnum):
    """Activity of a command on the path to a stream; of a unit that works on pieces, its title."""

    STREAM = "streams"
    LOAD = "stationary values shifted in"
    TAIL = "drain and tail"
    HOST = "the host issues tiles"
    DESCRIPTORS = "descriptors, its turn"
    ISSUE = "the engine issues bursts"
    OUTSTANDING = "all bursts in flight"
    CACHES = "caches"
    BUS = "DRAM"
    WAY_BACK = "the way back from DRAM"
    REQUANTISATION = "requantisation"
    NONE = "nothing of these"


@dataclass(frozen=True, slots=True)
class Segment:
    """Clocks [low, high) in which the array streams (no cause), or idles for a cause.

    phase, command: what went on, and in which command; -1 in none. layer: of that command, or of the one that waited.
    """

    low: int
    high: int
    cause: str | None
    phase: str
    command: int
    layer: int


class _PathStep(NamedTuple):
    """Activity of a command until the step before it, from clock `begin` on."""

    begin: int
    cause: str
    phase: str
    task: Task


def idle_before_stream(task: Task, chain: FoldChain, low: int, rates: TransferRates) -> list[Segment]:
    """The idle clocks from `low`, the end of the last stream, to the start of that of an array command, in order."""
    return _clipped(low, task.stream, _before_stream(task, chain, rates), task)


def idle_before(task: Task, low: int, rates: TransferRates) -> list[Segment]:
    """The idle clocks from `low` until a command begins, in order."""
    return _clipped(low, task.begin, _path(task.led_by, rates), task)


def idle_at_end(last: Task, low: int, rates: TransferRates) -> list[Segment]:
    """The clocks from `low`, the end of the last stream, until the last command to be done is done, in order."""
    return _clipped(low, last.done, _path((last, Moment.DONE), rates), last)


def led_by(task: Task, before: Task | None) -> Wait | None:
    """Last wait of a command that begins: a moment of an earlier one, or its unit, which served `before`;
    None where that was nothing."""
    binding = _latest((*task.begin_waits, *task.stream_waits))
    if binding is not None and _clock_of(binding) >= task.begin:
        return binding
    if before is not None and before.free >= task.begin:
        return before, Moment.SRAM_READ
    return binding


def origin(task: Task, cycle: int) -> Task:
    """The command begun by a clock that the path to another comes from, or the first of the path."""
    while task.begin > cycle and task.led_by is not None:
        task = task.led_by[0]
    return task


def _clipped(low: int, high: int, path: Iterator[_PathStep], waiting: Task) -> list[Segment]:
    """[low, high) by the causes of a path given backwards; waiting: the command it leads to."""
    found: list[Segment] = []
    for begin, cause, phase, task in path:
        if high <= low:
            break
        start = max(low, begin)
        if start < high:
            found.append(Segment(start, high, cause, phase, task.index, task.role.layer))
            high = start
    if low < high:
        found.append(Segment(low, high, Cause.DEPENDENCY, PathPhase.NONE, -1, waiting.role.layer))
    return found[::-1]


def _before_stream(task: Task, chain: FoldChain, rates: TransferRates) -> Iterator[_PathStep]:
    start, begin = task.stream, task.begin
    binding = _latest(task.stream_waits)
    if chain.first.load and begin + chain.first.load == start:
        yield _PathStep(begin, Cause.FILL_DRAIN, PathPhase.LOAD, task)
        binding = _latest(task.begin_waits)
        if binding is not None and _clock_of(binding) == begin:
            yield from _path(binding, rates)
    elif binding is not None and _clock_of(binding) == start:
        yield from _path(binding, rates)
    yield _PathStep(0, Cause.FILL_DRAIN, PathPhase.TAIL, task)


def _path(wait: Wait | None, rates: TransferRates) -> Iterator[_PathStep]:
    """Path that led to a moment, backwards."""
    while wait is not None:
        task, moment = wait
        yield from _phases(task, moment, rates)
        wait = task.led_by


def _phases(task: Task, moment: Moment, rates: TransferRates) -> Iterator[_PathStep]:
    """The phases of one command, backwards from the moment that was waited for."""
    kind = task.role.unit
    if kind.moves_tiles:
        if moment is Moment.DONE:
            yield _PathStep(task.stream_end, Cause.LATENCY, PathPhase.WAY_BACK, task)
        yield _PathStep(task.stream, *_held_up(task, rates), task)
        yield _PathStep(task.issued, Cause.DMA_SETUP, PathPhase.DESCRIPTORS, task)
        yield _PathStep(task.begin, Cause.HOST, PathPhase.HOST, task)
        return
    yield _PathStep(task.done - task.role.post_cycles, Cause.LATENCY, PathPhase.REQUANTISATION, task)
    cause, phase = (Cause.FILL_DRAIN, PathPhase.TAIL) if kind.folds else (kind.name, kind.title)
    yield _PathStep(task.begin, cause, phase, task)


def _held_up(task: Task, rates: TransferRates) -> tuple[Cause, PathPhase]:
    """Greatest delay of a transfer: how its engine issues bursts, how many are in flight, caches, or the DRAM."""
    took = max(task.stream_end, task.free) - task.stream - rates.latency
    parts = rates.parts(task, took)
    slowest = max(parts.read, parts.caches, parts.issue, parts.in_flight)
    if slowest == parts.read:
        return _dram_cause(task), PathPhase.BUS
    if slowest == parts.caches:
        return Cause.CACHE, PathPhase.CACHES
    if slowest == parts.issue:
        return Cause.DMA_ISSUE, PathPhase.ISSUE
    return Cause.DMA_OUTSTANDING, PathPhase.OUTSTANDING


def _dram_cause(task: Task) -> Cause:
    if task.role.unit.stores:
        return Cause.STORE
    return Cause.DRAM_WEIGHT if task.role.buffer is Buffer.WEIGHT else Cause.DRAM_IFMAP


def _latest(waits: Sequence[Wait]) -> Wait | None:
    """The wait that ended last."""
    return max(waits, key=_clock_of, default=None)


def _clock_of(wait: Wait) -> int:
    return wait[0].moments[wait[1]]
