"""`accelsim run`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from accelsim.cli.arguments import (
    add_batch,
    add_model_options,
    add_output,
    add_target_settings,
    command_line,
    model_options,
    one_of,
    settings_of,
)
from accelsim.cli.output import finish
from accelsim.errors import UserError

if TYPE_CHECKING:
    from accelsim.report.trace import Traced
    from accelsim.run.simulate import Played

DESCRIPTION = "Simulate a network on a machine, layer by layer."


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of `run`."""
    parser.add_argument("network", metavar="NETWORK", help="workload file, or name of a shipped one")
    parser.add_argument("machine", metavar="HW", help="machine file, or name of a shipped one")
    add_batch(parser)
    add_model_options(parser)
    add_output(parser)
    parser.add_argument(
        "--what-if",
        metavar="WHAT",
        nargs="?",
        const="resources",
        type=one_of("--what-if", ("resources", "depthwise")),
        help="also run with twice of each resource (resources, or no word: PEs, DRAM, DMA, SRAM ports, lanes), or with "
        "depthwise layers on each unit (depthwise)",
    )
    parser.add_argument(
        "--no-advice",
        action="store_true",
        help="do not try changes of the machine; saves a second, or more of a long run",
    )
    parser.add_argument("--trace", metavar="FILE", help="write what each unit did when, for ui.perfetto.dev")
    parser.add_argument(
        "--trace-layers", metavar="NAME,FIRST..LAST", help="layers that the trace has (all); needs --trace"
    )
    parser.add_argument(
        "--scalesim-reports",
        action="store_true",
        help="also write SCALE-Sim's COMPUTE_REPORT.csv, BANDWIDTH_REPORT.csv and DETAILED_ACCESS_REPORT.csv; needs -o",
    )
    add_target_settings(parser)


def run(arguments: Namespace) -> int:
    """Carry it out; gives the exit code."""
    from accelsim.run.simulate import load_both, play_network

    if arguments.trace_layers is not None and arguments.trace is None:
        raise UserError([command_line("--trace-layers", "--trace beside it", "none")])
    if arguments.scalesim_reports and arguments.output is None:
        raise UserError([command_line("--scalesim-reports", "-o DIR beside it", "none")])
    workload, network, machine, scheduling = load_both(
        arguments.network,
        arguments.machine,
        settings_of(arguments),
        mapping=arguments.mapping,
        options=model_options(arguments),
    )
    keeps = arguments.trace is not None or arguments.scalesim_reports
    played = play_network(workload, network, machine, scheduling, keep_history=keeps)
    result = played.run
    if arguments.trace is not None:
        from accelsim.report.trace import Traced

        traced = Traced(played.program.layers, played.history.linked, played.outcome, machine)
        _save_trace(traced, arguments)
    if arguments.what_if == "resources":
        from accelsim.run.what_if import with_what_if

        result = with_what_if(result)
    code = finish(result, arguments, advises=not (arguments.no_advice or arguments.quiet))
    if arguments.scalesim_reports:
        _save_reports(played, arguments)
    return code


def _save_reports(played: Played, arguments: Namespace) -> None:
    from accelsim.report.export import save_files
    from accelsim.report.scalesim import reports

    files = reports(played.run.records, played.history.linked, played.run.machine)
    save_files(Path(arguments.output), files, force=arguments.force)


def _save_trace(traced: Traced, arguments: Namespace) -> None:
    from accelsim.report.export import save_files
    from accelsim.report.trace import chosen_layers, trace_text

    chosen = arguments.trace_layers
    layers = None if chosen is None else chosen_layers(chosen, traced.layers)
    path = Path(arguments.trace)
    save_files(path.parent, {path.name: trace_text(traced, layers)}, force=arguments.force)
