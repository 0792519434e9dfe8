"""`accelsim pareto`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from accelsim.cli.arguments import add_weights, command_line
from accelsim.cli.verbosity import add_verbosity, note
from accelsim.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accelsim.report.pareto import Objective
    from accelsim.sweeps.front import Front

DESCRIPTION = (
    "List the points of a sweep that no other point beats in one to three columns: the Pareto front of all points, of "
    "those of each network, or of machines by their means over all networks. A point beats another if it is better in "
    "one column and at least as good in the others. Of one column it is the best point."
)


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of `pareto`."""
    parser.add_argument("folder", metavar="DIR", help="folder of a sweep")
    for sense in ("minimize", "maximize"):
        parser.add_argument(
            f"--{sense}",
            dest="objectives",
            metavar="COLUMN,...",
            type=partial(_objectives, maximize=sense == "maximize"),
            action="extend",
            default=[],
            help="columns of results.csv; may be repeated",
        )
    parser.add_argument("--where", metavar="CONSTRAINT", action="append", default=[],
                        help="only points with, for example, 'average_power_mw <= 500 and area_mm2 <= 4'")  # fmt: skip
    parser.add_argument("--per-network", action="store_true", help="a front for each network")
    parser.add_argument("--mean", action="store_true", help="machines by the geometric mean over all networks")
    add_weights(parser, "--mean with NETWORK counting as W networks; may be repeated")
    parser.add_argument(
        "-o", dest="output", metavar="OUT", help="write pareto.csv into OUT, and a picture of two or three columns"
    )
    parser.add_argument("--force", action="store_true", help="replace another front in OUT")
    add_verbosity(parser)


def _objectives(text: str, *, maximize: bool) -> list[tuple[str, bool]]:
    return [(column.strip(), maximize) for column in text.split(",")]


def run(arguments: Namespace) -> int:
    """Carry it out; gives the exit code."""
    from accelsim.report.pareto import Objective, front_table
    from accelsim.sweeps.front import Compared, conditions, front

    objectives = [Objective(*objective) for objective in arguments.objectives]
    if len({objective.column for objective in objectives}) != len(objectives) or len(objectives) not in (1, 2, 3):
        got = ", ".join(objective.column for objective in objectives) or "none"
        expected = "one to three different columns, such as --minimize latency_ms,energy_total_pj"
        raise UserError([command_line("--minimize and --maximize", expected, got)])
    by_mean = arguments.mean or bool(arguments.weights)
    if arguments.per_network and by_mean:
        raise UserError([command_line("--per-network", "one of the two", "means over networks too")])
    compared = Compared(
        objectives, conditions(arguments.where), arguments.per_network, dict(arguments.weights) if by_mean else None
    )
    found = front(Path(arguments.folder), compared)
    if arguments.output is not None:
        _save_front(found, objectives, arguments)
    for each in found.left_out:
        note(f"left out: {each}")
    print(*found.incomplete, sep="\n", end="\n" * bool(found.incomplete))
    columns = [*(objective.column for objective in objectives), *compared.limited]
    print(front_table(found.rows, found.keys, columns, found.points))
    return 0


def _save_front(found: Front, objectives: Sequence[Objective], arguments: Namespace) -> None:
    from accelsim.report.export import csv_text, save_files
    from accelsim.report.figure import FORMATS, drawn, mark_incomplete
    from accelsim.report.pareto import front_figure

    figure = front_figure(found.points, found.best, objectives, found.keys) if len(objectives) > 1 else None
    if figure and found.incomplete:
        mark_incomplete(figure)
    pictures = {f"pareto.{kind}": drawn(figure, kind) if figure else None for kind in FORMATS}
    save_files(Path(arguments.output), {**pictures, "pareto.csv": csv_text(found.rows)}, force=arguments.force)
