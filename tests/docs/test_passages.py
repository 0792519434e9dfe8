"""Are the computed passages of README.md and docs/networks.md what is computed?"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import passages
from tests.docs.test_readme import PAGES
from tests.network.test_lecture import macs, network

SHOWN = [(page, name) for page in PAGES for name in passages.shown(page)]


@pytest.mark.parametrize(
    ("page", "name"),
    [
        pytest.param(*each, id=f"{each[0].stem}:{each[1]}", marks=[pytest.mark.slow] * (each[1] == "equal_forms"))
        for each in SHOWN
    ],
)
def test_a_passage_is_what_is_computed(page: Path, name: str) -> None:
    """If not: `python -m tests.pages` writes it anew."""
    assert passages.shown(page)[name] == passages.PASSAGES[name]()


def test_all_passages_are_shown_where_they_are_renewed() -> None:
    assert {page for page, _ in SHOWN} == set(passages.PAGES)
    assert {name for _, name in SHOWN} == set(passages.PASSAGES)


def test_equal_forms_have_equal_costs_on_paper() -> None:
    text = " ".join((passages.ROOT / "docs" / "networks.md").read_text(encoding="utf-8").split())
    for name in passages.FORMS.values():
        assert f"in {macs(name) / 1e6:.1f} M MACs and {network(name).weights / 1e6:.3f} M weights" in text
