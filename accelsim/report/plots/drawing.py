"""Points that pictures are drawn from, and the drawing that comes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from matplotlib.figure import Figure

from accelsim.records import LayerRecord
from accelsim.report.columns import Value
from accelsim.report.finished import FinishedRun, run_title
from accelsim.report.spans import UnitSpan


class Drawing(NamedTuple):
    """A picture, and what it shows as rows of a table; columns: those of the table where it may have no row."""

    figure: Figure
    rows: list[dict[str, Value | None]]
    columns: Sequence[str] = ()


class RunView(FinishedRun, Protocol):
    """A finished run, with all its layers together. spans: what each unit did when."""

    @property
    def total(self) -> LayerRecord: ...
    @property
    def spans(self) -> Sequence[UnitSpan]: ...


class SweepPoint(NamedTuple):
    """A point of a sweep that has results: its settings, the values by column, and its resolved configuration."""

    network: str
    machine: str
    settings: Mapping[str, Any]
    values: Mapping[str, Any]
    network_config: Mapping[str, Any]
    machine_config: Mapping[str, Any]


def title_of(run: RunView, what: str) -> str:
    """Title of a picture of a run."""
    return f"{what}: {run_title(run)}"
