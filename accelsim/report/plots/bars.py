"""Stacked bars, one a layer: energy by component, clocks by cause, array time by what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from math import fsum
from typing import NamedTuple

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from accelsim.records import ENERGY_COMPONENTS
from accelsim.report.columns import Value
from accelsim.report.figure import MOST_INCHES, SMALL, house_style
from accelsim.report.palette import BLACK, CLOCK_FILLS, COMPONENT_FILLS, Fill, hatched
from accelsim.report.plots.drawing import Drawing, RunView, title_of
from accelsim.report.quantities import axis_unit, digits, share_text

BarParts = Mapping[str, Sequence[float]]


class Measure(NamedTuple):
    """Measure of the bars and its unit. each: of what a bar is an amount, as an inference."""

    name: str
    unit: str
    each: str = ""

    def scaled(self, most: float) -> tuple[float, str]:
        """The divisor and the unit of an axis that reaches `most`."""
        per, unit = axis_unit(most, self.unit)
        return per, f"{unit} {self.each}".rstrip()


_INCHES_A_BAR, _LEAST_WIDTH, _MARGIN, _HEIGHT = 0.14, 7.0, 3.6, 6.4
MOST_BARS = int((MOST_INCHES - _MARGIN) / _INCHES_A_BAR)
"""Bars in the widest figure whose names can be read."""
_LEAST_BARS = 5
"""Bars that a figure has room for at least, so that a single one is no wall."""
LARGEST = 10
"""Bars that have their amount above them, and layers that are listed where bars are stages."""
_UPRIGHT = 12
"""Bars beyond which amounts and names are turned."""


def energy(run: RunView) -> Drawing:
    """Energy of each layer by component, and the share of each."""
    records = run.records
    parts = {
        label: [getattr(record.energy, f"{name}_pj") for record in records] for name, label in ENERGY_COMPONENTS.items()
    }
    return _drawing(run, title_of(run, "Energy by component"), Measure("energy", "pJ"), parts, COMPONENT_FILLS)


def cycles(run: RunView) -> Drawing:
    """Clocks of each layer: the array streams, or waits for what."""
    records = run.records
    parts = {"streaming": [record.streaming_cycles for record in records]}
    parts |= {cause: [record.lost_cycles[cause] for record in records] for cause in run.total.lost_cycles}
    title = title_of(run, "Cycles: streaming, and others by cause")
    return _drawing(run, title, Measure("time", "cycles"), parts, CLOCK_FILLS)


def utilization(run: RunView) -> Drawing:
    """PE x clocks of each layer: MACs, and what the others were lost to."""
    parts = {"MACs": [record.array_macs for record in run.records]}
    parts |= {cause: [record.lost[cause] for record in run.records] for cause in run.total.lost}
    title = title_of(run, "Array time: MACs, idle PEs and stalls")
    return _drawing(run, title, Measure("array time", "PE x cycles"), parts, CLOCK_FILLS)


def _drawing(run: RunView, title: str, measure: Measure, parts: BarParts, fills: Mapping[str, Fill]) -> Drawing:
    """A bar for each layer that does something, of each stage where they are too many to be named; the legend has what
    the whole network comes to, and the largest layers where they have no bars."""
    working = [place for place in range(len(run.records)) if any(amounts[place] for amounts in parts.values())]
    working = working or list(range(len(run.records)))
    names = [run.records[place].layer for place in working]
    shown = {part: [amounts[place] for place in working] for part, amounts in parts.items()}
    if len(working) <= MOST_BARS:
        drawing = stacked(title, names, "layer", measure, shown, fills)
        _bracket(drawing.figure.axes[0], [run.records[place].group for place in working])
        _explain(drawing.figure.legends[0], measure, parts)
        return drawing
    stages = [run.records[place].stage for place in working]
    together = _by_stage(stages, shown)
    drawing = stacked(title, list(dict.fromkeys(stages)), "stage", measure, together, fills)
    figure = drawing.figure
    listed = _largest(names, shown)
    figure.legends[0].remove()
    handles, labels = figure.axes[0].get_legend_handles_labels()
    blank = Line2D([], [], linestyle="none")
    legend = _legend(figure, [*handles, *[blank] * (1 + len(listed))], [*labels, "largest layers:", *listed])
    _explain(legend, measure, parts)
    return drawing


def _explain(legend: Legend, measure: Measure, parts: BarParts) -> None:
    """Put what each part of the whole network comes to behind its name."""
    sums = {part: fsum(amounts) for part, amounts in parts.items()}
    total = fsum(sums.values())
    per, unit = measure.scaled(total)
    for text in legend.get_texts():
        if (amount := sums.get(text.get_text())) is not None:
            text.set_text(f"{text.get_text()}  {digits(amount / per)}  {share_text(amount / total if total else 0)}")
    legend.set_title(f"{unit} in all, share")


def _largest(names: Sequence[str], parts: BarParts) -> list[str]:
    """The largest bars by name, and their shares of all."""
    whole = _whole(parts)
    total = fsum(whole) or 1.0
    ranked = sorted(range(len(names)), key=lambda place: -whole[place])[:LARGEST]
    return [f"{names[place]}  {share_text(whole[place] / total)}" for place in ranked]


def _whole(parts: BarParts) -> list[float]:
    return [sum(amounts) for amounts in zip(*parts.values(), strict=True)]


def _by_stage(stages: Sequence[str], parts: BarParts) -> dict[str, list[float]]:
    """The parts of each stage, in the order in which they begin."""
    names = dict.fromkeys(stages)
    return {
        part: [fsum(amount for amount, stage in zip(amounts, stages, strict=True) if stage == name) for name in names]
        for part, amounts in parts.items()
    }


def _bracket(axes: Axes, groups: Sequence[str]) -> None:
    """A bracket below the bars of layers that run depth-first together."""
    foot = axes.get_xaxis_transform()
    for name, members in groupby(range(len(groups)), lambda place: groups[place]):
        places = list(members)
        if name:
            low, high = places[0] - 0.4, places[-1] + 0.4
            axes.plot(
                [low, low, high, high],
                [-0.01, -0.03, -0.03, -0.01],
                color=BLACK,
                linewidth=0.8,
                transform=foot,
                clip_on=False,
            )


def stacked(
    title: str, names: Sequence[str], kind: str, measure: Measure, parts: BarParts, fills: Mapping[str, Fill]
) -> Drawing:
    """Bars of parts above their shares, the largest with their amounts, and the rows they show in the measure's unit.

    kind: what a bar stands for. parts: amounts in the measure's unit.
    """
    shown = {part: amounts for part, amounts in parts.items() if any(amounts)} or dict(list(parts.items())[:1])
    whole = _whole(shown)
    per, unit = measure.scaled(max(whole))
    amounts_in = {part: [amount / per for amount in amounts] for part, amounts in shown.items()}
    shares = {
        part: [amount / total if total else 0.0 for amount, total in zip(amounts, whole, strict=True)]
        for part, amounts in shown.items()
    }
    width = min(MOST_INCHES, max(_LEAST_WIDTH, _MARGIN + _INCHES_A_BAR * len(names)))
    with house_style():
        figure = Figure(figsize=(width, _HEIGHT), layout="constrained")
        upper, lower = figure.subplots(2, sharex=True, height_ratios=(3, 2))
        for axes, parts_in, label in ((upper, amounts_in, f"{measure.name} ({unit})"),
                                      (lower, shares, f"share of the {measure.name}")):  # fmt: skip
            _bars(axes, parts_in, fills)
            axes.set_ylabel(label)
        _say_largest(upper, [total / per for total in whole])
        lower.set_ylim(0, 1)
        lower.set_xlabel(kind)
        upper.tick_params(axis="x", length=0)
        name_bars(lower, names)
        figure.suptitle(title, x=0.02, horizontalalignment="left")
        _legend(figure, *upper.get_legend_handles_labels())
    rows: list[dict[str, Value | None]] = [
        {kind: name, **{f"{part} ({measure.unit})": amounts[place] for part, amounts in parts.items()}}
        for place, name in enumerate(names)
    ]
    return Drawing(figure, rows)


def _legend(figure: Figure, handles: Sequence[Artist], labels: Sequence[str]) -> Legend:
    with house_style():
        return figure.legend(handles, labels, loc="outside right upper", frameon=False, alignment="left")


def _bars(axes: Axes, parts: BarParts, fills: Mapping[str, Fill]) -> None:
    count = len(next(iter(parts.values())))
    bottom, wide = [0.0] * count, 0.85 if count <= MOST_BARS else 1.0
    for part, amounts in parts.items():
        axes.bar(range(count), amounts, wide, bottom=bottom, label=part, **hatched(fills[part]))
        bottom = [low + amount for low, amount in zip(bottom, amounts, strict=True)]
    axes.grid(visible=False, axis="x")
    room = max(0.6, (_LEAST_BARS - count) / 2)
    axes.set_xlim(-room, count - 1 + room)


def _say_largest(axes: Axes, whole: Sequence[float]) -> None:
    """The amounts of the largest bars above them, where bars are wide enough."""
    top, turned = max(whole) or 1.0, len(whole) > _UPRIGHT
    axes.set_ylim(0, (1.15 if turned else 1.08) * top)
    if len(whole) > MOST_BARS:
        return
    for place in sorted(range(len(whole)), key=lambda place: -whole[place])[:LARGEST]:
        if whole[place]:
            axes.annotate(
                digits(whole[place]),
                (place, whole[place]),
                (0, 2),
                textcoords="offset points",
                rotation=90 if turned else 0,
                ha="center",
                va="bottom",
                fontsize=SMALL,
            )


def name_bars(axes: Axes, names: Sequence[str]) -> None:
    """Names at the axis, no more than can be read; bars may have an empty one."""
    places = [place for place, name in enumerate(names) if name]
    places = places[:: -(-len(places) // MOST_BARS)]
    turned = len(names) > 6 or max(map(len, names)) > 12
    axes.set_xticks(places, [names[place] for place in places], rotation=90 if turned else 0, fontsize=SMALL)
    axes.tick_params(axis="x", length=0)
