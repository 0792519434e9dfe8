"""How far the schedules of short chains are from the best of all, simulated one by one.

Every way to cut a chain into groups of layers, with every choice of maps that stay on chip, is a given plan that is
lowered and simulated. What is left open, tile sizes and heights of stripes, the compiler chooses for each of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain, combinations, product
from typing import Any

import pytest

from accelsim.config.machine import Machine
from accelsim.config.plan import Plan
from accelsim.config.scheduling import Objective, Scheduling
from accelsim.errors import LoweringError, PlanError
from accelsim.lowering.compile import lower
from accelsim.machine.machine import link_for, play
from accelsim.network.graph import Network
from accelsim.run.define import load_target
from tests.played import dma_counts
from tests.strategies import network_of


def conv(name: str, channels: int, kernel: int = 1, stride: int = 1, **keys: Any) -> dict[str, Any]:
    pad = kernel // 2
    return {"name": name, "op": "conv", "kernel": kernel, "stride": stride, "pad": pad, "channels": channels, **keys}


def depthwise(name: str, stride: int = 1) -> dict[str, Any]:
    return {"name": name, "op": "dwconv", "kernel": 3, "stride": stride, "pad": 1}


CHAINS: dict[str, tuple[tuple[int, int, int], list[dict[str, Any]]]] = {
    "mobilenet, first": ((112, 112, 32), [depthwise("d1"), conv("p1", 64), depthwise("d2", 2), conv("p2", 128)]),
    "mobilenet, middle": ((14, 14, 512), [depthwise("d1"), conv("p1", 512), depthwise("d2"), conv("p2", 512)]),
    "mobilenet, last": ((14, 14, 512), [depthwise("d1", 2), conv("p1", 1024), depthwise("d2"), conv("p2", 1024)]),
    "shufflenet": (
        (28, 28, 240),
        [
            conv("g1", 60, groups=3),
            {"name": "shuffle", "op": "shuffle", "groups": 3},
            depthwise("d"),
            conv("g2", 240, groups=3),
            {"name": "add", "op": "add", "inputs": ["g2", "input"]},
        ],
    ),
    "squeezenet, fire": (
        (55, 55, 128),
        [
            conv("squeeze", 32),
            conv("one", 128, inputs=["squeeze"]),
            conv("three", 128, 3, inputs=["squeeze"]),
            {"name": "cat", "op": "concat", "inputs": ["one", "three"]},
            {"name": "pool", "op": "maxpool", "kernel": 3, "stride": 2},
        ],
    ),
    "squeezenet, stem": (
        (224, 224, 3),
        [conv("stem", 96, 7, 2), {"name": "pool", "op": "maxpool", "kernel": 3, "stride": 2}, conv("squeeze", 16)],
    ),
    "resnet, first": (
        (56, 56, 64),
        [conv("a", 64, 3), conv("b", 64, 3), {"name": "add", "op": "add", "inputs": ["b", "input"]}, conv("c", 64, 3)],
    ),
    "resnet, stride": (
        (56, 56, 64),
        [
            conv("a", 128, 3, 2),
            conv("b", 128, 3),
            conv("short", 128, 1, 2, inputs=["input"]),
            {"name": "add", "op": "add", "inputs": ["b", "short"]},
        ],
    ),
    "resnet, bottleneck": (
        (28, 28, 512),
        [conv("a", 128), conv("b", 128, 3), conv("c", 512), {"name": "add", "op": "add", "inputs": ["c", "input"]}],
    ),
    "densenet": (
        (28, 28, 256),
        [
            {"name": "norm", "op": "bn"},
            conv("a", 128),
            conv("b", 32, 3),
            {"name": "cat", "op": "concat", "inputs": ["input", "b"]},
        ],
    ),
    "vgg": (
        (56, 56, 256),
        [conv("a", 256, 3), conv("b", 256, 3), {"name": "pool", "op": "maxpool", "kernel": 2, "stride": 2}],
    ),
    "end": (
        (7, 7, 1024),
        [conv("a", 1024), {"name": "gap", "op": "gap"}, {"name": "fc", "op": "fc", "channels": 1000}],
    ),
}

MACHINES = ("edge", "tiny", "ethos_u65")

NOTHING_ELSE = {"fusion": "never", "keep_activations": "never"}


def cost(network: Network, machine: Machine, scheduling: Scheduling) -> int:
    """Clocks of a network with a plan; DRAM bytes, bursts in full, where these are the objective. Raises LoweringError
    and PlanError."""
    program = lower(network, machine, scheduling).program
    if scheduling.objective == "cycles":
        return play(program, link_for(program, machine, scheduling), machine).total_cycles
    counts = dma_counts(program, machine.dram.burst_bytes)
    return sum(each.dram_read_burst_bytes + each.dram_write_burst_bytes for each in counts)


def groupings(names: Sequence[str]) -> Iterator[list[list[str]]]:
    """Every way to cut layers into groups of two and more, and layers by themselves."""
    for cuts in product((False, True), repeat=len(names) - 1):
        groups = [[names[0]]]
        for name, cut in zip(names[1:], cuts, strict=True):
            groups[-1:] = [groups[-1], [name]] if cut else [[*groups[-1], name]]
        yield [group for group in groups if len(group) > 1]


def subsets(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    return chain.from_iterable(combinations(names, size) for size in range(len(names) + 1))


def plans(network: Network, machine: Machine) -> Iterator[Plan]:
    """Groups are of layers with commands; what they make may stay."""
    names = [layer.node.name for layer in lower(network, machine).layers if layer is not None]
    for groups, kept in product(groupings(names), subsets(names[:-1])):
        yield Plan.model_validate({"groups": groups, "keep": [{"match": name} for name in kept]})


def all_costs(network: Network, machine: Machine, objective: Objective) -> Iterator[int]:
    """Of every schedule that can be given."""
    for plan in plans(network, machine):
        with suppress(LoweringError, PlanError):
            yield cost(network, machine, Scheduling(objective=objective, **NOTHING_ELSE, plan=plan))


CROWDED = {("resnet, stride", "edge"): 1.025}
"""Where a map that stays leaves less room to load those of the next layer ahead, which no estimate knows; how far the
schedule is from the best at most."""


@pytest.mark.slow
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", CHAINS)
def test_schedules_are_near_the_best_of_all(name: str, machine: str) -> None:
    """Within 2 %: clocks where clocks are the objective, bytes where bytes are."""
    size, rows = CHAINS[name]
    network, chip = network_of(rows, size), load_target(machine).machine
    quick, frugal = (list(all_costs(network, chip, objective)) for objective in ("cycles", "dram_bytes"))
    clocks = cost(network, chip, Scheduling()) / min(quick)
    moved = cost(network, chip, Scheduling(objective="dram_bytes")) / min(frugal)
    sys.stdout.write(f"{name} on {machine}: {len(quick)} schedules, clocks {clocks:.4f}, bytes {moved:.4f}\n")
    assert clocks <= CROWDED.get((name, machine), 1.02)
    assert moved <= 1.02
