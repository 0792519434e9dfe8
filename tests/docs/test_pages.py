"""Are the computed pages of docs/ what is computed?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.pages import FOLDER, PAGES

ROOT = Path(__file__).resolve().parents[2]
SLOW = ("validation.md", "lecture.md")


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in PAGES])
def test_a_page_is_what_is_computed(name: str) -> None:
    """If not: `python -m tests.pages` writes it anew; of what moved, the changelog tells."""
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name]()


def test_every_key_has_a_meaning_in_numbers_that_can_be_read() -> None:
    text = (FOLDER / "keys.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) > 500
    assert [row for row in rows if re.search(r"\|\s*\|", row)] == []
    assert [row for row in rows if re.search(r"\d{7}", row)] == []
    headings = re.findall(r"^##+ .*$", text, re.MULTILINE)
    assert len(headings) == len(set(headings)), "a link names one section"
