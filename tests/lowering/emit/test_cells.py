"""Regions in cells: those that meet another one are found, and few others are looked at."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from accelsim.lowering.emit.cells import Cells
from accelsim.lowering.emit.iterations import overlap
from accelsim.program.tensors import Range, Region


@st.composite
def regions(draw: st.DrawFn) -> Region:
    """Small and large ones near each other, empty ones among them; the last range may have a step."""
    parts = []
    for most in (3, 40, 40, 100):
        start = draw(st.integers(0, most))
        parts.append(Range(start, start + draw(st.integers(0, most))))
    return *parts[:-1], parts[-1]._replace(step=draw(st.sampled_from([1, 1, 3])))


@given(st.lists(regions(), max_size=30), st.lists(regions(), min_size=1, max_size=5), st.integers(0, 30))
def test_all_that_meet_a_region_are_found(kept: list[Region], asked: list[Region], gone: int) -> None:
    cells: Cells[int] = Cells()
    for number, region in enumerate(kept):
        cells.add(number, region)
    for number, _ in enumerate(kept[:gone]):
        cells.remove(number)
    left = dict(enumerate(kept))
    for number in range(min(gone, len(kept))):
        del left[number]
    for wanted in asked:
        found = cells.near(wanted)
        assert found.items() <= left.items()
        assert found.keys() >= {number for number, region in left.items() if overlap(region, wanted)}
        assert found.keys() >= {number for number, region in left.items() if overlap(wanted, region)}


def test_few_others_are_looked_at() -> None:
    """However many there are."""
    cells: Cells[tuple[int, int]] = Cells()
    for row in range(200):
        for col in range(20):
            cells.add((row, col), (Range(0, 1), Range(row, row + 1), Range(7 * col, 7 * col + 7), Range(0, 64)))
    found = cells.near((Range(0, 1), Range(50, 52), Range(70, 77), Range(0, 8)))
    assert {(50, 10), (51, 10)} <= set(found)
    assert len(found) < 12
    whole = (Range(0, 1), Range(0, 200), Range(0, 140), Range(0, 64))
    assert len(cells.near(whole)) == 4000
