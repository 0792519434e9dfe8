"""Published accuracy of the networks that go by a variant name: the lines of `workloads/accuracy.csv`."""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path
from typing import Any

from accelsim.config.strict_yaml import Document, Origin, scalar

FILE = "accuracy.csv"


def add_published(document: Document, folder: Path) -> None:
    """Write what is published of the network into its document, as if `accuracy:` stood there.

    folder: where the file of accuracies lies.
    """
    found = _lines(folder).get(document.data["name"])
    if found is not None:
        line, accuracy = found
        document.data["accuracy"] = dict(accuracy)
        document.origins[("accuracy",)] = Origin(f"{folder.name}/{FILE}", line)


@lru_cache(maxsize=1)
def _lines(folder: Path) -> dict[str, tuple[int, dict[str, Any]]]:
    """By network: the number of its line, and its cells; what is not published is left out."""
    with (folder / FILE).open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        return {row.pop("network"): (reader.line_num, _values(row)) for row in reader}


def _values(row: dict[str, str]) -> dict[str, Any]:
    return {key: scalar(text) if key.endswith("_pct") else text for key, text in row.items() if text}
