"""From the words of a command line to a command and its arguments."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from types import ModuleType

from accelsim.cli.arguments import EXAMPLE, Parser, command_line
from accelsim.cli.overview import COMMANDS, WELCOME, overview
from accelsim.errors import UserError, suggestion
from accelsim.version import __version__


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The arguments, with the function that carries them out in `command`.

    Raises UserError; leaves through SystemExit(0) after `--help` and `--version`, and where there are no words.
    """
    if "_ARGCOMPLETE" in os.environ:
        from accelsim.cli.completion import complete

        complete(_whole_parser(with_arguments=True))
    if not words:
        print(WELCOME, end="")
        raise SystemExit(0)
    if words[0].startswith("-"):
        _whole_parser(with_arguments=False).parse_known_args(words[:1])
        raise UserError([command_line("arguments", "COMMAND", "nothing")])
    name = words[0]
    if name not in COMMANDS:
        expected = f"a command of `accelsim --help`{suggestion(name, COMMANDS)}"
        raise UserError([command_line("COMMAND", expected, repr(name))])
    arguments = parser_of(name).read(words[1:])
    for key, option in (("settings", "--set"), ("vary", "--vary"), ("where", "--where"), ("budgets", "--budget")):
        setattr(arguments, key, _placed(getattr(arguments, key, []), option, words))
    arguments.command = _module(name).run
    return arguments


@cache
def parser_of(name: str) -> Parser:
    """The parser of a command."""
    module = _module(name)
    parser = Parser(f"accelsim {name}", getattr(module, "DESCRIPTION", None), EXAMPLE + COMMANDS[name].example)
    module.add_arguments(parser)
    return parser


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
        overview(),
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.usage = "accelsim [-h] [--version] COMMAND ..."
    parser.add_argument("--version", action="version", version=f"accelsim {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", help=argparse.SUPPRESS, parser_class=argparse.ArgumentParser)
    for name in COMMANDS:
        command = commands.add_parser(name)
        if with_arguments:
            _module(name).add_arguments(command)
    return parser
