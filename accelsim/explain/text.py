"""Terms as text."""

from __future__ import annotations

from collections.abc import Iterator

from accelsim.explain.terms import Term, number_text, printed_units
from accelsim.report.tables import table

PJ_DIGITS = 4
"""Behind the point of a picojoule."""


def explained(column: str, unit: str, term: Term) -> str:
    """A line for each term, parts below what they add up to and further in; what is printed adds up."""
    digits = PJ_DIGITS if unit == "pJ" else 0
    units, _ = printed_units(term.value, (), digits)
    head = f"{column}: {number_text(units, digits)} {unit}".rstrip()
    rows = list(_rows(term, units, digits, 1))
    lines = [head + (f"  ({term.note})" if term.note else "")]
    return "\n".join([*lines, *table(("", ""), rows, left=(1,)).splitlines()[1:]])


def _rows(term: Term, units: int, digits: int, depth: int) -> Iterator[tuple[str, str]]:
    _, shares = printed_units(term.value, [part.value for part in term.parts], digits, units)
    for part, share in zip(term.parts, shares, strict=True):
        factors = " x ".join(f"{value} {what}" for value, what in part.factors)
        said = "; ".join(text for text in (factors, part.note) if text)
        yield number_text(share, digits), "  " * depth + part.words + (f"  ({said})" if said else "")
        yield from _rows(part, share, digits, depth + 1)
