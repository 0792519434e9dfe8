"""A finished run: its records, its totals, and the file that tells all about it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelsim.config.machine import Machine
from accelsim.config.workload import NetworkFile
from accelsim.network.graph import Network
from accelsim.records import COUNT_NAMES, LayerRecord
from accelsim.report.columns import layer_rows, total_values
from accelsim.report.export import csv_text, save_files
from accelsim.version import __version__

if TYPE_CHECKING:
    import pandas

FORMAT = 1
"""Number of the run.json format; readers refuse others."""


@dataclass(frozen=True)
class Run:
    """A network run on a machine. `records` are in execution order; `total` is all of them together."""

    workload: NetworkFile
    network: Network
    machine: Machine
    records: tuple[LayerRecord, ...]
    total: LayerRecord

    @property
    def layers(self) -> pandas.DataFrame:
        """A row for each layer; columns as `accelsim columns` describes them."""
        import pandas as pd

        return pd.DataFrame(layer_rows(self.records))

    @cached_property
    def totals(self) -> dict[str, Any]:
        """The columns for the whole run, with its latency, throughput and power."""
        return total_values(self.total, self.network.batch, self.machine.array.clock_mhz)

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved configuration: enough to run it again."""
        return {
            "network": self.workload.model_dump(mode="json", exclude_none=True),
            "machine": self.machine.model_dump(mode="json", exclude_none=True),
        }

    @cached_property
    def config_hash(self) -> str:
        """SHA-256 of the resolved configuration."""
        text = json.dumps(self.config, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> str:
        """The text of run.json: the same for the same input, whenever and wherever it runs."""
        document = {
            "format": FORMAT,
            "accelsim_version": __version__,
            "config_sha256": self.config_hash,
            "config": self.config,
            "totals": self.totals,
            "action_counts": {
                "total": _counts(self.total),
                "layers": [{"layer": record.layer, **_counts(record)} for record in self.records],
            },
        }
        return json.dumps(document, indent=1, ensure_ascii=True) + "\n"

    def save(self, folder: str | Path, *, force: bool = False) -> None:
        """Write run.json and layers.csv into a folder, each whole or not at all.

        Raises UserError where the folder holds another run and `force` is not set, or can't be written.
        """
        files = {"layers.csv": csv_text(layer_rows(self.records)), "run.json": self.to_json()}
        save_files(Path(folder), files, force=force)


def _counts(record: LayerRecord) -> dict[str, int]:
    return {name: getattr(record.counts, name) for name in COUNT_NAMES}
