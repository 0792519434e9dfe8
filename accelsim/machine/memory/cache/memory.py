"""Caches behind the memory port, above a memory."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from accelsim.config.machine import Cache, Dma
from accelsim.errors import DeadlockError
from accelsim.machine.memory.cache import kernels
from accelsim.machine.memory.cache.kernel.hierarchy import KINDS, Hierarchy
from accelsim.machine.memory.cache.kernel.level import NEVER, NONE, Level
from accelsim.machine.memory.dram.statistics import DramCounts
from accelsim.machine.memory.port import (
    LAST_CLOCK,
    Block,
    BusSpan,
    CacheCounts,
    Completion,
    Memory,
    Met,
    Progress,
    Reads,
    Request,
)

SLICE = 1 << 14
"""Clocks of a run of the kernel, after which it comes back, for an interrupt to be heard."""


@dataclass(slots=True)
class Reading:
    """Clocks in which the memory below is read for a miss; end: NEVER until it is known."""

    begin: int
    end: int = NEVER


class CachedMemory:
    """Caches, the highest first, above a memory. See `Memory`.

    A miss in flight of the lowest cache is two requesters of the memory below, for its line and for the one that leaves
    for it; what nobody waits for goes through one more, in order.
    """

    def __init__(self, caches: Sequence[Cache], dma: Dma, below: Memory, *, plain: bool = False) -> None:
        self.kernel = kernels.plain if plain else kernels.fastest
        self.below = below
        self._dma = dma
        self._most = dma.request_bytes or caches[0].line_bytes
        self._least = min(self._most, caches[0].port_bytes_per_cycle)
        self._line_bytes = caches[-1].line_bytes
        self._levels = len(caches)
        self._hierarchy: Hierarchy = self.kernel.Hierarchy([self._level(cache) for cache in caches])
        window = self._line_bytes
        self._readers = [below.add_requester(window) for _ in range(caches[-1].misses_in_flight)]
        self._writers = [below.add_requester(window) for _ in range(caches[-1].misses_in_flight)]
        self._poster = below.add_requester(window)
        self._missing: dict[int, tuple[int, Reading]] = {}
        self._leaving: dict[int, int] = {}
        self._readings: deque[Reading] = deque()
        self._asked_for: dict[int, deque[int]] = {}
        self._posted: deque[tuple[Request, int]] = deque()
        self._is_posting = False
        self._under_way = self._below_at = self._asked_at = 0

    def _level(self, cache: Cache) -> Level:
        sets = cache.capacity_bytes // (cache.ways * cache.line_bytes)
        clocks = cache.port_bytes_per_cycle, cache.hit_clocks, cache.request_clocks, cache.fill_clocks
        missed = NONE if cache.miss_clocks is None else cache.miss_clocks
        level: Level = self.kernel.Level(
            (sets, cache.ways, cache.line_bytes), (*clocks, missed), cache.misses_in_flight
        )
        level.replaces(cache.replacement == "lru", cache.replacement == "any_way")
        level.behave(cache.writes == "back", cache.write_port == "separate", cache.same_set == "stalls")
        return level

    @property
    def busy_clocks(self) -> int:
        """See `Memory`."""
        return self.below.busy_clocks

    def add_requester(self, window: int, bursts_per_clock: int = 1) -> int:
        """See `Memory`: `window` requests of the DMA are in flight, unless it says how many."""
        dma, number = self._dma, len(self._hierarchy.requesters)
        window = dma.requests_in_flight or window
        rows = dma.descriptor_rows or NEVER, dma.load_row_bytes or NEVER, dma.store_row_bytes or NEVER
        sizes = self._least, self._most, *rows, dma.store_block_bytes or NEVER
        limits = window, dma.descriptors_in_flight or window, bursts_per_clock, dma.landing_cycles or 0
        kinds = KINDS * self._levels + 2
        self._hierarchy.requesters.append(self.kernel.Requester(number, limits, sizes, kinds))
        return number

    def request(self, request: Request, cycle: int) -> None:
        """See `Memory`: nothing is known before time has gone on."""
        longest = self._dma.store_row_bytes if request.write else self._dma.load_row_bytes
        blocks = [number for block in request.blocks for row in _in_rows(block, longest) for number in row]
        if not blocks:
            raise ValueError("a request without bytes")
        self._hierarchy.begin(request.requester, blocks, int(request.write), _played(cycle))
        self._asked_for.setdefault(request.requester, deque()).append(cycle)
        self._forget()

    def _forget(self) -> None:
        """Forget reads of the memory below that ended before all transfers under way."""
        first = min(cycles[0] for cycles in self._asked_for.values() if cycles)
        while self._readings and self._readings[0].end <= first:
            self._readings.popleft()

    def advance(self, cycle: float) -> Sequence[Progress]:
        """See `Memory`."""
        until = NEVER if cycle == math.inf else int(cycle)
        while True:
            offer = self._hierarchy.next_offer(self._reached)
            if offer < until:
                self._hierarchy.run(min(until, offer + SLICE), self._reached)
                self._hand_on()
            elif not self._under_way or not self._goes_on_below(min(until, self._hierarchy.next_offer(NEVER)), until):
                return self._told()
            if found := self._told():
                return found

    def _told(self) -> Sequence[Progress]:
        found: Sequence[Progress] = self._hierarchy.told()
        for each in found:
            if each.completion is not None:
                self._asked_for[each.requester].popleft()
        return found

    @property
    def _reached(self) -> int:
        """The clock until which all is known of the memory below."""
        return self._below_at if self._under_way else NEVER

    def _goes_on_below(self, stop: int, until: int) -> bool:
        """Let the memory below come to a clock; False where there is nothing more before clock `until`."""
        progress = self.below.advance(math.inf if stop == NEVER else stop)
        for each in progress:
            self._answered(each)
        if progress:
            return True
        self._below_at = stop
        return stop < until

    def _answered(self, progress: Progress) -> None:
        """Take note of what the memory below says."""
        if progress.issued is not None and progress.requester == self._poster:
            self._is_posting = False
            self._post_next(progress.issued)
        if progress.completion is not None:
            self._under_way -= 1
            if progress.requester in self._missing:
                self._answer(*self._missing.pop(progress.requester), progress.completion.done)
            elif progress.requester in self._leaving:
                self._hierarchy.written(self._leaving.pop(progress.requester), _played(progress.completion.done))

    def _answer(self, miss: int, reading: Reading, end: int) -> None:
        reading.end = end
        self._hierarchy.answer(miss, _played(end))

    def _hand_on(self) -> None:
        """Ask the memory below for what the caches ask for."""
        asked = self._hierarchy.asked
        self._hierarchy.asked = []
        for miss, address, size, clock in asked:
            self._asked_at = max(self._asked_at, clock)
            blocks = (Block(address, 1, abs(size), 0),)
            if miss == NONE:
                self._posted.append((Request(self._poster, size < 0, blocks), self._asked_at))
                self._post_next(self._asked_at)
            elif size < 0:
                self._write(miss, blocks, self._asked_at)
            else:
                self._ask(Request(self._readers[miss], False, blocks), self._asked_at, miss)

    def _write(self, miss: int, blocks: Sequence[Block], clock: int) -> None:
        """Write the line that leaves for a miss."""
        writer = self._writers[miss]
        completion = self.below.request(Request(writer, True, blocks), clock)
        if completion is None:
            self._under_way += 1
            self._leaving[writer] = miss
        else:
            self._hierarchy.written(miss, _played(completion.done))

    def _post_next(self, clock: int) -> None:
        """Hand on the next request that nobody waits for, if the one before was issued."""
        while self._posted and not self._is_posting:
            request, asked_at = self._posted.popleft()
            self._is_posting = self._ask(request, max(clock, asked_at), NONE) is None

    def _ask(self, request: Request, clock: int, miss: int) -> Completion | None:
        completion = self.below.request(request, clock)
        self._under_way += completion is None
        if miss != NONE:
            reading = Reading(clock)
            self._readings.append(reading)
            if completion is None:
                self._missing[request.requester] = miss, reading
            else:
                self._answer(miss, reading, completion.done)
        return completion

    def reads_below(self, begin: int, end: int) -> Reads:
        """See `Memory`."""
        lines, clocks, reached = 0, 0, begin
        for reading in self._readings:
            high = min(end, reading.end)
            lines += max(begin, reading.begin) < high
            if (low := max(reached, reading.begin)) < high:
                clocks, reached = clocks + high - low, high
        return Reads(lines, clocks)

    def met(self, requester: int) -> Met:
        """See `Memory`."""
        counts = self._hierarchy.requesters[requester].take_counts()
        levels = range(0, KINDS * self._levels, KINDS)
        reads, writes = counts[-2:]
        return Met(
            tuple(CacheCounts(*counts[first : first + KINDS]) for first in levels),
            reads * self._line_bytes,
            writes * self._line_bytes,
        )

    def counts(self, cycle: int) -> DramCounts | None:
        """See `Memory`."""
        return self.below.counts(cycle)

    def bus_spans(self) -> list[list[BusSpan]]:
        """See `Memory`."""
        return self.below.bus_spans()


def _played(clock: int) -> int:
    """A clock that the kernel is told. Raises DeadlockError where none is played any more."""
    if clock > LAST_CLOCK:
        raise DeadlockError(f"a cache goes on at clock {clock}, after the last that is played")
    return clock


def _in_rows(block: Block, longest: int | None) -> Iterator[Block]:
    """A block as it is, or one row that is longer than those of descriptors as rows of that length."""
    rows, rest = divmod(block.row_bytes, longest) if longest else (0, 0)
    if block.rows > 1 or longest is None or rows < 1:
        yield block
        return
    yield Block(block.address, rows, longest, longest)
    if rest:
        yield Block(block.address + rows * longest, 1, rest, 0)
