"""Does the order of runs by energy depend on the energy table?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from accelsim.config.energy_table import EnergyTable
from accelsim.config.machine import Machine
from accelsim.energy.price import repriced
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
