"""Do constraints mean what they say, and nothing else?"""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.config.constraint import MAX_LENGTH, MAX_NESTING, parse_constraint

VALUES = {"array.rows": Fraction(8), "array.cols": Fraction(32), "dram.clock_mhz": Fraction("0.5")}
NUMBERS = {"0": 0, "7": 7, "1_000": 1000, "0.25": "0.25", "2e3": 2000, "1.5E-3": "0.0015"}


def names() -> st.SearchStrategy[tuple[str, Any]]:
    """(text, value) of a number or key."""
    pairs = [*VALUES.items(), *((text, Fraction(value)) for text, value in NUMBERS.items())]
    return st.sampled_from(pairs)


def joined(parts: st.SearchStrategy[tuple[str, Any]]) -> st.SearchStrategy[tuple[str, Any]]:
    """Something in parentheses around other things: Python's own arithmetic says what it is."""

    def combine(left: tuple[str, Any], sign: str, right: tuple[str, Any], space: str) -> tuple[str, Any]:
        text = f"({left[0]}{space}{sign}{space}{right[0]})"
        if left[1] is None or right[1] is None or (sign == "/" and not right[1]):
            return text, None
        a, b = left[1], right[1]
        return text, {"+": a + b, "-": a - b, "*": a * b, "/": a / (b or 1)}[sign]

    def negate(part: tuple[str, Any]) -> tuple[str, Any]:
        return f"-{part[0]}", None if part[1] is None else -part[1]

    binary = st.builds(combine, parts, st.sampled_from("+-*/"), parts, st.sampled_from(["", " ", "\t"]))
    return binary | st.builds(negate, parts)


@given(st.recursive(names(), joined, max_leaves=12), st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), names())
def test_arithmetic_is_exact(left: tuple[str, Any], relation: str, right: tuple[str, Any]) -> None:
    constraint = parse_constraint(f"{left[0]} {relation} {right[0]}")
    assert constraint.keys == {key for key in VALUES if key in left[0] or key in right[0]}
    if left[1] is None:
        with pytest.raises(ValueError, match="a divisor other than 0"):
            constraint.holds(VALUES.__getitem__)
        return
    a, b = left[1], right[1]
    expected = {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b, "==": a == b, "!=": a != b}
    assert constraint.holds(VALUES.__getitem__) == expected[relation]


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("1 + 2 * 3 == 7", True),
        ("10 - 4 - 3 == 3", True),
        ("16 / 4 / 2 == 2", True),
        ("2 * -3 == -6", True),
        ("0.1 + 0.2 == 0.3", True),
        ("1 < 2 < 3", True),
        ("1 < 3 < 2", False),
        ("1 < 2 and 2 < 1", False),
        ("2 < 1 and 1 / 0 < 1", False),
        ("array.rows * array.cols <= 256 and dram.clock_mhz < 1", True),
    ],
)
def test_operators_bind_as_in_arithmetic(text: str, holds: bool) -> None:
    assert parse_constraint(text).holds(VALUES.__getitem__) is holds


HOSTILE = [
    "",
    "1",
    "array.rows",
    "rows < 3",
    "1 <",
    "< 1",
    "1 < 2 or 1 < 2",
    "1 < 2 and",
    "not 1 < 2",
    "1 = 1",
    "1 < 2)",
    "(1 < 2)",
    "9 ** 9 ** 9 < 1",
    "9 // 2 < 1",
    "9 % 2 < 1",
    "1e999 < 2",
    "010 < 2",
    "1__0 < 2",
    "1.2.3 < 4",
    "0x10 < 2",
    "1j < 2",
    "True < 2",
    "'a' < 'b'",
    "array.rows() < 1",
    "array.rows[0] < 1",
    "array .rows < 1",
    "__import__('os').system('true') < 1",
    "(lambda: 1)() < 2",
    "[x for x in array.rows] < 1",
    "1 < 2; import os",
    "1 < 2\nand 2 < 3 nand",
    "{array.rows} < 1",
    "array.rows < \x00",
    "array.rows < \uff12",
    "a\u0440ray.rows < 1",
    "(" * (MAX_NESTING + 1) + "1" + ")" * (MAX_NESTING + 1) + " < 2",
    "-" * (MAX_NESTING + 1) + "1 < 2",
    "1 < " + "1" * MAX_LENGTH,
    "(" * MAX_LENGTH,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_no_constraint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$") as refused:
        parse_constraint(text)
    assert len(str(refused.value)) < 250


@given(st.text(max_size=60) | st.text("0123456789.e+-*/()<>=! andarray.rows", max_size=60))
def test_any_text_is_a_constraint_or_refused(text: str) -> None:
    """And a constraint holds, does not, or divides by 0 or asks for a key."""
    with suppress(ValueError):
        parse_constraint(text).holds(lambda _: Fraction(3))
