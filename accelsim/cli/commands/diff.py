"""`accelsim diff`."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from accelsim.cli.output import picture_kind
from accelsim.errors import Mistakes

if TYPE_CHECKING:
    from accelsim.explain.diff import Difference
    from accelsim.run.result import Run

DESCRIPTION = (
    "The difference of two finished runs in cycles, bytes and energy, by cause and by layer, in parts "
    "that add up to it. Layers are matched by name; network, machine, energy table and version may differ."
)


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of `diff`."""
    for letter in "ab":
        parser.add_argument(f"run_{letter}", metavar=f"RUN_{letter.upper()}",
                            help="folder that `run -o` wrote, or its run.json")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print all layers and keys as JSON")
    parser.add_argument("-o", dest="output", metavar="FILE", help="draw it, as .svg, .png or .pdf")
    parser.add_argument("--force", action="store_true", help="replace another picture of that name")


def run(arguments: Namespace) -> int:
    """Carry it out; gives the exit code."""
    from accelsim.explain.diff import difference
    from accelsim.explain.diff_text import difference_dict, difference_text
    from accelsim.run.reprice import read_run

    mistakes = Mistakes()
    runs: list[Run] = []
    for path in (arguments.run_a, arguments.run_b):
        with mistakes:
            runs.append(read_run(path))
    with mistakes:
        kind = picture_kind(arguments.output) if arguments.output is not None else ""
    mistakes.raise_any()
    found = difference(*runs)
    if arguments.output is not None:
        _save(found, Path(arguments.output), kind, force=arguments.force)
    print(json.dumps(difference_dict(found), indent=1) if arguments.json else difference_text(found))
    return 0


def _save(found: Difference, output: Path, kind: str, *, force: bool) -> None:
    from accelsim.explain.picture import picture
    from accelsim.report.export import csv_text, save_files
    from accelsim.report.figure import drawn

    drawing = picture(found)
    rows, image = csv_text(drawing.rows, drawing.columns), drawn(drawing.figure, kind)
    save_files(output.parent, {output.with_suffix(".csv").name: rows, output.name: image}, force=force)
