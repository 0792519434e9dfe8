"""Do tiles that stay lie in their place, one behind the other, until they are read for the last time?"""

from __future__ import annotations

from itertools import accumulate

import pytest

from accelsim.lowering.emit.planned import working
from accelsim.lowering.emit.residents import ResidentTiles, outgrown_residents, weight_rooms
from accelsim.lowering.schedule.residents import Residency, Resident
from accelsim.program.commands import Buffer
from accelsim.program.tensors import Range
from tests.lowering.emit.emitted import added, convolution, emitted, tiles
from tests.strategies import network_of

BLOCK = network_of([convolution("a"), convolution("b", 3), added("sum", "b", "a"), convolution("c")], (8, 8, 8))
KEPT = {
    "keep": [{"match": "a", "address": 64}],
    "layers": [
        {"match": "*", "tile": {"rows": 2}},
        {"match": "a", "tile": {"rows": 3}},
        {"match": "b", "tile": {"rows": 2, "inputs": 8}},
    ],
}


def test_tiles_of_a_resident_lie_one_behind_the_other_in_its_place() -> None:
    """Three, three and two rows of 64 bytes from address 64 on."""
    kept = [tile for tile in tiles(emitted(BLOCK, KEPT).spans(), "a") if tile.resident]
    assert [(tile.address, tile.bytes) for tile in kept] == [(64, 192), (256, 192), (448, 128)]


def test_each_resident_is_released_once_by_its_last_reader() -> None:
    """Two tiles under each window of b, some with their halo; then the sum reads them again."""
    found = emitted(BLOCK, {**KEPT, "keep": [{"match": "[ab]"}]})
    spans = found.spans()
    last = {tile: span[1] for tile, span in spans.items() if tile.resident}
    released = [(tile, number) for number, each in enumerate(found.computes) for tile in each.released if tile.resident]
    assert len(released) == len(last) == 3 + 4
    assert dict(released) == last
    assert {found.names[number] for _, number in released} == {"sum"}


def test_a_resident_is_there_until_its_last_read() -> None:
    """Three rows: two windows of b have some of them, and two tiles of the sum."""
    residents = ResidentTiles(emitted(BLOCK, KEPT).stream.residents)
    (tensor,) = residents.plan.channels
    rows = Range(0, 1), Range(0, 3), Range(0, 8), Range(0, 8)
    tile = residents.new_tile("a", tensor, rows)
    assert residents.overlapping(tensor, (rows[0], Range(2, 5), *rows[2:])) == (tile,)
    assert residents.overlapping(tensor, (rows[0], Range(3, 5), *rows[2:])) == ()
    assert [residents.last_reads([tile]) for _ in range(4)] == [[], [], [], [tile]]
    assert residents.overlapping(tensor, rows) == ()
    assert not residents.is_expected(tile)
    assert residents.last_reads([tile]) == []


def test_a_resident_that_nobody_reads_leaves_with_the_compute_that_makes_it() -> None:
    """A pool of stride 3 skips the third of each three rows, and so every third tile of one row."""
    rows = [convolution("a"), {"name": "pool", "op": "maxpool", "kernel": 2, "stride": 3}]
    found = emitted(
        network_of(rows, (8, 8, 8)), {"keep": [{"match": "a"}], "layers": [{"match": "a", "tile": {"rows": 1}}]}
    )
    by_its_own = [each.work.rows.start for each in found.of("a") if any(tile in each.results for tile in each.released)]
    assert by_its_own == [2, 5]


def test_weights_that_stay_are_one_tile_for_all_inferences() -> None:
    """A kilobyte behind what others have of the buffer, in four tiles; each is released by the last inference."""
    network = network_of([convolution("a", channels=32), convolution("b", channels=32)], (4, 4, 32))
    plan = {"keep_weights": ["a"], "layers": [{"match": "a", "tile": {"outputs": 8}}]}
    found = emitted(network, plan, inferences=3, sram__weight__capacity_bytes=3000)
    assert found.lowered.weights.room == 3000 - 1024
    kept = list(tiles(found.spans(), "a.weights"))
    assert [(tile.address, tile.bytes) for tile in kept] == [(1976 + 256 * number, 256) for number in range(4)]
    assert sum(len(found.of(name)) for name in ("a", "a@2", "a@3")) == 12
    assert {
        name: [tile for each in found.of(name) for tile in each.released if tile in kept]
        for name in ("a", "a@2", "a@3")
    } == {"a": [], "a@2": [], "a@3": kept}


@pytest.mark.parametrize(
    ("capacity", "is_beside"), [(1024, True), (512 + 256, True), (512 + 255, False)], ids=["half", "just", "not"]
)
def test_tiles_lie_beside_the_weights_of_the_next_cascade_where_they_fit(capacity: int, *, is_beside: bool) -> None:
    """Layers of 256 bytes each: the first leaves the 512 of the two that come depth-first alone."""
    network = network_of([convolution(name, channels=16) for name in "abc"], (8, 8, 16))
    found = emitted(network, {"groups": [["b", "c"]]}, sram__weight__capacity_bytes=capacity)
    (cascade,) = found.lowered.residency.cascades
    first, *others = weight_rooms(found.lowered.layers, found.stream.residents)
    assert others == [(0, capacity)] * 2
    taken = [
        (tile.address, tile.address + tile.bytes)
        for tile in found.spans()
        if tile.buffer is Buffer.WEIGHT and tile.tensor.name != "a.weights"
    ]
    assert taken == [(low, low + 256) for low in accumulate([256], initial=cascade.weights)]
    assert first == (0, capacity) or is_beside
    assert all(high <= first[0] or first[1] <= low for low, high in taken) is is_beside


@pytest.mark.parametrize(
    ("tile", "taken"),
    [({"outputs": 5}, 27), ({"outputs": 2}, 27), ({"outputs": 1}, 45), ({"rows": 3, "columns": 3, "outputs": 5}, 23)],
    ids=["pixels", "pairs", "elements", "whole"],
)
def test_tiles_of_four_bits_that_are_rounded_up_outgrow_their_place(tile: dict[str, int], taken: int) -> None:
    """3 x 3 pixels of 5 channels are 23 bytes; a pixel of its own takes 3, an element of its own one."""
    network = network_of(
        [convolution("a", channels=5), convolution("b", channels=5)], (3, 3, 5), quantize={"activation_bits": 4}
    )
    sizes = {"rows": 1, "columns": 1, **tile}
    found = emitted(network, {"layers": [{"match": "a", "tile": sizes, "results": "apart"}]})
    layers, maps = list(working(found.lowered.layers)), found.lowered.maps
    for size, names in ((taken, set()), (taken - 1, {"a"})):
        residency = Residency({"a": Resident("a", 0, 1, size, 5)}, {"a": 0}, found.lowered.residency.rooms)
        assert outgrown_residents(layers, maps, 1, residency) == names
