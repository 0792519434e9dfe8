"""`accelsim import`: its arguments, and what it does."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelsim.errors import shorten

if TYPE_CHECKING:
    from accelsim.importers import ModelOptions

MOST_DIMENSIONS = 6


def add_import(subparsers: Any) -> None:
    """The arguments of `import`."""
    parser = subparsers.add_parser(
        "import",
        help="another tool's file as YAML",
        description="Print a file of another tool as a network or machine in YAML, to be reviewed and kept: a "
        "SCALE-Sim topology (.csv) or configuration (.cfg), or an ONNX model (.onnx). All commands take such a file as "
        "it is, too.",
        allow_abbrev=False,
    )
    parser.add_argument("file", metavar="FILE", help="the other tool's file")
    parser.add_argument("-o", dest="output", metavar="YAML", help="write into this file")
    add_model_options(parser)
    parser.add_argument("--force", action="store_true", help="replace another file")
    parser.set_defaults(command=import_file)


def add_model_options(parser: ArgumentParser) -> None:
    """What can be said of a model that is imported."""
    parser.add_argument("--batch", metavar="N", type=_batch, help="images that are run together")
    parser.add_argument(
        "--allow-unmodelled",
        action="store_true",
        help="leave out operations of an ONNX model that can't be modelled, and list them",
    )

    parser.add_argument(
        "--input-shape",
        metavar="NAME=1x3x224x224",
        action="append",
        default=[],
        type=_input_shape,
        help="shape of an input that an ONNX model leaves open",
    )


def model_options(arguments: Namespace) -> ModelOptions:
    """What was said of a model that is imported."""
    from accelsim.importers import ModelOptions

    return ModelOptions(arguments.allow_unmodelled, tuple(arguments.input_shape))


def _input_shape(text: str) -> tuple[str, tuple[int, ...]]:
    name, _, sizes = text.rpartition("=")
    parts = sizes.split("x")
    if not name or len(parts) > MOST_DIMENSIONS or not all(each.isascii() and each.isdecimal() for each in parts):
        raise ArgumentTypeError(f"expected a name and numbers, such as x=1x3x224x224, got {shorten(text)}")
    return name, tuple(int(each[:20]) for each in parts)


def _batch(text: str) -> int:
    if not text.isdecimal() or not text.isascii() or not 1 <= int(text[:20]) <= 1 << 16:
        raise ArgumentTypeError(f"expected a whole number from 1 to 65536, got {shorten(text)}")
    return int(text)


def import_file(arguments: Namespace) -> int:
    """`accelsim import`."""
    from accelsim.report.export import save_files
    from accelsim.run.imported import imported

    text = imported(arguments.file, arguments.batch, model_options(arguments))
    if arguments.output is None:
        print(text, end="")
    else:
        path = Path(arguments.output)
        save_files(path.parent, {path.name: text}, force=arguments.force)
    return 0
