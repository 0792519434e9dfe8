"""A memory without banks: a bus and a latency."""

from __future__ import annotations

from fractions import Fraction

from accelsim.config.dram import IdealDevice
from accelsim.machine.memory.port import BusSpan, Completion, Progress, Request, append_span
from accelsim.units import ClockRatio, ceil_div


class IdealMemory:
    """A bus of some bytes a clock, served in the order asked, and a fixed latency.

    With `window` bursts of a request in flight, its requester waits for the first of them to be back (latency and its
    own time on the bus). See `Memory`.
    """

    def __init__(self, device: IdealDevice, array_mhz: float, *, bus_spans: bool = False) -> None:
        self._clocks = ClockRatio.of(array_mhz, device.clock_mhz)
        self._latency = device.latency_clocks
        self._burst_bytes = device.burst_bytes
        per_burst = device.burst_bytes / Fraction(repr(device.bytes_per_clock))
        self._burst_clocks, self._per_bursts = per_burst.numerator, per_burst.denominator
        self._one_burst = self._bus_clocks(1)
        self._round_trip = self._latency + self._one_burst
        self._requesters: list[tuple[int, int]] = []
        self._free = 0
        self._spans: list[BusSpan] | None = [] if bus_spans else None
        self.busy_clocks = 0

    def add_requester(self, window: int, bursts_per_clock: int = 1) -> int:
        """See `Memory`."""
        self._requesters.append((window, bursts_per_clock))
        return len(self._requesters) - 1

    def request(self, request: Request, cycle: int) -> Completion:
        """See `Memory`: everything is known at once."""
        window, per_clock = self._requesters[request.requester]
        bursts = sum(block.bursts(self._burst_bytes) for block in request.blocks)
        begin = max(self._free, self._clocks.from_array(cycle))
        busy = self._bus_clocks(bursts)
        self._free = begin + busy
        self.busy_clocks += busy
        if self._spans is not None:
            append_span(self._spans, BusSpan(begin, self._free, request.write))
        last_issue = self._clocks.from_array(cycle + self._issue(bursts - 1, window, per_clock))
        sent = max(self._free, last_issue + self._one_burst)
        queued = begin if bursts <= window else self._free - self._bus_clocks(window)
        all_issued = cycle + max(self._issue(bursts, window, per_clock), ceil_div(bursts, per_clock))
        issued = max(all_issued, self._clocks.to_array(queued))
        return Completion(issued, self._clocks.to_array(sent), self._clocks.to_array(sent + self._latency))

    def advance(self, cycle: float) -> tuple[Progress, ...]:  # noqa: ARG002 (the contract's)
        """See `Memory`."""
        return ()

    def met(self, requester: int) -> None:
        """See `Memory`."""

    def reads_below(self, begin: int, end: int) -> None:
        """See `Memory`."""

    def counts(self, cycle: int) -> None:
        """See `Memory`."""

    def bus_spans(self) -> list[list[BusSpan]]:
        """See `Memory`."""
        return [self._spans or []]

    def _bus_clocks(self, bursts: int) -> int:
        return ceil_div(bursts * self._burst_clocks, self._per_bursts)

    def _issue(self, number: int, window: int, per_clock: int) -> int:
        """Array clocks from the first burst's issue to that of burst `number`, counted from 0."""
        if number < window:
            return number // per_clock
        rounds, place = divmod(number, window)
        return max(number // per_clock, self._clocks.to_array(rounds * self._round_trip) + place // per_clock)
