"""The non-dominated points of a sweep, from its store: of all, of each network, or of machines over all networks."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from accelsim.config.constraint import Constraint, exactly, parse_constraint
from accelsim.errors import ARGUMENTS, Mistake, UserError, shorten, suggestion
from accelsim.report.columns import Value
from accelsim.report.completeness import incomplete
from accelsim.report.pareto import Objective, non_dominated
from accelsim.sweeps.store import PointStore, opened
from accelsim.sweeps.sweep import header, keys_of, named_values, printed_values

PointValues = dict[str, Any]


_HUGE = 1e30
"""More than any amount: a condition that holds with it asks for more."""
MOST_NUMBERS = 8
"""Points that are named where they are left out."""


class Front(NamedTuple):
    """Compared values of all points, positions of the best, and all columns of these; what is left out, in words.

    incomplete: lines on networks that lack parts of their models.
    """

    keys: list[str]
    points: list[PointValues]
    best: list[int]
    rows: list[dict[str, Value | None]]
    left_out: list[str]
    incomplete: list[str]


class Compared(NamedTuple):
    """Terms on which points are compared.

    where: conditions on columns. per_network: each network has a front of its own. weights: by network; if not None,
    points are machines, their values geometric means over all networks, whose weight is 1 unless given.
    """

    objectives: Sequence[Objective]
    where: Sequence[Constraint] = ()
    per_network: bool = False
    weights: Mapping[str, float] | None = None

    @property
    def limited(self) -> dict[str, Constraint]:
        """The first condition on each column that is no objective."""
        found = {key: condition for condition in reversed(self.where) for key in condition.keys}
        objectives = {each.column for each in self.objectives}
        return {key: found[key] for key in sorted(found) if key not in objectives}


def front(folder: Path, compared: Compared) -> Front:
    """Raises UserError where there is no sweep, no such column of numbers, or no point to compare."""
    with opened(folder) as store:
        keys = keys_of(store, folder)
        _refuse_unknown(compared, header(keys))
        points, left_out, lacking = _points(store, keys, compared)
        if compared.weights is not None:
            columns = [each.column for each in compared.objectives]
            points, missing = means(points, columns, compared.weights, compared.limited)
            left_out += [f"{missing} machine{'s' * (missing > 1)} without all networks"] if missing else []
        if not points:
            got = "; ".join(left_out) or "none"
            raise UserError([Mistake(ARGUMENTS, 0, "sweep", "points with these columns", got)])
        best = _best(points, compared)
        wanted = {points[position]["point"] for position in best}
        rows = (
            [_as_row(points[position], keys) for position in best]
            if compared.weights is not None
            else [printed_values(row, keys) for row in store.rows() if row.point in wanted]
        )
        return Front(keys, points, best, rows, left_out, incomplete(lacking))


def conditions(texts: Iterable[tuple[int, str]]) -> list[Constraint]:
    """Conditions on columns of results.csv from `(position, text)`. Raises UserError with all that are none."""
    found: list[Constraint] = []
    mistakes: list[Mistake] = []
    for position, text in texts:
        try:
            found.append(parse_constraint(text, of_columns=True))
        except ValueError as error:
            expected, _, got = str(error).rpartition(", got ")
            mistakes.append(Mistake(ARGUMENTS, position, "where", expected, got))
    if mistakes:
        raise UserError(mistakes)
    return found


def _points(
    store: PointStore, keys: Sequence[str], compared: Compared
) -> tuple[list[PointValues], list[str], list[PointValues]]:
    """Points that can be compared, in words which can't be, by reason, and how many operations each network lacks."""
    points: list[PointValues] = []
    lacking: dict[str, PointValues] = {}
    left_out: dict[str, list[int]] = {}
    columns = [*(each.column for each in compared.objectives), *compared.limited]
    for row in store.rows():
        values = named_values(row, keys)
        reason = (
            "with an error" if row.error else _lacks(values, compared.objectives) or outside(values, compared.where)
        )
        if reason:
            left_out.setdefault(reason, []).append(row.point)
        else:
            points.append({name: values[name] for name in ("point", "network", "machine", *keys, *columns)})
            lacking.setdefault(row.network, {"network": row.network, "unmodelled": values["unmodelled"]})
    words = [_counted(reason, numbers) for reason, numbers in left_out.items()]
    return points, words, list(lacking.values())


def _counted(reason: str, numbers: Sequence[int]) -> str:
    """Points by how many they are, and the first of them by number."""
    named = ", ".join(map(str, numbers[:MOST_NUMBERS])) + (", ..." if len(numbers) > MOST_NUMBERS else "")
    return f"{len(numbers)} point{'s' * (len(numbers) > 1)} {reason}: {named}"


def outside(values: Mapping[str, Any], where: Sequence[Constraint]) -> str | None:
    """The first condition that does not hold for these values, or that they have no number for."""
    for condition in where:
        try:
            if not condition.holds(lambda column: number_in(values, column)):
                return f"outside {condition.text}"
        except ValueError as error:
            return str(error)
    return None


