"""When each unit works, and for which part of the network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from accelsim.machine.machine import unit_names
from accelsim.report.columns import Value
from accelsim.report.figure import house_style, named
from accelsim.report.palette import SERIES
from accelsim.report.plots.drawing import Drawing, RunView, title_of
from accelsim.report.spans import Span, title_of_unit

COLUMNS = ("unit", "layer", "begin_cycle", "end_cycle")
_MOST_LISTED = 24
"""Stages that the legend names."""


def timeline(run: RunView) -> Drawing:
    """A row for each unit; colours change from stage to stage and repeat."""
    stages = {record.layer: record.stage for record in run.records}
    pieces = _merged(run.spans)
    units = unit_names(run.machine)
    colours = dict(zip(dict.fromkeys(stages.values()), cycle(SERIES), strict=False))
    with house_style():
        figure = Figure(figsize=(12, 3.4), layout="constrained")
        axes = figure.subplots()
        for place, unit in enumerate(units):
            mine = [piece for piece in pieces if piece.unit == unit]
            axes.broken_barh(
                [(piece.begin / 1e3, (piece.end - piece.begin) / 1e3) for piece in mine],
                (place - 0.4, 0.8),
                color=[colours[_stage(piece.layer, stages)] for piece in mine],
                linewidth=0,
            )
        axes.set_yticks(range(len(units)), list(map(title_of_unit, units)))
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set_xlim(0, max(run.total.total_cycles, 1) / 1e3)
        axes.set_xlabel("time (1000 array clocks)")
        axes.set_ylabel("unit")
        axes.set_title(title_of(run, "Who works when"))
        handles = [Patch(color=colour) for colour in colours.values()]
        legend = named(handles, list(colours), _MOST_LISTED)
        figure.legend(*legend, loc="outside right upper", frameon=False, fontsize=6.5, title="stage")
    rows: list[dict[str, Value | None]] = [
        dict(zip(COLUMNS, (piece.unit, piece.layer, piece.begin, piece.end), strict=True)) for piece in pieces
    ]
    return Drawing(figure, rows, COLUMNS)


def _stage(layer: str, stages: dict[str, str]) -> str:
    """Layers of a later inference have a number behind their name."""
    return stages.get(layer) or stages[layer.rpartition("@")[0]]


def _merged(spans: Sequence[Span]) -> list[Span]:
    """Spans of one layer that follow one another on a unit, as one."""
    merged: list[Span] = []
    last: dict[str, int] = {}
    for span in spans:
        place = last.get(span.unit)
        if place is not None and merged[place].layer == span.layer and merged[place].end == span.begin:
            merged[place] = merged[place]._replace(end=span.end)
        else:
            last[span.unit] = len(merged)
            merged.append(span)
    return merged
