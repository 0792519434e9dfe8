"""Files of other tools, read as if they were ours.

An importer is a module here and its suffixes in `IMPORTERS`. Its `read(path, shown_as)` gives the document that a YAML
file of the same content would give, each value with the line it came from, and raises UserError.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from accelsim.config import strict_yaml
from accelsim.config.strict_yaml import Document

IMPORTERS: dict[str, str] = {".csv": "scalesim", ".cfg": "scalesim"}
"""The module that reads files of a suffix."""


def read(path: Path, shown_as: str) -> Document:
    """A network or machine from its file: YAML, or another tool's. Raises UserError."""
    name = IMPORTERS.get(path.suffix.lower())
    if name is None:
        return strict_yaml.read(path, shown_as)
    document: Document = import_module(f"accelsim.importers.{name}").read(path, shown_as)
    return document
