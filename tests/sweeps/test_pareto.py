"""Does `accelsim pareto` find the points that no other beats, all of them, and show them?"""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.cli import main
from accelsim.report.pareto import Objective, front_figure, non_dominated
from tests.commands import too_large_network
from tests.sweeps.test_sweep import NET, TINY, rows_of, run_here

SENSES = "--minimize and --maximize"
EXPECTED = "expected one to three different columns, such as --minimize latency_ms,energy_total_pj"
AXES = ("total_cycles", "energy_total_pj")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of which some points fail, and some have an accuracy."""
    folder = tmp_path_factory.mktemp("swept")
    large, known = folder / "large.yaml", folder / "known.yaml"
    large.write_text(too_large_network())
    accuracy = "accuracy: {top1_pct: 50, kind: guess, source: me}\n"
    known.write_text(Path(NET).read_text().replace("name: tiny", "name: known") + accuracy)
    run_here(folder, "--network", str(large), "--network", str(known), *TINY)
    return folder


@given(st.data())
def test_the_front_is_that_of_brute_force(data: st.DataObject) -> None:
    number = data.draw(st.integers(1, 3))
    senses = data.draw(st.lists(st.booleans(), min_size=number, max_size=number))
    value = st.integers(0, 4) | st.floats(0, 4)
    points = data.draw(st.lists(st.tuples(*[value] * number), max_size=30))

    def beats(one: Any, other: Any) -> bool:
        as_good = [a >= b if more else a <= b for a, b, more in zip(one, other, senses, strict=True)]
        return all(as_good) and tuple(one) != tuple(other)

    expected = [at for at, point in enumerate(points) if not any(beats(other, point) for other in points)]
    assert non_dominated(points, [Objective("c", more) for more in senses]) == expected


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[str, str]:
    capsys.readouterr()
    assert main(["pareto", *argv]) == 0
    return capsys.readouterr()


def test_failed_points_and_unknown_values_are_left_out(swept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = said(capsys, str(swept), "--minimize", "total_cycles", "--maximize", "top1_pct")
    assert err == (
        "left out: 6 points with an error: 0, 1, 2, 3, 4, 5\n"
        "left out: 6 points without top1_pct: 12, 13, 14, 15, 16, 17\n"
    )
    rows = [row for row in rows_of(swept) if row["top1_pct"]]
    least = min(int(row["total_cycles"]) for row in rows)
    best = [row for row in rows if int(row["total_cycles"]) == least]
    lines = [re.split(" {2,}", line.strip()) for line in out.splitlines()]
    assert [line[0] for line in lines[1:]] == [row["point"] for row in best]
    assert lines[0][-2:] == ["total_cycles", "top1_pct"]
    assert {tuple(line[-2:]) for line in lines[1:]} == {(str(least), "50")}


def test_one_column_has_one_best_point(swept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = said(capsys, str(swept), "--minimize", "latency_ms", "-o", str(tmp_path))
    rows = [row for row in rows_of(swept) if not row["error"]]
    least = min(float(row["latency_ms"]) for row in rows)
    best = [row["point"] for row in rows if float(row["latency_ms"]) == least]
    assert [line.split()[0] for line in out.splitlines()[1:]] == best
    assert [path.name for path in tmp_path.iterdir()] == ["pareto.csv"]


def test_a_setting_is_a_column(swept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = said(capsys, str(swept), "--minimize", "array.rows,total_cycles")
    rows = [row for row in rows_of(swept) if not row["error"]]
    points = [(int(row["array.rows"]), int(row["total_cycles"])) for row in rows]
    best = non_dominated(points, [Objective("array.rows"), Objective("total_cycles")])
    assert [line.split()[0] for line in out.splitlines()[1:]] == [rows[position]["point"] for position in best]


def test_output_folder_gets_the_front_and_a_picture(
    swept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rows of results.csv as they are there; the same bytes each time."""
    argv = (str(swept), "--minimize", ",".join(AXES), "--maximize", "utilization")
    out, _ = said(capsys, *argv, "-o", str(tmp_path / "a"))
    said(capsys, *argv, "-o", str(tmp_path / "b"))
    files = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()}
    assert sorted(files) == ["pareto.csv", "pareto.png", "pareto.svg"]
    front = list(csv.DictReader(io.StringIO(files["pareto.csv"].decode())))
    assert front == [row for row in rows_of(swept) if row["point"] in {line.split()[0] for line in out.splitlines()}]
    assert files["pareto.png"].startswith(b"\x89PNG")
    assert re.search(r"energy_total \([mun]J\)", files["pareto.svg"].decode())
    assert main(["pareto", str(swept), "--minimize", ",".join(AXES), "-o", str(tmp_path / "a")]) == 2
    said(capsys, str(swept), "--minimize", ",".join(AXES), "-o", str(tmp_path / "a"), "--force")


