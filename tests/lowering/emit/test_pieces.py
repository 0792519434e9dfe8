"""Do pieces of a layer read what is under their windows, fill each result once, and keep what the next one reads?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.lowering.emit.emitted import added, convolution, emitted, tiles
from tests.strategies import network_of

SIZE = (9, 8, 12)
TILE = {"rows": 2, "columns": 3, "outputs": 5}
KINDS: dict[str, tuple[list[dict[str, Any]], dict[str, Any], int]] = {
    "a pool": ([{"name": "x", "op": "maxpool", "kernel": 3, "stride": 2, "pad": 1}], {}, 3 * 2 * 3),
    "the depthwise engine": (
        [{"name": "x", "op": "dwconv", "kernel": 3, "pad": 1}],
        {"array__depthwise_on": "engine", "depthwise": {"channels": 8, "max_taps": 25}},
        5 * 3 * 3,
    ),
    "a concat that copies": ([{"name": "x", "op": "concat", "inputs": ["input", "input"]}], {}, 5 * 3 * (3 + 3)),
    "a shuffle that copies": ([{"name": "x", "op": "shuffle", "groups": 3}], {}, 5 * 3 * 3),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_element_of_the_map_is_in_one_tile_of_results(kind: str) -> None:
    """Of two images; copies fill the channels that they go to."""
    rows, machine, pieces = KINDS[kind]
    found = emitted(network_of(rows, SIZE, batch=2), {"layers": [{"match": "x", "tile": TILE}]}, **machine)
    filled = np.zeros(found.lowered.maps.by_name["x"].tensor.dims, dtype=int)
    for each in found.computes:
        for tile in each.complete:
            filled[tuple(slice(*part) for part in tile.region)] += 1
    assert (filled == 1).all()
    assert len(found.computes) in (pieces, 2 * pieces)


def test_pieces_read_the_rows_under_their_windows() -> None:
    """3x3 windows of stride 2 with a row of padding: two outputs reach over five rows."""
    rows, _, _ = KINDS["a pool"]
    given = {"match": "x", "tile": {"rows": 2, "columns": 4, "outputs": 12}}
    found = emitted(network_of(rows, SIZE), {"layers": [given]})
    assert [tile.region[1][:2] for tile in tiles(found.spans(), "input")] == [(0, 4), (3, 8), (7, 9)]
    assert [each.work.rows[:2] for each in found.computes] == [(0, 2), (2, 4), (4, 5)]


def test_a_piece_takes_its_operations_or_its_bytes() -> None:
    """2x2 windows over 4 x 8 pixels of 12 channels: 96 outputs of 4 on 16 lanes, or 384 bytes of input, a port's 10 at
    a time."""
    rows = [{"name": "x", "op": "maxpool", "kernel": 2, "stride": 2}]
    given = {"match": "x", "tile": {"rows": 2, "columns": 4, "outputs": 12}}
    for port, cycles in ((64, 24), (10, 39)):
        machine = {"vector__lanes": 16, "sram__activation__port_bytes_per_cycle": port}
        found = emitted(network_of(rows, (8, 8, 12)), {"layers": [given]}, **machine)
        assert [each.unit_cycles for each in found.computes] == [cycles] * 2


def test_a_tile_that_the_next_piece_reads_is_not_released() -> None:
    """A factor of all pixels, channels by channels: with the second of two pieces each."""
    rows: list[dict[str, Any]] = [
        {"name": "mean", "op": "gap"},
        {"name": "x", "op": "scale", "inputs": ["input", "mean"]},
    ]
    given = {"match": "x", "tile": {"rows": 4, "columns": 8, "outputs": 8}}
    found = emitted(network_of(rows, (8, 8, 16)), {"layers": [given]})
    released = [sorted(tile.tensor.name for tile in each.released) for each in found.of("x")]
    assert released == [["input"], ["input", "mean"]] * 2
    assert [len(each.reads) for each in found.of("x")] == [2] * 4


def test_a_map_that_is_added_to_itself_is_read_once() -> None:
    found = emitted(network_of([convolution("a"), added("x", "a", "a")], (8, 8, 8)))
    assert {len(each.reads) for each in found.of("x")} == {1}
