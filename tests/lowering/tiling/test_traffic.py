"""Is the traffic of a plan what its program asks for? Random layers under random plans, good or bad."""

from __future__ import annotations

from itertools import islice
from typing import Any
from unittest.mock import patch

from hypothesis import assume, given
from hypothesis import strategies as st

from accelsim.check.execute import check_program
from accelsim.config.machine import Machine
from accelsim.config.plan import Plan
from accelsim.lowering.compile import Lowered, lower
from accelsim.lowering.ir import LayerTask, PlannedLayer, ResidentChannels, Tiling
from accelsim.lowering.schedule.weights import WeightResidents
from accelsim.lowering.tiling.cache import LayerCost, TilingCache
from accelsim.lowering.tiling.traffic import Traffic, traffic
from accelsim.network.graph import Network, Node
from accelsim.network.units import on_array
from accelsim.program.link import link
from tests.played import dma_counts
from tests.strategies import attentions, machines, networks, schedulings

ROOMY = {
    "sram__activation__capacity_bytes": 1 << 16,
    "sram__weight__capacity_bytes": 1 << 16,
    "sram__accumulator__capacity_bytes": 1 << 16,
    "array__depthwise_on": "array",
}


def random_plan(draw: st.DrawFn, shape: LayerTask, dataflow: str) -> Tiling:
    """Any tile sizes in any order, any tiles kept; on OS, whose sums wait in the PEs, they are not split."""
    groups = draw(st.integers(1, shape.groups))
    split = groups == 1
    outs = draw(st.integers(1, shape.group_outputs)) if split else shape.group_outputs
    ins = draw(st.integers(1, shape.group_inputs)) if split else shape.group_inputs
    order = draw(st.permutations(("groups", "map", "outputs", "inputs")))
    images, height, width = shape.batch, shape.output.height, shape.output.width
    sizes = [draw(st.integers(1, extent)) for extent in (images, height, width)]
    if shape.pool and any(each.waits for each in shape.pool):
        sizes = [sizes[0], sizes[1] if sizes[0] == 1 else height, width]
    taps = draw(st.sampled_from([None, *kernel_parts(shape)])) if split and dataflow != "os" else None
    ins = shape.group_inputs if dataflow == "os" else ins
    kept = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    return Tiling(*sizes, groups, outs, ins, tuple(order), dataflow, taps, *kept, gathers=order[0] == "map")


def kernel_parts(shape: LayerTask) -> list[int]:
    """Kernel positions of a tile: whole rows of a kernel, or an equal part of each."""
    high, wide = shape.window.vertical.kernel, shape.window.horizontal.kernel
    parts = [size for size in range(1, wide) if high == 1 or wide % size == 0]
    return parts + [rows * wide for rows in range(1, high)]


@st.composite
def planned(draw: st.DrawFn) -> tuple[Network, Machine, Lowered, list[PlannedLayer]]:
    """A network whose layers on the array are lowered with random plans, and these layers as they are in the program:
    of several plans of the whole network, the last need not be the one that is chosen."""
    network, machine = draw(st.one_of(networks(), networks(), attentions())), draw(machines(**ROOMY))
    scheduling = draw(schedulings(inferences=1, keep_activations="never", fusion="never"))
    scheduling = scheduling.model_copy(update={"plan": Plan(images=network.batch)})
    as_it_is = TilingCache.cost

    def cost(self: TilingCache, node: Node, room: int, stays: ResidentChannels, weights: WeightResidents) -> LayerCost:
        if not on_array(node, machine):
            return as_it_is(self, node, room, stays, weights)
        dataflow = self.context(node, room, weights).array.dataflow
        return LayerCost(0, room, 0, 0, 0, random_plan(draw, self.task(node, stays), dataflow))

    with patch.object(TilingCache, "cost", cost):
        lowered = lower(network, machine, scheduling)
    return network, machine, lowered, [layer for layer in lowered.layers if layer and layer.on_array]


@given(planned())
def test_traffic_of_a_plan_is_what_its_program_asks_for(case: Any) -> None:
    """By operand, to the byte: halos, packed rows, layers that lie within a concat or scattered by a shuffle."""
    _, machine, lowered, layers = case
    moved = dma_counts(lowered.program, machine.dram.burst_bytes)
    for layer in layers:
        counts, shape, limits = moved[layer.index], layer.task, layer.context
        asked = Traffic(counts.dram_read_ifmap_bytes, counts.dram_read_weight_bytes, counts.dram_write_ofmap_bytes)
        said = traffic(shape, layer.plan, limits.array)
        if shape.scattered and limits.array.ofmap_bits % 8:
            assert asked.ofmap_bytes <= said.ofmap_bytes
            asked = Traffic(asked.ifmap_bytes, asked.weight_bytes, said.ofmap_bytes)
        if layer.node.op.multiplies_maps and limits.array.weight_bits % 8:
            assert asked.weight_bytes >= said.weight_bytes
            asked = Traffic(asked.ifmap_bytes, said.weight_bytes, asked.ofmap_bytes)
        assert said == asked


MOST_COMMANDS = 2000
"""Commands of a program that is executed on numbers; some plans have a hundred times as many."""


@given(planned())
def test_any_order_of_the_loops_computes_the_layer(case: Any) -> None:
    """Bit for bit: sums of many pieces may wait in the accumulator at once."""
    _, machine, lowered, _ = case
    assume(sum(1 for _ in islice(lowered.program.commands, MOST_COMMANDS)) < MOST_COMMANDS)
    assert check_program(machine, lowered, link(lowered.program)) == []
