"""A resource that layers are bound by: with twice as much of it they are quicker, and hardly more so with any other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from accelsim.config.load import load_machine
from accelsim.config.scheduling import Scheduling
from accelsim.network.graph import INPUT, Network, Node
from accelsim.records import RESOURCES
from accelsim.report.columns import bound_by
from accelsim.run.define import load_network
from accelsim.run.doubled import DOUBLED
from accelsim.run.play import perform

ROOT = Path(__file__).parents[2]
NETWORKS = (
    *("alexnet_grouped", "vgg16", "resnet34_A", "resnext50_32x4d", "mobilenet_v1_1.00_224", "shufflenet_1.0x_g3"),
    *("squeezenet_v1.0", "densenet121"),
)
MACHINES = ("edge", "gemmini_default", "tpu_v1", "cloud")
NEARLY = 1.03
"""Times the fewest clocks of all doubled machines that those of the named one may be."""


class Tried(NamedTuple):
    """A layer alone: what it is bound by, its clocks, and those with each resource doubled."""

    case: str
    named: str
    clocks: int
    doubled: dict[str, int]

    @property
    def is_right(self) -> bool:
        """The named resource is best, or nearly; where none is named, none helps."""
        return self.doubled.get(self.named, self.clocks) <= NEARLY * min(self.clocks, *self.doubled.values())


@cache
def network_named(name: str) -> Network:
    return load_network(name)[1]


def alone(network: Network, node: Node) -> Network:
    """A network of one layer."""
    names = {name: f"{INPUT}{number or ''}" for number, name in enumerate(dict.fromkeys(node.inputs))}
    inputs = {names[name]: size for name, size in zip(node.inputs, node.sizes, strict=True)}
    own = replace(node, inputs=tuple(names[name] for name in node.inputs))
    return replace(network, name=node.name, inputs=inputs, nodes=(own,))


def layer_named(name: str, layer: str) -> Node:
    return next(node for node in network_named(name).nodes if node.name == layer)


def cases(every: int, first: int) -> list[tuple[str, Node, str]]:
    """Layers of different shapes, each on one of the machines in turn."""
    found: list[tuple[str, Node]] = []
    for name in NETWORKS:
        nodes = network_named(name).nodes
        shapes = {(node.label, node.sizes, node.output): node for node in nodes if not node.op.is_address}
        found += [(name, node) for node in list(shapes.values())[first::every]]
    return [(name, node, MACHINES[place % len(MACHINES)]) for place, (name, node) in enumerate(found)]


def tried(name: str, node: Node, machine: str) -> Tried:
    network, target = alone(network_named(name), node), load_machine(machine)
    (record,) = perform(network, target, Scheduling()).records
    machines = {resource: DOUBLED[resource](target) for resource in RESOURCES}
    doubled = {
        resource: record.total_cycles
        if better == target
        else perform(network, better, Scheduling(), saves=False).outcome.total_cycles
        for resource, better in machines.items()
    }
    return Tried(f"{name} {node.name} on {machine}", bound_by(record), record.total_cycles, doubled)


def wrong(found: Sequence[Tried]) -> list[str]:
    """The layers that are bound by something else."""
    return [
        f"{each.case}: {each.named}, not {min(each.doubled, key=lambda name: each.doubled[name])}: {each}"
        for each in found
        if not each.is_right
    ]


def test_the_named_resource_helps_most() -> None:
    """A sample: the largest weights of ResNet wait for the DRAM, those of AlexNet for bursts in flight."""
    sample = (("resnet34_A", "conv5_2_a", "edge"), ("alexnet_grouped", "fc8", "gemmini_default"))
    found = [tried(name, layer_named(name, layer), machine) for name, layer, machine in sample]
    assert [each.named for each in found] == ["dram_bandwidth", "dma_outstanding"]
    assert not wrong(found)


@pytest.mark.slow
def test_the_named_resource_helps_most_of_many_layers() -> None:
    """At least 19 of 20, and as many as docs/machine.md says."""
    found = [tried(*case) for case in cases(every=3, first=1)]
    assert len(found) >= 60
    bad = wrong(found)
    assert len(bad) <= 0.05 * len(found), "\n".join(bad)
    page = " ".join((ROOT / "docs" / "machine.md").read_text(encoding="utf-8").split())
    assert f"Of {len(found)} layers of {len(NETWORKS)} networks on {len(MACHINES)} machines" in page
    assert f"or within {NEARLY - 1:.0%} of the best, in {len(found) - len(bad)}.".replace("%", " %") in page


def test_what_a_machine_lacks_saves_nothing() -> None:
    """It has no depthwise engine, caches or host; pools, which are on the vector unit, are not bound by the array."""
    records = perform(network_named("squeezenet_v1.0"), load_machine("edge"), Scheduling()).records
    assert {record.savings[absent] for record in records for absent in ("depthwise_channels", "caches", "host")} == {0}
    assert all(bound_by(record) not in {"array_rows", "array_columns"} for record in records if "pool" in record.op)
