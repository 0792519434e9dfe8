"""A PE array: chains of folds, one behind the other in its pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field

from accelsim.machine.clock import CommandEvent, Process
from accelsim.machine.pipeline import Pipeline
from accelsim.machine.units.unit import Unit
from accelsim.program.commands import Compute
from accelsim.program.link import Linked, Moment


@dataclass(slots=True)
class ArrayUnit(Unit):
    """An instance of a PE array."""

    pipeline: Pipeline = field(init=False)

    def __post_init__(self) -> None:
        self.pipeline = Pipeline(self.around.machine.array.overlap)

    def serve(self, linked: Linked) -> Process:
        """See `Unit`: until the last fold's stream starts."""
        clock, task, command = self.around.clock, linked.task, linked.command
        assert isinstance(command, Compute)
        assert command.chain is not None
        if task.begin_waits:
            yield from clock.wait(self.name, task, task.begin_waits)
        load_begin = self.pipeline.load_begin(clock.now)
        if load_begin > clock.now:
            yield from clock.until(load_begin)
        self.begin(linked)
        if task.stream_waits:
            yield from clock.wait(self.name, task, task.stream_waits)
        passage = self.pipeline.passage(command.chain, load_begin, clock.now)
        if passage.start > clock.now:
            yield from clock.until(passage.start)
        clock.notify(CommandEvent.STREAM, linked)
        task.stream, task.stream_end, task.free = passage.start, passage.stream_end, passage.last_start
        skew = command.chain.last.skew
        read = passage.stream_end + skew
        done = max(read, passage.end + command.post_cycles)
        self.around.accounting.streams(linked, done)
        is_released = frozenset(command.released)
        for moment, cycle, tiles in (
            (Moment.STATIONARY_READ, passage.last_start + skew, command.stationary),
            (Moment.STREAM_READ, read, command.streamed),
        ):
            clock.schedule(cycle, moment, linked, awaited=not is_released.isdisjoint(tiles))
        self.finish_at(done, linked)
        if passage.last_start > clock.now:
            yield from clock.until(passage.last_start)
