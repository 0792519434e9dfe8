"""The only place where clocks, nanoseconds and bytes of different kinds meet, all in exact arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, overload


@overload
def ceil_div(numerator: int, denominator: int) -> int: ...
@overload
def ceil_div(numerator: Any, denominator: Any) -> Any: ...
def ceil_div(numerator: Any, denominator: Any) -> Any:
    """The quotient of integers or arrays of them, rounded up."""
    return -(-numerator // denominator)


def product_of(amount: Any, factor: int) -> Any:
    """The product of an integer, or of each of an array of them; of Python's integers where 64 bits are too few."""
    if isinstance(amount, int) or amount.size == 0 or int(amount.max()) * factor < 1 << 63:
        return amount * factor
    return amount.astype(object) * factor


@overload
def packed_bytes(elements: int, bits: int) -> int: ...
@overload
def packed_bytes(elements: Any, bits: int) -> Any: ...
def packed_bytes(elements: Any, bits: int) -> Any:
    """Bytes that `elements` values of `bits` bits take when packed; for an integer or an array of them."""
    return ceil_div(elements * bits, 8)


def times(amount: int, factor: float) -> Fraction:
    """The product, the factor taken as the decimal it is written as."""
    return amount * Fraction(repr(factor))


def clocks_of(time_ns: float, clock_mhz: float) -> int:
    """Clocks that a minimum time takes, both taken as the decimals they are written as.

    Rounded up, but for what exceeds a clock by less than 0.026 of it: JEDEC's rule for times that were rounded
    themselves (JESD79-4 section 13.5).
    """
    return int(Fraction(repr(time_ns)) * Fraction(repr(clock_mhz)) / 1000 + Fraction(974, 1000))


@dataclass(frozen=True, slots=True)
class ClockRatio:
    """Converts between array clocks and the clocks of another domain (docs/machine.md section 1)."""

    array_clocks: int
    other_clocks: int

    @classmethod
    def of(cls, array_mhz: float, other_mhz: float) -> ClockRatio:
        """From two frequencies in MHz, taken as the decimals they are written as."""
        ratio = Fraction(repr(array_mhz)) / Fraction(repr(other_mhz))
        return cls(ratio.numerator, ratio.denominator)

    def to_array(self, other: int) -> int:
        """The array clock at which something that ends at clock `other` is seen."""
        return ceil_div(other * self.array_clocks, self.other_clocks)

    def from_array(self, cycle: int) -> int:
        """The first clock of the other domain that is not before array clock `cycle`."""
        return ceil_div(cycle * self.other_clocks, self.array_clocks)

    def within(self, other: int) -> int:
        """The array clock during which clock `other` of the other domain begins."""
        return other * self.array_clocks // self.other_clocks
