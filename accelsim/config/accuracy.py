"""Published accuracy of the networks, for tables and plots that weigh it against cost."""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple


class Accuracy(NamedTuple):
    """ImageNet accuracy in percent, how it was measured, and who says so; top-5 is None where it is not published."""

    top1_pct: float
    top5_pct: float | None
    kind: str
    source: str


@lru_cache(maxsize=1)
def published(folder: Path) -> dict[str, Accuracy]:
    """The accuracies in `accuracy.csv` of a workloads folder, by network name."""
    with (folder / "accuracy.csv").open(newline="", encoding="utf-8") as file:
        return {
            row["network"]: Accuracy(
                float(row["top1_pct"]), float(row["top5_pct"]) if row["top5_pct"] else None, row["kind"], row["source"]
            )
            for row in csv.DictReader(file)
        }
