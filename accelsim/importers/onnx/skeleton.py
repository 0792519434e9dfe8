"""A model without the contents of its large tensors, read piece by piece: a file may be larger than memory.

Only protobuf's framing is looked at (https://protobuf.dev/programming-guides/encoding): fields that hold what a tensor
contains are passed over, messages on the way to tensors are entered, everything else is copied as it is.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from accelsim.errors import Mistake, UserError

SMALL = 1 << 16
"""Bytes up to which a field is copied whole."""
MAX_COPIED_BYTES = 100 << 20

VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5
INNER: Mapping[tuple[str, int], str] = {
    ("model", 7): "graph",
    ("graph", 1): "node",
    ("graph", 5): "tensor",
    ("node", 5): "attribute",
    ("attribute", 5): "tensor",
}
"""Messages that are entered, by the message they are in and the number of their field."""
CONTENTS = frozenset({4, 5, 6, 7, 9, 10, 11})
"""Fields of a tensor with its elements, in any form."""


def skeleton(path: Path, shown_as: str) -> bytes:
    """A model's bytes without the contents of its large tensors. Raises UserError where it is no model."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UserError([Mistake(shown_as, 0, "file", "a regular file", "another")])
            return _Copy(file).message("model", status.st_size)
    except OSError as error:
        raise UserError([Mistake(shown_as, 0, "file", "a readable file", error.strerror or "an error")]) from None
    except ValueError:
        raise UserError([Mistake(shown_as, 0, "file", "an ONNX model", "other bytes")]) from None


class _Copy:
    """A file that is read on, and how much of it was copied."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.copied = file, 0

    def message(self, kind: str, size: int) -> bytes:
        """A message of this many bytes, from here on. Raises ValueError where the bytes are none."""
        end, found = self.file.tell() + size, bytearray()
        while self.file.tell() < end:
            tag = self.varint()
            field, wire = tag >> 3, tag & 7
            if wire == VARINT:
                found += _varint(tag) + _varint(self.varint())
            elif wire in (EIGHT_BYTES, FOUR_BYTES):
                found += _varint(tag) + self.read(8 if wire == EIGHT_BYTES else 4)
            elif wire == LENGTH:
                found += self.field(kind, field, tag)
            else:
                raise ValueError("a group")
        if self.file.tell() != end:
            raise ValueError("a field that ends behind its message")
        return bytes(found)

    def field(self, kind: str, field: int, tag: int) -> bytes:
        """A field with a length: entered, passed over or copied."""
        length = self.varint()
        if length > SMALL and (kind, field) in INNER:
            inner = self.message(INNER[kind, field], length)
            return _varint(tag) + _varint(len(inner)) + inner
        if length > SMALL and kind == "tensor" and field in CONTENTS:
            self.file.seek(length, os.SEEK_CUR)
            return b""
        return _varint(tag) + _varint(length) + self.read(length)

    def read(self, count: int) -> bytes:
        """The next bytes. Raises ValueError where they are not there, or too many."""
        self.copied += count
        if self.copied > MAX_COPIED_BYTES:
            raise ValueError("too much to copy")
        found = self.file.read(count)
        if len(found) < count:
            raise ValueError("a file that ends early")
        return found

    def varint(self) -> int:
        """The next number."""
        value = shift = 0
        while shift < 64:
            (byte,) = self.read(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
        raise ValueError("a number of more than 64 bits")


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
