"""The points of a sweep as pictures take them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from accelsim.config.machine import Machine
from accelsim.config.schema import validate
from accelsim.config.strict_yaml import Document, Origin
from accelsim.errors import ARGUMENTS, Mistake, UserError
from accelsim.report.plots.drawing import SweepPoint
from accelsim.sweeps.store import opened
from accelsim.sweeps.stored import StoredPoint
from accelsim.sweeps.sweep import keys_of, named_values

MOST_DRAWN = 20_000
"""Points of a sweep that a picture can show."""


def drawn_points(folder: Path) -> list[SweepPoint]:
    """Points with results. Raises UserError where a folder has no sweep of this version, or none or too many such."""
    with opened(folder) as store:
        keys = keys_of(store, folder)
        if (count := store.count()) > MOST_DRAWN:
            raise _mistake(f"a sweep of at most {MOST_DRAWN} results", str(count))
        found = [_drawn(row, keys, store.configs(row.point), store.path) for row in store.rows() if not row.error]
    if not found:
        raise _mistake("a sweep with results", f"none in {folder}")
    return found


def _mistake(expected: str, got: str) -> UserError:
    return UserError([Mistake(ARGUMENTS, 0, "sweep", expected, got)])


def _drawn(row: StoredPoint, keys: Sequence[str], configs: tuple[Any, Any], path: Path) -> SweepPoint:
    network, machine = (_config(text, key, path) for text, key in zip(configs, ("network", "machine"), strict=True))
    validate(Machine, Document(machine, {(): Origin(str(path), 0)}))
    return SweepPoint(row.network, row.machine, row.settings, named_values(row, keys), network, machine)


def _config(text: Any, key: str, path: Path) -> dict[str, Any]:
    """A resolved network or machine. Raises UserError."""
    try:
        found = json.loads(text)[key]
    except (ValueError, RecursionError, KeyError, TypeError):
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("family", ""), str):
        raise UserError([Mistake(str(path), 0, "configs.json", f"a resolved {key}", "something else")])
    return found
