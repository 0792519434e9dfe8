"""Bands of the map, over which all weights pass before the next: are they equal, and do they save what they should?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from accelsim.lowering.compile import estimate
from accelsim.lowering.given import FREE
from accelsim.lowering.ir import LayerTask, TilingContext, loads_each, loop_turns
from accelsim.lowering.layout import lay_out
from accelsim.lowering.tiling.candidates import gathered
from accelsim.lowering.tiling.space import searched
from accelsim.lowering.tiling.traffic import traffic
from accelsim.units import ceil_div
from tests.lowering.tiling.test_tiles import cost
from tests.strategies import machine_of, network_of

CONV3_2 = {"kernel": 3, "pad": 1, "channels": 256}
"""Of VGG-16, over 56 x 56 x 256: neither the map nor the weights fit the buffers of `edge`."""


def conv3_2() -> LayerTask:
    network = network_of([{"name": "c", "op": "conv", **CONV3_2}], (56, 56, 256))
    return LayerTask.of(network.nodes[0], 1, lay_out(network, 8, scatter=True))


def test_a_layer_of_vgg_moves_a_fifth_less_in_as_many_clocks() -> None:
    """6.7 MB in 1,817,687 clocks without bands. With nothing loaded twice but weights, and stores of whole bursts, five
    bands would move 4.6."""
    found = cost(CONV3_2, (56, 56, 256))
    assert found.burst_bytes < 5.6e6
    assert found.cycles < 1.82e6


def test_weights_pass_once_for_each_band() -> None:
    task, context = conv3_2(), TilingContext.of(machine_of())
    found = estimate(task, context)
    turns = loop_turns(task, found.tiling)
    moved = traffic(task, found.tiling, context.array)
    assert turns["bands"] == 5
    assert moved.weight_bytes == 5 * task.weights
    assert moved.ifmap_bytes < 1.2 * task.size.elements
    assert loads_each(turns, ("groups", "outputs", "inputs"), found.tiling.weight_tiles) == 5


@pytest.mark.parametrize("objective", ["cycles", "dram_bytes"])
def test_bands_are_equal_and_their_tiles_fit(objective: str) -> None:
    """As few as can be of those that fit, which cut the blocks as equally as can be."""
    task, context = conv3_2(), TilingContext.of(machine_of(), objective)  # type: ignore[arg-type]
    plans = gathered(searched(task, context, "ws"))
    blocks = plans.ifmap_tiles // plans.in_tiles
    banded = np.flatnonzero((plans.order >= 4) & (blocks > 1) & (blocks < plans.blocks.count))
    assert len(banded)
    count, each = plans.blocks.count[banded], blocks[banded]
    assert (each == ceil_div(count, ceil_div(count, each))).all()
    assert (plans.weight_loads_each[banded] == ceil_div(count, each)).all()
    assert (plans.map_loads_each[banded] == 1).all()
    assert (plans.activation_bytes[banded] <= context.activation_bytes).all()
    assert (plans.out_tiles[banded] > 1).all()


def test_no_bands_are_searched_where_all_weights_fit() -> None:
    """A map beside weights that all stay is loaded once as it is; a given plan may have bands nevertheless."""
    task, context = conv3_2(), TilingContext.of(machine_of(sram__weight__capacity_bytes=1 << 20))
    assert "bands" not in loop_turns(task, estimate(task, context).tiling)
    sizes = {"rows": 4, "cols": 56, "out_channels": 32, "in_channels": 256, "ifmap_tiles": 3}
    orders = (("groups", "outputs", "map", "inputs"), ("groups", "outputs", "inputs", "map"))
    given = FREE._replace(**sizes, orders=orders, gathers=False)  # type: ignore[arg-type]
    turns = loop_turns(task, estimate(task, replace(context, given=given)).tiling)
    assert (turns["bands"], turns["map"]) == (7, 2)
    single = replace(context, given=given._replace(ifmap_tiles=1))
    assert "bands" not in loop_turns(task, estimate(task, single).tiling)


def test_a_given_band_is_made_though_it_is_slower() -> None:
    """All weights of an output channel's tile have one place here, and are waited for in each of five bands."""
    sizes = {"rows": 6, "cols": 56, "out_channels": 32, "in_channels": 256, "ifmap_tiles": 2}
    orders = (("groups", "outputs", "map", "inputs"), ("groups", "outputs", "inputs", "map"))
    given = FREE._replace(**sizes, orders=orders, gathers=False)  # type: ignore[arg-type]
    task, context = conv3_2(), replace(TilingContext.of(machine_of()), given=given)
    banded, single = (estimate(task, each) for each in (context, replace(context, given=given._replace(ifmap_tiles=1))))
    assert loop_turns(task, banded.tiling)["bands"] == 5
    assert banded.cycles > single.cycles
    assert banded.burst_bytes < single.burst_bytes
