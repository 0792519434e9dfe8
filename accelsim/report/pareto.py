"""The points that no other beats: which they are, as a table, and as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, cycle
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from accelsim.report import compare
from accelsim.report.beside import merged, write_beside
from accelsim.report.columns import UNITS
from accelsim.report.figure import house_style, in_decades
from accelsim.report.naming import SHAPE, in_shapes, short_name
from accelsim.report.palette import MARKERS, SERIES
from accelsim.report.quantities import axis_unit
from accelsim.report.tables import fitted

MOST_NUMBERED = 40
"""Points of a front beyond which they have no numbers."""
MOST_NAMED = 15
"""Points of a front beyond which they have numbers, not names."""
_GREY = "#999999"
_WIDTH, _HEIGHT, _LEGEND = 5.4, 4.8, 2.4
"""Inches: a plot, and what stands right of the last one."""


class Objective(NamedTuple):
    """A column, and whether more of it is better."""

    column: str
    maximize: bool = False

    def axis(self, rows: Sequence[Mapping[str, Any]]) -> tuple[float, str]:
        """The divisor and the label of an axis that shows these rows."""
        unit = _UNITS.get(self.column, "")
        if unit in ("", "0..1", "%"):
            return 1.0, f"{self.column} ({unit})" if unit else self.column
        per, unit = axis_unit(max(abs(row[self.column]) for row in rows), unit)
        return per, f"{self.column.removesuffix('_pj').removesuffix('_ms').removesuffix('_bytes')} ({unit})"


_UNITS = {column.name: column.unit for column in compare.COLUMNS} | UNITS


def non_dominated(points: Sequence[Sequence[float]], objectives: Sequence[Objective]) -> list[int]:
    """Positions of the points that no other beats: as good in all objectives and better in one."""
    signs = [-1 if objective.maximize else 1 for objective in objectives]
    costs = [tuple(sign * value for sign, value in zip(signs, point, strict=True)) for point in points]
    best: list[int] = []
    for position in sorted(range(len(costs)), key=costs.__getitem__):
        # Whatever beats a point stands before it, or is beaten by one that does.
        if not any(_beats(costs[other], costs[position]) for other in reversed(best)):
            best.append(position)
    return sorted(best)


def _beats(one: Sequence[float], other: Sequence[float]) -> bool:
    return one != other and all(mine <= yours for mine, yours in zip(one, other, strict=True))


def front_table(
    rows: Sequence[Mapping[str, Any]],
    keys: Sequence[str],
    columns: Sequence[str],
    compared: Sequence[Mapping[str, Any]],
) -> str:
    """A line for each row with these columns; of network, machine and keys, those in which what was compared
    differs."""
    as_shapes = not set(columns) & set(SHAPE)
    shaped, all_shaped = (
        [{**in_shapes(row), "network": row["network"]} if as_shapes else row for row in each]
        for each in (rows, compared)
    )
    places = in_shapes(dict.fromkeys(keys)) if as_shapes else keys
    varied = [name for name in ("network", "machine", *places) if len({str(row.get(name)) for row in all_shaped}) > 1]
    shown = varied or list(places)
    left = ["point", *shown]
    wanted = [column for column in columns if column not in shown]
    lines = [[_text(row.get(name)) for name in (*left, *wanted)] for row in shaped]
    return fitted([*left, *wanted], lines, range(1, len(left)))


def _text(value: Any) -> str:
    return "-" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def front_figure(
    rows: Sequence[Mapping[str, Any]], best: Sequence[int], objectives: Sequence[Objective], keys: Sequence[str] = ()
) -> Figure:
    """Each objective against each other; the points at the positions `best` stand out, with names by the keys.

    Where they are many, or there are no keys, they have their numbers.
    """
    names = _front_names([rows[position] for position in best], keys)
    pairs = list(combinations(objectives, 2))
    width = len(pairs) * _WIDTH + _LEGEND
    with house_style():
        figure = Figure(figsize=(width, _HEIGHT))
        right = 1 - _LEGEND / width
        grid = figure.add_gridspec(1, len(pairs), left=0.75 / width, right=right, top=0.9, bottom=0.12, wspace=0.25)
        for position, (across, up) in enumerate(pairs):
            axes = figure.add_subplot(grid[position])
            _draw(axes, rows, best, names, across, up)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="upper left", bbox_to_anchor=(right, 0.9), frameon=False, alignment="left")
        aims = ", ".join(f"{'most' if each.maximize else 'least'} {each.column}" for each in objectives)
        figure.suptitle(f"{len(best)} of {len(rows)} points that no other beats: {aims}")
    return figure


def _front_names(front: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> list[str]:
    """Names of the points of the front in a picture; none where they are too many."""
    numbers = [str(row["point"]) for row in front]
    if not keys or len(front) > MOST_NAMED:
        return numbers if len(front) <= MOST_NUMBERED else []
    varied = [key for key in keys if key in SHAPE or len({str(row.get(key)) for row in front}) > 1]
    several = len({row["network"] for row in front}) > 1
    names = [short_name({key: row[key] for key in varied if row.get(key) is not None}) for row in front]
    if several:
        names = [f"{row['network']} {name}".strip() for row, name in zip(front, names, strict=True)]
    return [name or number for name, number in zip(names, numbers, strict=True)]


def _draw(
    axes: Axes,
    rows: Sequence[Mapping[str, Any]],
    best: Sequence[int],
    names: Sequence[str],
    across: Objective,
    up: Objective,
) -> None:
    scales = [each.axis(rows) for each in (across, up)]

    def places(members: Sequence[Mapping[str, Any]]) -> list[list[float]]:
        pairs = zip((across, up), scales, strict=True)
        return [[row[each.column] / per for row in members] for each, (per, _) in pairs]

    for (name, members), colour, marker in zip(_series(rows).items(), cycle(SERIES), cycle(MARKERS), strict=False):
        axes.plot(
            *places(members),
            label=name or "all points",
            linestyle="none",
            color=colour if name else _GREY,
            marker=marker,
            markersize=4,
            markeredgewidth=0,
            alpha=0.6,
        )
    front = sorted((rows[position] for position in best), key=lambda row: (row[across.column], row[up.column]))
    axes.plot(
        *places(front),
        label="not beaten",
        linestyle="none",
        marker="o",
        markersize=7,
        markerfacecolor="none",
        markeredgecolor="black",
    )
    axes.set_xlabel(scales[0][1])
    axes.set_ylabel(scales[1][1])
    axes.margins(0.08)
    xs, ys = places(rows)
    in_decades(axes, "x", xs)
    in_decades(axes, "y", ys)
    if names:
        marked = list(zip(*places([rows[position] for position in best]), strict=True))
        labels = merged(axes, list(zip(marked, names, strict=True)))
        write_beside(axes, labels, list(zip(xs, ys, strict=True)), only_where_free=True)


def _series(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The rows by network, or by machine, where there are as many as have colours; else together under no name."""
    for key in ("network", "machine"):
        found: dict[str, list[Mapping[str, Any]]] = {}
        for row in rows:
            found.setdefault(str(row[key]), []).append(row)
        if 1 < len(found) <= len(SERIES):
            return found
    return {"": list(rows)}
