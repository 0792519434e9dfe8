"""Which of the powers and areas of chips are met, and by how much the others are missed."""

from __future__ import annotations

import pytest

from tests import silicon


def test_all_rows_are_as_close_as_wanted() -> None:
    rows = list(silicon.compared())
    assert all(row.is_met for row in rows)
    assert len(rows) == 26


@pytest.mark.parametrize("chip", silicon.eyeriss_runs(), ids=lambda chip: str(chip.network))
def test_what_the_paper_says_of_components(chip: silicon.Silicon) -> None:
    """ALUs take less than 10 % of the power, spads, buffer and network up to 45 %; the clock more than any of them."""
    powers = silicon.eyeriss_components_mw(chip)
    total = chip.power_mw
    assert powers["ALUs"] / total < 0.1
    assert (powers["spads"] + powers["buffer"] + powers["network"]) / total < 0.45
    assert powers["clock"] == max(powers.values())
