"""Accuracy against each cost: the trade-off between networks, in small multiples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec

from accelsim.report.beside import merged, write_beside
from accelsim.report.compare import ComparedRow
from accelsim.report.figure import house_style, in_decades
from accelsim.report.palette import BLACK, MARKERS, SERIES
from accelsim.report.pareto import Objective, non_dominated
from accelsim.report.quantities import axis_unit
from accelsim.units import ceil_div

MOST_NAMED = 8
"""Points beyond which numbers stand at them, and a list says what the numbers mean."""


@dataclass(frozen=True, slots=True)
class CostAxis:
    """A horizontal axis: its quantity, a column and its unit, and how many of the column's are one of the axis's."""

    name: str
    column: str
    unit: str
    per: float = 1

    @property
    def label(self) -> str:
        return f"{self.name} ({self.unit})"

    def of(self, row: ComparedRow) -> float:
        return _number(row, self.column) / self.per

    def fitted(self, rows: Sequence[ComparedRow]) -> CostAxis:
        """The same in a unit in which the numbers of these rows stay below 1,000."""
        per, unit = axis_unit(max(map(self.of, rows)), self.unit)
        return replace(self, unit=unit, per=per)


COSTS = (
    CostAxis("MACs per image", "macs_per_image", "MACs"),
    CostAxis("weights as stored", "weight_bytes", "bytes"),
    CostAxis("time per image", "time_per_image_ms", "ms"),
    CostAxis("energy per image", "energy_per_image_pj", "pJ"),
    CostAxis("DRAM traffic per image", "dram_per_image_bytes", "bytes"),
)

NOT_BEATEN = "not beaten"
"""Label of the line through points that none beats."""
_ALONG = (0.2, 0.4, 0.6, 0.8)
_STYLES = tuple(zip(SERIES, MARKERS, strict=False))
_LONGEST_TITLE = 60
"""Letters of the names of machines in the title, if it names them."""
_MOST_NUMBERED = 60
"""Points beyond which those that no other beats alone are named, and only where there is room."""
_WIDTH, _HEIGHT, _LINE = 11.0, 6.6, 0.16
"""Inches: the figure without the list of names below it, and a line of that list."""
_LEFT, _RIGHT, _LIST_COLUMNS = 0.05, 0.99, 4


def tradeoff(rows: Sequence[ComparedRow], costs: Sequence[CostAxis] = COSTS) -> Figure:
    """Top-1 accuracy against each cost, five at the most, for rows that all have one, with a line through the best.

    Colours and markers tell machines apart, or families where there is one machine; names or numbers the networks.
    """
    names = _names(rows)
    many = len(rows) > _MOST_NUMBERED or len(_values(rows, "machine")) > len(SERIES)
    numbers = {name: str(number) for number, name in enumerate(names, 1)} if len(rows) > MOST_NAMED and not many else {}
    lines = ceil_div(len(numbers), _LIST_COLUMNS)
    height = _HEIGHT + lines * _LINE
    with house_style():
        figure = Figure(figsize=(_WIDTH, height))
        top, bottom = 1 - 0.5 / height, (0.6 + lines * _LINE) / height
        grid = figure.add_gridspec(
            2, 3 if len(costs) > 3 else 2, left=_LEFT, right=_RIGHT, top=top, bottom=bottom, wspace=0.2, hspace=0.25
        )
        for position, cost in enumerate(each.fitted(rows) for each in costs):
            axes = figure.add_subplot(grid[position])
            best = _front(rows, cost)
            _draw(axes, rows, best, cost)
            _name(axes, rows, best, cost, numbers or names, crowded=many)
        _explain(figure, rows, grid[len(costs)])
        _list(figure, [f"{number}  {names[name]}" for name, number in numbers.items()], lines)
    return figure


def _name(
    axes: Axes,
    rows: Sequence[ComparedRow],
    best: Sequence[ComparedRow],
    cost: CostAxis,
    labels: Mapping[str, str],
    *,
    crowded: bool,
) -> None:
    """Names or numbers beside all points; where these are crowded, beside the best, with the machine, and only where
    there is room."""

    def places(members: Sequence[ComparedRow]) -> list[tuple[float, float]]:
        return [(cost.of(row), _top1(row)) for row in members]

    if crowded:
        texts = [f"{labels[str(row['network'])]} {row['machine']}" for row in best]
        beside = merged(axes, list(zip(places(best), texts, strict=True)))
        write_beside(axes, beside, places(rows), only_where_free=True)
    else:
        texts = [labels[str(row["network"])] for row in rows]
        write_beside(axes, list(zip(places(rows), texts, strict=True)), list(_steps(best, cost)))


def _front(rows: Sequence[ComparedRow], cost: CostAxis) -> list[ComparedRow]:
    """Rows that no other beats in accuracy and cost, the cheapest first."""
    objectives = (Objective(cost.column), Objective("top1_pct", maximize=True))
    best = non_dominated([(cost.of(row), _top1(row)) for row in rows], objectives)
    return sorted((rows[place] for place in best), key=cost.of)


def _steps(best: Sequence[ComparedRow], cost: CostAxis) -> Iterator[tuple[float, float]]:
    """Places on the line through the best points, so close that no text stands on it."""
    for one, other in pairwise(best):
        left, right, low, high = cost.of(one), cost.of(other), _top1(one), _top1(other)
        for share in _ALONG:
            yield (left * (right / left) ** share if left > 0 else left + share * (right - left)), low
            yield right, low + share * (high - low)


def _draw(axes: Axes, rows: Sequence[ComparedRow], best: Sequence[ComparedRow], cost: CostAxis) -> None:
    """The points, the line through the best, and their axes."""
    axes.plot([cost.of(row) for row in best], [_top1(row) for row in best], label=NOT_BEATEN, color=BLACK,
              linewidth=0.8, linestyle="--", drawstyle="steps-post", zorder=1)  # fmt: skip
    for (name, members), (colour, marker) in zip(_series(rows).items(), _STYLES, strict=False):
        axes.plot(
            [cost.of(row) for row in members],
            [_top1(row) for row in members],
            label=name,
            linestyle="none",
            color=colour,
            marker=marker,
            markeredgecolor="black",
            markeredgewidth=0.5,
        )
    axes.set_xlabel(cost.label)
    axes.set_ylabel("top-1 accuracy (%)")
    axes.margins(0.08)
    in_decades(axes, "x", [cost.of(row) for row in rows])


def _explain(figure: Figure, rows: Sequence[ComparedRow], empty: SubplotSpec) -> None:
    """In the place that no cost takes: what colours mean, and what all points share."""
    place = empty.get_position(figure)
    kinds, machines = _values(rows, "accuracy_kind"), _values(rows, "machine")
    figure.legend(
        *figure.axes[0].get_legend_handles_labels(),
        title=f"accuracy: {_usual_kind(rows)}{', unless noted' if len(kinds) > 1 else ''}",
        loc="upper left",
        bbox_to_anchor=(place.x0, place.y1),
        frameon=False,
        alignment="left",
    )
    words = ", ".join(machines)
    figure.suptitle(
        f"Accuracy against cost on {words if len(words) <= _LONGEST_TITLE else f'{len(machines)} machines'}"
    )


def _list(figure: Figure, texts: Sequence[str], lines: int) -> None:
    """The texts at the foot of the figure, column by column."""
    for position, text in enumerate(texts):
        column, line = divmod(position, lines)
        x, y = _LEFT + column * (_RIGHT - _LEFT) / _LIST_COLUMNS, (lines - line) * _LINE / figure.get_figheight()
        figure.text(x, y, text, va="center", fontsize=7)


def _series(rows: Sequence[ComparedRow]) -> dict[str, list[ComparedRow]]:
    """The rows by machine, or by family where there is one machine, or by network where machines are too many to have
    colours; those without a family together, and all beyond the colours."""
    machines, networks = _values(rows, "machine"), _values(rows, "network")
    key = "family" if len(machines) == 1 else "machine" if len(machines) <= len(SERIES) else "network"
    names = networks if key == "network" else _values(rows, key)
    last = names[: len(_STYLES) - 1] if len(names) > len(_STYLES) else names
    found: dict[str, list[ComparedRow]] = {}
    for row in rows:
        name = str(row[key])
        found.setdefault("others" if name not in last else str(row[key] or "no family"), []).append(row)
    return dict(sorted(found.items(), key=lambda each: each[0] == "others"))


def _names(rows: Sequence[ComparedRow]) -> dict[str, str]:
    """Label of each network: its name, and how it was measured where that is not usual."""
    usual = _usual_kind(rows)
    kinds = {str(row["network"]): str(row["accuracy_kind"]) for row in rows}
    return {name: name if kind == usual else f"{name} ({kind})" for name, kind in kinds.items()}


def _usual_kind(rows: Sequence[ComparedRow]) -> str:
    return Counter(str(row["accuracy_kind"]) for row in rows).most_common(1)[0][0]


def _values(rows: Sequence[ComparedRow], column: str) -> list[str]:
    return list(dict.fromkeys(str(row[column]) for row in rows))


def _top1(row: ComparedRow) -> float:
    return _number(row, "top1_pct")


def _number(row: ComparedRow, column: str) -> float:
    value = row[column]
    assert isinstance(value, int | float)
    return value
