"""Are sweeps what their points would be one by one, whoever runs them and whatever happens meanwhile?"""

from __future__ import annotations

import csv
import io
import multiprocessing
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from accelsim.cli import main, progress
from accelsim.config.resolved import config_hash
from accelsim.run.define import load_network
from accelsim.run.result import Run
from accelsim.run.simulate import simulate
from accelsim.sweeps import sweep as sweeping
from accelsim.sweeps.points import Points
from accelsim.sweeps.spec import inline_sweep, read_sweep
from accelsim.sweeps.store import NAME, opened
from accelsim.sweeps.sweep import run_sweep
from accelsim.sweeps.work import COLUMN_NAMES, Finished, PointTask, work
from accelsim.sweeps.workers import on_processes
from tests.commands import heeds_interrupts, too_large_network

ROOT = Path(__file__).parents[2]
GOOD = Path(__file__).parents[1] / "invalid" / "good"
NET, MACHINE = str(GOOD / "net.yaml"), str(GOOD / "machine.yaml")
TINY = ("--network", NET, "--hw", MACHINE, "--vary", "array.rows=2,4,8", "--vary", "array.dataflow=ws,os")
SLOW = (
    "--network",
    "mobilenet_v1_0.25_128",
    "--hw",
    "edge",
    "--vary",
    "array.rows=" + ",".join(map(str, range(4, 44, 4))),
)
TIMEOUT_S = 120


def swept(folder: Path, *argv: str, code: int = 0) -> bytes:
    """What `accelsim sweep` exports."""
    assert main(["sweep", *argv, "-o", str(folder)]) == code
    return (folder / "results.csv").read_bytes()


def rows_of(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((folder / "results.csv").read_text())))


def here(ran: list[PointTask] | None = None) -> Callable[[Iterator[PointTask]], Iterator[Finished]]:
    """Workers that are no processes; tasks are noted in `ran`."""

    def workers(tasks: Iterator[PointTask]) -> Iterator[Finished]:
        for task in tasks:
            if ran is not None:
                ran.append(task)
            yield work(task)

    return workers


def run_here(folder: Path, *argv: str, force: bool = False) -> list[PointTask]:
    """Run an inline sweep in this process; gives the tasks that were worked on."""
    options = list(zip(argv[::2], argv[1::2], strict=True))
    networks, machines = ([value for name, value in options if name == word] for word in ("--network", "--hw"))
    axes, where = ([(0, value) for name, value in options if name == word] for word in ("--vary", "--where"))
    ran: list[PointTask] = []
    run_sweep(inline_sweep(networks, machines, axes, where), folder, here(ran), lambda _: lambda: None, force=force)
    return ran


def points_of(spec: Path | str) -> list[tuple[str, str, dict[str, Any]]]:
    return [(point.network.name, point.machine.name, point.settings) for point in Points(read_sweep(str(spec)))]


def results_in(folder: Path) -> int:
    """How many results are on disk."""
    try:
        with closing(sqlite3.connect(f"file:{folder / NAME}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM results").fetchone()[0])
    except sqlite3.Error:
        return 0


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_row_is_what_a_run_of_its_own_says(tmp_path: Path) -> None:
    """To the last digit; the identity of a point is the hash in its run.json."""
    argv = ("--vary", "network.batch=1,2", "--vary", "dram.device=ideal_hbm2,ideal_ddr3")
    run_here(tmp_path, "--network", "mobilenet_v1_0.25_224", "--hw", "edge", *argv)
    rows = rows_of(tmp_path)
    assert [(row["network.batch"], row["dram.device"]) for row in rows] == [
        (batch, device) for batch in "12" for device in ("ideal_hbm2", "ideal_ddr3")
    ]
    assert list(rows[0])[-len(COLUMN_NAMES) :] == list(COLUMN_NAMES)
    for number, row in enumerate(rows):
        run = simulate("mobilenet_v1_0.25_224", "edge", {name: row[name] for name in ("network.batch", "dram.device")})
        totals = {name: "" if value is None else str(value) for name, value in run.totals.items()}
        assert {name: row[name] for name in totals} == totals
        assert (row["point"], row["machine"], row["batch"], row["error"]) == (
            str(number),
            "edge",
            row["network.batch"],
            "",
        )
        assert row["top1_pct"] == "50.6"
        assert identity(tmp_path, number) == config_hash(run.config)


