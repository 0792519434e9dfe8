"""A finished run, as reports see one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from accelsim.config.machine import Machine
from accelsim.config.workload import NetworkFile
from accelsim.network.graph import Network
from accelsim.records import LayerRecord
from accelsim.report.completeness import INCOMPLETE, LeftOut


class FinishedRun(Protocol):
    """A finished run."""

    @property
    def workload(self) -> NetworkFile: ...
    @property
    def network(self) -> Network: ...
    @property
    def machine(self) -> Machine: ...
    @property
    def records(self) -> Sequence[LayerRecord]: ...
    @property
    def totals(self) -> Mapping[str, Any]: ...
    @property
    def left_out(self) -> LeftOut | None: ...


def run_title(run: FinishedRun) -> str:
    """Network and machine; marked where the run lacks parts of the model."""
    mark = "" if run.left_out is None else f" ({INCOMPLETE})"
    return f"{run.network.name} on {run.machine.name}{mark}"
