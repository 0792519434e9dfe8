"""Spans of work of each unit of the machine, which a timeline shows and a trace holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from accelsim.program.commands import Compute
from accelsim.program.link import Linked


class UnitSpan(NamedTuple):
    """Array clocks [begin, end) of an instance of a unit, for a command of a layer."""

    unit: str
    layer: str
    begin: int
    end: int
    command: int


def spans(layers: Sequence[str], linked: Iterable[Linked]) -> Iterator[UnitSpan]:
    """One for each command that takes time, in program order; those of a unit do not overlap.

    Of a Compute: while data streams, which is what `stream_cycles` and the `busy_cycles` of its unit count. DMA: from
    the first descriptor until the engine turns to the next transfer.
    """
    for command, task in linked:
        begin, end = (task.stream, task.stream_end) if isinstance(command, Compute) else (task.begin, task.free)
        if begin < end:
            yield UnitSpan(task.instance, layers[command.layer], begin, end, task.index)
