"""Do the benchmarks of docs/speed.md run, and are its counts and ratios what they are here?"""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from accelsim.sweeps import points
from tests.docs.test_readme import ROOT

PAGE = " ".join((ROOT / "docs" / "speed.md").read_text(encoding="utf-8").split())
COMMANDS = sorted(set(re.findall(r"`python (tests/benchmark\w*\.py)([^`]*)`", PAGE)))
LEAST_RATIO = 20
"""Bursts or requests a second, compiled over plain; some 50 and 90 here."""


def printed(script: str, *argv: str) -> str:
    """What a benchmark prints."""
    line = [sys.executable, str(ROOT / script), *argv]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def bursts(kind: str, *argv: str) -> float:
    """Million bursts a second of a trace of LPDDR4."""
    found = re.search(rf"{kind} +([\d.]+) M bursts/s", printed("tests/benchmark_dram.py", "lpddr4-3200", *argv))
    assert found
    return float(found[1])


def requests(kind: str, *argv: str) -> float:
    """Million requests a second of a stream to the caches of `gemmini`."""
    found = re.search(rf"{kind} +([\d.]+) M requests/s", printed("tests/benchmark_caches.py", *argv))
    assert found
    return float(found[1])


@pytest.mark.slow
def test_the_commands_have_these_options() -> None:
    assert len(COMMANDS) >= 8
    for script, arguments in COMMANDS:
        known = printed(script, "--help")
        assert [word for word in arguments.split() if word.startswith("--") and word not in known] == []


@pytest.mark.slow
def test_the_counts_of_the_main_job() -> None:
    """Commands and events, by the benchmark itself, in round numbers."""
    text = printed("tests/benchmark.py", "--repeat", "1", "--batches", "1", "8")
    found = re.findall(r"^ +[18] +(\d+) .* ([\d.]+)$", text, re.MULTILINE)
    (one, events), (eight, _) = ((int(commands), float(each)) for commands, each in found)
    assert f"becomes about {round(one, -2):,} tile commands, each about {events:.0f} SimPy events" in PAGE
    assert f"A batch of 8 images becomes about {eight / one:.0f} times as many" in PAGE


@pytest.mark.slow
def test_the_compiled_kernel_is_so_many_times_as_quick() -> None:
    assert f"at least {LEAST_RATIO} times as many bursts" in PAGE
    small = ("--repeat", "1", "--bursts")
    assert bursts("stream", *small, "100000") > LEAST_RATIO * bursts("stream", "--plain", *small, "5000")


@pytest.mark.slow
def test_compiled_caches_are_so_many_times_as_quick() -> None:
    assert f"it passes at least {LEAST_RATIO} times as many requests" in PAGE
    small = ("--repeat", "1", "--requests")
    assert requests("stream", *small, "100000") > LEAST_RATIO * requests("stream", "--plain", *small, "5000")


@pytest.mark.slow
def test_a_sweep_keeps_so_many_configurations() -> None:
    assert f"at most {points.MOST_KEPT:,} resolved configurations" in PAGE
    assert re.fullmatch(r" +3 points: \d+ MiB\n", printed("tests/benchmark_sweep.py", "--points", "3"))
