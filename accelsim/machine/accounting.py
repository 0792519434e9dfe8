"""The accounts of the layers: clocks, causes of idle ones, and actions, folded as the clock passes.

Each clock of a run is given to one layer: the one that streams on the array, or, where the array is idle, the one whose
command the next stream waits for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from operator import add

from accelsim.config.machine import Machine
from accelsim.machine.doubling import BEGIN, NOTHING, STREAM, STREAM_END, Clocks, Doubling, TransferRates
from accelsim.machine.memory.port import Block, CacheCounts, Met
from accelsim.machine.stalls import PathPhase, Segment, idle_at_end, idle_before, idle_before_stream, led_by, origin
from accelsim.program.commands import NO_ACTIONS, Buffer, Command, Compute, Program, clocks_before
from accelsim.program.folds import FoldChain, bubble_cycles
from accelsim.program.link import NEVER, Linked, Moment, Task
from accelsim.program.tensors import Descriptor
from accelsim.records import STALL_CAUSES, ActionCounts
from accelsim.unit_kinds import UNIT_KINDS, UnitKind

NO_CACHE_COUNTS = CacheCounts(0, 0, 0)

KINDS = 64
"""Kinds of Computes of a layer that are counted before their actions are added up."""

PATHS = 4096
"""Commands in an idle time of the array of which is kept what led to each, before its first half is counted."""

OnSegment = Callable[[Segment], None]
"""Sees, in order of time, what went on in the clocks of the run."""


@dataclass(slots=True)
class LayerAccount:
    """Clocks and actions of a layer.

    latency_cycles: from its first command to its last; end_cycle: when that was done, 0 without commands;
    stream_cycles: in which the array streams for it, of which stretched_cycles because of SRAM ports and bubble_cycles
    between folds; stalls: clocks in which the array is idle and its next stream waits for this layer, by cause.
    doubled: all those clocks by the replay, with each resource twice as good and as it is; occupied: clocks in which
    units of each kind serve it; counts: actions of units and SRAM ports; moved: those of DMA; caches: what its requests
    met in each, the highest first.
    """

    latency_cycles: int = 0
    end_cycle: int = 0
    stream_cycles: int = 0
    stretched_cycles: int = 0
    bubble_cycles: int = 0
    stalls: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STALL_CAUSES, 0))
    doubled: Clocks = NOTHING
    occupied: dict[UnitKind, int] = field(default_factory=lambda: dict.fromkeys(UNIT_KINDS.values(), 0))
    counts: ActionCounts = NO_ACTIONS
    moved: ActionCounts = NO_ACTIONS
    caches: tuple[CacheCounts, ...] = ()

    @property
    def total_cycles(self) -> int:
        """The clocks given to it; those of all layers are the run's."""
        return self.stream_cycles + sum(self.stalls.values())


@dataclass(slots=True)
class _Kind:
    """Actions and folds of Computes, see there, and how many have these."""

    actions: ActionCounts
    beside: tuple[tuple[int, ActionCounts], ...]
    chain: FoldChain | None
    stretched_cycles: int
    times: int = 0


@dataclass(slots=True)
class _Layer:
    """A layer under way. begin: when its first command began; moved: transfers by kind of engine and buffer, as
    requested bytes, bursts, descriptors, bytes on chip, bytes that a codec passes; kinds: of its last Computes, by the
    actions and folds that they share."""

    account: LayerAccount = field(default_factory=LayerAccount)
    begin: int = NEVER
    moved: dict[tuple[UnitKind, Buffer], list[int]] = field(default_factory=dict)
    kinds: dict[tuple[int, ...], _Kind] = field(default_factory=dict)