def identity(folder: Path, point: int) -> str:
    with closing(sqlite3.connect(folder / NAME)) as connection:
        return str(connection.execute("SELECT config_sha256 FROM points WHERE point = ?", (point,)).fetchone()[0])


SPEC = """\
networks: [net.yaml, "cmp_resnet_1?"]
machines: ["m*.yaml"]
grid:
  array.rows: [2, 4]
  network.prune: [null, {density: 0.5}]
zipped:
  - {array.cols: [2, 4], vector.lanes: [1, 2]}
listed:
  - {sram.line_buffer: true}
  - {dram: other.yaml, array.overlap: false}
where:
  - array.rows * array.cols <= 8
  - 2 * vector.lanes == array.cols and array.clock_mhz / 2 < 1e9
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    folder = tmp_path / "spec"
    shutil.copytree(GOOD, folder)
    (folder / "sweep.yaml").write_text(SPEC)
    shutil.copy(ROOT / "hwconfigs" / "dram" / "ideal_hbm2.yaml", folder / "other.yaml")
    return folder / "sweep.yaml"


def test_a_spec_says_which_points(spec: Path) -> None:
    """Networks, machines, then axes, the last one fastest; files are those beside the spec."""
    expected = [
        (
            network,
            "tiny",
            {"array.rows": rows, "network.prune": prune, "array.cols": cols, "vector.lanes": cols // 2, **listed},
        )
        for network in ("tiny", "cmp_resnet_13")
        for rows in (2, 4)
        for prune in (None, {"density": 0.5})
        for cols in (2, 4)
        for listed in ({"sram.line_buffer": True}, {"dram": "other.yaml", "array.overlap": False})
        if rows * cols <= 8
    ]
    assert points_of(spec) == expected


def test_the_documented_spec_is_one(spec: Path) -> None:
    text = (ROOT / "docs" / "sweeps.md").read_text(encoding="utf-8")
    spec.write_text(text.split("```yaml\n")[1].split("```")[0])
    shutil.copy(spec.parent / "net.yaml", spec.parent / "mine.yaml")
    (spec.parent / "frugal.yaml").write_text("scheduling: {objective: dram_bytes}\n")
    (spec.parent / "machines").mkdir()
    shutil.move(spec.parent / "machine.yaml", spec.parent / "machines" / "mine.yaml")
    points = points_of(spec)
    assert len(points) == 6 * 2 * 2**4
    assert {machine for _, machine, _ in points} == {"edge", "tiny"}


def test_a_spec_and_its_command_line_are_one_sweep(spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With lists as values, too."""
    widths = "[16,16,32,32,48,48,64,64]", "[8,8,16,16,24,24,32,32]"
    spec.write_text(
        "networks: [squeezenet_v1.0]\nmachines: [edge]\n"
        f"grid: {{network.s1x1: [{', '.join(widths)}], array.rows: [4, 8]}}\n"
    )
    axes = [(1, f"network.s1x1={','.join(widths)}"), (2, "array.rows=4, 8")]
    inline = Points(inline_sweep(["squeezenet_v1.0"], ["edge"], axes, []))
    assert [point.settings for point in inline] == [settings for _, _, settings in points_of(spec)]
    assert len({point.sha256 for point in inline}) == 4


def test_constraints_leave_out_what_would_be_wrong(tmp_path: Path) -> None:
    """A combination that no machine can have is no mistake where a constraint rules it out."""
    axes = [(0, "array.cols=2,1024"), (0, "sram.accumulator.capacity_bytes=1024,16384")]
    wanted = inline_sweep([NET], [MACHINE], axes, [(0, "sram.accumulator.capacity_bytes >= 8 * array.cols")])
    assert [tuple(point.settings.values()) for point in Points(wanted)] == [(2, 1024), (2, 16384), (1024, 16384)]


