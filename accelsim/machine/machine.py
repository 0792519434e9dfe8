"""The machine: SimPy processes for DMA in, PE array, vector unit and DMA out, playing one tile program.

Time is integer array clocks. Each unit serves its commands in program order; a command begins when its unit is free
and what it waits for (`accelsim.program.link`) has happened. What happens inside a fold, a vector operation or a
transfer is a closed form, so the number of events grows with the commands and not with their clocks.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

import simpy

from accelsim.config.machine import Machine
from accelsim.config.scheduling import Arbitration
from accelsim.errors import DeadlockError
from accelsim.machine.memory import BusSpan, Completion, Memory, Progress, Request, memory_of
from accelsim.machine.memory.dram.statistics import DramCounts
from accelsim.machine.pipeline import Pipeline
from accelsim.machine.requests import blocks_of
from accelsim.program.commands import Command, Compute, Program, Unit, unit_of
from accelsim.program.link import Moment, Wait, Waits

Process = Generator[simpy.Event, Any, None]

NEVER = -1


class Happening(StrEnum):
    """What observers are told of: a command begins (its first access to SRAM or DRAM), or starts its first stream."""

    BEGIN = "begin"
    STREAM = "stream"


class Observer(Protocol):
    """Watches a run; called in the order of events."""

    def happened(self, what: Happening | Moment, index: int, cycle: int) -> None:
        """Command `index` came to this point at this array clock."""


@dataclass(slots=True)
class Timeline:
    """When each command was where, in array clocks, by index.

    begin: its unit took it on; stream: its first stream starts, or its transfer is handed to DRAM; stream_end: its
    last stream ends, or its last data is on the bus; free: its unit turns to the next; moments: those of each `Moment`.
    dram_counts: what a DRAM at command granularity did; bus_spans: when each of its data buses moved what, if noted.
    """

    begin: list[int]
    stream: list[int]
    stream_end: list[int]
    free: list[int]
    moments: tuple[list[int], ...]
    dram_busy_clocks: int = 0
    dram_counts: DramCounts | None = None
    bus_spans: Callable[[], list[list[BusSpan]]] = field(default=list, compare=False)

    @classmethod
    def of_length(cls, count: int) -> Timeline:
        """A timeline in which nothing has happened yet."""
        begin, stream, stream_end, free = ([NEVER] * count for _ in range(4))
        return cls(begin, stream, stream_end, free, tuple([NEVER] * count for _ in Moment))

    @property
    def done(self) -> list[int]:
        """When each command's data was where it goes."""
        return self.moments[Moment.DONE]

    @property
    def total_cycles(self) -> int:
        """When all is done."""
        return max(self.done, default=0)


def play(
    program: Program,
    waits: Sequence[Waits],
    machine: Machine,
    observers: Iterable[Observer] = (),
    arbitration: Arbitration = "arrival",
    *,
    bus_spans: bool = False,
) -> Timeline:
    """Run a linked program on a machine.

    arbitration: the order in which DRAM serves the DMA engines; bus_spans: note when its data buses move what.
    Raises DeadlockError, naming who waits for what, where the program can't go on.
    """
    return _Player(program, waits, machine, tuple(observers), arbitration, bus_spans=bus_spans).run()


class _Environment(simpy.Environment):
    """SimPy's time may be a float; here it is whole clocks."""

    if TYPE_CHECKING:

        @property
        def now(self) -> int: ...


