"""Pictures of what sizes do: a line for each network, settings that are no size in small multiples, shapes as a map."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import fsum, log2
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from accelsim.errors import ARGUMENTS, Mistake, UserError
from accelsim.report.columns import Value
from accelsim.report.figure import SMALL, house_style
from accelsim.report.naming import shape_text, short_name
from accelsim.report.palette import GREY, LIGHT_GREY, MARKERS, SERIES, VERMILLION
from accelsim.report.plots.drawing import Drawing, SweepPoint
from accelsim.report.quantities import axis_unit, bytes_text, digits

_MOST_ROWS = 6
"""Small multiples that a picture has."""
_MOST_TICKS = 12
_MOST_SIDE = 16
"""Rows or columns of an array beyond which a map has no numbers."""
_PANEL_WIDTH, _PANEL_HEIGHT, _ONE_ROW, _LEGEND = 3.7, 2.5, 4.2, 2.8
"""Inches."""
_LONGEST = 100
"""Letters of the settings above a row of panels."""
_CELL = 0.38
"""Inches of a cell of a map, which holds a number of three digits."""


class Scale(NamedTuple):
    """A vertical axis: its quantity and unit, the value of a point, and which of two values is better."""

    label: str
    unit: str
    of: Callable[[SweepPoint], float]
    better: Callable[..., Any] = min

    @property
    def column(self) -> str:
        return f"{self.label} ({self.unit})" if self.unit else self.label

    def drawn(self, points: Iterable[SweepPoint]) -> tuple[float, str]:
        """The divisor and the label of an axis that shows these points."""
        if not self.unit:
            return 1.0, self.label
        per, unit = axis_unit(max(map(self.of, points)), self.unit)
        return per, f"{self.label} ({unit})"


class Across(NamedTuple):
    """The horizontal axis: its label, the value of a point, how a value is written, and whether values are names."""

    label: str
    of: Callable[[SweepPoint], float]
    text: Callable[[float], str]
    named: bool


TIME = Scale("time per inference", "ms", lambda point: point.values["latency_ms"] / point.values["inferences"])
ENERGY = Scale("energy per inference", "pJ", lambda point: float(point.values["energy_per_inference_pj"]))
DRAM = Scale(
    "DRAM traffic per inference",
    "bytes",
    lambda point: point.values["dram_burst_bytes"] / point.values["inferences"],
)
DRAM_SHARE = Scale("DRAM's share of the energy", "", lambda point: float(point.values["dram_energy_share"]))
UTILIZATION = Scale("array utilization", "", lambda point: float(point.values["utilization"]), max)


def array_size(points: Sequence[SweepPoint]) -> Drawing:
    """Time, energy and use of the array against its shape, a line a network, other settings in small multiples."""
    shapes = sorted({_shape(point) for point in points}, key=lambda shape: (shape[0] * shape[1], shape))
    across = Across(
        "array, rows x columns",
        lambda point: shapes.index(_shape(point)),
        lambda place: shape_text(*shapes[int(place)]),
        named=True,
    )
    varied = ("array.rows", "array.cols", "vector.lanes")
    return _multiples("What the shape of the array does", points, across, (TIME, ENERGY, UTILIZATION), varied)


def buffer_size(points: Sequence[SweepPoint]) -> Drawing:
    """Energy, DRAM traffic and the DRAM's share against on-chip capacity, a line a network, others as multiples.

    Where buffers vary on their own, against the one that has most sizes, as a sum of them would mix splits.
    """
    scales, title = (ENERGY, DRAM, DRAM_SHARE), "What on-chip capacity does"
    sizes = {key: {str(point.settings.get(key)) for point in points} for key in _capacities(points)}
    splits = {tuple(str(point.settings.get(key)) for key in sizes) for point in points}
    most = max(sizes, key=lambda key: len(sizes[key]), default="")
    if not sizes or len(splits) == len(sizes[most]):
        return _multiples(
            title, points, Across("on-chip SRAM", _sram_bytes, bytes_text, named=False), scales, ("sram.",)
        )
    buffer = most.split(".")[1]
    across = Across(
        f"{buffer} buffer", lambda point: _at(point, f"sram.{buffer}.capacity_bytes"), bytes_text, named=False
    )
    return _multiples(title, points, across, scales, (most,))


def array_map(points: Sequence[SweepPoint]) -> Drawing:
    """Time, energy and use of the array over its rows and columns; of each shape, the quickest point of a network."""
    quickest: dict[str, dict[tuple[int, int], SweepPoint]] = {point.network: {} for point in points}
    for point in sorted(points, key=TIME.of, reverse=True):
        quickest[point.network][_shape(point)] = point
    rows, cols = (sorted({_shape(point)[side] for point in points}) for side in (0, 1))
    if len(rows) == 1 or len(cols) == 1:
        raise _one_place("array rows and columns", f"{len(rows)} of rows and {len(cols)} of columns")
    networks = list(quickest)[:_MOST_ROWS]
    scales = (TIME, ENERGY, UTILIZATION)
    wide, high = (1.0 + _CELL * min(len(side), 2 * _MOST_SIDE) for side in (cols, rows))
    with house_style():
        figure = Figure(
            figsize=(len(scales) * max(wide, 2.6), 0.6 + len(networks) * max(high, 2.0)), layout="constrained"
        )
        grid = figure.subplots(len(networks), len(scales), squeeze=False, sharex=True, sharey=True)
        for network, panels in zip(networks, grid, strict=True):
            for axes, scale in zip(panels, scales, strict=True):
                _map(axes, quickest[network], scale, rows, cols)
            panels[0].set_title(f"{network}\n{panels[0].get_title()}", fontsize=8)
            panels[0].set_ylabel("array rows")
        for axes in grid[-1]:
            axes.set_xlabel("array columns")
        more = len(quickest) - len(networks)
        left_out = f"; {more} more networks in the CSV" if more else ""
        figure.suptitle(f"Rows and columns of the array, of each shape the quickest point{left_out}")
    return Drawing(
        figure, [_map_row(name, point, scales) for name, found in quickest.items() for point in found.values()]
    )


def _map_row(network: str, point: SweepPoint, scales: Sequence[Scale]) -> dict[str, Value | None]:
    rows, cols = _shape(point)
    settings = short_name(point.settings)
    cells = {scale.column: scale.of(point) for scale in scales}
    return {"network": network, "rows": rows, "columns": cols, "machine": point.machine, "settings": settings, **cells}


def _map(
    axes: Axes,
    found: Mapping[tuple[int, int], SweepPoint],
    scale: Scale,
    rows: Sequence[int],
    cols: Sequence[int],
) -> None:
    """A cell for each shape, the better the darker, the best in a frame."""
    values = {shape: scale.of(point) for shape, point in found.items()}
    per, label = scale.drawn(found.values())
    cells = [[values.get((high, wide), float("nan")) for wide in cols] for high in rows]
    colours = "cividis_r" if scale.better is max else "cividis"
    axes.imshow(cells, cmap=colours, aspect="auto", origin="lower")
    axes.set_facecolor(LIGHT_GREY)
    axes.grid(visible=False)
    best = scale.better(values, key=values.__getitem__)
    for (high, wide), value in values.items():
        place = (cols.index(wide), rows.index(high))
        if (high, wide) == best:
            axes.add_patch(Rectangle((place[0] - 0.48, place[1] - 0.48), 0.96, 0.96, fill=False, linewidth=2.5,
                                     edgecolor=VERMILLION))  # fmt: skip
        if (high, wide) == best or max(len(rows), len(cols)) <= _MOST_SIDE:
            axes.text(*place, digits(value / per), ha="center", va="center", fontsize=SMALL,
                      color=_ink(value, values.values(), scale))  # fmt: skip
    for side, sizes in ((axes.xaxis, cols), (axes.yaxis, rows)):
        step = -(-len(sizes) // _MOST_SIDE)
        side.set_ticks(range(0, len(sizes), step), list(map(str, sizes[::step])))
    axes.tick_params(length=0, labelsize=SMALL)
    axes.set_title(label, fontsize=8)


def _ink(value: float, values: Any, scale: Scale) -> str:
    """Black on light cells, white on dark ones."""
    low, high = min(values), max(values)
    share = (value - low) / (high - low) if high > low else 0.0
    light = 1 - share if scale.better is max else share
    return "black" if light > 0.5 else "white"


def _shape(point: SweepPoint) -> tuple[int, int]:
    return _at(point, "array.rows"), _at(point, "array.cols")


def _sram_bytes(point: SweepPoint) -> int:
    return sum(_at(point, f"sram.{name}.capacity_bytes") for name in ("activation", "weight", "accumulator"))


def _capacities(points: Sequence[SweepPoint]) -> list[str]:
    """Keys of capacities of the buffers that vary."""
    keys = dict.fromkeys(key for point in points for key in point.settings)
    ends = (".capacity", ".capacity_bytes")
    return [key for key in keys if key.startswith("sram.") and key.endswith(ends)]


def _at(point: SweepPoint, key: str) -> Any:
    found: Any = point.machine_config
    for part in key.split("."):
        found = found[part]
    return found


def _one_place(what: str, got: str) -> UserError:
    return UserError([Mistake(ARGUMENTS, 0, "kind", f"a sweep that varies {what}", got)])


PointLines = dict[str, dict[str, list[SweepPoint]]]
"""Points by the settings that are no size, and by network."""


def _multiples(
    title: str, points: Sequence[SweepPoint], across: Across, up: Sequence[Scale], varied: Sequence[str]
) -> Drawing:
    """A row of panels for each of the other settings. Raises UserError where the points have one place across."""
    places = sorted({across.of(point) for point in points})
    if len(places) == 1:
        raise _one_place(across.label, f"{across.text(places[0])} at every point")
    lines: PointLines = {}
    for point in sorted(points, key=across.of):
        lines.setdefault(_rest(point, varied), {}).setdefault(point.network, []).append(point)
    shown = _cheapest(lines)
    colours = _coloured(points)
    high = 0.8 + _PANEL_HEIGHT * len(shown) if len(shown) > 1 else _ONE_ROW
    with house_style():
        figure = Figure(figsize=(_PANEL_WIDTH * len(up) + _LEGEND, high), layout="constrained")
        grid = figure.subplots(len(shown), len(up), squeeze=False, sharex=True, sharey="col")
        for scale, column in zip(up, grid.T, strict=True):
            per, label = scale.drawn(points)
            for axes, rest in zip(column, shown, strict=True):
                _panel(axes, lines[rest], across, scale, colours, per)
                axes.set_ylabel(label)
            column[0].set_ylim(0, 1.05 * max(map(scale.of, points)) / per or 1)
            _mark(column[-1], places, across)
            column[-1].set_xlabel(across.label)
        for axes, rest in zip(grid[:, 0], shown, strict=True):
            axes.set_title(rest if len(rest) <= _LONGEST else f"{rest[: _LONGEST - 3]}...", loc="left", fontsize=8)
        figure.suptitle(title if len(shown) == len(lines) else f"{title}: {len(shown)} of {len(lines)} settings")
        _legend(figure, colours, len({point.network for point in points}))
    return Drawing(figure, _rows(lines, across, up))


def _rest(point: SweepPoint, varied: Sequence[str]) -> str:
    """The machine, and the settings that are no size."""
    others = {key: value for key, value in point.settings.items() if not key.startswith(tuple(varied))}
    return f"{point.machine} {short_name(others)}".rstrip()


def _cheapest(lines: PointLines) -> list[str]:
    """The settings whose points take least energy on average, in their order, as many as a picture has."""

    def mean(rest: str) -> float:
        found = [ENERGY.of(point) for members in lines[rest].values() for point in members]
        return fsum(found) / len(found)

    kept = set(sorted(lines, key=mean)[:_MOST_ROWS])
    return [rest for rest in lines if rest in kept]


def _coloured(points: Sequence[SweepPoint]) -> dict[str, tuple[str, str]]:
    """Colour and marker of the networks, as many as have colours."""
    names = dict.fromkeys(point.network for point in points)
    return dict(zip(names, zip(SERIES, MARKERS, strict=False), strict=False))


def _panel(
    axes: Axes,
    networks: Mapping[str, Sequence[SweepPoint]],
    across: Across,
    up: Scale,
    colours: Mapping[str, tuple[str, str]],
    per: float,
) -> None:
    """Points, and of each network a line through the better ones where several stand at one place."""
    for network, members in networks.items():
        colour, marker = colours.get(network, (GREY, ""))
        best: dict[float, float] = {}
        for point in members:
            place, value = across.of(point), up.of(point) / per
            best[place] = up.better(best.get(place, value), value)
        axes.plot(list(best), list(best.values()), color=colour, marker=marker, markersize=4, linewidth=1.2)
        others = [(across.of(p), up.of(p) / per) for p in members if up.of(p) / per != best[across.of(p)]]
        axes.plot([x for x, _ in others], [y for _, y in others], color=colour, marker=marker or ".", markersize=3,
                  linestyle="none", alpha=0.5)  # fmt: skip


def _mark(axes: Axes, places: Sequence[float], across: Across) -> None:
    """Ticks at places that occur, no nearer to each other than can be read."""
    if across.named:
        kept = list(places[:: -(-len(places) // (2 * _MOST_TICKS))])
    else:
        axes.set_xscale("log", base=2)
        apart = log2(places[-1] / places[0]) / _MOST_TICKS
        kept = [places[0]]
        for place in places[1:]:
            if log2(place / kept[-1]) >= apart:
                kept.append(place)
    axes.xaxis.set_major_locator(FixedLocator(kept))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: across.text(value)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="x", labelrotation=90, labelsize=SMALL)


def _legend(figure: Figure, colours: Mapping[str, tuple[str, str]], networks: int) -> None:
    """Networks, and in words those without a colour."""
    handles = [
        Line2D([], [], color=colour, marker=marker, markersize=4, label=name)
        for name, (colour, marker) in colours.items()
    ]
    if networks > len(colours):
        handles.append(Line2D([], [], color=GREY, label=f"{networks - len(colours)} other networks: see the CSV"))
    figure.legend(handles=handles, loc="outside right upper", frameon=False)


def _rows(lines: PointLines, across: Across, up: Sequence[Scale]) -> list[dict[str, Value | None]]:
    return [
        {
            "network": network,
            "settings": rest,
            across.label if across.named else f"{across.label} (bytes)": (
                across.text(across.of(point)) if across.named else across.of(point)
            ),
            **{scale.column: scale.of(point) for scale in up},
        }
        for rest, networks in lines.items()
        for network, members in networks.items()
        for point in members
    ]
