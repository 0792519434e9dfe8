"""The points of a sweep as pictures take them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from accelsim.errors import Mistake, UserError
from accelsim.report.plots.drawing import SweepPoint
from accelsim.sweeps.store import Row, opened
from accelsim.sweeps.sweep import keys_of, named_values


def drawn_points(folder: Path) -> list[SweepPoint]:
    """Those with results. Raises UserError where there is no sweep of this version, or none of its points has any."""
    with opened(folder) as store:
        keys = keys_of(store, folder)
        found = [_drawn(row, keys, store.configs(row.point)) for row in store.rows() if not row.error]
    if not found:
        raise UserError([Mistake("command-line", 0, "DIR", "a sweep with results", f"none in {folder}")])
    return found


def _drawn(row: Row, keys: Sequence[str], configs: tuple[str, str]) -> SweepPoint:
    network, machine = map(json.loads, configs)
    values = named_values(row, keys)
    return SweepPoint(row.network, row.machine, row.settings, values, network["network"], machine["machine"])