class Accounting:
    """The accounts of a run under way.

    Without a `doubling` nothing is replayed.
    unfinished: commands that were fed and are not done; transfers: handed to the memory so far, of which under_way:
    those whose end is not known.
    """

    def __init__(
        self, program: Program, machine: Machine, doubling: Doubling | None, on_segment: OnSegment | None = None
    ) -> None:
        self.unfinished = 0
        self.transfers = self.under_way = 0
        self._layers = [_Layer() for _ in program.layers]
        self._doubling = doubling
        self._rates = TransferRates.of(machine)
        self._overlap = machine.array.overlap
        self._burst_bytes = machine.dram.burst_bytes
        self._has_caches = machine.caches is not None
        self._on_segment = on_segment
        self._stream: Task | None = None
        self._last: Task | None = None
        self._counted = 0
        self._may_lead: deque[Task] = deque()
        self._layer, self._reached = 0, NOTHING

    def fed(self) -> None:
        """A command has come to the queues."""
        self.unfinished += 1

    def begins(self, linked: Linked, before: Task | None) -> None:
        """A command begins; `before` is the one that its unit served before."""
        command, task = linked
        layer = self._layers[task.role.layer]
        if layer.begin == NEVER:
            layer.begin = task.begin
        if self._doubling is not None:
            self._doubling.begins(task, before)
            if isinstance(command, Compute) and command.chain is None:
                self._doubling.computes(task, command)
        if not isinstance(command, Compute) or command.chain is None:
            task.led_by = led_by(task, before)
            task.begin_waits = ()
            self._may_lead.append(task)
            if len(self._may_lead) > PATHS:
                self._count_first_half(task)
        if isinstance(command, Compute):
            self._count_actions(layer, command)

    def _count_actions(self, layer: _Layer, command: Compute) -> None:
        key = id(command.actions), id(command.chain), id(command.beside), command.stretched_cycles
        kind = layer.kinds.get(key)
        if kind is None:
            if len(layer.kinds) == KINDS:
                self._add_up(layer)
            own = command.actions, command.beside, command.chain, command.stretched_cycles
            kind = layer.kinds[key] = _Kind(*own)
        kind.times += 1

    def _add_up(self, layer: _Layer) -> None:
        """Add up the actions of the last Computes of a layer, and of the operators beside them."""
        account = layer.account
        for kind in layer.kinds.values():
            times = kind.times
            account.counts += kind.actions.times(times)
            for number, actions in kind.beside:
                self._layers[number].account.counts += actions.times(times)
            account.stretched_cycles += times * kind.stretched_cycles
            if kind.chain is not None:
                account.bubble_cycles += times * bubble_cycles(kind.chain, overlap=self._overlap)
        layer.kinds.clear()

    def streams(self, linked: Linked, done: int) -> None:
        """The stream of an array command starts, and all clocks until then are known; done: when it will be."""
        command, task = linked
        assert isinstance(command, Compute)
        assert command.chain is not None
        end = self._counted
        if self._doubling is not None:
            self._doubling.streams(task, command.chain, self._stream, done)
        idle = idle_before_stream(task, command.chain, end, self._rates) if end < task.stream else ()
        self._count(task, idle, STREAM)
        self._count_stream(task)
        self._stream, self._counted = task, task.stream_end
        task.begin_waits = task.stream_waits = ()
        self._forget_paths(end)

    def _count_first_half(self, task: Task) -> None:
        """Give out the clocks until the first half of the commands that may lead to the next stream had begun, by the
        path of a command that begins now: all paths come from there, or from one beside it that took as long."""
        self._forget_paths(self._counted)
        if len(self._may_lead) <= PATHS:
            return
        middle = self._may_lead[PATHS // 2]
        first = origin(task, middle.begin)
        if not self._counted < first.begin <= middle.begin:
            first = middle
        self._count(first, idle_before(first, self._counted, self._rates), BEGIN)
        self._counted = first.begin
        self._forget_paths(first.begin)

    def _forget_paths(self, cycle: int) -> None:
        """Forget what led to commands that began by a clock, until which all clocks are given out."""
        while self._may_lead and self._may_lead[0].begin <= cycle:
            self._may_lead.popleft().led_by = None

    def moves(self, linked: Linked, descriptors: Sequence[Descriptor], blocks: Sequence[Block]) -> None:
        """A transfer is handed to the memory."""
        self.transfers += 1
        self.under_way += 1
        role = linked.task.role
        totals = self._layers[role.layer].moved.setdefault((role.unit, role.buffer), [0, 0, 0, 0, 0])
        requested = sum(part.requested_bytes for part in descriptors)
        totals[0] += requested
        coded = _coded_bytes(linked.command)
        totals[3] += coded or requested
        totals[4] += coded
        linked.task.bursts = sum(block.bursts(self._burst_bytes) for block in blocks)
        if not self._has_caches:
            totals[1] += linked.task.bursts
        totals[2] += len(descriptors)
        if self._doubling is not None:
            self._doubling.requests(linked.task, *clocks_before(linked.command))

    def issued(self, task: Task) -> None:
        """The last burst of a transfer has left."""
        if self._doubling is not None:
            self._doubling.issued(task)

    def served(self, task: Task, done: int) -> None:
        """It is known when the data of a transfer will be where it goes."""
        self.under_way -= 1
        if self._doubling is not None:
            self._doubling.served(task, done)

    def met(self, linked: Linked, met: Met) -> None:
        """All requests of a transfer have reached the caches."""
        account = self._layers[linked.task.role.layer].account
        before = account.caches or (NO_CACHE_COUNTS,) * len(met.caches)
        account.caches = tuple(CacheCounts(*map(add, *both)) for both in zip(before, met.caches, strict=True))
        account.moved += ActionCounts(
            dram_read_burst_bytes=met.dram_read_bytes, dram_write_burst_bytes=met.dram_write_bytes
        )

    def done(self, linked: Linked) -> None:
        """A command's data is where it goes."""
        task = linked.task
        role, account = task.role, self._layers[task.role.layer].account
        self.unfinished -= 1
        account.end_cycle = max(account.end_cycle, task.done)
        account.occupied[role.unit] += busy_cycles(task)
        if self._last is None or (-task.done, task.index) < (-self._last.done, self._last.index):
            self._last = task

    def finish(self) -> tuple[int, list[LayerAccount]]:
        """The end of the run, and the accounts, when all commands are done."""
        if self._last is not None:
            self._count(self._last, idle_at_end(self._last, self._counted, self._rates), Moment.DONE)
            if self._doubling is not None:
                self._pass(self._layer, self._doubling.since(self._reached))
        for layer in self._layers:
            self._add_up(layer)
        for layer in self._layers:
            account = layer.account
            account.latency_cycles = account.end_cycle - layer.begin if layer.begin != NEVER else 0
            for (unit, buffer), (requested, bursts, parts, on_chip, coded) in layer.moved.items():
                account.moved += moved(unit, buffer, requested, bursts * self._burst_bytes, parts, on_chip, coded)
        accounts = [layer.account for layer in self._layers]
        return max((account.end_cycle for account in accounts), default=0), accounts

    def _count(self, task: Task, segments: Sequence[Segment], reached: int) -> None:
        """Give the next clocks of the run, idle ones that lead to `task`, to their layers; the replay has come to this
        place of its clocks."""
        shares: dict[int, int] = {}
        for segment in segments:
            account, clocks = self._layers[segment.layer].account, segment.high - segment.low
            assert segment.cause is not None
            account.stalls[segment.cause] += clocks
            shares[segment.layer] = shares.get(segment.layer, 0) + clocks
            if self._on_segment is not None:
                self._on_segment(segment)
        if self._doubling is not None:
            self._share(shares or {task.role.layer: 1}, task.doubled[reached], self._doubling)

    def _count_stream(self, task: Task) -> None:
        """Give the clocks of a stream to its layer."""
        number = task.role.layer
        if task.stream < task.stream_end:
            self._layers[number].account.stream_cycles += task.stream_end - task.stream
            if self._on_segment is not None:
                self._on_segment(Segment(task.stream, task.stream_end, None, PathPhase.STREAM, task.index, number))
        if self._doubling is not None:
            clocks = max(1, task.stream_end - task.stream)
            self._share({number: clocks}, task.doubled[STREAM_END], self._doubling)

    def _share(self, shares: dict[int, int], reached: Clocks, doubling: Doubling) -> None:
        """Give the clocks of the replay until `reached` to layers, by their clocks; as long as one layer has all, at
        once."""
        if len(shares) > 1 or self._layer not in shares:
            self._pass(self._layer, doubling.since(self._reached))
            passed, whole = doubling.since(reached), sum(shares.values())
            for self._layer, clocks in shares.items():
                self._pass(self._layer, [each * clocks / whole for each in passed])
        self._reached = reached

    def _pass(self, layer: int, clocks: Iterable[float]) -> None:
        account = self._layers[layer].account
        account.doubled = tuple(map(add, account.doubled, clocks))


def busy_cycles(task: Task) -> int:
    """Clocks in which a command that is done held its unit: until its transfer has left, or while its data streams."""
    return task.free - task.begin if task.role.unit.moves_tiles else task.stream_end - task.stream


def _coded_bytes(command: Command) -> int:
    """Plain bytes of a transfer that is coded on its way; those requested are fewer, and other ones on chip."""
    assert not isinstance(command, Compute)
    tensor = command.tile.tensor
    return command.tile.bytes if tensor.decoded or tensor.code is not None else 0


def moved(
    unit: UnitKind, buffer: Buffer, requested: int, bursts: int, descriptors: int, on_chip: int, coded: int
) -> ActionCounts:
    """Actions of transfers from or to a buffer: bytes that are requested, of bursts, on chip, and through a codec."""
    engine = ActionCounts(dma_descriptors=descriptors, coded_bytes=coded)
    if unit.stores:
        return replace(
            engine, sram_read_ofmap_bytes=on_chip, dram_write_ofmap_bytes=requested, dram_write_burst_bytes=bursts
        )
    if buffer is Buffer.WEIGHT:
        return replace(
            engine, sram_write_weight_bytes=on_chip, dram_read_weight_bytes=requested, dram_read_burst_bytes=bursts
        )
    return replace(
        engine, sram_write_ifmap_bytes=on_chip, dram_read_ifmap_bytes=requested, dram_read_burst_bytes=bursts
    )
