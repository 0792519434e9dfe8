"""Simulated time, in whole array clocks, and the moments of commands as they come."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

import simpy

from accelsim.program.commands import UnitKind
from accelsim.program.link import NEVER, Linked, Moment, Task, Wait

Process = Generator[simpy.Event, Any, None]


class CommandEvent(StrEnum):
    """Events that observers see beside moments: a command begins (its first access to SRAM or DRAM), or starts its
    first stream."""

    BEGIN = "begin"
    STREAM = "stream"


class Observer(Protocol):
    """Watches a run; called in the order of events."""

    def happened(self, what: CommandEvent | Moment, linked: Linked, cycle: int) -> None:
        """A command came to this point at this array clock."""


class _Environment(simpy.Environment):
    """SimPy's time may be a float; here it is whole clocks."""

    if TYPE_CHECKING:

        @property
        def now(self) -> int: ...


class Clock:
    """SimPy's clock, and who waits for which moment.

    on_done sees each command whose data is where it goes; waiting: what each unit that stands still waits for, by its
    name.
    """

    def __init__(self, observers: tuple[Observer, ...], on_done: Callable[[Linked], None]) -> None:
        self.env = _Environment()
        self.observers = observers
        self.on_done = on_done
        self.waiting: dict[str, tuple[Task, Wait]] = {}
        self._events: dict[Wait, simpy.Event] = {}

    @property
    def now(self) -> int:
        """The array clock."""
        return self.env.now

    def wait(self, unit: str, task: Task, waits: Iterable[Wait]) -> Process:
        """Wait until all these moments have come."""
        for wait in waits:
            other, moment = wait
            known = other.moments[moment]
            if known == NEVER or other.scheduled >> moment & 1:
                self.waiting[unit] = (task, wait)
                yield self._events.setdefault(wait, self.env.event())
            elif known > self.env.now:
                yield self.env.timeout(known - self.env.now)
        self.waiting.pop(unit, None)

    def until(self, cycle: int) -> Process:
        """Wait for a clock, unless it is over."""
        if cycle > self.env.now:
            yield self.env.timeout(cycle - self.env.now)

    def schedule(self, cycle: int, moment: Moment, linked: Linked, *, awaited: bool = True) -> None:
        """Let a moment of a command come at a clock; one that nobody is known to look out for takes no event."""
        task = linked.task
        task.moments[moment] = cycle
        if cycle == self.env.now:
            self.complete(moment, linked)
        elif awaited or self.observers or (task, moment) in self._events:
            task.scheduled |= 1 << moment
            timeout = self.env.timeout(cycle - self.env.now)
            assert timeout.callbacks is not None
            timeout.callbacks.append(lambda _: self.complete(moment, linked))

    def succeed(self, event: simpy.Event, cycle: int) -> None:
        """Let an event come at a clock, or now if that is over."""
        if cycle <= self.env.now:
            event.succeed()
            return
        timeout = self.env.timeout(cycle - self.env.now)
        assert timeout.callbacks is not None
        timeout.callbacks.append(lambda _: self._succeed(event))

    @staticmethod
    def _succeed(event: simpy.Event) -> None:
        event.succeed()

    def complete(self, moment: Moment, linked: Linked) -> None:
        """A moment of a command has come."""
        task = linked.task
        task.moments[moment] = self.env.now
        task.scheduled &= ~(1 << moment)
        self.notify(moment, linked)
        event = self._events.pop((task, moment), None)
        if event is not None:
            event.succeed()
        if moment is Moment.DONE:
            self.on_done(linked)

    def notify(self, what: CommandEvent | Moment, linked: Linked) -> None:
        """Tell the observers."""
        if self.observers:
            now = self.env.now
            for observer in self.observers:
                observer.happened(what, linked, now)


def name_of(task: Task, layers: tuple[str, ...]) -> str:
    """Name of a command in a deadlock report."""
    kinds = {UnitKind.DMA_IN: "load", UnitKind.DMA_OUT: "store"}
    return f"{kinds.get(task.role.unit, 'compute')} {task.index} of {layers[task.role.layer]}"
