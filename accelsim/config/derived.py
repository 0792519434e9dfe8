"""Values that follow the array where a machine leaves them out, so that a machine of another size stays balanced."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from accelsim.config.machine import Array, Machine
from accelsim.config.strict_yaml import Document
from accelsim.units import ceil_div

SUMS_OF_A_COLUMN = 1024
"""Partial sums that the accumulator has for each column: as many as Gemmini's default has (Genc et al., DAC 2021)."""


@dataclass(frozen=True, slots=True)
class Derived:
    """A key, its value for an array with all sizes given, and how a reader would write it."""

    path: tuple[str, ...]
    value: Callable[[dict[str, int]], int]
    formula: str


def _edge_bytes(array: dict[str, int], bits: str) -> int:
    return ceil_div(max(array["rows"], array["cols"]) * array[bits], 8)


DERIVED = (
    Derived(("vector", "lanes"), lambda array: array["cols"], "array.cols"),
    Derived(
        ("sram", "activation", "port_bytes_per_cycle"),
        lambda array: _edge_bytes(array, "activation_bits"),
        "an activation for each row or column of the array",
    ),
    Derived(
        ("sram", "weight", "port_bytes_per_cycle"),
        lambda array: _edge_bytes(array, "weight_bits"),
        "a weight for each row or column of the array",
    ),
    Derived(
        ("sram", "accumulator", "capacity_bytes"),
        lambda array: SUMS_OF_A_COLUMN * array["cols"] * ceil_div(array["psum_bits"], 8),
        f"{SUMS_OF_A_COLUMN} partial sums for each column",
    ),
)


def following(machine: Machine, array: Mapping[str, int]) -> dict[str, int]:
    """Values by dotted path that an array with these keys changed determines, of what follows the machine's array as it
    does where a file leaves it out; without those that stay as they are."""
    now = machine.array.model_dump()
    then = {**now, **array}
    return {
        ".".join(each.path): each.value(then)
        for each in DERIVED
        if _value(machine, each.path) == each.value(now) != each.value(then)
    }


def _value(machine: Machine, path: tuple[str, ...]) -> object:
    return reduce(getattr, path, machine)


_BITS = {key: Array.model_fields[key].default for key in ("weight_bits", "activation_bits", "psum_bits")}
_MAY_BE_LEFT_OUT = (("vector",), ("sram", "accumulator"))
"""Sections of which every key is derived or has a default."""
_ONE_PE = {"rows": 1, "cols": 1, **_BITS}


def derive(document: Document) -> None:
    """Fill in what the machine leaves out and its array determines; the document keeps which, and how.

    For an array that the schema will refuse it is that of one PE.
    """
    array = document.data.get("array")
    sizes = {**_BITS, **array} if isinstance(array, dict) else {}
    if not all(isinstance(sizes.get(key), int) and 0 < sizes[key] <= 1 << 16 for key in _ONE_PE):
        sizes = _ONE_PE
    for each in DERIVED:
        section = _section(document.data, each.path[:-1])
        if section is not None and each.path[-1] not in section:
            section[each.path[-1]] = each.value(sizes)
            document.derived[each.path] = each.formula


def _section(data: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any] | None:
    """The mapping at this path, made where it may be left out; nothing where it is not there or something else is."""
    *above, last = path
    found: Any = data
    for part in above:
        found = found.get(part) if isinstance(found, dict) else None
    if not isinstance(found, dict):
        return None
    section = found.setdefault(last, {}) if path in _MAY_BE_LEFT_OUT else found.get(last)
    return section if isinstance(section, dict) else None
