"""Are the computed pages of docs/ what is computed?"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pages import FOLDER, PAGES

ROOT = Path(__file__).resolve().parent.parent
SLOW = ("validation.md", "lecture.md")


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in PAGES])
def test_a_page_is_what_is_computed(name: str) -> None:
    """If not: `python -m tests.pages` writes it anew; of what moved, the changelog tells."""
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name]()
