"""Errors, by who has to act."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Set
from dataclasses import dataclass
from typing import NamedTuple

MAX_MISTAKES = 1000
"""Lines that the mistakes of one command have."""
_MOST_CHARACTERS = 500
"""Characters of each part of such a line."""
_MOST_BITS = 2048
"""Bits of a number that is written out; Python refuses to write one of 4300 digits."""
_UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\uffff"
    r"\U000e0000-\U000e0fff]"
)
"""Control characters, marks that change the direction of text or do not show, halves of surrogate pairs."""

_PRINTED = re.compile(r"(.*?):([0-9]{1,9}): (.*?): expected (.*), got (.*)")
"""A mistake as it prints: file, line, key, what was expected, and what was given."""


ARGUMENTS = "arguments"
"""Place of a mistake that stands in no file: its key is an argument of the function that was called."""


class AccelsimError(Exception):
    """Base of all errors that accelsim raises on purpose."""


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One thing for the user to correct; prints as `file:line: key: expected ..., got ...`."""

    file: str
    line: int
    key: str
    expected: str
    got: str

    def __str__(self) -> str:
        parts = [visible(part) or "''" for part in (self.file, self.key, self.expected, self.got)]
        file, key, expected, got = (clipped(part, _MOST_CHARACTERS) for part in parts)
        return f"{file}:{self.line}: {key}: expected {expected}, got {got}"

    @classmethod
    def read(cls, text: str) -> Mistake | None:
        """The mistake that prints like this, if one does."""
        found = _PRINTED.fullmatch(text)
        return found and cls(found[1], int(found[2]), *found.groups()[2:])


class UserError(AccelsimError):
    """Everything that is wrong with what the user gave, all at once, in at most `MAX_MISTAKES` lines."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        found = sorted(set(mistakes))
        if len(found) > MAX_MISTAKES:
            rest = Mistake(found[-1].file, 0, "file", f"at most {MAX_MISTAKES} mistakes", str(len(found)))
            found = [*found[: MAX_MISTAKES - 1], rest]
        self.mistakes = tuple(found)
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


class Mistakes:
    """Lets one step fail and the next be tried: `with mistakes:` keeps what is wrong, `raise_any` raises it all."""

    def __init__(self) -> None:
        self.found: list[Mistake] = []

    def __enter__(self) -> Mistakes:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, UserError):
            return False
        self.found.extend(error.mistakes)
        return True

    def raise_any(self) -> None:
        """Raises UserError if anything was wrong."""
        if self.found:
            raise UserError(self.found)


class LoweringError(AccelsimError):
    """A layer for which this machine has no tiling."""


class PlanFault(NamedTuple):
    """One thing that is wrong at a key of a given plan."""

    path: tuple[str | int, ...]
    expected: str
    got: str


class PlanError(LoweringError):
    """A given plan that does not fit, or contradicts itself, the network or the machine."""

    def __init__(self, path: tuple[str | int, ...], expected: str, got: str, others: Iterable[PlanFault] = ()) -> None:
        self.faults = (PlanFault(path, expected, got), *others)
        super().__init__(f"expected {expected}, got {got}")


class PlanFaults:
    """Lets one check of a given plan fail and the next be tried, as `Mistakes` does."""

    def __init__(self) -> None:
        self.found: list[PlanFault] = []

    def __enter__(self) -> PlanFaults:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        self.note(error)
        return isinstance(error, PlanError)

    def note(self, found: object) -> None:
        """Keep what is wrong, where something was found to be."""
        if isinstance(found, PlanError):
            self.found.extend(found.faults)

    @property
    def error(self) -> PlanError:
        """All that was wrong, each fault once."""
        first, *others = dict.fromkeys(self.found)
        return PlanError(*first, others)

    def raise_any(self) -> None:
        """Raises PlanError if anything was wrong."""
        if self.found:
            raise self.error


class ProgramError(AccelsimError):
    """A tile program that would compute something else than its network: a defect of the lowering."""


class DeadlockError(AccelsimError):
    """The machine stands still; the message says who waits for what."""


def visible(text: str) -> str:
    """A text on one line, for a terminal: blanks as single spaces, what does not print by its code."""
    return _UNSEEN.sub(lambda found: ascii(found[0])[1:-1], " ".join(text.split()))


def clipped(text: str, limit: int) -> str:
    """A text of at most `limit` characters; dots stand for the rest."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def shorten(value: object, limit: int = 60) -> str:
    """A value as it is quoted in a mistake."""
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        return f"a number of {value.bit_length()} bits"
    return clipped(repr(value[: limit + 1] if isinstance(value, str | bytes) else value), limit)


_LEAST_BEGUN = 4
"""Letters of a word that may be the beginning of the one that is meant."""
_DIGITS = re.compile("[0-9]+")


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant, if there is one near: one that it begins, one that differs in numbers
    alone, or one of nearly the same letters."""
    names = sorted(known) if isinstance(known, Set) else list(known)
    if word in names:
        return None
    word = word[:_MOST_CHARACTERS]
    begun = (
        sorted((name for name in names if name.startswith(word)), key=_plainness) if len(word) >= _LEAST_BEGUN else []
    )
    alike = [name for name in names if _DIGITS.sub("0", name) == _DIGITS.sub("0", word)]
    close = begun or sorted(alike, key=lambda name: _distance(name, word))
    return next(iter(close or difflib.get_close_matches(word, sorted(names), n=1)), None)


def _plainness(name: str) -> tuple[int, bool]:
    """Shorter ones first, whatever their numbers; of those that differ in numbers alone, one of width 1."""
    return len(_DIGITS.sub("0", name)), "1.0" not in name


def _distance(one: str, other: str) -> int:
    """Sum of the differences of numbers in two words."""
    numbers = (map(int, _DIGITS.findall(word[:_MOST_CHARACTERS])) for word in (one, other))
    return sum(abs(left - right) for left, right in zip(*numbers, strict=False))


def suggestion(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, to be put behind what was expected."""
    close = nearest(word, known)
    return f" (did you mean {close}?)" if close else ""
