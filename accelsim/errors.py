"""What can go wrong, by who has to act."""

from __future__ import annotations

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
