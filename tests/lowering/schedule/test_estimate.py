"""The schedule's estimate over what the machine then takes, for layers by themselves on the vector unit and the engine.

Layers of random sizes, each a network of its own on `edge`. The estimate is the longer of the unit and the bus. It is
low where a layer has few tiles, as its first load, its last store and their latency overlap with nothing; and in bytes
for a copy, whose stores fill part of each burst. `-rP` prints the distributions.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

from accelsim.config.machine import Machine
from accelsim.lowering.compile import lower
from accelsim.lowering.ir import NO_RESIDENTS
from accelsim.lowering.layout import layout_of
from accelsim.lowering.schedule.costs import Costs, value_of
from accelsim.lowering.schedule.effort import Effort
from accelsim.lowering.schedule.weights import no_resident_weights
from accelsim.lowering.tiling.cache import TilingCache
from accelsim.machine.machine import play
from accelsim.network.graph import Network
from accelsim.program.link import link
from tests.lowering.tiling.test_estimate import LAYERS, MEMORIES
from tests.strategies import machine_of, network_of


class Bounds(NamedTuple):
    """The least and the most of estimate over simulation: of clocks, of their median, and of DRAM bytes in bursts."""

    cycles: tuple[float, float]
    median: tuple[float, float]
    dram_bytes: tuple[float, float]


BOUNDS = {
    ("a bus", "max pool"): Bounds((0.65, 0.98), (0.87, 0.88), (0.95, 1.0)),
    ("a bus", "average pool"): Bounds((0.39, 0.99), (0.88, 0.89), (0.84, 1.0)),
    ("a bus", "global pool"): Bounds((0.42, 0.89), (0.77, 0.78), (0.93, 1.0)),
    ("a bus", "add"): Bounds((0.7, 0.99), (0.95, 0.96), (0.94, 1.0)),
    ("a bus", "scale"): Bounds((0.7, 1.0), (0.93, 0.94), (0.93, 1.0)),
    ("a bus", "relu"): Bounds((0.72, 1.0), (0.94, 0.95), (0.94, 1.0)),
    ("a bus", "sigmoid"): Bounds((0.58, 1.0), (0.86, 0.87), (0.94, 1.0)),
    ("a bus", "softmax"): Bounds((0.53, 0.87), (0.75, 0.76), (0.94, 1.0)),
    ("a bus", "lrn"): Bounds((0.64, 0.92), (0.82, 0.83), (0.94, 1.0)),
    ("a bus", "resize"): Bounds((0.82, 1.0), (0.94, 0.95), (0.95, 1.0)),
    ("a bus", "copy"): Bounds((0.59, 1.0), (0.8, 0.81), (0.65, 1.0)),
    ("a bus", "depthwise, vector unit"): Bounds((0.63, 0.98), (0.87, 0.88), (0.95, 1.0)),
    ("a bus", "depthwise, engine"): Bounds((0.67, 0.88), (0.78, 0.79), (0.95, 1.0)),
    ("free", "max pool"): Bounds((0.93, 0.99), (0.93, 0.94), (0.95, 1.0)),
    ("free", "average pool"): Bounds((0.85, 1.12), (0.86, 0.87), (0.84, 1.0)),
    ("free", "global pool"): Bounds((0.85, 0.89), (0.87, 0.88), (0.93, 1.0)),
    ("free", "add"): Bounds((0.84, 0.95), (0.84, 0.85), (0.94, 1.0)),
    ("free", "scale"): Bounds((0.75, 0.87), (0.8, 0.81), (0.93, 1.0)),
    ("free", "relu"): Bounds((0.8, 0.88), (0.82, 0.83), (0.94, 1.0)),
    ("free", "sigmoid"): Bounds((0.94, 0.97), (0.94, 0.95), (0.94, 1.0)),
    ("free", "softmax"): Bounds((0.95, 0.98), (0.95, 0.96), (0.94, 1.0)),
    ("free", "lrn"): Bounds((0.97, 0.99), (0.97, 0.98), (0.94, 1.0)),
    ("free", "resize"): Bounds((0.86, 0.96), (0.9, 0.91), (0.95, 1.0)),
    ("free", "copy"): Bounds((0.81, 0.96), (0.86, 0.87), (0.65, 1.0)),
    ("free", "depthwise, vector unit"): Bounds((0.91, 0.99), (0.92, 0.93), (0.95, 1.0)),
    ("free", "depthwise, engine"): Bounds((0.95, 0.98), (0.96, 0.97), (0.95, 1.0)),
    ("narrow SRAM ports", "max pool"): Bounds((0.99, 1.23), (1.03, 1.04), (0.95, 1.0)),
    ("narrow SRAM ports", "average pool"): Bounds((0.8, 1.0), (0.88, 0.89), (0.84, 1.0)),
    ("narrow SRAM ports", "global pool"): Bounds((0.66, 0.92), (0.85, 0.86), (0.93, 1.0)),
    ("narrow SRAM ports", "add"): Bounds((0.75, 0.96), (0.87, 0.88), (0.94, 1.0)),
    ("narrow SRAM ports", "scale"): Bounds((0.62, 0.91), (0.81, 0.82), (0.93, 1.0)),
    ("narrow SRAM ports", "relu"): Bounds((0.64, 0.92), (0.82, 0.83), (0.94, 1.0)),
    ("narrow SRAM ports", "sigmoid"): Bounds((0.64, 0.92), (0.82, 0.83), (0.94, 1.0)),
    ("narrow SRAM ports", "softmax"): Bounds((0.64, 0.92), (0.82, 0.83), (0.94, 1.0)),
    ("narrow SRAM ports", "lrn"): Bounds((0.64, 0.92), (0.82, 0.83), (0.94, 1.0)),
    ("narrow SRAM ports", "resize"): Bounds((0.85, 0.98), (0.89, 0.9), (0.95, 1.0)),
    ("narrow SRAM ports", "copy"): Bounds((0.76, 0.98), (0.88, 0.89), (0.65, 1.0)),
    ("narrow SRAM ports", "depthwise, vector unit"): Bounds((0.99, 1.2), (1.03, 1.04), (0.95, 1.0)),
    ("narrow SRAM ports", "depthwise, engine"): Bounds((0.74, 0.93), (0.86, 0.87), (0.95, 1.0)),
}
"""As measured, rounded outwards to a hundredth."""
ON = {"depthwise, vector unit": "vector", "depthwise, engine": "engine"}


class Ratios(NamedTuple):
    """Estimate over simulation."""

    cycles: float
    dram_bytes: float


def random_layer(operator: str, rng: np.random.Generator) -> Network:
    """A layer of up to 128 channels."""
    channels, side, stride = 16 * int(rng.integers(1, 9)), int(rng.choice([7, 14, 28])), int(rng.choice([1, 2]))
    whole = {"op": "input", "name": "other", "height": side, "width": side, "channels": channels}
    window = {"kernel": 3, "pad": 1, "stride": stride}
    rows: dict[str, dict[str, Any]] = {
        "max pool": {"op": "maxpool", **window},
        "average pool": {"op": "avgpool", "kernel": 2, "stride": 2},
        "global pool": {"op": "gap"},
        "add": {"op": "add", "inputs": ["input", "other"]},
        "scale": {"op": "scale", "inputs": ["input", "other"]},
        "relu": {"op": "relu"},
        "sigmoid": {"op": "sigmoid"},
        "softmax": {"op": "softmax"},
        "lrn": {"op": "lrn"},
        "resize": {"op": "resize", "height": 2 * side, "width": 2 * side},
        "copy": {"op": "concat", "inputs": ["input", "other"]},
        **{name: {"op": "dwconv", **window} for name in ON},
    }
    row = rows[operator]
    others = {"scale": [{**whole, "height": 1, "width": 1}]}.get(operator, [whole] if "inputs" in row else [])
    return network_of([*others, {"name": "layer", **row}], (side, side, channels))


def ratios(network: Network, machine: Machine) -> Ratios:
    """Of the only layer, in all of SRAM."""
    lowered = lower(network, machine)
    outcome = play(lowered.program, link(lowered.program), machine)
    (account,), (node,) = outcome.layers, lowered.network.nodes
    cache = TilingCache(machine, 1, layout_of(lowered.network, machine), nodes=lowered.network.nodes)
    weights = no_resident_weights(machine.sram.weight.capacity_bytes)
    costs = Costs(cache, weights, value_of(cache, weights, lowered.network.nodes))
    effort = costs.alone(node, machine.sram.activation.capacity_bytes, NO_RESIDENTS)
    assert isinstance(effort, Effort)
    counts = account.counts + account.moved
    moved = counts.dram_read_burst_bytes + counts.dram_write_burst_bytes
    return Ratios(effort.cycles / outcome.total_cycles, effort.dram_bytes / moved)


def sampled(memory: str, operator: str) -> Iterator[Ratios]:
    engine = {"depthwise": {"channels": 8, "max_taps": 25}} if ON.get(operator) == "engine" else {}
    machine = machine_of(**MEMORIES[memory], array__depthwise_on=ON.get(operator, "array"), **engine)
    for seed in range(LAYERS):
        yield ratios(random_layer(operator, np.random.default_rng([seed, 20])), machine)


@pytest.mark.parametrize(("memory", "operator"), [pytest.param(*each, id="-".join(each)) for each in BOUNDS])
def test_estimate_over_simulation(memory: str, operator: str) -> None:
    """Clocks, also in the median, and DRAM bytes, within the bounds of the operator."""
    cycles, moved = (np.array(each) for each in zip(*sampled(memory, operator), strict=True))
    for what, found in ("cycles", cycles), ("DRAM bytes", moved):
        sys.stdout.write(f"{what}: {found.min():.3f} to {found.max():.3f}, median {np.median(found):.3f}\n")
    bounds = BOUNDS[memory, operator]
    assert bounds.cycles[0] <= cycles.min() <= cycles.max() <= bounds.cycles[1]
    assert bounds.median[0] <= np.median(cycles) <= bounds.median[1]
    assert bounds.dram_bytes[0] <= moved.min() <= moved.max() <= bounds.dram_bytes[1]
