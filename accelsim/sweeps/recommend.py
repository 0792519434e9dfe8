"""The best machine of a space for given networks under a budget, searched instead of enumerated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from accelsim.errors import ARGUMENTS, Mistake, UserError, suggestion
from accelsim.run.define import load_network
from accelsim.sweeps.judged import Aim, Judged
from accelsim.sweeps.points import Points
from accelsim.sweeps.search import Search, refuse_without_optuna
from accelsim.sweeps.space import Space
from accelsim.sweeps.spec import Wanted
from accelsim.sweeps.store import PointStore, opened
from accelsim.sweeps.sweep import RECOMMENDATION, Workers, own, save_results
from accelsim.sweeps.work import COLUMN_NAMES
from accelsim.version import __version__


class Recommendation(NamedTuple):
    """The best machine, and what is around it.

    numbers: of its points. neighbours: by the position in which they differ; unknown: those that no trial was left
    for. tried: machines that were simulated; unfit: those that break a budget whatever they run.
    """

    space: Space
    best: Judged
    numbers: list[int]
    neighbours: list[tuple[int, Judged]]
    unknown: int
    tried: int
    unfit: int
    points: int
    weights: Mapping[str, float]


def recommend(
    wanted: Wanted, folder: Path, workers: Workers, aim: Aim, watch: Callable[[int], Callable[[], None]]
) -> Recommendation:
    """The best of at most `aim.trials` machines: proposals, and steps from the best of them to better neighbours.

    What was simulated stays in the folder's store, of which the same call, or a sweep of the same file, makes use.
    Raises UserError for mistakes in what was asked for, or where no machine keeps the budgets.
    """
    refuse_without_optuna()
    space = Space(wanted)
    _refuse_unknown_columns(aim)
    weights = _weights(aim, wanted)
    with own(folder), opened(folder, create=True) as store:
        _take_up(store, folder, wanted.keys)
        search = Search(space, aim, store, workers, watch, weights)
        search.run()
        if not search.found:
            _refuse_machines(wanted, aim)
        if not store.is_new():
            (folder / RECOMMENDATION).unlink(missing_ok=True)
            save_results(store, folder, wanted.keys)
        search.refuse_broken()
        return _recommendation(search)


def _recommendation(search: Search) -> Recommendation:
    best, space = search.best, search.space
    around = list(space.neighbours(best.candidate))
    own_points = map(search.store.number_of, space.points(best.candidate))
    numbers = [number for number in own_points if number is not None]
    neighbours = [(place, found) for place, each in around if (found := search.judged.get(each))]
    unknown = sum(each not in search.judged for _, each in around)
    points = sum(search.store.counts().values())
    unfit = len(search.found) - search.tried
    return Recommendation(space, best, numbers, neighbours, unknown, search.tried, unfit, points, search.weights)


def _refuse_unknown_columns(aim: Aim) -> None:
    for column in sorted({key for budget in aim.budgets for key in budget.keys} - set(COLUMN_NAMES)):
        expected = f"a column that `accelsim columns` lists{suggestion(column, COLUMN_NAMES)}"
        raise UserError([Mistake(ARGUMENTS, 0, "budget", expected, column)])


def _weights(aim: Aim, wanted: Wanted) -> dict[str, float]:
    """The weight of each network by its own name. Raises UserError for a weight of no network of the sweep."""
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


def _take_up(store: PointStore, folder: Path, keys: Sequence[str]) -> None:
    """Try accidents of before again. Raises UserError for a store of something else."""
    if store.is_new():
        return
    about = store.about()
    if about is None or about.keys != list(keys):
        got = f"{folder} with {'a sweep of other keys' if about else store.whose()}"
        expected = f"a folder of its own, or with a sweep of these keys by accelsim {__version__}"
        raise UserError([Mistake(ARGUMENTS, 0, "folder", expected, got)])
    store.forget_accidents()
