"""`accelsim plot`: its arguments, and what it does."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelsim.errors import Mistake, UserError, suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable

    from accelsim.report.plots import Drawing


def add_plot(subparsers: Any) -> None:
    """The arguments of `plot`."""
    parser = subparsers.add_parser(
        "plot",
        help="draw a run, or a sweep",
        description="Draw a finished run (energy, cycles, utilization, roofline, timeline) or a sweep (energy, "
        "array-size, buffer-size, accuracy). Beside FILE stands what it shows, as CSV.",
        allow_abbrev=False,
    )
    parser.add_argument("path", metavar="RUN_OR_SWEEP", help="folder of a run or a sweep, or a run.json")
    parser.add_argument("--kind", required=True, help="which picture")
    parser.add_argument("-o", dest="output", metavar="FILE", required=True, help="file that ends in .svg, .png or .pdf")
    parser.add_argument("--force", action="store_true", help="replace another picture of that name")
    parser.set_defaults(command=plot)


def plot(arguments: argparse.Namespace) -> int:
    """`accelsim plot`."""
    from accelsim.report.export import csv_text, save_files
    from accelsim.report.figure import drawn

    output = Path(arguments.output)
    kind = picture_kind(arguments.output)
    drawing = _drawing(Path(arguments.path), arguments.kind)
    files: dict[str, str | bytes | None] = {
        output.with_suffix(".csv").name: csv_text(drawing.rows, drawing.columns),
        output.name: drawn(drawing.figure, kind),
    }
    save_files(output.parent, files, force=arguments.force)
    return 0


def picture_kind(output: str) -> str:
    """What a file is to be drawn as, by its name. Raises UserError."""
    from accelsim.report.figure import KINDS

    kind = Path(output).suffix.removeprefix(".")
    if kind not in KINDS:
        expected = f"a file that ends in {', '.join(f'.{each}' for each in KINDS)}"
        raise UserError([Mistake("command-line", 0, "-o", expected, repr(Path(output).name))])
    return kind


def _drawing(path: Path, kind: str) -> Drawing:
    """Raises UserError where there is nothing to draw, or no such picture of it."""
    from accelsim.report.plots import RUN_PLOTS, SWEEP_PLOTS
    from accelsim.run.reprice import read_run
    from accelsim.sweeps.drawn import drawn_points
    from accelsim.sweeps.store import NAME

    if (path / NAME).is_file():
        _refuse_unknown(kind, SWEEP_PLOTS, "a sweep")
        return SWEEP_PLOTS[kind](drawn_points(path))
    _refuse_unknown(kind, RUN_PLOTS, "a run")
    return RUN_PLOTS[kind](read_run(path))


def _refuse_unknown(kind: str, known: Iterable[str], what: str) -> None:
    names = list(known)
    if kind not in names:
        expected = f"one of {', '.join(names)} for {what}{suggestion(kind, names)}"
        raise UserError([Mistake("command-line", 0, "--kind", expected, repr(kind))])
