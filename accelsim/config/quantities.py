"""Values with a unit: `256 KiB` under a key of bytes, `1 GHz` under one of MHz, `12.8 GB/s` under one of bytes a clock.

A key may leave its unit out where its value has one: `capacity: 256 KiB` is `capacity_bytes: 262144`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from accelsim.config.schema import Section, has_key
from accelsim.config.strict_yaml import Document, KeyPath, dotted
from accelsim.errors import shorten

_QUANTITY = re.compile(r"([0-9][0-9_]{0,40}(?:\.[0-9]{1,40})?) ?([A-Za-z]{1,3}(?:/s)?)", re.ASCII)
_SIZES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


@dataclass(frozen=True, slots=True)
class Dimension:
    """The endings of its keys, its units in that of the keys, and how a message names a value."""

    endings: tuple[str, ...]
    units: dict[str, Fraction]
    example: str


def _dimension(ending: str, example: str, units: dict[str, float]) -> Dimension:
    return Dimension((ending,), {unit: Fraction(str(factor)) for unit, factor in units.items()}, example)


RATE = Dimension(
    ("_bytes_per_cycle", "_bytes_per_clock"),
    {f"{unit}/s": Fraction(factor) for unit, factor in _SIZES.items()},
    "a rate such as 12.8 GB/s",
)
DIMENSIONS = (
    RATE,
    Dimension(
        ("_bytes",), {unit: Fraction(factor) for unit, factor in _SIZES.items()}, "a size such as 256 KiB or 256 kB"
    ),
    _dimension("_mhz", "a frequency such as 1 GHz", {"Hz": 1e-6, "kHz": 1e-3, "MHz": 1, "GHz": 1e3}),
    _dimension("_ns", "a time such as 13.75 ns", {"ps": 1e-3, "ns": 1, "us": 1e3, "ms": 1e6}),
    _dimension("_mw", "a power such as 3.2 mW", {"uW": 1e-3, "mW": 1, "W": 1e3}),
    _dimension("_pj", "an energy such as 1.2 nJ", {"fJ": 1e-3, "pJ": 1, "nJ": 1e3, "uJ": 1e6}),
)
_CLOCKS = {"dram": ("dram", "clock_mhz")}
"""By section: the clock that its rates are divided by, where it is not that of the array."""


def write_out(document: Document, model: type[Section], above: KeyPath = ()) -> None:
    """Replace quantities by plain numbers under whole keys, rates aside; `above` is where the document hangs.

    What has no sense is refused: `validate` will raise it.
    """
    for path, data in _texts_in(document.data, ()):
        _write_out_value(document, data, path, model, above)


def _texts_in(data: dict[str, Any], path: KeyPath) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    """The path of each text, and the mapping that has it; rows of a list have numbers."""
    for key, value in list(data.items()):
        if isinstance(value, dict):
            yield from _texts_in(value, (*path, key))
        elif isinstance(value, list):
            for number, row in enumerate(value):
                if isinstance(row, dict):
                    yield from _texts_in(row, (*path, key, number))
        elif isinstance(value, str):
            yield (*path, key), data


def _write_out_value(
    document: Document, data: dict[str, Any], path: KeyPath, model: type[Section], above: KeyPath
) -> None:
    key, value = str(path[-1]), data[str(path[-1])]
    try:
        whole, number = written_out((*above, *path), value, model)
    except ValueError as error:
        document.refuse(path, document.mistake(path, str(error), shorten(value)))
        return
    name = str(whole[-1])
    if name == key:
        data[key] = number
    elif name in data:
        document.refuse(path, document.mistake(path, f"{name} or {key}", "both"))
    else:
        document.origins[*path[:-1], name] = document.origin(path)
        document.origins.pop(path, None)
        data[name] = number
        data.pop(key)


def written_out(path: KeyPath, value: Any, model: type[Section]) -> tuple[KeyPath, Any]:
    """The whole key of a value and its number in the unit of that; a rate stays text until clocks are known.

    Raises ValueError, with what was expected, where the unit is none of the key's.
    """
    found = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if not found:
        return path, value
    whole, dimension = _key_of(path, model)
    if dimension is None:
        return path, value
    if found[2] not in dimension.units:
        raise ValueError(dimension.example)
    return whole, value if dimension is RATE else _plain(Fraction(found[1]) * dimension.units[found[2]])


def _key_of(path: KeyPath, model: type[Section]) -> tuple[KeyPath, Dimension | None]:
    """The whole key that is meant, and the dimension that its ending tells; none for a key that is no quantity."""
    own = next((each for each in DIMENSIONS if str(path[-1]).endswith(tuple(_bare(each)))), None)
    if own or has_key(model, dotted(path)):
        return path, own
    for dimension in DIMENSIONS:
        for ending in dimension.endings:
            whole = (*path[:-1], f"{path[-1]}{ending}")
            if has_key(model, dotted(whole)):
                return whole, dimension
    return path, None


def _bare(dimension: Dimension) -> list[str]:
    return [ending.removeprefix("_") if dimension is RATE else ending for ending in dimension.endings]


def write_out_rates(document: Document) -> None:
    """Replace rates by bytes a clock, where the clock is known; refuse the others."""
    for path, data in _texts_in(document.data, ()):
        key = str(path[-1])
        found = _QUANTITY.fullmatch(data[key])
        if found and found[2] in RATE.units and key.endswith(tuple(_bare(RATE))):
            clock = _CLOCKS.get(str(path[0]), ("array", "clock_mhz"))
            megahertz = _number_at(document.data, clock)
            if megahertz is None and not document.is_refused(path):
                document.refuse(path, document.mistake(path, f"{dotted(clock)} beside a rate", data[key]))
            elif megahertz is not None:
                data[key] = _plain(Fraction(found[1]) * RATE.units[found[2]] / (Fraction(repr(megahertz)) * 10**6))


def _number_at(data: Any, path: KeyPath) -> float | None:
    for part in path:
        data = data.get(part) if isinstance(data, dict) else None
    return data if isinstance(data, int | float) and not isinstance(data, bool) and data > 0 else None


def _plain(number: Fraction) -> int | float:
    return number.numerator if number.denominator == 1 else float(number)
