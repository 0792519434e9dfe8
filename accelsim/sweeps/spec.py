"""From the file or command line that describes a sweep to what is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

from accelsim.config.constraint import Constraint, parse_constraint
from accelsim.config.load import Override, is_variant, value_of
from accelsim.config.named import Kind, find, matching
from accelsim.config.places import is_file, is_within
from accelsim.config.schema import validate
from accelsim.config.strict_yaml import Document, KeyPath, Origin, dotted, read
from accelsim.config.sweep import Sweep, broken_rules
from accelsim.errors import ARGUMENTS, Mistake, Mistakes, UserError, shorten
from accelsim.importers import PLAIN, ModelOptions
from accelsim.sweeps.stored import MOST_POINTS

Choice = tuple[Override, ...]
"""Settings that go together."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A sweep that has been read: names that exist, axes of choices, constraints with the places they stand at.

    options: of networks that are models of another tool.
    """

    networks: tuple[str, ...]
    machines: tuple[str, ...]
    axes: tuple[tuple[Choice, ...], ...]
    constraints: tuple[tuple[Constraint, Mistake], ...]
    mapping: str | None
    options: ModelOptions = PLAIN

    @property
    def keys(self) -> list[str]:
        """The keys that vary, in the order of the axes."""
        paths = dict.fromkeys(each.path for axis in self.axes for choice in axis for each in choice)
        return [dotted(path) for path in paths]


def read_sweep(path: str) -> Wanted:
    """A sweep from its file; what it names by path lies below its folder. Raises UserError with all that is wrong."""
    return _wanted(read(Path(path), path), Path(path).parent)


def sweep_of(keys: dict[str, Any]) -> Wanted:
    """A sweep from what would stand in its file. Raises UserError with all that is wrong."""
    return _wanted(Document(keys, {(): Origin("sweep", 0)}), None)


def inline_sweep(
    networks: Sequence[str],
    machines: Sequence[str],
    axes: Iterable[tuple[int, str]],
    where: Iterable[tuple[int, str]],
    mapping: str | None = None,
) -> Wanted:
    """A sweep from the command line; axes are `(position, "key=value,value")`, or `"key:key=value:value,value:value"`
    for keys that move together. Raises UserError.
    """
    grid: dict[str, list[Any]] = {}
    zipped: list[dict[str, list[Any]]] = []
    document = Document(
        {"networks": list(networks), "machines": list(machines), "grid": grid, "zipped": zipped, "where": []}
    )
    document.origins[()] = Origin(ARGUMENTS, 0)
    if mapping is not None:
        document.data["mapping"] = mapping
    for position, text in axes:
        key, equals, values = text.partition("=")
        path, origin = ("grid", key.strip()), Origin(ARGUMENTS, position)
        document.origins.setdefault(path, origin)
        if not equals:
            document.refuse(path, Mistake(ARGUMENTS, position, "vary", "KEY=VALUE,VALUE,...", shorten(text)))
        elif path[1] in grid:
            document.refuse(path, Mistake(ARGUMENTS, position, path[1], "each key once", "it again"))
        elif ":" in path[1]:
            _move_together(document, zipped, path[1].split(":"), values, origin)
        else:
            grid[path[1]] = _values(_parts(values, ","), document, path)
    for position, text in where:
        document.origins["where", len(document.data["where"])] = Origin(ARGUMENTS, position)
        document.data["where"].append(text)
    return _wanted(document, None)


def _move_together(
    document: Document, zipped: list[dict[str, list[Any]]], keys: list[str], text: str, origin: Origin
) -> None:
    """Put keys that move together, `8:64,16:32`, where a file would have them."""
    place = len(zipped)
    rows = [_parts(row, ":") for row in _parts(text, ",")]
    document.origins["zipped", place] = origin
    zipped.append({})
    if wrong := next((row for row in rows if len(row) != len(keys)), None):
        mistake = Mistake(
            origin.file, origin.line, ":".join(keys), f"{len(keys)} values with : between", ":".join(wrong)
        )
        document.refuse(("zipped", place), mistake)
        return
    for key, column in zip(map(str.strip, keys), zip(*rows, strict=True), strict=True):
        document.origins["zipped", place, key] = origin
        zipped[place][key] = _values(column, document, ("zipped", place, key))


def _parts(text: str, separator: str) -> list[str]:
    """Parts between separators that are not within brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(letter, 0)
        if letter == separator and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _values(parts: Iterable[str], document: Document, path: KeyPath) -> list[Any]:
    """Values as they are written."""
    values = []
    for part in parts:
        try:
            values.append(value_of(part.strip()))
        except ValueError as error:
            origin = document.origin(path)
            document.refuse(path, Mistake(origin.file, origin.line, str(path[-1]), str(error), shorten(part.strip())))
    return values


