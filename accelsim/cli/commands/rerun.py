"""`accelsim rerun`."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accelsim.run.rerun import Rerun

DESCRIPTION = (
    "Simulate what a run.json has in it again, and say whether it comes out the same to the byte. The "
    "exit code is 1 where values differ."
)
MOST_SHOWN = 20
"""Differences that are printed."""


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of `rerun`."""
    parser.add_argument("finished", metavar="RUN", help="folder that `run -o` wrote, or its run.json")
    parser.add_argument("-o", dest="output", metavar="DIR", help="write the new run.json and layers.csv into DIR")
    parser.add_argument("--force", action="store_true", help="replace another run in DIR")


def run(arguments: Namespace) -> int:
    """Carry it out; gives the exit code."""
    from accelsim.run.rerun import rerun as again

    found = again(arguments.finished)
    if arguments.output is not None:
        found.now.save(arguments.output, force=arguments.force)
    print("\n".join(_told(found)))
    return 1 if found.differences else 0


def _told(found: Rerun) -> list[str]:
    from accelsim.report.tables import table

    name = f"{found.now.network.name} on {found.now.machine.name}"
    if found.same_bytes:
        return [f"{name}: the same, to the byte"]
    versions = f"simulated by accelsim {found.kept.version}, now by {found.now.version}"
    if not found.differences:
        again = found.kept.version == found.now.version
        return [f"{name}: the same results, {'though the file has other bytes' if again else versions}"]
    lines = [f"{name}: {len(found.differences)} values differ, {versions}"]
    rows = [[each.where, each.value, json.dumps(each.then), json.dumps(each.now)] for each in found.differences]
    lines.append(table(("where", "value", "then", "now"), rows[:MOST_SHOWN], left=(0, 1)))
    if len(rows) > MOST_SHOWN:
        lines.append(f"and {len(rows) - MOST_SHOWN} more")
    return lines
