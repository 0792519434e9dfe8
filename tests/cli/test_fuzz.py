"""Whatever a file says, it is a result or a line a mistake, at once: files of every reader, changed at random.

`python -m tests.fuzz` goes on where these end.
"""

from __future__ import annotations

import shutil
from contextlib import chdir
from itertools import islice
from pathlib import Path

import pytest

from tests.fuzz import answered, cases, small_work
from tests.readers import LINES, READERS, good_files

CASES = 2000


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One good file for each reader."""
    folder = tmp_path_factory.mktemp("good")
    with chdir(folder):
        good_files(folder)
    return folder


@pytest.fixture
def folder(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The good files, to be changed."""
    shutil.copytree(good, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_good_files_are_read(folder: Path) -> None:
    """A file that nothing reads would be refused for one cause, whatever changes in it."""
    commands = [argv for reader in READERS.values() for argv in reader.commands]
    with small_work():
        assert {argv: found for argv in [*commands, *LINES] if (found := answered(argv))} == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_any_file_is_read_or_refused(name: str, folder: Path) -> None:
    for case in islice(cases(name, folder), CASES):
        assert not case.fault, case
