"""The difference of two runs as a picture."""

from __future__ import annotations

from collections.abc import Iterator

from accelsim.explain.diff import Difference, Waterfall
from accelsim.explain.diff_text import ChangeRow, layer_rows, rows_of
from accelsim.explain.terms import number_text
from accelsim.report.columns import Value
from accelsim.report.finished import run_title
from accelsim.report.palette import BLUE, CLOCK_FILLS, COMPONENT_FILLS, GREY, ORANGE, PURPLE, SKY_BLUE, VERMILLION, Fill
from accelsim.report.plots.changes import Bar, Panel, changes
from accelsim.report.plots.drawing import Drawing
from accelsim.report.quantities import amount_text

FILLS = {
    "ifmap": Fill(VERMILLION),
    "weight": Fill(ORANGE),
    "psum": Fill(PURPLE),
    "ofmap": Fill(BLUE),
    "line": Fill(SKY_BLUE, "///"),
    "pool": Fill(SKY_BLUE, "..."),
    "rest of bursts": Fill(GREY),
    **CLOCK_FILLS,
}
MOST_BARS = 12
"""Causes or layers in a panel; the others are added up."""


def picture(found: Difference) -> Drawing:
    """By cause and by layer for each measure, and what it shows as rows."""
    measures = [waterfall.measure for waterfall in found.waterfalls]
    instead_of = {"cycles"} if "time" in measures else set[str]()
    shown = [waterfall for waterfall in found.waterfalls if waterfall.measure not in instead_of]
    panels = [[_by_cause(waterfall), _by_layer(found, waterfall)] for waterfall in shown]
    a, b = map(run_title, (found.a, found.b))
    title = f"What B takes more than A\nA: {a}\nB: {b}"
    return Drawing(changes(title, panels), [row for waterfall in shown for row in _table(waterfall)])


def _by_cause(waterfall: Waterfall) -> Panel:
    """The causes that changed, in their order."""
    *rows, total = rows_of(waterfall, waterfall.by_cause)
    fills = COMPONENT_FILLS if waterfall.measure == "energy" else FILLS
    ranked = sorted((row for row in rows if row.change), key=lambda row: -abs(row.change))
    kept, others = [row for row in rows if row in ranked[:MOST_BARS]], ranked[MOST_BARS:]
    bars = [Bar(row.name, row.change / 10**waterfall.digits, fills[row.name]) for row in kept]
    if others:
        bars.append(Bar(f"{len(others)} others", sum(row.change for row in others) / 10**waterfall.digits))
    before, after = (amount_text(units / 10**waterfall.digits, waterfall.unit) for units in (total.before, total.after))
    name = waterfall.measure.replace("_", " ")
    return Panel(f"{name}: {before} in A, {after} in B", waterfall.unit, "cause", bars)


def _by_layer(found: Difference, waterfall: Waterfall) -> Panel:
    """The layers that changed most, in the order of the networks."""
    *rows, _ = layer_rows(waterfall, MOST_BARS)
    order = {name: place for place, name in enumerate(waterfall.by_layer)}
    where = dict.fromkeys(found.only_a, " (only A)") | dict.fromkeys(found.only_b, " (only B)")
    bars = [
        Bar(row.name + where.get(row.name, ""), row.change / 10**waterfall.digits)
        for row in sorted(rows, key=lambda row: order.get(row.name, len(order)))
    ]
    return Panel(f"{waterfall.measure.replace('_', ' ')} by layer", waterfall.unit, "layer", bars)


def _table(waterfall: Waterfall) -> Iterator[dict[str, Value | None]]:
    for kind, parts in (("cause", waterfall.by_cause), ("layer", waterfall.by_layer)):
        for row in rows_of(waterfall, parts):
            yield {"measure": waterfall.measure, "unit": waterfall.unit, "by": kind, **_cells(row, waterfall.digits)}


def _cells(row: ChangeRow, digits: int) -> dict[str, Value | None]:
    effects = dict(zip(("by_count", "by_price", "by_both"), row.effects or (None,) * 3, strict=True))
    amounts = {"a": row.before, "b": row.after, **effects, "change": row.change}
    return {
        "name": row.name,
        **{key: units if units is None else number_text(units, digits) for key, units in amounts.items()},
    }
