"""`accelsim sweep` and `accelsim pareto`: their arguments, and what they do."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelsim.cli.allowed import add_allow_path
from accelsim.cli.loudness import add_loudness, note
from accelsim.errors import Mistake, UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accelsim.report.pareto import Objective
    from accelsim.sweeps.front import Front
    from accelsim.sweeps.spec import Wanted
    from accelsim.sweeps.sweep import Summary, Workers

MOST_ERRORS = 10
"""Points whose errors are printed."""


def add_sweep(subparsers: Any, jobs: Any) -> None:
    """The arguments of `sweep`; `jobs` reads a number of workers."""
    parser = subparsers.add_parser(
        "sweep",
        help="many points: networks on machines whose keys vary",
        description="Simulate each network on each machine with each combination of values; keep every result as it "
        "finishes, and export all to DIR/results.csv. The same command again does only what is missing.",
        allow_abbrev=False,
    )
    parser.add_argument("spec", metavar="SPEC", nargs="?", help="file that says all that the next five options can")
    parser.add_argument("--network", dest="networks", metavar="NETWORK", action="append", default=[],
                        help="workload file, name of a shipped one, or pattern; may be repeated")  # fmt: skip
    parser.add_argument("--hw", dest="machines", metavar="HW", action="append", default=[],
                        help="machine file, name of a shipped one, or pattern; may be repeated")  # fmt: skip
    parser.add_argument("--vary", metavar="KEY=VALUE,...", action="append", default=[],
                        help="values of a key, each with those of every other; may be repeated")  # fmt: skip
    parser.add_argument("--where", metavar="CONSTRAINT", action="append", default=[],
                        help="only points with, for example, 'array.rows * array.cols <= 1024'")  # fmt: skip
    parser.add_argument("--mapping", metavar="FILE", help="file with the compiler's options, for all machines")
    parser.add_argument("-o", dest="output", metavar="DIR", required=True, help="folder of the results")
    parser.add_argument("--force", action="store_true", help="replace another sweep in DIR")
    parser.add_argument("--jobs", metavar="N", type=jobs, help="worker processes (one for each core)")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="use the workers of this Dask scheduler, tcp://...")
    parser.add_argument("--no-cache", dest="fresh", action="store_true",
                        help="a process for each point, so that none can reuse what another left")  # fmt: skip
    add_allow_path(parser)
    add_loudness(parser)
    parser.set_defaults(command=sweep)


def add_pareto(subparsers: Any) -> None:
    """The arguments of `pareto`."""
    parser = subparsers.add_parser(
        "pareto",
        help="the points of a sweep that no other beats",
        description="The points of a sweep than which no other is as good in all of two or three columns and better in "
        "one, as a table.",
        allow_abbrev=False,
    )
    parser.add_argument("folder", metavar="DIR", help="folder of a sweep")
    for sense in ("minimize", "maximize"):
        parser.add_argument(
            f"--{sense}",
            dest="objectives",
            metavar="COLUMN,...",
            type=lambda text, sense=sense: [(column.strip(), sense == "maximize") for column in text.split(",")],
            action="extend",
            default=[],
            help="columns of results.csv; may be repeated",
        )
    parser.add_argument(
        "-o", dest="output", metavar="OUT", help="write pareto.csv into OUT, and a picture of the points"
    )
    parser.add_argument("--force", action="store_true", help="replace another front in OUT")
    add_loudness(parser)
    parser.set_defaults(command=pareto)


def pareto(arguments: argparse.Namespace) -> int:
    """`accelsim pareto`."""
    from accelsim.report.pareto import Objective, front_table
    from accelsim.sweeps.front import front

    objectives = [Objective(*objective) for objective in arguments.objectives]
    if len({objective.column for objective in objectives}) != len(objectives) or len(objectives) not in (2, 3):
        got = ", ".join(objective.column for objective in objectives) or "none"
        expected = "two or three different columns"
        raise UserError([Mistake("command-line", 0, "--minimize and --maximize", expected, got)])
    found = front(Path(arguments.folder), objectives)
    if arguments.output is not None:
        _save_front(found, objectives, arguments)
    for reason, count in found.left_out.items():
        note(f"left out: {count} {reason}")
    print(front_table(found.rows, found.keys, objectives))
    return 0


def _save_front(found: Front, objectives: Sequence[Objective], arguments: argparse.Namespace) -> None:
    from accelsim.report.export import csv_text, save_files
    from accelsim.report.figure import FORMATS, drawn
    from accelsim.report.pareto import front_figure

    figure = front_figure(found.points, found.best, objectives)
    pictures = {f"pareto.{kind}": drawn(figure, kind) for kind in FORMATS}
    save_files(Path(arguments.output), {**pictures, "pareto.csv": csv_text(found.rows)}, force=arguments.force)


def sweep(arguments: argparse.Namespace) -> int:
    """`accelsim sweep`."""
    from accelsim.cli.progress import gauge
    from accelsim.sweeps.sweep import run_sweep

    wanted = _wanted(arguments)
    with gauge() as watch:
        summary = run_sweep(wanted, Path(arguments.output), _workers(arguments), watch, force=arguments.force)
    return _tell(summary, arguments.output)


def _wanted(arguments: argparse.Namespace) -> Wanted:
    from accelsim.sweeps.spec import inline_sweep, read_sweep

    inline = {
        "--network": arguments.networks,
        "--hw": arguments.machines,
        "--vary": arguments.vary,
        "--where": arguments.where,
        "--mapping": arguments.mapping,
    }
    if arguments.spec is None:
        if not (arguments.networks and arguments.machines):
            got = ", ".join(name for name, words in inline.items() if words) or "nothing"
            raise UserError([Mistake("command-line", 0, "arguments", "SPEC, or --network and --hw", got)])
        return inline_sweep(arguments.networks, arguments.machines, arguments.vary, arguments.where, arguments.mapping)
    given = [name for name, words in inline.items() if words]
    if given:
        expected = f"SPEC or {', '.join(given)}, not both"
        raise UserError([Mistake("command-line", 0, "arguments", expected, arguments.spec)])
    return read_sweep(arguments.spec)


def _workers(arguments: argparse.Namespace) -> Workers:
    from accelsim.sweeps.workers import cores, on_cluster, on_processes

    if arguments.scheduler is None:
        jobs = arguments.jobs or cores()
        return lambda tasks: on_processes(tasks, jobs, fresh=arguments.fresh)
    for name, given in (("--jobs", arguments.jobs), ("--no-cache", arguments.fresh)):
        if given:
            raise UserError([Mistake("command-line", 0, name, "no such option with --scheduler", "it")])
    return lambda tasks: on_cluster(tasks, arguments.scheduler)


def _tell(summary: Summary, output: str) -> int:
    for line in summary.errors[:MOST_ERRORS]:
        print(line, file=sys.stderr)
    if len(summary.errors) > MOST_ERRORS:
        print(f"and {len(summary.errors) - MOST_ERRORS} more", file=sys.stderr)
    parts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(summary.counts.items()))
    print(f"{sum(summary.counts.values())} points: {parts}; {Path(output) / 'results.csv'}")
    return 1 if summary.errors else 0
