"""Pictures of points of sweeps: energy by component, accuracy against cost."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from accelsim.errors import ARGUMENTS, Mistake, UserError
from accelsim.records import ENERGY_COMPONENTS
from accelsim.report.columns import Value
from accelsim.report.compare import ComparedRow
from accelsim.report.naming import short_name
from accelsim.report.palette import COMPONENT_FILLS
from accelsim.report.plots.bars import MOST_BARS, Measure, name_bars, stacked
from accelsim.report.plots.drawing import Drawing, SweepPoint
from accelsim.report.tradeoff import CostAxis, tradeoff

_LONGEST = 75
"""Letters of a machine and its settings beyond which it is called by a number."""

OF_ACCURACY = (
    CostAxis("time per image", "time_per_image_ms", "ms"),
    CostAxis("energy per image", "energy_per_image_pj", "pJ"),
    CostAxis("DRAM traffic per image", "dram_per_image_bytes", "bytes"),
)


def energy_of_points(points: Sequence[SweepPoint]) -> Drawing:
    """Energy of each point by component, and the share of each; many points by network, the least energy first."""
    many = len(points) > MOST_BARS
    if many:
        first = {name: place for place, name in enumerate(dict.fromkeys(point.network for point in points))}
        points = sorted(points, key=lambda point: (first[point.network], _energy_pj(point)))
    parts = {
        label: [point.values[f"energy_{name}_pj"] / point.values["inferences"] for point in points]
        for name, label in ENERGY_COMPONENTS.items()
    }
    machines = {point.machine for point in points}
    plain = len(machines) == 1 and not any(point.settings for point in points)
    names = [point.network if plain else f"{point.network} ({point.values['point']})" for point in points]
    where = f" on {machines.pop()}" if plain else ", points by number in results.csv"
    order = f", {len(points)} points by network, least first" if many else where
    measure = Measure("energy", "pJ", "per inference")
    drawing = stacked(f"Energy by component{order}", names, "point", measure, parts, COMPONENT_FILLS)
    if many:
        name_bars(drawing.figure.axes[1], _networks(points))
        drawing.figure.axes[1].set_xlabel("point, by network")
    return drawing


def _energy_pj(point: SweepPoint) -> float:
    return float(point.values["energy_per_inference_pj"])


def _networks(points: Sequence[SweepPoint]) -> list[str]:
    """The name of each network in the middle of its points, for the others none."""
    names: list[str] = []
    for name, members in groupby(point.network for point in points):
        count = len(list(members))
        names += [name if place == count // 2 else "" for place in range(count)]
    return names


def accuracy(points: Sequence[SweepPoint]) -> Drawing:
    """Top-1 accuracy against energy, time and DRAM traffic of an image. Raises UserError where none is known."""
    known = [point for point in points if point.values["top1_pct"] is not None]
    if not known:
        expected = "a sweep of networks whose accuracy is known"
        raise UserError([Mistake(ARGUMENTS, 0, "kind", expected, "none of its points has one")])
    machines = dict.fromkeys(map(_machine, known))
    short = {name: name if len(name) <= _LONGEST else f"machine {place}" for place, name in enumerate(machines, 1)}
    rows = [_as_compared(point, short[_machine(point)]) for point in known]
    table: list[dict[str, Value | None]] = [
        {**row, "settings": _machine(point)} for row, point in zip(rows, known, strict=True)
    ]
    return Drawing(tradeoff(rows, OF_ACCURACY), table)


def _machine(point: SweepPoint) -> str:
    """The machine with its settings."""
    return " ".join(filter(None, (point.machine, short_name(point.settings))))


def _as_compared(point: SweepPoint, machine: str) -> ComparedRow:
    """A point with the columns of `accelsim compare` that the trade-off shows."""
    values = point.values
    images = values["batch"] * values["inferences"]
    return {
        "network": point.network,
        "family": point.network_config.get("family"),
        "machine": machine,
        "top1_pct": values["top1_pct"],
        "accuracy_kind": values["accuracy_kind"],
        "time_per_image_ms": values["latency_ms"] / images,
        "energy_per_image_pj": values["energy_total_pj"] / images,
        "dram_per_image_bytes": values["dram_burst_bytes"] / images,
    }
