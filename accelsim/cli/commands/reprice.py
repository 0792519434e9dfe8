"""`accelsim reprice`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from accelsim.cli.arguments import add_output
from accelsim.cli.output import finish

DESCRIPTION = (
    "Price a finished run with another energy table, without simulating it again. DIR gets what "
    "`accelsim run --set energy.table=TABLE -o DIR` would have written."
)


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of `reprice`."""
    parser.add_argument("finished", metavar="RUN", help="folder that `run -o` wrote, or its run.json")
    parser.add_argument("--energy", metavar="TABLE", required=True, help="energy table file, or name of a shipped one")
    add_output(parser)


def run(arguments: Namespace) -> int:
    """Carry it out; gives the exit code."""
    from accelsim.run.reprice import read_run, reprice

    return finish(reprice(read_run(arguments.finished), arguments.energy), arguments)
