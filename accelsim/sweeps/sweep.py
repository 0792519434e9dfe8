"""The whole sweep: points, store, workers, results.csv."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from accelsim.config.machine import Machine
from accelsim.config.quantities import written_out
from accelsim.config.strict_yaml import dotted
from accelsim.errors import ARGUMENTS, Mistake, UserError, visible
from accelsim.report.columns import Value
from accelsim.report.completeness import incomplete
from accelsim.report.export import save_rows
from accelsim.report.writing import locked
from accelsim.run.outlook import announce_sweep
from accelsim.sweeps.points import Point, Points
from accelsim.sweeps.spec import Wanted
from accelsim.sweeps.store import PointStore, digest_of, discard_if_damaged, opened
from accelsim.sweeps.stored import About, StoredPoint
from accelsim.sweeps.work import COLUMN_NAMES, Finished, PointTask, network_of
from accelsim.version import __version__

RESULTS = "results.csv"
RECOMMENDATION = "recommendation.json"
"""File of the answers of `accelsim recommend` from these results."""

Workers = Callable[[Iterator[PointTask]], Generator[Finished, None, None]]


class Summary(NamedTuple):
    """Summary of a sweep: points by outcome, those with an error, the first of them with it, and lines on networks that
    lack parts of their models."""

    counts: dict[str, int]
    errors: list[str]
    incomplete: list[str]


def run_sweep(
    wanted: Wanted, folder: Path, workers: Workers, watch: Callable[[int], Callable[[], None]], *, force: bool = False
) -> Summary:
    """Run what is missing of a sweep, and export it.

    watch: told how many points are to run, gives what is called after each. Raises UserError, before anything runs,
    for mistakes in points, or where the folder has another sweep and `force` is not set.
    """
    points, keys = Points(wanted), wanted.keys
    plan = digest_of(map(_identity, points))
    with own(folder):
        if force:
            discard_if_damaged(folder)
        with opened(folder, create=True) as store:
            _take_up(store, folder, points, plan, force=force)
            missing = store.missing()
            if missing:
                _announce(store, missing)
                done = watch(missing)
                with closing(workers(store.tasks())) as results:
                    for finished in results:
                        store.keep(finished)
                        done()
            save_results(store, folder, keys)
            errors = [_described(row) for row in store.rows(only_errors=True)]
            return Summary(store.counts(), errors, incomplete(named_values(row, keys) for row in store.rows()))


def _announce(store: PointStore, missing: int) -> None:
    """Say how long it will take; a network that is none is a result of its point."""
    networks = []
    for text, count in store.some_networks():
        with suppress(UserError):
            networks.append((network_of(text)[1], count))
    announce_sweep(missing, networks)


@contextmanager
def own(folder: Path) -> Iterator[None]:
    """The only sweep of this folder. Raises UserError where another process has it, or there can be none."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            yield
    except BlockingIOError:
        expected = "a folder that no other process writes to"
        raise UserError([Mistake(ARGUMENTS, 0, "folder", expected, str(folder))]) from None
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        expected = "a folder that can be written"
        raise UserError([Mistake(ARGUMENTS, 0, "folder", expected, error.strerror or "an error")]) from None


def _identity(point: Point) -> tuple[str, ...]:
    settings = json.dumps(point.settings)
    return point.network.name, point.machine.name, settings, point.network.text, point.machine.text, point.sha256


def _take_up(store: PointStore, folder: Path, points: Points, plan: str, *, force: bool) -> None:
    """Make the store one of this sweep, and nothing else. Results of other model versions are never kept."""
    about = store.about()
    if about is None or about.plan != plan or store.plan() != plan:
        if not force:
            _refuse_others(store, about, folder)
        for name in (RESULTS, RECOMMENDATION):
            (folder / name).unlink(missing_ok=True)
        store.start(points, plan, points.wanted.keys)
    for _ in store.rows():
        pass
    store.forget_accidents()


def _refuse_others(store: PointStore, about: About | None, folder: Path) -> None:
    """Raises UserError where a folder has something that would be replaced."""
    got = None
    if about is not None:
        got = f"{folder} with another one"
    elif not store.is_new():
        got = f"{folder} with {store.whose()}"
    elif (folder / RESULTS).exists():
        got = f"{folder} with {RESULTS}"
    if got:
        expected = f"a folder without another sweep than this one of accelsim {__version__}, or `force`"
        raise UserError([Mistake(ARGUMENTS, 0, "folder", expected, got)])


def save_results(store: PointStore, folder: Path, keys: Sequence[str]) -> None:
    """Write results.csv. Raises UserError."""
    rows = (list(printed_values(row, keys).values()) for row in store.rows())
    save_rows(folder / RESULTS, header(keys), rows)


def header(keys: Sequence[str]) -> list[str]:
    """The columns of results.csv."""
    return ["point", "network", "machine", *keys, "error", *COLUMN_NAMES]


def printed_values(row: StoredPoint, keys: Sequence[str]) -> dict[str, Value | None]:
    """A row by the columns of results.csv, as it stands there."""
    named = named_values(row, keys)
    return named | {key: setting_text(named[key]) for key in keys if key in row.settings}


def named_values(row: StoredPoint, keys: Sequence[str]) -> dict[str, Any]:
    """A row by the columns of results.csv, settings as they are."""
    settings = [in_its_unit(key, row.settings.get(key)) for key in keys]
    values = [row.point, row.network, row.machine, *settings, row.error, *row.values]
    return dict(zip(header(keys), values, strict=True))


def in_its_unit(key: str, setting: Any) -> Any:
    """A setting as a number where its key names the unit."""
    try:
        whole, value = written_out(tuple(key.split(".")), setting, Machine)
    except ValueError:
        return setting
    return value if dotted(whole) == key else setting


def keys_of(store: PointStore, folder: Path) -> list[str]:
    """The keys that a sweep varies. Raises UserError where it is one of another model version."""
    about = store.about()
    if about is None:
        expected = f"a sweep by this version, {__version__}; run it again with `force`, which replaces what is there"
        raise UserError([Mistake(ARGUMENTS, 0, "sweep", expected, f"{folder} with {store.whose()}")])
    return about.keys


def setting_text(value: Any) -> str:
    """A value as it is written in a sweep."""
    return value if isinstance(value, str) and value.isprintable() else json.dumps(value)


def _described(row: StoredPoint) -> str:
    settings = "".join(f" {key}={setting_text(value)}" for key, value in row.settings.items())
    return visible(f"{row.network} on {row.machine}{settings}: {row.error}")
