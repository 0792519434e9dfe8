"""Traces of bursts: lines such as `R 0x1000` and `W 4160`, one burst each."""

from __future__ import annotations

import re
import sys
from itertools import repeat
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from accelsim.errors import Mistake, UserError, shorten

MAX_TRACE_BYTES = 1 << 28
MAX_MISTAKES = 10

_LINE = rb"[ \t]*+(?:[RW][ \t]++(?:0x[0-9a-fA-F]{1,12}|0|[1-9][0-9]{0,13})[ \t]*+)?\r?"
_LINES = re.compile(rb"(?:" + _LINE + rb"\n)*+" + _LINE)
_ONE = re.compile(_LINE)

Numbers = npt.NDArray[np.int64]


def read_trace(path: str) -> tuple[Numbers, Numbers]:
    """(1 for each write and 0 for each read, byte addresses) of a trace file, `-` for standard input.

    Raises UserError.
    """
    try:
        if path == "-":
            text = _read(sys.stdin.buffer)
        else:
            if Path(path).exists() and not Path(path).is_file():
                raise ValueError
            with Path(path).open("rb") as file:
                text = _read(file)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no regular file"
        raise UserError([Mistake("command-line", 0, "trace", "a trace file", f"{shorten(path)} ({reason})")]) from None
    if len(text) > MAX_TRACE_BYTES:
        raise UserError([Mistake(path, 0, "trace", f"at most {MAX_TRACE_BYTES} bytes", "more")])
    if not _LINES.fullmatch(text):
        raise UserError(_mistakes(path, text))
    words = text.split()
    if not words:
        raise UserError([Mistake(path, 0, "trace", "a burst or more, such as R 0x1000", "none")])
    directions = np.array(words[::2]) == b"W"
    return directions.astype(np.int64), np.array(list(map(int, words[1::2], repeat(0))), dtype=np.int64)


def _read(file: BinaryIO) -> bytes:
    return file.read(MAX_TRACE_BYTES + 1)


def _mistakes(path: str, text: bytes) -> list[Mistake]:
    """The first lines that are no bursts."""
    found = []
    for number, line in enumerate(text.split(b"\n"), 1):
        if not _ONE.fullmatch(line):
            got = shorten(line.decode("utf-8", "replace").strip())
            found.append(Mistake(path, number, "trace", "R or W and an address below 2^48, such as R 0x1000", got))
            if len(found) == MAX_MISTAKES:
                break
    return found
