"""`accelsim schema`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from accelsim.cli.arguments import one_of
from accelsim.cli.output import print_json
from accelsim.config.kinds import KINDS


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of `schema`."""
    parser.add_argument("kind", type=one_of("kind", list(KINDS)), help=f"kind of file: {', '.join(KINDS)}")


def run(arguments: Namespace) -> int:
    """Carry it out; gives the exit code."""

    print_json(KINDS[arguments.kind].json_schema())
    return 0
