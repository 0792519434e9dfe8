"""Do the tiles of a layer have their places, and those that stay their own, whatever unit it is on?"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from accelsim.program.commands import Tile
from tests.lowering.emit.emitted import added, convolution, emitted, tiles
from tests.strategies import network_of

CHANNELS = network_of([convolution("a", channels=128), convolution("b", channels=8)], (4, 4, 8))


def region(tile: Tile) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows and channels of a tile."""
    return tile.region[1][:2], tile.region[3][:2]


@pytest.mark.parametrize(
    ("row", "tile", "channels"),
    [
        (convolution("x", 3), {"inputs": 5, "kernel": 9}, [8]),
        ({"name": "x", "op": "maxpool", "kernel": 3, "pad": 1}, {"outputs": 5}, [5, 3]),
    ],
    ids=["array", "vector unit"],
)
def test_tiles_of_unequal_size_take_turns_in_places_of_one(
    row: dict[str, Any], tile: dict[str, int], channels: list[int]
) -> None:
    """3x3 over tiles of three, three and two rows: four, five and three are loaded, five channels or three at a time.
    All places are those of the largest."""
    given = {"match": "x", "tile": {"rows": 3, "columns": 8, **tile}}
    spans = emitted(network_of([row], (8, 8, 8)), {"layers": [given]}).spans()
    for name, rows, parts in (("input", (4, 5, 3), [5, 3]), ("x", (3, 3, 2), channels)):
        found = [(tile.bytes, tile.place_bytes) for tile in tiles(spans, name)]
        largest = max(rows) * 8 * parts[0]
        assert Counter(found) == Counter((row * 8 * part, largest) for row in rows for part in parts)


def test_channels_that_stay_are_tiles_of_their_own() -> None:
    """The leading 64 of 128: the others are stored, and loaded by the layer that reads all."""
    rows = {"match": "*", "tile": {"rows": 2, "columns": 4, "outputs": 128, "inputs": 128}}
    found = emitted(CHANNELS, {"keep": [{"match": "a", "channels": 64}], "layers": [rows]})
    for each, block in zip(found.of("a"), ((0, 2), (2, 4)), strict=True):
        assert [(*region(tile), tile.resident) for tile in each.results] == [
            (block, (0, 64), True),
            (block, (64, 128), False),
        ]
        assert [region(tile) for tile in each.stored] == [(block, (64, 128))]
    for each, block in zip(found.of("b"), ((0, 2), (2, 4)), strict=True):
        read = [tile for tile in each.reads if tile.tensor.name == "a"]
        assert {(*region(tile), tile.resident) for tile in read} == {
            (block, (0, 64), True),
            (block, (64, 128), False),
        }


def test_what_is_loaded_in_pieces_has_no_place_of_one_size() -> None:
    """Of a concat of three the middle stays: channels before and behind it are a tile each."""
    rows = [*(convolution(name) for name in "abc"), {"name": "all", "op": "concat", "inputs": ["a", "b", "c"]}]
    rows = [{**row, "inputs": ["input"]} if row["op"] == "conv" else row for row in rows]
    sizes = {"match": "x", "tile": {"rows": 3, "columns": 8, "inputs": 24}}
    network = network_of([*rows, convolution("x", 3, inputs=["all"])], (8, 8, 8))
    found = emitted(network, {"keep": [{"match": "b"}], "layers": [sizes]})
    (tensor,) = {tile.tensor for each in found.of("x") for tile in each.reads if tile.region[3].stop == 24}
    loaded = [tile for each in found.of("x") for tile in each.reads if tile.tensor is tensor and not tile.resident]
    assert [region(tile) for tile in loaded] == [
        (block, part) for block in ((0, 4), (2, 7), (5, 8)) for part in ((0, 8), (16, 24))
    ]
    assert all(tile.place_bytes == tile.bytes for tile in loaded)


def test_the_last_compute_of_a_layer_says_what_nobody_reads_any_more() -> None:
    """Once each, even with the whole layer to go."""
    network = network_of([convolution("a"), convolution("b", 3), added("sum", "b", "a")], (8, 8, 8))
    found = emitted(network, {"layers": [{"match": "*", "tile": {"rows": 3}}]})
    assert [{tensor.name for tensor in each.unread} for each in found.computes] == [
        *(set(), set(), {"input"}),
        *(set(), set(), set()),
        *(set(), set(), {"a", "b"}),
    ]
