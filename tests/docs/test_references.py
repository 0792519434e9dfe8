"""Do the references of docs/fidelity.md have what the page says of them?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import folds_apart, traces
from tests.references import cases

ROOT = Path(__file__).resolve().parents[2]


def test_parts_of_folds_are_all_of_the_difference() -> None:
    layers = list(folds_apart.layers())
    assert len(layers) == 336
    for layer in layers:
        assert layer.rows + layer.columns + layer.drain + layer.last == layer.ours - layer.theirs, layer


def test_cases_are_those_that_pytest_finds() -> None:
    """But for those that are no grid."""
    command = (sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/dataflows/test_fold_timing.py")
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    single = ("only_the_last_piece", "join_is_associative", "repeat_is_joining")
    grids = [line for line in found.splitlines() if "::" in line and not any(name in line for name in single)]
    assert sum(map(sum, cases().values())) == len(grids) > 900


@pytest.mark.slow
def test_traces_are_those_that_are_played() -> None:
    """If not: `python -m tests.traces` writes them anew."""
    assert list(traces.played()) == traces.read()
