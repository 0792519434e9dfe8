"""Work of a worker: one point, from its resolved configuration to its results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from accelsim.config.load import resolved_scheduling, workload_of
from accelsim.config.machine import Machine
from accelsim.config.scheduling import Target
from accelsim.config.schema import validate
from accelsim.config.strict_yaml import Document, Origin
from accelsim.config.workload import NetworkFile
from accelsim.errors import UserError
from accelsim.network.build import build
from accelsim.network.graph import Network
from accelsim.report.columns import COLUMNS, TOTALS, Value
from accelsim.report.compare import comparison_row
from accelsim.run.simulate import run_network
from accelsim.sweeps.stored import PointOutcome
from accelsim.version import __version__

OF_THE_NETWORK = ("batch", "top1_pct", "top5_pct", "accuracy_kind", "weight_bytes", "unmodelled")
"""Columns that `accelsim compare` has, too."""
COLUMN_NAMES = (
    *OF_THE_NETWORK,
    *(column.name for column in COLUMNS if not column.of_layers_only),
    *(name for name, _, _ in TOTALS),
)


class PointTask(NamedTuple):
    """A point to run: its identity, and as JSON its network, and its machine with the scheduling."""

    sha256: str
    network: str
    machine: str
    version: str = __version__


class Finished(NamedTuple):
    """Result of a task: values by column, or the error."""

    sha256: str
    outcome: PointOutcome
    error: str | None = None
    values: Mapping[str, Value | None] = {}


def work(task: PointTask) -> Finished:
    """Run a point. Whatever goes wrong is its result, too."""
    try:
        if task.version != __version__:
            raise RuntimeError(f"the worker has accelsim {__version__}, the sweep {task.version}")
        run = run_network(*network_of(task.network), *target_of(task.machine))
        row = comparison_row(run)
        return Finished(task.sha256, "done", None, {name: row[name] for name in OF_THE_NETWORK} | run.totals)
    except UserError as error:
        return Finished(task.sha256, "refused", _in_a_line(error))
    except Exception as error:
        return Finished(task.sha256, "failed", " ".join(f"{type(error).__name__}: {error}".split()))


def _in_a_line(error: UserError) -> str:
    """The first mistake, and how many more there are: a line has one cause."""
    first, *others = map(str, error.mistakes)
    return f"{first} (and {len(others)} more)" if others else first


@lru_cache(maxsize=2)
def network_of(text: str) -> tuple[NetworkFile, Network]:
    """The network of a task, as its file says and as a graph."""
    document = _document(text, "network")
    workload = workload_of(document)
    return workload, build(workload, document)


@lru_cache(maxsize=2)
def target_of(text: str) -> Target:
    """The machine of a task, with its scheduling."""
    return Target(validate(Machine, _document(text, "machine")), resolved_scheduling(_document(text, "scheduling")))


def _document(text: str, part: str) -> Document:
    return Document(json.loads(text)[part], {(): Origin("sweep", 0, (part,))})
