"""What can be written on the command line."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from accelsim.cli import commands, diff, explain, imports, plots, report, rerun, sweeps
from accelsim.cli.allowed import add_allow_path
from accelsim.cli.completion import complete
from accelsim.cli.loudness import add_loudness
from accelsim.config.places import allow
from accelsim.errors import Mistake, UserError, shorten, suggestion
from accelsim.version import __version__

KINDS = ("networks", "machines", "dram", "energy", "area")
SCHEMA_KINDS = ("network", "machine", "dram", "energy", "area", "mapping", "sweep")
GROUPINGS = ("type", "stage", "layer")
LARGEST = 1 << 20


class _Parser(argparse.ArgumentParser):
    """argparse, its errors as mistakes of ours."""

    def error(self, message: str) -> NoReturn:
        raise UserError([_mistake(message, self)])

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """All arguments have to be known, to the command that they are given to."""
        namespace, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return namespace, unknown


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments, with the function that carries them out in `command`.

    Raises UserError; leaves through SystemExit(0) after `--help` and `--version`.
    """
    parser = _parser()
    if "_ARGCOMPLETE" in os.environ:
        complete(parser)
    arguments = parser.parse_args(argv)
    for name, option in (("settings", "--set"), ("vary", "--vary"), ("where", "--where")):
        setattr(arguments, name, _placed(getattr(arguments, name, []), option, argv))
    allow(getattr(arguments, "allow_path", []))
    return arguments


def _placed(values: Sequence[str], option: str, argv: Sequence[str]) -> list[tuple[int, str]]:
    """Each value of an option with its position among the arguments, counted from 1."""
    places = [position for position, word in enumerate(argv, 1) if word.startswith(option)]
    return list(zip(places, values, strict=False))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="accelsim",
        description="Cycle-level simulator of systolic-array DNN accelerators.",
        epilog="Exit codes: 0 fine, 1 a check, a rerun or a point of a sweep failed, 2 the user's mistake, 130 "
        "interrupted.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"accelsim {__version__}")
    commands_ = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    _add_run(commands_)
    _add_compare(commands_)
    _add_reprice(commands_)
    rerun.add_rerun(commands_)
    sweeps.add_sweep(commands_, _jobs)
    sweeps.add_pareto(commands_)
    plots.add_plot(commands_)
    report.add_report(commands_)
    explain.add_explain(commands_, _add_target_settings)
    diff.add_diff(commands_)
    _add_gemm(commands_)
    _add_check(commands_)
    _add_dram(commands_)
    imports.add_import(commands_)
    _add_show(commands_)
    _add_list(commands_)
    schema = commands_.add_parser("schema", help="print a JSON Schema for editors", allow_abbrev=False)
    schema.add_argument("kind", choices=SCHEMA_KINDS, help="kind of file")
    schema.set_defaults(command=commands.schema)
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
    add_allow_path(parser)


def _add_target_settings(parser: argparse.ArgumentParser) -> None:
    """A mapping file and settings, wherever a machine is taken."""
    parser.add_argument("--mapping", metavar="FILE", help="file with the compiler's options, which win over HW's")
    _add_settings(parser)


def _add_run(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "run", help="simulate a network on a machine", description="Simulate a network on a machine, layer by layer.",
        allow_abbrev=False,
    )  # fmt: skip
    parser.add_argument("network", metavar="NETWORK", help="workload file, or name of a shipped one")
    parser.add_argument("machine", metavar="HW", help="machine file, or name of a shipped one")
    imports.add_model_options(parser)
    _add_output(parser)
    parser.add_argument(
        "--what-if", action="store_true", help="also run with ideal DRAM, SRAM ports, vector unit and array overlap"
    )
    parser.add_argument("--trace", metavar="FILE", help="write what each unit did when, for ui.perfetto.dev")
    parser.add_argument(
        "--trace-layers", metavar="NAME,FIRST..LAST", help="layers that the trace has (all); needs --trace"
    )
    _add_target_settings(parser)
    parser.set_defaults(command=commands.run)


