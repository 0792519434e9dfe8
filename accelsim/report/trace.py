"""A run in the trace event format of Chrome and Perfetto: who does what when, buffers and bandwidth over time.

One microsecond of the trace is one array clock. Each serial resource has a track of its own, so slices of a track never
overlap: DMA engines, array, vector unit, and each data bus of the DRAM.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

from accelsim.config.machine import Machine
from accelsim.errors import ARGUMENTS, Mistake, UserError, suggestion
from accelsim.machine.machine import Outcome, unit_names
from accelsim.machine.memory.port import BusSpan
from accelsim.program.commands import Buffer, Command, Compute, Load, Store, Tile, kind_of
from accelsim.program.link import NEVER, Linked, Moment
from accelsim.program.tensors import Range
from accelsim.report.export import json_text
from accelsim.report.spans import UnitSpan, spans
from accelsim.unit_kinds import title_of_unit
from accelsim.units import ClockRatio
from accelsim.version import __version__

MOST_EVENTS = 400_000
_WINDOWS = 1000
"""Steps of the bandwidth counter."""
_PROCESS = 1

Event = dict[str, Any]


class Traced(NamedTuple):
    """Names of the layers of a program, its commands with when each was where, and the machine that played them."""

    layers: tuple[str, ...]
    linked: Sequence[Linked]
    outcome: Outcome
    machine: Machine


def chosen_layers(text: str, names: Sequence[str]) -> frozenset[str]:
    """Layers by their names between commas, `FIRST..LAST` for all from one to another.

    Raises UserError where there is no such layer.
    """
    found: set[str] = set()
    mistakes = []
    for part in text.split(","):
        ends = [end.strip() for end in part.split("..", 1)]
        unknown = [end for end in ends if end not in names]
        mistakes += [Mistake(ARGUMENTS, 0, "layers", f"a layer{suggestion(end, names)}", repr(end)) for end in unknown]
        if not unknown:
            found.update(names[names.index(ends[0]) : names.index(ends[-1]) + 1])
    if mistakes:
        raise UserError(mistakes)
    return frozenset(found)


def trace_text(traced: Traced, layers: Collection[str] | None = None) -> str:
    """The trace as JSON. layers: those whose commands are in it, all by default; the buses then have their clocks only.

    Raises UserError where that is more than `MOST_EVENTS`.
    """
    shown = [span for span in spans(traced.layers, traced.linked) if layers is None or span.layer in layers]
    low = min((span.begin for span in shown), default=0) if layers is not None else 0
    high = max((span.end for span in shown), default=0) if layers is not None else traced.outcome.total_cycles
    events = [*_names(traced), *_slices(traced, shown), *_buses(traced, low, high), *_counters(traced, low, high)]
    if len(events) > MOST_EVENTS:
        expected = f"a choice of layers with at most {MOST_EVENTS} events"
        raise UserError([Mistake(ARGUMENTS, 0, "layers", expected, str(len(events)))])
    about = {
        "displayTimeUnit": "ns",
        "otherData": {"accelsim_version": __version__, "machine": traced.machine.name, "time": "1 us is 1 array clock"},
    }
    return json_text(about, "traceEvents", events)


def _names(traced: Traced) -> Iterator[Event]:
    tracks = [
        *map(title_of_unit, unit_names(traced.machine)),
        *(f"DRAM bus {number}" for number in range(len(traced.outcome.bus_spans()))),
    ]
    yield {"name": "process_name", "ph": "M", "pid": _PROCESS, "args": {"name": f"accelsim: {traced.machine.name}"}}
    for number, name in enumerate(tracks):
        yield {"name": "thread_name", "ph": "M", "pid": _PROCESS, "tid": number, "args": {"name": name}}
        yield {"name": "thread_sort_index", "ph": "M", "pid": _PROCESS, "tid": number, "args": {"sort_index": number}}


def _slices(traced: Traced, shown: Iterable[UnitSpan]) -> Iterator[Event]:
    """Slices of the units' work."""
    tracks = list(unit_names(traced.machine))
    for span in shown:
        command = traced.linked[span.command].command
        yield {
            "name": f"{span.layer} {_tile_name(command)}",
            "cat": kind_of(command).name,
            "ph": "X",
            "ts": span.begin,
            "dur": span.end - span.begin,
            "pid": _PROCESS,
            "tid": tracks.index(span.unit),
            "args": {"layer": span.layer, **_arguments(command)},
        }


