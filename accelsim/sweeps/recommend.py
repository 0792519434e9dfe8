"""The best machine of a space for given networks under a budget, searched instead of enumerated.

Tree-structured Parzen estimators (Bergstra et al., NeurIPS 2011; Optuna) propose machines; the best one found is then
moved to better neighbours until it has none, so that what is recommended beats all that differ from it in one step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from accelsim.config.constraint import Constraint
from accelsim.errors import ARGUMENTS, Mistake, UserError, suggestion
from accelsim.report.export import save_rows
from accelsim.report.quantities import digits
from accelsim.run.define import load_network
from accelsim.sweeps.front import geometric_mean, number_in, outside
from accelsim.sweeps.points import Point, Points
from accelsim.sweeps.space import Candidate, Space
from accelsim.sweeps.spec import Wanted
from accelsim.sweeps.store import Store, opened
from accelsim.sweeps.sweep import RESULTS, Workers, header, own, printed_values
from accelsim.sweeps.work import COLUMN_NAMES, Task
from accelsim.version import __version__

OBJECTIVES: Mapping[str, Callable[[Mapping[str, Any]], float]] = {
    "latency": lambda values: float(values["latency_ms"] / values["inferences"]),
    "energy": lambda values: float(values["energy_per_inference_pj"]),
    "edp": lambda values: float(values["latency_ms"] / values["inferences"] * values["energy_per_inference_pj"]),
}
"""Costs of an inference, by objective."""
BATCH = 8
"""Machines that are proposed before any of them is judged; the same on any number of processes."""
_MOST_PROPOSALS = 20
"""Proposals for each machine that is to be tried, before the rest is taken as known."""
_WORST = 1e30
"""The cost, and the excess, that the optimiser is told of a machine that has none."""


class Aim(NamedTuple):
    """Aim of a search: an objective, budgets on columns of results.csv, and how much each network counts."""

    objective: str
    budgets: Sequence[Constraint] = ()
    weights: Mapping[str, float] = {}
    trials: int = 60
    seed: int = 0


class Judged(NamedTuple):
    """A machine that was simulated: its cost, a mean over the networks, and what speaks against it.

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


class Recommendation(NamedTuple):
    """The best machine, its neighbours by the position in which they differ, and how many were tried."""

    space: Space
    best: Judged
    neighbours: list[tuple[int, Judged]]
    tried: int
    points: int


@dataclass
class _Search:
    space: Space
    aim: Aim
    store: Store
    workers: Workers
    done: Callable[[], None]
    weights: Mapping[str, float]
    judged: dict[Candidate, Judged | None]

    def judge(self, candidates: Iterable[Candidate]) -> None:
        """Simulate those of the candidates that are new; None where one breaks a constraint or is no machine."""
        new = [each for each in dict.fromkeys(candidates) if each not in self.judged]
        points = {candidate: self.space.points(candidate) for candidate in new}
        wanted = [point for found in points.values() for point in found]
        self.store.extend(wanted, self.space.wanted.keys)
        with closing(self.workers(self._tasks(wanted))) as results:
            for finished in results:
                self.store.keep(finished)
                self.done()
        for candidate, found in points.items():
            self.judged[candidate] = self._judged(candidate, found) if found else None

    def _tasks(self, points: Sequence[Point]) -> Iterator[Task]:
        for point in {point.sha256: point for point in points}.values():
            if self.store.values(point.sha256) is None:
                yield Task(point.sha256, point.network.text, point.machine.text)
            else:
                self.done()

    def _judged(self, candidate: Candidate, points: Sequence[Point]) -> Judged:
        values = {point.network.name: self.store.values(point.sha256) or {} for point in points}
        broken = next(filter(None, (_broken(each, self.aim.budgets) for each in values.values())), None)
        if any(each["outcome"] != "done" for each in values.values()):
            return Judged(candidate, float("inf"), values, broken, float("inf"))
        costs = [OBJECTIVES[self.aim.objective](each) for each in values.values()]
        shares = [self.weights[name] for name in values]
        excess = max(_excess(each, self.aim.budgets) for each in values.values())
        return Judged(candidate, geometric_mean(costs, shares), values, broken, excess)

    @property
    def found(self) -> list[Judged]:
        """The machines that were simulated."""
        return [each for each in self.judged.values() if each]

    @property
    def best(self) -> Judged:
        """The best machine that was simulated."""
        return min(self.found, key=lambda each: each.rank)

    def refuse_broken(self) -> None:
        """Raises UserError where the best machine keeps not all budgets."""
        if self.best.broken is not None:
            columns = sorted({key for budget in self.aim.budgets for key in budget.keys})
            least = ", ".join(f"{name} {self._least(name)}" for name in columns)
            got = f"none of {len(self.found)}; the nearest is {self.best.broken}; the least there was: {least}"
            raise UserError([Mistake(ARGUMENTS, 0, "budget", "budgets that a machine of the space keeps", got)])

    def _least(self, column: str) -> str:
        """The least value of a column on a machine, of its networks the most."""
        most = [
            max((each[column] for each in judged.values.values() if each[column] is not None), default=None)
            for judged in self.found
        ]
        numbers = [value for value in most if isinstance(value, int | float)]
        return digits(min(numbers)) if numbers else "unknown"


