"""Schema of a sweep: networks on machines, the keys that vary, and what must hold for a point to be one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from accelsim.config.constraint import MACHINE_COLUMNS, parse_constraint
from accelsim.config.load import SECTIONS, key_path
from accelsim.config.schema import Section, validate
from accelsim.config.strict_yaml import KeyPath, read
from accelsim.errors import UserError


def _key(key: str) -> str:
    if ":" in key:
        raise ValueError("one key; those that move together stand under zipped")
    if not key_path(key):
        raise ValueError(f"a key below {', '.join(SECTIONS)}")
    return key


def _where(text: str) -> str:
    unknown = sorted(key for key in parse_constraint(text).keys if key not in MACHINE_COLUMNS and not key_path(key))
    if unknown:
        raise ValueError(f"keys below {', '.join(SECTIONS)}, got {unknown[0]!r}")
    return text


Key = Annotated[str, AfterValidator(_key)]
Names = Annotated[list[str], Field(min_length=1, max_length=10_000)]
Values = Annotated[list[Any], Field(min_length=1, max_length=100_000)]
Axes = dict[Key, Values]


class Sweep(Section):
    """Every network on every machine with every combination of values for which all of `where` holds.

    grid: each value of a key with each of every other. zipped: groups of keys of which the first values go together,
    then the second ones, and so on. listed: settings that go together, written out.
    """

    networks: Names = Field(description="names, files and patterns of either")
    machines: Names = Field(description="names, files and patterns of either")
    grid: Axes = Field(default_factory=dict, description="values by key; every combination is a point")
    zipped: list[Annotated[Axes, Field(min_length=1)]] = Field(
        default_factory=list, description="groups of keys whose values go together, one by one"
    )
    listed: Annotated[list[dict[Key, Any]], Field(max_length=100_000)] = Field(
        default_factory=list, description="settings that go together, written out"
    )
    mapping: str | None = Field(None, description="mapping file, which holds for all machines")
    where: list[Annotated[str, AfterValidator(_where)]] = Field(
        default_factory=list,
        description="conditions on keys, or on area and peak, that every point keeps, such as `array.rows <= 32`",
    )


def load_sweep(path: str) -> Sweep:
    """A sweep file. Raises UserError with all that is wrong."""
    document = read(Path(path), path)
    sweep = validate(Sweep, document)
    mistakes = [document.mistake(*found) for found in broken_rules(sweep)]
    if mistakes:
        raise UserError(mistakes)
    return sweep


def broken_rules(sweep: Sweep) -> Iterator[tuple[KeyPath, str, str]]:
    """(key, expected, got) where axes contradict themselves or each other."""
    for number, group in enumerate(sweep.zipped):
        first, *others = group
        for key in others:
            if len(group[key]) != len(group[first]):
                yield ("zipped", number, key), f"{len(group[first])} values, as {first} has", str(len(group[key]))
    in_grid = [("grid", key) for key in sweep.grid]
    in_zipped = [("zipped", number, key) for number, group in enumerate(sweep.zipped) for key in group]
    in_listed = [("listed", number, key) for number, point in enumerate(sweep.listed) for key in point]
    seen: dict[str, tuple[str | int, ...]] = {}
    for path in chain[KeyPath](in_grid, in_zipped, in_listed):
        before = seen.setdefault(str(path[-1]), path)
        if before != path and not before[0] == path[0] == "listed":
            yield path, "a key of one axis only", f"{path[-1]} again"
