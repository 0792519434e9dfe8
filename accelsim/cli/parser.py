"""From the words of a command line to a command and its arguments."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from accelsim.cli.arguments import Parser, command_line
from accelsim.errors import UserError, suggestion
from accelsim.version import __version__

COMMANDS: dict[str, str] = {
    "run": "simulate a network on a machine",
    "compare": "networks side by side: accuracy and cost",
    "reprice": "price a finished run with another energy table",
    "rerun": "simulate a finished run again from its file alone",
    "sweep": "many points: networks on machines whose keys vary",
    "recommend": "the best machine under a budget, searched",
    "pareto": "the points of a sweep that no other beats",
    "plot": "draw a run, or a sweep",
    "report": "one page of HTML for runs and sweeps",
    "explain": "a layer's number as a sum of terms",
    "diff": "why one run takes more than another",
    "gemm": "simulate one matrix product",
    "check": "execute the tile programs on numbers and compare",
    "dram": "play a trace of bursts on a DRAM device",
    "import": "another tool's file as YAML",
    "show": "print a resolved configuration",
    "list": "list what is shipped",
    "schema": "print a JSON Schema for editors",
    "columns": "describe the result columns",
}
"""What each command is for; it is in the module of its name in `accelsim.cli.commands`, and only that is imported."""


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The arguments, with the function that carries them out in `command`.

    Raises UserError; leaves through SystemExit(0) after `--help` and `--version`.
    """
    if "_ARGCOMPLETE" in os.environ:
        from accelsim.cli.completion import complete

        complete(_whole_parser(with_arguments=True))
    if not words or words[0].startswith("-"):
        _whole_parser(with_arguments=False).parse_known_args(words[:1])
        raise UserError([command_line("arguments", "COMMAND", "nothing")])
    name = words[0]
    if name not in COMMANDS:
        expected = f"one of {', '.join(COMMANDS)}{suggestion(name, COMMANDS)}"
        raise UserError([command_line("COMMAND", expected, repr(name))])
    module = _module(name)
    parser = Parser(f"accelsim {name}", getattr(module, "DESCRIPTION", None))
    module.add_arguments(parser)
    arguments = parser.read(words[1:])
    for key, option in (("settings", "--set"), ("vary", "--vary"), ("where", "--where"), ("budgets", "--budget")):
        setattr(arguments, key, _placed(getattr(arguments, key, []), option, words))
    arguments.command = module.run
    return arguments


def _module(name: str) -> ModuleType:
    return import_module(f"accelsim.cli.commands.{'import_file' if name == 'import' else name}")


def _placed(values: Sequence[str], option: str, words: Sequence[str]) -> list[tuple[int, str]]:
    """Each value of an option with its position among the words, counted from 1."""
    places = [position for position, word in enumerate(words, 1) if word.startswith(option)]
    return list(zip(places, values, strict=False))


def _whole_parser(*, with_arguments: bool) -> Parser:
    """All commands, for help and completion."""
    parser = Parser(
        "accelsim",
        "Cycle-level simulator of systolic-array DNN accelerators.",
        "Exit codes: 0 fine, 1 a check, a rerun or a point of a sweep failed, 2 the user's mistake, 130 interrupted.",
    )
    parser.add_argument("--version", action="version", version=f"accelsim {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", parser_class=argparse.ArgumentParser)
    for name, purpose in COMMANDS.items():
        command = commands.add_parser(name, help=purpose)
        if with_arguments:
            _module(name).add_arguments(command)
    return parser
