"""Constraints on a configuration, such as `array.rows * array.cols <= 1024`: parsed, never evaluated as code.

constraint = comparison {"and" comparison}
comparison = sum relation sum {relation sum}        relation: <= >= == != < >
sum        = product {("+" | "-") product}
product    = factor {("*" | "/") factor}
factor     = number | key | "(" sum ")" | "-" factor
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

from accelsim.config.strict_yaml import scalar
from accelsim.errors import shorten

MAX_LENGTH = 1000
MAX_NESTING = 40

MACHINE_COLUMNS = ("area_mm2", "peak_tops", "peak_tops_per_w", "peak_tops_per_mm2")
"""Columns of results that a machine has before it runs anything, so that constraints on keys may have them."""

Number = Any
"""An int or Fraction, or an array of them: all that is done with one is done with each element of the other."""
Lookup = Callable[[str], Number]
"""The number that stands under a dotted key; raises ValueError where there is none."""
Sum = Callable[[Lookup], Number]
_Operation = Callable[[Number, Number], Number]

_TOKEN = re.compile(
    r"\s*(?:(?P<number>[0-9][0-9_.]*(?:[eE][-+]?[0-9]+)?)(?![A-Za-z0-9_.])"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*)"
    r"|(?P<sign><=|>=|==|!=|[-+*/()<>]))",
    re.ASCII,
)
_RELATIONS: dict[str, Callable[[Number, Number], Any]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}


def _quotient(over: Number, under: Number) -> Number:
    is_zero = under == 0
    if is_zero if isinstance(is_zero, bool) else is_zero.any():
        raise ValueError("a divisor other than 0")
    return over * (Fraction(1) / under)


_SUMS: dict[str, _Operation] = {"+": operator.add, "-": operator.sub}
_PRODUCTS: dict[str, _Operation] = {"*": operator.mul, "/": _quotient}


@dataclass(frozen=True, slots=True)
class Constraint:
    """A parsed constraint, and the dotted keys that it reads. Arithmetic is exact."""

    text: str
    keys: frozenset[str]
    _comparisons: tuple[tuple[tuple[Sum, ...], tuple[str, ...]], ...]

    def holds(self, lookup: Lookup) -> bool:
        """Raises ValueError, with what was expected, where a key has no number or something is divided by 0."""
        for sums, relations in self._comparisons:
            values = pairwise(value(lookup) for value in sums)
            if not all(_RELATIONS[relation](*pair) for relation, pair in zip(relations, values, strict=True)):
                return False
        return True

    def excess(self, lookup: Lookup) -> float:
        """Part by which sides differ the wrong way, over all comparisons; 0 where each holds up to equality."""
        total = 0.0
        for sums, relations in self._comparisons:
            values = pairwise(float(value(lookup)) for value in sums)
            for relation, (left, right) in zip(relations, values, strict=True):
                if not _RELATIONS[relation](left, right):
                    total += abs(left - right) / (abs(right) or 1.0)
        return total

    def holds_each(self, lookup: Lookup) -> Any:
        """Decides like `holds`, for arrays of numbers, or both; raises ValueError where any is divided by 0."""
        result: Any = True
        for sums, relations in self._comparisons:
            values = pairwise([value(lookup) for value in sums])
            for relation, pair in zip(relations, values, strict=True):
                result = result & _RELATIONS[relation](*pair)
        return result


def parse_constraint(text: str, *, of_columns: bool = False) -> Constraint:
    """A constraint on keys and `MACHINE_COLUMNS`, or on columns of results, whose names may have no dot.

    Raises ValueError, with what was expected and where.
    """
    if len(text) > MAX_LENGTH:
        raise ValueError(f"a constraint of at most {MAX_LENGTH} characters")
    return _Parser(text, of_columns=of_columns).constraint()


class _Parser:
    """Recursive descent over the tokens of a constraint."""

    def __init__(self, text: str, *, of_columns: bool) -> None:
        self.text = text
        self.of_columns = of_columns
        self.position = 0
        self.keys: set[str] = set()
        self.kind, self.token = "", ""
        self.advance()

    def advance(self) -> str:
        """Go to the next token; gives the one before it."""
        before = self.token
        match = _TOKEN.match(self.text, self.position)
        if match is None and self.text[self.position :].strip():
            raise self.wrong("a number, key, comparison, + - * / or parenthesis")
        self.kind, self.token = (match.lastgroup or "", match[match.lastgroup or 0]) if match else ("end", "")
        self.position = match.end() if match else len(self.text)
        return before

    def wrong(self, expected: str) -> ValueError:
        """Error to raise here."""
        found = self.token or self.text[self.position :].strip()
        return ValueError(f"{expected}, got {shorten(found) if found else 'its end'} in {shorten(self.text)}")

    def constraint(self) -> Constraint:
        comparisons = [self.comparison()]
        while self.token == "and":
            self.advance()
            comparisons.append(self.comparison())
        if self.kind != "end":
            raise self.wrong("an operator, a comparison or `and`")
        return Constraint(self.text, frozenset(self.keys), tuple(comparisons))

    def comparison(self) -> tuple[tuple[Sum, ...], tuple[str, ...]]:
        sums, relations = [self.sum(0)], []
        while self.token in _RELATIONS:
            relations.append(self.advance())
            sums.append(self.sum(0))
        if not relations:
            raise self.wrong("an operator or a comparison")
        return tuple(sums), tuple(relations)

    def sum(self, depth: int) -> Sum:
        return self.chain(_SUMS, lambda: self.chain(_PRODUCTS, lambda: self.factor(depth)))

    def chain(self, operations: dict[str, _Operation], part: Callable[[], Sum]) -> Sum:
        """Parts joined by operations of one rank, taken from left to right."""
        first, rest = part(), list[tuple[_Operation, Sum]]()
        while self.token in operations:
            rest.append((operations[self.advance()], part()))
        return lambda lookup: _from_left(first, rest, lookup)

    def factor(self, depth: int) -> Sum:
        if depth > MAX_NESTING:
            raise self.wrong(f"at most {MAX_NESTING} levels")
        if self.token == "-":
            self.advance()
            negated = self.factor(depth + 1)
            return lambda lookup: -negated(lookup)
        if self.token == "(":
            self.advance()
            inside = self.sum(depth + 1)
            if self.token != ")":
                raise self.wrong("an operator or )")
            self.advance()
            return inside
        if self.kind == "number":
            return self.number()
        if self.kind == "word" and ("." in self.token or self.token in MACHINE_COLUMNS or self._is_column()):
            key = self.advance()
            self.keys.add(key)
            return lambda lookup: lookup(key)
        if self.kind == "word" and self.token != "and":
            known = ", ".join(MACHINE_COLUMNS)
            raise self.wrong(f"keys such as array.rows, or {known} (other columns only after a run)")
        raise self.wrong(
            f"a number, a {'column such as area_mm2' if self.of_columns else 'key such as array.rows'}, - or ("
        )

    def _is_column(self) -> bool:
        return self.of_columns and self.token != "and"

    def number(self) -> Sum:
        try:
            value = scalar(self.token)
        except ValueError as error:
            raise self.wrong(str(error)) from None
        if not isinstance(value, int | float):
            raise self.wrong("a number")
        self.advance()
        number = exactly(value)
        return lambda _: number


def _from_left(first: Sum, rest: list[tuple[_Operation, Sum]], lookup: Lookup) -> Number:
    value = first(lookup)
    for operation, part in rest:
        value = operation(value, part(lookup))
    return value


def exactly(value: float) -> int | Fraction:
    """A number as the decimal it is written as."""
    exact = Fraction(repr(value))
    return exact.numerator if exact.denominator == 1 else exact
