"""Do pictures show what was computed, with axes that say what they are, for small and large networks?"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection, PolyCollection
from matplotlib.figure import Figure

from accelsim.cli import main
from accelsim.records import STALL_CAUSES
from accelsim.report.figure import KINDS
from accelsim.report.palette import CLOCK_COLOURS, COMPONENT_COLOURS
from accelsim.report.plots import RUN_PLOTS, SWEEP_PLOTS, Drawing, SweepPoint
from accelsim.run.result import Run
from accelsim.run.simulate import simulate
from accelsim.sweeps.drawn import drawn_points

GOOD = Path(__file__).parent / "invalid" / "good"
ONE_LAYER = "study_conv_standard"
MANY_LAYERS = "densenet121"
SWEEP = (
    "sweep", "--network", "mobilenet_v1_0.25_128", "--network", "shufflenet_0.25x_g3", "--network", ONE_LAYER,
    "--hw", "edge", "--vary", "array.rows=16,32", "--vary", "sram.activation.capacity_bytes=65536,262144",
)  # fmt: skip


@pytest.fixture(scope="module", params=[ONE_LAYER, MANY_LAYERS])
def run(request: pytest.FixtureRequest) -> Run:
    return simulate(request.param, "edge")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep."""
    folder = tmp_path_factory.mktemp("sweep")
    assert main([*SWEEP, "-o", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def points(folder: Path) -> Sequence[SweepPoint]:
    return drawn_points(folder)


def check(drawing: Drawing) -> None:
    """It can be drawn, has rows, and every axis has a label and something on it."""
    assert drawing.rows
    for axes in drawing.figure.axes:
        assert axes.get_ylabel() or shares_labels(axes, drawing.figure)
        assert axes.get_xlabel() or shares_labels(axes, drawing.figure)
        assert axes.patches or axes.lines or drawn_collections(axes)


def shares_labels(axes: Axes, figure: Figure) -> bool:
    """Whether its scales stand at a neighbour's axes, or at its ticks."""
    shared = axes.get_shared_x_axes().get_siblings(axes) + axes.get_shared_y_axes().get_siblings(axes)
    return len(shared) > 2 or len(figure.axes) == 1


def drawn_collections(axes: Axes) -> list[PathCollection | PolyCollection]:
    return [each for each in axes.collections if isinstance(each, PathCollection | PolyCollection)]


@pytest.mark.parametrize("kind", RUN_PLOTS)
@pytest.mark.filterwarnings("error")
def test_a_run_is_drawn_whatever_its_size(kind: str, run: Run, tmp_path: Path) -> None:
    drawing = RUN_PLOTS[kind](run)
    check(drawing)
    drawing.figure.savefig(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 5000


@pytest.mark.parametrize("kind", SWEEP_PLOTS)
@pytest.mark.filterwarnings("error")
def test_a_sweep_is_drawn(kind: str, points: Sequence[SweepPoint], tmp_path: Path) -> None:
    drawing = SWEEP_PLOTS[kind](points)
    check(drawing)
    drawing.figure.savefig(tmp_path / "picture.png")
    expected = [point for point in points if kind != "accuracy" or point.values["top1_pct"] is not None]
    assert len(drawing.rows) == len(expected)


def heights(axes: Axes) -> list[float]:
    """What stacked bars reach."""
    bars = len(axes.containers[0])
    return [sum(container[place].get_height() for container in axes.containers) for place in range(bars)]


def test_bars_add_up_to_the_records(run: Run) -> None:
    energy, cycles, pes = (RUN_PLOTS[kind](run).figure.axes[0] for kind in ("energy", "cycles", "utilization"))
    records = run.records
    assert heights(energy) == pytest.approx([record.energy.total_pj / 1e6 for record in records])
    assert heights(cycles) == pytest.approx([record.total_cycles / 1e3 for record in records])
    within = [record.pes * (record.total_cycles - record.overlap_cycles) / 1e6 for record in records]
    assert heights(pes) == pytest.approx(within)


def test_rows_are_those_of_the_records(run: Run) -> None:
    rows = RUN_PLOTS["cycles"](run).rows
    assert [row["layer"] for row in rows] == [record.layer for record in run.records]
    for row, record in zip(rows, run.records, strict=True):
        for cause in STALL_CAUSES:
            assert row[f"{cause} (1000 clocks)"] == record.stalls[cause] / 1e3


def test_a_timeline_has_all_that_units_did(run: Run) -> None:
    """Spans of a unit do not overlap, and add up to the records."""
    busy: dict[str, int] = {}
    reached: dict[str, int] = {}
    for span in run.spans:
        assert span.begin >= reached.get(span.unit, 0)
        reached[span.unit] = span.end
        busy[span.unit] = busy.get(span.unit, 0) + span.end - span.begin
    assert busy.get("array", 0) == run.total.stream_cycles
    assert busy.get("vector", 0) == run.total.vector_cycles
    assert max(reached.values()) <= run.total.total_cycles


def test_a_layer_stands_where_the_roofline_says(run: Run) -> None:
    rows = {row["layer"]: row for row in RUN_PLOTS["roofline"](run).rows}
    for record in run.records:
        if record.counts.macs and record.total_cycles and record.counts.dram_burst_bytes:
            row = rows[record.layer]
            assert row["macs_per_clock"] == record.counts.macs / record.total_cycles
            assert row["macs_per_dram_byte"] == record.counts.macs / record.counts.dram_burst_bytes


def test_lines_join_points_that_differ_in_nothing_else(points: Sequence[SweepPoint]) -> None:
    drawing = SWEEP_PLOTS["array-size"](points)
    assert len(drawing.figure.axes[0].lines) == 3 * 2
    assert {row["PEs of the array"] for row in drawing.rows} == {16 * 32, 32 * 32}
    drawing = SWEEP_PLOTS["buffer-size"](points)
    assert {row["on-chip SRAM (KiB)"] for row in drawing.rows} == {320.0, 512.0}


def test_a_component_has_one_colour_and_no_two_share_it() -> None:
    assert len(set(COMPONENT_COLOURS.values())) == len(COMPONENT_COLOURS)
    apart = {colour: name for name, colour in CLOCK_COLOURS.items() if name not in ("MACs", "streaming")}
    assert len(apart) == len(CLOCK_COLOURS) - 2


@pytest.mark.parametrize("suffix", KINDS)
def test_the_command_draws_a_file_and_its_rows(suffix: str, tmp_path: Path) -> None:
    """The same each time, to the byte."""
    assert main(["run", str(GOOD / "net.yaml"), str(GOOD / "machine.yaml"), "-o", str(tmp_path / "run")]) == 0
    for name in ("a", "b"):
        line = ["plot", str(tmp_path / "run"), "--kind", "energy", "-o", str(tmp_path / f"{name}.{suffix}")]
        assert main(line) == 0
    assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["layer", *(f"{name} (uJ)" for name in COMPONENT_COLOURS)]


def test_the_command_draws_a_sweep(folder: Path, tmp_path: Path) -> None:
    assert main(["plot", str(folder), "--kind", "accuracy", "-o", str(tmp_path / "a.svg")]) == 0
    assert "top-1 accuracy" in (tmp_path / "a.svg").read_text()


def test_pictures_are_methods_of_a_run() -> None:
    run = simulate(str(GOOD / "net.yaml"), str(GOOD / "machine.yaml"))
    assert dir(run.plot) == sorted(RUN_PLOTS)
    assert isinstance(run.plot.energy(), Figure)
    with pytest.raises(AttributeError, match="no picture 'heat'"):
        run.plot.heat()
