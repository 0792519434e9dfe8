"""`accelsim plot`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from accelsim.cli.output import picture_kind
from accelsim.config.places import is_file
from accelsim.errors import Mistake, UserError, suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable

    from accelsim.report.plots import Drawing

DESCRIPTION = (
    "Draw a finished run (energy, cycles, utilization, roofline, timeline) or a sweep (energy, "
    "array-size, array-map, buffer-size, accuracy). Beside FILE stands what it shows, as CSV."
)


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of `plot`."""
    parser.add_argument("path", metavar="RUN_OR_SWEEP", help="folder of a run or a sweep, or a run.json")
    parser.add_argument("--kind", required=True, help="which picture")
    parser.add_argument("-o", dest="output", metavar="FILE", required=True, help="file that ends in .svg, .png or .pdf")
    parser.add_argument("--force", action="store_true", help="replace another picture of that name")


def run(arguments: Namespace) -> int:
    """Carry it out; gives the exit code."""
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


def _drawing(path: Path, kind: str) -> Drawing:
    """Raises UserError where there is nothing to draw, or no such picture of it."""
    from accelsim.report.figure import mark_incomplete
    from accelsim.report.plots import RUN_PLOTS, SWEEP_PLOTS
    from accelsim.run.reprice import read_run
    from accelsim.sweeps.drawn import drawn_points
    from accelsim.sweeps.store import NAME

    if is_file(path / NAME):
        _refuse_unknown(kind, SWEEP_PLOTS, "a sweep")
        points = drawn_points(path)
        drawing = SWEEP_PLOTS[kind](points)
        if any(point.values["unmodelled"] for point in points):
            mark_incomplete(drawing.figure)
        return drawing
    if kind not in SWEEP_PLOTS:
        _refuse_unknown(kind, RUN_PLOTS, "a run")
    run = read_run(path)
    _refuse_unknown(kind, RUN_PLOTS, "a run")
    return RUN_PLOTS[kind](run)


def _refuse_unknown(kind: str, known: Iterable[str], what: str) -> None:
    names = list(known)
    if kind not in names:
        expected = f"one of {', '.join(names)} for {what}{suggestion(kind, names)}"
        raise UserError([Mistake("command-line", 0, "--kind", expected, repr(kind))])