def _wanted(document: Document, folder: Path | None) -> Wanted:
    """The sweep of a document; folder: that of its file, if it has one. Raises UserError with all that is wrong."""
    sweep = validate(Sweep, document)
    mistakes = Mistakes()
    mistakes.found += [document.mistake(*found) for found in broken_rules(sweep)]
    networks = _names(sweep.networks, "networks", document, folder, mistakes)
    machines = _names(sweep.machines, "machines", document, folder, mistakes)
    mistakes.raise_any()
    axes = tuple(_axes(sweep, document, folder))
    count = prod(map(len, (networks, machines, *axes)))
    if count > MOST_POINTS:
        raise UserError([document.mistake((), f"at most {MOST_POINTS} combinations", str(count))])
    constraints = [
        (parse_constraint(text), document.mistake(("where", number), "", shorten(text)))
        for number, text in enumerate(sweep.where)
    ]
    return Wanted(networks, machines, axes, tuple(constraints), _mapping(sweep.mapping, document, folder))


def _mapping(name: str | None, document: Document, folder: Path | None) -> str | None:
    """The path of the mapping file. Raises UserError where a sweep's file names one elsewhere."""
    if name is None or folder is None:
        return name
    path = folder / name
    if not (is_within(path, folder) and is_file(path)):
        expected = "a file below the folder of this one or an allowed one"
        raise UserError([document.mistake(("mapping",), expected, shorten(name))])
    return str(path)


def _names(
    words: Sequence[str], key: Kind, document: Document, folder: Path | None, mistakes: Mistakes
) -> tuple[str, ...]:
    """The names and files that the words stand for, each once."""
    found: dict[str, None] = {}
    for number, word in enumerate(words):
        place = document.mistake((key, number), "", "")
        try:
            found |= dict.fromkeys(_name(name, key, folder) for name in matching(word, key, folder))
        except UserError as error:
            mistakes.found += [
                replace(mistake, file=place.file, line=place.line, key=place.key) if place.line else mistake
                for mistake in error.mistakes
            ]
    return tuple(found)


def _name(name: str, key: Kind, folder: Path | None) -> str:
    """A name as it stands, or the path of the file. Raises UserError where there is neither."""
    path = (folder or Path()) / name
    if key == "networks" and is_variant(name) and not is_file(path):
        return name
    return str(path) if find(name, key, folder=folder)[0] == path else name


def _axes(sweep: Sweep, document: Document, folder: Path | None) -> Iterator[tuple[Choice, ...]]:
    """The choices of each axis."""

    def override(path: KeyPath, key: str, value: Any) -> Override:
        origin = document.origin(path)
        return Override(tuple(key.split(".")), value, origin.file, origin.line, folder)

    for key, values in sweep.grid.items():
        yield tuple((override(("grid", key, number), key, value),) for number, value in enumerate(values))
    for place, group in enumerate(sweep.zipped):
        columns = [
            [override(("zipped", place, key, number), key, value) for number, value in enumerate(values)]
            for key, values in group.items()
        ]
        yield tuple(zip(*columns, strict=True))
    if sweep.listed:
        yield tuple(
            tuple(override(("listed", number, key), key, value) for key, value in point.items())
            for number, point in enumerate(sweep.listed)
        )
