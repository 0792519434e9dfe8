"""SCALE-Sim's topology CSV as a network, its .cfg as a machine (https://github.com/scalesim-project/SCALE-Sim, v3)."""

from __future__ import annotations

from pathlib import Path

from accelsim.config.strict_yaml import CONTROL, MAX_FILE_BYTES, Document, read_bytes
from accelsim.errors import Mistake, UserError
from accelsim.importers.scalesim.configuration import machine
from accelsim.importers.scalesim.topology import network


def read(path: Path, shown_as: str) -> Document:
    """The network of a .csv, or the machine of a .cfg. Raises UserError with all mistakes."""
    raw = read_bytes(path, shown_as, MAX_FILE_BYTES)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeError:
        raise UserError([Mistake(shown_as, 0, "file", "UTF-8 text", "other bytes")]) from None
    if control := CONTROL.search(text.replace("\n", " ")):
        line = text.count("\n", 0, control.start()) + 1
        raise UserError([Mistake(shown_as, line, "file", "text", "a control character")])
    lines = [line.rstrip("\r") for line in text.split("\n")]
    return machine(lines, shown_as) if path.suffix.lower() == ".cfg" else network(lines, path.stem, shown_as)
