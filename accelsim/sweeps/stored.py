"""Cells that a store may have: it is a file, and whoever made it may have put anything there."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from accelsim.config.load import key_path
from accelsim.config.strict_yaml import kind_of, odd_character
from accelsim.errors import Mistake, UserError
from accelsim.records import ENERGY_COMPONENTS, STALL_CAUSES
from accelsim.report.columns import WHAT_IFS, Value

MOST_POINTS = 1_000_000
PointOutcome = Literal["done", "refused", "failed"]
"""refused: the same again whenever it is tried; failed: an accident, worth another try."""
OUTCOMES: tuple[PointOutcome, ...] = get_args(PointOutcome)
NUMBERS = (
    *("batch", "inferences", "total_cycles", "latency_ms", "utilization"),
    *("dram_read_bytes", "dram_write_bytes", "dram_burst_bytes", "dram_energy_share"),
    *("energy_total_pj", "energy_per_inference_pj", *(f"energy_{name}_pj" for name in ENERGY_COMPONENTS)),
    *(f"stall_{cause}_cycles" for cause in STALL_CAUSES),
    *(f"saved_by_twice_{resource}_cycles" for resource in WHAT_IFS),
)
"""Columns that pictures and recommendations are computed from; others may be empty."""
_PERCENT = ("top1_pct", "top5_pct")
_MOST_TEXT = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}")
_DIGEST = re.compile("[0-9a-f]{64}")


class StoredPoint(NamedTuple):
    """A point with what became of it."""

    point: int
    network: str
    machine: str
    settings: dict[str, Any]
    error: str | None
    values: Sequence[Value | None]


class About(NamedTuple):
    """Header of a store: the SHA-256 of the plan it was made for, and the keys that vary."""

    format: int
    accelsim_version: str
    plan: str
    keys: list[str]


class _StoredCells(NamedTuple):
    """A row of a table by column, and where it stands."""

    path: Path
    table: str
    cells: Mapping[str, Any]

    def wrong(self, column: str, expected: str) -> UserError:
        place = f"{self.table}.{column}"
        return UserError([Mistake(str(self.path), 0, place, expected, kind_of(self.cells.get(column)))])

    def text(self, column: str, pattern: re.Pattern[str] | None = None) -> str:
        """Raises UserError."""
        value = self.cells.get(column)
        if not isinstance(value, str) or len(value) > _MOST_TEXT or odd_character(value):
            raise self.wrong(column, "text")
        if pattern and not pattern.fullmatch(value):
            raise self.wrong(column, "a SHA-256" if pattern is _DIGEST else "a name")
        return value

    def whole(self, column: str, most: int) -> int:
        """Raises UserError."""
        value = self.cells.get(column)
        if not isinstance(value, int) or not 0 <= value <= most:
            raise self.wrong(column, f"a whole number from 0 to {most}")
        return value

    def json(self, column: str, kind: type) -> Any:
        """Raises UserError."""
        try:
            value = json.loads(self.text(column), parse_constant=_refuse)
        except (ValueError, RecursionError):
            raise self.wrong(column, "JSON") from None
        if not isinstance(value, kind):
            raise self.wrong(column, f"JSON of a {kind.__name__}")
        return value


def _refuse(text: str) -> Any:
    raise ValueError(text)


def about_of(cells: Mapping[str, Any], path: Path) -> About:
    """Header of a store. Raises UserError."""
    found = _StoredCells(path, "about", cells)
    keys = found.json("keys", list)
    if not all(isinstance(key, str) and key_path(key) for key in keys) or len(set(keys)) < len(keys):
        raise found.wrong("keys", "keys of a sweep, each once")
    version = found.text("accelsim_version", _NAME)
    return About(found.whole("format", 1 << 31), version, found.text("plan", _DIGEST), keys)


def row_of(cells: Mapping[str, Any], columns: Sequence[str], path: Path) -> StoredPoint:
    """A point with its result. columns: those of its values. Raises UserError."""
    point, result = _StoredCells(path, "points", cells), result_of(cells, columns, path)
    settings = point.json("settings", dict)
    if not all(map(key_path, settings)):
        raise point.wrong("settings", "keys of a sweep")
    return StoredPoint(
        point.whole("point", MOST_POINTS),
        point.text("network", _NAME),
        point.text("machine", _NAME),
        settings,
        result["error"],
        [result[column] for column in columns],
    )


def result_of(cells: Mapping[str, Any], columns: Sequence[str], path: Path) -> dict[str, Any]:
    """The outcome, the error, and the values in columns, which a point that is not done lacks. Raises UserError."""
    found = _StoredCells(path, "results", cells)
    if cells["outcome"] not in OUTCOMES:
        raise found.wrong("outcome", f"one of {', '.join(OUTCOMES)}")
    is_done = cells["outcome"] == "done"
    if (cells["error"] is None) != is_done:
        raise found.wrong("error", "text where a point is not done, and only there")
    error = None if is_done else found.text("error")
    values = {column: _value(found, column) if is_done else None for column in columns}
    return {"outcome": cells["outcome"], "error": error, **values}


def _value(result: _StoredCells, column: str) -> Value | None:
    value: Any = result.cells[column]
    if column not in NUMBERS and (value is None or (isinstance(value, str) and column not in _PERCENT)):
        return value if value is None else result.text(column)
    least = -1e30 if column.startswith("saved_by_") else 0
    if not isinstance(value, int | float) or not math.isfinite(value) or not least <= value <= 1e30:
        raise result.wrong(column, f"a number from {least:g} to 1e30")
    if column in ("batch", "inferences") and value < 1:
        raise result.wrong(column, "a number of 1 or more")
    return value