def _tile_name(command: Command) -> str:
    if isinstance(command, Compute):
        work = command.work
        return f"rows {_range(work.rows)} columns {_range(work.cols)} channels {_range(work.channels)}"
    region = ", ".join(map(_range, command.tile.region))
    return f"{command.tile.tensor.name}[{region}]"


def _range(part: Range) -> str:
    return f"{part.start}:{part.stop}" if part.step == 1 else f"{part.start}:{part.stop}:{part.step}"


def _arguments(command: Command) -> Event:
    match command:
        case Load() | Store():
            requested = sum(part.requested_bytes for part in command.tile.descriptors)
            return {"bytes": requested, "descriptors": len(command.tile.descriptors)}
        case Compute(chain=None):
            return {}
        case Compute(chain=folds):
            assert folds is not None
            return {"folds": folds.count, "stream_cycles": folds.stream_cycles}


# DRAM.


def _clocks(machine: Machine) -> ClockRatio:
    return ClockRatio.of(machine.array.clock_mhz, machine.dram.clock_mhz)


def _buses(traced: Traced, low: int, high: int) -> Iterator[Event]:
    """Slices of the data buses between two array clocks."""
    for number, bus in enumerate(traced.outcome.bus_spans(), len(unit_names(traced.machine))):
        for begin, end, write in _in_array_clocks(traced.machine, bus, low, high):
            yield {
                "name": "write" if write else "read",
                "cat": "dram",
                "ph": "X",
                "ts": begin,
                "dur": end - begin,
                "pid": _PROCESS,
                "tid": number,
                "args": {},
            }


def _in_array_clocks(
    machine: Machine, bus: Iterable[BusSpan], low: int, high: int
) -> Iterator[tuple[float, float, bool]]:
    """(begin, end, write) of the spans that begin within [low, high)."""
    clocks = _clocks(machine)
    for span in bus:
        begin = span.begin * clocks.array_clocks / clocks.other_clocks
        if low <= begin < high:
            yield begin, span.end * clocks.array_clocks / clocks.other_clocks, span.write


# Counters.


def _counters(traced: Traced, low: int, high: int) -> Iterator[Event]:
    """Bytes in use of each buffer, and bytes a clock of the DRAM, in order of time."""
    for buffer in Buffer:
        level = 0
        for cycle, change in sorted(_changes(traced, buffer).items()):
            level += change
            if change and low <= cycle <= high:
                yield _counter(f"SRAM {buffer} (bytes)", cycle, level)
    step = max(1, -(-(high - low) // _WINDOWS))
    moved = [0.0] * (-(-(high - low) // step))
    bytes_a_clock = traced.machine.dram.bytes_per_clock * traced.machine.dram.clock_mhz / traced.machine.array.clock_mhz
    buses = traced.outcome.bus_spans()
    for begin, end, _ in chain.from_iterable(_in_array_clocks(traced.machine, bus, low, high) for bus in buses):
        for window in range(int(begin - low) // step, min(len(moved), int(end - low) // step + 1)):
            first = low + window * step
            moved[window] += max(0.0, min(end, first + step) - max(begin, first))
    for window, clocks in enumerate(moved):
        yield _counter("DRAM (bytes per cycle)", low + window * step, clocks / step * bytes_a_clock / len(buses))


def _counter(name: str, cycle: int, value: float) -> Event:
    return {"name": name, "ph": "C", "ts": cycle, "pid": _PROCESS, "args": {"value": value}}


def _changes(traced: Traced, buffer: Buffer) -> dict[int, int]:
    """By array clock, the bytes of a buffer that come into use less those that are free again."""
    since: dict[Tile, int] = {}
    until: dict[Tile, int] = {}
    for command, task in traced.linked:
        match command:
            case Load(tile=tile):
                since.setdefault(tile, task.begin)
            case Store(tile=tile):
                until[tile] = task.moments[Moment.SRAM_READ]
            case Compute():
                for tile in command.results:
                    since.setdefault(tile, task.stream)
                    until[tile] = task.done
                streamed = task.moments[Moment.STREAM_READ]
                loaded = task.moments[Moment.STATIONARY_READ]
                until.update(dict.fromkeys(command.streamed, streamed))
                until.update(dict.fromkeys(command.stationary, streamed if loaded == NEVER else loaded))
                until.update(dict.fromkeys(command.added, task.done))
    changes: dict[int, int] = {}
    for tile, cycle in since.items():
        if tile.buffer is buffer:
            changes[cycle] = changes.get(cycle, 0) + tile.bytes
            changes[until[tile]] = changes.get(until[tile], 0) - tile.bytes
    return changes