def _broken(values: Mapping[str, Any], budgets: Sequence[Constraint]) -> str | None:
    if values["outcome"] != "done":
        return f"with the error {values['error']}"
    return outside(values, budgets)


def _excess(values: Mapping[str, Any], budgets: Sequence[Constraint]) -> float:
    """Infinite where a run lacks a number."""
    try:
        return sum(budget.excess(lambda column: number_in(values, column)) for budget in budgets)
    except ValueError:
        return float("inf")


def recommend(
    wanted: Wanted, folder: Path, workers: Workers, aim: Aim, watch: Callable[[int], Callable[[], None]]
) -> Recommendation:
    """The best machine found in at most `aim.trials` proposals and the steps from there to better neighbours.

    What was simulated stays in the folder's store, of which the same call, or a sweep of the same file, makes use.
    Raises UserError for mistakes in what was asked for, or where no machine keeps the budgets.
    """
    space = Space(wanted)
    weights = _weights(aim, wanted)
    with own(folder), opened(folder, create=True) as store:
        _take_up(store, folder, wanted.keys)
        done = watch(min(aim.trials, space.size) * len(wanted.networks))
        search = _Search(space, aim, store, workers, done, weights, {})
        for candidates in _proposals(search):
            search.judge(candidates)
        if not search.found:
            _refuse_machines(wanted, aim)
        _climb(search)
        rows = (list(printed_values(row, wanted.keys).values()) for row in store.rows())
        save_rows(folder / RESULTS, header(wanted.keys), rows)
        search.refuse_broken()
        around = list(space.neighbours(search.best.candidate))
        neighbours = [(place, found) for place, each in around if (found := search.judged[each])]
        return Recommendation(space, search.best, neighbours, len(search.found), sum(store.counts().values()))


def _weights(aim: Aim, wanted: Wanted) -> dict[str, float]:
    """The weight of each network by its own name. Raises UserError for what is no network or no column."""
    for column in sorted({key for budget in aim.budgets for key in budget.keys} - set(COLUMN_NAMES)):
        expected = f"a column that a run has{suggestion(column, COLUMN_NAMES)}"
        raise UserError([Mistake(ARGUMENTS, 0, "budget", expected, column)])
    names = {name: load_network(name, options=wanted.options)[1].name for name in wanted.networks}
    for name in aim.weights:
        if name not in names and name not in names.values():
            expected = f"a network of the sweep{suggestion(name, names)}"
            raise UserError([Mistake(ARGUMENTS, 0, "weights", expected, name)])
    return {own: aim.weights.get(own, aim.weights.get(name, 1.0)) for name, own in names.items()}


def _refuse_machines(wanted: Wanted, aim: Aim) -> None:
    """Raises UserError with all that is wrong with the machines, or, where there is one, as it was not proposed."""
    next(iter(Points(wanted)))
    expected = "more of them, or constraints that more machines keep"
    raise UserError([Mistake(ARGUMENTS, 0, "trials", expected, f"{aim.trials}, none with a machine that keeps them")])


def _take_up(store: Store, folder: Path, keys: Sequence[str]) -> None:
    """Try accidents of before again. Raises UserError for a store of something else."""
    if store.is_new():
        return
    about = store.about()
    if about is None or about.keys != list(keys):
        got = f"{folder} with {'a sweep of other keys' if about else store.whose()}"
        expected = f"a folder of its own, or with a sweep of these keys by accelsim {__version__}"
        raise UserError([Mistake(ARGUMENTS, 0, "folder", expected, got)])
    store.forget_accidents()


def _proposals(search: _Search) -> Iterator[list[Candidate]]:
    """Candidates to simulate, batch by batch: all where they are few, else as the optimiser proposes them."""
    if search.space.size <= search.aim.trials:
        yield list(search.space.all())
        return
    study = _study(search.aim.seed)
    domains = _domains(search.space)
    for _ in range(_MOST_PROPOSALS * -(-search.aim.trials // BATCH)):
        trials = [study.ask(domains) for _ in range(BATCH)]
        batch = [tuple(trial.params[name] for name in domains) for trial in trials]
        new = [each for each in dict.fromkeys(batch) if each not in search.judged]
        yield new[: search.aim.trials - len(search.found)]
        for trial, candidate in zip(trials, batch, strict=True):
            _tell(study, trial, search.judged.get(candidate))
        if len(search.found) >= search.aim.trials or len(search.judged) == search.space.size:
            return


def _study(seed: int) -> Any:
    """A search that proposes the same whenever it is told the same. Raises UserError where Optuna is missing."""
    try:
        import optuna
    except ImportError:
        expected = "Optuna, installed by `pip install 'accelsim[recommend]'`"
        raise UserError([Mistake(ARGUMENTS, 0, "recommend", expected, "none")]) from None
    import warnings

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


def _tell(study: Any, trial: Any, judged: Judged | None) -> None:
    cost, excess = (judged.cost, judged.excess) if judged else (_WORST, _WORST)
    trial.set_user_attr("broken", (min(excess, _WORST),))
    study.tell(trial, min(cost, _WORST))


def _climb(search: _Search) -> None:
    """Go to the best neighbour until none is better."""
    while True:
        before = search.best
        search.judge(each for _, each in search.space.neighbours(before.candidate))
        if search.best == before:
            return
