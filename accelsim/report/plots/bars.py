"""Stacked bars, one a layer: energy by component, clocks by cause, array time by what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from math import fsum
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from accelsim.records import ENERGY_COMPONENTS, STALL_CAUSES
from accelsim.report.columns import Value
from accelsim.report.figure import house_style
from accelsim.report.palette import BLACK, CLOCK_COLOURS, COMPONENT_COLOURS
from accelsim.report.plots.drawing import Drawing, RunView, title_of

Parts = Mapping[str, Sequence[float]]


class Measure(NamedTuple):
    """Measure of the bars, and its unit."""

    name: str
    unit: str

    def __str__(self) -> str:
        return f"{self.name} ({self.unit})"


_INCHES_A_BAR, _LEAST_WIDTH, _MOST_WIDTH, _HEIGHT = 0.14, 7.0, 24.0, 6.4
_MOST_NAMED = 165
"""Bars in the widest figure whose names can be read."""
_LEAST_BARS = 5
"""As many have room, so that a single one is no wall."""


def energy(run: RunView) -> Drawing:
    """Energy of each layer by component, and the share of each."""
    records = run.records
    parts = {
        label: [getattr(record.energy, f"{name}_pj") / 1e6 for record in records]
        for name, label in ENERGY_COMPONENTS.items()
    }
    return _drawing(run, title_of(run, "Energy by component"), Measure("energy", "uJ"), parts, COMPONENT_COLOURS)


def cycles(run: RunView) -> Drawing:
    """Clocks of each layer: the array streams, or waits for what."""
    records = run.records
    parts = {"streaming": [record.stream_cycles / 1e3 for record in records]}
    parts |= {cause: [record.stalls[cause] / 1e3 for record in records] for cause in STALL_CAUSES}
    title = title_of(run, "Clocks and what the array waits for")
    return _drawing(run, title, Measure("time", "1000 clocks"), parts, CLOCK_COLOURS)


def utilization(run: RunView) -> Drawing:
    """PE x clocks of each layer: MACs, and what the others were lost to."""
    parts = {"MACs": [record.array_macs / 1e6 for record in run.records]}
    parts |= {cause: [record.lost[cause] / 1e6 for record in run.records] for cause in run.total.lost}
    title = title_of(run, "What became of the array's time")
    return _drawing(run, title, Measure("array time", "million PE x clocks"), parts, CLOCK_COLOURS)


def _drawing(run: RunView, title: str, measure: Measure, parts: Parts, colours: Mapping[str, str]) -> Drawing:
    """A bar for each layer that does something, of each stage where they are too many to be named; the legend has what
    the whole network comes to."""
    working = [place for place in range(len(run.records)) if any(amounts[place] for amounts in parts.values())]
    working = working or list(range(len(run.records)))
    names = [run.records[place].layer for place in working]
    shown = {part: [amounts[place] for place in working] for part, amounts in parts.items()}
    groups, kind = [run.records[place].group for place in working], "layer"
    if len(working) > _MOST_NAMED:
        stages = [run.records[place].stage for place in working]
        names, shown, groups, kind = list(dict.fromkeys(stages)), _by_stage(stages, shown), [], "stage"
    drawing = stacked(title, names, kind, measure, shown, colours)
    sums = {part: fsum(amounts) for part, amounts in parts.items()}
    total = fsum(sums.values())
    legend = drawing.figure.legends[0]
    for text in legend.get_texts():
        amount = sums[text.get_text()]
        text.set_text(f"{text.get_text()}  {amount:.4g}  {amount / total if total else 0:.1%}")
    legend.set_title(f"{measure.unit} in all, share")
    _bracket(drawing.figure.axes[0], groups)
    return drawing


def _by_stage(stages: Sequence[str], parts: Parts) -> dict[str, list[float]]:
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
    title: str, names: Sequence[str], kind: str, measure: Measure, parts: Parts, colours: Mapping[str, str]
) -> Drawing:
    """Bars of parts above their shares, and the rows they show. kind: what a bar stands for."""
    shown = {part: amounts for part, amounts in parts.items() if any(amounts)} or dict(list(parts.items())[:1])
    whole = [sum(amounts) for amounts in zip(*shown.values(), strict=True)]
    shares = {
        part: [amount / total if total else 0.0 for amount, total in zip(amounts, whole, strict=True)]
        for part, amounts in shown.items()
    }
    width = min(_MOST_WIDTH, max(_LEAST_WIDTH, 1.5 + _INCHES_A_BAR * len(names)))
    with house_style():
        figure = Figure(figsize=(width, _HEIGHT), layout="constrained")
        upper, lower = figure.subplots(2, sharex=True, height_ratios=(3, 2))
        for axes, amounts, label in ((upper, shown, str(measure)), (lower, shares, f"share of the {measure.name}")):
            _bars(axes, amounts, colours)
            axes.set_ylabel(label)
        upper.set_ylim(0, 1.05 * max(whole) or 1)
        lower.set_ylim(0, 1)
        lower.set_xlabel(kind)
        _name(lower, names)
        figure.suptitle(title, x=0.02, horizontalalignment="left")
        figure.legend(*upper.get_legend_handles_labels(), loc="outside right upper", frameon=False, alignment="left")
    rows: list[dict[str, Value | None]] = [
        {kind: name, **{f"{part} ({measure.unit})": amounts[place] for part, amounts in parts.items()}}
        for place, name in enumerate(names)
    ]
    return Drawing(figure, rows)


def _bars(axes: Axes, parts: Parts, colours: Mapping[str, str]) -> None:
    count = len(next(iter(parts.values())))
    bottom = [0.0] * count
    for part, amounts in parts.items():
        axes.bar(range(count), amounts, 0.85, bottom=bottom, label=part, color=colours[part], linewidth=0)
        bottom = [low + amount for low, amount in zip(bottom, amounts, strict=True)]
    axes.grid(visible=False, axis="x")
    room = max(0.6, (_LEAST_BARS - count) / 2)
    axes.set_xlim(-room, count - 1 + room)


def _name(axes: Axes, names: Sequence[str]) -> None:
    """Names at the axis, no more than can be read."""
    step = -(-len(names) // _MOST_NAMED)
    places = range(0, len(names), step)
    turned = len(names) > 6 or max(map(len, names)) > 12
    axes.set_xticks(places, [names[place] for place in places], rotation=90 if turned else 0, fontsize=6.5)
    axes.tick_params(axis="x", length=0)
