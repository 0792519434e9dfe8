"""Several networks on several machines, one run after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from math import comb
from typing import NamedTuple

from accelsim.config.energy_table import EnergyTable
from accelsim.config.load import load_energy_table, parse_overrides
from accelsim.config.machine import Machine
from accelsim.config.named import Kind, matching, shipped
from accelsim.config.scheduling import Scheduling
from accelsim.config.workload import NetworkFile
from accelsim.energy.ranking import EnergyByRow, Flip, Unsure, energies, energy_by_row, flips, unsure
from accelsim.errors import Mistake, Mistakes, UserError
from accelsim.importers import PLAIN, ModelOptions
from accelsim.network.graph import Network
from accelsim.report.by_type import TypeRow, type_rows
from accelsim.report.columns import Value
from accelsim.report.compare import comparison_row, numbered
from accelsim.run.define import load_network, load_target
from accelsim.run.play import lower_or_refuse
from accelsim.run.result import Run
from accelsim.run.simulate import run_network


class ComparedRun(NamedTuple):
    """A network, the machine it is to run on, and how."""

    workload: NetworkFile
    network: Network
    machine: Machine
    scheduling: Scheduling

    def __str__(self) -> str:
        return f"{self.network.name} on {self.machine.name}"


class Comparison(NamedTuple):
    """A row for each network on each machine, and what its types of layers come to; by machine, the pairs of networks
    whose order by energy depends on the energy table; and the pairs of runs whose order does not survive the ranges of
    the prices, out of all pairs.
    """

    rows: list[dict[str, Value | None]]
    types: list[list[TypeRow]]
    flips: dict[str, list[Flip]]
    unsure: list[Unsure]
    pairs: int


def load_combinations(
    networks: Iterable[str],
    machines: Iterable[str],
    settings: Iterable[tuple[int, str]] = (),
    mapping: str | None = None,
    options: ModelOptions = PLAIN,
) -> list[ComparedRun]:
    """Each network on each machine, in the order given; names may be patterns, all else holds for all.

    Raises UserError, with the mistakes of all settings, names and files together.
    """
    mistakes = Mistakes()
    overrides = parse_overrides(settings, mistakes=mistakes)
    loaded, built = [], []
    for name in _matching(networks, "networks", mistakes):
        with mistakes:
            loaded.append(load_network(name, overrides, options))
    for name in _matching(machines, "machines", mistakes):
        with mistakes:
            built.append(load_target(name, overrides, mapping))
    mistakes.raise_any()
    return [ComparedRun(*network, *target) for network in loaded for target in built]


def _matching(words: Iterable[str], kind: Kind, mistakes: Mistakes) -> Iterable[str]:
    """The names that the words stand for, each once."""
    found: dict[str, None] = {}
    for word in words:
        with mistakes:
            found |= dict.fromkeys(matching(word, kind))
    return found


def compare(combinations: Sequence[ComparedRun], before: Callable[[ComparedRun], None]) -> Comparison:
    """Run the networks on their machines. `before` is called with each before it runs.

    Raises UserError where layers do not fit a machine: all those, and what comes after the first is not run any more.
    """
    runs: list[Run] = []
    mistakes: list[Mistake] = []
    for combination in combinations:
        before(combination)
        try:
            if mistakes:
                lower_or_refuse(combination.network, combination.machine, combination.scheduling)
            else:
                runs.append(run_network(*combination))
        except UserError as error:
            layer_of = f" of {combination.network.name}"
            mistakes += [replace(mistake, expected=mistake.expected + layer_of) for mistake in error.mistakes]
    if mistakes:
        raise UserError(mistakes)
    energies_of = _energies(runs)
    found = list(unsure(energies_of))
    rows, types = [comparison_row(run) for run in runs], [type_rows(run) for run in runs]
    return Comparison(rows, types, _flips(runs), found, comb(len(energies_of), 2))


def _energies(runs: Sequence[Run]) -> dict[str, EnergyByRow]:
    """Energy of an image of each run by what prices it."""
    several = len({run.machine.name for run in runs}) > 1
    names = numbered([run.network.name + (f" on {run.machine.name}" if several else "") for run in runs])
    each = (energy_by_row(run.records, run.machine, run.network.batch * run.scheduling.inferences) for run in runs)
    return dict(zip(names, each, strict=True))


def _flips(runs: Sequence[Run]) -> dict[str, list[Flip]]:
    """By machine, the pairs of networks that its own energy table and a shipped one put in different orders."""
    by_machine: dict[str, list[Run]] = {}
    for run in runs:
        by_machine.setdefault(run.machine.name, []).append(run)
    several = {name: alike for name, alike in by_machine.items() if len(alike) > 1}
    shipped_tables = [load_energy_table(name) for name in shipped("energy")] if several else []
    return {name: list(flips(_per_image_pj(alike, shipped_tables))) for name, alike in several.items()}


def _per_image_pj(runs: Sequence[Run], tables: Sequence[EnergyTable]) -> dict[str, dict[str, float]]:
    """Energy of an image by names of table and network; first by the machine's own table."""
    own, names = runs[0].machine.energy, numbered([run.network.name for run in runs])
    by_table = energies(
        {name: (run.records, run.machine) for name, run in zip(names, runs, strict=True)},
        [own, *(table for table in tables if table.table != own.table)],
    )
    images = {name: run.network.batch * run.scheduling.inferences for name, run in zip(names, runs, strict=True)}
    return {table: {name: found[name] / images[name] for name in found} for table, found in by_table.items()}