def test_the_picture_shows_each_objective_against_each_other() -> None:
    """Axes with names and units; every point where its row says, the best of them marked and numbered."""
    rows = [
        {"point": n, "network": "a", "machine": "ab"[n % 2], AXES[0]: 1 + n, AXES[1]: 9.0 - n, "top1_pct": 50}
        for n in range(4)
    ]
    objectives = [Objective(AXES[0]), Objective(AXES[1]), Objective("top1_pct", maximize=True)]
    figure = front_figure(rows, [1, 3], objectives)
    cycles, energy, accuracy = "total_cycles (cycles)", "energy_total (pJ)", "top1_pct (%)"
    labels = [(axes.get_xlabel(), axes.get_ylabel()) for axes in figure.axes]
    assert labels == [(cycles, energy), (cycles, accuracy), (energy, accuracy)]
    lines = {str(line.get_label()): list(zip(*line.get_data(), strict=True)) for line in figure.axes[0].get_lines()}
    assert lines == {"a": [(1, 9), (3, 7)], "b": [(2, 8), (4, 6)], "not beaten": [(2, 8), (4, 6)]}
    assert [note.get_text() for note in figure.axes[0].texts] == ["1", "3"]
    assert {line.get_color() for line in figure.axes[0].get_lines()[:2]} == {"#0072b2", "#d55e00"}
    title = figure.get_suptitle()
    assert title == "2 of 4 points that no other beats: least total_cycles, least energy_total_pj, most top1_pct"


def test_many_machines_share_a_colour() -> None:
    rows = [{"point": n, "network": str(n), "machine": str(n), AXES[0]: n, AXES[1]: -n} for n in range(50)]
    axes = front_figure(rows, range(50), [Objective(name) for name in AXES]).axes[0]
    assert [str(line.get_label()) for line in axes.get_lines()] == ["all points", "not beaten"]
    assert not axes.texts


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        ([], f"{SENSES}: {EXPECTED}, got none"),
        (["--minimize", "macs,weights", "--maximize", "macs"], f"{SENSES}: {EXPECTED}, got macs, weights, macs"),
        (["--minimize", "total_cycle,macs"],
         "columns: expected a column of results.csv (did you mean total_cycles?), got 'total_cycle'"),
        (["--minimize", "total_cycles,bound_by"], "columns: expected numbers, as bound_by has not, got "),
        (["--minimize", "top5_pct,macs"],
         "DIR: expected points with these columns, got 6 points with an error: 0, 1, 2, 3, 4, 5; 12 "),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(argv: list[str], problem: str, swept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pareto", str(swept), *argv]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"command-line:0: {problem}")
    assert err.count("\n") == 1


def test_no_sweep_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pareto", str(tmp_path), "--minimize", "macs,weights"]) == 2
    expected = f"command-line:0: DIR: expected a folder with a sweep (sweep.sqlite), got {tmp_path}\n"
    assert capsys.readouterr() == ("", expected)
    assert list(tmp_path.iterdir()) == []
