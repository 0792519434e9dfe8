"""Pictures of runs and sweeps, each with the rows that it shows.

A picture is added as a function here: of a run to `RUN_PLOTS`, of a sweep to `SWEEP_PLOTS`. It then is a kind of
`accelsim plot`, and `run.plot.NAME()` in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from accelsim.report.plots.bars import cycles, energy, utilization
from accelsim.report.plots.drawing import Drawing, RunView, SweepPoint
from accelsim.report.plots.points import accuracy, energy_of_points
from accelsim.report.plots.roofline import roofline
from accelsim.report.plots.sizes import array_map, array_size, buffer_size
from accelsim.report.plots.timeline import timeline

__all__ = ["RUN_PLOTS", "SWEEP_PLOTS", "Drawing", "RunView", "SweepPoint"]

RUN_PLOTS: dict[str, Callable[[RunView], Drawing]] = {
    "energy": energy,
    "cycles": cycles,
    "utilization": utilization,
    "roofline": roofline,
    "timeline": timeline,
}
SWEEP_PLOTS: dict[str, Callable[[Sequence[SweepPoint]], Drawing]] = {
    "energy": energy_of_points,
    "array-size": array_size,
    "array-map": array_map,
    "buffer-size": buffer_size,
    "accuracy": accuracy,
}
