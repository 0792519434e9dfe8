"""Are tiles of earlier iterations used again while they are kept, and no longer?"""

from __future__ import annotations

import pytest

from accelsim.lowering.emit.reuse import ANY_NUMBER, Kept, TileReuse, slots_of
from accelsim.lowering.ir import Tiling
from accelsim.program.commands import Buffer, Tile
from accelsim.program.tensors import Range, Region, Tensor

MAP = Tensor("map", (1, 4, 4, 8), 8, 0)


def region(row: int) -> Region:
    return Range(0, 1), Range(row, row + 1), Range(0, 4), Range(0, 8)


def found(kept: Kept, *rows: int) -> list[int]:
    """Rows whose tile had to be made, of those asked for in this order."""
    made: list[int] = []

    def make(row: int) -> tuple[Tile, ...]:
        made.append(row)
        return (Tile(MAP, region(row), Buffer.ACTIVATION),)

    for row in rows:
        (tile,) = kept.tiles(row, lambda row=row: make(row))  # type: ignore[misc]
        assert tile.region == region(row)
    return made


@pytest.mark.parametrize(
    ("most", "made"), [(1, [0, 1, 0, 2, 1, 0]), (2, [0, 1, 2, 1, 0]), (3, [0, 1, 2])], ids=["one", "two", "three"]
)
def test_the_tile_unused_for_the_longest_time_goes(most: int, made: list[int]) -> None:
    """With two, row 0 is used again before row 2 comes, so that row 1 goes."""
    assert found(Kept(most), 0, 1, 0, 2, 1, 0) == made


def test_a_tile_that_is_asked_for_twice_in_a_row_is_the_same() -> None:
    """Even where none may stay beside it."""
    assert found(Kept(1), 0, 0, 0) == [0]


def test_weights_of_a_region_are_one_tile_until_another_takes_the_place() -> None:
    reuse, weights = TileReuse.of(Tiling(1, 1, 1, 1, 8, 8)), Tensor("weights", (1, 8, 8, 1), 8, 0)
    tiles = [Tile(weights, weights.whole, Buffer.WEIGHT) for _ in range(3)]
    first = reuse.weight_tiles(weights.whole, lambda: tiles[0])
    assert reuse.weight_tiles(weights.whole, lambda: tiles[1]) == first == (tiles[0],)
    reuse.weight_tiles(region(0), lambda: tiles[1])
    assert reuse.weight_tiles(weights.whole, lambda: tiles[2]) == (tiles[2],)


def test_loads_share_places_where_several_tiles_stay_or_one_alone_fits() -> None:
    plan = Tiling(1, 1, 1, 1, 8, 8)
    assert slots_of(plan, 2) == {}
    assert slots_of(plan, 1) == {Buffer.ACTIVATION: 1}
    several = Tiling(1, 1, 1, 1, 8, 8, ifmap_tiles=3, weight_tiles=2)
    assert slots_of(several, 4) == {Buffer.ACTIVATION: 4, Buffer.WEIGHT: ANY_NUMBER}
