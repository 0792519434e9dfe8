"""Are networks compared by what their runs say, and drawn as they are tabulated?"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text

from accelsim.cli import main, progress
from accelsim.config.named import names, shipped
from accelsim.energy.ranking import Flip, Unsure
from accelsim.errors import UserError
from accelsim.report.beside import write_beside
from accelsim.report.by_type import TypeRow
from accelsim.report.compare import COLUMNS, ComparedRow, flipped, survival, unpriced
from accelsim.report.figure import drawn
from accelsim.report.palette import TYPE_FILLS
from accelsim.report.plots import Drawing
from accelsim.report.plots.types import type_bars
from accelsim.report.tradeoff import COSTS, MOST_NAMED, NOT_BEATEN, tradeoff
from accelsim.run.compare import compare, load_combinations
from accelsim.run.reprice import reprice
from accelsim.run.simulate import run_network, simulate
from tests.commands import contents, too_large_network
from tests.report.plots.test_plots import assert_legible

ROOT = Path(__file__).parents[2]
GOOD = Path(__file__).parents[1] / "invalid" / "good"
NET, MACHINE = str(GOOD / "net.yaml"), str(GOOD / "machine.yaml")
SMALL = ("mobilenet_v1_0.25_128", "mobilenet_v1_0.25_224")
ACCURACY = ("compare.csv", "compare.png", "compare.svg")
TYPES = ("types.csv", "types.png", "types.svg")
"""What the output folder gets: costs against accuracy, and cycles by type of layer."""


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[str, str]:
    """What `compare` prints, on standard output and standard error."""
    capsys.readouterr()
    assert main(["compare", *argv]) == 0
    return capsys.readouterr()


def rows_of(capsys: pytest.CaptureFixture[str], *argv: str) -> list[dict[str, Any]]:
    parsed: dict[str, list[dict[str, Any]]] = json.loads(said(capsys, *argv, "--json")[0])
    return parsed["rows"]


@pytest.mark.parametrize("batch", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_a_row_is_what_a_run_of_its_own_says(batch: int, capsys: pytest.CaptureFixture[str]) -> None:
    """For one image; networks in the order asked for, and the machines of each."""
    options = ("--set", f"network.batch={batch}", "--set", "array.rows=16")
    rows = rows_of(capsys, *SMALL, "--hw", "edge", "--hw", "cloud", *options)
    assert [(row["network"], row["machine"]) for row in rows] == [(n, hw) for n in SMALL for hw in ("edge", "cloud")]
    for row in rows:
        run = simulate(row["network"], row["machine"], {"network.batch": batch, "array.rows": 16})
        totals, accuracy = run.totals, run.workload.accuracy
        assert list(row) == [column.name for column in COLUMNS]
        assert (row["batch"], row["macs_per_image"] * batch) == (batch, totals["macs"])
        assert (row["weights"], row["weight_bytes"]) == (totals["weights"], totals["weights"])
        assert row["cycles_per_image"] * batch == pytest.approx(totals["total_cycles"], rel=1e-15)
        assert row["time_per_image_ms"] == pytest.approx(1e3 / totals["inferences_per_s"], rel=1e-12)
        assert row["energy_per_image_pj"] == totals["energy_total_pj"] / batch
        assert row["dram_energy_share"] == totals["dram_energy_share"]
        assert row["dram_per_image_bytes"] == totals["dram_burst_bytes"] / batch
        assert (row["top1_pct"], row["accuracy_kind"]) == (
            (accuracy.top1_pct, accuracy.kind) if accuracy else (None, None)
        )
    assert {row["network"]: row["top1_pct"] for row in rows} == dict(zip(SMALL, (None, 50.6), strict=True))


def test_weights_are_stored_with_the_bits_of_the_machine(capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = rows_of(capsys, NET, "--hw", MACHINE, "--set", "array.weight_bits=3")
    assert row["weight_bytes"] == row["weights"] * 3 / 8


def test_the_table_says_the_same_in_short(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With the units of its header; a dash where no accuracy is known."""
    monkeypatch.setenv("COLUMNS", "200")
    header, *lines = said(capsys, *SMALL, "--hw", "edge")[0].splitlines()
    titles = re.split(" {2,}", header)
    expected = "network, top-1 %, MMAC, M weights, weights MiB, cycles, ms, energy uJ, of it DRAM, DRAM MiB, bursts"
    assert titles == expected.split(", ")
    *lines, last = lines
    assert re.fullmatch(r"[01] of 1 pairs keep their order by energy at all prices within their ranges", last)
    for line, row in zip(lines, rows_of(capsys, *SMALL, "--hw", "edge"), strict=True):
        assert re.split(" {2,}", line) == [
            row["network"],
            "-" if row["top1_pct"] is None else f"{row['top1_pct']:.1f}",
            f"{row['macs_per_image'] / 1e6:.2f}",
            f"{row['weights'] / 1e6:.3f}",
            f"{row['weight_bytes'] / 2**20:.2f}",
            str(row["cycles_per_image"]),
            f"{row['time_per_image_ms']:.3f}",
            f"{row['energy_per_image_pj'] / 1e6:.1f}",
            f"{row['dram_energy_share']:.1%}",
            f"{row['dram_per_image_bytes'] / 2**20:.2f}",
            f"{row['dram_burst_efficiency']:.0%}",
        ]


