"""Does the layout keep its promises? Import order, size of functions."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).parent.parent
LONGEST_FUNCTION = 60
LONGEST_FILE = 400


def test_imports_point_down_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The contracts of pyproject.toml hold."""
    monkeypatch.chdir(ROOT)
    assert lint_imports(is_debug_mode=False, cache_dir=None) == EXIT_STATUS_SUCCESS


def test_functions_and_files_are_short() -> None:
    """A function fits a screen, a file is about one thing."""
    for path in sorted((ROOT / "accelsim").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= LONGEST_FILE, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                assert node.end_lineno - node.lineno < LONGEST_FUNCTION, f"{path}: {node.name}"
