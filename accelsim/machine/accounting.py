"""The accounts of the layers: clocks, causes of idle ones, and actions, folded as the clock passes.

Each clock of a run is counted as one of the first layer that is not done by then. A layer is done when all its commands
are, of which the stream says that there will be no more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from accelsim.machine.memory.port import Block
from accelsim.machine.stalls import Cause, Phase, Segment, idle_at_end, idle_before_stream, led_by
from accelsim.program.commands import NO_ACTIONS, Buffer, Compute, Load, Program, UnitKind
from accelsim.program.folds import bubble_cycles
from accelsim.program.link import NEVER, Linked, Task
from accelsim.program.tensors import Descriptor
from accelsim.records import ActionCounts

OnSegment = Callable[[int, Segment], None]
"""Sees the number of a layer and, in order of time, what went on in clocks that are counted as the layer's."""


@dataclass(slots=True)
class LayerAccount:
    """Clocks and actions of a layer.

    total_cycles: its end minus the latest end before it, at least 0, so that layers add up to the run;
    latency_cycles: from its first command to its last; stream_cycles: from start to end of its streams on the array,
    wherever they lie, of which stretched_cycles because of SRAM ports and bubble_cycles between folds; overlap_cycles:
    streams of other layers within total_cycles, minus own streams outside of it; stalls: idle clocks of the array
    within total_cycles, by cause. So total = stream + overlap + sum of stalls. occupied: clocks of each kind of unit;
    counts: actions of units and SRAM ports; moved: those of DMA.
    """

    total_cycles: int = 0
    latency_cycles: int = 0
    stream_cycles: int = 0
    stretched_cycles: int = 0
    bubble_cycles: int = 0
    overlap_cycles: int = 0
    stalls: dict[Cause, int] = field(default_factory=lambda: dict.fromkeys(Cause, 0))
    occupied: dict[UnitKind, int] = field(default_factory=lambda: dict.fromkeys(UnitKind, 0))
    counts: ActionCounts = NO_ACTIONS
    moved: ActionCounts = NO_ACTIONS


@dataclass(slots=True)
class _Layer:
    """A layer under way. to_come: its commands that are not done; begin, end: when the first began, and the last of
    those that are was done; moved: transfers by kind of engine and buffer, as requested bytes, bursts, descriptors."""

    account: LayerAccount = field(default_factory=LayerAccount)
    to_come: int = 0
    begin: int = NEVER
    end: int = 0
    moved: dict[tuple[UnitKind, Buffer], list[int]] = field(default_factory=dict)


