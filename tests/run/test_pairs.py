"""Laws between runs of random networks on random machines, all of them on each pair.

`--hypothesis-profile=most` takes 2,000 pairs.
"""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter
from random import Random
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accelsim.config.load import load_dram
from accelsim.config.machine import Machine
from accelsim.config.scheduling import Arbitration, Scheduling
from accelsim.config.workload import Workload
from accelsim.errors import UserError
from accelsim.explain.diff import difference
from accelsim.lowering.compile import Lowered
from accelsim.machine.memory.dram import kernels
from accelsim.network.graph import Network
from accelsim.program.commands import Program
from accelsim.run.play import perform
from accelsim.run.reprice import run_of
from accelsim.run.result import Run
from accelsim.run.simulate import Played, play_network, run_network
from tests.explain import test_explain
from tests.lowering.test_invariants import FASTER, check_bytes, check_columns, check_faster
from tests.played import history
from tests.report import test_diff
from tests.strategies import COMMAND_DEVICES, any_machines, built, schedulings, workloads

PAIRS = max(100, settings().max_examples)
DATAFLOWS = ["ws", "is", "os", "ws", "is", "os", "auto"]
"""A choice between all of them takes four times as long, and is rarer here."""
ALONE = {"fusion": "never", "keep_activations": "never", "objective": "dram_bytes"}
DEVICES = [load_dram(name, []) for name in COMMAND_DEVICES]
_work = attrgetter("macs", "active_macs", "multiplier_bit_products", "xnor_ops", "vector_ops")


def played(workload: Workload, machine: Machine, scheduling: Scheduling) -> Played:
    try:
        return play_network(workload, built(workload), machine, scheduling, keep_history=True)
    except UserError:
        assume(False)
        raise


def check_rerun(run: Run) -> None:
    """The file of a run is all that it takes to get that file again."""
    before = run.to_json()
    kept = run_of(before.encode(), "run.json")
    assert run_network(kept.workload, kept.network, kept.machine, kept.scheduling).to_json() == before


def check_kernels(program: Program, machine: Machine, arbitration: Arbitration) -> None:
    """In plain Python, the DRAM does what it does compiled."""
    compiled = _times(program, machine, arbitration)
    with patch.object(kernels, "fastest", kernels.plain()):
        assert _times(program, machine, arbitration) == compiled


def _times(program: Program, machine: Machine, arbitration: Arbitration) -> tuple[Any, ...]:
    """When each command was where, and the outcome."""
    linked, outcome = history(program, machine, arbitration)
    return [(task.begin, task.done) for _, task in linked], outcome


def in_another_order(network: Network, random: Random) -> Network:
    """The same nodes, each still behind those that it reads."""
    left, done = list(network.nodes), set(network.inputs)
    nodes = []
    while left:
        node = random.choice([node for node in left if done.issuperset(node.inputs)])
        left.remove(node)
        nodes.append(node)
        done.add(node.name)
    return replace(network, nodes=tuple(nodes))


def check_order(one: Played, random: Random) -> None:
    """Layers that hand on all maps by DRAM do the same work in any order, and store as much of each map.

    But for what the order itself decides (`ordered`): there, the bytes of each map alone are held to.
    """
    run = one.run
    other = perform(in_another_order(built(run.workload), random), run.machine, run.scheduling)
    counts, again = ({record.layer: record.counts for record in each.records} for each in (run, other))
    assert {name: _work(each) for name, each in again.items()} == {name: _work(each) for name, each in counts.items()}
    before, after = ordered(one.lowered), ordered(other.lowered)
    for name in counts:
        if before[name] == after[name]:
            assert again[name].dram_write_ofmap_bytes == counts[name].dram_write_ofmap_bytes, name
    check_bytes(other.network, run.machine, other.lowered)


def ordered(lowered: Lowered) -> dict[str, tuple[Any, ...]]:
    """What the order decides of each layer: the operators that are done on the array's way out, as the other map of an
    add has to be there, the inputs that a concat or shuffle copies, as the last one that reads a map has it, and the
    images that run through the network together, as a layer in between takes the place of weights."""
    network, copies = lowered.network, lowered.maps.copies
    return {
        node.name: (node.absorbed, tuple(each.name for each in node.after), copies.get(node.name), network.batch)
        for node in network.nodes
    }


@pytest.mark.slow
@settings(max_examples=PAIRS)
@given(
    workloads(most=3, extent=4),
    st.sampled_from(DATAFLOWS).flatmap(lambda name: any_machines(array__dataflow=name)),
    schedulings(),
    st.sampled_from(DEVICES),
    st.sampled_from(sorted(FASTER)),
    st.randoms(use_true_random=False),
)
def test_runs_keep_the_laws(
    workload: Workload, machine: Machine, scheduling: Scheduling, device: Any, resource: str, random: Random
) -> None:
    """Nothing is lost, all is explained, a rerun and the plain kernel give the same, differences add up, more of
    anything slows no program, and the order of layers does not change what each of them does."""
    found = played(workload, machine, scheduling)
    check_bytes(built(workload), machine, found.lowered)
    check_columns(found.run, found.lowered)
    test_explain.check(found)
    check_rerun(found.run)
    check_kernels(found.program, machine.model_copy(update={"dram": device}), scheduling.arbitration)
    other = played(workload, machine, scheduling.model_copy(update=ALONE))
    test_diff.check(difference(found.run, other.run))
    if machine.dram.kind == "ideal":
        check_faster(found.program, machine, resource)
    check_order(other, random)
