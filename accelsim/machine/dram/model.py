"""What a DRAM is to the DMA engines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from accelsim.machine.dram.statistics import DramCounts
from accelsim.program.tensors import Descriptor


class Transfer(NamedTuple):
    """What a DMA engine asks for: descriptors that hold so many bursts, at most `window` of them in flight."""

    write: bool
    descriptors: tuple[Descriptor, ...]
    bursts: int
    window: int


class Served(NamedTuple):
    """When a transfer is served, in array clocks.

    issued: the engine may issue the first burst of its next transfer; sent: the last data is on the bus; done: it is
    where it goes.
    """

    issued: int
    sent: int
    done: int


class Report(NamedTuple):
    """A transfer of the engine that writes, or of the one that reads, has come further.

    issued: when the engine may issue the first burst of its next transfer; served: that and the end of the transfer.
    Each is reported once and in the order of the engine, as soon as it is known; the other one is None.
    """

    write: bool
    issued: int | None
    served: Served | None


class BusSpan(NamedTuple):
    """DRAM clocks [begin, end) in which a data bus moves data."""

    begin: int
    end: int
    write: bool


def merged(spans: Iterable[BusSpan]) -> list[BusSpan]:
    """Spans in order, neighbours of one direction as one."""
    found: list[BusSpan] = []
    for span in spans:
        if found and found[-1].end == span.begin and found[-1].write == span.write:
            found[-1] = found[-1]._replace(end=span.end)
        else:
            found.append(span)
    return found


class DramModel(Protocol):
    """Contract: transfers begin in the order of `cycle`, those of one engine no earlier than its last was `issued`;
    `cycle <= issued` and `cycle <= sent <= done`. The answer may only depend on what has begun so far."""

    @property
    def busy_clocks(self) -> int:
        """DRAM clocks in which the busiest data bus moved something."""

    def begin(self, transfer: Transfer, cycle: int) -> Served | None:
        """Begin a transfer whose first burst is issued at array clock `cycle`; None if its end is not known yet."""

    def advance(self, cycle: float) -> Sequence[Report]:
        """Go on until something is known, at most to array clock `cycle`, before which no transfer will begin."""

    def counts(self, cycle: int) -> DramCounts | None:
        """What was done until array clock `cycle`, the end of the run; None if there are no commands."""

    def bus_spans(self) -> list[list[BusSpan]]:
        """When each data bus moved what, in order; neighbours of one direction are one span."""