@pytest.mark.slow
def test_the_export_does_not_depend_on_who_ran(tmp_path: Path) -> None:
    """One worker, two, one for each point, or none: the same bytes."""
    exports = {
        swept(tmp_path / "one", *TINY, "--jobs", "1"),
        swept(tmp_path / "two", *TINY, "--jobs", "2"),
        swept(tmp_path / "fresh", *TINY, "--no-cache"),
    }
    run_here(tmp_path / "here", *TINY)
    exports.add((tmp_path / "here" / "results.csv").read_bytes())
    assert len(exports) == 1
    assert len(rows_of(tmp_path / "one")) == 6


def test_equal_points_run_once(tmp_path: Path) -> None:
    """And each has its row."""
    assert len(run_here(tmp_path, "--network", NET, "--hw", MACHINE, "--vary", "array.mac_latency=1,2,1")) == 2
    first, _, last = rows_of(tmp_path)
    assert {**first, "point": "2"} == last


def test_the_same_command_does_only_what_is_missing(tmp_path: Path) -> None:
    class StopError(Exception):
        pass

    def some(tasks: Iterator[PointTask]) -> Iterator[Finished]:
        for number, finished in enumerate(here()(tasks)):
            if number == 2:
                raise StopError
            yield finished

    wanted = inline_sweep([NET], [MACHINE], [(0, "array.rows=2,4,8"), (0, "array.dataflow=ws,os")], [])
    with pytest.raises(StopError):
        run_sweep(wanted, tmp_path / "a", some, lambda _: lambda: None)
    assert len(run_here(tmp_path / "a", *TINY)) == 4
    assert run_here(tmp_path / "a", *TINY) == []
    assert len(run_here(tmp_path / "b", *TINY)) == 6
    assert (tmp_path / "a" / "results.csv").read_bytes() == (tmp_path / "b" / "results.csv").read_bytes()


def process(*argv: str) -> subprocess.Popen[str]:
    """`accelsim` in a process and process group of its own."""
    line = [sys.executable, "-m", "accelsim", *argv]
    everything = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    return subprocess.Popen(
        line,
        env=everything,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heeds_interrupts,
    )


@pytest.mark.slow
def test_a_sweep_that_was_killed_goes_on(tmp_path: Path) -> None:
    """kill -9 of the parent loses no finished point; its workers end by themselves."""
    running = process("sweep", *SLOW, "--jobs", "2", "-o", str(tmp_path / "a"))
    until(lambda: results_in(tmp_path / "a") >= 2)
    running.kill()
    running.communicate()
    kept = results_in(tmp_path / "a")
    assert 2 <= kept < 10
    until(lambda: not alive_in_group(running.pid))
    assert not (tmp_path / "a" / "results.csv").exists()
    assert len(run_here(tmp_path / "a", *SLOW)) == 10 - kept
    run_here(tmp_path / "b", *SLOW)
    assert (tmp_path / "a" / "results.csv").read_bytes() == (tmp_path / "b" / "results.csv").read_bytes()


