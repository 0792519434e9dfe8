"""`accelsim import`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from accelsim.cli.arguments import add_batch, add_model_options, model_options

DESCRIPTION = (
    "Print a file of another tool as a network or machine in YAML, to be reviewed and kept: a "
    "SCALE-Sim topology (.csv) or configuration (.cfg), a DOSA table of layers and mappings (.csv), an ONNX model "
    "(.onnx) or a TensorFlow Lite one (.tflite). All commands take such a file as it is, too."
)


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of `import`."""
    parser.add_argument("file", metavar="FILE", help="the other tool's file")
    parser.add_argument("-o", dest="output", metavar="YAML", help="write into this file")
    add_batch(parser)
    add_model_options(parser)
    parser.add_argument(
        "--mapping", action="store_true", help="the mappings of a DOSA table, as a mapping file for its network"
    )
    parser.add_argument("--force", action="store_true", help="replace another file")


def run(arguments: Namespace) -> int:
    """Carry it out; gives the exit code."""
    from accelsim.report.export import save_files
    from accelsim.run.imported import imported, imported_mapping

    options = model_options(arguments)
    if arguments.mapping:
        text = imported_mapping(arguments.file, allow_unmodelled=options.allow_unmodelled)
    else:
        text = imported(arguments.file, arguments.batch, options)
    if arguments.output is None:
        print(text, end="")
    else:
        path = Path(arguments.output)
        save_files(path.parent, {path.name: text}, force=arguments.force)
    return 0
