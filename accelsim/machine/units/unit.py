"""Base of all units."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from accelsim.config.machine import Machine
from accelsim.machine.accounting import Accounting
from accelsim.machine.clock import Clock, CommandEvent, Process
from accelsim.machine.memory import Memory
from accelsim.machine.queues import CommandQueue, Feed, ProgramOrder
from accelsim.program.link import Linked, Moment, Task


@dataclass(slots=True)
class Host:
    """The core that issues the commands of a tile iteration, one iteration after the other; free: when it has."""

    free: int = field(default=0, init=False)

    def turn(self, cycle: int, clocks: int) -> int:
        """The clock at which it has issued an iteration that can begin at `cycle`; the next is ready `clocks` later."""
        if not clocks:
            return cycle
        issued = max(cycle, self.free)
        self.free = issued + clocks
        return issued


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Surroundings that the units of a machine share.

    order: in which transfers reach the memory, if it is not that of arrival.
    """

    machine: Machine
    clock: Clock
    memory: Memory
    feed: Feed
    accounting: Accounting
    order: ProgramOrder | None
    host: Host = field(default_factory=Host)


@dataclass(slots=True)
class Unit(ABC):
    """An instance of a unit: serves the commands of its queue one after the other.

    This is the contract, to which `tests/machine/units/test_contract.py` holds each kind of `accelsim.unit_kinds`. All
    instances of a kind have one queue, and one that is free takes the next command; so those of an instance come in the
    order of the program. A command begins when its unit is free and what it waits for has happened. It holds the unit
    until `Task.free`, for clocks that it brings along or that the memory takes, and the next one begins no earlier.
    `serve` says once that it begins, notes its clocks in its `Task`, and lets all its moments come. It waits under the
    name of its unit, by which a standstill is reported.
    before: the command served last.
    """

    name: str
    queue: CommandQueue
    around: Surroundings
    before: Task | None = field(default=None, init=False)

    def run(self) -> Process:
        """Serve commands for ever."""
        while True:
            linked = self.queue.next() or (yield from self.queue.take())
            linked.task.instance = self.name
            yield from self.serve(linked)
            self.before = linked.task

    @abstractmethod
    def serve(self, linked: Linked) -> Process:
        """Serve a command until the unit can turn to the next."""

    def begin(self, linked: Linked) -> None:
        """A command begins now."""
        linked.task.begin = self.around.clock.now
        self.around.clock.notify(CommandEvent.BEGIN, linked)
        self.around.accounting.begins(linked, self.before)
        self.around.feed.reach(linked.task.index)

    def finish_at(self, cycle: int, linked: Linked, *, early: bool = True) -> None:
        """A command's data will be where it goes. early: see `Clock.schedule`."""
        self.around.clock.schedule(cycle, Moment.DONE, linked, early=early)
