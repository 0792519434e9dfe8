"""Are the array's work and the transfers of a tiling those of its program?"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np
import pytest

from accelsim.dataflows import DATAFLOWS
from accelsim.lowering.compile import alternatives, estimate, lower
from accelsim.lowering.emit.planned import working
from accelsim.lowering.given import GivenTile
from accelsim.lowering.ir import LayerTask, TilingContext
from accelsim.lowering.layout import layout_of
from accelsim.lowering.tiling.candidates import gathered
from accelsim.lowering.tiling.played import known_work, tiled_work
from accelsim.lowering.tiling.shortage import shortage
from accelsim.lowering.tiling.space import searched
from accelsim.lowering.tiling.transfers import transfers_of
from accelsim.program.commands import Compute, Load, Program, Store
from accelsim.program.folds import cycles_of, join
from tests.strategies import machine_of, network_of

ROWS: dict[str, dict[str, Any]] = {
    "conv": {"op": "conv", "kernel": 3, "pad": 1, "channels": 64},
    "grouped": {"op": "conv", "kernel": 3, "pad": 1, "groups": 4, "channels": 64},
    "fc": {"op": "fc", "channels": 100},
}
SMALL = {"sram__activation__capacity_bytes": 8192, "sram__weight__capacity_bytes": 8192}


def chain_cycles(program: Program) -> int:
    """Clocks of all folds of a program, data on chip."""
    chains = [command.chain for command in program.commands if isinstance(command, Compute) and command.chain]
    return cycles_of(reduce(join, chains), overlap=True)


@pytest.mark.parametrize("dataflow", DATAFLOWS)
@pytest.mark.parametrize("operator", ROWS)
def test_work_and_transfers_of_the_chosen_tiling(operator: str, dataflow: str) -> None:
    """Clocks within a percent, where the last tiles of several loops are short; loads and stores exactly."""
    network = network_of([{"name": "x", **ROWS[operator]}], (14, 14, 48))
    lowered = lower(network, machine_of(**SMALL, array__dataflow=dataflow))
    (layer,) = working(lowered.layers)
    candidates = gathered(searched(layer.task, layer.context, dataflow))
    taps = layer.task.taps
    chosen = [index for index in range(len(candidates)) if candidates.plan(index, dataflow, taps) == layer.plan]
    assert chosen
    plans = candidates.at(np.array(chosen[:1]))
    work = known_work(layer.task, layer.context, dataflow, plans)
    assert float(work.cycles[0] + work.end_cycles[0]) == pytest.approx(chain_cycles(lowered.program), rel=0.01)
    averaged = tiled_work(layer.task, layer.context, dataflow, plans, averaged=True)
    assert float(averaged.cycles[0]) <= 1.001 * float(work.cycles[0] + work.end_cycles[0])
    moved = transfers_of(layer.task, layer.context, plans)
    commands = [*lowered.program.commands]
    loads = sum(isinstance(command, Load) for command in commands)
    assert moved.map_loads[0] + moved.weight_loads[0] == loads
    assert moved.stores[0] == sum(isinstance(command, Store) for command in commands)


@pytest.mark.parametrize("operator", ROWS)
def test_the_estimate_is_that_of_the_first_alternative(operator: str) -> None:
    """The tiling that is chosen, with the same figures."""
    network = network_of([{"name": "x", **ROWS[operator]}], (14, 14, 48))
    machine = machine_of(**SMALL)
    task = LayerTask.of(network.nodes[0], 1, layout_of(network, machine))
    context = TilingContext.of(machine)
    found, (first, *_) = estimate(task, context), alternatives(task, context).noteworthy
    assert (found.tiling, found.cycles, found.burst_bytes) == (first.tiling, first.cycles, first.burst_bytes)
    assert found.compute_cycles <= found.cycles


@pytest.mark.parametrize(
    ("buffer", "lacks"), [("activation", "feature maps where sram.activation has 8"), ("weight", "sram.weight has 8")]
)
def test_shortage_names_the_buffer_that_is_too_small(buffer: str, lacks: str) -> None:
    """With all of a sum, and all outputs, in a tile; nothing where tiles are free, or fit."""
    network = network_of([{"name": "x", "op": "fc", "channels": 64}], (1, 1, 48))
    machine, small = machine_of(), machine_of(**{f"sram__{buffer}__capacity_bytes": 8})
    task = LayerTask.of(network.nodes[0], 1, layout_of(network, machine))
    whole = GivenTile(in_channels=48, out_channels=64)
    assert shortage(task, replace(TilingContext.of(machine), given=whole)) == ""
    assert shortage(task, TilingContext.of(small)) == ""
    assert lacks in shortage(task, replace(TilingContext.of(small), given=whole))
