"""Command lines that must be refused, and the files that others leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from accelsim.cli import main


def refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a command line that must be refused says on standard error."""
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    return err


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
