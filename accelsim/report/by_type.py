"""Cycles of several runs by type of layer, side by side: rows and a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from accelsim.records import LayerRecord
from accelsim.report.finished import FinishedRun
from accelsim.report.tables import fitted


class TypeRow(NamedTuple):
    """Layers of one type together, for an image."""

    network: str
    machine: str
    type: str
    layers: int
    macs_per_image: int | float
    cycles_per_image: int | float
    energy_per_image_pj: float


Types = Sequence[TypeRow]
"""The rows of one run."""


def type_rows(run: FinishedRun) -> list[TypeRow]:
    """A row for each type of layer, in the order in which types begin."""
    found: dict[str, list[LayerRecord]] = {}
    for record in run.records:
        found.setdefault(record.kind, []).append(record)
    return [_row(run, name, members) for name, members in found.items()]


def _row(run: FinishedRun, name: str, members: Sequence[LayerRecord]) -> TypeRow:
    macs = sum(record.counts.macs for record in members)
    cycles = sum(record.total_cycles for record in members)
    energy_pj = sum(record.energy.total_pj for record in members)
    images = run.totals["images"]
    amounts = (macs / images, cycles / images, energy_pj / images) if images > 1 else (macs, cycles, energy_pj)
    return TypeRow(run.network.name, run.machine.name, name, len(members), *amounts)


def cycles_of(rows: Types) -> int | float:
    """Cycles of an image."""
    return sum(row.cycles_per_image for row in rows)


def types_of(runs: Sequence[Types]) -> list[str]:
    """Types, by the sum of their shares in the runs' cycles, the largest first."""
    sums: dict[str, float] = {}
    for rows in runs:
        whole = cycles_of(rows) or 1
        for row in rows:
            sums[row.type] = sums.get(row.type, 0) + row.cycles_per_image / whole
    return sorted(sums, key=lambda name: -sums[name])


def type_table(runs: Sequence[Types]) -> str:
    """A line for each run: cycles of an image, and the share of each type in them, a dash where it has none."""
    types = types_of(runs)
    several = len({rows[0].machine for rows in runs}) > 1
    header = ["network", *(["machine"] if several else []), "cycles", *types]
    lines = [
        [rows[0].network, *([rows[0].machine] if several else []), f"{cycles_of(rows):.0f}", *_shares(rows, types)]
        for rows in runs
    ]
    return fitted(header, lines, range(1 + several), spare=types[::-1])


def _shares(rows: Types, types: Sequence[str]) -> list[str]:
    whole, own = cycles_of(rows) or 1, {row.type: row.cycles_per_image for row in rows}
    return [f"{own[name] / whole:.1%}" if name in own else "-" for name in types]
