"""docs/example.ipynb with its outputs: run from top to bottom, anywhere with the same text."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "docs" / "example.ipynb"


def page() -> str:
    """The notebook, its cells run anew."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        surroundings = {"PYTHONPATH": str(ROOT), "IPYTHONDIR": folder}
        with mock.patch.dict(os.environ, surroundings):
            NotebookClient(notebook, timeout=120, resources={"metadata": {"path": folder}}).execute()
    for cell in notebook.cells:
        cell.metadata = {}
    notebook.metadata["language_info"] = {"name": "python"}
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def without_pictures(text: str) -> dict[str, Any]:
    """A notebook but for its pictures, whose bytes are those of a version of matplotlib."""
    notebook: dict[str, Any] = json.loads(text)
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop("image/png", None)
    return notebook
