"""The whole sweep: points, store, workers, results.csv."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from accelsim.errors import Mistake, UserError
from accelsim.report.columns import Value
from accelsim.report.export import save_rows
from accelsim.sweeps.points import Points
from accelsim.sweeps.spec import Wanted
from accelsim.sweeps.store import FORMAT, Row, Store, opened
from accelsim.sweeps.work import COLUMN_NAMES, Finished, Task
from accelsim.version import __version__

RESULTS = "results.csv"

Workers = Callable[[Iterator[Task]], Generator[Finished, None, None]]


class Summary(NamedTuple):
    """What became of a sweep: points by outcome, and those with an error, the first of them with it."""

    counts: dict[str, int]
    errors: list[str]


def run_sweep(
    wanted: Wanted, folder: Path, workers: Workers, watch: Callable[[int], Callable[[], None]], *, force: bool = False
) -> Summary:
    """Run what is missing of a sweep, and export it.

    watch: told how many points are to run, gives what is called after each. Raises UserError, before anything runs,
    for mistakes in points, or where the folder has another sweep and `force` is not set.
    """
    points, keys = Points(wanted), wanted.keys
    plan = _digest(points)
    with opened(folder, create=True) as store:
        _take_up(store, folder, points, plan, force=force)
        missing = store.missing()
        if missing:
            done = watch(missing)
            with closing(workers(store.tasks())) as results:
                for finished in results:
                    store.keep(finished)
                    done()
        rows = (list(printed_values(row, keys).values()) for row in store.rows())
        save_rows(folder / RESULTS, header(keys), rows)
        return Summary(store.counts(), [_described(row) for row in store.rows(only_errors=True)])


def _digest(points: Points) -> str:
    """What tells this sweep from others."""
    digest = hashlib.sha256()
    for point in points:
        digest.update(json.dumps([point.network.name, point.machine.name, point.settings, point.sha256]).encode())
    return digest.hexdigest()


def _take_up(store: Store, folder: Path, points: Points, plan: str, *, force: bool) -> None:
    """Make the store one of this sweep. Results of other model versions are never kept."""
    about = store.about()
    ours = _is_ours(about)
    if not ours or about["plan"] != plan:
        if not force:
            _refuse_others(about, folder, same_version=ours)
        (folder / RESULTS).unlink(missing_ok=True)
        store.start(points, plan, points.wanted.keys, anew=bool(about) and not ours)
    store.forget_accidents()


def _refuse_others(about: dict[str, Any], folder: Path, *, same_version: bool) -> None:
    """Raises UserError where a folder has something that would be replaced."""
    got = None
    if about and not same_version:
        got = _whose(about, folder)
    elif about:
        got = f"{folder} with another one"
    elif (folder / RESULTS).exists():
        got = f"{folder} with {RESULTS}"
    if got:
        expected = f"a folder without another sweep than this one of accelsim {__version__}, or --force"
        raise UserError([Mistake("command-line", 0, "-o", expected, got)])


def header(keys: Sequence[str]) -> list[str]:
    """The columns of results.csv."""
    return ["point", "network", "machine", *keys, "error", *COLUMN_NAMES]


def printed_values(row: Row, keys: Sequence[str]) -> dict[str, Value | None]:
    """A row by the columns of results.csv, as it stands there."""
    return named_values(row, keys) | {key: setting_text(value) for key, value in row.settings.items()}


def named_values(row: Row, keys: Sequence[str]) -> dict[str, Any]:
    """A row by the columns of results.csv, settings as they are."""
    settings = [row.settings.get(key) for key in keys]
    values = [row.point, row.network, row.machine, *settings, row.error, *row.values]
    return dict(zip(header(keys), values, strict=True))


def keys_of(store: Store, folder: Path) -> list[str]:
    """The keys that a sweep varies. Raises UserError where it is one of another model version."""
    about = store.about()
    if not _is_ours(about):
        expected = f"a folder with a sweep of accelsim {__version__}"
        raise UserError([Mistake("command-line", 0, "DIR", expected, _whose(about, folder))])
    keys: list[str] = json.loads(about["keys"])
    return keys


def _is_ours(about: Mapping[str, Any]) -> bool:
    return (about.get("format"), about.get("accelsim_version")) == (FORMAT, __version__)


def _whose(about: Mapping[str, Any], folder: Path) -> str:
    return f"{folder} with one of accelsim {about.get('accelsim_version')}, format {about.get('format')}"


def setting_text(value: Any) -> str:
    """A value as it is written in a sweep."""
    return value if isinstance(value, str) else json.dumps(value)


def _described(row: Row) -> str:
    settings = "".join(f" {key}={setting_text(value)}" for key, value in row.settings.items())
    return f"{row.network} on {row.machine}{settings}: {row.error}"
