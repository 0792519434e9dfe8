"""Runs of several networks side by side: accuracy, and what one image costs.

A column is added to `COLUMNS` and appears in `compare.csv`, JSON and `accelsim columns`; the text shows those in
`CELLS`, the picture those in `accelsim.report.tradeoff`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from accelsim.energy.ranking import Flip, Unsure
from accelsim.errors import Mistake, UserError, visible
from accelsim.report.columns import Value
from accelsim.report.finished import FinishedRun
from accelsim.report.tables import fitted

MOST_FLIPS = 10
"""Pairs of networks that are named where their order by energy depends on the table."""

ComparedRow = Mapping[str, Value | None]
_NUMBER = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?(e[-+]?[0-9]{1,2})?")


@dataclass(frozen=True, slots=True)
class ComparedColumn:
    """A column of the comparison; None where nothing is known."""

    name: str
    unit: str
    meaning: str
    value: Callable[[FinishedRun], Value | None]


def _accuracy(name: str, unit: str, meaning: str, key: str) -> ComparedColumn:
    def value(run: FinishedRun) -> Value | None:
        found: Value | None = getattr(run.workload.accuracy, key, None)
        return " ".join(found.split()) if isinstance(found, str) else found

    return ComparedColumn(name, unit, meaning, value)


def _per_image(name: str, unit: str, *totals: str) -> ComparedColumn:
    def value(run: FinishedRun) -> Value:
        amount: int | float = sum(run.totals[total] for total in totals)
        images = run.totals["images"]
        return amount / images if images > 1 else amount

    return ComparedColumn(
        name,
        unit,
        f"({' + '.join(totals)}) of the run / images" if len(totals) > 1 else f"{totals[0]} of the run / images",
        value,
    )


COLUMNS: tuple[ComparedColumn, ...] = (
    ComparedColumn("network", "", "name of the network", lambda run: run.network.name),
    ComparedColumn(
        "family", "", "family that the network belongs to, if any", lambda run: getattr(run.workload, "family", None)
    ),
    ComparedColumn("machine", "", "name of the machine", lambda run: run.machine.name),
    ComparedColumn("batch", "", "images that run together", lambda run: run.network.batch),
    _accuracy("top1_pct", "%", "top-1 accuracy, where it is known", "top1_pct"),
    _accuracy("top5_pct", "%", "top-5 accuracy, where it is known", "top5_pct"),
    _accuracy("accuracy_kind", "", "how the accuracy was measured", "kind"),
    _accuracy("accuracy_source", "", "where the accuracy is from", "source"),
    ComparedColumn("macs_per_image", "", "multiply-accumulates for one image", lambda run: run.network.macs),
    ComparedColumn(
        "weights",
        "",
        "weights, pruned ones included; biases and folded batch norms are not counted",
        lambda run: run.network.weights,
    ),
    ComparedColumn(
        "weight_bytes",
        "bytes",
        "size of the weights as stored",
        lambda run: run.network.stored_weight_bytes(run.machine.array.weight_bits),
    ),
    ComparedColumn("unmodelled", "", "operations that no figure includes", lambda run: len(run.workload.unmodelled)),
    _per_image("cycles_per_image", "cycles", "total_cycles"),
    _per_image("time_per_image_ms", "ms", "latency_ms"),
    _per_image("energy_per_image_pj", "pJ", "energy_total_pj"),
    ComparedColumn(
        "dram_energy_share", "0..1", "DRAM's share of the energy", lambda run: float(run.totals["dram_energy_share"])
    ),
    ComparedColumn("not_priced", "", "what the energy is without", lambda run: str(run.totals["not_priced"]) or None),
    _per_image("dram_per_image_bytes", "bytes", "dram_read_burst_bytes", "dram_write_burst_bytes"),
    ComparedColumn(
        "dram_burst_efficiency",
        "0..1",
        "requested bytes over those that DRAM moved",
        lambda run: float(run.totals["dram_burst_efficiency"]),
    ),
)


def comparison_row(run: FinishedRun) -> dict[str, Value | None]:
    """A run as a row of the comparison."""
    return {column.name: column.value(run) for column in COLUMNS}


def read_rows(path: Path, most: int) -> tuple[list[str], list[list[Value | None]]]:
    """Header and rows of a compare.csv, at most `most` of them, numbers as such. Raises UserError."""
    names = [column.name for column in COLUMNS]
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = islice(csv.reader(file, strict=True), most + 2)
    except (OSError, ValueError, csv.Error):
        header, rows = [], []
    if header != names or not 0 < len(rows) <= most or any(len(row) != len(names) for row in rows):
        expected = f"1 to {most} rows of a comparison by this version of accelsim"
        raise UserError([Mistake(str(path), 0, "file", expected, "something else")])
    return header, [[_read(cell) for cell in row] for row in rows]


def _read(cell: str) -> Value | None:
    """A cell as a number if it is one, as nothing if it is empty."""
    if not _NUMBER.fullmatch(cell):
        return visible(cell) or None
    number = float(cell)
    return int(number) if number.is_integer() else number


class ComparedCell(NamedTuple):
    """The print of a column, and the values for which it is worth it."""

    title: str
    column: str
    text: Callable[[Any], str]
    worth: Callable[[set[Value | None]], bool] = lambda _: True


def _differ(values: set[Value | None]) -> bool:
    return len(values - {None}) > 1


CELLS: tuple[ComparedCell, ...] = (
    ComparedCell("network", "network", str),
    ComparedCell("machine", "machine", str, _differ),
    ComparedCell("batch", "batch", "{}".format, lambda values: values != {1}),
    ComparedCell("top-1 %", "top1_pct", "{:.1f}".format),
    ComparedCell("measured by", "accuracy_kind", str, _differ),
    ComparedCell("MMAC", "macs_per_image", lambda macs: f"{macs / 1e6:.2f}"),
    ComparedCell("M weights", "weights", lambda weights: f"{weights / 1e6:.3f}"),
    ComparedCell("weights MiB", "weight_bytes", lambda size: f"{size / 2**20:.2f}"),
    ComparedCell("not modelled", "unmodelled", "{}".format, lambda values: values != {0}),
    ComparedCell("cycles", "cycles_per_image", "{:.0f}".format),
    ComparedCell("ms", "time_per_image_ms", "{:.3f}".format),
    ComparedCell("energy uJ", "energy_per_image_pj", lambda energy: f"{energy / 1e6:.1f}"),
    ComparedCell("of it DRAM", "dram_energy_share", "{:.1%}".format),
    ComparedCell("DRAM MiB", "dram_per_image_bytes", lambda moved: f"{moved / 2**20:.2f}"),
    ComparedCell("bursts", "dram_burst_efficiency", "{:.0%}".format),
)


SPARE = ("measured by", "weights MiB", "of it DRAM", "cycles", "M weights", "MMAC", "bursts")
"""Titles of columns that a narrow page goes without."""


def comparison(rows: Sequence[ComparedRow]) -> str:
    """A line for each row, a dash where nothing is known; costs are those of one image."""
    cells = [cell for cell in CELLS if cell.worth({row[cell.column] for row in rows})]
    lines = [["-" if row[cell.column] is None else cell.text(row[cell.column]) for cell in cells] for row in rows]
    left = [position for position, cell in enumerate(cells) if cell.text is str]
    return fitted([cell.title for cell in cells], lines, left, SPARE)


def unpriced(rows: Sequence[ComparedRow]) -> list[str]:
    """Lines on parts that the energies are without: all of them, those on some machines, those of some networks."""
    lacks = [str(row["not_priced"] or "").split(", ") for row in rows]
    whose: dict[str, list[str]] = {}
    for part in dict.fromkeys(part for parts in lacks for part in parts if part):
        whose.setdefault(_whose(rows, [part in parts for parts in lacks]), []).append(part)
    return [f"not priced{words}: {', '.join(parts)}" for words, parts in whose.items()]


def _whose(rows: Sequence[ComparedRow], lacks: Sequence[bool]) -> str:
    """The machines that all rows which lack something have to themselves, or else their networks, in words."""
    if all(lacks):
        return ""
    for word, key in (("on", "machine"), ("of", "network")):
        names = dict.fromkeys(str(row[key]) for row, is_lacking in zip(rows, lacks, strict=True) if is_lacking)
        if all(is_lacking or row[key] not in names for row, is_lacking in zip(rows, lacks, strict=True)):
            return f" {word} {', '.join(names)}"
    return " of some"


def survival(pairs: int, found: Sequence[Unsure]) -> list[str]:
    """The number of pairs whose order by energy holds at all prices within their ranges, and those others, closest
    first."""
    if not pairs:
        return []
    lines = [f"{pairs - len(found)} of {pairs} pairs keep their order by energy at all prices within their ranges"]
    closest = sorted(found, key=lambda each: each.lead_pj / each.loss_pj)
    lines += [
        f"{each.first} takes {each.lead_pj / 1e6:.1f} uJ less than {each.second}; at other prices within their ranges, "
        f"up to {each.loss_pj / 1e6:.1f} uJ more"
        for each in closest[:MOST_FLIPS]
    ]
    more = len(found) - MOST_FLIPS
    return lines if more <= 0 else [*lines, f"{more} more pairs change their order"]


def flipped(flips: Mapping[str, Sequence[Flip]]) -> list[str]:
    """A line for each pair of networks whose order by energy depends on the energy table, by machine."""
    lines = []
    for machine, found in flips.items():
        others: dict[tuple[str, str, str], list[str]] = {}
        for flip in found:
            others.setdefault((flip.first, flip.second, flip.table), []).append(flip.other_table)
        where = f" on {machine}" if len(flips) > 1 else ""
        lines += [
            f"{first} takes less energy than {second}{where} by {table}, more by {', '.join(tables)}"
            for (first, second, table), tables in others.items()
        ]
    more = len(lines) - MOST_FLIPS
    return lines if more <= 0 else [*lines[:MOST_FLIPS], f"{more} more pairs change their order"]


def numbered(names: Sequence[str]) -> list[str]:
    """The same names; with their places where several are equal."""
    return [name if names.count(name) == 1 else f"{name} ({place})" for place, name in enumerate(names, 1)]
