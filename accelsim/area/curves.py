"""Interpolation between the points of a table: straight lines over logarithms, so that powers are met exactly."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import exp, log


def interpolated(places: Sequence[int], values: Sequence[float], place: int) -> float:
    """The value at `place`; beyond the ends the curve goes on as it ended, at least flat and at most in proportion."""
    left = max(bisect_right(places, place) - 1, 0)
    slope = 0.0
    if len(places) > 1:
        low = min(left, len(places) - 2)
        slope = log(values[low + 1] / values[low]) / log(places[low + 1] / places[low])
    if not places[0] <= place <= places[-1]:
        slope = min(max(slope, 0.0), 1.0)
    return values[left] * exp(slope * log(place / places[left]))
