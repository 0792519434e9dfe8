"""A DMA engine: transfers one after the other, each as soon as the bursts of the one before have left."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import simpy

from accelsim.machine.clock import CommandEvent, Process
from accelsim.machine.memory import Completion, Progress, Request
from accelsim.machine.requests import blocks_of
from accelsim.machine.units.unit import Unit
from accelsim.program.commands import Compute, Load, Store, clocks_before
from accelsim.program.link import NEVER, Linked, Moment, Task
from accelsim.program.tensors import Descriptor, transfers
from accelsim.units import ceil_div


@dataclass(slots=True)
class DmaEngine(Unit):
    """An instance of a DMA engine, in or out. Its transfers retire in order: one is done no earlier than those before.

    requester: its number at the memory port; under_way: transfers whose end is not known yet; last: the last one that
    was handed to the memory; issued: comes when all its bursts have left; retired, coded: clocks of the last transfer
    that was done, and of the last that was encoded or expanded.
    """

    requester: int
    under_way: deque[Linked] = field(default_factory=deque, init=False)
    last: Linked | None = field(default=None, init=False)
    issued: simpy.Event | None = field(default=None, init=False)
    retired: int = field(default=0, init=False)
    coded: int = field(default=0, init=False)

    def serve(self, linked: Linked) -> Process:
        """See `Unit`: until the last burst was issued."""
        clock, task, command = self.around.clock, linked.task, linked.command
        assert not isinstance(command, Compute)
        yield from clock.wait(self.name, task, task.begin_waits)
        self.begin(linked)
        descriptors = self._descriptors(command)
        host, fill = clocks_before(command)
        task.issued = self.around.host.turn(clock.now, host)
        yield from clock.until(task.issued + fill)
        yield from clock.until(clock.now + self.around.machine.dma.setup_cycles * len(descriptors))
        order = self.around.order
        if order is not None:
            yield from order.wait(task)
        blocks = blocks_of(descriptors)
        request = Request(self.requester, isinstance(command, Store), blocks)
        completion = self.around.memory.request(request, clock.now)
        if order is not None:
            order.go_on()
        clock.notify(CommandEvent.STREAM, linked)
        task.stream = clock.now
        self.around.accounting.moves(linked, descriptors, blocks)
        if completion is not None:
            task.free = completion.issued
            self._retire(linked, completion)
            yield from clock.until(completion.issued)
        else:
            self.under_way.append(linked)
            self.last = linked
            self.issued = clock.env.event()
            yield self.issued
            task.free = clock.now
            if task.stream_end == NEVER:
                self._note_dram(task, task.free)
        self.around.accounting.issued(task)

    def _descriptors(self, command: Load | Store) -> tuple[Descriptor, ...]:
        dma, tile = self.around.machine.dma, command.tile
        by_row = dma.descriptor_within == "row"
        if not by_row and (dma.store_row_bytes if isinstance(command, Store) else dma.load_row_bytes) is None:
            return tile.descriptors
        return transfers(tile.tensor, tile.region, by_pixel=True, by_row=by_row)

    def progress(self, progress: Progress) -> None:
        """Take note of what the memory says of a transfer."""
        if progress.completion is not None:
            linked = self.under_way.popleft()
            linked.task.free = progress.completion.issued
            self._retire(linked, progress.completion)
        if progress.issued is not None:
            assert self.issued is not None
            self._note_met()
            self.around.clock.succeed(self.issued, progress.issued)

    def _note_met(self) -> None:
        """Take note of what the last transfer met in caches, now that all of it was issued."""
        met = self.around.memory.met(self.requester)
        if met is not None:
            assert self.last is not None
            self.around.accounting.met(self.last, met)

    def _note_dram(self, task: Task, end: int) -> None:
        """Take note of how long DRAM was read for caches until a clock of a transfer."""
        reads = self.around.memory.reads_below(task.stream, end)
        if reads is not None:
            task.lines, task.dram = reads

    def _coded(self, linked: Linked, done: int) -> int:
        """The clock at which a codec is through with a transfer, one after the other, or 0 where it needs none. What is
        loaded has to be here for it."""
        command, task = linked
        assert not isinstance(command, Compute)
        dma, tensor = self.around.machine.dma, command.tile.tensor
        codec = dma.map_codec if tensor.code is not None else dma.decoder if tensor.decoded else None
        if codec is None:
            return 0
        through = max(task.stream, self.coded) + ceil_div(command.tile.bytes, codec.bytes_per_clock)
        self.coded = through if isinstance(command, Store) else max(done, through)
        return self.coded

    def _retire(self, linked: Linked, completion: Completion) -> None:
        command, task = linked
        assert not isinstance(command, Compute)
        coded = self._coded(linked, completion.done)
        task.stream_end = completion.sent
        self._note_dram(task, completion.sent)
        self.retired = max(self.retired, completion.done, coded)
        self.around.accounting.served(task, self.retired)
        if isinstance(command, Store):
            self.around.clock.schedule(max(completion.sent, coded), Moment.SRAM_READ, linked)
        self.finish_at(self.retired, linked, early=False)
