"""Simulated time, in whole array clocks, and the moments of commands as they come."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from enum import StrEnum
from heapq import heappush
from typing import TYPE_CHECKING, Any, Protocol

import simpy

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


_Position = tuple[float, simpy.core.EventPriority, int]
"""Place of an event among all: its clock, its priority, its number."""
_NORMAL = simpy.events.NORMAL
"""Priority of all events but those that start processes."""


class _Environment(simpy.Environment):
    """SimPy's time may be a float; here it is whole clocks. An event may keep the number that it would have had when it
    was known, and come into being where somebody waits for it.

    position: of the event that is processed; is_alone: whether one process at most goes on by it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.position: _Position = (0, _NORMAL, 0)
        self.is_alone = False

    if TYPE_CHECKING:

        @property
        def now(self) -> int: ...

    def number(self) -> int:
        """The number of an event that is known now."""
        return next(self._eid)

    def has_passed(self, cycle: int, number: int) -> bool:
        """True where an event of this clock and number would have been processed."""
        return (cycle, _NORMAL, number) <= self.position

    def comes_first(self, cycle: int, number: int) -> bool:
        """True where no event comes before this one."""
        return not self._queue or (cycle, _NORMAL, number) < self._queue[0][:3]

    def at(self, cycle: int, number: int) -> simpy.Event:
        """An event at a clock that has a number."""
        event = simpy.Event(self)
        event._ok, event._value = True, None
        heappush(self._queue, (cycle, _NORMAL, number, event))
        return event

    def pass_to(self, cycle: int, number: int) -> None:
        """Go on to what would be the next event."""
        self._now = cycle
        self.position = cycle, _NORMAL, number

    def step(self) -> None:
        """Process the next event."""
        *_, event = upcoming = self._queue[0]
        self.position = upcoming[:3]
        self.is_alone = len(event.callbacks) == 1
        super().step()


class Clock:
    """SimPy's clock, and who waits for which moment.

    Where nothing else happens until a clock that a process waits for, it goes on at once. on_done sees each command
    whose data is, or is known to come, where it goes; bring_memory lets the memory come as far as to a clock;
    is_stepwise: whether each moment that somebody may wait for is an event, to which the memory comes: caches serve
    requests of one clock in the order in which news of them came; waiting: what each unit that stands still waits for,
    by its name.
    """

    def __init__(
        self,
        observers: tuple[Observer, ...],
        on_done: Callable[[Linked], None],
        bring_memory: Callable[[float], None],
        *,
        is_stepwise: bool,
    ) -> None:
        self.env = _Environment()
        self.bring_memory = bring_memory
        self.is_stepwise = is_stepwise
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
        env = self.env
        for wait in waits:
            other, moment = wait
            known, number = other.moments[moment], other.numbers[moment]
            if known == NEVER or (number != NEVER and not env.has_passed(known, number)):
                self.waiting[unit] = (task, wait)
                yield self._event(wait)
                del self.waiting[unit]
            elif known > env.now:
                yield from self.until(known)

    def _event(self, wait: Wait) -> simpy.Event:
        """The event that comes at a moment."""
        event = self._events.get(wait)
        if event is None:
            event = self._events[wait] = self.env.event()
            task, moment = wait
            if task.moments[moment] != NEVER:
                self._look_out(wait, task.moments[moment], task.numbers[moment])
        return event

    def _look_out(self, wait: Wait, cycle: int, number: int) -> None:
        """Tell those who wait for a moment when it comes."""
        callbacks = self.env.at(cycle, number).callbacks
        assert callbacks is not None
        callbacks.append(lambda _: self._come(wait))

    def _come(self, wait: Wait) -> None:
        event = self._events.pop(wait, None)
        if event is not None and event.callbacks:
            event.succeed()

    def until(self, cycle: int) -> Process:
        """Wait for a clock, unless it is over."""
        env = self.env
        if cycle <= env.now:
            return
        number = env.number()
        if env.is_alone and env.comes_first(cycle, number):
            self.bring_memory(cycle)
            if env.comes_first(cycle, number):
                env.pass_to(cycle, number)
                return
        yield env.at(cycle, number)

    def schedule(self, cycle: int, moment: Moment, linked: Linked, *, awaited: bool = True, early: bool = True) -> None:
        """Let a moment of a command come at a clock; one that nobody waits for takes no event.

        awaited: whether somebody may wait for it later; early: whether all of the command is known by then.
        """
        task, wait = linked.task, (linked.task, moment)
        task.moments[moment] = cycle
        if cycle == self.env.now:
            self.complete(moment, linked)
            return
        is_awaited = wait in self._events
        is_told = not early or bool(self.observers) or (self.is_stepwise and (awaited or is_awaited))
        if awaited or is_awaited or is_told:
            task.numbers[moment] = self.env.number()
        if is_told:
            self._events.setdefault(wait, self.env.event())
            callbacks = self.env.at(cycle, task.numbers[moment]).callbacks
            assert callbacks is not None
            callbacks.append(lambda _: self.complete(moment, linked))
            return
        if is_awaited:
            self._look_out(wait, cycle, task.numbers[moment])
        if moment is Moment.DONE:
            self.on_done(linked)

    def succeed(self, event: simpy.Event, cycle: int) -> None:
        """Let an event come at a clock, or now if that is over."""
        if cycle <= self.env.now:
            event.succeed()
            return
        callbacks = self.env.at(cycle, self.env.number()).callbacks
        assert callbacks is not None
        callbacks.append(lambda _: self._succeed(event))

    @staticmethod
    def _succeed(event: simpy.Event) -> None:
        event.succeed()

    def complete(self, moment: Moment, linked: Linked) -> None:
        """A moment of a command has come."""
        linked.task.moments[moment] = self.env.now
        self.notify(moment, linked)
        self._come((linked.task, moment))
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
    return f"{task.role.unit.command} {task.index} of {layers[task.role.layer]}"
