"""`accelsim gemm`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from accelsim.cli.arguments import add_target_settings, whole_number
from accelsim.cli.output import print_values

DESCRIPTION = (
    "G matrix products (M x K) * (K x N). array_cycles is the array alone, all data on chip, capacity "
    "and ports ignored; total_cycles is the whole machine."
)
LARGEST = 1 << 20


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of `gemm`."""
    for name in "mkn":
        parser.add_argument(name, metavar=name.upper(), type=whole_number(name.upper(), 1, LARGEST))
    parser.add_argument("machine", metavar="HW", help="machine file, or name of a shipped one")
    parser.add_argument(
        "--groups", metavar="G", type=whole_number("--groups", 1, LARGEST), default=1, help="independent products (1)"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    add_target_settings(parser)


def run(arguments: Namespace) -> int:
    """Carry it out; gives the exit code."""
    from accelsim import importers
    from accelsim.config.load import configured_target
    from accelsim.run.gemm import run_gemm

    target = configured_target(arguments.machine, arguments.settings, arguments.mapping, importers.read)
    found = run_gemm(arguments.m, arguments.k, arguments.n, arguments.groups, *target)
    print_values(found, as_json=arguments.json)
    return 0
