"""The tiler's estimate over what the machine then takes, on ideal memory, by operator and dataflow.

Layers of random sizes, each a network of its own on `edge`; the tiling that is chosen is estimated and played. The
estimate is high where small tiles have more groups in a fold than large ones have, and where weights come long before
they are needed; it is low where the last tile of a layer is small and yet takes as long, and where a narrow port fills
the array for a tile iteration longer than the last fold before it streams. `-rP` prints the distributions.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

from accelsim.config.load import load_energy_table, parse_overrides
from accelsim.config.machine import Machine
from accelsim.dataflows import DATAFLOWS
from accelsim.energy.price import price
from accelsim.lowering.compile import alternatives, lower
from accelsim.lowering.layout import layout_of
from accelsim.lowering.rewrite import rewrite
from accelsim.lowering.schedule.weights import no_resident_weights
from accelsim.lowering.tiling.cache import LayerCost, TilingCache
from accelsim.machine.machine import play
from accelsim.network.graph import Network
from accelsim.network.placement import placed
from accelsim.network.units import on_array
from accelsim.program.link import link
from accelsim.run.define import load_network
from tests.dataflows.test_fold_timing import FLOWS
from tests.strategies import MAP_CODEC, machine_of, network_of

LAYERS = 8
MEMORIES: dict[str, dict[str, Any]] = {
    "a bus": {},
    "free": {
        "dram__bytes_per_clock": 1 << 16,
        "dram__latency_clocks": 0,
        "dma__setup_cycles": 0,
        "dma__max_outstanding_bursts": 1 << 16,
    },
    "narrow SRAM ports": {"sram__activation__port_bytes_per_cycle": 4, "sram__weight__port_bytes_per_cycle": 4},
}


class Bounds(NamedTuple):
    """The least and the most of estimate over simulation, over all dataflows; median: of each dataflow.

    Multiply-accumulates and requantisation, which no tiling changes, are left out of energy.
    """

    cycles: tuple[float, float]
    median: tuple[float, float]
    energy: tuple[float, float]


BOUNDS = {
    ("a bus", "conv"): Bounds(cycles=(0.91, 1.01), median=(0.97, 1.01), energy=(0.99, 1.01)),
    ("a bus", "pointwise"): Bounds(cycles=(0.95, 1.07), median=(1.01, 1.03), energy=(0.99, 1.01)),
    ("a bus", "grouped"): Bounds(cycles=(0.98, 1.02), median=(0.99, 1.01), energy=(0.99, 1.01)),
    ("a bus", "depthwise"): Bounds(cycles=(0.97, 1.12), median=(0.99, 1.01), energy=(0.98, 1.03)),
    ("a bus", "fc"): Bounds(cycles=(0.99, 1.01), median=(0.99, 1.01), energy=(0.99, 1.01)),
    ("a bus", "product"): Bounds(cycles=(0.96, 1.05), median=(0.99, 1.02), energy=(0.99, 1.01)),
    ("free", "conv"): Bounds(cycles=(0.98, 1.04), median=(0.99, 1.01), energy=(0.99, 1.01)),
    ("free", "pointwise"): Bounds(cycles=(0.97, 1.02), median=(0.99, 1.01), energy=(0.99, 1.01)),
    ("free", "grouped"): Bounds(cycles=(0.98, 1.03), median=(0.99, 1.01), energy=(0.99, 1.01)),
    ("free", "depthwise"): Bounds(cycles=(0.99, 1.12), median=(0.99, 1.01), energy=(0.99, 1.08)),
    ("free", "fc"): Bounds(cycles=(0.99, 1.03), median=(0.99, 1.01), energy=(0.99, 1.01)),
    ("free", "product"): Bounds(cycles=(0.99, 1.06), median=(0.99, 1.01), energy=(0.99, 1.01)),
    ("narrow SRAM ports", "conv"): Bounds(cycles=(0.87, 1.02), median=(0.99, 1.01), energy=(0.99, 1.01)),
    ("narrow SRAM ports", "pointwise"): Bounds(cycles=(0.95, 1.03), median=(0.99, 1.01), energy=(0.99, 1.03)),
    ("narrow SRAM ports", "grouped"): Bounds(cycles=(0.99, 1.02), median=(0.99, 1.01), energy=(0.99, 1.01)),
    ("narrow SRAM ports", "depthwise"): Bounds(cycles=(0.96, 1.01), median=(0.99, 1.01), energy=(0.97, 1.03)),
    ("narrow SRAM ports", "fc"): Bounds(cycles=(0.99, 1.02), median=(0.99, 1.01), energy=(0.99, 1.01)),
    ("narrow SRAM ports", "product"): Bounds(cycles=(0.94, 1.04), median=(0.99, 1.01), energy=(0.99, 1.01)),
}


class Ratios(NamedTuple):
    """Estimate over simulation."""

    cycles: float
    energy: float


def random_layer(operator: str, rng: np.random.Generator) -> Network:
    """A layer of up to 128 channels in and 256 out."""
    channels, outputs = 16 * int(rng.integers(1, 9)), 16 * int(rng.integers(1, 17))
    side, stride = int(rng.choice([7, 14, 28])), int(rng.choice([1, 2]))
    rows: dict[str, dict[str, Any]] = {
        "conv": {"op": "conv", "kernel": 3, "pad": 1, "stride": stride, "channels": outputs},
        "pointwise": {"op": "conv", "kernel": 1, "channels": outputs},
        "grouped": {"op": "conv", "kernel": 3, "pad": 1, "groups": 4, "channels": outputs},
        "depthwise": {"op": "dwconv", "kernel": 3, "pad": 1, "stride": stride},
        "fc": {"op": "fc", "channels": outputs},
        "product": {"op": "product", "inputs": ["input", "input"], "groups": 4, "transposed": True},
    }
    return network_of([{"name": "layer", **rows[operator]}], (side, side, channels))


def ratios(network: Network, machine: Machine) -> Ratios:
    """Of the tiling that is chosen for its only layer."""
    lowered = lower(network, machine)
    (planned,) = lowered.layers
    assert planned is not None
    chosen = alternatives(planned.task, planned.context).noteworthy[0]
    assert chosen.tiling == planned.plan
    outcome = play(lowered.program, link(lowered.program), machine)
    (account,) = outcome.layers
    energy = price(account.counts + account.moved, outcome.total_cycles, machine)
    times = planned.task.times
    return Ratios(
        times * chosen.cycles / outcome.total_cycles,
        times * chosen.energy_pj / (energy.total_pj - energy.mac_pj - energy.requantisation_pj),
    )


def sampled(memory: str, operator: str, dataflow: str, table: str = "lecture_100x") -> Iterator[Ratios]:
    """By round prices, of which DRAM is most."""
    machine = machine_of(**MEMORIES[memory], energy=load_energy_table(table).model_dump(mode="json"))
    machine = machine.model_copy(update={"array": machine.array.model_copy(update={"dataflow": dataflow})})
    for seed in range(LAYERS):
        yield ratios(random_layer(operator, np.random.default_rng([seed, 20])), machine)


@pytest.mark.parametrize("dataflow", FLOWS)
@pytest.mark.parametrize(
    ("memory", "operator"),
    [pytest.param(*each, marks=[pytest.mark.slow] * (each[0] != "a bus"), id="-".join(each)) for each in BOUNDS],
)
def test_estimate_over_simulation(memory: str, operator: str, dataflow: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clocks and energy, each and in the median, within the bounds of the operator."""
    monkeypatch.setitem(DATAFLOWS, dataflow, FLOWS[dataflow])
    cycles, energy = (np.array(each) for each in zip(*sampled(memory, operator, dataflow), strict=True))
    for what, found in ("cycles", cycles), ("energy", energy):
        sys.stdout.write(f"{what}: {found.min():.3f} to {found.max():.3f}, median {np.median(found):.3f}\n")
    bounds = BOUNDS[memory, operator]
    assert bounds.cycles[0] <= cycles.min() <= cycles.max() <= bounds.cycles[1]
    assert bounds.median[0] <= np.median(cycles) <= bounds.median[1]
    assert bounds.energy[0] <= energy.min() <= energy.max() <= bounds.energy[1]


