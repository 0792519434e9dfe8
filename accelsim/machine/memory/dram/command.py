"""A DRAM at command granularity behind the contract of the DMA engines."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from accelsim.config.dram import CommandDevice
from accelsim.machine.memory.dram.channel import Issued
from accelsim.machine.memory.dram.memory import Memory, Numbers, Sender
from accelsim.machine.memory.dram.scheduler import NEVER
from accelsim.machine.memory.dram.statistics import DramCounts
from accelsim.machine.memory.dram.timing import READ, WRITE
from accelsim.machine.memory.port import Block, BusSpan, Completion, Progress, Request
from accelsim.units import ClockRatio, ceil_div


@dataclass(slots=True)
class _Begun:
    """A transfer under way: bursts of its engine from `first` to before `end`; issued: when the last one left."""

    first: int
    end: int
    issued: int = 0


class Engine(Sender):
    """A DMA engine: issues a burst each array clock, or later if it finds no room, or `window` are in flight.

    A burst is in flight from its issue to the end of its data. cycle: when the next one can be issued, but for these.
    """

    def __init__(self, memory: Memory, direction: int, clocks: ClockRatio) -> None:
        super().__init__(memory)
        self.direction = direction
        self.clocks = clocks
        self.window = 1
        self.cycle = 0
        self.retired = 0
        self.number_of: list[int] = []
        self.under_way: deque[_Begun] = deque()
        self.reports: list[Progress] = []
        self.longest_delay = clocks.other_clocks // clocks.array_clocks + 1

    def begin(self, addresses: Numbers, window: int, cycle: int) -> None:
        """Send bursts from array clock `cycle` on."""
        first = len(self.channel_of)
        counted = [len(channel.end_of[self.direction]) for channel in self.memory.channels]
        self.window = window
        self.cycle = cycle
        self.send(np.full(len(addresses), self.direction), addresses, 0)
        self.number_of.extend(_numbers(np.array(self.channel_of[first:]), counted))
        self.under_way.append(_Begun(first, len(self.channel_of)))
        if len(self.under_way) == 1:
            self.memory.stop_at[self.direction] = len(self.channel_of)
        self.room(0)

    def ends(self, first: int, end: int) -> list[int]:
        """When the data of some bursts ended, 0 where that is not known yet."""
        ends = [channel.end_of[self.direction] for channel in self.memory.channels]
        return [
            ends[channel][number]
            for channel, number in zip(self.channel_of[first:end], self.number_of[first:end], strict=True)
        ]

    def room(self, clock: int) -> None:
        """See `Sender`."""
        clocks = self.clocks
        offer = max(clock, self.free[self.channel_of[self.next]], clocks.from_array(self.cycle))
        before = self.next - self.window
        if before >= 0:
            end = self.memory.channels[self.channel_of[before]].end_of[self.direction][self.number_of[before]]
            if not end:
                offer = NEVER
            elif end + self.longest_delay > offer:
                offer = max(offer, clocks.from_array(clocks.to_array(end)))
        self.offer = offer

    def entered(self, clock: int) -> None:
        """See `Sender`."""
        self.free[self.channel_of[self.next]] = clock + 1
        self.next += 1
        self.cycle = self.clocks.within(clock) + 1
        if self.next < len(self.channel_of):
            self.room(0)
            return
        self.offer = NEVER
        self.under_way[-1].issued = self.cycle
        self.reports.append(Progress(self.direction, self.cycle, None))
        self.memory.stops = True

    def report_ends(self) -> None:
        """Report the transfers whose bursts have all been served; one ends no earlier than those before it."""
        while self.under_way:
            transfer = self.under_way[0]
            ends = self.ends(transfer.first, transfer.end)
            if 0 in ends:
                self.memory.stop_at[self.direction] = max(transfer.end, self.memory.served[self.direction] + 1)
                return
            end = self.retired = max(self.retired, self.clocks.to_array(max(ends)))
            self.reports.append(Progress(self.direction, None, Completion(transfer.issued, end, end)))
            self.under_way.popleft()
            self.memory.stop_at[self.direction] = self.under_way[0].end if self.under_way else NEVER


def _numbers(channels: Numbers, counted: list[int]) -> list[int]:
    """The number of each burst in its channel, if there were so many in each before."""
    numbers = np.zeros_like(channels)
    for channel, count in enumerate(counted):
        here = channels == channel
        numbers[here] = np.arange(count, count + np.count_nonzero(here))
    found: list[int] = numbers.tolist()
    return found


class CommandDram:
    """The bursts of all requesters meet in the queues of the channels. See `Memory`."""

    def __init__(
        self,
        device: CommandDevice,
        array_mhz: float,
        *,
        logs: list[list[Issued]] | None = None,
    ) -> None:
        self._clocks = ClockRatio.of(array_mhz, device.clock_mhz)
        self._memory = Memory(device, logs=logs)
        self._engines = tuple(Engine(self._memory, direction, self._clocks) for direction in (READ, WRITE))
        self._memory.senders.extend(self._engines)
        self._burst_bytes = device.burst_bytes
        self._burst_clocks = device.burst_clocks
        self._windows: list[int] = []
        self._requester_of: dict[int, int] = {}

    @property
    def busy_clocks(self) -> int:
        """See `Memory`."""
        return max(sum(channel.accesses) for channel in self._memory.channels) * self._burst_clocks

    def add_requester(self, window: int, bursts_per_clock: int = 1) -> int:
        """See `Memory`."""
        if bursts_per_clock != 1:
            raise ValueError("one burst a clock of each requester")
        self._windows.append(window)
        return len(self._windows) - 1

    def _direction_of(self, request: Request) -> int:
        """The direction of a requester, which is that of all its requests."""
        if self._requester_of.setdefault(int(request.write), request.requester) != request.requester:
            raise ValueError("one requester that reads and one that writes")
        return int(request.write)

    def _named(self, found: list[Progress]) -> list[Progress]:
        """Progress of directions as that of their requesters."""
        return [each._replace(requester=self._requester_of[each.requester]) for each in found]

    def request(self, request: Request, cycle: int) -> Completion | None:
        """See `Memory`."""
        addresses = np.concatenate([burst_addresses(block, self._burst_bytes) for block in request.blocks])
        self._engines[self._direction_of(request)].begin(addresses, self._windows[request.requester], cycle)
        return None

    def advance(self, cycle: float) -> list[Progress]:
        """See `Memory`."""
        memory, reports = self._memory, list[Progress]()
        until = NEVER if cycle == float("inf") else self._clocks.from_array(int(cycle)) + 1
        while not reports and memory.clock < until and sum(memory.served) < memory.sent:
            memory.run(until)
            for engine in self._engines:
                if memory.served[engine.direction] >= memory.stop_at[engine.direction]:
                    engine.report_ends()
                reports += engine.reports
                engine.reports.clear()
        return self._named(reports)

    def counts(self, cycle: int) -> DramCounts:
        """See `Memory`."""
        return self._memory.counts(self._clocks.from_array(cycle))

    def bus_spans(self) -> list[list[BusSpan]]:
        """See `Memory`."""
        return self._memory.bus_spans()


def burst_addresses(block: Block, burst_bytes: int) -> Numbers:
    """The bursts that hold the rows of a block, row by row."""
    if block.rows == 1:
        first, end = block.address // burst_bytes, ceil_div(block.address + block.row_bytes, burst_bytes)
        return np.arange(first * burst_bytes, end * burst_bytes, burst_bytes)
    starts = block.address + np.arange(block.rows) * block.stride
    firsts = starts // burst_bytes
    counts = (starts + block.row_bytes - 1) // burst_bytes - firsts + 1
    ends = np.cumsum(counts)
    return (np.repeat(firsts - ends + counts, counts) + np.arange(ends[-1])) * burst_bytes
