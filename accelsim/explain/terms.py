"""A number as a sum of terms, each in words (docs/explain.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import fsum
from typing import Any

Number = int | float
Exact = int | float | Fraction


@dataclass(frozen=True, slots=True)
class Term:
    """A number in words. `parts`, where there are any, add up to `value`; so do they in print.

    factors: (number, what it counts), whose product is the value; note: where it is from.
    """

    words: str
    value: Number
    parts: tuple[Term, ...] = ()
    factors: tuple[tuple[Number, str], ...] = ()
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The same for JSON; what is empty is left out."""
        said = {
            "factors": [{"value": number, "of": what} for number, what in self.factors],
            "note": self.note,
            "parts": [part.as_dict() for part in self.parts],
        }
        return {"words": self.words, "value": self.value, **{key: value for key, value in said.items() if value}}


def total(words: str, parts: Iterable[Term], note: str = "") -> Term:
    """Whole numbers together; those that are 0 are left out."""
    kept = tuple(part for part in parts if part.value)
    return Term(words, sum(int(part.value) for part in kept), kept, note=note)


def energy_total(words: str, parts: Iterable[Term], note: str = "") -> Term:
    """Energies together, rounded once."""
    kept = tuple(part for part in parts if part.value)
    return Term(words, fsum(part.value for part in kept), kept, note=note)


def alike(amounts: Iterable[tuple[str, int, str]], things: str, unit: str) -> list[Term]:
    """Terms for what is alike in (words, amount, note): a number of `things` times the amount in `unit`."""
    found = Counter(amounts)
    return [
        Term(words, times * amount, factors=((times, things), (amount, unit)), note=note)
        for (words, amount, note), times in found.items()
        if amount
    ]


def printed_units(value: Exact, parts: Sequence[Exact], digits: int, whole: int | None = None) -> tuple[int, list[int]]:
    """A sum and its parts in units of the last digit printed, so that what is printed adds up.

    Parts are rounded down, and those that lose most rounded up instead, as many as the sum needs; none stays none.
    whole: the sum as it is printed already.
    """
    scale = 10**digits
    exact = [Fraction(part) * scale for part in parts]
    units = round(Fraction(value) * scale) if whole is None else whole
    low = [each.__floor__() for each in exact]
    by_loss = sorted(range(len(parts)), key=lambda place: (low[place] - exact[place], place))
    by_loss = [place for place in by_loss if exact[place]] or by_loss
    left = units - sum(low)
    for turn in range(abs(left) if parts else 0):
        low[by_loss[turn % len(by_loss)]] += 1 if left > 0 else -1
    return units, low


def number_text(units: int, digits: int) -> str:
    """So many units of the last of `digits` behind the point."""
    if not digits:
        return str(units)
    whole, rest = divmod(abs(units), 10**digits)
    return f"{'-' if units < 0 else ''}{whole}.{rest:0{digits}d}"
