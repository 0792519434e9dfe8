"""Do the tile iterations of a layer make every output once, in the plan's order, from the pixels that they name?"""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.lowering.compile import lower
from accelsim.lowering.emit.iterations import blocks, blocks_in, channels_of, cuts, loops, rectangles
from accelsim.lowering.emit.planned import iteration_count, working
from accelsim.lowering.ir import Tiling
from accelsim.program.commands import Compute
from accelsim.program.tensors import Range
from tests.strategies import machine_of, network_of


@given(st.integers(0, 40), st.integers(1, 40), st.integers(1, 9))
def test_rectangles_are_the_tokens_in_row_order(start: int, size: int, width: int) -> None:
    found = [
        row * width + col
        for rows, cols in rectangles(Range(start, start + size), width)
        for row, col in product(range(*rows), range(*cols))
    ]
    assert found == [*range(start, start + size)]


def test_channels_of_groups() -> None:
    """Of one group, a part of its own channels; of several, all of each."""
    assert channels_of(Range(2, 3), Range(1, 3), 4) == Range(9, 11)
    assert channels_of(Range(1, 3), Range(0, 4), 4) == Range(4, 12)


def test_loops_go_in_the_order_of_the_plan() -> None:
    """2 blocks of rows, 2 tiles of outputs and 2 of inputs, each loop outermost once."""
    (node,) = network_of([{"name": "c", "op": "conv", "kernel": 1, "channels": 8}], (4, 4, 8)).nodes
    for order in (("map", "groups", "outputs", "inputs"), ("groups", "outputs", "map", "inputs")):
        plan = Tiling(1, 2, 4, 1, 4, 4, order)  # type: ignore[arg-type]
        found = [(block[1].start, outs.start, ins.start) for block, _, outs, (_, ins) in loops(node, 1, plan)]
        assert len(set(found)) == len(found) == 8
        places = {"map": 0, "outputs": 1, "inputs": 2}
        outer_to_inner = [places[loop] for loop in order if loop in places]
        assert found == sorted(found, key=lambda each: [each[place] for place in outer_to_inner])
    assert len([*blocks(node, 3, plan)]) == blocks_in(node, 3, plan) == 6


def test_a_band_of_blocks_goes_through_all_loops_before_the_next() -> None:
    """Of three blocks two and one: for each group all outputs over the first two, and then over the last."""
    (node,) = network_of([{"name": "c", "op": "conv", "kernel": 1, "channels": 8, "groups": 2}], (3, 4, 8)).nodes
    plan = Tiling(1, 1, 4, 1, 2, 4, ("groups", "outputs", "map", "inputs"))
    found = [(group.start, outs.start, block[1].start) for block, group, outs, _ in loops(node, 1, plan, band=2)]
    band = [(0, 0), (0, 1), (2, 0), (2, 1), (0, 2), (2, 2)]
    assert found == [(group, *each) for group in (0, 1) for each in band]
    unbroken = [(block, group, outs, ins) for block, group, outs, ins in loops(node, 1, plan)]
    assert sorted(unbroken) == sorted(loops(node, 1, plan, band=2)) != unbroken


@given(st.integers(1, 30), st.integers(1, 30))
def test_cuts_cover_an_extent_once(extent: int, size: int) -> None:
    parts = [*cuts(extent, size)]
    assert [index for part in parts for index in range(*part)] == [*range(extent)]
    assert all(part.size == size for part in parts[:-1])


SMALL = {
    "sram__activation__capacity_bytes": 3000,
    "sram__weight__capacity_bytes": 1000,
    "depthwise": {"channels": 8, "max_taps": 25},
}
LAYERS: dict[str, list[dict[str, Any]]] = {
    "on the array": [{"name": "x", "op": "conv", "kernel": 3, "pad": 1, "channels": 24, "groups": 2}],
    "on the vector unit": [{"name": "x", "op": "maxpool", "kernel": 3, "pad": 1, "stride": 2}],
    "on the depthwise engine": [{"name": "x", "op": "dwconv", "kernel": 3, "pad": 1}],
    "a copy": [{"name": "x", "op": "concat", "inputs": ["input", "input"]}],
}


@pytest.mark.parametrize("unit", LAYERS)
def test_each_output_is_made_once_in_as_many_iterations_as_are_counted(unit: str) -> None:
    """By every kind of emission; sums over K are ended once. A copy names the channels of the input that it is of."""
    network = network_of(LAYERS[unit], (12, 12, 24))
    on_engine = {"array__depthwise_on": "engine"} if "engine" in unit else {}
    lowered = lower(network, machine_of(**SMALL, **on_engine))
    computes = [command for command in lowered.program.commands if isinstance(command, Compute)]
    (layer,) = working(lowered.layers)
    assert len(computes) == iteration_count(layer, lowered.maps, 1) > 1
    made = Counter(
        (row, col, channel, work.reduction.start if unit == "a copy" else 0)
        for work in (each.work for each in computes if each.work.last)
        for row, col, channel in product(range(*work.rows), range(*work.cols), range(*work.channels))
    )
    output = network.nodes[0].output
    assert set(made.values()) == {1}
    assert len(made) == output.elements
