"""`accelsim recommend`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path

from accelsim.cli.arguments import add_allowed_path, add_model_options, add_weights, model_options, one_of, whole_number
from accelsim.cli.commands.sweep import add_workers, workers_of
from accelsim.cli.verbosity import add_verbosity

DESCRIPTION = (
    "Search the machines of a sweep for the one with the least latency, energy or product of both under budgets, and "
    "say in five lines which it is, what it costs, why its neighbours are no better, and what limits it next."
)


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of `recommend`."""
    parser.add_argument("spec", metavar="SPEC", help="file of a sweep (docs/sweeps.md), whose machines are the choice")
    parser.add_argument("--objective", required=True, type=one_of("--objective", ("latency", "energy", "edp")),
                        help="latency, energy or edp, of an inference")  # fmt: skip
    parser.add_argument("--budget", dest="budgets", metavar="CONSTRAINT", action="append", default=[],
                        help="what holds for each network, such as 'area_mm2 <= 4'; may be repeated")  # fmt: skip
    add_weights(parser, "NETWORK counts as W networks in the mean; may be repeated")
    parser.add_argument("--trials", metavar="N", type=whole_number("--trials", 1, 100_000), default=60,
                        help="machines that are simulated at most (60); fewer machines are all tried")  # fmt: skip
    parser.add_argument("--seed", metavar="N", type=whole_number("--seed", 0, 1 << 31), default=0,
                        help="the same finds the same (0)")  # fmt: skip
    parser.add_argument("-o", dest="output", metavar="DIR", required=True, help="folder of the results")
    add_workers(parser)
    add_model_options(parser)
    add_allowed_path(parser)
    add_verbosity(parser)


def run(arguments: Namespace) -> int:
    """Carry it out; gives the exit code."""
    from accelsim.cli.progress import gauge
    from accelsim.sweeps.front import conditions
    from accelsim.sweeps.judged import Aim
    from accelsim.sweeps.kept import KeptRecommendation, save
    from accelsim.sweeps.recommend import recommend
    from accelsim.sweeps.recommended import lacking, recommendation_lines
    from accelsim.sweeps.spec import read_sweep

    aim = Aim(
        arguments.objective, conditions(arguments.budgets), dict(arguments.weights), arguments.trials, arguments.seed
    )
    folder = Path(arguments.output)
    wanted = replace(read_sweep(arguments.spec), options=model_options(arguments))
    with gauge() as watch:
        found = recommend(wanted, folder, workers_of(arguments), aim, watch)
    lines = recommendation_lines(found, aim)
    save(folder, KeptRecommendation(lines, found.numbers, aim.budgets))
    print(*lacking(found), "\n  ".join(lines), sep="\n")
    print(f"{found.points} points; {folder / 'results.csv'}")
    return 0
