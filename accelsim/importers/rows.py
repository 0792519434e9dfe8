"""Rows of another tool's table, one a layer that knows nothing of the others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from accelsim.config.strict_yaml import Document, Origin
from accelsim.config.workload import MAX_EXTENT
from accelsim.errors import Mistake, Mistakes, UserError, shorten

MOST_MISTAKES = 100
"""Rows whose mistakes are told before the rest is left alone."""


RowLayer = tuple[dict[str, Any], dict[str, int]]
"""A layer of a network file, and the map that it reads."""


class TableRow(NamedTuple):
    """A row of a table: where it stands, and its cells by what they are called here."""

    file: str
    number: int
    cells: dict[str, str]

    @property
    def origin(self) -> Origin:
        """Origin of what it says."""
        return Origin(self.file, self.number)

    def mistake(self, key: str, expected: str, got: str) -> UserError:
        return UserError([Mistake(self.file, self.number, key, expected, got)])

    def size(self, key: str, most: int = MAX_EXTENT) -> int:
        """Raises UserError."""
        text = self.cells[key]
        if not re.fullmatch("[0-9]{1,20}", text) or not 1 <= int(text) <= most:
            raise self.mistake(key, f"a whole number from 1 to {most}", shorten(text) if text else "nothing")
        return int(text)


def no_rows(shown_as: str, line: int) -> UserError:
    """The mistake of a table that ends with its headings."""
    return UserError([Mistake(shown_as, line, "file", "a layer a line below the headings", "none")])


def each_row(rows: Iterable[TableRow], take: Callable[[TableRow], None]) -> None:
    """Take rows, one after the other. Raises UserError with the mistakes of all, or of as many as are told."""
    mistakes = Mistakes()
    for row in rows:
        with mistakes:
            take(row)
        if len(mistakes.found) >= MOST_MISTAKES:
            break
    mistakes.raise_any()


def network_of(
    rows: Iterable[TableRow],
    read: Callable[[TableRow], RowLayer],
    batch_key: str,
    *,
    shown_as: str,
    name: str,
    source: str,
) -> Document:
    """The layers of a table, independent of each other, as a network file. Raises UserError.

    read: gives layers, whose names are numbered here where they have been used; batch_key: the column of images, of
    which all rows have as many, one where it is empty or not there.
    """
    document = Document({}, {(): Origin(shown_as, 1)})
    layers: list[dict[str, Any]] = []
    inputs: list[dict[str, int]] = []
    taken = {"input": 1}
    batch = 0

    def add(layer: dict[str, Any], row: TableRow) -> None:
        document.origins["layers", len(layers)] = row.origin
        layers.append(layer)

    def take(row: TableRow) -> None:
        nonlocal batch
        batch = _batch(row, batch_key, batch)
        layer, given = read(row)
        layer["name"] = _own_name(layer["name"], taken)
        if layers:
            add({"name": _own_name(f"{layer['name']}_in", taken), "op": "input", **given}, row)
        add(layer, row)
        inputs.append(given)

    each_row(rows, take)
    document.data = {
        "name": name,
        "source": f"{source} {name}; its layers are independent of each other",
        "batch": batch,
        "input": inputs[0],
        "layers": layers,
    }
    return document


def _batch(row: TableRow, key: str, before: int) -> int:
    """Images of a row, which have to be those of the rows before, if there are any (0). Raises UserError."""
    if not row.cells.get(key):
        return before or 1
    batch = row.size(key)
    if before not in (0, batch):
        raise row.mistake(key, f"{before}, as the rows before have", str(batch))
    return batch


def _own_name(name: str, taken: dict[str, int]) -> str:
    """The name, numbered where it has been used."""
    own = name
    while own in taken:
        taken[name] += 1
        own = f"{name}_{taken[name]}"
    taken[own] = 1
    return own
