"""Lines of another tool's text file."""

from __future__ import annotations

from pathlib import Path

from accelsim.config.strict_yaml import CONTROL, MAX_FILE_BYTES, read_bytes
from accelsim.errors import Mistake, UserError


def lines_of(path: Path, shown_as: str) -> list[str]:
    """The lines of a text file of bounded size. Raises UserError."""
    raw = read_bytes(path, shown_as, MAX_FILE_BYTES)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeError:
        raise UserError([Mistake(shown_as, 0, "file", "UTF-8 text", "other bytes")]) from None
    if control := CONTROL.search(text.replace("\n", " ")):
        line = text.count("\n", 0, control.start()) + 1
        raise UserError([Mistake(shown_as, line, "file", "text", "a control character")])
    return [line.rstrip("\r") for line in text.split("\n")]
