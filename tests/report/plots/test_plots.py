"""Do pictures show what was computed, with axes that say what they are, for small and large networks?"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.patches import Patch
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from accelsim.cli import main
from accelsim.errors import UserError
from accelsim.records import ENERGY_COMPONENTS, STALL_CAUSES, LayerRecord
from accelsim.report.export import csv_text
from accelsim.report.figure import named
from accelsim.report.palette import CLOCK_FILLS, COMPONENT_FILLS, TYPE_FILLS, Fill, lightness
from accelsim.report.pareto import Objective, front_figure, non_dominated
from accelsim.report.plots import RUN_PLOTS, SWEEP_PLOTS, Drawing, SweepPoint
from accelsim.report.plots.bars import MOST_BARS
from accelsim.report.spans import UnitSpan
from accelsim.run.result import Run
from accelsim.run.simulate import simulate
from accelsim.sweeps.drawn import drawn_points

GOOD = Path(__file__).parents[2] / "invalid" / "good"
ROOT = Path(__file__).parents[3]
ONE_LAYER = "study_conv_standard"
MANY_LAYERS = """name: tall
source: made up
input: {height: 16, width: 16, channels: 32}
layers:
""" + "".join(
    f"""
  - {{name: stage{number // 13}_block{number % 13}_dw, op: dwconv, kernel: 3, pad: 1}}
  - {{name: stage{number // 13}_block{number % 13}_pw, op: conv, kernel: 1, channels: {32 + 32 * (number % 3)}}}"""
    for number in range(50)
)
SWEEP = (
    "sweep", "--network", "shufflenet_0.25x_g3", "--network", ONE_LAYER,
    "--hw", "edge", "--vary", "array.rows=16,32", "--vary", "sram.activation.capacity_bytes=65536,262144",
)  # fmt: skip


@pytest.fixture(scope="module")
def tall(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of 100 layers."""
    path = tmp_path_factory.mktemp("network") / "tall.yaml"
    path.write_text(MANY_LAYERS)
    return simulate(path, "edge")


@pytest.fixture(scope="module", params=["one layer", "100 layers"])
def run(request: pytest.FixtureRequest, tall: Run) -> Run:
    return tall if request.param == "100 layers" else simulate(ONE_LAYER, "edge")


@pytest.fixture(scope="module")
def pictures(run: Run) -> dict[str, Drawing]:
    """All kinds, drawn once."""
    return {kind: draw(run) for kind, draw in RUN_PLOTS.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep."""
    folder = tmp_path_factory.mktemp("sweep")
    assert main([*SWEEP, "-o", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def points(folder: Path) -> Sequence[SweepPoint]:
    return drawn_points(folder)


WITHOUT_UNIT = (
    "layer", "point", "unit", "share of ", "DRAM's share of ", "array utilization", "array, rows x columns",
    "array rows", "array columns", "on-chip SRAM",
)  # fmt: skip
"""Labels of what has no unit, or has it at its ticks: names, ratios, numbers of PEs, and capacities."""


def check(drawing: Drawing) -> None:
    """It has rows; every axis a label with its unit and something on it; no text covers another, no legend the data."""
    assert drawing.rows
    figure = drawing.figure
    assert figure.get_suptitle() or figure.axes[0].get_title()
    for axes in figure.axes:
        for label in (label_of(axes, "x"), label_of(axes, "y")):
            assert label.endswith(")") or label.startswith(WITHOUT_UNIT), label
        assert axes.patches or axes.lines or axes.collections or axes.images
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    for axes in figure.axes:
        for which in (axes.xaxis, axes.yaxis):
            assert_apart([text.get_window_extent() for text in which.get_ticklabels() if text.get_text()], which)
    for legend in figure.legends:
        place = legend.get_window_extent()
        assert not any(place.overlaps(axes.get_window_extent()) for axes in figure.axes)
        assert figure.bbox.padded(1).fully_contains(place.x0, place.y0), "a legend longer than its figure"
        assert figure.bbox.padded(1).fully_contains(place.x1, place.y1)


def label_of(axes: Axes, which: Literal["x", "y"]) -> str:
    """Its own, or that of the neighbour with which it shares the scale."""
    shared = axes.get_shared_x_axes() if which == "x" else axes.get_shared_y_axes()
    labels = [getattr(each, f"get_{which}label")() for each in (axes, *shared.get_siblings(axes))]
    return next(label for label in labels if label)


def assert_apart(places: Sequence[Bbox], axis: Axis) -> None:
    """Neighbouring texts at an axis do not cover one another, but for the slack around letters."""
    for one, other in pairwise(sorted(places, key=lambda place: (place.x0, place.y0))):
        across = min(one.x1, other.x1) - max(one.x0, other.x0)
        up = min(one.y1, other.y1) - max(one.y0, other.y0)
        assert across < 1.5 or up < 1.5, f"labels of {axis} cover one another"


@pytest.mark.parametrize("kind", RUN_PLOTS)
def test_a_run_is_drawn_whatever_its_size(kind: str, pictures: dict[str, Drawing]) -> None:
    check(pictures[kind])


def assert_legible(drawing: Drawing) -> None:
    """No two texts of a picture cover one another, and all are within its canvas."""
    figure = drawing.figure
    FigureCanvasAgg(figure).draw()
    hidden = {id(text) for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for text in _out_of_view(axis)}
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    texts = [text for text in texts if id(text) not in hidden]
    places = [(text.get_text(), Text.get_window_extent(text)) for text in texts]  # without lines of annotations
    for (one, left), (other, right) in combinations([each for each in places if each[1].width], 2):
        across = min(left.x1, right.x1) - max(left.x0, right.x0)
        up = min(left.y1, right.y1) - max(left.y0, right.y0)
        assert across < 1.5 or up < 1.5, f"{one!r} and {other!r} cover one another"
    for text, place in places:
        for x, y in ((place.x0, place.y0), (place.x1, place.y1)):
            assert figure.bbox.padded(1.5).contains(x, y), f"{text!r} is cut"


def _out_of_view(axis: Axis) -> Iterator[Text]:
    """Labels of ticks beyond the limits, which are not drawn."""
    low, high = sorted(axis.get_view_interval())
    slack = 1e-9 * (high - low)
    for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
        if not low - slack <= tick.get_loc() <= high + slack:
            yield from (tick.label1, tick.label2)


@dataclass
class Shown:
    """A finished run of which layers are made up, as pictures see it."""

    run: Run
    records: Sequence[LayerRecord]
    spans: Sequence[UnitSpan]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.run, name)


def with_layers(run: Run, layers: int) -> Shown:
    """A run with this many layers, the last of which is an address alone; each is on a unit for some clocks."""
    records = [
        replace(run.records[number % len(run.records)], layer=f"layer{number}_conv3x3", stage=f"stage{number // 12}")
        for number in range(layers - 1)
    ]
    spans = [
        UnitSpan(unit, record.layer, 100 * number, 100 * number + 90, number)
        for number, record in enumerate(records)
        for unit in ("dma_in", "array", "vector", "dma_out")
    ]
    return Shown(run, records, spans)


SIZES = [10, *(pytest.param(each, marks=pytest.mark.slow) for each in (90, 330))]


@pytest.mark.parametrize("layers", SIZES)
@pytest.mark.parametrize("kind", RUN_PLOTS)
def test_pictures_are_legible_at_any_number_of_layers(kind: str, layers: int, tall: Run) -> None:
    """Stages stand for the bars of layers where these are too many."""
    drawing = RUN_PLOTS[kind](with_layers(tall, layers))
    assert_legible(drawing)
    if kind in ("energy", "cycles", "utilization"):
        assert len(drawing.rows) == (layers - 1 if layers <= MOST_BARS else -(-(layers - 1) // 12))


def test_the_costliest_layers_have_names(tall: Run) -> None:
    """Ten, of which the legend has all and the panels those that have room."""
    shown = with_layers(tall, 90)
    figure = RUN_PLOTS["roofline"](shown).figure
    working = [record for record in shown.records if record.counts.macs]
    costliest = [record.layer for record in sorted(working, key=lambda record: -record.total_cycles)[:10]]
    said = [text.get_text() for text in figure.legends[0].get_texts()]
    assert [name.split("  ")[0] for name in said[-10:]] == costliest
    for axes in figure.axes:
        names = {text.get_text().split()[0] for text in axes.texts}
        assert names
        assert names <= set(costliest)


@pytest.mark.parametrize("fills", [COMPONENT_FILLS, CLOCK_FILLS, dict(zip(range(8), TYPE_FILLS, strict=True))])
def test_fills_are_told_apart_without_colours(fills: Mapping[Hashable, Fill]) -> None:
    """By hatch or lightness; streaming and MACs are in different pictures. Colours are eight at most."""
    different = {name: fill for name, fill in fills.items() if name != "MACs"}
    for (one, first), (other, second) in combinations(different.items(), 2):
        apart = abs(lightness(first.colour) - lightness(second.colour))
        assert first.hatch != second.hatch or apart > 0.07, f"{one} and {other}"
    assert len({fill.colour for fill in different.values()}) <= 8


NUMBERS = [10, *(pytest.param(each, marks=pytest.mark.slow) for each in (500,))]


@pytest.mark.parametrize("count", NUMBERS)
@pytest.mark.parametrize("kind", SWEEP_PLOTS)
def test_sweeps_are_legible_at_any_number_of_points(kind: str, count: int, points: Sequence[SweepPoint]) -> None:
    assert_legible(SWEEP_PLOTS[kind](list(_varied(points[0], count))))


def _varied(point: SweepPoint, count: int) -> Iterator[SweepPoint]:
    """Points of other networks, shapes, sizes and dataflows."""
    for number in range(count):
        config = deepcopy(dict(point.machine_config))
        size = 8 << number % 3
        config["array"] |= {"rows": size, "cols": 8 << number // 3 % 3}
        config["sram"]["activation"]["capacity_bytes"] = (1 + number % 7) << 15
        settings = {"array.rows": size, "array.dataflow": f"kind{number // 9}"}
        costs = {name: point.values[name] * (1 + number * 7 % 17 / 4) for name in ("latency_ms", "energy_total_pj")}
        known = {"top1_pct": 50.0 + number % 12, "accuracy_kind": "single crop", "point": number}
        yield point._replace(
            network=f"some_network_{number % 12}",
            settings=settings,
            machine_config=config,
            values={**point.values, **costs, **known},
        )


@pytest.mark.parametrize("count", NUMBERS)
def test_fronts_are_legible_at_any_number_of_points(count: int) -> None:
    rows = [
        {"point": n, "network": f"network_{n % 4}", "machine": "edge", "array.rows": 8 << n % 5, "array.dataflow": "ws",
         "latency_ms": 1 + n % 11 + 40 / (1 + n % 13), "energy_total_pj": 1e6 * (1 + n * 7 % 17)}
        for n in range(count)
    ]  # fmt: skip
    objectives = [Objective("latency_ms"), Objective("energy_total_pj")]
    best = non_dominated([[row[each.column] for each in objectives] for row in rows], objectives)
    assert_legible(Drawing(front_figure(rows, best, objectives, ["array.rows", "array.dataflow"]), []))


@pytest.mark.parametrize("kind", SWEEP_PLOTS)
def test_a_sweep_is_drawn(kind: str, points: Sequence[SweepPoint]) -> None:
    if kind == "array-map":
        points = list(_varied(points[0], 9))
    drawing = SWEEP_PLOTS[kind](points)
    check(drawing)
    expected = [point for point in points if kind != "accuracy" or point.values["top1_pct"] is not None]
    assert len(drawing.rows) == len(expected)


def heights(axes: Axes) -> list[float]:
    """What stacked bars reach."""
    bars = len(axes.containers[0])
    return [sum(container[place].get_height() for container in axes.containers) for place in range(bars)]


SCALES = {"pJ": 1, "nJ": 1e3, "uJ": 1e6, "mJ": 1e9, "1000": 1e3, "million": 1e6, "cycles": 1, "PE": 1, "array": 1,
          "us": 1e-3, "ms": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20}  # fmt: skip


def unit_of(label: str) -> float:
    """What the unit in the parentheses of a label is in pJ, cycles, ms or bytes."""
    return SCALES[label.partition("(")[2].strip(")").split()[0]]


def test_bars_add_up_to_the_records(run: Run, pictures: dict[str, Drawing]) -> None:
    """And their numbers stay below 1,000."""
    expected = {
        "energy": [record.energy.total_pj for record in run.records],
        "cycles": [record.total_cycles for record in run.records],
        "utilization": [record.pes * record.total_cycles for record in run.records],
    }
    for kind, amounts in expected.items():
        axes = pictures[kind].figure.axes[0]
        unit = unit_of(axes.get_ylabel())
        assert [height * unit for height in heights(axes)] == pytest.approx(amounts)
        assert max(heights(axes)) < 1000


def test_the_legend_says_what_the_network_comes_to(run: Run, pictures: dict[str, Drawing]) -> None:
    legend = pictures["energy"].figure.legends[0]
    said = dict(text.get_text().rsplit("  ", 1)[0].split("  ") for text in legend.get_texts()[: len(ENERGY_COMPONENTS)])
    unit = SCALES[legend.get_title().get_text().split()[0]]
    components = {label: name for name, label in ENERGY_COMPONENTS.items()}
    for label, amount in said.items():
        energy_pj = getattr(run.total.energy, f"{components[label]}_pj")
        assert float(amount) * unit == pytest.approx(energy_pj, rel=6e-3)


def test_bars_have_the_colours_of_their_components(pictures: dict[str, Drawing], points: Sequence[SweepPoint]) -> None:
    for drawing in (pictures["energy"], SWEEP_PLOTS["energy"](points)):
        for axes in drawing.figure.axes:
            for container in axes.containers:
                assert to_hex(container.patches[0].get_facecolor()) == COMPONENT_FILLS[container.get_label()].colour


def test_the_names_of_all_layers_are_there(run: Run, pictures: dict[str, Drawing]) -> None:
    """`check` sees to it that they can be read."""
    axes = pictures["energy"].figure.axes
    assert [text.get_text() for text in axes[1].get_xticklabels()] == [record.layer for record in run.records]
    assert axes[0].get_ylim()[1] > max(heights(axes[0]))


def test_rows_are_those_of_the_records(run: Run, pictures: dict[str, Drawing]) -> None:
    rows = pictures["cycles"].rows
    assert [row["layer"] for row in rows] == [record.layer for record in run.records]
    for row, record in zip(rows, run.records, strict=True):
        assert row["streaming (cycles)"] + record.bubble_cycles + record.stretched_cycles == record.stream_cycles
        for cause in STALL_CAUSES:
            assert row[f"{cause} (cycles)"] == record.lost[cause] / record.pes


def test_a_timeline_has_all_that_units_did(run: Run, pictures: dict[str, Drawing]) -> None:
    """Spans of a unit do not overlap, and add up to the records."""
    busy: dict[str, int] = {}
    reached: dict[str, int] = {}
    for span in run.spans:
        assert span.begin >= reached.get(span.unit, 0)
        reached[span.unit] = span.end
        busy[span.unit] = busy.get(span.unit, 0) + span.end - span.begin
    assert busy.get("array", 0) == run.total.stream_cycles
    assert busy.get("vector", 0) == run.total.busy_cycles["vector"]
    assert max(reached.values()) <= run.total.total_cycles
    drawing = pictures["timeline"]
    (axes,) = drawing.figure.axes
    shown = sum(
        path.vertices[:, 0].max() - path.vertices[:, 0].min() for each in axes.collections for path in each.get_paths()
    )
    assert shown * unit_of(axes.get_xlabel()) == pytest.approx(sum(busy.values()))
    assert sum(row["end_cycle"] - row["begin_cycle"] for row in drawing.rows) == sum(busy.values())


def test_a_timeline_refuses_a_run_that_is_not_simulated_so() -> None:
    """As a run.json of another accelsim may be."""
    run = simulate(str(GOOD / "net.yaml"), str(GOOD / "machine.yaml"))
    first = replace(run.records[0], latency_cycles=run.records[0].latency_cycles + 1)
    other = replace(run, records=(first, *run.records[1:]), version="0.0.9")
    with pytest.raises(UserError, match=r"^run\.json:0: layers: expected the .*, got other .* accelsim 0\.0\.9$"):
        RUN_PLOTS["timeline"](other)


def test_a_layer_stands_where_the_roofline_says(run: Run, pictures: dict[str, Drawing]) -> None:
    """Nothing passes the roof of the array."""
    drawing = pictures["roofline"]
    rows = {row["layer"]: row for row in drawing.rows}
    for record in run.records:
        if record.counts.macs and record.total_cycles and record.counts.dram_burst_bytes:
            row = rows[record.layer]
            assert row["macs_per_clock"] == record.counts.macs / record.total_cycles
            assert row["macs_per_clock"] <= run.total.pes
            assert row["macs_per_dram_byte"] == record.counts.macs / record.counts.dram_burst_bytes
    for axes, memory in zip(drawing.figure.axes, ("dram", "sram"), strict=True):
        layers = [line for line in axes.lines if line.get_linestyle() == "None"]
        shown = sorted(point for line in layers for point in zip(*line.get_data(), strict=True))
        expected = [(row[f"macs_per_{memory}_byte"], row["macs_per_clock"]) for row in rows.values()]
        assert shown == sorted(point for point in expected if point[0])


def test_roofs_are_those_of_the_machine() -> None:
    """By hand: 12.8 bytes of DRAM, and 2 x (32 + 32 + 32 x 4) of SRAM, a clock; 32 x 32 MACs."""
    run = simulate(ONE_LAYER, "edge")
    roofs = [axes.lines[0].get_data() for axes in RUN_PLOTS["roofline"](run).figure.axes]
    for (xs, ys), bytes_a_clock in zip(roofs, (12.8, 384.0), strict=True):
        assert max(ys) == 1024
        assert ys[0] / xs[0] == pytest.approx(bytes_a_clock)
        assert xs[1] * bytes_a_clock == pytest.approx(1024)


def test_a_network_has_a_line_and_other_settings_panels_of_their_own(points: Sequence[SweepPoint]) -> None:
    """Two networks, two capacities as settings, two shapes."""
    drawing = SWEEP_PLOTS["array-size"](points)
    figure = drawing.figure
    assert len(figure.axes) == 2 * 3
    joined = [line for axes in figure.axes[::3] for line in axes.lines if line.get_linestyle() == "-"]
    assert [len(line.get_xdata()) for line in joined] == [2] * 4
    assert [axes.get_title(loc="left") for axes in figure.axes[::3]] == [
        "edge activation 64 KiB", "edge activation 256 KiB"
    ]  # fmt: skip
    assert {row["array, rows x columns"] for row in drawing.rows} == {"16x32", "32x32"}
    drawing = SWEEP_PLOTS["buffer-size"](points)
    assert {row["on-chip SRAM (bytes)"] for row in drawing.rows} == {320 << 10, 512 << 10}
    energies = sorted(point.values["energy_per_inference_pj"] for point in points)
    unit = unit_of(drawing.figure.axes[0].get_ylabel())
    lines = [line for axes in drawing.figure.axes[::3] for line in axes.lines]
    assert sorted(y * unit for line in lines for y in line.get_ydata()) == pytest.approx(energies)


def test_buffers_that_vary_on_their_own_are_not_added_up(points: Sequence[SweepPoint]) -> None:
    """A line is of one weight buffer; the others have panels of their own. Moved together they are one capacity."""
    key = "sram.weight.capacity"
    each = [point._replace(settings={**point.settings, key: size}) for point in points for size in ("8KiB", "16KiB")]
    figure = SWEEP_PLOTS["buffer-size"](each).figure
    assert {axes.get_xlabel() for axes in figure.axes} == {"", "activation buffer"}
    assert len(figure.axes) == 3 * len({axes.get_title(loc="left") for axes in figure.axes[::3]})
    assert all("weight " in axes.get_title(loc="left") for axes in figure.axes[::3])
    together = [point._replace(settings={**point.settings, key: dict(point.settings)["sram.activation.capacity_bytes"]})
                for point in points]  # fmt: skip
    assert SWEEP_PLOTS["buffer-size"](together).figure.axes[-1].get_xlabel() == "on-chip SRAM"


def test_a_line_goes_through_the_better_of_points_at_one_place(points: Sequence[SweepPoint]) -> None:
    """The others stand beside it."""
    dear = {**points[0].values, "latency_ms": 2 * points[0].values["latency_ms"]}
    axes = SWEEP_PLOTS["array-size"]([points[0], points[0]._replace(values=dear), points[-1]]).figure.axes[0]
    joined, beside = axes.lines[0].get_ydata(), axes.lines[1].get_ydata()
    assert [value / joined[0] for value in beside] == [2]


def test_a_map_has_the_quickest_point_of_each_shape(points: Sequence[SweepPoint]) -> None:
    """A cell says its value; the best has a frame."""
    wide = [
        point._replace(
            machine_config={**point.machine_config, "array": {**point.machine_config["array"], "cols": cols}},
            values={**point.values, "latency_ms": point.values["latency_ms"] * 32 / cols},
        )
        for point in points
        for cols in (16, 32)
    ]
    drawing = SWEEP_PLOTS["array-map"](wide)
    assert len(drawing.rows) == 2 * 4
    times: dict[tuple[str, int, int], float] = {}
    for point in wide:
        array = point.machine_config["array"]
        place = (point.network, array["rows"], array["cols"])
        times[place] = min(times.get(place, 1e9), point.values["latency_ms"])
    for row in drawing.rows:
        assert row["time per inference (ms)"] == times[str(row["network"]), row["rows"], row["columns"]]
    frame = drawing.figure.axes[0].patches[0]
    network = drawing.rows[0]["network"]
    best = min((key for key in times if key[0] == network), key=times.__getitem__)
    assert (frame.get_x(), frame.get_y()) == pytest.approx(
        ([16, 32].index(best[2]) - 0.48, [16, 32].index(best[1]) - 0.48)
    )


@pytest.mark.parametrize(
    ("kind", "what"),
    [("array-size", "array, rows x columns"), ("buffer-size", "on-chip SRAM"), ("array-map", "array rows")],
)
def test_a_sweep_that_varies_no_size_has_no_picture_of_it(kind: str, what: str, points: Sequence[SweepPoint]) -> None:
    with pytest.raises(UserError, match=rf"kind: expected a sweep that varies {what}.*, got "):
        SWEEP_PLOTS[kind](points[:1])


def test_a_sweep_of_networks_without_accuracy_has_no_picture_of_it(points: Sequence[SweepPoint]) -> None:
    unknown = [point for point in points if point.values["top1_pct"] is None]
    with pytest.raises(UserError, match=r"kind: expected a sweep of networks whose accuracy is known"):
        SWEEP_PLOTS["accuracy"](unknown)


def test_accuracy_stands_where_the_sweep_says(points: Sequence[SweepPoint]) -> None:
    known = [point.values for point in points if point.values["top1_pct"] is not None]
    axes = SWEEP_PLOTS["accuracy"](points).figure.axes
    for panel, of in zip(axes, (cost_of_time, cost_of_energy, cost_of_dram), strict=True):
        layers = [line for line in panel.lines if line.get_linestyle() == "None"]
        shown = sorted(point for line in layers for point in zip(*line.get_data(), strict=True))
        unit = unit_of(panel.get_xlabel())
        shown = sorted((x * unit, y) for x, y in shown)
        expected = sorted((of(values), values["top1_pct"]) for values in known)
        assert np.array(shown) == pytest.approx(np.array(expected))


def cost_of_time(values: Mapping[str, Any]) -> float:
    return float(values["latency_ms"])


def cost_of_energy(values: Mapping[str, Any]) -> float:
    return float(values["energy_total_pj"])


def cost_of_dram(values: Mapping[str, Any]) -> float:
    return float(values["dram_burst_bytes"])


def test_a_long_legend_says_what_it_leaves_out() -> None:
    handles = [Patch() for _ in range(9)]
    assert named(handles, list("abcdefghi"), 9)[1] == list("abcdefghi")
    assert named(handles, list("abcdefghi"), 8)[1] == [*"abcdefg", "and 2 more: see the CSV"]


def test_every_picture_is_documented_and_in_the_gallery(capsys: pytest.CaptureFixture[str]) -> None:
    """And the pages name none that there is not."""
    page = (ROOT / "docs" / "plots.md").read_text()
    documented = re.findall(r"^\| `([a-z-]+)` \| a (run|sweep) \|", page, re.MULTILINE)
    registered = [(kind, what) for what, kinds in (("run", RUN_PLOTS), ("sweep", SWEEP_PLOTS)) for kind in kinds]
    assert documented == registered
    with pytest.raises(SystemExit):
        main(["plot", "--help"])
    said = " ".join(capsys.readouterr().out.split()).replace("- ", "-")
    for kinds, what in ((RUN_PLOTS, "finished run"), (SWEEP_PLOTS, "sweep")):
        assert f"{what} ({', '.join(kinds)})" in said
    drawn_by = (ROOT / "plots" / "draw.py").read_text()
    for kind, what in registered:
        assert (f'"{kind}"' if what == "run" else f"--kind {kind}") in drawn_by


@pytest.mark.slow
def test_the_gallery_is_of_this_simulator() -> None:
    """Its rows are those that the command draws now."""
    run = simulate("shufflenet_1.0x_g3", "edge")
    for kind, draw in RUN_PLOTS.items():
        assert csv_text(draw(run).rows) == (ROOT / "plots" / f"{kind}.csv").read_text(), kind


def test_the_gallery_shows_all_its_pictures_and_has_their_rows() -> None:
    page = (ROOT / "plots" / "README.md").read_text()
    for path in (ROOT / "plots").glob("*.svg"):
        assert path.with_suffix(".csv").is_file()
        assert f"]({path.name})" in page
