"""Rows of integers, and integers that may exceed 64 bits on the way; compiled, they are as in `integers.pxd`."""

from __future__ import annotations

from collections.abc import Iterable

Numbers = list[int]
lowest = min
"""The lowest number of a row that has some."""


def numbers(values: Iterable[int]) -> list[int]:
    """A row of these numbers."""
    return list(values)


def filled(count: int, value: int) -> list[int]:
    """A row of one number."""
    return [value] * count


def zeros(count: int) -> list[int]:
    """A row of zeros."""
    return [0] * count


def scaled_up(clock: int, numerator: int, denominator: int) -> int:
    """A clock of one domain in that of another, rounded up."""
    return -(-clock * numerator // denominator)


def scaled_down(clock: int, numerator: int, denominator: int) -> int:
    """A clock of one domain in that of another, rounded down."""
    return clock * numerator // denominator
