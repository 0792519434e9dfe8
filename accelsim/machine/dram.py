"""DRAM as the DMA engines see it.

A model is a class with the methods of `DramModel` and a line in `MODELS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from accelsim.config.dram import DramDevice
from accelsim.program.tensors import Descriptor
from accelsim.units import ClockRatio, ceil_div


@dataclass(frozen=True, slots=True)
class Transfer:
    """What a DMA engine asks for: descriptors that hold so many bursts, at most `window` of them in flight."""

    write: bool
    descriptors: tuple[Descriptor, ...]
    bursts: int
    window: int


@dataclass(frozen=True, slots=True)
class Served:
    """When a transfer is served, in array clocks.

    issued: its last burst is issued and the engine may turn to the next transfer; sent: its last data is on the bus;
    done: its data is where it goes.
    """

    issued: int
    sent: int
    done: int


class DramModel(Protocol):
    """Contract: transfers are asked for in the order of `cycle`, those of one engine no earlier than its last was
    `issued`; `cycle <= issued <= sent <= done`. The answer may only depend on what was asked for so far."""

    @property
    def busy_clocks(self) -> int:
        """DRAM clocks in which the data bus moved something."""

    def serve(self, transfer: Transfer, cycle: int) -> Served:
        """Serve a transfer whose first burst is issued at array clock `cycle`."""


class IdealDram:
    """A bus of so many bytes a clock, served in the order asked, and a fixed latency.

    An engine with `window` bursts in flight draws at most window / round trip bursts a clock, and issues at most one a
    clock.
    """

    def __init__(self, device: DramDevice, array_mhz: float) -> None:
        self._clocks = ClockRatio.of(array_mhz, device.clock_mhz)
        self._latency = device.latency_clocks
        per_burst = device.burst_bytes / Fraction(repr(device.bytes_per_clock))
        self._burst_clocks, self._per_bursts = per_burst.numerator, per_burst.denominator
        self._free = 0
        self.busy_clocks = 0

    def serve(self, transfer: Transfer, cycle: int) -> Served:
        """See `DramModel`."""
        begin = max(self._free, self._clocks.from_array(cycle))
        busy = self._bus_clocks(transfer.bursts)
        self._free = begin + busy
        self.busy_clocks += busy
        last_issued = cycle + max(transfer.bursts, self._round_trips(transfer))
        queued = self._bus_clocks(min(transfer.bursts, transfer.window))
        issued = max(last_issued, self._clocks.to_array(max(begin, self._free - queued)))
        sent = max(issued, self._clocks.to_array(self._free))
        return Served(issued, sent, sent + self._clocks.to_array(self._latency))

    def _bus_clocks(self, bursts: int) -> int:
        return ceil_div(bursts * self._burst_clocks, self._per_bursts)

    def _round_trips(self, transfer: Transfer) -> int:
        """Array clocks to issue the bursts when each waits for one of `window` before it to return."""
        round_trip = self._latency + self._bus_clocks(1)
        return self._clocks.to_array(ceil_div(transfer.bursts * round_trip, transfer.window))


MODELS: dict[str, Callable[[DramDevice, float], DramModel]] = {"ideal": IdealDram}
