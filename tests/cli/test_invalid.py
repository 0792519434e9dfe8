"""Bad input is refused: one line for each mistake, exit code 2, nothing on standard output, no traceback.

A case is a text file in `invalid/`: what it shows; the files it needs, each after a line `== NAME`; then command lines,
each after `$ ` and followed by exactly what standard error must say. `invalid/good/` is there in every case, and fine.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from accelsim.cli import main
from accelsim.cli.commands.gemm import LARGEST
from accelsim.config.strict_yaml import MAX_FILE_BYTES
from accelsim.config.workload import MAX_EXTENT
from tests.commands import refused

FOLDER = Path(__file__).parents[1] / "invalid"
GOOD = FOLDER / "good"
LINE = re.compile(r"[^\n]+:\d+: [^\n:]+: expected [^\n]+, got [^\n]+\n")
FORCE = "a folder without another run, or --force"


@dataclass(frozen=True)
class Case:
    """Files, a command line on them, and what standard error must be."""

    files: dict[str, str]
    command: str
    stderr: str


def read_case(path: Path) -> Iterator[Case]:
    """The cases of a case file: one for each command line."""
    about, *commands = re.split(r"^\$ (accelsim.*)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    _, *parts = re.split(r"^== (.*)\n", about, flags=re.MULTILINE)
    files = dict(zip(parts[::2], parts[1::2], strict=True))
    for command, stderr in zip(commands[::2], commands[1::2], strict=True):
        yield Case(files, command, stderr)


CASES = [
    pytest.param(case, id=f"{path.stem}-{number}")
    for path in sorted(FOLDER.glob("*.txt"))
    for number, case in enumerate(read_case(path), 1)
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the good files."""
    shutil.copytree(GOOD, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_good_files_are_good(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "net.yaml", "machine.yaml"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("case", CASES)
def test_each_mistake_is_one_line(case: Case, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert refused(shlex.split(case.command)[1:], capsys) == case.stderr
    assert re.fullmatch(f"({LINE.pattern})+", case.stderr)


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        pytest.param(b"name: \xff\xfe\n", 0, "UTF-8 text, got other bytes", id="other-bytes"),
        pytest.param("name: tiny\n".encode("utf-16"), 0, "UTF-8 text, got other bytes", id="utf-16"),
        pytest.param(b"name: tiny\n\nvector: \x00\n", 3, "YAML, got a control character", id="null-byte"),
        pytest.param(b"#" * (MAX_FILE_BYTES + 1), 0, f"at most {MAX_FILE_BYTES} bytes, got a larger file", id="large"),
    ],
)
def test_a_file_that_is_no_text(
    content: bytes, line: int, problem: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "machine.yaml").write_bytes(content)
    assert refused(["run", "net.yaml", "machine.yaml"], capsys) == f"machine.yaml:{line}: file: expected {problem}\n"


def test_nesting_without_end_ends_quickly(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Some versions of libyaml have a limit of their own, and come to it first."""
    (folder / "net.yaml").write_text("layers: " + "[" * 1_000_000)
    expected = r"net\.yaml:1: (layers\.0\.0|file): expected at most 40 levels, got more\n"
    assert re.fullmatch(expected, refused(["run", "net.yaml", "machine.yaml"], capsys))


def test_a_file_that_can_not_be_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    expected = "machine.yaml:0: file: expected a readable file, got Permission denied\n"
    assert refused(["show", "machine.yaml"], capsys) == expected


def output_is_a_file(folder: Path) -> str:
    (folder / "out").write_text("precious")
    return "a folder that can be written, got File exists"


def output_is_below_a_file(folder: Path) -> str:
    (folder / "out").mkdir()
    (folder / "out" / "run.json").mkdir()
    return "a folder that can be written, got a folder in the place of a file"


def output_has_another_run(folder: Path) -> str:
    assert main(["run", "net.yaml", "machine.yaml", "-o", "out", "--set", "array.rows=2"]) == 0
    return f"{FORCE}, got out with layers.csv, run.json"


@pytest.mark.parametrize("prepare", [output_is_a_file, output_is_below_a_file, output_has_another_run])
def test_output_that_would_destroy_something(
    prepare: Callable[[Path], str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = prepare(folder)
    before = contents(folder)
    capsys.readouterr()
    err = refused(["run", "net.yaml", "machine.yaml", "-o", "out"], capsys)
    assert err == f"command-line:0: -o: expected {problem}\n"
    assert contents(folder) == before


def contents(folder: Path) -> dict[Path, bytes | None]:
    """Everything below a folder."""
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.mark.parametrize("command", ["run net.yaml nope", "run net.yaml machine.yaml --set array.rows=0", "fly"])
def test_a_process_ends_with_code_2_and_no_traceback(command: str, folder: Path) -> None:
    root = str(FOLDER.parent.parent)
    line = [sys.executable, "-m", "accelsim", *command.split()]
    done = subprocess.run(line, capture_output=True, text=True, env={"PYTHONPATH": root}, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert LINE.fullmatch(done.stderr)


def test_the_command_line_and_files_agree_on_the_largest_extent() -> None:
    """The parser has a copy of the number, because importing the schema would make `--help` slow."""
    assert LARGEST == MAX_EXTENT
