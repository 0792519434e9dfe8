"""Machines as a search judges them: an aim, what a machine costs by it, and which budgets speak against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from accelsim.config.constraint import Constraint
from accelsim.report.efficiency import of_the_chip
from accelsim.sweeps.front import geometric_mean, number_in, outside
from accelsim.sweeps.points import Point
from accelsim.sweeps.space import Candidate
from accelsim.sweeps.work import target_of

OBJECTIVES: Mapping[str, Callable[[Mapping[str, Any]], float]] = {
    "latency": lambda values: float(values["latency_ms"] / values["inferences"]),
    "energy": lambda values: float(values["energy_per_inference_pj"]),
    "edp": lambda values: float(values["latency_ms"] / values["inferences"] * values["energy_per_inference_pj"]),
}
"""Costs of an inference, by objective."""


class Aim(NamedTuple):
    """Aim of a search: an objective, budgets on columns of results.csv, and how much each network counts.

    trials: the most machines that are simulated.
    """

    objective: str
    budgets: Sequence[Constraint] = ()
    weights: Mapping[str, float] = {}
    trials: int = 60
    seed: int = 0


class Judged(NamedTuple):
    """A machine with its cost, a mean over the networks, and what speaks against it.

    values: by network. broken: the first budget that a network breaks, or why it could not run; excess: the part by
    which budgets are exceeded, together.
    """

    candidate: Candidate
    cost: float
    values: Mapping[str, Mapping[str, Any]]
    broken: str | None
    excess: float

    @property
    def rank(self) -> tuple[bool, float, float, Candidate]:
        """Better ones first; of those that keep no budget the nearest."""
        return self.broken is not None, self.excess, self.cost, self.candidate

    @property
    def is_simulated(self) -> bool:
        """False where the machine alone breaks a budget."""
        return all("outcome" in each for each in self.values.values())

    @property
    def error(self) -> str | None:
        """The first error of its runs."""
        failed = (each for each in self.values.values() if each.get("outcome", "done") != "done")
        return next((str(each["error"]) for each in failed), None)

    def mean(self, objective: str, weights: Mapping[str, float]) -> float:
        """The mean of an objective over the networks."""
        costs = [OBJECTIVES[objective](each) for each in self.values.values()]
        return geometric_mean(costs, [weights[name] for name in self.values])


def judged(
    candidate: Candidate, values: Mapping[str, Mapping[str, Any]], aim: Aim, weights: Mapping[str, float]
) -> Judged:
    """A machine by the results of its points, by network."""
    broken = next(filter(None, (_broken(each, aim.budgets) for each in values.values())), None)
    if any(each["outcome"] != "done" for each in values.values()):
        return Judged(candidate, float("inf"), values, broken, float("inf"))
    excess = max(_excess(each, aim.budgets) for each in values.values())
    done = Judged(candidate, 0.0, values, broken, excess)
    return done._replace(cost=done.mean(aim.objective, weights))


def unfit(candidate: Candidate, points: Sequence[Point], aim: Aim) -> Judged | None:
    """A machine that breaks a budget whatever it runs, such as one of area; nothing where it breaks none."""
    chip = of_the_chip(target_of(points[0].machine.text).machine)
    budgets = [budget for budget in aim.budgets if budget.keys <= chip.keys()]
    broken = outside(chip, budgets)
    if broken is None:
        return None
    return Judged(
        candidate, float("inf"), {point.network.name: chip for point in points}, broken, _excess(chip, budgets)
    )


def _broken(values: Mapping[str, Any], budgets: Sequence[Constraint]) -> str | None:
    if values["outcome"] != "done":
        return "with an error"
    return outside(values, budgets)


def _excess(values: Mapping[str, Any], budgets: Sequence[Constraint]) -> float:
    """Infinite where a run lacks a number."""
    try:
        return sum(budget.excess(lambda column: number_in(values, column)) for budget in budgets)
    except ValueError:
        return float("inf")
