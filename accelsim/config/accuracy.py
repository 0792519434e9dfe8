"""Published accuracy of the networks that go by a variant name: the lines of `workloads/accuracy.csv`."""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field

from accelsim.config.kinds import KINDS
from accelsim.config.schema import Name, Section, validate
from accelsim.config.strict_yaml import Document, Origin, scalar
from accelsim.config.workload import Accuracy
from accelsim.errors import Mistake, UserError

FILE = "accuracy.csv"


class AccuracyFile(Section):
    """Accuracies of networks, by name; each is a line of the CSV file."""

    networks: dict[Name, Accuracy] = Field(description="accuracy by name of the network")


def load_accuracy(path: str) -> AccuracyFile:
    """A file of accuracies, or the shipped one by its name, `accuracy`. Raises UserError."""
    file = KINDS["accuracy"].files()[0] if path == "accuracy" else Path(path)
    try:
        lines = _lines(file)
    except (OSError, UnicodeError, ValueError, KeyError, csv.Error):
        raise UserError([Mistake(path, 0, "file", "CSV with a column `network`", "something else")]) from None
    document = Document({"networks": {name: cells for name, (_, cells) in lines.items()}}, {(): Origin(path, 0)})
    document.origins |= {("networks", name): Origin(path, number) for name, (number, _) in lines.items()}
    return validate(AccuracyFile, document)


def add_published(document: Document, folder: Path) -> None:
    """Write what is published of the network into its document, as if `accuracy:` stood there.

    folder: where the file of accuracies lies.
    """
    found = _lines(folder / FILE).get(document.data["name"])
    if found is not None:
        line, accuracy = found
        document.data["accuracy"] = dict(accuracy)
        document.origins[("accuracy",)] = Origin(f"{folder.name}/{FILE}", line)


@lru_cache(maxsize=1)
def _lines(path: Path) -> dict[str, tuple[int, dict[str, Any]]]:
    """By network: the number of its line, and its cells; what is not published is left out."""
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file, restkey="more")
        return {row.pop("network"): (reader.line_num, _values(row)) for row in reader}


def _values(row: dict[str, str]) -> dict[str, Any]:
    return {key: scalar(text) if key.endswith("_pct") else text for key, text in row.items() if text}
