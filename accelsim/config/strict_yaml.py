"""Strict YAML: what is written is what is meant.

A subset of YAML 1.2: no anchors, aliases, tags or second documents, no duplicate keys; `1e9` is a number, `no` is a
string, `010` is refused. Every value keeps the line it came from.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from accelsim.errors import Mistake, UserError, shorten

KeyPath = tuple[str | int, ...]

MAX_FILE_BYTES = 4 << 20
MAX_DEPTH = 40
MOST_KEPT_BYTES = 1 << 16
"""Bytes of a text whose document is kept for the next time."""

_WHOLE = r"(0|[1-9][0-9]*(_[0-9]+)*)"
_INTEGER = re.compile(rf"[-+]?{_WHOLE}")
_FLOAT = re.compile(rf"[-+]?({_WHOLE}(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_MAX_DIGITS = 300
_PLAIN_KEY = re.compile(r"[\w.+<-]{1,60}")
CONTROL = re.compile(
    r"[^\t\r\x20-\x7e\x85\xa0-\u061b\u061d-\u2029\u202f-\u2065\u206a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)
"""Characters that a terminal obeys: codes, and marks that change the direction of text."""
_WORDS = {"": None, "null": None, "~": None, "true": True, "false": False}
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Origin:
    """Place of a value, and the key that the document hangs under there (of `network.batch`: its batch).

    is_set: it replaced what stands in the file. folder: that of the file that set it, or None where the user did.
    """

    file: str
    line: int
    root: KeyPath = ()
    is_set: bool = False
    folder: Path | None = None


@dataclass(slots=True)
class Document:
    """A parsed file: plain data, the origin of each of its keys, and what was wrong before its schema was looked at.

    refused: those mistakes, by the path below which nothing is worth checking any more. derived: how values that no
    file has were worked out.
    """

    data: dict[str, Any]
    origins: dict[KeyPath, Origin] = field(default_factory=dict)
    refused: dict[KeyPath, list[Mistake]] = field(default_factory=dict)
    derived: dict[KeyPath, str] = field(default_factory=dict)

    def origin(self, path: KeyPath) -> Origin:
        """Origin of the key, or of the nearest one around it."""
        while path not in self.origins and path:
            path = path[:-1]
        return self.origins[path]

    def mistake(self, path: KeyPath, expected: str, got: str) -> Mistake:
        """A mistake at this key."""
        origin = self.origin(path)
        return Mistake(origin.file, origin.line, dotted((*origin.root, *path)), expected, got)

    @property
    def mistakes(self) -> list[Mistake]:
        """All that was refused."""
        return [mistake for found in self.refused.values() for mistake in found]

    def refuse(self, path: KeyPath, *mistakes: Mistake) -> None:
        """Keep mistakes for `validate` to raise with its own."""
        self.refused.setdefault(path, []).extend(mistakes)

    def copy(self) -> Document:
        """The same, to be changed apart."""
        refused = {path: list(found) for path, found in self.refused.items()}
        return Document(_copied(self.data), dict(self.origins), refused, dict(self.derived))

    def is_refused(self, path: KeyPath) -> bool:
        """True where something is wrong with this value, or one around it, already."""
        return any(path[:depth] in self.refused for depth in range(len(path) + 1))


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list) else value


def dotted(path: KeyPath) -> str:
    """A key path as users write it; what is no plain key is quoted."""
    return ".".join(_quoted(part) for part in path) or "file"


def _quoted(part: str | int) -> str:
    return str(part) if isinstance(part, int) or _PLAIN_KEY.fullmatch(part) else shorten(part)


def read(path: Path, shown_as: str) -> Document:
    """Parse a file, as `parse` does. Raises UserError."""
    return parse(read_bytes(path, shown_as, MAX_FILE_BYTES), shown_as)


def read_bytes(path: Path, shown_as: str, most: int) -> bytes:
    """A regular file of at most `most` bytes; nothing else is opened. Raises UserError."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UserError([Mistake(shown_as, 0, "file", "a regular file", special_kind(path.stat().st_mode))])
        with open(path, "rb", opener=_without_waiting) as file:
            raw = file.read(most + 1)
    except OSError as error:
        raise UserError([Mistake(shown_as, 0, "file", "a readable file", error.strerror or "an error")]) from None
    except ValueError:
        raise UserError([Mistake(shown_as, 0, "file", "a readable file", "no name of a file")]) from None
    if len(raw) > most:
        raise UserError([Mistake(shown_as, 0, "file", f"at most {most} bytes", "a larger file")])
    return raw


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; one that has become a FIFO meanwhile does not block."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def special_kind(mode: int) -> str:
    """Kind of a file that is no regular one, by its mode."""
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def parse(raw: bytes | str, shown_as: str) -> Document:
    """Parse YAML text that has a mapping at its top.

    Raises UserError where there is no such mapping; what is wrong inside it stands in the document's `refused`.
    """
    return _parsed(raw, shown_as) if len(raw) > MOST_KEPT_BYTES else _known(raw, shown_as).copy()


@lru_cache(maxsize=32)
def _known(raw: bytes | str, shown_as: str) -> Document:
    """Documents of the texts that were parsed last: the points of a sweep have their files in common."""
    return _parsed(raw, shown_as)


