"""Several networks on several machines, one run after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from accelsim.config.load import Kind, matching, parse_overrides
from accelsim.config.machine import Machine
from accelsim.config.workload import NetworkFile
from accelsim.errors import Mistake, Mistakes, UserError
from accelsim.network.graph import Network
from accelsim.report.columns import Value
from accelsim.report.compare import comparison_row
from accelsim.run.define import load_machine, load_network
from accelsim.run.simulate import lower_or_refuse, run_network


class Point(NamedTuple):
    """A network and the machine it is to run on."""

    workload: NetworkFile
    network: Network
    machine: Machine

    def __str__(self) -> str:
        return f"{self.network.name} on {self.machine.name}"


def load_points(
    networks: Iterable[str], machines: Iterable[str], settings: Iterable[tuple[int, str]] = ()
) -> list[Point]:
    """Each network on each machine, in the order asked for; names may be patterns, settings hold for all.

    Raises UserError, with the mistakes of all settings, names and files together.
    """
    mistakes = Mistakes()
    overrides = parse_overrides(settings, mistakes=mistakes)
    loaded, built = [], []
    for name in _matching(networks, "networks", mistakes):
        with mistakes:
            loaded.append(load_network(name, overrides))
    for name in _matching(machines, "machines", mistakes):
        with mistakes:
            built.append(load_machine(name, overrides))
    mistakes.raise_any()
    return [Point(*network, machine) for network in loaded for machine in built]


def _matching(words: Iterable[str], kind: Kind, mistakes: Mistakes) -> Iterable[str]:
    """The names that the words stand for, each once."""
    found: dict[str, None] = {}
    for word in words:
        with mistakes:
            found |= dict.fromkeys(matching(word, kind))
    return found


def compare(points: Sequence[Point], before: Callable[[Point], None]) -> list[dict[str, Value | None]]:
    """Run the points; a row for each. `before` is called with each before it runs.

    Raises UserError where layers do not fit a machine: all those, and what comes after the first is not run any more.
    """
    rows = []
    mistakes: list[Mistake] = []
    for point in points:
        before(point)
        try:
            if mistakes:
                lower_or_refuse(point.network, point.machine)
            else:
                rows.append(comparison_row(run_network(*point)))
        except UserError as error:
            layer_of = f" of {point.network.name}"
            mistakes += [replace(mistake, expected=mistake.expected + layer_of) for mistake in error.mistakes]
    if mistakes:
        raise UserError(mistakes)
    return rows
