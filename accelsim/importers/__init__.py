"""Files of other tools, read as if they were ours.

An importer is a module here and its suffixes in `IMPORTERS`. Its `read(path, shown_as)` gives the document that a YAML
file of the same content would give, each value with the line it came from, and raises UserError.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

from accelsim.config import strict_yaml
from accelsim.config.strict_yaml import Document
from accelsim.errors import Mistake, UserError

IMPORTERS: dict[str, str] = {".csv": "scalesim", ".cfg": "scalesim", ".onnx": "onnx"}
"""The module that reads files of a suffix."""


def read(path: Path, shown_as: str, *, allow_unmodelled: bool = False) -> Document:
    """A network or machine from its file: YAML, or another tool's.

    allow_unmodelled: leave out operations of an ONNX model that cannot be modelled, and list them in the network.
    Raises UserError.
    """
    name = IMPORTERS.get(path.suffix.lower())
    if name is None:
        return strict_yaml.read(path, shown_as)
    options = {"allow_unmodelled": True} if allow_unmodelled and name == "onnx" else {}
    document: Document = _module(name).read(path, shown_as, **options)
    return document


def _module(name: str) -> ModuleType:
    """Raises UserError where a library that it needs is not installed."""
    try:
        return import_module(f"accelsim.importers.{name}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("onnx", "google"):
            raise
        expected = "onnx, installed by `pip install 'accelsim[onnx]'`"
        raise UserError([Mistake("command-line", 0, "FILE", expected, "none")]) from None
