"""`accelsim compare`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from accelsim.cli.arguments import add_model_options, add_target_settings, model_options
from accelsim.cli.output import print_json
from accelsim.cli.verbosity import add_verbosity, note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accelsim.report.compare import Row

DESCRIPTION = (
    "Simulate each network on each machine; tabulate accuracy, and what one image costs. Patterns such "
    "as 'mobilenet_v1_*_224' stand for the names of `accelsim list` that they match."
)


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of `compare`."""
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
    add_verbosity(parser)
    add_model_options(parser)
    add_target_settings(parser)


def run(arguments: Namespace) -> int:
    """Carry it out; gives the exit code."""
    from accelsim.cli.progress import progress
    from accelsim.report.compare import comparison, flipped, survival
    from accelsim.report.completeness import incomplete
    from accelsim.run import compare
    from accelsim.run.outlook import announce_comparison

    points = compare.load_points(
        arguments.networks, arguments.machines, arguments.settings, arguments.mapping, model_options(arguments)
    )
    announce_comparison([point.network for point in points])
    with progress(len(points)) as before:
        rows, flips, unsure, pairs = compare.compare(points, before)
    if arguments.output is not None:
        _save_comparison(rows, arguments)
    if arguments.json:
        found = [{"machine": machine, **flip._asdict()} for machine, each in flips.items() for flip in each]
        within = [each._asdict() for each in unsure]
        print_json({"rows": rows, "energy_order_flips": found, "energy_order_unsure": within})
    else:
        print("\n".join([*incomplete(rows), comparison(rows), *flipped(flips), *survival(pairs, unsure)]))
    return 0


def _save_comparison(rows: Sequence[Row], arguments: Namespace) -> None:
    """The rows, and a picture of those with an accuracy."""
    from accelsim.report.export import csv_text, save_files
    from accelsim.report.figure import FORMATS, drawn
    from accelsim.report.tradeoff import tradeoff

    known = [row for row in rows if row["top1_pct"] is not None]
    figure = tradeoff(known) if known else None
    pictures = {f"compare.{kind}": drawn(figure, kind) if figure else None for kind in FORMATS}
    save_files(Path(arguments.output), {**pictures, "compare.csv": csv_text(rows)}, force=arguments.force)
    unknown = dict.fromkeys(str(row["network"]) for row in rows if row["top1_pct"] is None)
    if unknown:
        which = f"a picture without {', '.join(unknown)}" if known else "no picture"
        note(f"{which}: no accuracy is known")
