"""`accelsim sweep`."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from accelsim.cli.arguments import add_allowed_path, add_model_options, model_options, whole_number
from accelsim.cli.verbosity import add_verbosity
from accelsim.errors import Mistake, UserError

if TYPE_CHECKING:
    from accelsim.sweeps.spec import Wanted
    from accelsim.sweeps.sweep import Summary, Workers

DESCRIPTION = (
    "Simulate each network on each machine with each combination of values; keep every result as it "
    "finishes, and export all to DIR/results.csv. The same command again does only what is missing."
)
MOST_ERRORS = 10
"""Points whose errors are printed."""


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of `sweep`."""
    parser.add_argument("spec", metavar="SPEC", nargs="?", help="file that says all that the next five options can")
    parser.add_argument("--network", dest="networks", metavar="NETWORK", action="append", default=[],
                        help="workload file, name of a shipped one, or pattern; may be repeated")  # fmt: skip
    parser.add_argument("--hw", dest="machines", metavar="HW", action="append", default=[],
                        help="machine file, name of a shipped one, or pattern; may be repeated")  # fmt: skip
    parser.add_argument("--vary", metavar="KEY=VALUE,...", action="append", default=[],
                        help="values of a key, each with those of every other, or of keys that move together, as in "
                        "array.rows:array.cols=8:64,16:32; may be repeated")  # fmt: skip
    parser.add_argument("--where", metavar="CONSTRAINT", action="append", default=[],
                        help="only points with, for example, 'array.rows * array.cols <= 1024'")  # fmt: skip
    parser.add_argument("--mapping", metavar="FILE", help="file with the compiler's options, for all machines")
    parser.add_argument("-o", dest="output", metavar="DIR", required=True, help="folder of the results")
    parser.add_argument("--force", action="store_true", help="replace another sweep in DIR")
    add_workers(parser)
    add_model_options(parser)
    add_allowed_path(parser)
    add_verbosity(parser)


def add_workers(parser: ArgumentParser) -> None:
    """Options for the workers that do the points."""
    parser.add_argument(
        "--jobs", metavar="N", type=whole_number("--jobs", 1, 1024), help="worker processes (one for each core)"
    )
    parser.add_argument("--scheduler", metavar="ADDRESS", help="use the workers of this Dask scheduler, tcp://...")
    parser.add_argument("--no-cache", dest="fresh", action="store_true",
                        help="a process for each point, so that none can reuse what another left")  # fmt: skip


def run(arguments: Namespace) -> int:
    """Carry it out; gives the exit code."""
    from accelsim.cli.progress import gauge
    from accelsim.sweeps.sweep import run_sweep

    wanted = replace(_wanted(arguments), options=model_options(arguments))
    with gauge() as watch:
        summary = run_sweep(wanted, Path(arguments.output), workers_of(arguments), watch, force=arguments.force)
    return _tell(summary, arguments.output)


def _wanted(arguments: Namespace) -> Wanted:
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


def workers_of(arguments: Namespace) -> Workers:
    """The workers that the arguments ask for. Raises UserError for options that exclude each other."""
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
    print(*summary.incomplete, sep="\n", end="\n" * bool(summary.incomplete))
    parts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(summary.counts.items()))
    print(f"{sum(summary.counts.values())} points: {parts}; {Path(output) / 'results.csv'}")
    return 1 if summary.errors else 0
