"""The points of a sweep as pictures take them."""

from __future__ import annotations

import json
from pathlib import Path

from accelsim.errors import Mistake, UserError
from accelsim.report.plots.drawing import SweepPoint
from accelsim.sweeps.store import opened
from accelsim.sweeps.sweep import keys_of, named_values


def drawn_points(folder: Path) -> list[SweepPoint]:
    """Those with results. Raises UserError where there is no sweep of this version, or none of its points has any."""
    with opened(folder) as store:
        keys = keys_of(store, folder)
        found = [
            SweepPoint(
                row.network,
                row.machine,
                row.settings,
                named_values(row, keys),
                *map(json.loads, store.configs(row.point)),
            )
            for row in store.rows()
            if not row.error
        ]
    if not found:
        raise UserError([Mistake("command-line", 0, "DIR", "a sweep with results", f"none in {folder}")])
    return found
