"""`accelsim show`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from functools import partial
from typing import TYPE_CHECKING

from accelsim.cli.arguments import (
    add_batch,
    add_model_options,
    add_settings,
    command_line,
    model_options,
    settings_of,
)
from accelsim.errors import UserError

if TYPE_CHECKING:
    from accelsim.config.kinds import FileKind
    from accelsim.config.workload import NetworkFile
    from accelsim.network.graph import Network

DESCRIPTION = (
    "Print a network or machine with everything resolved, of a machine with where each value is from; "
    "another file as it is read; of a network and a machine, the plan of the run as a mapping file."
)


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of `show`."""
    parser.add_argument("name", metavar="NAME", help="a file, or name of a shipped one")
    parser.add_argument("machine", metavar="HW", nargs="?", help="with --mapping: the machine that NAME runs on")
    parser.add_argument("--layers", action="store_true", help="the layers of a network instead, as a table")
    parser.add_argument("--csv", action="store_true", help="with --layers: as CSV")
    parser.add_argument(
        "--mapping",
        metavar="FILE",
        nargs="?",
        const=True,
        help="with HW: print the plan of the run; FILE: with the compiler's options, which win over HW's",
    )
    add_model_options(parser)
    add_batch(parser)
    add_settings(parser)


def run(arguments: Namespace) -> int:
    """Carry it out; gives the exit code."""
    from accelsim import importers
    from accelsim.config.load import parse_overrides, traced_target
    from accelsim.config.show import kind_of_file, target_to_yaml, to_yaml, with_origins
    from accelsim.report.efficiency import chip_lines
    from accelsim.run.define import load_network

    if arguments.machine is not None:
        _print_plan(arguments)
        return 0
    options = model_options(arguments)
    kind = kind_of_file(arguments.name, partial(importers.read, options=options))
    _refuse_options_of_others(arguments, kind)
    if kind.name == "network":
        overrides = parse_overrides(settings_of(arguments), ("network",))
        workload, network = load_network(arguments.name, overrides, options)
        if arguments.layers:
            _print_layers(workload, network, as_csv=arguments.csv)
        else:
            print(to_yaml(workload), end="")
    elif kind.name == "machine":
        target, document = traced_target(arguments.name, arguments.settings, arguments.mapping, importers.read)
        print(with_origins(target_to_yaml(target), document), end="")
        print(*(f"# derived: {line}" for line in chip_lines(target.machine)), sep="\n")
    else:
        print(to_yaml(kind.load(arguments.name)), end="")
    return 0


def _print_plan(arguments: Namespace) -> None:
    """Raises UserError."""
    from accelsim.config.show import data_to_yaml
    from accelsim.run.simulate import load_both
    from accelsim.run.written import mapping_of

    if arguments.mapping is None or arguments.layers:
        got = "--layers" if arguments.layers else "none"
        raise UserError([command_line("--mapping", "--mapping beside a network and a machine", got)])
    file = None if arguments.mapping is True else arguments.mapping
    _, network, machine, scheduling = load_both(
        arguments.name, arguments.machine, settings_of(arguments), mapping=file, options=model_options(arguments)
    )
    print(data_to_yaml(mapping_of(network, machine, scheduling)), end="")


def _refuse_options_of_others(arguments: Namespace, kind: FileKind) -> None:
    """Raises UserError where an option is for another kind of file."""
    if arguments.mapping is True:
        raise UserError([command_line("--mapping", "a mapping file, or a network and a machine", "nothing")])
    given = {
        "--layers": (arguments.layers, ("network",)),
        "--mapping": (arguments.mapping, ("machine",)),
        "--set": (arguments.settings, ("machine", "network")),
        "--batch": (arguments.batch, ("network",)),
        "--allow-unmodelled": (arguments.allow_unmodelled, ("network",)),
        "--input-shape": (arguments.input_shape, ("network",)),
    }
    mistakes = [
        command_line(option, f"a {' or '.join(kinds)}", f"the {kind.title} {arguments.name}")
        for option, (value, kinds) in given.items()
        if value and kind.name not in kinds
    ]
    if mistakes:
        raise UserError(mistakes)


def _print_layers(workload: NetworkFile, network: Network, *, as_csv: bool) -> None:
    from accelsim.report.completeness import INCOMPLETE, left_out
    from accelsim.report.export import csv_text
    from accelsim.report.layers import layer_table
    from accelsim.report.tables import fitted

    rows = layer_table(network)
    if as_csv:
        print(csv_text(rows), end="")
    else:
        lacks = left_out(workload.unmodelled, len(network.nodes))
        if lacks is not None:
            print(f"{INCOMPLETE}: {lacks}")
        cells = [[str(value) for value in row.values()] for row in rows]
        print(
            fitted(
                list(rows[0]),
                cells,
                spare=("pad", "in_w", "out_w", "kw", "groups", "kh", "stride", "in_c", "stage"),
            )
        )
