"""A DRAM at command granularity, compiled where a C compiler was there when accelsim was installed.

Its commands are those of the plain modules, file by file (`banks.pxi` as in `banks.py`, and so on), some fifty times as
quickly. Without the compiled `kernel` the plain modules do all of it.
"""

from __future__ import annotations

import numpy as np

from accelsim.config.dram import CommandDevice
from accelsim.machine.memory.dram.address import AddressMap, Numbers
from accelsim.machine.memory.dram.scheduler import NEVER, Policy
from accelsim.machine.memory.dram.statistics import DramCounts
from accelsim.machine.memory.dram.timing import WRITE, Timing
from accelsim.machine.memory.port import BusSpan, Completion, Progress, Request, merged
from accelsim.units import ClockRatio

try:
    from accelsim.machine.memory.dram.compiled import kernel as _kernel
except ImportError:
    IS_COMPILED = False
else:
    IS_COMPILED = True

_LARGEST = 1 << 62


def can_be_compiled(device: CommandDevice, array_mhz: float) -> bool:
    """Whether the kernel is there, and the ratio of the clocks is one of numbers that it can hold."""
    ratio = ClockRatio.of(array_mhz, device.clock_mhz)
    return IS_COMPILED and max(ratio.array_clocks, ratio.other_clocks) < _LARGEST


class CompiledMemory:
    """All channels of a DRAM; its clocks are those of the commands. ratio: of the engines' clock, None for a trace."""

    def __init__(self, device: CommandDevice, ratio: ClockRatio | None = None, *, logs: bool = False) -> None:
        timing, policy, address_map = Timing.of(device), Policy.of(device), AddressMap.of(device)
        clocks = None if ratio is None else (ratio.array_clocks, ratio.other_clocks)
        self.kernel = _kernel.Kernel(device, timing, policy, address_map, clocks, logs)
        self._organisation = device.organisation
        self._burst_clocks = device.burst_clocks

    @property
    def end(self) -> int:
        """The clock at which the last data beat ended."""
        return self.kernel.end

    def play(self, directions: Numbers, addresses: Numbers) -> None:
        """Send bursts (1 for each write, byte addresses) as fast as the queues take them, and serve them all."""
        self.kernel.play(*map(np.ascontiguousarray, (directions, addresses)))

    def counts(self, clocks: int) -> DramCounts:
        """What was done, in so many clocks."""
        first, *others = (DramCounts(**counts) for counts in self.kernel.counts(clocks))
        return sum(others, first)

    def log(self) -> list[tuple[int, str, int, int]]:
        """(clock, command, bank, row) of each command, channel after channel, if they were to be written down."""
        return [issued for channel in range(self._organisation.channels) for issued in self.kernel.log(channel)]

    def bus_spans(self) -> list[list[BusSpan]]:
        """When each data bus moved what: one bus of a channel, or one for each pseudo channel."""
        return [spans for channel in range(self._organisation.channels) for spans in self._spans_of(channel)]

    def _spans_of(self, channel: int) -> list[list[BusSpan]]:
        parts = self._organisation
        banks_of_rank = parts.bank_groups * parts.banks_per_group
        buses: list[list[BusSpan]] = [[] for _ in range(parts.pseudo_channels)]
        for direction, bank, end in self.kernel.data(channel):
            bus = bank // banks_of_rank % parts.pseudo_channels
            buses[bus].append(BusSpan(end - self._burst_clocks, end, direction == WRITE))
        return [merged(sorted(spans)) for spans in buses]


class CompiledDram:
    """The bursts of all requesters meet in the queues of the channels. See `Memory`."""

    def __init__(self, device: CommandDevice, array_mhz: float, *, logs: bool = False) -> None:
        self._clocks = ClockRatio.of(array_mhz, device.clock_mhz)
        self.memory = CompiledMemory(device, self._clocks, logs=logs)
        self._burst_clocks = device.burst_clocks
        self.bus_spans = self.memory.bus_spans
        self._windows: list[int] = []
        self._requester_of: dict[int, int] = {}

    @property
    def busy_clocks(self) -> int:
        """See `Memory`."""
        return max(self.memory.kernel.accesses()) * self._burst_clocks

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
        window = self._windows[request.requester]
        self.memory.kernel.begin(self._direction_of(request), request.blocks, window, cycle)
        return None

    def advance(self, cycle: float) -> list[Progress]:
        """See `Memory`."""
        until = NEVER if cycle == float("inf") else self._clocks.from_array(int(cycle)) + 1
        return self._named(self.memory.kernel.advance(until))

    def counts(self, cycle: int) -> DramCounts:
        """See `Memory`."""
        return self.memory.counts(self._clocks.from_array(cycle))
