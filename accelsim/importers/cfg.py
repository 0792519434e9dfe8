"""A .cfg: a configuration of SCALE-Sim."""

from __future__ import annotations

from pathlib import Path

from accelsim.config.strict_yaml import Document
from accelsim.importers.lines import lines_of
from accelsim.importers.scalesim.configuration import machine


def read(path: Path, shown_as: str) -> Document:
    """The machine of a file. Raises UserError with all mistakes."""
    return machine(lines_of(path, shown_as), shown_as)
