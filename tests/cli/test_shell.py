"""Is accelsim pleasant in a shell? Quick help, completion, as much said as asked for, nothing but text in a pipe."""

from __future__ import annotations

import logging
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from accelsim.cli import main, progress
from accelsim.cli.completion import keys
from accelsim.cli.streams import columns_of_output
from accelsim.config.load import SECTIONS, load_machine

ROOT = Path(__file__).resolve().parents[2]
GOOD = ROOT / "tests" / "invalid" / "good"
TINY = (str(GOOD / "net.yaml"), str(GOOD / "machine.yaml"))
HEAVY = {"numpy", "pandas", "matplotlib", "pydantic", "simpy", "yaml", "logging", "argcomplete"}


def accelsim(*argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    everything = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    line = [sys.executable, "-m", "accelsim", *argv]
    return subprocess.run(line, env=everything, capture_output=True, text=True, check=False)


def test_help_imports_nothing_heavy_and_is_there_at_once() -> None:
    """Modules are what its time goes into: at most twice as many of them as argparse needs."""
    code = "import sys; from accelsim.cli import main\ntry: main(['--help'])\nexcept SystemExit: print(*sys.modules)"
    loaded = [
        subprocess.run(
            [sys.executable, "-c", each],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        .stdout.splitlines()[-1]
        .split()
        for each in (code, "import argparse, sys; argparse.ArgumentParser().format_help(); print(*sys.modules)")
    ]
    assert not HEAVY & set(loaded[0])
    assert len(loaded[0]) < 2 * len(loaded[1])


def completed(line: str, tmp_path: Path) -> list[str]:
    """What a shell would offer at the end of a line."""
    answer = tmp_path / "answer"
    asked = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n", "_ARGCOMPLETE_STDOUT_FILENAME": str(answer)}
    accelsim(COMP_LINE=line, COMP_POINT=str(len(line)), **asked)
    return [word.strip() for word in answer.read_text().split("\n") if word]


def test_completion_knows_commands_options_names_files_and_keys(tmp_path: Path) -> None:
    assert set(completed("accelsim rep", tmp_path)) == {"report", "reprice"}
    assert completed("accelsim run --js", tmp_path) == ["--json"]
    assert completed("accelsim run shufflenet_g", tmp_path) == ["shufflenet_g3"]
    assert completed(f"accelsim run {ROOT}/workloads/shuffl", tmp_path) == [f"{ROOT}/workloads/shufflenet_g3.yaml"]
    assert set(completed("accelsim run shufflenet_g3 cl", tmp_path)) == {"cloud"}
    assert completed("accelsim reprice out --energy lect", tmp_path) == ["lecture_100x"]
    assert completed("accelsim run shufflenet_g3 edge --set array.ro", tmp_path) == ["array.rows="]


def test_all_keys_are_offered() -> None:
    """Those of a machine and those that shrink a network, below all sections that `--set` takes and no others."""
    offered = set(keys())
    assert {
        "array.rows",
        "sram.weight.capacity_bytes",
        "dram.timing",
        "network.width",
        "network.prune.density",
    } <= offered
    assert {key.partition(".")[0] for key in offered} == set(SECTIONS)
    of_array = {key.split(".")[1] for key in offered if key.startswith("array.")}
    assert of_array == set(load_machine("edge").array.model_dump())


def test_quiet_leaves_only_the_totals(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", *TINY, "--no-advice"]) == 0
    everything = capsys.readouterr().out
    assert main(["run", *TINY, "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert (err, out) == ("", everything.split("\n\n")[-1])


def test_verbose_tells_the_steps_and_changes_no_result() -> None:
    plain, told = accelsim("run", *TINY), accelsim("run", *TINY, "--verbose")
    assert (told.returncode, told.stdout, plain.stderr) == (0, plain.stdout, "")
    steps = ["tiling 2 layers of tiny for tiny", "playing 2 layers", "pricing 1222 cycles"]
    tried = (
        "trying array.cols=8 sram.accumulator.capacity_bytes=8192 vector.lanes=8 "
        "sram.activation.port_bytes_per_cycle=8 sram.weight.port_bytes_per_cycle=8"
    )
    said = [re.sub(r"^ *\d+\.\d\d s  ", "", line) for line in told.stderr.splitlines()]
    assert said == [*steps, tried, *steps[:2], "pricing 634 cycles"]


def test_verbose_shows_progress_where_there_is_no_terminal(tmp_path: Path) -> None:
    line = ["sweep", "--network", TINY[0], "--hw", TINY[1], "--vary", "array.rows=2,4", "--jobs", "1"]
    swept = accelsim(*line, "-o", str(tmp_path / "a"), "--verbose")
    assert [each.split("  ")[-1] for each in swept.stderr.splitlines()] == ["0/2 points", "1/2 points", "2/2 points"]
    said = accelsim("compare", TINY[0], "--hw", TINY[1], "-o", str(tmp_path / "b"), "-v").stderr
    assert "1/1 tiny on tiny" in said
    assert said.endswith("no compare.svg: no accuracy is known\n")


def test_one_command_line_leaves_no_verbosity_to_the_next(capsys: pytest.CaptureFixture[str]) -> None:
    for options, level in ((["-v"], logging.INFO), (["-q"], logging.ERROR), ([], logging.WARNING)):
        assert main(["run", *TINY, *options]) == 0
        assert logging.getLogger("accelsim").level == level
        assert len(logging.getLogger("accelsim").handlers) == 1


def test_quiet_leaves_out_notes_and_not_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["compare", TINY[0], "--hw", TINY[1], "-o", str(tmp_path)]
    assert main(line) == 0
    assert capsys.readouterr().err == "no compare.svg: no accuracy is known\n"
    assert main([*line, "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["compare", TINY[0], "--hw", "nothing", "--quiet"]) == 2
    assert capsys.readouterr().err.startswith("command-line:0: machine: expected a file")


@pytest.mark.parametrize(
    ("options", "environment", "drawn"),
    [
        ((), {"TERM": "xterm"}, True),
        ((), {"TERM": "xterm", "NO_COLOR": "1"}, True),
        ((), {"TERM": "dumb"}, False),
        (("--quiet",), {"TERM": "xterm"}, False),
        (("--verbose",), {"TERM": "xterm"}, False),
    ],
)
def test_on_a_terminal_only_progress_is_drawn_and_nothing_coloured(
    options: tuple[str, ...], environment: dict[str, str], drawn: bool
) -> None:
    """On standard error, and gone in the end; what is printed is the same text as in a pipe."""
    ours, theirs = pty.openpty()
    line = [sys.executable, "-m", "accelsim", "compare", TINY[0], "--hw", TINY[1], *options]
    everything = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run(line, env=everything, stdout=subprocess.PIPE, stderr=theirs, text=True, check=True)
    os.close(theirs)
    said = b""
    try:
        while part := os.read(ours, 4096):
            said += part
    except OSError:
        pass
    os.close(ours)
    text = said.decode()
    assert done.stdout == accelsim("compare", TINY[0], "--hw", TINY[1]).stdout
    assert "\x1b" not in done.stdout + text.replace(progress.ERASE_LINE, "")
    assert (progress.ERASE_LINE in text) == drawn
    if drawn:
        assert text.endswith(progress.ERASE_LINE)


@pytest.mark.parametrize(("columns", "letters"), [(0, 80), (20, 40), (132, 132)])
def test_a_terminal_that_says_no_width_is_taken_for_a_pipe(
    columns: int, letters: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(isatty=lambda: True, fileno=lambda: 1))
    monkeypatch.setattr("os.get_terminal_size", lambda _: os.terminal_size((columns, 24)))
    assert columns_of_output(80) == letters
