"""Stores of sweeps from strangers, damaged ones, and ones in use: any cell may be anything."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from accelsim.cli import main
from accelsim.report.writing import locked
from accelsim.sweeps.store import NAME
from accelsim.sweeps.stored import NUMBERS
from accelsim.sweeps.work import COLUMN_NAMES, work

GOOD = Path(__file__).parents[1] / "invalid" / "good"
SWEEP = ("sweep", "--network", str(GOOD / "net.yaml"), "--hw", str(GOOD / "machine.yaml"), "--vary", "array.rows=2,4")
ORIGINAL: list[bytes] = []


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A working directory with a sweep in `out`; a store is made once. Points run in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("accelsim.sweeps.workers.on_processes", lambda tasks, *_, **__: (work(task) for task in tasks))
    out = tmp_path / "out"
    out.mkdir()
    if ORIGINAL:
        (out / NAME).write_bytes(ORIGINAL[0])
    else:
        assert sweep() == 0
        ORIGINAL.append((out / NAME).read_bytes())
    capsys.readouterr()
    return out


def sweep(*options: str) -> int:
    return main([*SWEEP, "--jobs", "1", "-o", "out", *options])


def change(folder: Path, *statements: str, values: tuple[Any, ...] = ()) -> None:
    with closing(sqlite3.connect(folder / NAME, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        for statement in statements:
            connection.execute(statement, values if "?" in statement else ())


def readers() -> Iterator[list[str]]:
    yield ["pareto", "out", "--minimize", "total_cycles,energy_total_pj"]
    yield ["report", "out", "-o", "page.html", "--force"]
    for kind in ("energy", "array-size"):
        yield ["plot", "out", "--kind", kind, "-o", "picture.svg", "--force"]


JUNK: list[Any] = [
    None,
    "",
    "{",
    "[[[[",
    b"\xff\x00",
    -1,
    1 << 62,
    1e308,
    float("nan"),
    float("inf"),
    "x\x1b[31m",
    "[]",
    "{}",
]
CELLS = {
    "about": ("value",),
    "points": ("network", "machine", "settings", "config_sha256", "network_sha256", "first"),
    "results": (
        "outcome",
        "error",
        "total_cycles",
        "inferences",
        "energy_total_pj",
        "energy_wire_pj",
        "accuracy_kind",
        "bound_by",
    ),
    "configs": ("json", "sha256"),
}


QUICK = (("about", "value"), ("points", "settings"), ("results", "total_cycles"))
ALL = [(table, column) for table in CELLS for column in CELLS[table]]


@pytest.mark.parametrize(
    ("table", "column"),
    [pytest.param(*cell, marks=[] if cell in QUICK else pytest.mark.slow, id=".".join(cell)) for cell in ALL],
)
def test_cells_may_have_anything(table: str, column: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake or a result that does not rest on the cell, never a traceback; `--force` repairs."""
    for junk in JUNK:
        (folder / NAME).write_bytes(ORIGINAL[0])
        try:
            change(folder, f"UPDATE OR REPLACE {table} SET {column} = ?", values=(junk,))
        except sqlite3.Error:
            continue
        for argv in readers():
            assert main(argv) in (0, 2)
            err = capsys.readouterr().err
            assert err.isascii()
            assert "\x1b" not in err
            assert len(err.splitlines()) <= 2
        code = sweep()
        out, err = capsys.readouterr()
        assert (code, out) == (2, "") or out.startswith("2 points: 2 done")
        assert sweep("--force") == 0
        assert capsys.readouterr().out.startswith("2 points: 2 done")
        assert sweep() == 0
        capsys.readouterr()


def test_columns_that_have_to_be_numbers_are_columns() -> None:
    assert set(NUMBERS) <= set(COLUMN_NAMES)


