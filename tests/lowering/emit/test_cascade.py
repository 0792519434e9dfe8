"""Are stripes of a cascade in slots of rings until the last layer of it that reads them, and loaded once?"""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest

from accelsim.program.commands import Buffer
from tests.lowering.emit.emitted import Emitted, added, convolution, emitted, tiles
from tests.strategies import network_of

DEPTH_FIRST = {"groups": [["a", "b", "sum"]]}


def cascade_of(batch: int = 1, shortcut: str = "a", last: str = "sum") -> Emitted:
    """Three layers that run depth-first in stripes of one row of 64 bytes, seven an image, and one more that reads the
    last of them or another one."""
    rows = [convolution("a"), convolution("b", 3), added("sum", "b", shortcut), convolution("c", inputs=[last])]
    return emitted(network_of(rows, (7, 8, 8), batch=batch), DEPTH_FIRST, sram__activation__capacity_bytes=1000)


def test_stripes_take_the_slots_of_their_ring_in_turn() -> None:
    """A halo of three rows of a and the next one are four slots; b, which is read at once, has two. The second image
    goes on in the slot behind the first."""
    found = cascade_of(batch=2)
    for name, slots in (("a", 4), ("b", 2)):
        low = found.lowered.residency.cascades[0].rings[name].address
        made = [(tile.region[0].start, tile.region[1].start, tile.address) for tile in tiles(found.spans(), name)]
        assert made == [(stripe // 7, stripe % 7, low + stripe % slots * 64) for stripe in range(14)]


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("shortcut", ["a", "input"])
def test_a_slot_holds_a_stripe_until_its_last_reader(shortcut: str, batch: int) -> None:
    """Two tiles with bytes in common are never on chip at once, and each is released once, by whoever reads it last."""
    found = cascade_of(batch, shortcut)
    spans = {
        tile: span
        for tile, span in found.spans().items()
        if tile.buffer is Buffer.ACTIVATION and found.names[span[0]] != "c"
    }
    apart = 0
    for (one, mine), (other, its) in combinations(spans.items(), 2):
        if one.address < other.address + other.bytes and other.address < one.address + one.bytes:
            assert mine[1] < its[0]
            apart += 1
    assert apart > 10
    released = [(tile, number) for number, each in enumerate(found.computes) for tile in each.released if tile in spans]
    assert len(released) == len({tile for tile, _ in released}) == batch * 7 * 3
    assert {tile: spans[tile][1] for tile, _ in released} == dict(released)


def test_tiles_of_a_stripe_lie_one_behind_the_other() -> None:
    """Of twelve channels shuffled in three groups, the first eight are four pairs, of 16 bytes a row."""
    rows = [convolution("a"), convolution("b", channels=4, inputs=["input"])]
    rows += [{"name": "all", "op": "concat", "inputs": ["a", "b"]}, {"name": "mixed", "op": "shuffle", "groups": 3}]
    network = network_of([*rows, convolution("c")], (7, 8, 8))
    found = emitted(network, {"groups": [["a", "b", "c"]]}, sram__activation__capacity_bytes=700)
    ring = found.lowered.residency.cascades[0].rings["a"]
    for stripe, each in enumerate(found.of("a")):
        parts = [(tile.region[3][:2], tile.address - ring.place(stripe)) for tile in each.results]
        assert parts == [((low, low + 2), number * 16) for number, low in enumerate((0, 3, 6, 9))]


def test_an_input_is_loaded_once_for_all_its_readers() -> None:
    """By a and the sum, in tiles of their own row."""
    found = cascade_of(batch=2, shortcut="input")
    loaded = [(tile.region[0].start, tile.region[1].start) for tile in tiles(found.spans(), "input")]
    assert loaded == [(stripe // 7, stripe % 7) for stripe in range(14)]
    readers = Counter(
        (found.names[number], tile.region[:2])
        for number, each in enumerate(found.computes)
        for tile in each.reads
        if tile.tensor.name == "input"
    )
    assert Counter(name for name, _ in readers) == {"a": 14, "sum": 14}


@pytest.mark.parametrize("last", ["sum", "a"])
def test_what_others_read_as_well_is_stored_and_read_on_chip(last: str) -> None:
    """A map that only the cascade reads stays inside."""
    found = cascade_of(last=last)
    stored = {tile.tensor.name for each in found.computes for tile in each.stored}
    assert stored == {"sum", "c", last}
    made = list(tiles(found.spans(), "a"))
    inside = [tile for tile in made if tile.read_on_chip or tile.resident]
    assert len(inside) == 7
    assert all(tile.read_on_chip is (last == "a") and tile.resident is (last != "a") for tile in inside)
    assert len(made) == 7 + len(found.of("c")) * (last == "a")


def test_weights_of_a_cascade_stay_until_its_layer_is_done() -> None:
    """One tile each, behind those of the layer before: 64 bytes of a and 576 of b."""
    found = cascade_of()
    low = found.lowered.residency.cascades[0].weights
    weights = {tile.tensor.name: tile for tile in found.spans() if tile.buffer is Buffer.WEIGHT}
    assert [weights[f"{name}.weights"].address for name in "ab"] == [low, low + 64]
    for name in "ab":
        first, *_, last = found.of(name)
        assert weights[f"{name}.weights"] in first.reads
        assert weights[f"{name}.weights"] in last.released
