"""`accelsim report`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from accelsim.cli.arguments import command_line
from accelsim.config.places import is_file, is_folder
from accelsim.errors import Mistakes, UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from accelsim.report.findings import Advised
    from accelsim.report.page import ShownSweep
    from accelsim.run.result import Run

DESCRIPTION = (
    "Write a page that shows finished runs, side by side where there are several, and sweeps. It needs "
    "no network and nothing beside it."
)
RUN, COMPARISON = "run.json", "compare.csv"
MOST_POINTS = 20_000
"""Points of a sweep in a page that a browser can still sort."""


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of `report`."""
    parser.add_argument("paths", metavar="RUN_OR_SWEEP", nargs="+",
                        help="folder of a run, a sweep or a comparison, or a run.json")  # fmt: skip
    parser.add_argument("-o", dest="output", metavar="FILE", required=True, help="the page, report.html for example")
    parser.add_argument("--title", metavar="TEXT", default="accelsim report", help="head of the page")
    parser.add_argument("--force", action="store_true", help="replace another page of that name")


def run(arguments: Namespace) -> int:
    """Carry it out; gives the exit code."""
    from accelsim.report.export import save_files
    from accelsim.report.page import page_text
    from accelsim.run.reprice import read_run
    from accelsim.sweeps.store import NAME

    output = Path(arguments.output)
    if output.suffix != ".html":
        raise UserError([command_line("-o", "a file that ends in .html", repr(output.name))])
    runs: list[Run] = []
    sweeps: list[ShownSweep] = []
    mistakes = Mistakes()
    for path in map(Path, arguments.paths):
        with mistakes:
            if is_file(path / NAME):
                sweeps.append(_sweep(path))
            elif not is_folder(path) or is_file(path / RUN):
                runs.append(read_run(str(path)))
            elif is_file(path / COMPARISON):
                sweeps.append(_comparison(path))
            else:
                expected = f"a folder with a run ({RUN}), a sweep ({NAME}) or a comparison ({COMPARISON})"
                raise UserError([command_line("RUN_OR_SWEEP", expected, str(path))])
    mistakes.raise_any()
    tried = [_tried(run) for run in runs]
    save_files(output.parent, {output.name: page_text(runs, sweeps, tried, arguments.title)}, force=arguments.force)
    return 0


def _tried(run: Run) -> list[str]:
    """Sentences on changes that pay, and on those that there was no time for."""
    from accelsim.run.advice import advice, choice, left_text

    tried, left = choice(run)
    return [
        *(f"Tried, and worth it: {each.text}." for each in advice(run, tried)),
        *([f"{left_text(left).capitalize()}."] if left else []),
    ]


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
            raise UserError([command_line("RUN_OR_SWEEP", expected, f"{store.count()} in {folder}")])
        rows = [printed_values(row, keys) for row in store.rows()]
    names = header(keys)
    described = [names.index(name) for name in ("point", "network", "machine", *keys)]
    return ShownSweep(
        folder.name, __version__, names, [list(row.values()) for row in rows], described, _advised(folder, rows)
    )


def _advised(folder: Path, rows: Sequence[Mapping[str, Any]]) -> Advised | None:
    """The recommendation of a search among these points, if one had this folder. Raises UserError."""
    from accelsim.report.findings import Advised
    from accelsim.sweeps.front import outside
    from accelsim.sweeps.kept import read

    kept = read(folder)
    if kept is None:
        return None
    known = [budget for budget in kept.budgets if rows and budget.keys <= rows[0].keys()]
    beyond = {row["point"] for row in rows if not row["error"] and outside(row, known)}
    return Advised(kept.lines, kept.points, beyond)


def _comparison(folder: Path) -> ShownSweep:
    """The rows of compare.csv, by number. Raises UserError."""
    from accelsim.report.compare import read_rows
    from accelsim.report.page import ShownSweep
    from accelsim.version import __version__

    header, rows = read_rows(folder / COMPARISON, MOST_POINTS)
    described = [0, *(1 + header.index(name) for name in ("network", "machine"))]
    numbered = [[number, *row] for number, row in enumerate(rows)]
    return ShownSweep(folder.name, __version__, ["point", *header], numbered, described, is_comparison=True)
