"""Traces of bursts: lines such as `R 0x1000` and `W 4160`, one burst each."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from typing import BinaryIO

import numpy as np

from accelsim.errors import ARGUMENTS, Mistake, UserError, shorten
from accelsim.machine.memory.dram.address import Integers

MAX_TRACE_BYTES = 1 << 27
MAX_MISTAKES = 10
ADDRESSES = 1 << 48
PIECE_BYTES = 1 << 22

_LINE = rb"[ \t]*+(?:[RW][ \t]++(?:0x[0-9a-fA-F]{1,12}|0|[1-9][0-9]{0,14})[ \t]*+)?\r?"
_LINES = re.compile(rb"(?:" + _LINE + rb"\n)*+" + _LINE)
_ONE = re.compile(_LINE)


def read_trace(path: str) -> tuple[Integers, Integers]:
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
        raise UserError([Mistake(ARGUMENTS, 0, "trace", "a trace file", f"{shorten(path)} ({reason})")]) from None
    if len(text) > MAX_TRACE_BYTES:
        raise UserError([Mistake(path, 0, "trace", f"at most {MAX_TRACE_BYTES} bytes", "more")])
    if not _LINES.fullmatch(text):
        raise UserError(_mistakes(path, text))
    pieces = [_bursts(piece) for piece in _pieces(text)]
    directions, addresses = map(np.concatenate, zip(*pieces, strict=True))
    if not len(addresses):
        raise UserError([Mistake(path, 0, "trace", "a burst or more, such as R 0x1000", "none")])
    if addresses.max() >= ADDRESSES:
        raise UserError(_mistakes(path, text))
    return directions, addresses


def _read(file: BinaryIO) -> bytes:
    return file.read(MAX_TRACE_BYTES + 1)


def _pieces(text: bytes) -> Iterator[bytes]:
    """The text in pieces of whole lines, as words take much more space than text."""
    begin = 0
    while begin < len(text) or not begin:
        end = text.find(b"\n", begin + PIECE_BYTES) + 1 or len(text) + 1
        yield text[begin:end]
        begin = end


def _bursts(text: bytes) -> tuple[Integers, Integers]:
    """(1 for each write and 0 for each read, byte addresses) of lines that are all right."""
    words = text.split()
    addresses = np.array(list(map(int, words[1::2], repeat(0))), dtype=np.int64)
    return (np.array(words[::2]) == b"W").astype(np.int64), addresses


def _mistakes(path: str, text: bytes) -> list[Mistake]:
    """The first lines that are no bursts."""
    found = []
    for number, line in enumerate(text.split(b"\n"), 1):
        if not _ONE.fullmatch(line) or (line.strip() and int(line.split()[1], 0) >= ADDRESSES):
            got = shorten(line.decode("utf-8", "replace").strip())
            found.append(Mistake(path, number, "trace", "R or W and an address below 2^48, such as R 0x1000", got))
            if len(found) == MAX_MISTAKES:
                break
    return found