class _Player:
    def __init__(
        self,
        program: Program,
        waits: Sequence[Waits],
        machine: Machine,
        observers: tuple[Observer, ...],
        arbitration: Arbitration,
        *,
        bus_spans: bool,
    ) -> None:
        self.program = program
        self.waits = waits
        self.machine = machine
        self.observers = observers
        self.env = _Environment()
        self.memory: Memory = memory_of(machine.dram, machine.array.clock_mhz, bus_spans=bus_spans)
        self.requesters = [self.memory.add_requester(machine.dma.max_outstanding_bursts) for _ in (False, True)]
        self.timeline = Timeline.of_length(len(program.commands))
        self.events: dict[Wait, simpy.Event] = {}
        self.awaited = {wait for each in waits for wait in (*each.begin, *each.stream)}
        self.waiting: dict[Unit, tuple[int, Wait]] = {}
        self.left = len(program.commands)
        self.under_way: dict[bool, deque[int]] = {False: deque(), True: deque()}
        self.retired = {False: 0, True: 0}
        self.issued: dict[bool, simpy.Event] = {}
        self.turns = _turns(program.commands) if arbitration == "program_order" else {}
        self.next_turn = 0
        self.turn_events: dict[int, simpy.Event] = {}

    def run(self) -> Timeline:
        queues: dict[Unit, list[int]] = {unit: [] for unit in Unit}
        for index, command in enumerate(self.program.commands):
            queues[unit_of(command)].append(index)
        self.env.process(self._dma(Unit.DMA_IN, queues[Unit.DMA_IN]))
        self.env.process(self._array(queues[Unit.ARRAY]))
        self.env.process(self._vector(queues[Unit.VECTOR]))
        self.env.process(self._dma(Unit.DMA_OUT, queues[Unit.DMA_OUT]))
        if self.program.commands:
            self._play()
        self.timeline.dram_busy_clocks = self.memory.busy_clocks
        self.timeline.bus_spans = self.memory.bus_spans
        self.timeline.dram_counts = self.memory.counts(self.timeline.total_cycles)
        return self.timeline

    def _play(self) -> None:
        """Events are short-lived and hardly ever cyclic: without the collector they take a third less time."""
        collects = gc.isenabled()
        gc.disable()
        try:
            while self.left:
                self._advance_memory()
                if self.env.peek() == float("inf"):
                    raise DeadlockError(self._deadlock())
                self.env.step()
        finally:
            if collects:
                gc.enable()

    def _advance_memory(self) -> None:
        """Let the memory come to where the next event is, which may be one of its own."""
        while progress := self.memory.advance(self.env.peek()):
            for each in progress:
                self._come_further(each)

    def _tell(self, what: Happening | Moment, index: int) -> None:
        if self.observers:
            now = self.env.now
            for observer in self.observers:
                observer.happened(what, index, now)

    def _wait(self, unit: Unit, index: int, waits: Iterable[Wait]) -> Process:
        for wait in waits:
            if self.timeline.moments[wait[1]][wait[0]] == NEVER:
                self.waiting[unit] = (index, wait)
                yield self.events.setdefault(wait, self.env.event())
        self.waiting.pop(unit, None)

    def _until(self, cycle: int) -> Process:
        if cycle > self.env.now:
            yield self.env.timeout(cycle - self.env.now)

    def _at(self, cycle: int, moment: Moment, index: int) -> None:
        """Let a moment of a command come at `cycle`; one that nobody looks out for takes no event."""
        if moment is not Moment.DONE and not self.observers and (index, moment) not in self.awaited:
            self.timeline.moments[moment][index] = cycle
            return
        if cycle == self.env.now:
            self._come(moment, index)
            return
        timeout = self.env.timeout(cycle - self.env.now)
        assert timeout.callbacks is not None
        timeout.callbacks.append(lambda _: self._come(moment, index))

    def _come(self, moment: Moment, index: int) -> None:
        self.timeline.moments[moment][index] = self.env.now
        self._tell(moment, index)
        event = self.events.pop((index, moment), None)
        if event is not None:
            event.succeed()
        if moment is Moment.DONE:
            self.left -= 1

    def _array(self, queue: list[int]) -> Process:
        pipeline = Pipeline(self.machine.array.overlap)
        timeline = self.timeline
        for index in queue:
            command = self._compute(index)
            assert command.chain is not None
            yield from self._wait(Unit.ARRAY, index, self.waits[index].begin)
            load_begin = pipeline.load_begin(self.env.now)
            yield from self._until(load_begin)
            self._tell(Happening.BEGIN, index)
            yield from self._wait(Unit.ARRAY, index, self.waits[index].stream)
            passage = pipeline.passage(command.chain, load_begin, self.env.now)
            yield from self._until(passage.start)
            self._tell(Happening.STREAM, index)
            skew = command.chain.last.skew
            read = passage.stream_end + skew
            self._at(passage.last_start + skew, Moment.STATIONARY_READ, index)
            self._at(read, Moment.STREAM_READ, index)
            self._at(max(read, passage.end + command.post_cycles), Moment.DONE, index)
            timeline.begin[index], timeline.stream[index] = load_begin, passage.start
            timeline.stream_end[index], timeline.free[index] = passage.stream_end, passage.last_start
            yield from self._until(passage.last_start)

    def _vector(self, queue: list[int]) -> Process:
        timeline = self.timeline
        for index in queue:
            command = self._compute(index)
            yield from self._wait(Unit.VECTOR, index, self.waits[index].begin)
            self._tell(Happening.BEGIN, index)
            self._tell(Happening.STREAM, index)
            timeline.begin[index] = timeline.stream[index] = self.env.now
            end = self.env.now + command.vector_cycles
            timeline.stream_end[index] = timeline.free[index] = end
            if command.vector_cycles:
                yield self.env.timeout(command.vector_cycles)
            self._come(Moment.STREAM_READ, index)
            self._at(end + command.post_cycles, Moment.DONE, index)

    def _compute(self, index: int) -> Compute:
        command = self.program.commands[index]
        assert isinstance(command, Compute)
        return command

    def _dma(self, unit: Unit, queue: list[int]) -> Process:
        """An engine. Transfers retire in order: one is done no earlier than those before it."""
        dma, timeline = self.machine.dma, self.timeline
        write = unit is Unit.DMA_OUT
        for index in queue:
            command = self.program.commands[index]
            assert not isinstance(command, Compute)
            yield from self._wait(unit, index, self.waits[index].begin)
            timeline.begin[index] = self.env.now
            self._tell(Happening.BEGIN, index)
            parts = command.tile.descriptors
            if dma.setup_cycles:
                yield self.env.timeout(dma.setup_cycles * len(parts))
            if index in self.turns:
                yield from self._my_turn(index)
            served = self.memory.request(Request(self.requesters[write], write, blocks_of(parts)), self.env.now)
            if index in self.turns:
                self._pass_turn()
            self._tell(Happening.STREAM, index)
            timeline.stream[index] = self.env.now
            if served is not None:
                self._retire(write, index, served)
                yield from self._until(served.issued)
            else:
                self.under_way[write].append(index)
                self.issued[write] = self.env.event()
                yield self.issued[write]

    def _retire(self, write: bool, index: int, served: Completion) -> None:
        """A transfer's end is known; it is done no earlier than those before it."""
        self.timeline.free[index], self.timeline.stream_end[index] = served.issued, served.sent
        self.retired[write] = max(self.retired[write], served.done)
        if write:
            self._at(served.sent, Moment.SRAM_READ, index)
        self._at(self.retired[write], Moment.DONE, index)

    def _come_further(self, progress: Progress) -> None:
        """Take note of what the memory says of a transfer."""
        write = progress.requester == self.requesters[True]
        if progress.completion is not None:
            self._retire(write, self.under_way[write].popleft(), progress.completion)
        if progress.issued is not None:
            self.env.process(self._turn_to_next(self.issued.pop(write), progress.issued))

    def _turn_to_next(self, issued: simpy.Event, cycle: int) -> Process:
        yield from self._until(cycle)
        issued.succeed()

    def _my_turn(self, index: int) -> Process:
        """Under program order, wait until all DMA commands before this one have been handed to DRAM."""
        turn = self.turns[index]
        if turn != self.next_turn:
            event = self.turn_events[turn] = self.env.event()
            yield event

    def _pass_turn(self) -> None:
        self.next_turn += 1
        event = self.turn_events.pop(self.next_turn, None)
        if event is not None:
            event.succeed()

    def _deadlock(self) -> str:
        lines = [
            f"{unit}: {_name(self.program, index)} waits for {_name(self.program, wait[0])} ({wait[1].name.lower()})"
            for unit, (index, wait) in sorted(self.waiting.items())
        ]
        return f"the machine stands still at cycle {self.env.now}: " + "; ".join(lines or ["nobody waits"])


def _turns(commands: Sequence[Command]) -> dict[int, int]:
    """The rank of each DMA command among all of them."""
    indices = [index for index, command in enumerate(commands) if not isinstance(command, Compute)]
    return {index: rank for rank, index in enumerate(indices)}


def _name(program: Program, index: int) -> str:
    command = program.commands[index]
    return f"{type(command).__name__.lower()} {index} of {program.layers[command.layer]}"
