"""A sweep from Python, its results as a frame."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from os import PathLike, fspath
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from accelsim.report.frame import frame
from accelsim.sweeps.spec import sweep_of
from accelsim.sweeps.store import opened
from accelsim.sweeps.sweep import header, named_values, run_sweep
from accelsim.sweeps.work import Finished, PointTask, work
from accelsim.sweeps.workers import on_processes

if TYPE_CHECKING:
    from accelsim.report.frame import Frame

Names = str | PathLike[str] | Sequence[str | PathLike[str]]


def sweep(
    networks: Names,
    machines: Names,
    vary: Mapping[str, Sequence[Any]] | None = None,
    *,
    where: Sequence[str] = (),
    mapping: str | PathLike[str] | None = None,
    folder: str | PathLike[str] | None = None,
    jobs: int = 1,
    force: bool = False,
) -> Frame:
    """Networks on machines whose keys vary: a row for each point, with the columns of `results.csv` (docs/sweeps.md).

    networks, machines: names, files and patterns of either. vary: values of keys, each with those of every other, such
    as `{"array.rows": [16, 32]}`. where: constraints such as `"array.rows * array.cols <= 1024"`. mapping: a mapping
    file for all machines. folder: where results are kept, so that the same call does only what is missing; a folder
    with another sweep only with `force`. jobs: processes; a script that asks for several must do so below
    `if __name__ == "__main__":`.
    A point that fails has its `error`, others have none (NaN). Raises UserError, before anything runs, with all
    mistakes in what was asked for.
    """
    wanted = sweep_of(
        {
            "networks": _listed(networks),
            "machines": _listed(machines),
            "grid": {key: list(values) if _is_listed(values) else values for key, values in (vary or {}).items()},
            "where": list(where),
            **({} if mapping is None else {"mapping": fspath(mapping) if isinstance(mapping, PathLike) else mapping}),
        }
    )
    with ExitStack() as stack:
        place = Path(folder if folder is not None else stack.enter_context(TemporaryDirectory()))
        run_sweep(wanted, place, lambda tasks: _done(tasks, jobs), lambda _: lambda: None, force=force)
        store = stack.enter_context(opened(place))
        return frame([named_values(row, wanted.keys) for row in store.rows()], header(wanted.keys))


def _listed(names: Names) -> list[str]:
    return [fspath(name) for name in ([names] if isinstance(names, str | PathLike) else names)]


def _is_listed(values: object) -> bool:
    return isinstance(values, Iterable) and not isinstance(values, str)


def _done(tasks: Iterator[PointTask], jobs: int) -> Generator[Finished, None, None]:
    if jobs > 1:
        yield from on_processes(tasks, jobs)
    else:
        for task in tasks:
            yield work(task)
