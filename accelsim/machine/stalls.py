"""Why the array stands idle: each idle clock of a run gets one cause (docs/machine.md section 8).

Between two streams, the path of what had to happen is walked backwards from the start of the second one: its load, the
transfer it waited for, what that transfer waited for, and so on until the end of the first stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from accelsim.machine.machine import Timeline
from accelsim.program.commands import Buffer, Command, Compute, Load, Program, Store, Unit, unit_of
from accelsim.program.link import Moment, Wait, Waits


class Cause(StrEnum):
    """What the array waits for.

    FILL_DRAIN: its own loads, drains and tails; DRAM_*: data on the bus, by operand; STORE: results on their way out;
    LATENCY: descriptors, the way to DRAM and back, requantisation; VECTOR: the vector unit; DEPENDENCY: anything else
    that had to come first.
    """

    FILL_DRAIN = "fill_drain"
    DRAM_IFMAP = "dram_ifmap"
    DRAM_WEIGHT = "dram_weight"
    STORE = "store"
    LATENCY = "latency"
    VECTOR = "vector"
    DEPENDENCY = "dependency"


@dataclass(slots=True)
class LayerTime:
    """Clocks of a layer.

    total_cycles: its end minus the latest end before it, at least 0, so that layers add up to the run;
    latency_cycles: from its first command to its last; stream_cycles: from start to end of its streams on the array,
    wherever they lie; overlap_cycles: streams of other layers within total_cycles, minus own streams outside of it;
    stalls: idle clocks of the array within total_cycles, by cause. So total = stream + overlap + sum of stalls.
    """

    total_cycles: int = 0
    latency_cycles: int = 0
    stream_cycles: int = 0
    overlap_cycles: int = 0
    stalls: dict[Cause, int] = field(default_factory=lambda: dict.fromkeys(Cause, 0))
    occupied: dict[Unit, int] = field(default_factory=lambda: dict.fromkeys(Unit, 0))


@dataclass(frozen=True, slots=True)
class Segment:
    """Clocks [low, high) in which the array streams for a layer, or idles for a cause."""

    low: int
    high: int
    cause: Cause | None


def layer_times(program: Program, waits: Sequence[Waits], timeline: Timeline) -> list[LayerTime]:
    """The time of each layer and its causes, without remainder."""
    layers = [LayerTime() for _ in program.layers]
    begins: dict[int, int] = {}
    ends: dict[int, int] = {}
    for index, command in enumerate(program.commands):
        layer = command.layer
        begins[layer] = min(begins.get(layer, timeline.begin[index]), timeline.begin[index])
        ends[layer] = max(ends.get(layer, 0), timeline.done[index])
        unit = unit_of(command)
        busy = timeline.stream_end[index] - timeline.stream[index]
        layers[layer].occupied[unit] += busy
        if unit is Unit.ARRAY:
            layers[layer].stream_cycles += busy
    windows = list(_windows(len(layers), ends))
    for (low, high), layer_time in zip(windows, layers, strict=True):
        layer_time.total_cycles = high - low
    for number, end in ends.items():
        layers[number].latency_cycles = end - begins[number]
    _share_out(windows, layers, _Causes(program, waits, timeline).segments())
    for layer_time in layers:
        layer_time.overlap_cycles -= layer_time.stream_cycles
    return layers


def _windows(count: int, ends: dict[int, int]) -> Iterator[tuple[int, int]]:
    latest = 0
    for number in range(count):
        end = max(latest, ends.get(number, 0))
        yield latest, end
        latest = end


def _share_out(windows: Sequence[tuple[int, int]], layers: Sequence[LayerTime], segments: Iterable[Segment]) -> None:
    """Add the part of each segment that lies in a layer's window to it; streams go to `overlap_cycles`."""
    number = 0
    for segment in sorted(segments, key=lambda segment: segment.low):
        while windows[number][1] <= segment.low:
            number += 1
        reached, low = number, segment.low
        while low < segment.high:
            high = min(segment.high, windows[reached][1])
            if segment.cause is None:
                layers[reached].overlap_cycles += high - low
            else:
                layers[reached].stalls[segment.cause] += high - low
            low, reached = high, reached + 1


