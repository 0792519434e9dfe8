"""Standard streams that may be closed, full, or unable to write what a name has in it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

NARROWEST, WIDEST = 40, 1000
"""Letters of a line that tables are fitted to."""


def columns_of_output(pipe: int) -> int:
    """Letters of a line of standard output: COLUMNS where that is set, the terminal's, or `pipe` where it is none or
    says none."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return min(max(int(given), NARROWEST), WIDEST)
    with suppress(OSError, ValueError, AttributeError):
        if sys.stdout.isatty():
            columns = os.get_terminal_size(sys.stdout.fileno()).columns
            return max(columns, NARROWEST) if columns else pipe
    return pipe


@contextmanager
def sound_streams() -> Iterator[None]:
    """Inside, there are standard streams; what can't be written to standard error is lost, and no mistake."""
    before = sys.stderr
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115 (stands as long as the process)
    streams: tuple[Any, ...] = (sys.stdout, sys.stderr)
    for stream in streams:
        with suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")
    sys.stderr = _Lenient(sys.stderr)
    try:
        yield
    finally:
        sys.stderr = before


class _Lenient:
    """A stream that takes whatever it is given, also where there is no room for it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()
