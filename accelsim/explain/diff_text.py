"""The difference of two runs as text, as rows, and for programs. What is printed adds up to the last digit."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from accelsim.explain.diff import Change, Difference, Waterfall, telling_keys
from accelsim.explain.terms import number_text, printed_units
from accelsim.report.finished import run_title
from accelsim.report.tables import fitted, page_width
from accelsim.run.result import Run

MOST_LAYERS = 10
"""Layers that are shown; the others are added up."""

MOST_KEYS = 20
"""Keys that are shown."""


class ChangeRow(NamedTuple):
    """A change in units of the last digit printed. effects: by count, by price, by both; empty where it has none."""

    name: str
    before: int
    after: int
    effects: tuple[int, ...] = ()

    @property
    def change(self) -> int:
        """B less A."""
        return self.after - self.before


def rows_of(waterfall: Waterfall, changes: Mapping[str, Change]) -> list[ChangeRow]:
    """Each change, rounded so that rows add up to the total and effects to the change; the row of the total last."""
    digits, total, found = waterfall.digits, waterfall.total, list(changes.values())
    before, befores = printed_units(total.before, [each.before for each in found], digits)
    after, _ = printed_units(total.after, (), digits)
    _, differences = printed_units(total.change, [each.change for each in found], digits, after - before)
    rows = []
    for name, each, low, change in zip(changes, found, befores, differences, strict=True):
        effects: Sequence[int] = ()
        if waterfall.has_prices:
            _, effects = printed_units(each.change, [each.by_count, each.by_price, each.both], digits, change)
        rows.append(ChangeRow(name, low, low + change, tuple(effects)))
    return [*rows, _added("in all", rows)]


def _added(name: str, rows: Sequence[ChangeRow]) -> ChangeRow:
    effects = zip(*(row.effects for row in rows), strict=True)
    return ChangeRow(name, sum(row.before for row in rows), sum(row.after for row in rows), tuple(map(sum, effects)))


def difference_text(found: Difference) -> str:
    """Both runs, how their configurations differ, and each measure by cause and by layer."""
    parts = ["\n".join(_heads(found))]
    parts += ["\n".join(_keys(found))] if found.keys else []
    only = {"only in A": found.only_a, "only in B": found.only_b}
    lines = [f"{len(found.in_both)} layers in both"]
    for words, names in only.items():
        if names:
            lines += textwrap.wrap(f"{words}: {', '.join(names)}", page_width(), subsequent_indent="  ")
    parts.append("\n".join(lines))
    return "\n\n".join([*parts, *(_measure(found, waterfall) for waterfall in found.waterfalls)])


def _heads(found: Difference) -> list[str]:
    lines = [f"{letter}: {run_title(run)}" for letter, run in (("A", found.a), ("B", found.b))]
    if found.a.version != found.b.version:
        lines.append(f"A is of accelsim {found.a.version}, B of {found.b.version}: the model may differ")
    return lines


def _keys(found: Difference) -> list[str]:
    shown = telling_keys(found.keys)[:MOST_KEYS]
    rows = [[key, *map(_said, found.keys[key])] for key in shown]
    left_out = len(found.keys) - len(shown)
    more = [f"and {left_out} more keys"] if left_out else []
    return [fitted(("key", "A", "B"), rows, left=(0, 1, 2)), *more]


def _said(value: Any) -> str:
    text = "-" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _measure(found: Difference, waterfall: Waterfall) -> str:
    digits, by_cause = waterfall.digits, rows_of(waterfall, waterfall.by_cause)
    total = by_cause[-1]
    named = dict.fromkeys((waterfall.measure, waterfall.unit))
    head = f"{', '.join(named)}: {number_text(total.before, digits)} in A, "
    head += f"{number_text(total.after, digits)} in B, {_signed(total.change, digits)}"
    head += f" ({total.change / total.before:+.1%})" if total.before else ""
    if not any(each.change for each in waterfall.changes.values()):
        return head
    shown = [_cells(row, digits) for row in by_cause if row.before or row.after or any(row.effects)]
    effects = ["by count", "by price", "by both"] if waterfall.has_prices else []
    causes = fitted(("cause", "A", "B", *effects, "change"), shown)
    layers = [
        [*_cells(row._replace(effects=()), digits), _mostly(found, waterfall, row.name)]
        for row in layer_rows(waterfall)
    ]
    return "\n".join((head, causes, "", fitted(("layer", "A", "B", "change", "mostly"), layers, left=(0, 4))))


def _cells(row: ChangeRow, digits: int) -> list[str]:
    amounts = (number_text(row.before, digits), number_text(row.after, digits))
    return [row.name, *amounts, *(_signed(each, digits) for each in (*row.effects, row.change))]


def layer_rows(waterfall: Waterfall, most: int = MOST_LAYERS) -> list[ChangeRow]:
    """The layers that changed most, the others together, and the total."""
    *rows, total = rows_of(waterfall, waterfall.by_layer)
    ranked = sorted((row for row in rows if row.change), key=lambda row: -abs(row.change))[:most]
    others = [row for row in rows if row not in ranked]
    return [*ranked, *([_added(f"{len(others)} others", others)] if others else []), total]


def _mostly(found: Difference, waterfall: Waterfall, layer: str) -> str:
    """The two causes that changed a layer most."""
    causes = sorted(waterfall.causes_of(layer).items(), key=lambda each: -abs(each[1].change))[:2]
    where = ["only in A"] if layer in found.only_a else ["only in B"] if layer in found.only_b else []
    named = [f"{cause} {float(each.change):+.{'3g' if waterfall.digits else '0f'}}" for cause, each in causes]
    return "; ".join((*where, ", ".join(named))) if named else ""


def _signed(units: int, digits: int) -> str:
    return f"+{number_text(units, digits)}" if units > 0 else number_text(units, digits)


def difference_dict(found: Difference) -> dict[str, Any]:
    """The same for JSON, with all layers and keys."""
    return {
        "a": _run_dict(found.a),
        "b": _run_dict(found.b),
        "keys": {key: {"a": before, "b": after} for key, (before, after) in found.keys.items()},
        "only_in_a": list(found.only_a),
        "only_in_b": list(found.only_b),
        "measures": [_measure_dict(waterfall) for waterfall in found.waterfalls],
    }


def _run_dict(run: Run) -> dict[str, str]:
    return {"network": run.network.name, "machine": run.machine.name, "accelsim_version": run.version}


def _measure_dict(waterfall: Waterfall) -> dict[str, Any]:
    *causes, total = (_row_dict(row, waterfall.digits) for row in rows_of(waterfall, waterfall.by_cause))
    *layers, _ = (_row_dict(row, waterfall.digits) for row in rows_of(waterfall, waterfall.by_layer))
    return {
        "measure": waterfall.measure,
        "unit": waterfall.unit,
        "total": total,
        "by_cause": causes,
        "by_layer": layers,
    }


def _row_dict(row: ChangeRow, digits: int) -> dict[str, Any]:
    names = ("by_count", "by_price", "by_both") if row.effects else ()
    amounts = {"a": row.before, "b": row.after, **dict(zip(names, row.effects, strict=True)), "change": row.change}
    return {"name": row.name, **{key: units / 10**digits if digits else units for key, units in amounts.items()}}
