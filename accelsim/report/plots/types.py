"""Stacked bars of several runs: the cycles of an image by type of layer."""

from __future__ import annotations

from collections.abc import Sequence

from accelsim.report.by_type import Types, types_of
from accelsim.report.compare import numbered
from accelsim.report.palette import TYPE_FILLS
from accelsim.report.plots.bars import Measure, stacked
from accelsim.report.plots.drawing import Drawing

OTHERS = "others"
"""Part of all types that have no fill of their own."""


def type_bars(runs: Sequence[Types]) -> Drawing:
    """A bar for each run, its machine in the name where there are several; the smallest types are one part."""
    types = types_of(runs)
    named = types if len(types) <= len(TYPE_FILLS) else types[: len(TYPE_FILLS) - 1]
    cycles = [{row.type: row.cycles_per_image for row in rows} for rows in runs]
    parts = {name: [own.get(name, 0) for own in cycles] for name in named}
    if len(named) < len(types):
        parts[OTHERS] = [sum(own.get(name, 0) for name in types[len(named) :]) for own in cycles]
    machines = list(dict.fromkeys(rows[0].machine for rows in runs))
    several = len(machines) > 1
    names = numbered([rows[0].network + (f" on {rows[0].machine}" if several else "") for rows in runs])
    title = f"Cycles by type of layer{'' if several else f' on {machines[0]}'}"
    measure = Measure("time", "cycles", "an image")
    return stacked(title, names, "network", measure, parts, dict(zip(parts, TYPE_FILLS, strict=False)))
