"""Do loads of many tilings hide behind the tile iterations that they hide behind when simulated?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from accelsim.config.plan import Order, Plan
from accelsim.config.scheduling import Scheduling
from accelsim.lowering.compile import alternatives, lower
from accelsim.lowering.emit.iterations import loops
from accelsim.lowering.ir import LayerTask, TilingContext
from accelsim.lowering.layout import layout_of
from accelsim.lowering.tiling.candidates import gathered
from accelsim.lowering.tiling.overlap import Flow, in_turn, last_pass, stepwise
from accelsim.lowering.tiling.search import searched
from accelsim.machine.machine import play
from accelsim.program.link import link
from tests.strategies import machine_of, network_of

POINTWISE = network_of([{"name": "layer", "op": "conv", "kernel": 1, "channels": 128}], (16, 16, 128))
WHOLE = {"rows": 2, "columns": 16, "outputs": 32, "inputs": 128}
TILINGS: dict[str, dict[str, Any]] = {
    "weights in a row": {"order": ["groups", "outputs", "inputs", "map"], "stay": {"inputs": 1, "weights": 1}},
    "weights in a row, maps stay": {
        "order": ["groups", "outputs", "inputs", "map"],
        "stay": {"inputs": 8, "weights": 1},
    },
    "maps in a row": {"order": ["map", "groups", "inputs", "outputs"], "stay": {"inputs": 1, "weights": 1}},
    "maps in a row, weights stay": {
        "order": ["map", "groups", "inputs", "outputs"],
        "stay": {"inputs": 1, "weights": 4},
    },
    "sets of weights": {
        "order": ["groups", "outputs", "map", "inputs"],
        "stay": {"inputs": 1, "weights": 4},
        "tile": {**WHOLE, "inputs": 32},
    },
    "sets of maps": {
        "order": ["map", "groups", "outputs", "inputs"],
        "stay": {"inputs": 4, "weights": 1},
        "tile": {**WHOLE, "inputs": 32},
    },
    "a ragged sum": {
        "order": ["map", "groups", "outputs", "inputs"],
        "stay": {"inputs": 1, "weights": 1},
        "tile": {**WHOLE, "inputs": 96},
    },
}


@pytest.mark.parametrize("bytes_per_clock", [4, 8, 16, 64])
@pytest.mark.parametrize("name", TILINGS)
def test_a_tiling_is_estimated_within_a_tenth(name: str, bytes_per_clock: int) -> None:
    """Whether array or bus is the busier."""
    machine = machine_of(dram__bytes_per_clock=bytes_per_clock)
    row = {"match": "layer", "tile": WHOLE, **TILINGS[name]}
    plan = Plan.model_validate({"layers": [row]})
    lowered = lower(POINTWISE, machine, Scheduling(plan=plan, fusion="never", keep_activations="never"))
    (layer,) = lowered.layers
    assert layer is not None
    chosen = alternatives(layer.task, layer.context).noteworthy[0]
    clocks = play(lowered.program, link(lowered.program), machine).total_cycles
    assert chosen.cycles == pytest.approx(clocks, rel=0.1)


def flow(cycles: float, first: int, later: int, window: float, tail: int) -> Flow:
    """Loads of one tiling."""
    every = (np.array([float(each)]) for each in (cycles, first, later, window, tail, 0))
    return Flow(*every)


def test_steps_by_hand() -> None:
    """Twelve iterations of 10 clocks. Four tiles of the map stay, and are loaded beside the first four, 8 clocks each;
    weights of 24 clocks come beside the first and then behind four each: 24 + 8, 3 x 10 and 8 x 10."""
    iterations, none = np.array([12]), np.array([0.0])
    maps, weights = flow(8, 4, 0, 1, 8), flow(24, 1, 2, 4, 3)
    assert stepwise(iterations, np.array([10.0]), none, maps, weights) == [32 + 30 + 80]


def test_loads_in_turn_by_hand() -> None:
    """The fourth iteration waits for all of the map, 4 x 8, and the first weights; nine are left with it. The last
    weights, 4 x 8 + 3 x 24, leave four."""
    maps, weights = flow(8, 4, 0, 1, 8), flow(24, 1, 2, 4, 3)
    assert in_turn(np.array([12]), np.array([10.0]), maps, weights) == [max(32 + 24 + 90, 32 + 72 + 40)]
    assert in_turn(np.array([12]), np.array([6.0]), maps, weights) == [max(32 + 24 + 54, 32 + 72 + 24)]


def test_rows_are_whole_when_the_last_pass_has_been_over_them() -> None:
    """As counted in the loops of tilings in every order, without bands."""
    row = {"name": "layer", "op": "conv", "kernel": 3, "pad": 1, "groups": 2, "channels": 12}
    network, machine = network_of([row], (6, 4, 8)), machine_of(array__rows=2, array__cols=2)
    (node,), context = network.nodes, TilingContext.of(machine)
    task = LayerTask.of(node, 1, layout_of(network, machine))
    plans = gathered(searched(task, context, "ws"))
    left, orders = last_pass(plans, task.output.width), set[Order]()
    for index in range(0, len(plans), 17):
        plan = plans.plan(index, "ws", task.taps)
        parts = list(loops(node, 1, plan))
        ends = [number for number, (block, _, _, _) in enumerate(parts, 1) if block[1].start == 0]
        assert left[index] == pytest.approx((len(parts) - ends[-1]) / len(parts))
        orders.add(plan.order)
    assert len(orders) > 3
