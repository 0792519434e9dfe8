"""Pictures of sweeps: energy of the points, what array size and buffers do, accuracy against cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from accelsim.errors import ARGUMENTS, Mistake, UserError
from accelsim.records import ENERGY_COMPONENTS
from accelsim.report.columns import Value
from accelsim.report.compare import Row
from accelsim.report.figure import house_style, named
from accelsim.report.naming import shape_text
from accelsim.report.palette import COMPONENT_COLOURS, MARKERS, SERIES
from accelsim.report.plots.bars import Measure, stacked
from accelsim.report.plots.drawing import Drawing, SweepPoint
from accelsim.report.tradeoff import Cost, tradeoff

KIB, MIB = 1 << 10, 1 << 20
_LONGEST = 75
"""Letters of a machine and its settings beyond which it is called by a number."""
_MOST_LISTED = 22
"""Lines that the legend names."""

OF_ACCURACY = (
    Cost("time per image (ms)", "time_per_image_ms"),
    Cost("energy per image (uJ)", "energy_per_image_pj", per=1e6),
    Cost("DRAM traffic per image (MiB)", "dram_per_image_bytes", per=MIB),
)


class Scale(NamedTuple):
    """An axis: its label, and the value of a point. names: of places 0, 1 and so on, where the values are such."""

    label: str
    of: Callable[[SweepPoint], float]
    names: Sequence[str] = ()


def energy_of_points(points: Sequence[SweepPoint]) -> Drawing:
    """Energy of each point by component, and the share of each."""
    parts = {
        label: [point.values[f"energy_{name}_pj"] / 1e6 / point.values["inferences"] for point in points]
        for name, label in ENERGY_COMPONENTS.items()
    }
    machines = {point.machine for point in points}
    plain = len(machines) == 1 and not any(point.settings for point in points)
    names = [point.network if plain else f"{point.network} ({point.values['point']})" for point in points]
    title = f"Energy by component{f' on {machines.pop()}' if plain else ', points by number in results.csv'}"
    return stacked(title, names, "point", Measure("energy", "uJ per inference"), parts, COMPONENT_COLOURS)


def array_size(points: Sequence[SweepPoint]) -> Drawing:
    """Time, energy and use of the array against its shape, a line where all else is equal."""
    shapes = sorted({_shape(point) for point in points}, key=lambda shape: (shape[0] * shape[1], shape))
    names = [shape_text(*shape) for shape in shapes]
    across = Scale("array, rows x columns", lambda point: shapes.index(_shape(point)), names)
    up = (
        Scale("time per inference (ms)", _milliseconds),
        Scale("energy per inference (uJ)", _microjoules),
        Scale("array utilization", lambda point: point.values["utilization"]),
    )
    return _lines("What the shape of the array does", points, across, up, ("array.rows", "array.cols", "vector.lanes"))


def _shape(point: SweepPoint) -> tuple[int, int]:
    return _at(point, "array.rows"), _at(point, "array.cols")


def buffer_size(points: Sequence[SweepPoint]) -> Drawing:
    """Energy, DRAM traffic and the DRAM's share against on-chip capacity, a line where all else is equal."""
    buffers = ("activation", "weight", "accumulator")
    across = Scale(
        "on-chip SRAM (KiB)", lambda point: sum(_at(point, f"sram.{name}.capacity_bytes") for name in buffers) / KIB
    )
    up = (
        Scale("energy per inference (uJ)", _microjoules),
        Scale("DRAM traffic per inference (MiB)", _dram_mib),
        Scale("DRAM's share of the energy", lambda point: point.values["dram_energy_share"]),
    )
    return _lines("What on-chip capacity does", points, across, up, ("sram.",))


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
    return point.name().partition(" on ")[2]


def _as_compared(point: SweepPoint, machine: str) -> Row:
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


def _milliseconds(point: SweepPoint) -> float:
    return float(point.values["latency_ms"] / point.values["inferences"])


def _microjoules(point: SweepPoint) -> float:
    return float(point.values["energy_per_inference_pj"] / 1e6)


def _dram_mib(point: SweepPoint) -> float:
    return float(point.values["dram_burst_bytes"] / point.values["inferences"] / MIB)


def _at(point: SweepPoint, key: str) -> Any:
    found: Any = point.machine_config
    for part in key.split("."):
        found = found[part]
    return found


def _lines(
    title: str, points: Sequence[SweepPoint], across: Scale, up: Sequence[Scale], varied: Sequence[str]
) -> Drawing:
    """A panel for each vertical axis. Raises UserError where the points have one place across."""
    if len({across.of(point) for point in points}) == 1:
        only = across.of(points[0])
        here = across.names[int(only)] if across.names else f"{only:g}"
        expected, got = f"a sweep that varies {across.label}", f"{here} at every point"
        raise UserError([Mistake(ARGUMENTS, 0, "kind", expected, got)])
    series: dict[str, list[SweepPoint]] = {}
    for point in sorted(points, key=across.of):
        series.setdefault(point.name(without=varied), []).append(point)
    with house_style():
        figure = Figure(figsize=(4.0 * len(up) + 2.5, 4.2), layout="constrained")
        for axes, scale in zip(figure.subplots(1, len(up)), up, strict=True):
            _panel(axes, series, across, scale)
        figure.suptitle(title)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(*named(handles, labels, _MOST_LISTED), loc="outside right upper", frameon=False)
    rows: list[dict[str, Value | None]] = [
        {"line": name, across.label: _named(across, point), **{scale.label: scale.of(point) for scale in up}}
        for name, members in series.items()
        for point in members
    ]
    return Drawing(figure, rows)


def _named(scale: Scale, point: SweepPoint) -> Value:
    value = scale.of(point)
    return scale.names[int(value)] if scale.names else value


def _mark_values(axes: Axes, values: Sequence[float]) -> None:
    """Ticks at values on an axis of powers of two, at most ten."""
    axes.set_xscale("log", base=2)
    axes.set_xticks(values if len(values) <= 10 else values[:: -(-len(values) // 10)])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def _mark_names(axes: Axes, names: Sequence[str]) -> None:
    """Ticks at places that have names, at most twenty of them."""
    every = -(-len(names) // 20)
    axes.set_xticks(range(0, len(names), every), names[::every])


def _panel(axes: Axes, series: Mapping[str, Sequence[SweepPoint]], across: Scale, up: Scale) -> None:
    styles = zip(cycle(SERIES), cycle(MARKERS), strict=False)
    for (name, members), (colour, marker) in zip(series.items(), styles, strict=False):
        places = [across.of(point) for point in members]
        axes.plot(
            places,
            [up.of(point) for point in members],
            label=name,
            color=colour,
            marker=marker,
            markersize=4,
            linewidth=1.2,
            linestyle="-" if len(set(places)) == len(places) else "none",
        )
    values = sorted({across.of(point) for members in series.values() for point in members})
    if across.names:
        _mark_names(axes, across.names)
    else:
        _mark_values(axes, values)
    axes.tick_params(axis="x", labelrotation=45)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(across.label)
    axes.set_ylabel(up.label)