def test_cells_in_the_words_of_a_mistake(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(folder, "UPDATE results SET total_cycles = 'many'")
    assert main(["pareto", "out", "--minimize", "total_cycles,macs"]) == 2
    expected = "out/sweep.sqlite:0: results.total_cycles: expected a number from 0 to 1e30, got 'many'\n"
    assert capsys.readouterr() == ("", expected)


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 'format' AS key, i AS value FROM n"


@pytest.mark.parametrize(
    "statements",
    [
        pytest.param(["DROP TABLE about", f"CREATE VIEW about AS {ENDLESS}"], id="endless-view"),
        pytest.param(["DROP TABLE results"], id="no-table"),
        pytest.param(["ALTER TABLE results ADD COLUMN more"], id="column"),
        pytest.param(["CREATE TRIGGER t AFTER DELETE ON points BEGIN DELETE FROM results; END"], id="trigger"),
        pytest.param(["DELETE FROM about"], id="nothing-about"),
        pytest.param(["UPDATE sqlite_master SET sql = 'CREATE TABLE results (a)' WHERE name = 'results'"], id="schema"),
    ],
)
def test_tables_that_are_not_ours(statements: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(folder, *statements)
    for argv in readers():
        assert main(argv) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert sweep() == 2
    assert sweep("--force") == 0


@pytest.mark.parametrize("table", ["points", "results", "configs", "about"])
def test_rows_that_are_gone(table: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing says `0 points` and that it is fine."""
    change(folder, f"DELETE FROM {table}")
    code = sweep()
    assert (code == 0) == (table == "results")
    assert "0 points" not in capsys.readouterr().out
    assert sweep("--force") == 0


def test_a_store_that_is_cut_off_is_repaired_by_force(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / NAME).write_bytes(ORIGINAL[0][: len(ORIGINAL[0]) // 2])
    assert sweep() == 2
    assert main(["pareto", "out", "--minimize", "total_cycles,macs"]) == 2
    assert sweep("--force") == 0


def test_a_full_disk_leaves_the_store_as_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And is what is said of it."""
    connect = sqlite3.connect

    def full(path: Path | str, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(path, **options)
        if path != ":memory:":
            connection.execute("PRAGMA max_page_count = 1")
        return connection

    before = (folder / NAME).read_bytes()
    monkeypatch.setattr("accelsim.sweeps.store.sqlite3.connect", full)
    assert sweep("--vary", f"array.cols={','.join(map(str, range(1, 200)))}", "--force") == 2
    assert capsys.readouterr().err == (
        "out/sweep.sqlite:0: file: expected a store of sweeps that can be written, got database or disk is full\n"
    )
    assert (folder / NAME).read_bytes() == before


def test_a_store_that_another_process_has_locked_is_not_taken_for_a_damaged_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("accelsim.sweeps.store._PATIENCE_SECONDS", 0.05)
    before = (folder / NAME).read_bytes()
    with closing(sqlite3.connect(folder / NAME, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert sweep("--force") == 2
    assert capsys.readouterr().err == (
        "out/sweep.sqlite:0: file: expected a store of sweeps that can be written, got database is locked\n"
    )
    assert (folder / NAME).read_bytes() == before


def test_a_folder_of_another_sweep_that_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("accelsim.report.writing.PATIENCE_SECONDS", 0.1)
    with locked(folder):
        assert sweep() == 2
    expected = "command-line:0: -o: expected a folder that no other process writes to, got out\n"
    assert capsys.readouterr() == ("", expected)


def test_a_reader_is_waited_for_and_no_point_dropped(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("accelsim.sweeps.store._PATIENCE_SECONDS", 0.05)
    change(folder, "DELETE FROM results")
    reader = sqlite3.connect(folder / NAME, isolation_level=None, check_same_thread=False)
    with closing(reader):
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM points").fetchone()
        leave = threading.Timer(1, lambda: reader.execute("ROLLBACK"))
        leave.start()
        assert sweep() == 0
        leave.join()
    out, err = capsys.readouterr()
    assert out.startswith("2 points: 2 done")
    assert "is in use by another process, for which this one waits" in err
