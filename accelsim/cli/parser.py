"""What can be written on the command line."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from accelsim.cli import commands
from accelsim.errors import Mistake, UserError, shorten, suggestion
from accelsim.version import __version__

KINDS = ("networks", "machines", "dram", "energy")
GROUPINGS = ("type", "stage", "layer")
LARGEST = 1 << 20


class _Parser(argparse.ArgumentParser):
    """argparse, its errors as mistakes of ours."""

    def error(self, message: str) -> NoReturn:
        raise UserError([_mistake(message, self)])


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments, with the function that carries them out in `command`.

    Raises UserError; leaves through SystemExit(0) after `--help` and `--version`.
    """
    arguments = _parser().parse_args(argv)
    arguments.settings = _placed(arguments.settings, argv) if hasattr(arguments, "settings") else []
    return arguments


def _placed(settings: Sequence[str], argv: Sequence[str]) -> list[tuple[int, str]]:
    """Each setting with its position among the arguments, counted from 1."""
    places = [position for position, word in enumerate(argv, 1) if word.startswith("--set")]
    return list(zip(places, settings, strict=False))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="accelsim",
        description="Cycle-level simulator of systolic-array DNN accelerators.",
        epilog="Exit codes: 0 fine, 1 a check failed, 2 the user's mistake, 130 interrupted.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"accelsim {__version__}")
    commands_ = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    _add_run(commands_)
    _add_gemm(commands_)
    _add_check(commands_)
    _add_show(commands_)
    _add_list(commands_)
    columns = commands_.add_parser("columns", help="describe the result columns", allow_abbrev=False)
    columns.set_defaults(command=commands.columns)
    return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        dest="settings",
        metavar="KEY=VALUE",
        default=[],
        action="append",
        help="change a key of the configuration, such as array.rows=16; may be repeated",
    )


def _add_run(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "run", help="simulate a network on a machine", description="Simulate a network on a machine, layer by layer.",
        allow_abbrev=False,
    )  # fmt: skip
    parser.add_argument("network", metavar="NETWORK", help="workload file, or name of a shipped one")
    parser.add_argument("machine", metavar="HW", help="machine file, or name of a shipped one")
    parser.add_argument("--by", choices=GROUPINGS, help="shares of MACs, cycles and energy instead of the layer table")
    parser.add_argument("--json", action="store_true", help='print {"totals": ..., "layers": [...]}')
    parser.add_argument("-o", dest="output", metavar="DIR", help="write run.json and layers.csv into DIR")
    parser.add_argument("--force", action="store_true", help="replace another run in DIR")
    _add_settings(parser)
    parser.set_defaults(command=commands.run)


def _add_gemm(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "gemm",
        help="simulate one matrix product",
        description="G matrix products (M x K) * (K x N). array_cycles is the array alone, all data on chip, capacity "
        "and ports ignored; total_cycles is the whole machine.",
        allow_abbrev=False,
    )
    for name in "mkn":
        parser.add_argument(name, metavar=name.upper(), type=_size)
    parser.add_argument("machine", metavar="HW", help="machine file, or name of a shipped one")
    parser.add_argument("--groups", metavar="G", type=_size, default=1, help="so many independent products (1)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    _add_settings(parser)
    parser.set_defaults(command=commands.gemm)


def _add_check(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "check",
        help="execute the tile programs on numbers and compare",
        description="Execute the tile programs on random integers, in the machine's event order, and compare with a "
        "direct computation bit for bit.",
        allow_abbrev=False,
    )
    parser.add_argument("network", metavar="NETWORK", help="workload file, or name of a shipped one")
    parser.add_argument("machine", metavar="HW", help="machine file, or name of a shipped one")
    parser.add_argument("--seed", type=_seed, default=0, help="seed of the random integers (0)")
    _add_settings(parser)
    parser.set_defaults(command=commands.check)


def _add_show(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "show",
        help="print a resolved configuration",
        description="Print a network or machine with everything resolved; the text can be saved, edited and run.",
        allow_abbrev=False,
    )
    parser.add_argument("name", metavar="NAME", help="machine or network: a file, or name of a shipped one")
    parser.add_argument("--layers", action="store_true", help="the layers of a network instead, as a table")
    parser.add_argument("--csv", action="store_true", help="with --layers: as CSV")
    _add_settings(parser)
    parser.set_defaults(command=commands.show)


def _add_list(subparsers: Any) -> None:
    parser = subparsers.add_parser("list", help="list what is shipped", allow_abbrev=False)
    parser.add_argument("kind", nargs="?", choices=KINDS, help="only this kind")
    parser.set_defaults(command=commands.list_shipped)


def _size(text: str) -> int:
    return _whole_number(text, 1, LARGEST)


def _seed(text: str) -> int:
    return _whole_number(text, 0, (1 << 63) - 1)


def _whole_number(text: str, least: int, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,20}", text) or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"expected a whole number from {least} to {most}, got {shorten(text)}")
    return int(text)


def _mistake(message: str, parser: argparse.ArgumentParser) -> Mistake:
    """An argparse message as `command-line:0: argument: expected ..., got ...`."""
    named = re.fullmatch(r"argument ([^:]+): (.*)", message, re.DOTALL)
    key, problem = (named[1], named[2]) if named else ("arguments", message)
    if problem.startswith("expected ") and ", got " in problem:
        expected, _, got = problem.removeprefix("expected ").partition(", got ")
    elif choice := re.fullmatch(r"invalid choice: (.*?) \(choose from (.*)\)", problem):
        known = re.findall(r"[^\s',]+", choice[2])
        got, expected = choice[1], f"one of {', '.join(known)}{suggestion(choice[1].strip(chr(39)), known)}"
    elif unknown := re.fullmatch(r"unrecognized arguments: (.*)", problem):
        got, expected = repr(unknown[1]), f"the arguments of `{parser.prog} --help`"
    elif missing := re.fullmatch(r"the following arguments are required: (.*)", problem):
        got, expected = "nothing", missing[1]
    elif ignored := re.fullmatch(r"ignored explicit argument (.*)", problem):
        got, expected = ignored[1], "no value"
    elif problem == "expected one argument":
        got, expected = "nothing", "a value"
    else:
        got, expected = problem, f"the arguments of `{parser.prog} --help`"
    return Mistake("command-line", 0, key, expected, got)
