"""Amounts as people read them: three digits and a unit that fits."""

from __future__ import annotations

from collections.abc import Sequence

SI = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"), (1e-12, "p"))
BINARY = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B"))


def digits(value: float) -> str:
    """Three significant digits, without an exponent where there are fewer than seven in front of the point."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    places = max(0, 2 - _exponent(value))
    text = f"{value:.{min(places, 12)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _exponent(value: float) -> int:
    return int(f"{value:e}".partition("e")[2])


def _scaled(value: float, scales: Sequence[tuple[float, str]]) -> tuple[float, str]:
    for factor, unit in scales:
        if abs(value) >= factor:
            return value / factor, unit
    return value / scales[-1][0], scales[-1][1]


def bytes_text(value: float) -> str:
    """Bytes, as 256 KiB."""
    scaled, unit = _scaled(value, BINARY) if value else (0, "B")
    return f"{digits(scaled)} {unit}"


def si_text(value: float, unit: str) -> str:
    """An amount in a unit without prefix, as 977.8 uJ."""
    scaled, prefix = _scaled(value, SI) if value else (0.0, "")
    return f"{digits(scaled)} {prefix}{unit}"


def share_text(value: float) -> str:
    """A part of one, as 18.2 %."""
    return f"{100 * value:.1f} %"


COUNTS = ((1e9, "billion "), (1e6, "million "), (1e3, "1000 "), (1.0, ""))
_IN_UNITS = {"pJ": (1e-12, "J"), "uJ": (1e-6, "J"), "ms": (1e-3, "s"), "ns": (1e-9, "s"), "mW": (1e-3, "W")}


def amount_text(value: float, unit: str) -> str:
    """A value of a column in its unit (`accelsim columns`), as people read it."""
    if unit in _IN_UNITS:
        factor, base = _IN_UNITS[unit]
        return si_text(value * factor, base)
    if unit in ("bytes", "B"):
        return bytes_text(value)
    if unit == "0..1":
        return share_text(value)
    return f"{digits(value)} {unit}".rstrip()


def axis_unit(most: float, unit: str) -> tuple[float, str]:
    """The divisor and the unit of an axis that reaches `most` in `unit`, so that its numbers stay below 1,000."""
    if unit in _IN_UNITS:
        factor, base = _IN_UNITS[unit]
        scale, prefix = _fitting(most * factor, SI)
        return scale / factor, prefix + base
    if unit in ("bytes", "B"):
        return _fitting(most, BINARY)
    scale, prefix = _fitting(most, COUNTS)
    return scale, prefix + unit


def _fitting(most: float, scales: Sequence[tuple[float, str]]) -> tuple[float, str]:
    """The largest scale that is not above the value; one where the value is nothing."""
    none = next(each for each in scales if each[0] == 1)
    return next((each for each in scales if abs(most) >= each[0]), scales[-1]) if most else none
