"""Strict YAML: what is written is what is meant.

A subset of YAML 1.2: no anchors, aliases, tags or second documents, no duplicate keys; `1e9` is a number, `no` is a
string, `010` is refused. Every value keeps the line it came from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from accelsim.errors import Mistake, UserError, shorten

KeyPath = tuple[str | int, ...]

MAX_FILE_BYTES = 4 << 20
MAX_DEPTH = 40

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9_]*)?(\.[0-9_]*)?([eE][-+]?[0-9]{1,3})?")
_WORDS = {"": None, "null": None, "~": None, "true": True, "false": False}
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was written."""

    file: str
    line: int


@dataclass(slots=True)
class Document:
    """A parsed file: plain data, and the origin of each of its keys."""

    data: dict[str, Any]
    origins: dict[KeyPath, Origin] = field(default_factory=dict)

    def origin(self, path: KeyPath) -> Origin:
        """Origin of the key, or of the nearest one around it."""
        while path not in self.origins and path:
            path = path[:-1]
        return self.origins[path]

    def mistake(self, path: KeyPath, expected: str, got: str) -> Mistake:
        """A mistake at this key."""
        origin = self.origin(path)
        return Mistake(origin.file, origin.line, dotted(path), expected, got)


def dotted(path: KeyPath) -> str:
    """A key path as users write it."""
    return ".".join(str(part) for part in path) or "file"


def read(path: Path, shown_as: str) -> Document:
    """Parse a file.

    Raises UserError, with a mistake for everything that is wrong in it.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UserError([Mistake(shown_as, 0, "file", "a readable file", error.strerror or "an error")]) from None
    if len(raw) > MAX_FILE_BYTES:
        raise UserError([Mistake(shown_as, 0, "file", f"at most {MAX_FILE_BYTES} bytes", "a larger file")])
    return parse(raw, shown_as)


def parse(raw: bytes | str, shown_as: str) -> Document:
    """Parse YAML text that has a mapping at its top.

    Raises UserError.
    """
    builder = _Builder(shown_as)
    try:
        text = raw if isinstance(raw, str) else raw.decode("utf-8")
        data = builder.document(yaml.parse(text, Loader=_LOADER))
    except UnicodeDecodeError:
        raise UserError([Mistake(shown_as, 0, "file", "UTF-8 text", "other bytes")]) from None
    except yaml.YAMLError as error:
        raise UserError([_syntax_mistake(error, shown_as)]) from None
    if builder.mistakes:
        raise UserError(builder.mistakes)
    if not isinstance(data, dict):
        raise UserError([Mistake(shown_as, 1, "file", "a mapping of keys to values", kind_of(data))])
    return Document(data, builder.origins)


def kind_of(value: object) -> str:
    """What a wrong value is, in a mistake's words."""
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
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and any(character.isdigit() for character in text):
        return _number(text)
    return text


def _number(text: str) -> int | float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("a number below 1e308")
    if "e" in text.lower() and number.is_integer() and abs(number) < 1e18:
        return int(number)
    return number


def _syntax_mistake(error: yaml.YAMLError, shown_as: str) -> Mistake:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "unreadable text"
    return Mistake(shown_as, mark.line + 1 if mark else 1, "file", "YAML", problem)


class _Builder:
    """Turns YAML events into plain data, collecting mistakes and origins on the way."""

    def __init__(self, shown_as: str) -> None:
        self.shown_as = shown_as
        self.mistakes: list[Mistake] = []
        self.origins: dict[KeyPath, Origin] = {(): Origin(shown_as, 1)}

    def document(self, events: Iterator[Any]) -> Any:
        data: Any = None
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                first = next(events)
                value = self._value(first, events, ())
                if documents == 1:
                    data = value
                else:
                    self._refuse(first, (), "one document", "another")
        return data

    def _refuse(self, event: Any, path: KeyPath, expected: str, got: str) -> None:
        self.mistakes.append(Mistake(self.shown_as, event.start_mark.line + 1, dotted(path), expected, got))

    def _value(self, event: Any, events: Iterator[Any], path: KeyPath) -> Any:
        if len(path) > MAX_DEPTH:
            self._refuse(event, path[:3], f"at most {MAX_DEPTH} levels", "more")
            raise UserError(self.mistakes)
        if isinstance(event, yaml.AliasEvent):
            self._refuse(event, path, "a value written out", f"the alias *{event.anchor}")
            return None
        if event.anchor:
            self._refuse(event, path, "no anchors", f"&{event.anchor}")
        if event.tag:
            self._refuse(event, path, "no tags", shorten(event.tag))
        self.origins.setdefault(path, Origin(self.shown_as, event.start_mark.line + 1))
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
            if not isinstance(event, yaml.ScalarEvent) or event.anchor:
                self._refuse(event, path, "a plain key", "something else")
                raise UserError(self.mistakes)
            key = event.value
            if key in data:
                self._refuse(event, (*path, key), "each key once", "it again")
            self.origins[*path, key] = Origin(self.shown_as, event.start_mark.line + 1)
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
        if not event.implicit[0]:
            return event.value
        try:
            return scalar(event.value)
        except ValueError as error:
            self._refuse(event, path, str(error), shorten(event.value))
            return None
