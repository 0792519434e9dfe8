"""Why the array stands idle: each idle clock of a run gets one cause (docs/machine.md section 8).

Between two streams, the path of what had to happen is walked backwards from the start of the second one: its load, the
transfer it waited for, what that transfer waited for, and so on until the end of the first stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
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


class Phase(StrEnum):
    """What a command was doing on the path to a stream."""

    STREAM = "streams"
    LOAD = "pinned values shifted in"
    TAIL = "drain and tail"
    DESCRIPTORS = "descriptors, its turn, the way to DRAM"
    BUS = "DRAM"
    WAY_BACK = "the way back from DRAM"
    REQUANTISATION = "requantisation"
    VECTOR = "vector unit"
    NONE = "nothing of these"


@dataclass(frozen=True, slots=True)
class Segment:
    """Clocks [low, high) in which the array streams for a layer (no cause), or idles for a cause.

    phase, command: what went on, and in which command; -1 in none.
    """

    low: int
    high: int
    cause: Cause | None
    phase: Phase
    command: int


Step = tuple[int, Cause, Phase, int]
"""On a path, backwards: (begin, cause, phase, command)."""


def layer_times(program: Program, waits: Sequence[Waits], timeline: Timeline) -> list[LayerTime]:
    """The time of each layer and its causes, without remainder."""
    layers = [LayerTime() for _ in program.layers]
    begins: dict[int, int] = {}
    ends = layer_ends(program, timeline)
    for index, command in enumerate(program.commands):
        layer = command.layer
        begins[layer] = min(begins.get(layer, timeline.begin[index]), timeline.begin[index])
        unit = unit_of(command)
        busy = timeline.stream_end[index] - timeline.stream[index]
        layers[layer].occupied[unit] += busy
        if unit is Unit.ARRAY:
            layers[layer].stream_cycles += busy
    windows = layer_windows(len(layers), ends)
    for (low, high), layer_time in zip(windows, layers, strict=True):
        layer_time.total_cycles = high - low
    for number, end in ends.items():
        layers[number].latency_cycles = end - begins[number]
    for number, segment in shared_out(windows, segments(program, waits, timeline)):
        clocks = segment.high - segment.low
        if segment.cause is None:
            layers[number].overlap_cycles += clocks
        else:
            layers[number].stalls[segment.cause] += clocks
    for layer_time in layers:
        layer_time.overlap_cycles -= layer_time.stream_cycles
    return layers


def layer_ends(program: Program, timeline: Timeline) -> dict[int, int]:
    """When all of a layer was done, for layers that have commands."""
    ends: dict[int, int] = {}
    for index, command in enumerate(program.commands):
        ends[command.layer] = max(ends.get(command.layer, 0), timeline.done[index])
    return ends


def layer_windows(count: int, ends: Mapping[int, int]) -> list[tuple[int, int]]:
    """Clocks [latest end before a layer, its own end) of each layer; they make up the run."""
    latest, windows = 0, []
    for number in range(count):
        end = max(latest, ends.get(number, 0))
        windows.append((latest, end))
        latest = end
    return windows


def segments(program: Program, waits: Sequence[Waits], timeline: Timeline) -> list[Segment]:
    """The whole run, from 0 to its end, as streams and idle clocks."""
    return sorted(_Causes(program, waits, timeline).segments(), key=lambda segment: segment.low)


def shared_out(windows: Sequence[tuple[int, int]], segments: Iterable[Segment]) -> Iterator[tuple[int, Segment]]:
    """(number of a window, the part of a segment that lies in it), for segments in order and windows without gaps."""
    number = 0
    for segment in segments:
        while windows[number][1] <= segment.low:
            number += 1
        reached, low = number, segment.low
        while low < segment.high:
            high = min(segment.high, windows[reached][1])
            if high - low == segment.high - segment.low:
                yield reached, segment
            elif low < high:
                yield reached, replace(segment, low=low, high=high)
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
                yield Segment(start, end, None, Phase.STREAM, index)
        total = self.timeline.total_cycles
        final = max(range(len(self.commands)), key=self.timeline.done.__getitem__, default=0)
        if end < total:
            yield from self._clipped(end, total, self._path((final, Moment.DONE)))

    def _gap(self, low: int, high: int, index: int) -> Iterator[Segment]:
        """The idle clocks before array command `index`."""
        if low < high:
            yield from self._clipped(low, high, self._before_stream(index))

    def _clipped(self, low: int, high: int, path: Iterator[Step]) -> Iterator[Segment]:
        """[low, high) by the causes of a path given backwards."""
        for begin, cause, phase, index in path:
            begin = max(low, begin)
            if begin < high:
                yield Segment(begin, high, cause, phase, index)
                high = begin
            if high <= low:
                return
        yield Segment(low, high, Cause.DEPENDENCY, Phase.NONE, -1)

    def _before_stream(self, index: int) -> Iterator[Step]:
        command = self.commands[index]
        assert isinstance(command, Compute)
        assert command.chain is not None
        start, begin = self.timeline.stream[index], self.timeline.begin[index]
        binding = self._binding(self.waits[index].stream)
        if command.chain.first.load and begin + command.chain.first.load == start:
            yield begin, Cause.FILL_DRAIN, Phase.LOAD, index
            binding = self._binding(self.waits[index].begin)
            if binding is not None and self._time(binding) == begin:
                yield from self._path(binding)
        elif binding is not None and self._time(binding) == start:
            yield from self._path(binding)
        yield 0, Cause.FILL_DRAIN, Phase.TAIL, index

    def _path(self, wait: Wait) -> Iterator[Step]:
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

    def _phases(self, index: int, command: Command, moment: Moment) -> Iterator[Step]:
        """The phases of one command, backwards from the moment that was waited for."""
        timeline = self.timeline
        match command:
            case Load() | Store():
                if moment is Moment.DONE:
                    yield timeline.stream_end[index], Cause.LATENCY, Phase.WAY_BACK, index
                yield timeline.stream[index], _bus_cause(command), Phase.BUS, index
                yield timeline.begin[index], Cause.LATENCY, Phase.DESCRIPTORS, index
            case Compute(unit=Unit.VECTOR):
                yield timeline.begin[index], Cause.VECTOR, Phase.VECTOR, index
            case Compute(post_cycles=post):
                yield timeline.done[index] - post, Cause.LATENCY, Phase.REQUANTISATION, index
                yield timeline.begin[index], Cause.FILL_DRAIN, Phase.TAIL, index

    def _binding(self, waits: Sequence[Wait]) -> Wait | None:
        """The wait that ended last."""
        return max(waits, key=self._time, default=None)

    def _time(self, wait: Wait) -> int:
        return self.timeline.moments[wait[1]][wait[0]]


def _bus_cause(command: Load | Store) -> Cause:
    if isinstance(command, Store):
        return Cause.STORE
    return Cause.DRAM_WEIGHT if command.tile.buffer is Buffer.WEIGHT else Cause.DRAM_IFMAP
