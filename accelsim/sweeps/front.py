"""The non-dominated points of a sweep, from its store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from accelsim.errors import ARGUMENTS, Mistake, UserError, suggestion
from accelsim.report.columns import Value
from accelsim.report.pareto import Objective, non_dominated
from accelsim.sweeps.store import opened
from accelsim.sweeps.sweep import header, keys_of, named_values, printed_values


class Front(NamedTuple):
    """Compared values of all points, positions of the best, and all columns of these; what is left out, and why."""

    keys: list[str]
    points: list[dict[str, Any]]
    best: list[int]
    rows: list[dict[str, Value | None]]
    left_out: Counter[str]


def front(folder: Path, objectives: Sequence[Objective]) -> Front:
    """Raises UserError where there is no sweep, no such column of numbers, or no point to compare."""
    with opened(folder) as store:
        keys = keys_of(store, folder)
        _refuse_unknown(objectives, header(keys))
        points: list[dict[str, Any]] = []
        left_out: Counter[str] = Counter()
        for row in store.rows():
            values = named_values(row, keys)
            reason = "with an error" if row.error else _lacks(values, objectives)
            if reason:
                left_out[reason] += 1
            else:
                points.append({name: values[name] for name in ("point", "network", "machine", *_names(objectives))})
        if not points:
            got = ", ".join(f"{count} {reason}" for reason, count in left_out.items()) or "none"
            raise UserError([Mistake(ARGUMENTS, 0, "sweep", "points with these columns", got)])
        best = non_dominated([[point[name] for name in _names(objectives)] for point in points], objectives)
        wanted = {points[position]["point"] for position in best}
        rows = [printed_values(row, keys) for row in store.rows() if row.point in wanted]
        return Front(keys, points, best, rows, left_out)


def _names(objectives: Sequence[Objective]) -> list[str]:
    return [objective.column for objective in objectives]


def _refuse_unknown(objectives: Sequence[Objective], known: Sequence[str]) -> None:
    mistakes = [
        Mistake(ARGUMENTS, 0, "columns", f"a column of results.csv{suggestion(name, known)}", repr(name))
        for name in _names(objectives)
        if name not in known
    ]
    if mistakes:
        raise UserError(mistakes)


def _lacks(values: Mapping[str, Any], objectives: Sequence[Objective]) -> str | None:
    """Why a point can't be compared. Raises UserError where a column has no numbers."""
    for name in _names(objectives):
        value = values[name]
        if value is None:
            return f"without {name}"
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UserError([Mistake(ARGUMENTS, 0, "columns", f"numbers, as {name} has not", repr(value))])
    return None
