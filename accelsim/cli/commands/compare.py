"""`accelsim compare`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from accelsim.cli.arguments import add_model_options, add_target_settings, model_options, one_of
from accelsim.cli.output import print_json
from accelsim.cli.verbosity import add_verbosity, note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accelsim.report.by_type import Types
    from accelsim.report.compare import ComparedRow

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
        "--by",
        type=one_of("--by", ("type",)),
        help="type: shares of each type of layer in the cycles, instead of costs",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help='print {"rows": [...], "types": [...], "energy_order_flips": [...], "energy_order_unsure": [...]}',
    )
    parser.add_argument(
        "-o",
        dest="output",
        metavar="DIR",
        help="write compare.csv and types.csv into DIR, with pictures of accuracy against costs and of cycles by type",
    )
    parser.add_argument("--force", action="store_true", help="replace another comparison in DIR")
    add_verbosity(parser)
    add_model_options(parser)
    add_target_settings(parser)


def run(arguments: Namespace) -> int:
    """Carry it out; gives the exit code."""
    from accelsim.cli.progress import progress
    from accelsim.report.by_type import type_table
    from accelsim.report.compare import comparison, flipped, survival, unpriced
    from accelsim.report.completeness import incomplete
    from accelsim.run import compare
    from accelsim.run.outlook import announce_comparison

    points = compare.load_combinations(
        arguments.networks, arguments.machines, arguments.settings, arguments.mapping, model_options(arguments)
    )
    announce_comparison([point.network for point in points])
    with progress(len(points)) as before:
        rows, types, flips, unsure, pairs = compare.compare(points, before)
    if arguments.output is not None:
        _save_comparison(rows, types, arguments)
    if arguments.json:
        found = [{"machine": machine, **flip._asdict()} for machine, each in flips.items() for flip in each]
        within = [each._asdict() for each in unsure]
        kinds = [each._asdict() for run in types for each in run]
        print_json({"rows": rows, "types": kinds, "energy_order_flips": found, "energy_order_unsure": within})
    elif arguments.by:
        print("\n".join([*incomplete(rows), type_table(types)]))
    else:
        print(
            "\n".join([*incomplete(rows), comparison(rows), *unpriced(rows), *flipped(flips), *survival(pairs, unsure)])
        )
    return 0


def _save_comparison(rows: Sequence[ComparedRow], types: Sequence[Types], arguments: Namespace) -> None:
    """The rows and those of the types of layers, a picture of those with an accuracy, and one of all by type."""
    from accelsim.report.export import csv_text, save_files
    from accelsim.report.figure import FORMATS, drawn
    from accelsim.report.plots.types import type_bars
    from accelsim.report.tradeoff import tradeoff

    known = [row for row in rows if row["top1_pct"] is not None]
    figure = tradeoff(known) if known else None
    bars = type_bars(types).figure
    files: dict[str, str | bytes | None] = {"types.csv": csv_text([each._asdict() for run in types for each in run])}
    files |= {f"types.{kind}": drawn(bars, kind) for kind in FORMATS}
    files |= {f"compare.{kind}": drawn(figure, kind) if figure else None for kind in FORMATS}
    save_files(Path(arguments.output), {**files, "compare.csv": csv_text(rows)}, force=arguments.force)
    unknown = dict.fromkeys(str(row["network"]) for row in rows if row["top1_pct"] is None)
    if unknown:
        which = f"compare.svg is without {', '.join(unknown)}" if known else "no compare.svg"
        note(f"{which}: no accuracy is known")
