"""Do descriptors cover a region of a tensor in order, and a tile of weights whole?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.program.tensors import Range, Tensor, descriptors, elements

quick = settings(max_examples=200)


def brute_force(tensor: Tensor, region: tuple[Range, ...]) -> list[int]:
    """The byte addresses of a region, element by element."""
    index = np.arange(int(np.prod(tensor.dims))).reshape(tensor.dims)
    chosen = index[tuple(slice(*part) for part in region)].reshape(-1)
    return (tensor.address_bytes + chosen).tolist()


@st.composite
def regions(draw: st.DrawFn) -> tuple[Tensor, tuple[Range, ...]]:
    dims = tuple(draw(st.integers(1, size)) for size in (3, 6, 6, 24))
    bounds = []
    for axis, extent in enumerate(dims):
        start = draw(st.integers(0, extent - 1))
        stop = draw(st.integers(start + 1, extent))
        step = draw(st.integers(1, 4)) if axis == 3 else 1
        last = start + (stop - 1 - start) // step * step
        bounds.append(Range(start, last + 1, step))
    return Tensor("t", dims, 8, 64 * draw(st.integers(0, 3))), tuple(bounds)


@quick
@given(regions(), st.sampled_from([16, 64]))
def test_descriptors_cover_a_region_in_order(case: tuple[Tensor, tuple[Range, ...]], burst: int) -> None:
    """Every byte once, in the order of the elements; bursts as counted row by row."""
    tensor, region = case
    addresses, bursts = [], 0
    for part in descriptors(tensor, region):
        for row in range(part.rows):
            start, size = (part.address_bits + row * part.stride_bits) // 8, part.row_bits // 8
            addresses += range(start, start + size)
            bursts += (start + size - 1) // burst - start // burst + 1
    assert addresses == brute_force(tensor, region)
    assert sum(part.bursts(burst) for part in descriptors(tensor, region)) == bursts


def test_weights_lie_in_load_order_without_gaps() -> None:
    """Tiles of a tiled tensor, ragged ones too, follow one another."""
    tensor = Tensor("w", (3, 10, 7, 9), 8, 0, tile=(2, 4, 3, 9))
    reached = 0
    for group in range(0, 3, 2):
        for out in range(0, 10, 4):
            for inner in range(0, 7, 3):
                region = (
                    Range(group, min(group + 2, 3)),
                    Range(out, min(out + 4, 10)),
                    Range(inner, min(inner + 3, 7)),
                    Range(0, 9),
                )
                (part,) = descriptors(tensor, region)
                assert (part.address_bits, part.rows) == (8 * reached, 1)
                reached += elements(region)
    assert reached == 3 * 10 * 7 * 9


def test_a_part_of_a_weight_tile_is_refused() -> None:
    """Weights are loaded tile by tile."""
    tensor = Tensor("w", (1, 8, 8, 1), 8, 0, tile=(1, 4, 4, 1))
    with pytest.raises(ValueError, match="not a tile"):
        descriptors(tensor, (Range(0, 1), Range(1, 5), Range(0, 4), Range(0, 1)))
