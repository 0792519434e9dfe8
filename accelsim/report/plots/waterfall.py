"""Waterfalls: how changes add up to a difference."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from accelsim.report.figure import house_style
from accelsim.report.palette import GREY

_INCHES_A_BAR, _MARGIN, _HEIGHT = 0.32, 1.6, 3.4
WHOLE = "#404040"
HATCHES = {"by count": "", "by price": "////", "by both": "xxxx"}
"""What a change is by, where amounts are counts times prices."""


class Bar(NamedTuple):
    """A change. effect: one of `HATCHES`."""

    name: str
    change: float
    colour: str = GREY
    effect: str = "by count"


class Panel(NamedTuple):
    """Changes that add up to a difference: by what, in which unit."""

    title: str
    label: str
    kind: str
    bars: Sequence[Bar]


def waterfalls(title: str, rows: Sequence[Sequence[Panel]]) -> Figure:
    """Panels in rows; in each, bars from where the one before it ended, and the whole difference last."""
    columns = list(zip(*rows, strict=True))
    widths = [_MARGIN + _INCHES_A_BAR * max(len(panel.bars) + 1 for panel in column) for column in columns]
    with house_style():
        figure = Figure(figsize=(sum(widths), 0.6 + _HEIGHT * len(rows)), layout="constrained")
        grid = figure.subplots(len(rows), len(columns), squeeze=False, width_ratios=widths)
        for panels, places in zip(rows, grid, strict=True):
            for panel, axes in zip(panels, places, strict=True):
                _draw(axes, panel)
        figure.suptitle(title)
        effects = {bar.effect for panels in rows for panel in panels for bar in panel.bars}
        if len(effects) > 1:
            handles = [
                Patch(facecolor="white", edgecolor="black", hatch=hatch, label=effect)
                for effect, hatch in HATCHES.items()
                if effect in effects
            ]
            figure.legend(handles=handles, loc="outside right upper", frameon=False)
    return figure


def _draw(axes: Axes, panel: Panel) -> None:
    changes = [bar.change for bar in panel.bars]
    reached = [0.0, *accumulate(changes)]
    for place, bar in enumerate(panel.bars):
        axes.bar(place, bar.change, 0.8, bottom=reached[place], color=bar.colour, hatch=HATCHES[bar.effect],
                 edgecolor="white", linewidth=0)  # fmt: skip
        axes.plot([place - 0.4, place + 1.4], [reached[place + 1]] * 2, color=WHOLE, linewidth=0.5)
    axes.bar(len(changes), reached[-1], 0.8, color=WHOLE)
    axes.use_sticky_edges = False
    axes.axhline(0, color="black", linewidth=0.8)
    names = [*(bar.name for bar in panel.bars), "B less A"]
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    axes.set(title=panel.title, xlabel=panel.kind, ylabel=panel.label)
    axes.grid(visible=False, axis="x")
