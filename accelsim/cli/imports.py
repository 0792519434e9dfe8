"""`accelsim import`: its arguments, and what it does."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any


def add_import(subparsers: Any) -> None:
    """The arguments of `import`."""
    parser = subparsers.add_parser(
        "import",
        help="another tool's file as YAML",
        description="Print a file of another tool as a network or machine in YAML, to be reviewed and kept: a "
        "SCALE-Sim topology (.csv) or configuration (.cfg). All commands also take such a file as it is.",
        allow_abbrev=False,
    )
    parser.add_argument("file", metavar="FILE", help="the other tool's file")
    parser.add_argument("-o", dest="output", metavar="YAML", help="write into this file")
    parser.add_argument("--force", action="store_true", help="replace another file")
    parser.set_defaults(command=import_file)


def import_file(arguments: Namespace) -> int:
    """`accelsim import`."""
    from accelsim.report.export import save_files
    from accelsim.run.imported import imported

    text = imported(arguments.file)
    if arguments.output is None:
        print(text, end="")
    else:
        path = Path(arguments.output)
        save_files(path.parent, {path.name: text}, force=arguments.force)
    return 0
