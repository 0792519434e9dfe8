"""Search of a space for its best machine, with a hard cap on the machines that are simulated.

Tree-structured Parzen estimators (Bergstra et al., NeurIPS 2011; Optuna) propose machines; the best one found is then
moved to better neighbours until it has none. What is left of the trials is spent in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from accelsim.errors import ARGUMENTS, Mistake, UserError
from accelsim.report.quantities import digits
from accelsim.sweeps.judged import Aim, Judged, judged, unfit
from accelsim.sweeps.points import Point
from accelsim.sweeps.space import Candidate, Space
from accelsim.sweeps.store import PointStore
from accelsim.sweeps.sweep import Workers
from accelsim.sweeps.work import PointTask
from accelsim.units import ceil_div

BATCH = 8
"""Machines that are proposed before any of them is judged; the same on any number of processes."""
PROPOSED = 2 / 3
"""Part of the trials that are left which the optimiser proposes, before the best machine moves to its neighbours."""
_MOST_PROPOSALS = 20
"""Proposals for each machine that is to be tried, before the rest is taken as known."""
_WORST = 1e30
"""The cost, and the excess, that the optimiser is told of a machine that has none."""

_PointsOf = dict[Candidate, list[Point]]


@dataclass
class Search:
    """Machines judged so far; None for a candidate that breaks a constraint or is no machine."""

    space: Space
    aim: Aim
    store: PointStore
    workers: Workers
    watch: Callable[[int], Callable[[], None]]
    weights: Mapping[str, float]
    judged: dict[Candidate, Judged | None] = field(default_factory=dict)
    done: Callable[[], None] = lambda: None

    def run(self) -> None:
        """All machines where they are few enough, else as many as there are trials."""
        if self.space.size <= self.aim.trials:
            wanted = self._to_simulate(self.space.all(), self.aim.trials)
            self.done = self.watch(sum(map(len, wanted.values())))
            self._simulate(wanted)
            return
        self.done = self.watch(self.aim.trials * len(self.space.wanted.networks))
        proposals = _Proposals(self)
        before = -1
        while before < self.tried < self.aim.trials:
            before = self.tried
            proposals.judge(before + math.ceil(PROPOSED * (self.aim.trials - before)))
            self._climb()

    def judge(self, candidates: Iterable[Candidate], most: int) -> None:
        """Simulate those of the candidates that are new, until there are `most` in all."""
        self._simulate(self._to_simulate(candidates, most))

    def _to_simulate(self, candidates: Iterable[Candidate], most: int) -> _PointsOf:
        """The points of those that are to be simulated; the others are judged here where they can be."""
        wanted: _PointsOf = {}
        left = most - self.tried
        for candidate in dict.fromkeys(candidates):
            if candidate in self.judged:
                continue
            points = self.space.points(candidate)
            broken = unfit(candidate, points, self.aim) if points else None
            if broken or not points:
                self.judged[candidate] = broken
            elif len(wanted) < left:
                wanted[candidate] = points
        return wanted

    def _simulate(self, wanted: _PointsOf) -> None:
        points = [point for found in wanted.values() for point in found]
        if not points:
            return
        self.store.extend(points, self.space.wanted.keys)
        with closing(self.workers(self._tasks(points))) as results:
            for finished in results:
                self.store.keep(finished)
                self.done()
        for candidate, found in wanted.items():
            values = {point.network.name: self.store.values(point.sha256) or {} for point in found}
            self.judged[candidate] = judged(candidate, values, self.aim, self.weights)

    def _tasks(self, points: Sequence[Point]) -> Iterator[PointTask]:
        """Tasks of the points without a result, equal points once."""
        asked: set[str] = set()
        for point in points:
            if point.sha256 in asked or self.store.values(point.sha256) is not None:
                self.done()
            else:
                asked.add(point.sha256)
                yield PointTask(point.sha256, point.network.text, point.machine.text)

    def _climb(self) -> None:
        """Go to the best neighbour until none is better, or no trials are left."""
        while self.tried and self.tried < self.aim.trials:
            before = self.best
            self.judge((each for _, each in self.space.neighbours(before.candidate)), self.aim.trials)
            if self.best == before:
                return

    @property
    def found(self) -> list[Judged]:
        """The machines that were judged, those that break a budget unsimulated among them."""
        return [each for each in self.judged.values() if each]

    @property
    def tried(self) -> int:
        """Machines that were simulated."""
        return sum(each.is_simulated for each in self.found)

    @property
    def best(self) -> Judged:
        """The best machine that was judged."""
        return min(self.found, key=lambda each: each.rank)

    def refuse_broken(self) -> None:
        """Raises UserError where the best machine does not run all networks, or keeps not all budgets."""
        best, count = self.best, len(self.found)
        if best.error is not None:
            raise UserError(_none_runs(count, best.error))
        if best.broken is not None:
            columns = sorted({key for budget in self.aim.budgets for key in budget.keys})
            kept = ", ".join(f"{name} {self._reached(name)}" for name in columns)
            alone = f"; each alone can be had: {kept}" if columns else ""
            got = f"none of {count}; the nearest is {best.broken}{alone}"
            raise UserError([Mistake(ARGUMENTS, 0, "budget", "budgets that a machine of the space keeps", got)])

    def _reached(self, column: str) -> str:
        """The tightest bounds, from above and from below, that a machine keeps for all its networks."""
        values = [
            [value for each in found.values.values() if isinstance(value := each.get(column), int | float)]
            for found in self.found
        ]
        known = [of_machine for of_machine in values if of_machine]
        return f"<= {digits(min(map(max, known)))} or >= {digits(max(map(min, known)))}" if known else "unknown"


def _none_runs(count: int, error: str) -> list[Mistake]:
    """The mistake that none of some machines runs all networks, and the one that its error is, if it is one."""
    cause = Mistake.read(error)
    got = f"none of {count}" if cause else f"none of {count}; {error}"
    return [Mistake(ARGUMENTS, 0, "machines", "one that runs all networks", got), *filter(None, [cause])]


class _Proposals:
    """Proposals of the optimiser, batch by batch, the same for the same seed and results."""

    def __init__(self, search: Search) -> None:
        self.search = search
        self.study = _study(search.aim.seed)
        self.domains = _domains(search.space)

    def judge(self, most: int) -> None:
        """Judge proposals until `most` machines are simulated, or most proposals are known."""
        search = self.search
        for _ in range(_MOST_PROPOSALS * ceil_div(search.aim.trials, BATCH)):
            if search.tried >= most or len(search.judged) == search.space.size:
                return
            trials = [self.study.ask(self.domains) for _ in range(BATCH)]
            batch = [tuple(trial.params[name] for name in self.domains) for trial in trials]
            search.judge(batch, most)
            for trial, candidate in zip(trials, batch, strict=True):
                self._tell(trial, candidate)

    def _tell(self, trial: Any, candidate: Candidate) -> None:
        """Tell the optimiser the cost of a machine; of one that there was no trial for, that it is unknown."""
        if candidate not in self.search.judged:
            from optuna.trial import TrialState

            self.study.tell(trial, state=TrialState.FAIL)
            return
        found = self.search.judged[candidate]
        cost, excess = (found.cost, found.excess) if found else (_WORST, _WORST)
        trial.set_user_attr("broken", (min(excess, _WORST),))
        self.study.tell(trial, min(cost, _WORST))


def refuse_without_optuna() -> None:
    """Raises UserError where Optuna is missing."""
    if find_spec("optuna") is None:
        expected = "Optuna, installed by `pip install 'accelsim[recommend]'`"
        raise UserError([Mistake(ARGUMENTS, 0, "recommend", expected, "none")])


def _study(seed: int) -> Any:
    """A study that proposes the same whenever it is told the same."""
    import warnings

    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sampler = optuna.samplers.TPESampler(
            seed=seed, multivariate=True, constant_liar=True, constraints_func=lambda trial: trial.user_attrs["broken"]
        )
    return optuna.create_study(sampler=sampler)


def _domains(space: Space) -> dict[str, Any]:
    """The positions of a candidate as the optimiser knows them."""
    from optuna.distributions import CategoricalDistribution, IntDistribution

    return {
        str(position): IntDistribution(0, size - 1)
        if space.is_ordered(position)
        else CategoricalDistribution(range(size))
        for position, size in enumerate(space.sizes)
    }