class Accounting:
    """The accounts of a run under way. unfinished: commands that were fed and are not done; transfers: handed to the
    memory so far."""

    def __init__(self, program: Program, overlap: bool, burst_bytes: int, on_segment: OnSegment | None = None) -> None:
        self.unfinished = 0
        self.transfers = 0
        self._layers = [_Layer(to_come=int(number not in program.idle_layers)) for number in range(len(program.layers))]
        self._overlap = overlap
        self._burst_bytes = burst_bytes
        self._on_segment = on_segment
        self._front = 0
        self._stream: Task | None = None
        self._last: Task | None = None
        self._may_lead: deque[Task] = deque()

    def fed(self, linked: Linked) -> None:
        """A command has come to the queues. With the last Compute of a layer it is known how many are to come."""
        self.unfinished += 1
        command, layer = linked.command, self._layers[linked.task.role.layer]
        match command:
            case Load():
                layer.to_come += 1
            case Compute():
                layer.to_come += len(command.stored) + (0 if command.ends_layer else 1)

    def begins(self, linked: Linked, before: Task | None) -> None:
        """A command begins; `before` is the one that its unit served before."""
        command, task = linked
        layer = self._layers[task.role.layer]
        if layer.begin == NEVER:
            layer.begin = task.begin
        if not isinstance(command, Compute) or command.chain is None:
            task.led_by = led_by(task, before)
            task.begin_waits = ()
            self._may_lead.append(task)
        if isinstance(command, Compute):
            account = layer.account
            account.counts += command.actions
            for number, actions in command.beside:
                self._layers[number].account.counts += actions
            account.stretched_cycles += command.stretched_cycles
            if command.chain is not None:
                account.bubble_cycles += bubble_cycles(command.chain, overlap=self._overlap)

    def streams(self, linked: Linked) -> None:
        """The stream of an array command starts, and all clocks until then are known."""
        command, task = linked
        assert isinstance(command, Compute)
        assert command.chain is not None
        end = self._fold_stream()
        for segment in idle_before_stream(task, command.chain, end):
            self._count(segment)
        self._stream = task
        task.begin_waits = task.stream_waits = ()
        while self._may_lead and self._may_lead[0].begin <= end:
            self._may_lead.popleft().led_by = None

    def moves(self, linked: Linked, descriptors: Sequence[Descriptor], blocks: Sequence[Block]) -> None:
        """A transfer is handed to the memory."""
        self.transfers += 1
        role = linked.task.role
        totals = self._layers[role.layer].moved.setdefault((role.unit, role.buffer), [0, 0, 0])
        totals[0] += sum(part.requested_bytes for part in descriptors)
        totals[1] += sum(block.bursts(self._burst_bytes) for block in blocks)
        totals[2] += len(descriptors)

    def done(self, linked: Linked) -> None:
        """A command's data is where it goes."""
        task, layer = linked.task, self._layers[linked.task.role.layer]
        self.unfinished -= 1
        layer.to_come -= 1
        layer.end = max(layer.end, task.done)
        busy = task.stream_end - task.stream
        layer.account.occupied[task.role.unit] += busy
        if task.role.unit is UnitKind.ARRAY:
            layer.account.stream_cycles += busy
        if self._last is None or (-task.done, task.index) < (-self._last.done, self._last.index):
            self._last = task

    def finish(self) -> tuple[int, list[LayerAccount]]:
        """The end of the run, and the accounts, when all commands are done."""
        if self._last is not None:
            for segment in idle_at_end(self._last, self._fold_stream()):
                self._count(segment)
        latest = 0
        for layer in self._layers:
            account, end = layer.account, max(latest, layer.end)
            account.total_cycles = end - latest
            account.latency_cycles = layer.end - layer.begin if layer.begin != NEVER else 0
            account.overlap_cycles -= account.stream_cycles
            for (unit, buffer), (requested, bursts, parts) in layer.moved.items():
                account.moved += moved(unit, buffer, requested, bursts * self._burst_bytes, parts)
            latest = end
        return latest, [layer.account for layer in self._layers]

    def _fold_stream(self) -> int:
        """Count the last stream; its end."""
        task = self._stream
        if task is None:
            return 0
        if task.stream < task.stream_end:
            self._count(Segment(task.stream, task.stream_end, None, Phase.STREAM, task.index))
        return task.stream_end

    def _count(self, segment: Segment) -> None:
        """Share out the clocks of a segment, all over by now and none before those counted so far."""
        low, layers = segment.low, self._layers
        while not layers[self._front].to_come and layers[self._front].end <= low:
            self._front += 1
        number = self._front
        while low < segment.high:
            layer = layers[number]
            high = segment.high if layer.to_come else min(segment.high, layer.end)
            if low < high:
                self._count_as(number, segment, low, high)
                low = high
            number += 1

    def _count_as(self, number: int, segment: Segment, low: int, high: int) -> None:
        account = self._layers[number].account
        if segment.cause is None:
            account.overlap_cycles += high - low
        else:
            account.stalls[segment.cause] += high - low
        if self._on_segment is not None:
            self._on_segment(number, Segment(low, high, segment.cause, segment.phase, segment.command))


def moved(unit: UnitKind, buffer: Buffer, requested: int, bursts: int, descriptors: int) -> ActionCounts:
    """Actions of transfers from or to a buffer: bytes that are requested, and bytes of bursts."""
    if unit is UnitKind.DMA_OUT:
        return ActionCounts(
            sram_read_ofmap_bytes=requested,
            dram_write_ofmap_bytes=requested,
            dram_write_burst_bytes=bursts,
            dma_descriptors=descriptors,
        )
    if buffer is Buffer.WEIGHT:
        return ActionCounts(
            sram_write_weight_bytes=requested,
            dram_read_weight_bytes=requested,
            dram_read_burst_bytes=bursts,
            dma_descriptors=descriptors,
        )
    return ActionCounts(
        sram_write_ifmap_bytes=requested,
        dram_read_ifmap_bytes=requested,
        dram_read_burst_bytes=bursts,
        dma_descriptors=descriptors,
    )
