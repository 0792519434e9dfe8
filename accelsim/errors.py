"""What can go wrong, by who has to act."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


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
        text = f"{self.file}:{self.line}: {self.key}: expected {self.expected}, got {self.got}"
        return " ".join(text.split())


class UserError(AccelsimError):
    """Everything that is wrong with what the user gave, all at once."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(sorted(set(mistakes)))
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


class ProgramError(AccelsimError):
    """A tile program that would compute something else than its network: a defect of the lowering."""


class DeadlockError(AccelsimError):
    """The machine stands still; the message says who waits for what."""


def shorten(value: object, limit: int = 60) -> str:
    """A value as it is quoted in a mistake."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant, if there is one near."""
    close = difflib.get_close_matches(word, sorted(known), n=1)
    return close[0] if close and close[0] != word else None


def suggestion(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, to be put behind what was expected."""
    close = nearest(word, known)
    return f" (did you mean {close}?)" if close else ""
