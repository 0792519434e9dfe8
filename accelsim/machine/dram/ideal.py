"""A DRAM without banks: a bus and a latency."""

from __future__ import annotations

from fractions import Fraction

from accelsim.config.dram import IdealDevice
from accelsim.machine.dram.model import BusSpan, Report, Served, Transfer, merged
from accelsim.units import ClockRatio, ceil_div


class IdealDram:
    """A bus of so many bytes a clock, served in the order asked, and a fixed latency.

    An engine issues one burst a clock; with `window` of a transfer's bursts in flight it waits for the first of them to
    be back (latency and its own time on the bus).
    """

    def __init__(self, device: IdealDevice, array_mhz: float) -> None:
        self._clocks = ClockRatio.of(array_mhz, device.clock_mhz)
        self._latency = device.latency_clocks
        per_burst = device.burst_bytes / Fraction(repr(device.bytes_per_clock))
        self._burst_clocks, self._per_bursts = per_burst.numerator, per_burst.denominator
        self._one_burst = self._bus_clocks(1)
        self._round_trip = self._latency + self._one_burst
        self._free = 0
        self._spans: list[BusSpan] = []
        self.busy_clocks = 0

    def begin(self, transfer: Transfer, cycle: int) -> Served:
        """See `DramModel`."""
        bursts, window = transfer.bursts, transfer.window
        begin = max(self._free, self._clocks.from_array(cycle))
        busy = self._bus_clocks(bursts)
        self._free = begin + busy
        self.busy_clocks += busy
        self._spans.append(BusSpan(begin, self._free, transfer.write))
        last_issue = self._clocks.from_array(cycle + self._issue(bursts - 1, window))
        sent = max(self._free, last_issue + self._one_burst)
        queued = begin if bursts <= window else self._free - self._bus_clocks(window)
        issued = max(cycle + self._issue(bursts, window), self._clocks.to_array(queued))
        return Served(issued, self._clocks.to_array(sent), self._clocks.to_array(sent + self._latency))

    def advance(self, cycle: float) -> tuple[Report, ...]:  # noqa: ARG002 (the contract's)
        """See `DramModel`: everything is known when it begins."""
        return ()

    def counts(self, cycle: int) -> None:
        """See `DramModel`."""

    def bus_spans(self) -> list[list[BusSpan]]:
        """See `DramModel`."""
        return [merged(self._spans)]

    def _bus_clocks(self, bursts: int) -> int:
        return ceil_div(bursts * self._burst_clocks, self._per_bursts)

    def _issue(self, number: int, window: int) -> int:
        """Array clocks from the first burst's issue to that of burst `number`, counted from 0."""
        if number < window:
            return number
        rounds, place = divmod(number, window)
        return max(number, self._clocks.to_array(rounds * self._round_trip) + place)
