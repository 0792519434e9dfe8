"""Changes that add up to a difference, as bars from zero with their amounts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from accelsim.report.figure import SMALL, house_style
from accelsim.report.palette import GREY, Fill, hatched
from accelsim.report.quantities import axis_unit, digits

WHOLE = Fill("#404040")
_INCHES_A_BAR, _MARGIN, _PANEL_WIDTH = 0.19, 0.9, 5.2
_ROOM = 0.28
"""Share of the widest bar that its amount takes beside it."""


class Bar(NamedTuple):
    """A change in the unit of its panel."""

    name: str
    change: float
    fill: Fill = Fill(GREY)


class Panel(NamedTuple):
    """Changes that add up to a difference: by what, and in which unit."""

    title: str
    unit: str
    kind: str
    bars: Sequence[Bar]


def changes(title: str, rows: Sequence[Sequence[Panel]]) -> Figure:
    """Panels in rows; in each, the bars from top to bottom and the whole difference last."""
    heights = [_MARGIN + _INCHES_A_BAR * max(len(panel.bars) + 1 for panel in panels) for panels in rows]
    with house_style():
        figure = Figure(figsize=(_PANEL_WIDTH * len(rows[0]), 0.5 + sum(heights)), layout="constrained")
        grid = figure.subplots(len(rows), len(rows[0]), squeeze=False, height_ratios=heights)
        for panels, places in zip(rows, grid, strict=True):
            for panel, axes in zip(panels, places, strict=True):
                _draw(axes, panel)
        figure.suptitle(title)
    return figure


def _draw(axes: Axes, panel: Panel) -> None:
    bars = [*panel.bars, Bar("in all", sum(bar.change for bar in panel.bars), WHOLE)]
    most = max(abs(bar.change) for bar in bars)
    per, unit = axis_unit(most, panel.unit)
    said = "" if " " in unit else f" {unit}"  # as 1000 clocks, which the axis says
    for place, bar in enumerate(bars):
        length = bar.change / per
        axes.barh(place, length, 0.8, **hatched(bar.fill))
        left = length < 0
        axes.annotate(
            f"{'' if left else '+'}{digits(length)}{said}",
            (length, place),
            (-3 if left else 3, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
            fontsize=SMALL,
        )
    least, largest = (end(0.0, *(bar.change / per for bar in bars)) for end in (min, max))
    room = _ROOM * (largest - least or 1)
    axes.set_xlim(least - room * (least < 0), largest + room * (largest > 0 or least == 0))
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(bars)), [bar.name for bar in bars], fontsize=SMALL)
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set(xlabel=f"change ({unit})", ylabel=panel.kind)
    axes.set_title(panel.title, fontsize=8)
