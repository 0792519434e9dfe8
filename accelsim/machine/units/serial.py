"""Units that work on one piece after the other: the vector unit and the depthwise engine."""

from __future__ import annotations

from dataclasses import dataclass

from accelsim.machine.clock import CommandEvent, Process
from accelsim.machine.units.unit import Unit
from accelsim.program.commands import Compute
from accelsim.program.link import Linked, Moment


@dataclass(slots=True)
class SerialUnit(Unit):
    """An instance of such a unit."""

    def serve(self, linked: Linked) -> Process:
        """See `Unit`: until the last element is through."""
        clock, task, command = self.around.clock, linked.task, linked.command
        assert isinstance(command, Compute)
        yield from clock.wait(self.name, task, task.begin_waits)
        self.begin(linked)
        clock.notify(CommandEvent.STREAM, linked)
        task.stream = clock.now
        task.stream_end = task.free = clock.now + command.unit_cycles
        yield from clock.until(task.free)
        clock.complete(Moment.STREAM_READ, linked)
        self.finish_at(task.free + command.post_cycles, linked)
