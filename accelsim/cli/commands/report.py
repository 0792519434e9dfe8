"""`accelsim report`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from accelsim.config.places import is_file
from accelsim.errors import Mistake, Mistakes, UserError

if TYPE_CHECKING:
    from accelsim.report.page import ShownSweep
    from accelsim.run.result import Run

DESCRIPTION = (
    "Write a page that shows finished runs, side by side where there are several, and sweeps. It needs "
    "no network and nothing beside it."
)
MOST_POINTS = 20_000
"""Of a sweep, in a page that a browser can still sort."""


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of `report`."""
    parser.add_argument("paths", metavar="RUN_OR_SWEEP", nargs="+", help="folder of a run or a sweep, or a run.json")
    parser.add_argument("-o", dest="output", metavar="FILE", required=True, help="the page, report.html for example")
    parser.add_argument("--force", action="store_true", help="replace another page of that name")


def run(arguments: Namespace) -> int:
    """Carry it out; gives the exit code."""
    from accelsim.report.export import save_files
    from accelsim.report.page import page_text
    from accelsim.run.advice import advice
    from accelsim.run.reprice import read_run
    from accelsim.sweeps.store import NAME

    output = Path(arguments.output)
    if output.suffix != ".html":
        raise UserError([Mistake("command-line", 0, "-o", "a file that ends in .html", repr(output.name))])
    runs: list[Run] = []
    sweeps: list[ShownSweep] = []
    mistakes = Mistakes()
    for path in arguments.paths:
        with mistakes:
            if is_file(Path(path) / NAME):
                sweeps.append(_sweep(Path(path)))
            else:
                runs.append(read_run(path))
    mistakes.raise_any()
    tried = [[each.text for each in advice(run)] for run in runs]
    save_files(output.parent, {output.name: page_text(runs, sweeps, tried)}, force=arguments.force)
    return 0


def _sweep(folder: Path) -> ShownSweep:
    """Raises UserError."""
    from accelsim.report.page import ShownSweep
    from accelsim.sweeps.store import opened
    from accelsim.sweeps.sweep import header, keys_of, printed_values
    from accelsim.version import __version__

    with opened(folder) as store:
        keys = keys_of(store, folder)
        if not 0 < store.count() <= MOST_POINTS:
            expected = f"a sweep with 1 to {MOST_POINTS} results"
            raise UserError([Mistake("command-line", 0, "RUN_OR_SWEEP", expected, f"{store.count()} in {folder}")])
        rows = [list(printed_values(row, keys).values()) for row in store.rows()]
    names = header(keys)
    described = [names.index(name) for name in ("point", "network", "machine", *keys)]
    return ShownSweep(folder.name, __version__, names, rows, described)