def _parsed(raw: bytes | str, shown_as: str) -> Document:
    document = Document({}, {(): Origin(shown_as, 1)})
    try:
        text = raw if isinstance(raw, str) else raw.decode("utf-8")
        data = _Builder(document, shown_as).build(yaml.parse(text, Loader=_LOADER))
    except UnicodeError:
        raise UserError([Mistake(shown_as, 0, "file", "UTF-8 text", "other bytes")]) from None
    except yaml.YAMLError as error:
        raise UserError([*document.mistakes, _syntax_mistake(error, text, shown_as)]) from None
    if not isinstance(data, dict):
        found = Mistake(shown_as, 1, "file", "a mapping of keys to values", kind_of(data))
        raise UserError([*document.mistakes, found])
    document.data = data
    return document


def odd_character(text: str) -> str | None:
    """The first character that no text of a file may have, by its code."""
    found = CONTROL.search(text.replace("\n", " "))
    return f"U+{ord(found[0]):04X}" if found else None


def kind_of(value: object) -> str:
    """A wrong value in a mistake's words."""
    match value:
        case None:
            return "nothing"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case bool():
            return str(value).lower()
        case _:
            return shorten(value)


def scalar(text: str) -> Any:
    """The value of a plain (unquoted) scalar.

    Raises ValueError for what YAML readers disagree about: a number with leading zeros, or one that overflows.
    """
    if text in _WORDS:
        return _WORDS[text]
    if re.fullmatch(r"[-+]?0[0-9_]+", text):
        raise ValueError("a number without leading zeros")
    if _FLOAT.fullmatch(text):
        return _number(text)
    return text


def _number(text: str) -> int | float:
    number, digits = float(text), text.lower().partition("e")[0]
    if len(text) > _MAX_DIGITS or number in (float("inf"), float("-inf")) or (number == 0 and digits.strip("+-0._")):
        raise ValueError(f"a number between 1e-308 and 1e308, of at most {_MAX_DIGITS} digits")
    if _INTEGER.fullmatch(text):
        return int(text)
    if digits != text and number.is_integer() and abs(number) < 1 << 53:
        return int(number)
    return number


def _syntax_mistake(error: yaml.YAMLError, text: str, shown_as: str) -> Mistake:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        if "nesting depth" in (error.problem or ""):
            return Mistake(shown_as, mark.line + 1, "file", f"at most {MAX_DEPTH} levels", "more")
        found = "a tab" if text[mark.index : mark.index + 1] == "\t" else f"an error ({error.problem})"
        return Mistake(shown_as, min(mark.line + 1, len(text.splitlines())), "file", "YAML", found)
    control = next((number for number, line in enumerate(text.split("\n"), 1) if CONTROL.search(line)), 1)
    return Mistake(shown_as, control, "file", "YAML", "a control character")


class _Builder:
    """Turns YAML events into plain data; mistakes and origins go into the document on the way."""

    def __init__(self, document: Document, shown_as: str) -> None:
        self.document = document
        self.shown_as = shown_as

    def build(self, events: Iterator[Any]) -> Any:
        data: Any = None
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse(event, (), "one document", "another")
                    raise UserError(self.document.mistakes)
                data = self._value(next(events), events, ())
        return data

    def _origin(self, event: Any) -> Origin:
        return Origin(self.shown_as, event.start_mark.line + 1)

    def _refuse(self, event: Any, path: KeyPath, expected: str, got: str) -> None:
        origin = self._origin(event)
        self.document.refuse(path, Mistake(origin.file, origin.line, dotted(path), expected, got))

    def _value(self, event: Any, events: Iterator[Any], path: KeyPath) -> Any:
        if len(path) > MAX_DEPTH:
            self._refuse(event, path[:3], f"at most {MAX_DEPTH} levels", "more")
            raise UserError(self.document.mistakes)
        if isinstance(event, yaml.AliasEvent):
            self._refuse(event, path, "a value written out", f"the alias *{event.anchor}")
            return None
        if event.anchor:
            self._refuse(event, path, "no anchors", f"&{event.anchor}")
        if event.tag:
            self._refuse(event, path, "no tags", shorten(event.tag))
        self.document.origins.setdefault(path, self._origin(event))
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(events, path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(events, path)
        return self._scalar(event, path)

    def _mapping(self, events: Iterator[Any], path: KeyPath) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            if not isinstance(event, yaml.ScalarEvent):
                self._refuse(event, path, "a plain key", "something else")
                raise UserError(self.document.mistakes)
            key = event.value
            self._refuse_odd(event, (*path, key))
            if event.anchor or event.tag:
                self._refuse(event, (*path, key), "a plain key", "an anchor or tag")
            if key == "<<":
                self._refuse(event, (*path, key), "keys written out", "a merge key")
            if key in data:
                self._refuse(event, (*path, key), "each key once", "it again")
            self.document.origins[*path, key] = self._origin(event)
            data[key] = self._value(next(events), events, (*path, key))
        return data

    def _sequence(self, events: Iterator[Any], path: KeyPath) -> list[Any]:
        data: list[Any] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            data.append(self._value(event, events, (*path, len(data))))
        return data

    def _scalar(self, event: Any, path: KeyPath) -> Any:
        self._refuse_odd(event, path)
        if not event.implicit[0]:
            return event.value
        try:
            return scalar(event.value)
        except ValueError as error:
            self._refuse(event, path, str(error), shorten(event.value))
            return None

    def _refuse_odd(self, event: Any, path: KeyPath) -> None:
        """Hold characters that are written as escapes to what a file may have in it."""
        if odd := odd_character(event.value):
            self._refuse(event, path, "text without control characters", odd)
