"""The memory port: what a memory is to those who read and write it.

Requesters (DMA engines, or a cache that stands above another memory) ask for bursts and are told when these were
served. A port knows neither tiles nor descriptors, and a requester neither banks nor buses.

The contract:

- *Requesters.* Any number of them, each with a window and bursts a clock of its own. A requester issues the bursts of
  its requests in order, at most `bursts_per_clock` each array clock, the first of a request no earlier than the cycle
  at which it was asked for. A burst is in flight from its issue to the end of its data; with `window` of them in flight
  the requester waits.
- *Requests* come in the order of their cycles, those of one requester no earlier than its last one was `issued`. A
  request says all of its bursts at once, as blocks; bursts are made from blocks as they are issued, so that a port
  holds those in flight and not those of a tile or a program.
- *Completions* come in the order of each requester (who wants them apart is several requesters), each as soon as it is
  known: `cycle <= issued` and `cycle <= sent <= done`. They depend on nothing but what was asked for so far.
- *Time* goes on only in `advance(cycle)`, by which the caller promises to ask for nothing before array clock `cycle`.

So a cache is a `Memory` above a `Memory`: it serves the requesters above it, is one or several requesters (one for each
miss in flight) of the memory below, and passes `advance` on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from accelsim.machine.memory.dram.statistics import DramCounts
from accelsim.program.tensors import bursts_of_rows

LAST_CLOCK = 1 << 60
"""The last clock of array and DRAM that is played."""


class Block(NamedTuple):
    """`rows` rows of `row_bytes` each, one every `stride` bytes, the first at byte `address`."""

    address: int
    rows: int
    row_bytes: int
    stride: int

    def bursts(self, burst_bytes: int) -> int:
        """Number of bursts that hold the rows; rows do not share one, even where their bytes are neighbours."""
        return bursts_of_rows(self.address % burst_bytes, *self[1:], burst_bytes)


class Request(NamedTuple):
    """Blocks that a requester reads or writes, burst by burst in this order."""

    requester: int
    write: bool
    blocks: Sequence[Block]


class Completion(NamedTuple):
    """Clocks of a request that was served, in those of the array.

    issued: its requester may issue the first burst of the next one; sent: its last data is on the bus; done: that data
    is where it goes.
    """

    issued: int
    sent: int
    done: int


class Progress(NamedTuple):
    """Progress of the requests of a requester.

    issued: array clock at which it may issue the first burst of its next request; completion: of the oldest request
    that had none yet. Each is told once, as soon as it is known; the other one is None.
    """

    requester: int
    issued: int | None
    completion: Completion | None


class CacheCounts(NamedTuple):
    """Requests of a cache: found their line or not, and lines that had to be written back for them."""

    hits: int
    misses: int
    write_backs: int


class Met(NamedTuple):
    """Hits and misses of a requester in caches, the highest first, and the bytes that DRAM moved for that."""

    caches: tuple[CacheCounts, ...]
    dram_read_bytes: int
    dram_write_bytes: int


class Reads(NamedTuple):
    """Lines that are read for caches within some clocks, and the clocks in which at least one is."""

    lines: int
    clocks: int


class BusSpan(NamedTuple):
    """DRAM clocks [begin, end) in which a data bus moves data."""

    begin: int
    end: int
    write: bool


def append_span(spans: list[BusSpan], span: BusSpan) -> None:
    """Add the next span of a bus; with a neighbour of its direction it is one."""
    if spans and spans[-1].end == span.begin and spans[-1].write == span.write:
        span = BusSpan(spans.pop().begin, span.end, span.write)
    spans.append(span)


def merged(spans: Iterable[BusSpan]) -> list[BusSpan]:
    """Spans in order, neighbours of one direction as one."""
    found: list[BusSpan] = []
    for span in spans:
        append_span(found, span)
    return found


class Memory(Protocol):
    """A memory behind its port; the module says what it promises."""

    @property
    def busy_clocks(self) -> int:
        """DRAM clocks in which the busiest data bus moved something."""

    def add_requester(self, window: int, bursts_per_clock: int = 1) -> int:
        """A new requester, before the first request; returns its number: 0, 1 and so on."""

    def request(self, request: Request, cycle: int) -> Completion | None:
        """Ask for bursts, the first of them issued at array clock `cycle`; None if their end is not known yet."""

    def advance(self, cycle: float) -> Sequence[Progress]:
        """Go on until something is known, at most to array clock `cycle`; nothing will be asked for before it."""

    def met(self, requester: int) -> Met | None:
        """Hits and misses in caches of the requests issued since this was last asked; None without caches."""

    def reads_below(self, begin: int, end: int) -> Reads | None:
        """Reads of the memory below caches in clocks [begin, end) of a transfer that was just issued or served; None
        without caches."""

    def counts(self, cycle: int) -> DramCounts | None:
        """Counts of DRAM until array clock `cycle`, the end of the run; None if it has no commands."""

    def bus_spans(self) -> list[list[BusSpan]]:
        """Spans of each data bus by what it moved, in order, if that was to be noted; neighbours are one span."""
