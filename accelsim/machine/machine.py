"""The machine: instances of units behind their queues, one memory, and the clock that plays a stream of commands.

Time is integer array clocks. What happens inside a fold, a vector operation or a transfer is a closed form, so the
number of events grows with the commands and not with their clocks; what is known of a command is folded into the
accounts of its layer, so that memory is that of a window.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from accelsim.collection import uncollected
from accelsim.config.machine import Machine
from accelsim.config.scheduling import Arbitration, Scheduling
from accelsim.errors import DeadlockError
from accelsim.machine.accounting import Accounting, LayerAccount, OnSegment
from accelsim.machine.clock import Clock, Observer, name_of
from accelsim.machine.doubling import Clocks, Doubling
from accelsim.machine.memory import BusSpan, Memory, behind_caches, memory_of
from accelsim.machine.memory.dram.statistics import DramCounts
from accelsim.machine.queues import CommandQueue, Feed, ProgramOrder
from accelsim.machine.units.array import ArrayUnit
from accelsim.machine.units.dma import DmaEngine
from accelsim.machine.units.serial import SerialUnit
from accelsim.machine.units.unit import Surroundings, Unit
from accelsim.program.commands import Program
from accelsim.program.link import Linked, link
from accelsim.unit_kinds import UNIT_KINDS, UnitKind


@dataclass(slots=True)
class Outcome:
    """Result of a program on a machine.

    total_cycles: array clock at which all is done; layers: clocks and actions of each; dram_busy_clocks: of the busiest
    data bus; dram_counts: what a DRAM at command granularity did; bus_spans: when each of its data buses moved what, if
    noted.
    """

    total_cycles: int
    layers: list[LayerAccount]
    dram_busy_clocks: int = 0
    dram_counts: DramCounts | None = None
    bus_spans: Callable[[], list[list[BusSpan]]] = field(default=list, compare=False)


def play(
    program: Program,
    linked: Iterable[Linked],
    machine: Machine,
    observers: Iterable[Observer] = (),
    arbitration: Arbitration = "arrival",
    on_segment: OnSegment | None = None,
    chains: Sequence[Clocks] = (),
    *,
    bus_spans: bool = False,
) -> Outcome:
    """Run the linked commands of a program on a machine.

    arbitration: the order in which the memory serves the DMA engines; on_segment sees what went on in each clock;
    chains: of each layer, the ratio of the clocks of its folds with each resource doubled to those now; where none are
    given, nothing is replayed with doubled resources; bus_spans: note when the data buses of the DRAM move what.
    Raises DeadlockError, naming who waits for what, where the program can't go on; and what making the commands raises.
    """
    memory = behind_caches(memory_of(machine.dram, machine.array.clock_mhz, bus_spans=bus_spans), machine)
    return _Player(program, linked, machine, memory, tuple(observers), arbitration, on_segment, chains).run()


def instances_of(kind: UnitKind, machine: Machine) -> int:
    """Number of units of a kind that a machine has."""
    found = attrgetter(kind.instances)(machine) if kind.instances else 1
    return found if isinstance(found, int) else int(found is not None)


def unit_names(machine: Machine) -> dict[str, UnitKind]:
    """Instances of units by name, which has a number where there are several of a kind."""
    counts = {kind: instances_of(kind, machine) for kind in UNIT_KINDS.values()}
    return {
        kind.name if count == 1 else f"{kind.name}_{number}": kind
        for kind, count in counts.items()
        for number in range(1, count + 1)
    }


def link_for(program: Program, machine: Machine, scheduling: Scheduling = Scheduling()) -> Iterator[Linked]:
    """The commands with what they wait for on this machine, with the slots of tile iterations that there are.

    Raises ProgramError, as it comes to it.
    """
    return link(
        program,
        side_by_side=[kind for kind in UNIT_KINDS.values() if instances_of(kind, machine) > 1],
        in_slots=scheduling.slots is not None,
        after_loads=scheduling.compute_after == "loads",
    )


class _Player:
    def __init__(
        self,
        program: Program,
        linked: Iterable[Linked],
        machine: Machine,
        memory: Memory,
        observers: tuple[Observer, ...],
        arbitration: Arbitration,
        on_segment: OnSegment | None,
        chains: Sequence[Clocks],
    ) -> None:
        self.program = program
        self.memory = memory
        self.accounting = Accounting(program, machine, Doubling(machine, chains) if chains else None, on_segment)
        self.clock = Clock(observers, self.accounting.done, self._bring_memory, is_stepwise=bool(machine.caches))
        self.queues = {kind: CommandQueue(self.clock.env) for kind in UNIT_KINDS.values()}
        self.order = ProgramOrder(self.clock.env) if arbitration == "program_order" else None
        self.feed = Feed(iter(linked), self.queues, self._fed)
        around = Surroundings(machine, self.clock, self.memory, self.feed, self.accounting, self.order)
        self.engines: dict[int, DmaEngine] = {}
        self.reached = (0.0, -1)
        self.units = [self._unit(name, kind, around) for name, kind in unit_names(machine).items()]

    def _unit(self, name: str, kind: UnitKind, around: Surroundings) -> Unit:
        queue = self.queues[kind]
        if kind.folds:
            return ArrayUnit(name, queue, around)
        if not kind.moves_tiles:
            return SerialUnit(name, queue, around)
        dma = around.machine.dma
        requester = self.memory.add_requester(dma.max_outstanding_bursts, dma.bursts_per_clock)
        engine = self.engines[requester] = DmaEngine(name, queue, around, requester)
        return engine

    def _fed(self, linked: Linked) -> None:
        self.accounting.fed()
        if self.order is not None:
            self.order.add(linked)

    def run(self) -> Outcome:
        """Play all commands. SimPy's events are short-lived and hardly ever cyclic: without the collector of cycles
        they take a third less time."""
        with uncollected():
            self.feed.reach(-1)
            for unit in self.units:
                self.clock.env.process(unit.run())
            while self.accounting.unfinished or not self.feed.has_ended:
                self._step()
        total, layers = self.accounting.finish()
        return Outcome(
            total, layers, self.memory.busy_clocks, self.memory.counts(total), bus_spans=self.memory.bus_spans
        )

    def _step(self) -> None:
        """Let the memory come to where the next event is, which may be one of its own, and play that."""
        env = self.clock.env
        self._bring_memory(math.inf)
        if env.peek() == math.inf:
            raise DeadlockError(self._deadlock())
        env.step()

    def _bring_memory(self, cycle: float) -> None:
        """Let the memory come to the next event, or to a clock before it.

        Where it is there already and no transfer was added, or none is under way, it has nothing to tell.
        """
        env, accounting = self.clock.env, self.accounting
        if not accounting.under_way or (min(env.peek(), cycle), accounting.transfers) == self.reached:
            return
        while progress := self.memory.advance(min(env.peek(), cycle)):
            for each in progress:
                self.engines[each.requester].progress(each)
        self.reached = min(env.peek(), cycle), accounting.transfers

    def _deadlock(self) -> str:
        layers = self.program.layers
        lines = [
            f"{unit}: {name_of(task, layers)} waits for {name_of(wait[0], layers)} ({wait[1].name.lower()})"
            for unit, (task, wait) in sorted(self.clock.waiting.items())
        ]
        return f"the machine stands still at cycle {self.clock.now}: " + "; ".join(lines or ["nobody waits"])
