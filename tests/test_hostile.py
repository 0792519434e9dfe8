"""Files from strangers: nothing else is read, nothing hangs, nothing reaches the terminal or a spreadsheet raw."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from accelsim import UserError, define_network
from accelsim.cli import main
from accelsim.config import places
from accelsim.config.load import matching
from accelsim.config.strict_json import parse_json
from accelsim.errors import MAX_MISTAKES, Mistake, shorten

HERE = Path(__file__).parent
GOOD = HERE / "invalid" / "good"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a machine and a network."""
    for path in GOOD.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a command line that must be refused says on standard error."""
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    return err


def naming(device: str) -> str:
    return (GOOD / "machine.yaml").read_text().replace("ideal_lpddr4", device)


ELSEWHERE = "a file below the folder of this one, or --allow-path, or the name of a shipped DRAM device"


def test_files_elsewhere_behind_a_link(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A link below the folder does not make what it leads to part of it."""
    (folder / "own").mkdir()
    (folder / "secret.yaml").write_text("kind: secret")
    (folder / "own" / "link.yaml").symlink_to("../secret.yaml")
    (folder / "own" / "machine.yaml").write_text(naming("link.yaml"))
    err = refused(["show", "own/machine.yaml"], capsys)
    assert err == f"own/machine.yaml:9: dram.device: expected {ELSEWHERE}, got 'link.yaml'\n"


def test_files_elsewhere_that_the_user_allows(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "own").mkdir()
    assert main(["show", "edge"]) == 0
    (folder / "part.yaml").write_text(
        "kind: ideal\nclock_mhz: 1\nbytes_per_clock: 1\nlatency_clocks: 0\nburst_bytes: 1"
    )
    (folder / "own" / "machine.yaml").write_text(naming("../part.yaml"))
    assert main(["show", "own/machine.yaml", "--allow-path", "."]) == 0
    capsys.readouterr()
    assert "--allow-path" in refused(["show", "own/machine.yaml"], capsys)


@pytest.mark.parametrize("name", ["fifo", "/dev/zero", "."])
def test_files_that_are_no_regular_ones(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo("fifo")
    kind = {"fifo": "a FIFO", "/dev/zero": "a device"}.get(name)
    if kind:
        assert refused(["reprice", name, "--energy", "edge"], capsys) == (
            f"{name}:0: file: expected a regular file, got {kind}\n"
        )
    (folder / "machine.yaml").write_text(naming(name))
    for argv in (["run", name, "edge"], ["run", "net.yaml", name], ["run", "net.yaml", "machine.yaml"]):
        assert "expected a file" in refused(argv, capsys)
    assert "expected a trace file" in refused(["dram", "ddr4-2400-x8", name], capsys)


def test_patterns_that_look_everywhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "MOST_VISITED", 10)
    for name in "abc":
        (folder / name).mkdir()
    with pytest.raises(UserError, match="a pattern for which no more than 10 files are looked at"):
        matching("*/../*/../*/../*.toml", "networks")
    assert matching("n*.yaml", "networks") == ["net.yaml"]
    with pytest.raises(UserError, match="a pattern that matches files"):
        matching("\0/*", "networks")


def test_text_in_mistakes_is_on_one_line_and_plain() -> None:
    line = str(Mistake("a\nb", 1, "k\x1b[31m\u202e", "x" * 1000, shorten("\ud800" * 1000)))
    assert line.startswith("a b:1: k\\x1b[31m\\u202e: expected xxxx")
    assert line.isprintable()
    assert len(line) < 600


def test_numbers_too_long_to_be_written() -> None:
    with pytest.raises(UserError, match="got a number of 33220 bits"):
        define_network({"name": 10**10000})


def test_text_with_control_characters_from_python_and_json() -> None:
    with pytest.raises(UserError, match=r"network:0: layers\.0\.name: expected text without .*, got U\+001B"):
        define_network({"layers": [{"name": "\x1b"}]})
    for text in (r"\ud800", r"\u001b"):
        with pytest.raises(UserError, match=r"x:0: file: expected JSON of plain keys and numbers, got text with U\+"):
            parse_json(f'{{"a": ["{text}"]}}'.encode(), "x")


def test_mistakes_without_end() -> None:
    error = UserError(Mistake("x", number, "k", "a", "b") for number in range(5000))
    assert len(str(error).splitlines()) == MAX_MISTAKES
    assert str(error).endswith("x:0: file: expected at most 1000 mistakes, got 5000")
