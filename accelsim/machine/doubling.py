"""Clocks of a run with one resource twice as good, replayed beside it: what would help (docs/machine.md section 8).

Each command keeps what it waits for and the order of its unit. The part of its clocks that a resource takes is that of
the doubled machine, by the closed forms of folds, vector operations and transfers; all others stay. So what a resource
saves is what the critical path then gets shorter by, until the next path holds it up. Tiles and schedule stay as they
are: a run of the doubled machine may choose others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from operator import add, sub
from typing import NamedTuple

from accelsim.config.machine import Machine
from accelsim.program.commands import Compute
from accelsim.program.folds import FoldChain
from accelsim.program.link import NEVER, Moment, Task, Wait
from accelsim.records import RESOURCES
from accelsim.unit_kinds import DEPTHWISE, VECTOR, UnitKind
from accelsim.units import ceil_div

Clocks = tuple[float, ...]
"""Array clocks, or ratios of them, with each of `RESOURCES` twice as good, and last with the machine as it is: the
replay is that of the run but for a few clocks, so that savings are differences within the replay."""

NOTHING: Clocks = (0.0,) * (len(RESOURCES) + 1)
SAME: Clocks = (1.0,) * len(NOTHING)
BEGIN, FREE, STREAM, STREAM_END = range(len(Moment), len(Moment) + 4)
"""Places behind those of moments: a command begins, its unit turns to the next, its stream starts (or its transfer is
handed to the memory) and ends."""
_PLACES = len(Moment) + 4
_ISSUE, _IN_FLIGHT, _DRAM, _SETUP, _PORTS = (
    RESOURCES.index(name) for name in ("dma_issue", "dma_outstanding", "dram_bandwidth", "dma_setup", "sram_ports")
)
_LANES, _CHANNELS, _CACHES, _HOST = (
    RESOURCES.index(name) for name in ("vector_lanes", "depthwise_channels", "caches", "host")
)
HELD_UP = 1.25
"""Times the clocks that issue, bursts in flight and bus let expect, from which on a transfer is held up by the DRAM."""


class Parts(NamedTuple):
    """Clocks of a transfer by what it waits for.

    dram: of its bus; misses: with as many misses of caches as may be in flight; caches: in which DRAM is not read. Its
    time is the longest of them, but what caches take comes on top of what DRAM takes for them.
    """

    issue: float
    in_flight: float
    dram: float
    misses: float
    caches: float

    @property
    def longest(self) -> float:
        return max(self.issue, self.in_flight, self.read + self.caches)

    @property
    def read(self) -> float:
        """Clocks in which DRAM is read."""
        return max(self.dram, self.misses)


@dataclass(frozen=True, slots=True)
class TransferRates:
    """Array clocks that an engine takes for a burst: to issue it, with as many in flight as may be, on the bus.

    latency: clocks until its first data is on the bus; line_bus, miss: those of the bus for a line of the lowest cache,
    and of such a line with as many misses in flight as may be.
    """

    issue: float
    in_flight: float
    bus: float
    latency: float
    line_bus: float = 0.0
    miss: float = 0.0

    @classmethod
    def of(cls, machine: Machine) -> TransferRates:
        """The rates of one engine that has the memory to itself."""
        dma, dram = machine.dma, machine.dram
        ratio = machine.array.clock_mhz / dram.clock_mhz
        bus, latency = dram.burst_bytes / dram.bytes_per_clock * ratio, dram.latency_clocks * ratio
        in_flight = (latency + bus) / dma.max_outstanding_bursts
        lines = 0.0, 0.0
        if machine.caches:
            lowest = machine.caches[-1]
            line = bus * lowest.line_bytes / dram.burst_bytes
            lines = line, (latency + line) / lowest.misses_in_flight
        return cls(1 / dma.bursts_per_clock, in_flight, bus, 0.0 if dram.kind == "ideal" else latency, *lines)

    def parts(self, task: Task, took: float) -> Parts:
        """Clocks of a transfer by what it waits for; took: all.

        Behind caches, those in which DRAM was read for them are the DRAM's, and the others the caches'. Where the lines
        do not fill its bus, more misses in flight would help and a wider bus would not.
        """
        bursts = task.bursts
        if task.dram != NEVER:
            bus, misses = task.lines * self.line_bus, task.lines * self.miss
            fills_bus = task.dram <= HELD_UP * bus
            dram, misses = (task.dram, min(misses, task.dram)) if fills_bus else (bus, task.dram)
            return Parts(bursts * self.issue, 0.0, dram, misses, max(0.0, took - task.dram))
        issue, in_flight, bus = bursts * self.issue, bursts * self.in_flight, bursts * self.bus
        slowest = max(issue, in_flight, bus)
        return Parts(issue, in_flight, max(bus, took) if took > HELD_UP * slowest else bus, 0.0, 0.0)


@dataclass(slots=True)
class Doubling:
    """The replay. chains: of each layer, the ratio of the clocks of its folds with each resource doubled to those now;
    reached: the clocks at the end of what was counted last."""

    machine: Machine
    chains: Sequence[Clocks]
    rates: TransferRates = field(init=False)
    reached: Clocks = field(default=NOTHING, init=False)
    _host_free: Clocks = field(default=NOTHING, init=False)
    _scaled: dict[tuple[int, int], Clocks] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.rates = TransferRates.of(self.machine)

    def begins(self, task: Task, before: Task | None) -> None:
        """A command begins; `before` is the one that its unit served before."""
        floor = before.doubled[FREE] if before else NOTHING
        task.doubled = [floor] * _PLACES
        task.doubled[BEGIN] = _latest(floor, task.begin_waits)

    def requests(self, task: Task, host: int, fill: int) -> None:
        """A transfer is handed to the memory. host, fill: clocks of the host for its tile iteration, and of zeros."""
        clocks = [float(task.stream - task.issued)] * len(NOTHING)
        clocks[_SETUP] = fill + (clocks[_SETUP] - fill) / 2
        task.doubled[STREAM] = _later(self._issued(task.doubled[BEGIN], host), clocks)

    def _issued(self, ready: Clocks, clocks: int) -> Clocks:
        """Clocks at which the host has issued a tile iteration that is ready then; a doubled one takes half as long."""
        if not clocks:
            return ready
        issued = tuple(map(max, ready, self._host_free))
        took = [float(clocks)] * len(NOTHING)
        took[_HOST] /= 2
        self._host_free = _later(issued, took)
        return issued

    def issued(self, task: Task) -> None:
        """The last burst of a transfer has left."""
        took = task.free - task.stream
        parts = self.rates.parts(task, took)
        if took > parts.issue + 1:
            clocks = _of_transfer(0.0, took, parts)
        else:
            has_to_wait = task.bursts > self.machine.dma.max_outstanding_bursts
            waits = (parts.in_flight, parts.read + parts.caches) if has_to_wait else ()
            clocks = [float(took)] * len(NOTHING)
            clocks[_ISSUE] = min(took, max(took / 2, *waits, 0.0))
        task.doubled[FREE] = _later(task.doubled[STREAM], clocks)

    def served(self, task: Task, done: int) -> None:
        """The data of a transfer is where it goes; what is left of the buffer by then is free about as early."""
        took = max(task.stream_end - task.stream - self.rates.latency, 0)
        parts = self.rates.parts(task, took)
        clocks = _of_transfer(done - task.stream - took, took, parts)
        task.doubled[Moment.SRAM_READ] = task.doubled[Moment.DONE] = _later(task.doubled[STREAM], clocks)

    def computes(self, task: Task, command: Compute) -> None:
        """A command on a unit that works on pieces begins."""
        took = [float(command.unit_cycles)] * len(NOTHING)
        quicker = _QUICKER.get(command.unit)
        if quicker is not None:
            for resource, with_twice in quicker(self.machine, command).items():
                took[resource] = min(took[resource], with_twice)
        clocks = task.doubled
        end = clocks[FREE] = _later(clocks[BEGIN], took)
        clocks[Moment.STREAM_READ] = clocks[Moment.STATIONARY_READ] = end
        clocks[Moment.DONE] = _after(end, command.post_cycles)

    def streams(self, task: Task, chain: FoldChain, before: Task | None, done: int) -> None:
        """The first stream of an array command starts; done: when its results will be where they go."""
        clocks, layer = task.doubled, task.role.layer
        loaded = self._of_folds_later(clocks[BEGIN], layer, chain.first.load)
        free = before.doubled[STREAM_END] if before else NOTHING
        start = clocks[STREAM] = tuple(map(max, loaded, _latest(free, task.stream_waits)))
        end = clocks[STREAM_END] = self._of_folds_later(start, layer, task.stream_end - task.stream)
        last = self._of_folds_later(start, layer, task.free - task.stream)
        clocks[Moment.STREAM_READ], clocks[Moment.STATIONARY_READ] = end, last
        clocks[Moment.DONE] = _after(end, done - task.stream_end)
        overlaps = self.machine.array.overlap
        clocks[FREE] = last if overlaps else _after(end, chain.last.tail)

    def _of_folds_later(self, clocks: Clocks, layer: int, took: int) -> Clocks:
        """Later by the clocks of folds of a layer. took: those now."""
        if not took:
            return clocks
        known = self._scaled.get((layer, took))
        if known is None:
            known = self._scaled[layer, took] = tuple(took * ratio for ratio in self.chains[layer])
        return _later(clocks, known)

    def since(self, reached: Clocks) -> Clocks:
        """Clocks from where it was asked for last to these."""
        passed = tuple(map(sub, reached, self.reached))
        self.reached = reached
        return passed


def _latest(floor: Clocks, waits: Sequence[Wait]) -> Clocks:
    """The latest of these moments and a clock; a unit comes to the same moment of its commands one after the other."""
    if not waits:
        return floor
    if len(waits) == 1:
        ((task, moment),) = waits
        return tuple(map(max, floor, task.doubled[moment]))
    if len(waits) == 2 and waits[0][1] is not waits[1][1]:
        (first, its), (second, other) = waits
        return tuple(map(max, floor, first.doubled[its], second.doubled[other]))
    last: dict[tuple[str, Moment], Task] = {}
    for task, moment in waits:
        known = last.get((task.instance, moment))
        if known is None or known.index < task.index:
            last[task.instance, moment] = task
    return tuple(map(max, floor, *[task.doubled[moment] for (_, moment), task in last.items()]))


def _later(clocks: Clocks, by: Iterable[float]) -> Clocks:
    return tuple(map(add, clocks, by))


def _after(clocks: Clocks, by: int) -> Clocks:
    """The same number of clocks later, whatever is doubled."""
    return tuple([each + by for each in clocks]) if by else clocks


def _of_transfer(rest: float, took: float, parts: Parts) -> list[float]:
    """Clocks of a transfer with each resource doubled: one of its parts halved, of which the slowest counts; and a rest
    that stays."""
    issue, in_flight, dram, misses, caches = parts
    clocks, read, longest = [rest + took] * len(NOTHING), parts.read + caches, parts.longest
    if longest:
        each = took / longest
        clocks[_ISSUE] = rest + each * max(issue / 2, in_flight, read)
        clocks[_IN_FLIGHT] = rest + each * max(issue, in_flight / 2, read)
        clocks[_DRAM] = rest + each * max(issue, in_flight, max(dram / 2, misses) + caches)
        clocks[_CACHES] = rest + each * max(issue, in_flight, max(dram, misses / 2) + caches / 2)
    return clocks


def _port_clocks(machine: Machine, command: Compute) -> float:
    """Clocks of the activation buffer's ports for a piece."""
    counts = command.actions
    bytes_passed = max(counts.sram_read_ifmap_bytes, counts.sram_write_ofmap_bytes)
    return bytes_passed / machine.sram.activation.port_bytes_per_cycle


def _on_vector_unit(machine: Machine, command: Compute) -> dict[int, float]:
    lanes, ports = command.actions.vector_ops / machine.vector.lanes, _port_clocks(machine, command)
    return {_LANES: max(lanes / 2, ports), _PORTS: max(lanes, ports / 2)}


def _on_engine(machine: Machine, command: Compute) -> dict[int, float]:
    """With fewer passes over the channels, as twice as many are side by side."""
    assert machine.depthwise is not None
    channels, side_by_side = command.work.channels.size, machine.depthwise.channels
    kept = ceil_div(channels, 2 * side_by_side) / ceil_div(channels, side_by_side)
    return {_CHANNELS: max(command.unit_cycles * kept, _port_clocks(machine, command))}


_QUICKER: dict[UnitKind, Callable[[Machine, Compute], dict[int, float]]] = {
    VECTOR: _on_vector_unit,
    DEPTHWISE: _on_engine,
}
"""Clocks of a piece with each resource doubled that its unit has; of other units all stay."""
