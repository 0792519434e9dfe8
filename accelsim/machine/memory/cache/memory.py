"""Caches behind the memory port, above a memory."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import chain
from operator import attrgetter

from accelsim.config.machine import Cache, Dma
from accelsim.errors import DeadlockError
from accelsim.machine.memory.cache import kernels
from accelsim.machine.memory.cache.kernel.hierarchy import KINDS, Hierarchy
from accelsim.machine.memory.cache.kernel.level import NEVER, NONE, Level
from accelsim.machine.memory.dram.memory import CommandMemory
from accelsim.machine.memory.dram.statistics import DramCounts
from accelsim.machine.memory.port import (
    LAST_CLOCK,
    Block,
    BusSpan,
    CacheCounts,
    Memory,
    Met,
    Progress,
    Reads,
    Request,
)


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
        misses = self._misses = caches[-1].misses_in_flight
        reader, *_ = [below.add_requester(self._line_bytes) for _ in range(2 * misses + 1)]
        lines = self.kernel.lines_of(below, below.lines if isinstance(below, CommandMemory) else None)
        self._hierarchy: Hierarchy = self.kernel.Hierarchy(
            [self._level(cache) for cache in caches], self.kernel.Below(lines, reader, misses)
        )
        self._asked_for: dict[int, deque[int]] = {}

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
        sizes = self._least, self._most, *rows, dma.store_block_bytes or NEVER, dma.landing_row_bytes or NEVER
        limits = window, dma.descriptors_in_flight or window, bursts_per_clock, dma.landing_cycles or 0
        kinds, tokens = KINDS * self._levels + 2, 2 * self._misses
        self._hierarchy.add(self.kernel.Requester(number, limits, sizes, kinds, tokens))
        return number

    def request(self, request: Request, cycle: int) -> None:
        """See `Memory`: nothing is known before time has gone on."""
        longest = (self._dma.store_row_bytes if request.write else self._dma.load_row_bytes) or NEVER
        if not request.blocks:
            raise ValueError("a request without bytes")
        blocks: Iterable[Iterable[int]] = request.blocks
        if max(map(attrgetter("row_bytes"), request.blocks)) > longest:
            blocks = (_in_rows(block, longest) for block in request.blocks)
        self._hierarchy.begin(request.requester, list(chain.from_iterable(blocks)), int(request.write), _played(cycle))
        self._asked_for.setdefault(request.requester, deque()).append(cycle)
        self._hierarchy.forget(min(cycles[0] for cycles in self._asked_for.values() if cycles))

    def advance(self, cycle: float) -> Sequence[Progress]:
        """See `Memory`."""
        until = NEVER if cycle == math.inf else int(cycle)
        while True:
            found = self._hierarchy.advance(until)
            self._check()
            for each in found:
                if each.completion is not None:
                    self._asked_for[each.requester].popleft()
            if found or self._hierarchy.is_over:
                return found

    def _check(self) -> None:
        """Raises DeadlockError where the caches, or the DRAM that they call, can't go on."""
        if self._hierarchy.late != NONE:
            _played(self._hierarchy.late)
        if isinstance(self.below, CommandMemory):
            self.below.check()

    def reads_below(self, begin: int, end: int) -> Reads:
        """See `Memory`."""
        return self._hierarchy.reads_below(begin, end)

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


def _in_rows(block: Block, longest: int) -> Sequence[int]:
    """A row that is longer than those of descriptors as blocks of rows of that length, and what is left; other blocks
    as they are."""
    if block.rows > 1 or block.row_bytes <= longest:
        return block
    rows, rest = divmod(block.row_bytes, longest)
    left = [block.address + rows * longest, 1, rest, 0] if rest else []
    return [block.address, rows, longest, longest, *left]
