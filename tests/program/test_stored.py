"""Are the stores of what a region holds found, and no others?"""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from accelsim.program.stored import StoredRegions
from accelsim.program.tensors import Range, Region, Tensor

DIMS = 2, 6, 5, 9


@st.composite
def regions(draw: st.DrawFn, *, steps: bool) -> Region:
    """Regions of the tensor; of stores, with channels some apart."""
    parts = []
    for axis, extent in enumerate(DIMS):
        start = draw(st.integers(0, extent - 1))
        stop = draw(st.integers(start + 1, extent))
        parts.append(Range(start, stop, draw(st.integers(1, 3)) if steps and axis == 3 else 1))
    return tuple(parts)


def elements_of(region: Region) -> set[tuple[int, ...]]:
    return set(product(*(range(*part) for part in region)))


@given(st.lists(regions(steps=True), max_size=8), st.lists(regions(steps=False), min_size=1, max_size=4))
def test_writers_and_elements_are_those_of_a_plain_search(stores: list[Region], reads: list[Region]) -> None:
    """Asked between stores, too: what was found before is only added to."""
    stored: StoredRegions[int] = StoredRegions(Tensor("map", DIMS, 8, 0))
    for number, region in enumerate(stores):
        stored.add(number, region)
        for read in reads:
            common = [elements_of(each) & elements_of(read) for each in stores[: number + 1]]
            assert stored.writers(read) == [which for which, each in enumerate(common) if each]
            assert stored.elements(read) == sum(map(len, common))
