"""Combinations of a sweep for which its constraints hold, found before anything is resolved that they leave out.

A constraint reads few keys, and a key changes with few axes: its values are laid out along those alone, and constraints
are worked out for whole arrays of them, in exact numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.config.constraint import MACHINE_COLUMNS, Constraint, exactly
from accelsim.config.load import Override
from accelsim.config.strict_yaml import KeyPath, kind_of
from accelsim.errors import Mistake
from accelsim.sweeps.spec import Choice, Wanted

MOST_UNDECIDED = 100
"""Combinations for which a constraint can't be decided; after them it is left alone."""
_PAGE = 4096
_NAMING = (("dram",), ("dram", "device"), ("energy",), ("energy", "table"))
"""Keys that change others of their section."""

Lookup = Callable[[str, str, Sequence[Override]], Any]
"""Function to the value of a key of a network or machine, by its name, with these overrides."""
ColumnValues = npt.NDArray[np.object_]


class Combination(NamedTuple):
    """A network, a machine, and a choice of each axis."""

    network: str
    machine: str
    overrides: list[Override]


def selected(wanted: Wanted, lookup: Lookup, mistakes: set[Mistake]) -> Iterator[Combination]:
    """Combinations for which all constraints hold, or can't be decided, in their order: the last axis is fastest.

    Constraints that can't be decided go to `mistakes`.
    """
    sizes = (len(wanted.networks), len(wanted.machines), *map(len, wanted.axes))
    shape = tuple(size for size in sizes if size > 1)
    keep = np.ones(shape, dtype=bool)
    columns: dict[str, ColumnValues] = {}
    for constraint, place in wanted.constraints:
        for key in constraint.keys - columns.keys():
            columns[key] = _column(key, wanted, lookup)
        keep &= _holding(constraint, place, columns, keep, mistakes)
    left = np.flatnonzero(keep)
    for start in range(0, len(left), _PAGE):
        places = iter(np.unravel_index(left[start : start + _PAGE], shape) if shape else ())
        along = [next(places).tolist() if size > 1 else [0] * len(left[start : start + _PAGE]) for size in sizes]
        for network, machine, *choices in zip(*along, strict=True):
            taken = [axis[choice] for axis, choice in zip(wanted.axes, choices, strict=True)]
            overrides = [override for choice in taken for override in choice]
            yield Combination(wanted.networks[network], wanted.machines[machine], overrides)


def _column(key: str, wanted: Wanted, lookup: Lookup) -> ColumnValues:
    """The values of a key, along the dimensions that it changes with."""
    path = tuple(key.split("."))
    axes = _axes_that_change(path, wanted.axes)
    names = () if axes and all(_says(wanted.axes[axis], path) for axis in axes) else _named(path, wanted)
    sizes = [len(wanted.networks), len(wanted.machines), *map(len, wanted.axes)]
    along = {2 + axis for axis in axes} | ({int(path[0] != "network")} if names else set())
    values = []
    for name in names or ("",):
        for choices in product(*(wanted.axes[axis] for axis in axes)):
            overrides = [override for choice in choices for override in choice]
            said = [override.value for override in overrides if override.path == path]
            values.append(said[-1] if said and not names else lookup(key, name, overrides))
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column.reshape([size if place in along else 1 for place, size in enumerate(sizes) if size > 1])


def _named(path: KeyPath, wanted: Wanted) -> tuple[str, ...]:
    return wanted.networks if path[0] == "network" else wanted.machines


def _says(axis: Sequence[Choice], path: KeyPath) -> bool:
    """True where each choice of an axis sets the key itself."""
    return all(any(override.path == path for override in choice) for choice in axis)


def _axes_that_change(path: KeyPath, axes: Sequence[Sequence[Choice]]) -> list[int]:
    """The axis that says all values of a key, if there is one and no other replaces a section around it, or else all
    that may change it."""
    alone = [place for place, axis in enumerate(axes) if _says(axis, path)]
    around = [place for place, axis in enumerate(axes) if _any(axis, lambda found: found == path[: len(found)] != path)]
    if alone and not around:
        return alone
    return [place for place, axis in enumerate(axes) if _any(axis, lambda found: _may_change(found, path))]


def _any(axis: Sequence[Choice], is_one: Callable[[KeyPath], bool]) -> bool:
    return any(is_one(override.path) for choice in axis for override in choice)


def _may_change(found: KeyPath, path: KeyPath) -> bool:
    """True where one key may change another: around or below it, in a section that a file fills, or of a network,
    of which less is known when it is another one. All of a machine may change its area and peak."""
    if path[0] in MACHINE_COLUMNS:
        return found[0] not in ("network", "scheduling")
    shared = min(len(found), len(path))
    names_section = found in _NAMING and found[0] == path[0]
    return found[:shared] == path[:shared] or names_section or found[:2] == ("dram", "timing") == path[:2] or (
        found[0] == path[0] == "network"
    )  # fmt: skip


def _holding(
    constraint: Constraint,
    place: Mistake,
    columns: Mapping[str, ColumnValues],
    keep: npt.NDArray[np.bool_],
    mistakes: set[Mistake],
) -> npt.NDArray[np.bool_]:
    """True for combinations that a constraint holds for, of those that are to be kept."""
    numbers = {key: np.asarray(np.frompyfunc(_number, 1, 1)(columns[key])) for key in constraint.keys}
    if not any(_lacks_numbers(column) for column in numbers.values()):
        try:
            return np.broadcast_to(np.asarray(constraint.holds_each(numbers.__getitem__), dtype=bool), keep.shape)
        except ValueError:
            pass
    return _one_by_one(constraint, place, columns, keep, mistakes)


def _one_by_one(
    constraint: Constraint,
    place: Mistake,
    columns: Mapping[str, ColumnValues],
    keep: npt.NDArray[np.bool_],
    mistakes: set[Mistake],
) -> npt.NDArray[np.bool_]:
    """Combinations as of `_holding`, where something is no number, or divided by 0, for some of them."""
    flat = {key: np.broadcast_to(columns[key], keep.shape).reshape(-1) for key in constraint.keys}
    holds = np.ones(keep.size, dtype=bool)
    undecided = 0
    for index in np.flatnonzero(keep):
        here = {key: values[index] for key, values in flat.items()}
        try:
            holds[index] = constraint.holds(partial(_stated, here))
        except ValueError as error:
            mistakes.add(replace(place, expected=str(error)))
            undecided += 1
            if undecided == MOST_UNDECIDED:
                break
    return holds.reshape(keep.shape)


def _number(value: Any) -> int | Fraction | None:
    return None if isinstance(value, bool) or not isinstance(value, int | float) else exactly(value)


def _lacks_numbers(column: ColumnValues) -> bool:
    return any(value is None for value in column.flat)


def _stated(values: Mapping[str, Any], key: str) -> int | Fraction:
    """The number under a key. Raises ValueError where it is none."""
    number = _number(values[key])
    if number is None:
        raise ValueError(f"keys with numbers, and {key} has {kind_of(values[key])}")
    return number
