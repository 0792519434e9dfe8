"""How far is the tiling that is chosen from the best of others, all of them simulated? `-rP` prints the gaps."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pytest

from accelsim.config.machine import Machine
from accelsim.config.plan import Plan
from accelsim.config.scheduling import Scheduling
from accelsim.lowering.compile import lower
from accelsim.lowering.ir import LayerTask, Tiling, TilingContext
from accelsim.lowering.layout import layout_of
from accelsim.lowering.tiling.candidates import gathered
from accelsim.lowering.tiling.cost import Estimate
from accelsim.lowering.tiling.search import searched
from accelsim.machine.machine import play
from accelsim.network.graph import Network
from accelsim.network.units import on_array
from accelsim.program.link import link
from accelsim.run.define import load_network, load_target
from tests.strategies import network_of

NETWORKS = ("mobilenet_v1_1.00_224", "shufflenet_1.0x_g3", "squeezenet_v1.0", "resnet18", "googlenet")
LAYERS, OTHERS, MOST_ITERATIONS = 14, 16, 1000
PROMISING = 1.35
"""Others are those for which array or bus, and the ends, take at most this much more than of the best."""


def layers(machine: Machine) -> Iterator[Network]:
    """Networks of a layer each, of different ones on the array."""
    found = dict[object, Network]()
    for name in NETWORKS:
        for node in load_network(name)[1].nodes:
            axis, size = node.window.vertical, node.sizes[0]
            if node.op.name != "conv" or not on_array(node, machine) or axis != node.window.horizontal:
                continue
            window = {"kernel": axis.kernel, "stride": axis.stride, "pad": axis.pad}
            row = {"name": "c", "op": "conv", **window, "groups": node.groups, "channels": node.output.channels}
            if axis.pad == axis.pad_end:
                found.setdefault((size, *row.values()), network_of([row], (size.height, size.width, size.channels)))
    every = list(found.values())
    yield from every[:: max(1, len(every) // LAYERS)][:LAYERS]


def clocks(network: Network, machine: Machine, tiling: Tiling | None = None) -> int:
    """Clocks of a layer by itself, with a tiling or the one that is chosen."""
    scheduling = Scheduling(fusion="never", keep_activations="never")
    if tiling is not None:
        tile = {"images": 1, "rows": tiling.rows, "columns": tiling.cols, "groups": tiling.groups}
        tile |= {"outputs": tiling.out_channels, "inputs": tiling.in_channels}
        tile |= {"kernel": tiling.taps or network.nodes[0].window.elements}
        row = {"match": "c", "dataflow": tiling.dataflow, "tile": tile, "order": list(tiling.order)}
        row |= {"results": tiling.results, "stay": {"inputs": tiling.ifmap_tiles, "weights": tiling.weight_tiles}}
        scheduling = scheduling.model_copy(update={"plan": Plan.model_validate({"layers": [row]})})
    program = lower(network, machine, scheduling).program
    return play(program, link(program), machine).total_cycles


def others(network: Network, machine: Machine, random: np.random.Generator) -> Iterator[Tiling]:
    """Some of the promising tilings of a layer."""
    task, context = LayerTask.of(network.nodes[0], 1, layout_of(network, machine)), TilingContext.of(machine)
    (dataflow,) = context.dataflows
    every = gathered(searched(task, context, dataflow))
    estimate = Estimate(task, context, dataflow, every, averaged=True)
    bus = estimate.burst_bytes / context.bytes_per_cycle
    least = np.maximum(estimate.compute_cycles, bus) + estimate.ramp_cycles
    promising = np.flatnonzero((least <= PROMISING * least.min()) & (every.iterations < MOST_ITERATIONS))
    for index in random.choice(promising, min(OTHERS, len(promising)), replace=False).tolist():
        yield every.plan(index, dataflow, task.taps)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("machine", "mean", "most"), [("edge", 1.02, 1.07), ("tiny", 1.01, 1.05), ("ethos_u65", 1.01, 1.05)]
)
def test_the_chosen_tiling_is_near_the_best_that_is_simulated(machine: str, mean: float, most: float) -> None:
    """In clocks, of 14 layers on each machine."""
    chip, random = load_target(machine).machine, np.random.default_rng(14)
    gaps = list[float]()
    for network in layers(chip):
        best = min(clocks(network, chip, tiling) for tiling in others(network, chip, random))
        gaps.append(clocks(network, chip) / best)
        sys.stdout.write(f"{network.nodes[0].sizes[0]} to {network.nodes[0].output}: {gaps[-1]:.4f}\n")
    sys.stdout.write(f"{machine}: {np.mean(gaps):.4f} on average\n")
    assert len(gaps) == LAYERS
    assert np.mean(gaps) <= mean
    assert max(gaps) <= most
