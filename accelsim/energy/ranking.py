"""Order of runs by energy: whether it depends on the energy table, or on where prices lie within their ranges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from math import fsum
from typing import NamedTuple

from accelsim.config.energy_table import EnergyTable, Range
from accelsim.config.machine import Machine
from accelsim.energy.price import energy_parts, repriced
from accelsim.records import LayerRecord, total_energy


class Flip(NamedTuple):
    """`first` takes less energy than `second` by `table`, and more by `other_table`."""

    first: str
    second: str
    table: str
    other_table: str


def energies(
    runs: Mapping[str, tuple[Sequence[LayerRecord], Machine]], tables: Sequence[EnergyTable]
) -> dict[str, dict[str, float]]:
    """Energy of each run by each table in pJ, by names of table and run."""
    return {
        table.table: {
            name: total_energy(repriced(records, machine.model_copy(update={"energy": table}))).total_pj
            for name, (records, machine) in runs.items()
        }
        for table in tables
    }


def flips(by_table: Mapping[str, Mapping[str, float]]) -> Iterator[Flip]:
    """The pairs of runs whose order by energy is another by a later table than by the first one that tells them apart.

    by_table: energies by names of table and run, as `energies` gives them. Runs that are equal have no order.
    """
    names = list(next(iter(by_table.values()), {}))
    for one, other in combinations(names, 2):
        leads = {table: found[one] - found[other] for table, found in by_table.items()}
        told_apart = [table for table, lead in leads.items() if lead]
        for table in told_apart[1:]:
            if (leads[table] < 0) != (leads[told_apart[0]] < 0):
                first, second = (one, other) if leads[told_apart[0]] < 0 else (other, one)
                yield Flip(first, second, told_apart[0], table)


class Unsure(NamedTuple):
    """`first` takes `lead_pj` less than `second` at the prices given, and up to `loss_pj` more within their ranges."""

    first: str
    second: str
    lead_pj: float
    loss_pj: float


EnergyByRow = Mapping[tuple[str, str], tuple[float, Range | None]]
"""Energy, and the range of its price, by name of table or DRAM device and row of it."""


def energy_by_row(records: Sequence[LayerRecord], machine: Machine, images: int = 1) -> EnergyByRow:
    """Energy of an image in pJ by the rows of the table that price it. Parts of a row are dear or cheap together."""
    found: dict[tuple[str, str], tuple[float, Range | None]] = {}
    for record in records:
        for parts in energy_parts(record.counts, record.total_cycles, machine, record.caches).values():
            for part in parts:
                key = (machine.dram.device if part.row == "dram" else machine.energy.table, part.row)
                found[key] = (found.get(key, (0.0, None))[0] + part.energy_pj / images, part.range)
    return found


def unsure(runs: Mapping[str, EnergyByRow]) -> Iterator[Unsure]:
    """The pairs of runs whose order by energy does not survive all prices within their ranges.

    Runs with the same table share its prices, so what both take in the same amount cancels out.
    """
    totals = {name: fsum(energy for energy, _ in rows.values()) for name, rows in runs.items()}
    for one, other in combinations(runs, 2):
        first, second = sorted((one, other), key=totals.__getitem__)
        worst = fsum(_most(runs[first].get(key), runs[second].get(key)) for key in {**runs[first], **runs[second]})
        if totals[first] < totals[second] and worst > 0:
            yield Unsure(first, second, totals[second] - totals[first], worst)


def _most(first: tuple[float, Range | None] | None, second: tuple[float, Range | None] | None) -> float:
    """The most that the first takes more than the second by one row, within the range of its price."""
    known = first or second
    assert known is not None
    more = (first[0] if first else 0.0) - (second[0] if second else 0.0)
    limits = known[1]
    return max(more * limits.low, more * limits.high) if limits else more
