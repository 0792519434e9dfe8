"""Do weights have their place, iterations their number, and maps a last reader, before anything is emitted?"""

from __future__ import annotations

from typing import Any

import pytest

from accelsim.errors import LoweringError
from accelsim.lowering.emit.planned import iteration_count, plan_layers, working
from accelsim.lowering.layout import layout_of
from accelsim.lowering.schedule.residents import Residency
from accelsim.lowering.schedule.weights import no_resident_weights
from accelsim.lowering.tiling.cache import TilingCache
from tests.lowering.emit.emitted import added, convolution, emitted
from tests.strategies import machine_of, network_of

TWO = network_of([convolution("a", 3, channels=5), convolution("b", channels=7)], (4, 4, 6))


def test_weights_lie_aligned_behind_the_maps() -> None:
    """Maps of 96, 80 and 112 bytes begin at 0, 128 and 256; the first weights at the next multiple of 64."""
    found = [layer.weights for layer in working(emitted(TWO).lowered.layers)]
    assert [(each.name, each.address_bytes, each.bytes) for each in found if each] == [
        ("a.weights", 384, 5 * 6 * 9),
        ("b.weights", 704, 7 * 5),
    ]


def test_layers_with_the_same_weights_share_a_tensor() -> None:
    """Those of later inferences."""
    first, second, *later = [layer.weights for layer in working(emitted(TWO, inferences=3).lowered.layers)]
    assert first is not second
    assert [each is mine for each, mine in zip(later, (first, second) * 2, strict=True)] == [True] * 4


PARTS: dict[str, tuple[list[dict[str, Any]], dict[str, int], int]] = {
    "a convolution": (
        [convolution("x", 3, channels=24)],
        {"images": 1, "rows": 5, "columns": 10, "outputs": 7, "inputs": 9, "kernel": 3},
        2 * 3 * 4 * 2 * 3,
    ),
    "groups": ([convolution("x", 3, channels=24, groups=4)], {"images": 2, "rows": 12, "groups": 3}, 2),
    "a product, for each image": (
        [{"name": "x", "op": "product", "inputs": ["input", "input"], "groups": 2, "transposed": True}],
        {"rows": 5, "columns": 10, "groups": 1, "outputs": 50, "inputs": 3},
        2 * 3 * 2 * 3 * 3,
    ),
    "a pool": (
        [{"name": "x", "op": "maxpool", "kernel": 2, "stride": 2}],
        {"images": 1, "rows": 4, "columns": 5, "outputs": 7},
        2 * 2 * 3,
    ),
    "a copy, input by input": (
        [{"name": "x", "op": "concat", "inputs": ["input", "input"]}],
        {"images": 2, "rows": 5, "columns": 10, "outputs": 7},
        (3 + 3) * 3,
    ),
}


@pytest.mark.parametrize("kind", PARTS)
def test_iterations_are_those_of_the_tiles(kind: str) -> None:
    """Of two images of 12 x 10 with 16 channels: as many as there are tiles of each extent, multiplied."""
    rows, tile, count = PARTS[kind]
    found = emitted(network_of(rows, (12, 10, 16), batch=2), {"layers": [{"match": "x", "tile": tile}]})
    assert iteration_count(found.layer("x"), found.lowered.maps, 2) == count == len(found.of("x"))


BLOCK = network_of([convolution("a"), convolution("b", 3), added("sum", "b", "a"), convolution("c")], (8, 8, 8))


@pytest.mark.parametrize(
    ("groups", "unread"),
    [
        ([], {"a": {"input"}, "b": set(), "sum": {"a", "b"}, "c": {"sum"}}),
        ([["a", "b"]], {"a": set(), "b": {"input"}, "sum": {"a", "b"}, "c": {"sum"}}),
        ([["a", "b", "sum"]], {"a": set(), "b": set(), "sum": {"input", "a", "b"}, "c": {"sum"}}),
    ],
    ids=["layer after layer", "two depth-first", "all that read it depth-first"],
)
def test_a_map_is_unread_behind_its_last_reader_or_the_end_of_its_cascade(
    groups: list[list[str]], unread: dict[str, set[str]]
) -> None:
    """A shortcut is read past the layer between; what nobody reads is nowhere."""
    layers = working(emitted(BLOCK, {"groups": groups}).lowered.layers)
    assert {layer.node.name: {tensor.name for tensor in layer.unread} for layer in layers} == unread


def test_a_layer_that_does_not_fit_its_room_is_named() -> None:
    """A byte of the input beside two of results that take turns; the other layer has all of the buffer."""
    chip = machine_of()
    layout, weights = layout_of(TWO, chip), no_resident_weights(chip.sram.weight.capacity_bytes)
    for room, fits in ((3, True), (2, False)):
        rooms = ((0, chip.sram.activation.capacity_bytes), (100, 100 + room))
        found = plan_layers(TWO, TilingCache(chip, 1, layout, nodes=TWO.nodes), Residency({}, {}, rooms), weights)
        assert isinstance(found, LoweringError) is not fits
        assert fits or str(found).startswith("b: ")
