"""A dataflow is a line, as docs/extend.md has it: the suite takes one up that is registered, and holds it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.slow
@pytest.mark.parametrize("name", ["new_sums_stay", "new_sums_move"])
def test_a_line_is_all_that_the_suite_asks_for(name: str) -> None:
    """All its cases with the name, in a process in which `one_more` has registered it."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "tests.dataflows.one_more",
        "-p",
        "no:cacheprovider",
        "-k",
        name,
    ]
    suite = [str(HERE / f"test_{part}.py") for part in ("fold_timing", "dataflows")]
    done = subprocess.run([*command, *suite], cwd=HERE.parents[1], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) > 150