def _add_reprice(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "reprice",
        help="price a finished run with another energy table",
        description="Price a finished run with another energy table, without simulating it again. DIR gets what "
        "`accelsim run --set energy.table=TABLE -o DIR` would have written.",
        allow_abbrev=False,
    )
    parser.add_argument("finished", metavar="RUN", help="folder that `run -o` wrote, or its run.json")
    parser.add_argument("--energy", metavar="TABLE", required=True, help="energy table file, or name of a shipped one")
    _add_output(parser)
    parser.set_defaults(command=commands.reprice)


def _add_output(parser: argparse.ArgumentParser) -> None:
    """What is printed of a run, and where it is kept."""
    parser.add_argument("--by", choices=GROUPINGS, help="shares of MACs, cycles and energy instead of the layer table")
    parser.add_argument("--json", action="store_true", help='print {"totals": ..., "layers": [...], "warnings": [...]}')
    parser.add_argument("-o", dest="output", metavar="DIR", help="write run.json and layers.csv into DIR")
    parser.add_argument("--force", action="store_true", help="replace another run in DIR")
    add_loudness(parser, "only the totals")


def _add_compare(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "compare",
        help="networks side by side: accuracy and cost",
        description="Simulate each network on each machine; tabulate accuracy, and what one image costs. Patterns such "
        "as 'mobilenet_v1_*_224' stand for the names of `accelsim list` that they match.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "networks", metavar="NETWORK", nargs="+", help="workload file, name of a shipped one, or pattern"
    )
    parser.add_argument(
        "--hw",
        dest="machines",
        metavar="HW",
        nargs="+",
        action="extend",
        required=True,
        help="machine file, name of a shipped one, or pattern; may be repeated",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help='print {"rows": [...], "energy_order_flips": [...], "energy_order_unsure": [...]}',
    )
    parser.add_argument(
        "-o",
        dest="output",
        metavar="DIR",
        help="write compare.csv into DIR, and accuracy against each cost as a picture",
    )
    parser.add_argument("--force", action="store_true", help="replace another comparison in DIR")
    add_loudness(parser)
    _add_target_settings(parser)
    parser.set_defaults(command=commands.compare)


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
    _add_target_settings(parser)
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
    _add_target_settings(parser)
    parser.set_defaults(command=commands.check)


def _add_dram(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "dram",
        help="play a trace of bursts on a DRAM device",
        description="Play a trace on a DRAM device, each burst as soon as the queues take it. Cycles are DRAM clocks "
        "from the first burst offered to the end of the last data.",
        allow_abbrev=False,
    )
    parser.add_argument("device", metavar="DEVICE", help="device file, or name of a shipped one")
    parser.add_argument(
        "trace", metavar="TRACE", help="lines such as `R 0x1000` or `W 4160`, one burst each; - for stdin"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    _add_settings(parser)
    parser.set_defaults(command=commands.dram)


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
    _add_target_settings(parser)
    parser.set_defaults(command=commands.show)


def _add_list(subparsers: Any) -> None:
    parser = subparsers.add_parser("list", help="list what is shipped", allow_abbrev=False)
    parser.add_argument("kind", nargs="?", choices=KINDS, help="only this kind")
    parser.set_defaults(command=commands.list_shipped)


def _size(text: str) -> int:
    return _whole_number(text, 1, LARGEST)


def _jobs(text: str) -> int:
    return _whole_number(text, 1, 1024)


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
        near = suggestion(unknown[1].partition("=")[0], parser._option_string_actions)
        got, expected = repr(unknown[1]), f"the arguments of `{parser.prog} --help`{near}"
    elif other := re.fullmatch(r"not allowed with argument (.*)", problem):
        got, expected = f"{other[1]} too", "one of the two"
    elif missing := re.fullmatch(r"the following arguments are required: (.*)", problem):
        got, expected = "nothing", missing[1]
    elif ignored := re.fullmatch(r"ignored explicit argument (.*)", problem):
        got, expected = ignored[1], "no value"
    elif problem in ("expected one argument", "expected at least one argument"):
        got, expected = "nothing", "a value"
    else:
        got, expected = problem, f"the arguments of `{parser.prog} --help`"
    return Mistake("command-line", 0, key, expected, got)