def nearest_to_breaking(condition: Constraint, column: str, rows: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The row with most in a column of those that keep a condition, or with least where the condition asks for more."""
    known = list(rows)
    asks_for_more = all(outside({**each, column: _HUGE}, [condition]) is None for each in known)
    return (min if asks_for_more else max)(known, key=lambda each: each[column])


def number_in(values: Mapping[str, Any], column: str) -> Any:
    """The exact number in a column. Raises ValueError where there is none."""
    value = values[column]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"without a number in {column}")
    return exactly(value)


def means(
    points: Sequence[PointValues],
    columns: Sequence[str],
    weights: Mapping[str, float],
    limited: Mapping[str, Constraint] = MappingProxyType({}),
) -> tuple[list[PointValues], int]:
    """Machines with the weighted geometric means of columns over all networks, and how many lack a network.

    A network is one with its own settings; of the columns in `limited` a machine has the value that is nearest to
    breaking the condition. Raises UserError for a weight of a network that is none.
    """
    networks = dict.fromkeys(map(_network_of, points))
    _refuse_unknown_weights(weights, {point["network"] for point in points})
    groups: dict[str, list[PointValues]] = {}
    for point in points:
        groups.setdefault(_machine_of(point, (*columns, *limited)), []).append(point)
    whole = [group for group in groups.values() if {_network_of(point) for point in group} == set(networks)]
    return [_mean(group, columns, weights, limited) for group in whole], len(groups) - len(whole)


def _mean(
    group: Sequence[PointValues],
    columns: Sequence[str],
    weights: Mapping[str, float],
    limited: Mapping[str, Constraint],
) -> PointValues:
    first = group[0]
    kept = {name: value for name, value in first.items() if name not in columns and not _is_of_network(name)}
    shares = [weights.get(point["network"], 1.0) for point in group]
    numbers = {column: geometric_mean([point[column] for point in group], shares) for column in columns}
    worst = {column: nearest_to_breaking(each, column, group)[column] for column, each in limited.items()}
    return {**kept, "network": f"mean of {len(group)}", **numbers, **worst}


def geometric_mean(values: Sequence[float], weights: Sequence[float]) -> float:
    """The weighted geometric mean; 0 where a value is. Equal values are their own mean to the bit."""
    if len(set(values)) == 1:
        return values[0]
    if min(values) <= 0:
        return 0.0
    return math.exp(math.fsum(w * math.log(v) for v, w in zip(values, weights, strict=True)) / math.fsum(weights))


def _is_of_network(name: str) -> bool:
    return name.startswith("network.")


def _network_of(point: PointValues) -> str:
    return json.dumps([point["network"], *(point[name] for name in point if _is_of_network(name))])


def _machine_of(point: PointValues, columns: Sequence[str]) -> str:
    left = ("point", "network", *columns)
    return json.dumps([value for name, value in point.items() if name not in left and not _is_of_network(name)])


def _as_row(point: PointValues, keys: Sequence[str]) -> dict[str, Value | None]:
    return {**dict.fromkeys(keys), **point}


def _best(points: Sequence[PointValues], compared: Compared) -> list[int]:
    """Positions of the points of the front, or of all fronts."""
    groups: dict[str, list[int]] = {}
    for position, point in enumerate(points):
        groups.setdefault(_network_of(point) if compared.per_network else "", []).append(position)
    best: list[int] = []
    for group in groups.values():
        values = [[points[position][each.column] for each in compared.objectives] for position in group]
        best += [group[place] for place in non_dominated(values, compared.objectives)]
    return sorted(best)


def _refuse_unknown(compared: Compared, known: Sequence[str]) -> None:
    asked = [each.column for each in compared.objectives]
    asked += sorted({key for condition in compared.where for key in condition.keys})
    mistakes = [
        Mistake(ARGUMENTS, 0, "columns", f"a column of results.csv{suggestion(name, _likely(name, known))}", repr(name))
        for name in dict.fromkeys(asked)
        if name not in known
    ]
    if mistakes:
        raise UserError(mistakes)


def _likely(word: str, known: Sequence[str]) -> Sequence[str]:
    """Columns that may be meant by a word: totals that it is part of, or else all."""
    return [name for name in known if "total" in name and word in name] or known


def _refuse_unknown_weights(weights: Mapping[str, float], networks: Iterable[str]) -> None:
    known = sorted(networks)
    unknown = [name for name in weights if name not in known]
    if unknown and known:
        expected = f"a network of the sweep{suggestion(unknown[0], known)}"
        raise UserError([Mistake(ARGUMENTS, 0, "weights", expected, shorten(unknown[0]))])


def _lacks(values: Mapping[str, Any], objectives: Sequence[Objective]) -> str | None:
    """The reason why a point can't be compared. Raises UserError where a column has no numbers."""
    for name in (each.column for each in objectives):
        value = values[name]
        if value is None:
            return f"without {name}"
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UserError([Mistake(ARGUMENTS, 0, "columns", f"numbers, as {name} has not", repr(value))])
    return None