def test_columns_appear_where_they_tell_something(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine if there are several, the batch if it is not 1, how accuracies were measured if that differs."""
    monkeypatch.setenv("COLUMNS", "200")
    for kind in ("guess", "single\n  crop"):
        text = Path(NET).read_text() + f"accuracy: {{top1_pct: 50, kind: {json.dumps(kind)}, source: me}}\n"
        (tmp_path / f"{kind[0]}.yaml").write_text(text)
    guess, crop = (str(tmp_path / f"{letter}.yaml") for letter in "gs")

    def titles(*argv: str) -> list[str]:
        return re.split(" {2,}", said(capsys, *argv)[0].splitlines()[0])[:5]

    assert titles(guess, NET, "--hw", MACHINE) == ["network", "top-1 %", "MMAC", "M weights", "weights MiB"]
    assert titles(guess, NET, "--hw", MACHINE, "edge")[:3] == ["network", "machine", "top-1 %"]
    assert titles(guess, "--hw", MACHINE, "--set", "network.batch=2")[:3] == ["network", "batch", "top-1 %"]
    assert titles(guess, crop, NET, "--hw", MACHINE)[:3] == ["network", "top-1 %", "measured by"]
    lines = said(capsys, guess, crop, NET, "--hw", MACHINE)[0].splitlines()[1:4]
    assert [re.split(" {2,}", line)[2] for line in lines] == ["guess", "single crop", "-"]


def test_patterns_stand_for_names(tmp_path: Path) -> None:
    """In the order of `accelsim list`, each once; a file of that name is a file."""
    listed = [name for name in names("networks") if name.startswith("cmp_") and name.endswith("_13")]
    assert listed[0] != "cmp_resnet_13" in listed
    odd = tmp_path / "c[m]p*"
    shutil.copy(NET, odd)
    points = load_combinations(["cmp_resnet_13", "cmp_*_13", str(odd)], ["[ec][dl]*", MACHINE])
    networks = ["cmp_resnet_13", *(name for name in listed if name != "cmp_resnet_13"), "tiny"]
    machines = ["cloud", "edge", "edge_tpu", "tiny"]
    assert [str(point) for point in points] == [f"{name} on {machine}" for name, machine in product(networks, machines)]


def test_output_folder_gets_the_rows_and_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The CSV has what `--json` has, numbers in full; what has no accuracy is in the CSV alone, and that is said."""
    argv = (*SMALL, "--hw", "edge", "-o", str(tmp_path))
    out, err = said(capsys, *argv, "--json")
    assert err == f"compare.svg is without {SMALL[0]}: no accuracy is known\n"
    assert sorted(contents(tmp_path)) == [*ACCURACY, *TYPES]
    rows = list(csv.DictReader(io.StringIO((tmp_path / "compare.csv").read_text())))
    assert rows == [
        {name: "" if value is None else str(value) for name, value in row.items()} for row in json.loads(out)["rows"]
    ]
    assert contents(tmp_path)["compare.png"].startswith(b"\x89PNG")
    svg = (tmp_path / "compare.svg").read_text()
    assert SMALL[1] in svg
    assert SMALL[0] not in svg


def test_cycles_stand_side_by_side_by_type_of_layer(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `run --by type` groups them, for an image; they add up to the cycles, and the types with most stand first."""
    monkeypatch.setenv("COLUMNS", "200")
    other = tmp_path / "other.yaml"
    row = "  - {name: more, op: conv, kernel: 1, channels: 8}\n  - {name: last, op: conv, kernel: 1, channels: 8}\n"
    other.write_text(Path(NET).read_text().replace("name: tiny", "name: other") + row)
    argv = (str(other), NET, "--hw", MACHINE, "--set", "network.batch=2")
    header, *lines = said(capsys, *argv, "--by", "type", "-o", str(tmp_path))[0].splitlines()
    rows = json.loads(said(capsys, *argv, "--json")[0])["types"]
    sums = dict.fromkeys((row["type"] for row in rows), 0.0)
    for name, line in zip(("other", "tiny"), lines, strict=True):
        run = simulate(str(other) if name == "other" else NET, MACHINE, {"network.batch": 2})
        own = {row["type"]: row for row in rows if row["network"] == name}
        assert list(own) == list(dict.fromkeys(record.kind for record in run.records))
        for kind, row in own.items():
            members = [record for record in run.records if record.kind == kind]
            assert (row["layers"], row["machine"]) == (len(members), "tiny")
            assert row["macs_per_image"] * 2 == sum(record.counts.macs for record in members)
            assert row["cycles_per_image"] * 2 == sum(record.total_cycles for record in members)
            assert row["energy_per_image_pj"] * 2 == pytest.approx(sum(each.energy.total_pj for each in members))
        whole = run.totals["total_cycles"] / 2
        shares = {kind: row["cycles_per_image"] / whole for kind, row in own.items()}
        assert sum(shares.values()) == pytest.approx(1)
        for kind, share in shares.items():
            sums[kind] += share
        cells = dict(zip(re.split(" {2,}", header), re.split(" {2,}", line), strict=True))
        assert cells.pop("network") == name
        assert cells.pop("cycles") == f"{whole:.0f}"
        assert cells == {kind: f"{shares[kind]:.1%}" if kind in shares else "-" for kind in sums}
    assert re.split(" {2,}", header)[2:] == sorted(sums, key=lambda kind: -sums[kind])
    with (tmp_path / "types.csv").open() as file:
        assert list(csv.DictReader(file)) == [{name: str(value) for name, value in row.items()} for row in rows]
    assert "other" in (tmp_path / "types.svg").read_text()


def test_the_picture_by_type_has_all_cycles_and_names_machines_that_differ() -> None:
    """Types beyond the fills are one part; a bar for each run."""
    many = len(TYPE_FILLS) + 3
    runs = [
        [TypeRow("net", machine, f"type {place}", 1, 0, 100 - place, 0.0) for place in range(many)]
        for machine in ("one", "two")
    ]
    drawing = type_bars(runs)
    assert [row["network"] for row in drawing.rows] == ["net on one", "net on two"]
    for row in drawing.rows:
        parts = {name: value for name, value in row.items() if name != "network"}
        assert list(parts) == [f"type {place} (cycles)" for place in range(len(TYPE_FILLS) - 1)] + ["others (cycles)"]
        assert sum(value for value in parts.values() if isinstance(value, int)) == sum(100 - n for n in range(many))
    assert type_bars([[*runs[0][:2]]]).figure.get_suptitle() == "Cycles by type of layer on one"


def test_without_any_accuracy_there_is_no_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not even that of another comparison: it is replaced with the rest, when that is asked for."""
    said(capsys, SMALL[1], "--hw", "edge", "-o", str(tmp_path))
    before = contents(tmp_path)
    argv = ["compare", NET, "--hw", MACHINE, "-o", str(tmp_path)]
    assert main(argv) == 2
    others = "compare.csv, compare.png, compare.svg, types.csv, types.png, types.svg"
    assert capsys.readouterr() == (
        "",
        f"command-line:0: -o: expected a folder without another run, or --force, got {tmp_path} with {others}\n",
    )
    assert contents(tmp_path) == before
    assert said(capsys, *argv[1:], "--force")[1] == "no compare.svg: no accuracy is known\n"
    assert sorted(contents(tmp_path)) == ["compare.csv", *TYPES]
    said(capsys, *argv[1:])


@pytest.mark.slow
def test_the_same_comparison_writes_the_same_bytes(tmp_path: Path) -> None:
    """Whatever the place, time, hash seed, locale, and the user's own matplotlib settings are."""
    (tmp_path / "matplotlibrc").write_text("font.size: 20\naxes.facecolor: red\nsavefig.bbox: tight\n")
    written = []
    for number, environment in enumerate(
        (
            {"PYTHONHASHSEED": "1", "SOURCE_DATE_EPOCH": "0"},
            {"PYTHONHASHSEED": "2", "TZ": "Asia/Tokyo", "LC_ALL": "C", "MATPLOTLIBRC": str(tmp_path / "matplotlibrc")},
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        line = [sys.executable, "-m", "accelsim", "compare", SMALL[1], NET, "--hw", "edge", MACHINE, "-o", "out"]
        everything = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
        subprocess.run(line, cwd=folder, env=everything, capture_output=True, check=True)
        written.append(contents(folder / "out"))
    assert written[0] == written[1]
    text = (written[0]["compare.svg"] + written[0]["compare.png"]).decode("latin-1")
    assert not re.search(r"20\d\d-\d\d-\d\d|dc:date|Software|Matplotlib", text)


def test_nothing_runs_in_vain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Behind a network that does not fit its machine others are only looked at for the same mistake."""
    (tmp_path / "large.yaml").write_text(too_large_network())
    ran = []

    def run(*point: Any) -> Any:
        ran.append(point[1].name)
        return run_network(*point)

    monkeypatch.setattr("accelsim.run.compare.run_network", run)
    points = load_combinations([NET, str(tmp_path / "large.yaml"), "cmp_resnet_13"], [MACHINE])
    with pytest.raises(UserError, match="room for layer b of tiny"):
        compare(points, lambda _: None)
    assert ran == ["tiny", "tiny"]


FLIPPING = ("shufflenet_1.0x_g8", "mobilenet_v1_0.75_224")


@pytest.mark.slow
def test_networks_whose_order_by_energy_depends_on_the_table_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    """As runs by each of the tables say; the words name the tables with which the order is another."""
    options, own = ("--hw", "edge"), "cacti_22nm"
    found = json.loads(said(capsys, *FLIPPING, *options, "--json")[0])["energy_order_flips"]
    runs = [simulate(name, "edge") for name in FLIPPING]
    by_table = {table: [reprice(run, table).totals["energy_total_pj"] for run in runs] for table in shipped("energy")}
    less, more = FLIPPING
    others = [table for table, (one, other) in by_table.items() if one > other]
    again = [simulate(name, "edge", {"energy.table": others[0]}).totals["energy_total_pj"] for name in FLIPPING]
    assert again == by_table[others[0]]
    assert by_table[own][0] < by_table[own][1]
    assert others
    assert found == [
        {"machine": "edge", "first": less, "second": more, "table": own, "other_table": table} for table in others
    ]
    lines = said(capsys, *FLIPPING, *options)[0].splitlines()
    assert f"{less} takes less energy than {more} by {own}, more by {', '.join(others)}" in lines


def test_an_order_that_all_tables_share_takes_no_words(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("mobilenet_v1_0.25_128", "mobilenet_v1_0.50_224", "--hw", "edge")
    assert json.loads(said(capsys, *options, "--json")[0])["energy_order_flips"] == []
    *_, last = said(capsys, *options)[0].splitlines()
    assert last == "1 of 1 pairs keep their order by energy at all prices within their ranges"


def test_orders_that_do_not_survive_the_ranges_are_named() -> None:
    """Closest first, and no more than ten."""
    found = [Unsure(f"n{number}", "m", 1e6 * (12 - number), 2e6) for number in range(12)]
    lines = survival(66, found)
    assert lines[0] == "54 of 66 pairs keep their order by energy at all prices within their ranges"
    assert lines[1] == "n11 takes 1.0 uJ less than m; at other prices within their ranges, up to 2.0 uJ more"
    assert lines[11:] == ["2 more pairs change their order"]
    assert survival(0, []) == []


def test_many_flips_are_named_in_part() -> None:
    """By machine, where there are several."""
    found = [Flip(f"n{number}", "m", "t", "u") for number in range(12)]
    lines = flipped({"edge": found, "cloud": []})
    assert len(lines) == 11
    assert lines[0] == "n0 takes less energy than m on edge by t, more by u"
    assert lines[-1] == "2 more pairs change their order"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(text: str) -> list[str]:
    """What was to be seen on a line, one after the other."""
    return text.split(progress.ERASE_LINE)


def test_progress_is_for_those_who_watch(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, gone in the end; none where nobody does."""
    assert said(capsys, NET, "--hw", MACHINE, "edge")[1] == ""
    monkeypatch.setenv("COLUMNS", "12")
    monkeypatch.setattr(sys, "stderr", Terminal())
    said(capsys, NET, "--hw", MACHINE, "edge")
    assert shown(sys.stderr.getvalue()) == ["", "1/2 tiny on", "2/2 tiny on", ""]


def test_ctrl_c_ends_with_130_and_a_clean_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("accelsim.run.compare.run_network", interrupt)
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert main(["compare", NET, "--hw", MACHINE]) == 130
    assert shown(sys.stderr.getvalue()) == ["", "1/1 tiny on tiny", "interrupted\n"]
    assert capsys.readouterr().out == ""


def some_row(
    network: str = "a", machine: str = "edge", top1_pct: float = 50, cost: float = 1, **more: Any
) -> ComparedRow:
    """A row whose costs all are `cost`, in the units of the columns."""
    row = {"network": network, "family": "f", "machine": machine, "top1_pct": top1_pct, "accuracy_kind": "single crop"}
    return {**row, **{each.column: cost for each in COSTS}, **more}


def texts(figure: Figure) -> list[str]:
    """Names and numbers beside the points of each plot."""
    return [note.get_text() for axes in figure.axes for note in axes.texts]


def listed(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.texts if text is not figure._suptitle]


def points(axes: Axes) -> dict[str, list[tuple[float, float]]]:
    return {
        str(line.get_label()): list(zip(line.get_xdata(), line.get_ydata(), strict=True))
        for line in axes.get_lines()
        if line.get_label() != NOT_BEATEN
    }


def test_every_axis_has_a_name_and_a_unit() -> None:
    figure = tradeoff([some_row()])
    units = [r"\(MACs\)", r"\(B\)", r"\(ms\)", r"\(pJ\)", r"\(B\)"]
    assert len(figure.axes) == len(units)
    for axes, unit in zip(figure.axes, units, strict=True):
        assert re.fullmatch(rf"\w.* {unit}", axes.get_xlabel())
        assert axes.get_ylabel() == "top-1 accuracy (%)"


def test_each_point_stands_where_its_row_says() -> None:
    """Coloured and marked by family, or by machine where there are several."""
    rows = [some_row("a", top1_pct=50, cost=1), some_row("b", top1_pct=60, cost=3, family=None)]
    for axes in tradeoff(rows).axes:
        assert points(axes) == {"f": [(1, 50)], "no family": [(3, 60)]}
        assert len({(line.get_color(), line.get_marker()) for line in axes.get_lines()[1:]}) == 2
    rows = [some_row("a", machine, cost=cost) for machine, cost in (("edge", 1), ("cloud", 2))]
    for axes in tradeoff(rows).axes:
        assert points(axes) == {"edge": [(1, 50)], "cloud": [(2, 50)]}


def test_numbers_of_axes_stay_short() -> None:
    """In units that fit, so that labels of neighbours do not cover each other."""
    rows = [some_row(f"n{number}", cost=cost) for number, cost in enumerate((6e7, 1e9, 3e10))]
    figure = tradeoff(rows)
    assert [axes.get_xlabel().split("(")[1] for axes in figure.axes[3:]] == ["mJ)", "GiB)"]
    assert_legible(Drawing(figure, []))


def test_a_line_joins_the_points_that_none_beats() -> None:
    """The cheapest first; what costs more and knows less is not on it."""
    rows = [some_row(name, top1_pct=top1, cost=cost) for name, top1, cost in (("a", 70, 5), ("b", 60, 2), ("c", 55, 3))]
    for axes in tradeoff(rows).axes:
        (front,) = [line for line in axes.get_lines() if line.get_label() == NOT_BEATEN]
        assert list(zip(*front.get_data(), strict=True)) == [(2, 60), (5, 70)]


@pytest.mark.parametrize(
    ("costs", "scale"),
    [
        ((1, 10), "linear"),
        ((1, 10.1), "log"),
        ((15, 155), "log"),
        ((0, 100), "linear"),
        ((1, 1e5), "log"),
        ((5, 5), "linear"),
    ],
)
def test_more_than_a_decade_is_shown_in_decades(costs: tuple[float, float], scale: str) -> None:
    """With numbers as people write them, and at least two of them."""
    rows = [some_row(network, cost=cost) for network, cost in zip("ab", costs, strict=True)]
    for axes in tradeoff(rows).axes:
        assert axes.get_xscale() == scale
        left, right = axes.get_xlim()
        ticks = [tick for tick in axes.get_xticks() if left <= tick <= right]
        assert len(ticks) >= 2
        if scale == "log":
            shown_as = axes.xaxis.get_major_formatter().format_ticks(ticks)
            assert [float(text) for text in shown_as] == pytest.approx(ticks)


def test_few_points_have_names_and_many_have_numbers() -> None:
    few = [some_row(f"n{number}", top1_pct=number) for number in range(MOST_NAMED)]
    assert texts(tradeoff(few)) == [f"n{number}" for number in range(MOST_NAMED)] * len(COSTS)
    assert listed(tradeoff(few)) == []
    many = [*few, some_row("last", top1_pct=90)]
    assert texts(tradeoff(many)) == [str(number) for number in range(1, MOST_NAMED + 2)] * len(COSTS)
    assert listed(tradeoff(many)) == [f"{n}  {row['network']}" for n, row in enumerate(many, 1)]


def test_a_network_has_one_number_on_all_machines() -> None:
    """It is written once where machines do not differ."""
    rows = [some_row(f"n{n}", hw, top1_pct=10 * n, cost=c) for n in range(1, 6) for hw, c in (("a", 1), ("b", 2))]
    rows = [{**row, "macs_per_image": 1e6} for row in rows]
    figure = tradeoff(rows)
    assert len(listed(figure)) == 5
    assert texts(figure)[:5] == ["1", "2", "3", "4", "5"]
    assert texts(figure)[5:15] == [number for number in "12345" for _ in "ab"]


def test_another_measurement_is_noted() -> None:
    """Whatever it is called: nothing is taken for a formula."""
    rows = [some_row("a"), some_row("b"), some_row("c", accuracy_kind="$^$")]
    figure = tradeoff(rows)
    assert texts(figure)[:3] == ["a", "b", "c ($^$)"]
    assert figure.legends[0].get_title().get_text() == "accuracy: single crop, unless noted"
    assert b"c ($^$)" in drawn(figure, "svg")
    assert tradeoff(rows[:2]).legends[0].get_title().get_text() == "accuracy: single crop"


@pytest.mark.parametrize("step", [1, 2, 4])
@pytest.mark.parametrize("count", [MOST_NAMED, 20])
def test_texts_hide_no_other_text(count: int, step: int) -> None:
    """Nor leave the plot, be the points as near as markers that cover each other."""
    rows = [some_row(f"net{n}", top1_pct=50 + step * n / 4, cost=5 + n * step / 10) for n in range(count)]
    rows += [some_row("far", top1_pct=99, cost=9.9), some_row("low", top1_pct=1, cost=1)]
    figure = tradeoff(rows[2:] if count == MOST_NAMED else rows)
    figure.canvas = FigureCanvasAgg(figure)
    figure.canvas.draw()
    for axes in figure.axes:
        boxes = [Text.get_window_extent(note).padded(-0.5, -1) for note in axes.texts]
        frame = axes.get_window_extent()
        assert len(boxes) == len(axes.texts) > 5
        assert [box for box in boxes if not (frame.containsx(box.x0) and frame.containsx(box.x1))] == []
        assert [box for box in boxes if not (frame.containsy(box.y0) and frame.containsy(box.y1))] == []
        assert [(one, other) for one, other in combinations(boxes, 2) if one.overlaps(other)] == []


@pytest.mark.parametrize(
    ("others", "side", "line"),
    [
        ([], (1, 0), False),
        ([(10, 0)], (-1, 0), False),
        ([(9, 6)], (-1, 0), False),
        ([(10, 0), (-10, 0)], (0, 1), False),
        ([(10, 0), (-10, 0), (0, 10), (0, -10)], (1, 1), True),
        ([(10, 3), (-10, 3), (0, 10), (0, -10)], (1, -1), True),
    ],
)
def test_a_text_stands_where_it_belongs(others: list[tuple[float, float]], side: tuple[int, int], line: bool) -> None:
    """Beside its point; not on another, nor nearer to it if there is room elsewhere, and with a line if there is not.

    Points are given in printer's points from the one in the middle, at (72, 72).
    """
    axes = Figure(figsize=(2, 2), dpi=72).add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 144), ylim=(0, 144))
    write_beside(axes, [((72 + x, 72 + y), "10") for x, y in [(0, 0), *others]])
    note = axes.texts[0]
    assert isinstance(note, Annotation)
    assert tuple((offset > 1) - (offset < -1) for offset in note.xyann) == side
    assert (note.arrow_patch is not None) == line


GALLERY = ROOT / "plots"


def test_the_gallery_shows_what_its_table_says() -> None:
    """All networks of the CSV are named in the picture."""
    with (GALLERY / "compare.csv").open(newline="", encoding="utf-8") as file:
        known = [row["network"] for row in csv.DictReader(file) if row["top1_pct"]]
    picture = (GALLERY / "compare.svg").read_text(encoding="utf-8")
    assert len(known) > MOST_NAMED
    assert [name for name in known if name not in picture] == []


@pytest.mark.slow
def test_the_gallery_is_up_to_date(tmp_path: Path) -> None:
    """Of every third network that plots/draw.py compares the lines are those that are there; pictures differ with the
    version of matplotlib."""
    patterns = shlex.split(runpy.run_path(str(GALLERY / "draw.py"))["COMPARED"])
    compared = dict.fromkeys(name for pattern in patterns for name in names("networks") if fnmatch(name, pattern))
    sample = list(compared)[::3]
    assert main(["compare", *sample, "--hw", "edge", "-o", str(tmp_path)]) == 0
    for name in ("compare.csv", "types.csv"):
        header, *lines = (GALLERY / name).read_text(encoding="utf-8").splitlines()
        assert list(dict.fromkeys(line.split(",")[0] for line in lines)) == list(compared)
        kept = [line for line in lines if line.split(",")[0] in sample]
        assert (tmp_path / name).read_text(encoding="utf-8").splitlines() == [header, *kept]


def test_what_energies_are_without_is_said_once() -> None:
    """Of all, of a machine, of a network; and where neither tells the rows apart."""

    def row(network: str, machine: str, parts: str | None) -> ComparedRow:
        return {"network": network, "machine": machine, "not_priced": parts}

    assert unpriced([row("a", "m", None), row("b", "m", None)]) == []
    both = [row("a", "m", "wires"), row("b", "m", "wires, pruned"), row("a", "n", "wires, host")]
    assert unpriced(both) == ["not priced: wires", "not priced of b: pruned", "not priced on n: host"]
    assert unpriced([row("a", "m", "odd"), row("a", "m", None)]) == ["not priced of some: odd"]


def test_what_is_not_priced_stands_under_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    pruned = "squeezenet_v1.0_pruned_6bit"
    out, _ = said(capsys, "squeezenet_v1.1", pruned, "--hw", "edge", "--quiet")
    assert f"not priced of {pruned}: expansion of pruned weights\n" in out
