"""The difference of two runs as a picture."""

from __future__ import annotations

from collections.abc import Iterator

from accelsim.explain.diff import Difference, Waterfall
from accelsim.explain.diff_text import Row, layer_rows, rows_of
from accelsim.explain.terms import number_text
from accelsim.report.columns import Value
from accelsim.report.palette import BLUE, CLOCK_COLOURS, COMPONENT_COLOURS, GREY, ORANGE, PURPLE, VERMILLION
from accelsim.report.plots.drawing import Drawing
from accelsim.report.plots.waterfall import HATCHES, Bar, Panel, waterfalls

COLOURS = {
    "ifmap": VERMILLION,
    "weight": ORANGE,
    "psum": PURPLE,
    "ofmap": BLUE,
    "rest of bursts": GREY,
    **CLOCK_COLOURS,
}
MOST_LAYERS = 24
"""Layers in a picture; the others are added up."""


def picture(found: Difference) -> Drawing:
    """By cause and by layer for each measure, and what it shows as rows."""
    measures = [waterfall.measure for waterfall in found.waterfalls]
    instead_of = {"cycles"} if "time" in measures else set[str]()
    shown = [waterfall for waterfall in found.waterfalls if waterfall.measure not in instead_of]
    panels = [[_by_cause(waterfall), _by_layer(found, waterfall)] for waterfall in shown]
    a, b = (f"{run.network.name} on {run.machine.name}" for run in (found.a, found.b))
    title = f"What B takes more than A (A: {a}; B: {b})"
    return Drawing(waterfalls(title, panels), [row for waterfall in shown for row in _table(waterfall)])


def _by_cause(waterfall: Waterfall) -> Panel:
    *rows, total = rows_of(waterfall, waterfall.by_cause)
    colours = COMPONENT_COLOURS if waterfall.measure == "energy" else COLOURS
    bars = []
    for row in rows:
        effects = zip(HATCHES, row.effects, strict=True) if row.effects else (("by count", row.change),)
        for effect, units in effects:
            name = row.name if effect == "by count" else f"{row.name} {effect}"
            bars += [Bar(name, units / 10**waterfall.digits, colours[row.name], effect)] if units else []
    before, after = (number_text(units, waterfall.digits) for units in (total.before, total.after))
    return Panel(
        f"{waterfall.measure} ({waterfall.unit}): {before} in A, {after} in B", _label(waterfall), "cause", bars
    )


def _by_layer(found: Difference, waterfall: Waterfall) -> Panel:
    """The layers that changed most, in the order of the networks."""
    *rows, _ = layer_rows(waterfall, MOST_LAYERS)
    names = list(waterfall.by_layer)
    order = {name: place for place, name in enumerate(names)}
    where = dict.fromkeys(found.only_a, " (only A)") | dict.fromkeys(found.only_b, " (only B)")
    bars = [
        Bar(row.name + where.get(row.name, ""), row.change / 10**waterfall.digits)
        for row in sorted(rows, key=lambda row: order.get(row.name, len(order)))
    ]
    return Panel(f"{waterfall.measure} by layer", _label(waterfall), "layer", bars)


def _label(waterfall: Waterfall) -> str:
    return f"change ({waterfall.unit})"


def _table(waterfall: Waterfall) -> Iterator[dict[str, Value | None]]:
    for kind, changes in (("cause", waterfall.by_cause), ("layer", waterfall.by_layer)):
        for row in rows_of(waterfall, changes):
            yield {"measure": waterfall.measure, "unit": waterfall.unit, "by": kind, **_cells(row, waterfall.digits)}


def _cells(row: Row, digits: int) -> dict[str, Value | None]:
    effects = dict(zip(("by_count", "by_price", "by_both"), row.effects or (None,) * 3, strict=True))
    amounts = {"a": row.before, "b": row.after, **effects, "change": row.change}
    return {
        "name": row.name,
        **{key: units if units is None else number_text(units, digits) for key, units in amounts.items()},
    }
