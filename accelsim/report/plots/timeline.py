"""Times at which each unit works, and the part of the network that it works for."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from accelsim.machine.machine import unit_names
from accelsim.records import LayerRecord
from accelsim.report.columns import Value
from accelsim.report.figure import house_style
from accelsim.report.palette import LIGHT_GREY, SERIES
from accelsim.report.plots.drawing import Drawing, RunView, title_of
from accelsim.report.quantities import axis_unit
from accelsim.report.spans import UnitSpan
from accelsim.unit_kinds import title_of_unit

COLUMNS = ("unit", "layer", "begin_cycle", "end_cycle")
OTHERS = "other stages"
_COLOURS = SERIES[:-1]
"""Colours of the longest stages; all others share a grey."""


def timeline(run: RunView) -> Drawing:
    """A row for each unit; the longest stages have colours."""
    stages = {record.layer: record.stage for record in run.records}
    pieces = _merged(run.spans)
    units = unit_names(run.machine)
    colours = _coloured(run.records)
    per, unit_of_time = axis_unit(run.total.total_cycles, "cycles")
    with house_style():
        figure = Figure(figsize=(12, 3.4), layout="constrained")
        axes = figure.subplots()
        for place, unit in enumerate(units):
            mine = [piece for piece in pieces if piece.unit == unit]
            axes.broken_barh(
                [(piece.begin / per, (piece.end - piece.begin) / per) for piece in mine],
                (place - 0.4, 0.8),
                color=[colours.get(_stage(piece.layer, stages), LIGHT_GREY) for piece in mine],
                linewidth=0,
            )
        axes.set_yticks(range(len(units)), list(map(title_of_unit, units)))
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set_xlim(0, max(run.total.total_cycles, 1) / per)
        axes.set_xlabel(f"time ({unit_of_time})")
        axes.set_ylabel("unit")
        axes.set_title(title_of(run, "Timeline of the units"))
        more = {} if len(colours) == len(set(stages.values())) else {OTHERS: LIGHT_GREY}
        handles = [Patch(color=colour, label=stage) for stage, colour in (colours | more).items()]
        figure.legend(handles=handles, loc="outside right upper", frameon=False, title="stage")
    rows: list[dict[str, Value | None]] = [
        dict(zip(COLUMNS, (piece.unit, piece.layer, piece.begin, piece.end), strict=True)) for piece in pieces
    ]
    return Drawing(figure, rows, COLUMNS)


def _coloured(records: Sequence[LayerRecord]) -> dict[str, str]:
    """Colours of the stages that take most clocks, in the order in which they begin."""
    clocks: dict[str, int] = {}
    for record in records:
        clocks[record.stage] = clocks.get(record.stage, 0) + record.total_cycles
    most = len(SERIES) if len(clocks) <= len(SERIES) else len(_COLOURS)
    longest = set(sorted(clocks, key=lambda stage: -clocks[stage])[:most])
    return dict(zip((stage for stage in clocks if stage in longest), SERIES, strict=False))


def _stage(layer: str, stages: dict[str, str]) -> str:
    """Layers of a later inference have a number behind their name."""
    return stages.get(layer) or stages[layer.rpartition("@")[0]]


def _merged(spans: Sequence[UnitSpan]) -> list[UnitSpan]:
    """Spans of one layer that follow one another on a unit, as one."""
    merged: list[UnitSpan] = []
    last: dict[str, int] = {}
    for span in spans:
        place = last.get(span.unit)
        if place is not None and merged[place].layer == span.layer and merged[place].end == span.begin:
            merged[place] = merged[place]._replace(end=span.end)
        else:
            last[span.unit] = len(merged)
            merged.append(span)
    return merged
