"""Commands on their way to the units: a queue for each kind of unit, filled from the stream as the machine goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import Any

import simpy

from accelsim.machine.clock import Process
from accelsim.program.commands import Compute
from accelsim.program.link import Linked, Task
from accelsim.unit_kinds import UnitKind

WINDOW = 4096
"""Commands that the units see beyond the furthest that was begun, at least."""

CHUNK = 1024
"""Commands that come at once: to make them in turn with playing them costs a third more time."""


class CommandQueue:
    """Commands for the units of a kind, in order; a unit that is free takes the next one."""

    def __init__(self, env: simpy.Environment) -> None:
        self._env = env
        self._commands: deque[Linked] = deque()
        self._idle: deque[simpy.Event] = deque()

    def put(self, linked: Linked) -> None:
        """Add a command behind the others."""
        self._commands.append(linked)
        if self._idle:
            self._idle.popleft().succeed()

    def next(self) -> Linked | None:
        """The next command, if there is one."""
        return self._commands.popleft() if self._commands else None

    def take(self) -> Generator[simpy.Event, Any, Linked]:
        """The next command, as soon as there is one."""
        while not self._commands:
            self._idle.append(self._env.event())
            yield self._idle[-1]
        return self._commands.popleft()


class Feed:
    """Brings the commands of a stream to the queues, no further ahead than `WINDOW`.

    fed: commands so far; has_ended: whether there are no more. on_fed sees each.
    """

    def __init__(
        self, stream: Iterator[Linked], queues: dict[UnitKind, CommandQueue], on_fed: Callable[[Linked], None]
    ) -> None:
        self._stream = stream
        self._queues = queues
        self._on_fed = on_fed
        self.fed = 0
        self.has_ended = False

    def reach(self, index: int) -> None:
        """A unit begins command `index`, or (-1) none has begun."""
        if self.fed > index + WINDOW:
            return
        while self.fed <= index + WINDOW + CHUNK and not self.has_ended:
            linked = next(self._stream, None)
            if linked is None:
                self.has_ended = True
                return
            self.fed += 1
            self._on_fed(linked)
            self._queues[linked.task.role.unit].put(linked)


class ProgramOrder:
    """Hands transfers to the memory in the order of the program."""

    def __init__(self, env: simpy.Environment) -> None:
        self._env = env
        self._rank_of: dict[Task, int] = {}
        self._added = 0
        self._next = 0
        self._events: dict[int, simpy.Event] = {}

    def add(self, linked: Linked) -> None:
        """Take note of a command of the stream."""
        if not isinstance(linked.command, Compute):
            self._rank_of[linked.task] = self._added
            self._added += 1

    def wait(self, task: Task) -> Process:
        """Wait until all transfers before this one have been handed to the memory."""
        rank = self._rank_of.pop(task)
        if rank != self._next:
            event = self._events[rank] = self._env.event()
            yield event

    def go_on(self) -> None:
        """A transfer was handed to the memory."""
        self._next += 1
        event = self._events.pop(self._next, None)
        if event is not None:
            event.succeed()
