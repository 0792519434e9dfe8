"""A .csv: a table of DOSA's, which has a column of mappings, else a topology of SCALE-Sim."""

from __future__ import annotations

from pathlib import Path

from accelsim.config.strict_yaml import Document
from accelsim.importers import dosa
from accelsim.importers.lines import lines_of
from accelsim.importers.scalesim import topology


def read(path: Path, shown_as: str) -> Document:
    """The network of a file. Raises UserError with all mistakes."""
    lines = lines_of(path, shown_as)
    network = dosa.network if dosa.is_table(lines) else topology.network
    return network(lines, path.stem, shown_as)
