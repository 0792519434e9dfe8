"""Is the table of docs/validation.md what accelsim computes?"""

from __future__ import annotations

import pytest

from tests.validation import PAGE, page


@pytest.mark.slow
def test_the_page_is_what_is_computed() -> None:
    """If not: `python -m tests.validation` writes it anew, and what moved belongs into the changelog."""
    assert PAGE.read_text(encoding="utf-8") == page()
