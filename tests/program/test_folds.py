"""Do chains of folds add up, however they are put together?"""

from __future__ import annotations

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.program.folds import Fold, FoldChain, bubble_cycles, cycles_of, distance, join, repeat, single

cycles = st.integers(0, 30)
fold_timings = st.builds(Fold, load=cycles, stream=st.integers(1, 30), drain=cycles, tail=cycles, skew=cycles)
fold_chains = st.lists(fold_timings.map(single), min_size=1, max_size=5).map(lambda folds: reduce(join, folds))


@given(fold_chains, fold_chains, fold_chains)
def test_join_is_associative(first: FoldChain, second: FoldChain, third: FoldChain) -> None:
    """How a sequence of folds is bracketed does not matter."""
    assert join(join(first, second), third) == join(first, join(second, third))


@given(fold_chains, st.integers(1, 12))
def test_repeat_is_joining_over_and_over(chain: FoldChain, times: int) -> None:
    """`repeat` is a shortcut and nothing else."""
    assert repeat(chain, times) == reduce(join, [chain] * times)


@given(fold_chains)
def test_clocks_of_a_chain(chain: FoldChain) -> None:
    """All that is not load, streams or tail lies between streams; serial folds are never quicker."""
    for overlap in (False, True):
        tail = chain.last.tail if not overlap else chain.end - chain.span - chain.last.stream
        between = bubble_cycles(chain, overlap=overlap)
        assert cycles_of(chain, overlap=overlap) == chain.first.load + chain.stream_cycles + between + tail
        assert between >= 0
    assert cycles_of(chain, overlap=True) <= cycles_of(chain, overlap=False)


@pytest.mark.parametrize(
    ("before", "after", "clocks"),
    [
        (Fold(4, 10, 0, 3, 0), Fold(4, 10, 0, 3, 0), 10),
        (Fold(4, 10, 0, 3, 0), Fold(12, 10, 0, 3, 0), 12),
        (Fold(0, 10, 8, 3, 0), Fold(0, 5, 8, 3, 0), 13),
    ],
    ids=["streams touch", "the next load is longer", "the drain is not over"],
)
def test_distance_of_two_folds(before: Fold, after: Fold, clocks: int) -> None:
    """Loads and drains run behind the streams."""
    assert distance(before, after) == clocks
