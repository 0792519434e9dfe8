"""A unit is two rows, as docs/extend.md has it: the suite takes one up that is registered, and holds it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_two_rows_are_all_that_the_suite_asks_for() -> None:
    """All its cases with the name, and networks with such layers, in a process in which it is registered."""
    plugins = ("tests.machine.units.one_more_kind", "tests.machine.units.one_more", "no:cacheprovider")
    suite = ("tests/machine/units/test_contract.py", "tests/lowering/test_invariants.py")
    command = [sys.executable, "-m", "pytest", "-q", *(part for name in plugins for part in ("-p", name))]
    done = subprocess.run(
        [*command, "-k", "adder or invariants", *suite], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) > 25
