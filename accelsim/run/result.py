"""A finished run: its records, its totals, and the file that tells all about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelsim.config.machine import Machine
from accelsim.config.resolved import as_config, config_hash
from accelsim.config.scheduling import Scheduling
from accelsim.config.workload import NetworkFile
from accelsim.errors import Mistake, UserError
from accelsim.network.graph import Network
from accelsim.records import COUNT_NAMES, LayerRecord
from accelsim.report.columns import Value, layer_rows, speedups, total_values
from accelsim.report.completeness import LeftOut, left_out
from accelsim.report.export import csv_text, json_text, save_files
from accelsim.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas
    from matplotlib.figure import Figure

    from accelsim.report.spans import UnitSpan

RUN_FILE = "run.json"
FORMAT = 6
"""Number of its format; readers refuse others."""


@dataclass(frozen=True, repr=False)
class Run:
    """A network run on a machine. `records` are in execution order; `total` is all of them together.

    inference_ends: array clock at which each inference was done; version: the accelsim that simulated it;
    doubled_cycles: clocks of each layer with a resource twice as good, by `RESOURCES`, if that was asked for.
    """

    workload: NetworkFile
    network: Network
    machine: Machine
    scheduling: Scheduling
    records: tuple[LayerRecord, ...]
    total: LayerRecord
    inference_ends: tuple[int, ...]
    version: str = __version__
    doubled_cycles: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def layers(self) -> pandas.DataFrame:
        """A row for each layer; columns as `accelsim columns` describes them."""
        import pandas as pd

        return pd.DataFrame(self.rows)

    @property
    def rows(self) -> list[dict[str, Value | None]]:
        """A row for each layer, by column."""
        return layer_rows(self.records, self.doubled_cycles)

    @cached_property
    def totals(self) -> dict[str, Any]:
        """The columns for the whole run, with its latency, throughput and power."""
        values = total_values(self.total, self.network, self.machine, self.inference_ends)
        return values | speedups(
            self.total.total_cycles, {name: sum(each) for name, each in self.doubled_cycles.items()}
        )

    @property
    def left_out(self) -> LeftOut | None:
        """Parts of the model that are in no figure; None where all of it is."""
        return left_out(self.workload.unmodelled, len(self.network.nodes))

    def __repr__(self) -> str:
        """A line that a prompt shows."""
        energy = self.totals["energy_total_pj"] / 1e6
        return f"<{self.network.name} on {self.machine.name}: {self.total.total_cycles} cycles, {energy:.1f} uJ>"

    def _repr_html_(self) -> str:
        """Table that a notebook shows."""
        from accelsim.report.notebook import run_html

        names = self.network.name, self.machine.name
        return run_html(*names, self.records, self.total, self.totals, complete=self.left_out is None)

    @property
    def plot(self) -> RunPlots:
        """Pictures: `run.plot.energy()` gives a matplotlib figure, and so for each kind of `accelsim plot`."""
        return RunPlots(self)

    @cached_property
    def spans(self) -> tuple[UnitSpan, ...]:
        """Spans of each unit's work. The run is simulated again for it.

        Raises UserError where that does not give the records of this run, as with those of another accelsim.
        """
        from accelsim.report.spans import spans
        from accelsim.run.play import perform

        again = perform(self.network, self.machine, self.scheduling, keep_history=True)
        if [_layer(record) for record in again.records] != [_layer(record) for record in self.records]:
            expected = f"the {self.total.total_cycles} clocks and the counts that accelsim {__version__} simulates"
            got = f"other ones, {again.outcome.total_cycles} clocks now, in a run of accelsim {self.version}"
            raise UserError([Mistake(RUN_FILE, 0, "layers", expected, got)])
        return tuple(spans(again.lowered.program.layers, again.history.linked))

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved configuration: enough to run it again."""
        parts = {"network": self.workload, "machine": self.machine, "scheduling": self.scheduling}
        return {name: as_config(part) for name, part in parts.items()}

    @property
    def config_sha256(self) -> str:
        """The digest of the resolved configuration."""
        return config_hash(self.config)

    def to_json(self) -> str:
        """The text of run.json: the same for the same input, whenever and wherever it runs."""
        document = {
            "format": FORMAT,
            "accelsim_version": self.version,
            "config_sha256": self.config_sha256,
            "config": self.config,
            "totals": self.totals,
            "inference_ends": list(self.inference_ends),
        }
        if self.doubled_cycles:
            document["doubled_cycles"] = {name: list(cycles) for name, cycles in self.doubled_cycles.items()}
        return json_text(document, "layers", map(_layer, self.records))

    def save(self, folder: str | Path, *, force: bool = False) -> None:
        """Write run.json and layers.csv into a folder, each whole or not at all.

        Raises UserError where the folder holds another run and `force` is not set, or can't be written.
        """
        files = {"layers.csv": csv_text(self.rows), RUN_FILE: self.to_json()}
        save_files(Path(folder), files, force=force)


class RunPlots:
    """The pictures of a run, by name."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def __getattr__(self, name: str) -> Callable[[], Figure]:
        from accelsim.report.plots import RUN_PLOTS

        if name not in RUN_PLOTS:
            raise AttributeError(f"no picture {name!r}; there are {', '.join(RUN_PLOTS)}")
        return lambda: RUN_PLOTS[name](self._run).figure

    def __dir__(self) -> list[str]:
        from accelsim.report.plots import RUN_PLOTS

        return list(RUN_PLOTS)


def _layer(record: LayerRecord) -> dict[str, Any]:
    """Parts of a record, beside the configuration."""
    return {
        "layer": record.layer,
        "group": record.group,
        **record.measures,
        "stalls": record.stalls,
        "savings": record.savings,
        "counts": {name: getattr(record.counts, name) for name in COUNT_NAMES},
        **({"caches": record.caches} if record.caches else {}),
    }
