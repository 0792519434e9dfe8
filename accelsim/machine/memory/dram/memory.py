"""A DRAM at command granularity behind the memory port."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from accelsim.config.dram import CommandDevice
from accelsim.errors import DeadlockError
from accelsim.machine.memory.dram import kernels
from accelsim.machine.memory.dram.address import AddressMap
from accelsim.machine.memory.dram.policy import Policy
from accelsim.machine.memory.dram.statistics import DramCounts
from accelsim.machine.memory.dram.timing import READ, WRITE, Timing
from accelsim.machine.memory.port import LAST_CLOCK, BusSpan, Completion, Progress, Request, merged
from accelsim.units import ClockRatio

if TYPE_CHECKING:
    from accelsim.machine.memory.dram.kernel.controller import Controller
    from accelsim.machine.memory.dram.kernel.lines import Lines

NEVER = 1 << 62


class Dram:
    """The channels of a device and who sends bursts to them; its clocks are those of the commands.

    bus_spans, logs: note when the data buses move what, and every command.
    """

    def __init__(
        self, device: CommandDevice, *, plain: bool = False, bus_spans: bool = False, logs: bool = False
    ) -> None:
        parts = device.organisation
        self.device = device
        self.last_clock = LAST_CLOCK
        self.kernel = kernels.plain() if plain else kernels.fastest
        self.controller: Controller = self.kernel.Controller(
            parts.channels,
            Timing.of(device),
            Policy.of(device),
            parts.ranks * parts.pseudo_channels,
            parts.bank_groups,
            parts.banks_per_group,
            device.refresh == "staggered",
        )
        self._table = AddressMap.of(device).table()
        for channel in self.controller.channels:
            channel.spans, channel.log = [] if bus_spans else None, [] if logs else None

    def add_requester(self, window: int, per_clock: int, ratio: tuple[int, int]) -> int:
        """A requester whose clock stands in this ratio to the commands', (0, 0): that has none; its number."""
        number, organisation = len(self.controller.requesters), self.device.organisation
        requester = self.kernel.Requester(
            number, window, per_clock, ratio, organisation.channels, self.device.burst_bytes
        )
        requester.map_by(*self._table)
        self.controller.requesters.append(requester)
        return number

    def advance(self, until: int) -> list[Progress]:
        """Go on until something is to be told, at most until clock `until`. Raises DeadlockError."""
        controller = self.controller
        found: list[Progress] = []
        while not found and controller.clock < until and controller.waiting:
            found = controller.advance(until)
            self.check()
        return found

    def check(self) -> None:
        """Raises DeadlockError where the DRAM stands still, or is beyond the last clock that is played."""
        if self.controller.stuck >= 0 or self.controller.clock > self.last_clock:
            raise DeadlockError(self._standstill())

    def _standstill(self) -> str:
        controller, name = self.controller, self.device.device
        if controller.stuck < 0:
            return f"DRAM {name} has bursts to serve at its clock {self.last_clock}, the last that is played"
        reads, writes = controller.channels[controller.stuck].queues.size
        return (
            f"DRAM {name} stands still at its clock {controller.clock}: {reads} reads and {writes} writes of channel "
            f"{controller.stuck} wait for refreshes to end, which leave them no time"
        )

    @property
    def end(self) -> int:
        """The clock at which the last data beat ended."""
        return max(channel.end for channel in self.controller.channels)

    @property
    def busy_clocks(self) -> int:
        """Clocks in which the busiest channel moved data."""
        return max(sum(channel.accesses) for channel in self.controller.channels) * self.device.burst_clocks

    def counts(self, clocks: int) -> DramCounts:
        """Counts of all that was done in these clocks."""
        first, *others = (
            DramCounts(
                reads=channel.accesses[READ],
                writes=channel.accesses[WRITE],
                row_hits=sum(channel.accesses) - channel.activates + channel.queues.opens,
                row_misses=channel.activates - channel.conflicts,
                row_conflicts=channel.conflicts,
                activates=channel.activates,
                refreshes=channel.refreshes,
                turnarounds=channel.turnarounds,
                forwarded=channel.answered,
                active_clocks=channel.banks.active_until(clocks),
                rank_clocks=clocks * channel.banks.ranks,
            )
            for channel in self.controller.channels
        )
        return sum(others, first)

    def bus_spans(self) -> list[list[BusSpan]]:
        """Spans of each data bus by what it moved: one bus of a channel, or one for each pseudo channel."""
        buses = self.device.organisation.pseudo_channels
        found: list[list[BusSpan]] = []
        for channel in self.controller.channels:
            spans: list[list[BusSpan]] = [[] for _ in range(buses)]
            for rank, end, direction in channel.spans or ():
                spans[rank % buses].append(BusSpan(end - self.device.burst_clocks, end, direction == WRITE))
            found += [merged(sorted(each)) for each in spans]
        return found


class CommandMemory:
    """The bursts of all requesters meet in the queues of the channels. See `Memory`."""

    def __init__(
        self,
        device: CommandDevice,
        array_mhz: float,
        *,
        plain: bool = False,
        bus_spans: bool = False,
        logs: bool = False,
    ) -> None:
        self.dram = Dram(device, plain=plain, bus_spans=bus_spans, logs=logs)
        self.bus_spans = self.dram.bus_spans
        self._clocks = ClockRatio.of(array_mhz, device.clock_mhz)
        self._burst_bytes = device.burst_bytes
        self.dram.last_clock = min(LAST_CLOCK, self._clocks.from_array(LAST_CLOCK))
        ratio, last_cycle = self._clocks, self._clocks.within(self.dram.last_clock)
        self.dram.controller.keep_time((ratio.array_clocks, ratio.other_clocks), self.dram.last_clock, last_cycle)

    @property
    def lines(self) -> Lines:
        """Its kernel as that of a cache sees it, who calls `check` where it fails."""
        return self.dram.controller

    def check(self) -> None:
        """Raises DeadlockError where lines were asked for that it can't give."""
        late = self.dram.controller.late
        if late >= 0:
            raise DeadlockError(self._asked_late(late))
        self.dram.check()

    @property
    def busy_clocks(self) -> int:
        """See `Memory`."""
        return self.dram.busy_clocks

    def add_requester(self, window: int, bursts_per_clock: int = 1) -> int:
        """See `Memory`."""
        return self.dram.add_requester(window, bursts_per_clock, (self._clocks.array_clocks, self._clocks.other_clocks))

    def request(self, request: Request, cycle: int) -> Completion | None:
        """See `Memory`."""
        blocks = [number for block in request.blocks for number in (request.write, *block)]
        bursts = sum(block.bursts(self._burst_bytes) for block in request.blocks)
        if not bursts:
            raise ValueError("a request without bursts")
        if self._clocks.from_array(cycle) > self.dram.last_clock:
            raise DeadlockError(self._asked_late(cycle))
        self.dram.controller.begin(request.requester, blocks, bursts, cycle)
        return None

    def _asked_late(self, cycle: int) -> str:
        return f"DRAM {self.dram.device.device} is asked at clock {cycle}, after the last that is played"

    def advance(self, cycle: float) -> list[Progress]:
        """See `Memory`."""
        return self.dram.advance(NEVER if cycle == math.inf else min(NEVER, self._clocks.from_array(int(cycle)) + 1))

    def met(self, requester: int) -> None:
        """See `Memory`."""

    def reads_below(self, begin: int, end: int) -> None:
        """See `Memory`."""

    def counts(self, cycle: int) -> DramCounts:
        """See `Memory`."""
        return self.dram.counts(self._clocks.from_array(cycle))
