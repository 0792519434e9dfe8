"""`accelsim explain`."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path

from accelsim.cli.arguments import (
    add_batch,
    add_model_options,
    add_target_settings,
    command_line,
    model_options,
    settings_of,
)
from accelsim.config.places import is_folder
from accelsim.errors import UserError

DESCRIPTION = (
    "Take any cycle, byte or picojoule of a layer apart, down to folds, tiles, waits and rows of the "
    "energy table. Without a COLUMN: its plan and what the tiler rejected, its cycles, DRAM bytes and energy. "
    "With --plans: how every layer is tiled, scheduled and estimated, as one table."
)


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of `explain`."""
    parser.add_argument("network", metavar="NETWORK|RUN", help="workload file, name of a shipped one, or finished run")
    parser.add_argument("machine", metavar="HW", nargs="?", help="machine file, or name of a shipped one; not with RUN")
    parser.add_argument("--layer", metavar=("NAME", "COLUMN"), nargs="+",
                        help="name of the layer, and columns of `accelsim columns`")  # fmt: skip
    parser.add_argument("--plans", action="store_true", help="the plan of every layer as one table instead")
    parser.add_argument("--json", action="store_true", help="print the terms as JSON")
    add_model_options(parser)
    add_batch(parser)
    add_target_settings(parser)


def run(arguments: Namespace) -> int:
    """Carry it out; gives the exit code."""
    from accelsim.explain import explain as explaining

    if arguments.plans == bool(arguments.layer):
        got = "both" if arguments.plans else "neither"
        raise UserError([command_line("arguments", "--layer or --plans", got)])
    if arguments.plans:
        return _print_plans(arguments)
    layer, *columns = arguments.layer
    if arguments.machine is not None:
        evidence = explaining.evidence_of(
            arguments.network,
            arguments.machine,
            layer,
            columns,
            settings_of(arguments),
            arguments.mapping,
            model_options(arguments),
        )
    else:
        _refuse_what_a_run_has_not(arguments)
        evidence = explaining.evidence_of_run(arguments.network, layer, columns)
    if arguments.json:
        print(json.dumps(explaining.explanation_dict(evidence, columns), indent=1))
    else:
        print(explaining.explanation(evidence, columns))
    return 0


def _print_plans(arguments: Namespace) -> int:
    from accelsim.explain.plans import plans, plans_text
    from accelsim.run.reprice import read_run
    from accelsim.run.simulate import load_both, play_network

    if arguments.machine is None:
        _refuse_what_a_run_has_not(arguments)
        run = read_run(arguments.network)
        loaded = run.workload, run.network, run.machine, run.scheduling
    else:
        loaded = load_both(
            arguments.network,
            arguments.machine,
            settings_of(arguments),
            mapping=arguments.mapping,
            options=model_options(arguments),
        )
    played = play_network(*loaded)
    print(json.dumps(plans(played), indent=1) if arguments.json else plans_text(played))
    return 0


def _refuse_what_a_run_has_not(arguments: Namespace) -> None:
    """Raises UserError where what stands alone is no finished run, or has settings."""
    path = Path(arguments.network)
    mistakes = []
    if not (path.suffix == ".json" or is_folder(path)):
        expected = "HW, or a finished run in the place of NETWORK"
        mistakes.append(command_line("arguments", expected, repr(arguments.network)))
    elif settings := settings_of(arguments):
        got = ", ".join(text for _, text in settings)
        mistakes.append(command_line("--set", "nothing, as a finished run has its settings", got))
    elif arguments.mapping is not None:
        expected = "nothing, as a finished run has its scheduling"
        mistakes.append(command_line("--mapping", expected, arguments.mapping))
    elif arguments.allow_unmodelled or arguments.input_shape:
        option = "--allow-unmodelled" if arguments.allow_unmodelled else "--input-shape"
        mistakes.append(command_line(option, "nothing, as a finished run has its network", "it"))
    if mistakes:
        raise UserError(mistakes)
