"""Chips that were measured: their points are played to the tenth of a microsecond that the page has."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.chips import attention_us, block_us, dpu_us, product_us, read, softmax_us
from tests.gemmini.measured import table


def test_points_have_a_time_of_the_order_that_was_measured() -> None:
    """Within a factor of ten either way: the page says what is not known."""
    points = read()
    assert Counter(point.chip for point in points) == {"tpu_v3": 24, "dpu_b4096": 3}
    assert all(0.1 < point.ours / point.measured < 10 for point in points)


@pytest.mark.slow
def test_some_points_are_played_again() -> None:
    known = {point.what: point.ours for point in read()}
    assert product_us(1, 64, 1280, 1280) == pytest.approx(known["product 64 x 1280 x 1280"], abs=0.06)
    assert softmax_us(8, 256, 1, 256) == pytest.approx(known["softmax 8 x 256 x 256"], abs=0.06)
    assert block_us(1, 64, 11520, 1280) == pytest.approx(known["block 64 x 11520 x 1280"], abs=0.06)
    assert attention_us(8, 64, 1280, 1280) == pytest.approx(known["self-attention 8 x 64 x 1280 x 1280"], abs=0.06)
    for row in table("dpu_zcu102.csv"):
        assert dpu_us(row["network"]) == pytest.approx(known[row["network"]], abs=0.06)
