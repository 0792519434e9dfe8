"""Do sums of the array wait exactly where they are cut, and is each tile loaded as often as its loops say?"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from accelsim.lowering.ir import IFMAP_LOOPS, WEIGHT_LOOPS, loads_each, loop_turns
from tests.lowering.emit.emitted import Emitted, added, convolution, emitted, tiles
from tests.strategies import network_of

NETWORK = network_of([convolution("x", 3, channels=24)], (8, 8, 24))
TALL = network_of([convolution("x", 1, channels=24)], (32, 16, 24))
TILE = {"rows": 4, "columns": 8, "outputs": 12, "inputs": 8, "kernel": 9}
"""Two tiles of the map, two of its channels, and three of the channels that are summed."""
MAP_OUTERMOST = ["map", "groups", "outputs", "inputs"]
MAP_BETWEEN = ["groups", "outputs", "map", "inputs"]
MAP_INNERMOST = ["groups", "outputs", "inputs", "map"]


def convolved(order: list[str], *, weights: int = 1, tile: dict[str, int] | None = None, **machine: Any) -> Emitted:
    """The layer in tiles, an order of the loops over them, and one tile of the map on chip at once; results leave
    together where the map is outermost."""
    results = "together" if order == MAP_OUTERMOST else "apart"
    given = {"order": order, "results": results, "tile": TILE | (tile or {}), "stay": {"inputs": 1, "weights": weights}}
    return emitted(NETWORK, {"layers": [{"match": "x", **given}]}, array__rows=8, array__cols=8, **machine)


@pytest.mark.parametrize(
    ("order", "kept", "of_weights", "of_map"),
    [
        (MAP_OUTERMOST, 1, 2, 2),
        (MAP_OUTERMOST, 6, 1, 2),
        (MAP_BETWEEN, 1, 2, 2),
        (MAP_BETWEEN, 3, 1, 2),
        (["groups", "map", "inputs", "outputs"], 1, 2, 1),
        (MAP_INNERMOST, 1, 1, 2),
    ],
)
def test_each_tile_is_loaded_as_often_as_the_loops_say(
    order: list[str], kept: int, of_weights: int, of_map: int
) -> None:
    """Again for each other loop outside of its own, unless a set of weights stays meanwhile; released once each."""
    found = convolved(order, weights=kept)
    plan, spans = found.layer("x").plan, found.spans()
    turns = loop_turns(found.layer("x").task, plan)
    for name, depends, stay, loads in (
        ("x.weights", WEIGHT_LOOPS, plan.weight_tiles, of_weights),
        ("input", IFMAP_LOOPS, plan.ifmap_tiles, of_map),
    ):
        loaded = Counter(tile.region for tile in tiles(spans, name))
        assert len(loaded) == 6
        assert set(loaded.values()) == {loads} == {loads_each(turns, depends, stay)}
    released = [(tile, number) for number, each in enumerate(found.computes) for tile in each.released]
    assert len(released) == 6 * (of_weights + of_map)
    assert all(spans[tile][1] == number for tile, number in released)


@pytest.mark.parametrize(
    ("order", "rows", "tile", "stay", "turns", "of_weights"),
    [
        (MAP_BETWEEN, 8, {}, (6, 3), {"bands": 2, "map": 2}, 2),
        (MAP_BETWEEN, 8, {}, (8, 3), {"bands": 2, "map": 2}, 2),
        (MAP_BETWEEN, 8, {}, (11, 3), {"bands": 2, "map": 2}, 2),
        (MAP_BETWEEN, 4, {}, (9, 3), {"bands": 3, "map": 3}, 3),
        (MAP_INNERMOST, 8, {"inputs": 24}, (2, 1), {"bands": 2, "map": 2}, 2),
        (MAP_BETWEEN, 4, {"columns": 8, "inputs": 24}, (5, 1), {"bands": 4, "map": 4}, 4),
    ],
)
def test_weights_pass_once_for_each_band_whose_tiles_of_the_map_stay(
    order: list[str], rows: int, tile: dict[str, int], stay: tuple[int, int], turns: dict[str, int], of_weights: int
) -> None:
    """Each tile of the map is loaded once and released once, with the last weights of its band; bands are as equal as
    can be."""
    sizes = {"rows": rows, "columns": 16, "outputs": 12, "inputs": 8, **tile}
    given = {
        "order": order,
        "results": "apart",
        "tile": sizes,
        "stay": dict(zip(("inputs", "weights"), stay, strict=True)),
    }
    found = emitted(TALL, {"layers": [{"match": "x", **given}]}, array__rows=8, array__cols=8)
    layer, spans = found.layer("x"), found.spans()
    said = loop_turns(layer.task, layer.plan)
    assert {name: said[name] for name in turns} == turns
    for name, depends, kept, loads in (
        ("x.weights", WEIGHT_LOOPS, layer.plan.weight_tiles, of_weights),
        ("input", IFMAP_LOOPS, layer.plan.ifmap_tiles, 1),
    ):
        loaded = Counter(tile.region for tile in tiles(spans, name))
        assert set(loaded.values()) == {loads} == {loads_each(said, depends, kept)}
    released = [(tile, number) for number, each in enumerate(found.computes) for tile in each.released]
    assert len(released) == len({tile for tile, _ in released})
    assert all(spans[tile][1] == number for tile, number in released)


@pytest.mark.parametrize("cut", [{"inputs": 8}, {"inputs": 12, "kernel": 3}, {"inputs": 24, "kernel": 1}])
def test_sums_wait_where_they_are_cut(cut: dict[str, int]) -> None:
    """By channels, rows of the kernel, or both: only the first of a sum begins it, and only the last has results."""
    found = convolved(MAP_OUTERMOST, tile=cut)
    parts = 24 // cut["inputs"] * 9 // cut.get("kernel", 9)
    place = [number % parts for number in range(4 * parts)]
    assert [each.work.first for each in found.computes] == [each == 0 for each in place]
    assert [each.work.last for each in found.computes] == [each == parts - 1 for each in place]
    assert [len(each.results) for each in found.computes] == [int(each == parts - 1) for each in place]
    assert {bool(each.post_cycles) is each.work.last for each in found.computes} == {True}


@pytest.mark.parametrize(
    ("order", "channels", "is_complete"),
    [(MAP_OUTERMOST, [24, 24], [False, True] * 2), (MAP_BETWEEN, [12] * 4, [True] * 4)],
    ids=["together", "apart"],
)
def test_results_leave_together_or_apart(order: list[str], channels: list[int], is_complete: list[bool]) -> None:
    """Together, two tiles of channels fill one, which is complete with the second of them."""
    found = convolved(order)
    last = [each for each in found.computes if each.work.last]
    assert [bool(each.complete) for each in last] == is_complete
    assert [tile.region[3].size for each in found.computes for tile in each.complete] == channels
    assert {each.work.channels[:2] for each in last} == {(0, 12), (12, 24)}


@pytest.mark.parametrize(("fill", "clocks"), [("dma", 4 * 8 * 2), (None, 0)])
def test_zeros_are_filled_in_where_sums_begin(fill: str | None, clocks: int) -> None:
    """Of 32 pixels, 12 channels in two rows of eight columns each."""
    found = convolved(MAP_OUTERMOST, sram__accumulator__fill=fill)
    assert [each.fill_cycles for each in found.computes] == [clocks, 0, 0] * 4


@pytest.mark.parametrize(("dataflow", "held"), [("ws", "x.weights"), ("is", "input"), ("os", None)])
def test_the_operand_of_the_dataflow_is_stationary(dataflow: str, held: str | None) -> None:
    found = convolved(MAP_OUTERMOST, tile={"inputs": 24}, array__dataflow=dataflow)
    for each in found.computes:
        assert {tile.tensor.name for tile in each.stationary} == ({held} if held else set())
        assert {tile.tensor.name for tile in each.reads} == {"x.weights", "input"}


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (MAP_OUTERMOST, [((0, 4), (0, 24)), ((4, 8), (0, 24))]),
        (MAP_BETWEEN, [((0, 4), (0, 12)), ((4, 8), (0, 12)), ((0, 4), (12, 24)), ((4, 8), (12, 24))]),
    ],
    ids=["together", "apart"],
)
def test_a_shortcut_is_added_where_sums_end(order: list[str], expected: list[Any]) -> None:
    """Rows and channels of the tile of results that it is added to."""
    rows = [convolution("a", channels=24), convolution("x", 3, channels=24), added("sum", "x", "a")]
    results = "together" if order == MAP_OUTERMOST else "apart"
    given = {"match": "x", "order": order, "results": results, "tile": TILE}
    found = emitted(network_of(rows, (8, 8, 24)), {"layers": [given]}, output_path__add=16)
    assert all(bool(each.added) is each.work.last for each in found.of("x"))
    shortcuts = dict.fromkeys(tile for each in found.of("x") for tile in each.added)
    assert [(tile.region[1][:2], tile.region[3][:2]) for tile in shortcuts] == expected
    assert [tile for each in found.of("x") for tile in each.released if tile in shortcuts] == [*shortcuts]