@pytest.mark.parametrize("dataflow", ["ws", "os"])
@pytest.mark.parametrize(
    ("operator", "low", "high"),
    [("conv", 0.9, 1.06), ("grouped", 0.72, 1.06), ("depthwise", 0.9, 1.1), ("fc", 0.9, 1.06)],
)
def test_energy_by_the_table_of_the_machine(operator: str, low: float, high: float, dataflow: str) -> None:
    """Words of each buffer, wires and clocks have prices of their own; DRAM is free of waits, so these are most."""
    energy = [each.energy for each in sampled("free", operator, dataflow, "cacti_22nm")]
    sys.stdout.write(f"energy: {min(energy):.3f} to {max(energy):.3f}\n")
    assert low <= min(energy) <= max(energy) <= high


@pytest.mark.parametrize("zeros", [0.0, 0.8])
@pytest.mark.parametrize("name", ["shufflenet_0.25x_g3", "squeezenet_v1.1"])
def test_no_tiling_takes_less_than_the_least(name: str, zeros: float) -> None:
    """Bytes of maps, coded or plain, and clocks with all data on chip; by it the schedule leaves layers untiled."""
    settings = [(0, f"network.map_zeros.share={zeros}")] if zeros else []
    chip = machine_of(dma__map_codec=MAP_CODEC) if zeros else machine_of()
    network = placed(rewrite(load_network(name, parse_overrides(settings))[1], chip), chip, "cycles")
    maps, weights = layout_of(network, chip), no_resident_weights(chip.sram.weight.capacity_bytes)
    cache, compared = TilingCache(chip, 1, maps, nodes=network.nodes), 0
    for node in (node for node in network.nodes if on_array(node, chip) and not node.absorbed):
        for residents in ({}, {each.name: each.output.channels for each in network.nodes}):
            least = cache.least(node, residents, weights)
            cost = cache.cost(node, chip.sram.activation.capacity_bytes, residents, weights)
            assert isinstance(cost, LayerCost)
            assert least.cycles <= 1.0001 * cost.compute_cycles
            assert least.fmap_bytes + least.weight_bytes <= 1.0001 * cost.burst_bytes
            compared += 1
    assert compared > 20
