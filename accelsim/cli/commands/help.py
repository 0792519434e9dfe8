"""`accelsim help`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from accelsim.cli.arguments import one_of
from accelsim.cli.overview import COMMANDS, TOPICS, overview

DESCRIPTION = "Explain a command or a topic."


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of `help`."""
    words = (*COMMANDS, *TOPICS)
    parser.add_argument("topic", metavar="TOPIC", nargs="?", type=one_of("TOPIC", words), help="a command or a topic")


def run(arguments: Namespace) -> int:
    """Carry it out; gives the exit code."""
    if arguments.topic in COMMANDS:
        from accelsim.cli.parser import parser_of

        parser_of(arguments.topic).print_help()
    else:
        print(TOPICS[arguments.topic] if arguments.topic else overview(), end="")
    return 0
