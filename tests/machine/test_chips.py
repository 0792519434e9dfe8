"""Chips that were measured: their points are played to the tenth of a microsecond that the page has."""

from __future__ import annotations

import csv
from collections import Counter

import pytest

from tests.chips import PLAYED, as_rows, played, read


def test_points_have_a_time_of_the_order_that_was_measured() -> None:
    """Within a factor of ten either way: the page says what is not known."""
    points = read()
    assert Counter(point.chip for point in points) == {"tpu_v3": 24, "dpu_b4096": 3}
    assert all(0.1 < point.ours / point.measured < 10 for point in points)


@pytest.mark.slow
def test_points_are_those_that_are_played() -> None:
    """If not: `python -m tests.chips` writes them anew."""
    with PLAYED.open(newline="") as file:
        assert list(csv.reader(file)) == as_rows(list(played()))
