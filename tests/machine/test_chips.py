"""Chips that were measured: their points are played to the tenth of a microsecond that the page has."""

from __future__ import annotations

import pytest

from tests.chips import dpu_us, product_us, read


def test_points_have_a_time_of_the_order_that_was_measured() -> None:
    """Within a factor of ten either way: the page says what is not known."""
    points = read()
    assert {point.chip for point in points} == {"tpu_v3", "dpu_b4096"}
    assert all(0.1 < point.ours / point.measured < 10 for point in points)


@pytest.mark.slow
def test_some_points_are_played_again() -> None:
    known = {point.what: point.ours for point in read()}
    assert product_us(1, 64, 1280, 1280) == pytest.approx(known["product 64 x 1280 x 1280"], abs=0.06)
    assert dpu_us("mobilenet_v1_0.25_128") == pytest.approx(known["mobilenet_v1_0.25_128"], abs=0.06)