class _Causes:
    def __init__(self, program: Program, waits: Sequence[Waits], timeline: Timeline) -> None:
        self.commands: Sequence[Command] = program.commands
        self.waits = waits
        self.timeline = timeline
        self.before: dict[int, int] = {}
        last: dict[Unit, int] = {}
        for index, command in enumerate(self.commands):
            unit = unit_of(command)
            if unit in last:
                self.before[index] = last[unit]
            last[unit] = index

    def segments(self) -> Iterator[Segment]:
        """The whole run, from 0 to its end, as streams and idle segments."""
        end = 0
        for index, command in enumerate(self.commands):
            if isinstance(command, Compute) and command.unit is Unit.ARRAY:
                start = self.timeline.stream[index]
                yield from self._gap(end, start, index)
                end = self.timeline.stream_end[index]
                yield Segment(start, end, None)
        total = self.timeline.total_cycles
        final = max(range(len(self.commands)), key=self.timeline.done.__getitem__, default=0)
        if end < total:
            yield from self._clipped(end, total, self._path((final, Moment.DONE)))

    def _gap(self, low: int, high: int, index: int) -> Iterator[Segment]:
        """The idle clocks before array command `index`."""
        if low < high:
            yield from self._clipped(low, high, self._before_stream(index))

    def _clipped(self, low: int, high: int, path: Iterator[tuple[int, Cause]]) -> Iterator[Segment]:
        """[low, high) by the causes of a path given backwards as (begin of the cause, cause)."""
        for begin, cause in path:
            begin = max(low, begin)
            if begin < high:
                yield Segment(begin, high, cause)
                high = begin
            if high <= low:
                return
        yield Segment(low, high, Cause.DEPENDENCY)

    def _before_stream(self, index: int) -> Iterator[tuple[int, Cause]]:
        command = self.commands[index]
        assert isinstance(command, Compute)
        assert command.chain is not None
        start, begin = self.timeline.stream[index], self.timeline.begin[index]
        binding = self._binding(self.waits[index].stream)
        if command.chain.first.load and begin + command.chain.first.load == start:
            yield begin, Cause.FILL_DRAIN
            binding = self._binding(self.waits[index].begin)
            if binding is not None and self._time(binding) == begin:
                yield from self._path(binding)
        elif binding is not None and self._time(binding) == start:
            yield from self._path(binding)
        yield 0, Cause.FILL_DRAIN

    def _path(self, wait: Wait) -> Iterator[tuple[int, Cause]]:
        """What led to a moment, backwards."""
        index, moment = wait
        while True:
            command = self.commands[index]
            yield from self._phases(index, command, moment)
            begin = self.timeline.begin[index]
            binding = self._binding((*self.waits[index].begin, *self.waits[index].stream))
            previous = self.before.get(index)
            if binding is not None and self._time(binding) >= begin:
                index, moment = binding
            elif previous is not None and self.timeline.free[previous] >= begin:
                index, moment = previous, Moment.SRAM_READ
            elif binding is not None:
                index, moment = binding
            else:
                return

    def _phases(self, index: int, command: Command, moment: Moment) -> Iterator[tuple[int, Cause]]:
        """The phases of one command, backwards from the moment that was waited for."""
        timeline = self.timeline
        match command:
            case Load() | Store():
                if moment is Moment.DONE:
                    yield timeline.stream_end[index], Cause.LATENCY
                yield timeline.stream[index], _bus_cause(command)
                yield timeline.begin[index], Cause.LATENCY
            case Compute(unit=Unit.VECTOR):
                yield timeline.begin[index], Cause.VECTOR
            case Compute(post_cycles=post):
                yield timeline.done[index] - post, Cause.LATENCY
                yield timeline.begin[index], Cause.FILL_DRAIN

    def _binding(self, waits: Sequence[Wait]) -> Wait | None:
        """The wait that ended last."""
        return max(waits, key=self._time, default=None)

    def _time(self, wait: Wait) -> int:
        return self.timeline.moments[wait[1]][wait[0]]


def _bus_cause(command: Load | Store) -> Cause:
    if isinstance(command, Store):
        return Cause.STORE
    return Cause.DRAM_WEIGHT if command.tile.buffer is Buffer.WEIGHT else Cause.DRAM_IFMAP
