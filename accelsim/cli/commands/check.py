"""`accelsim check`."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from accelsim.cli.arguments import add_model_options, add_target_settings, model_options, whole_number

DESCRIPTION = (
    "Execute the tile programs on random integers, in the machine's event order, and compare with a "
    "direct computation bit for bit."
)


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of `check`."""
    parser.add_argument("network", metavar="NETWORK", help="workload file, or name of a shipped one")
    parser.add_argument("machine", metavar="HW", help="machine file, or name of a shipped one")
    parser.add_argument(
        "--seed", type=whole_number("--seed", 0, (1 << 63) - 1), default=0, help="seed of the random integers (0)"
    )
    add_model_options(parser)
    add_target_settings(parser)


def run(arguments: Namespace) -> int:
    """Carry it out; gives the exit code."""
    from accelsim.check.execute import check_network
    from accelsim.report.completeness import INCOMPLETE, left_out
    from accelsim.run.simulate import load_both

    workload, network, machine, scheduling = load_both(
        arguments.network,
        arguments.machine,
        arguments.settings,
        mapping=arguments.mapping,
        options=model_options(arguments),
    )
    failures = check_network(network, machine, scheduling, seed=arguments.seed)
    for failure in failures:
        print(failure, file=sys.stderr)
    if failures:
        return 1
    lacks = left_out(workload.unmodelled, len(network.nodes))
    if lacks is not None:
        print(f"{INCOMPLETE}: {lacks}")
    print(f"{network.name} on {machine.name}: all {len(network.nodes)} layers as computed directly, bit for bit")
    return 0
