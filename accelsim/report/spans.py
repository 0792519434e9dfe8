"""What each unit of the machine did when: the spans that a timeline shows and a trace holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from accelsim.machine.machine import Timeline
from accelsim.program.commands import Command, Compute, Program, Unit, unit_of


class Span(NamedTuple):
    """Array clocks [begin, end) of a unit, for a command of a layer."""

    unit: Unit
    layer: str
    begin: int
    end: int
    command: int


def spans(program: Program, timeline: Timeline) -> Iterator[Span]:
    """One for each command that takes time, in program order; those of a unit do not overlap.

    Array and vector unit: while data streams, which is what `stream_cycles` and `vector_cycles` count. DMA: from the
    first descriptor until the engine turns to the next transfer.
    """
    for index, command in enumerate(program.commands):
        begin, end = _when(index, command, timeline)
        if begin < end:
            yield Span(unit_of(command), program.layers[command.layer], begin, end, index)


def _when(index: int, command: Command, timeline: Timeline) -> tuple[int, int]:
    if isinstance(command, Compute):
        return timeline.stream[index], timeline.stream_end[index]
    return timeline.begin[index], timeline.free[index]