def alive_in_group(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_ctrl_c_keeps_what_is_finished(tmp_path: Path) -> None:
    """Exit code 130 and one word, from the parent alone."""
    running = process("sweep", *SLOW, "--network", "densenet121", "--jobs", "2", "-o", str(tmp_path))
    until(lambda: results_in(tmp_path) >= 1)
    os.killpg(running.pid, signal.SIGINT)
    assert running.communicate(timeout=TIMEOUT_S) == ("", "interrupted\n")
    assert running.returncode == 130
    assert 1 <= results_in(tmp_path) < 20
    until(lambda: not alive_in_group(running.pid))


@pytest.mark.slow
def test_a_worker_that_was_killed_is_recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The others go on, and the same command again tries its point anew."""

    def kill_one(_: int) -> Callable[[], None]:
        victims = []

        def step() -> None:
            if not victims:
                victims.append(multiprocessing.active_children()[0])
                victims[0].kill()

        return step

    wanted = inline_sweep([SLOW[1]], [SLOW[3]], [(0, SLOW[5])], [])
    summary = run_sweep(wanted, tmp_path / "a", lambda tasks: on_processes(tasks, 2), kill_one)
    assert summary.counts == {"done": 9, "failed": 1}
    (error,) = summary.errors
    assert error.endswith(": its worker died: SIGKILL")
    assert [row["error"] for row in rows_of(tmp_path / "a") if row["error"]] == ["its worker died: SIGKILL"]
    assert multiprocessing.active_children() == []
    assert len(run_here(tmp_path / "a", *SLOW)) == 1
    run_here(tmp_path / "b", *SLOW)
    assert (tmp_path / "a" / "results.csv").read_bytes() == (tmp_path / "b" / "results.csv").read_bytes()


def test_tasks_are_taken_as_they_are_needed() -> None:
    """One for each worker, and one more for each that is finished; nonsense is a result, too."""
    taken = []

    def tasks() -> Iterator[Any]:
        for number in range(5):
            taken.append(number)
            yield PointTask(str(number), "{", "{")

    finished = on_processes(tasks(), 2)
    assert next(finished).outcome == "failed"
    assert len(taken) == 3
    assert len(list(finished)) == 4


@pytest.fixture
def large(tmp_path: Path) -> str:
    """A network with a layer that does not fit the machine."""
    path = tmp_path / "large.yaml"
    path.write_text(too_large_network("large"))
    return str(path)


def test_a_point_that_fails_is_recorded(tmp_path: Path, large: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The others are run, the exit code is 1; it is not tried again, as it would fail again."""
    argv = ("--network", large, *TINY)
    swept(tmp_path / "out", *argv, code=1)
    out, err = capsys.readouterr()
    assert out == f"12 points: 6 done, 6 refused; {tmp_path / 'out' / 'results.csv'}\n"
    lines = err.splitlines()
    assert len(lines) == 6
    assert lines[1] == (
        "large on tiny array.rows=2 array.dataflow=os: tiny:0: sram: expected room for layer b, got none: "
        "its smallest tile fits no half of the activation buffer"
    )
    rows = rows_of(tmp_path / "out")
    assert [bool(row["error"]) for row in rows] == [True] * 6 + [False] * 6
    assert {row["total_cycles"] for row in rows if row["error"]} == {""}
    assert all(row["total_cycles"] for row in rows if not row["error"])
    assert run_here(tmp_path / "out", *argv) == []
    swept(tmp_path / "out", *argv, code=1)


def test_a_plan_that_does_not_fit_a_point_is_named_by_its_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("scheduling: {plan: {keep: [{match: none}]}}")
    argv = ("--network", NET, "--hw", MACHINE, "--vary", "array.rows=2", "--mapping", str(path))
    swept(tmp_path / "out", *argv, code=1)
    assert capsys.readouterr().err == (
        "tiny on tiny array.rows=2: sweep:0: scheduling.plan.keep.0.match: expected a layer whose feature map later "
        "layers read, and that is no output, or a pattern of some, got none\n"
    )


def test_a_point_with_several_mistakes_has_a_line_of_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("scheduling: {plan: {keep: [{match: none}, {match: nil}, {match: no}]}}")
    swept(tmp_path / "out", "--network", NET, "--hw", MACHINE, "--mapping", str(path), code=1)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("tiny on tiny: sweep:0: scheduling.plan.keep.0.match: expected a layer")
    assert line.endswith("got none (and 2 more)")


def test_many_errors_are_told_in_short(tmp_path: Path, large: str, capsys: pytest.CaptureFixture[str]) -> None:
    swept(
        tmp_path / "out", "--network", large, "--hw", MACHINE, "--vary", "array.rows=1,2,3,4,5,6,7,8,9,10,11,12", code=1
    )
    lines = capsys.readouterr().err.splitlines()
    assert (len(lines), lines[-1]) == (11, "and 2 more")


def test_a_defect_is_recorded_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Run:
        raise AssertionError("no such\nthing")

    with monkeypatch.context() as patch:
        patch.setattr("accelsim.sweeps.work.run_network", broken)
        assert len(run_here(tmp_path, *TINY)) == 6
    assert {row["error"] for row in rows_of(tmp_path)} == {"AssertionError: no such thing"}
    assert len(run_here(tmp_path, *TINY)) == 6
    assert {row["error"] for row in rows_of(tmp_path)} == {""}


FORCE = f"a folder without another sweep than this one of accelsim {sweeping.__version__}, or --force"


def test_another_sweep_needs_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And has what it shares with the one that it replaces: its points, and no others."""
    before = swept(tmp_path / "out", *TINY)
    more = (*TINY[:4], "--vary", "array.rows=4,8,16", *TINY[6:])
    capsys.readouterr()
    assert main(["sweep", *more, "-o", str(tmp_path / "out")]) == 2
    expected = f"command-line:0: -o: expected {FORCE}, got {tmp_path / 'out'} with another one\n"
    assert capsys.readouterr() == ("", expected)
    assert (tmp_path / "out" / "results.csv").read_bytes() == before
    assert run_here(tmp_path / "out", *TINY) == []
    assert len(run_here(tmp_path / "out", *more, force=True)) == 2
    run_here(tmp_path / "new", *more)
    assert (tmp_path / "out" / "results.csv").read_bytes() == (tmp_path / "new" / "results.csv").read_bytes()


def test_results_of_another_model_are_never_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_here(tmp_path, *TINY)
    with closing(sqlite3.connect(tmp_path / NAME)) as connection, connection:
        connection.execute("UPDATE about SET value = '0.0.9' WHERE key = 'accelsim_version'")
        connection.execute("UPDATE results SET total_cycles = 7")
    assert main(["sweep", *TINY, "-o", str(tmp_path)]) == 2
    got = f"got {tmp_path} with one of accelsim 0.0.9, format 2\n"
    assert capsys.readouterr() == ("", f"command-line:0: -o: expected {FORCE}, {got}")
    assert main(["pareto", str(tmp_path), "--minimize", "total_cycles,macs"]) == 2
    assert capsys.readouterr().err.endswith(got)
    assert len(run_here(tmp_path, *TINY, force=True)) == 6
    assert "7" not in {row["total_cycles"] for row in rows_of(tmp_path)}


def test_a_changed_file_is_another_sweep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    machine = tmp_path / "machine.yaml"
    shutil.copy(MACHINE, machine)
    argv = ("--network", NET, "--hw", str(machine), "--vary", "array.rows=2,4")
    run_here(tmp_path / "out", *argv)
    machine.write_text(machine.read_text() + "description: the same clocks\n")
    assert main(["sweep", *argv, "-o", str(tmp_path / "out")]) == 2
    assert len(run_here(tmp_path / "out", *argv, force=True)) == 2


def test_what_is_no_store_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "results.csv").write_text("precious")
    assert main(["sweep", *TINY, "-o", str(tmp_path / "a")]) == 2
    assert (tmp_path / "a" / "results.csv").read_text() == "precious"
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / NAME).write_text("precious" * 1000)
    assert main(["sweep", *TINY, "-o", str(tmp_path / "b"), "--force"]) == 2
    assert (tmp_path / "b" / NAME).read_text() == "precious" * 1000
    (tmp_path / "c").write_text("precious")
    assert main(["sweep", *TINY, "-o", str(tmp_path / "c")]) == 2
    assert capsys.readouterr() == (
        "",
        f"command-line:0: -o: expected {FORCE}, got {tmp_path / 'a'} with results.csv\n"
        f"{tmp_path / 'b' / NAME}:0: file: expected a store of sweeps that can be written, got file is not a database\n"
        "command-line:0: -o: expected a folder that can be written, got File exists\n",
    )


def test_mistakes_leave_nothing_behind(tmp_path: Path) -> None:
    assert main(["sweep", *TINY, "--vary", "array.colz=1", "-o", str(tmp_path / "out")]) == 2
    assert not (tmp_path / "out").exists()


def test_many_wrong_points_are_not_all_resolved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where they have few mistakes among them, too."""
    monkeypatch.setattr("accelsim.sweeps.points.MAX_MISTAKES", 3)
    axes = ("--vary", "array.rows=x", "--vary", "array.mac_latency=1,2,3,4,5,6")
    assert main(["sweep", "--network", NET, "--hw", MACHINE, *axes, "-o", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == (
        "command-line:0: points: expected at most 3 that are wrong, got more\n"
        "command-line:6: array.rows: expected a whole number, got 'x'\n"
    )


def test_a_pattern_of_many_wrong_files_does_not_read_them_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong file is read once, and no more than a few are; what is right is not counted."""
    monkeypatch.setattr("accelsim.sweeps.points.MOST_REFUSED", 3)
    opened: list[str] = []

    def load(name: str, *others: Any) -> Any:
        opened.append(name)
        return load_network(name, *others)

    monkeypatch.setattr("accelsim.sweeps.points.load_network", load)
    for number in range(9):
        (tmp_path / f"f{number}.yaml").write_text("name: n\n")
    argv = ["--network", str(tmp_path / "f*.yaml"), "--hw", MACHINE, "--vary", "array.rows=1,2"]
    assert main(["sweep", *argv, "-o", str(tmp_path / "out")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == "command-line:0: points: expected at most 3 wrong networks and machines, got more"
    assert sorted(opened) == [str(tmp_path / f"f{number}.yaml") for number in range(4)]


def test_the_store_is_as_documented(tmp_path: Path) -> None:
    """The tables and columns that docs/sweeps.md names are there."""
    run_here(tmp_path, *TINY)
    text = (ROOT / "docs" / "sweeps.md").read_text(encoding="utf-8")
    with closing(sqlite3.connect(tmp_path / NAME)) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
            assert f"`{table}`" in text
            for _, column, *_ in connection.execute(f"PRAGMA table_info({table})"):
                assert f"`{column}`" in text or column in COLUMN_NAMES


def test_progress_says_how_many_how_fast_and_how_long(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a terminal; nothing in a pipe."""
    swept(tmp_path / "quiet", *TINY)
    assert capsys.readouterr().err == ""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    times = iter([0, *(10 * step for step in range(7))])
    monkeypatch.setattr(progress, "monotonic", lambda: next(times))
    monkeypatch.setattr(sys, "stderr", Terminal())
    swept(tmp_path / "watched", *TINY)
    shown = sys.stderr.getvalue().split(progress.ERASE_LINE)
    assert shown[1:4] == ["0/6", "1/6  0.1/s  0:50 left", "2/6  0.1/s  0:40 left"]
    assert shown[-2:] == ["6/6  0.1/s  0:00 left", ""]


def test_the_store_can_be_read_meanwhile(tmp_path: Path) -> None:
    run_here(tmp_path, *TINY)
    with opened(tmp_path) as store:
        assert store.counts() == {"done": 6}
        assert run_here(tmp_path, *TINY) == []


def test_workers_leave_ctrl_c_to_their_parent() -> None:
    """A terminal sends it to all of them; they go on until they are stopped."""

    def tasks() -> Iterator[PointTask]:
        yield PointTask("0", "{", "{")
        (worker,) = multiprocessing.active_children()
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGINT)
        yield PointTask("1", "{", "{")

    errors = [finished.error for finished in on_processes(tasks(), 1)]
    assert [str(error).split(":")[0] for error in errors] == ["JSONDecodeError"] * 2
