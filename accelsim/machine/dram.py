"""DRAM as the DMA engines see it.

A model is a class with the methods of `DramModel` and a line in `MODELS`.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple, Protocol

from accelsim.config.dram import DramDevice
from accelsim.program.tensors import Descriptor
from accelsim.units import ClockRatio, ceil_div


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


class DramModel(Protocol):
    """Contract: transfers are asked for in the order of `cycle`, those of one engine no earlier than its last was
    `issued`; `cycle <= issued` and `cycle <= sent <= done`. The answer may only depend on what was asked for so far."""

    @property
    def busy_clocks(self) -> int:
        """DRAM clocks in which the data bus moved something."""

    def serve(self, transfer: Transfer, cycle: int) -> Served:
        """Serve a transfer whose first burst is issued at array clock `cycle`."""


class IdealDram:
    """A bus of so many bytes a clock, served in the order asked, and a fixed latency.

    An engine issues one burst a clock; with `window` of a transfer's bursts in flight it waits for the first of them to
    be back (latency and its own time on the bus).
    """

    def __init__(self, device: DramDevice, array_mhz: float) -> None:
        self._clocks = ClockRatio.of(array_mhz, device.clock_mhz)
        self._latency = device.latency_clocks
        per_burst = device.burst_bytes / Fraction(repr(device.bytes_per_clock))
        self._burst_clocks, self._per_bursts = per_burst.numerator, per_burst.denominator
        self._one_burst = self._bus_clocks(1)
        self._round_trip = self._latency + self._one_burst
        self._free = 0
        self.busy_clocks = 0

    def serve(self, transfer: Transfer, cycle: int) -> Served:
        """See `DramModel`."""
        bursts, window = transfer.bursts, transfer.window
        begin = max(self._free, self._clocks.from_array(cycle))
        busy = self._bus_clocks(bursts)
        self._free = begin + busy
        self.busy_clocks += busy
        last_issue = self._clocks.from_array(cycle + self._issue(bursts - 1, window))
        sent = max(self._free, last_issue + self._one_burst)
        queued = begin if bursts <= window else self._free - self._bus_clocks(window)
        issued = max(cycle + self._issue(bursts, window), self._clocks.to_array(queued))
        return Served(issued, self._clocks.to_array(sent), self._clocks.to_array(sent + self._latency))

    def _bus_clocks(self, bursts: int) -> int:
        return ceil_div(bursts * self._burst_clocks, self._per_bursts)

    def _issue(self, number: int, window: int) -> int:
        """Array clocks from the first burst's issue to that of burst `number`, counted from 0."""
        if number < window:
            return number
        rounds, place = divmod(number, window)
        return max(number, self._clocks.to_array(rounds * self._round_trip) + place)


MODELS: dict[str, Callable[[DramDevice, float], DramModel]] = {"ideal": IdealDram}
