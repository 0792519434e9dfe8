"""The answer of a search as it is kept beside its results, for the page that opens with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from accelsim.config.constraint import Constraint, parse_constraint
from accelsim.config.places import is_file
from accelsim.config.strict_yaml import odd_character
from accelsim.errors import Mistake, UserError
from accelsim.report.export import save_files
from accelsim.sweeps.sweep import RECOMMENDATION

FORMAT = 1
_MOST_BYTES = 1 << 20
_MOST_LINES = 10


class KeptRecommendation(NamedTuple):
    """Recommendation: its five lines, its points, and the budgets that it keeps."""

    lines: Sequence[str]
    points: Sequence[int]
    budgets: Sequence[Constraint]


def save(folder: Path, kept: KeptRecommendation) -> None:
    """Write it beside the results, in the place of the answer before. Raises UserError."""
    budgets = [budget.text for budget in kept.budgets]
    found = {"format": FORMAT, "lines": list(kept.lines), "points": list(kept.points), "budgets": budgets}
    save_files(folder, {RECOMMENDATION: json.dumps(found, indent=1) + "\n"}, force=True)


def read(folder: Path) -> KeptRecommendation | None:
    """The recommendation of a folder; nothing where no search had this folder. Raises UserError."""
    path = folder / RECOMMENDATION
    if not is_file(path):
        return None
    with path.open("rb") as file:
        text = file.read(_MOST_BYTES + 1)
    try:
        found: Any = json.loads(text if len(text) <= _MOST_BYTES else b"")
        if found["format"] != FORMAT:
            raise ValueError
        return KeptRecommendation(_texts(found["lines"]), _numbers(found["points"]), _budgets(found["budgets"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        expected = f"what `accelsim recommend` writes, format {FORMAT}"
        raise UserError([Mistake(str(path), 0, "file", expected, "something else")]) from None


def _texts(found: Any) -> list[str]:
    """Raises ValueError."""
    if not isinstance(found, list) or len(found) > _MOST_LINES:
        raise ValueError
    if not all(isinstance(each, str) and not odd_character(each) for each in found):
        raise ValueError
    return found


def _numbers(found: Any) -> list[int]:
    """Raises ValueError."""
    if not isinstance(found, list) or not all(isinstance(each, int) for each in found):
        raise ValueError
    return found


def _budgets(found: Any) -> list[Constraint]:
    """Raises ValueError."""
    return [parse_constraint(text, of_columns=True) for text in _texts(found)]
