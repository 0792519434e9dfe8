"""Laws between runs of random networks on random machines, all of them on each pair.

`--hypothesis-profile=most` takes 2,000 pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from operator import attrgetter
from random import Random
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from accelsim.config.machine import Machine
from accelsim.config.scheduling import Scheduling
from accelsim.config.workload import Workload
from accelsim.errors import UserError
from accelsim.explain.diff import difference
from accelsim.lowering.compile import Lowered
from accelsim.machine.memory.cache import kernels as caches
from accelsim.machine.memory.dram import kernels
from accelsim.network.graph import Network
from accelsim.run.play import perform
from accelsim.run.reprice import run_of
from accelsim.run.result import Run
from accelsim.run.simulate import Played, play_network, run_network
from tests.explain import test_explain
from tests.lowering import test_invariants
from tests.report import test_diff
from tests.strategies import any_machines, built, machines, schedulings, workloads

ALONE = {"fusion": "never", "keep_activations": "never"}
_work = attrgetter("macs", "active_macs", "multiplier_bit_products", "xnor_ops", "vector_ops")


def body_of(test: Any) -> Callable[..., None]:
    """What a test of random cases does with one."""
    body: Callable[..., None] = test.hypothesis.inner_test
    return body


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


def check_kernels(run: Run) -> None:
    """In plain Python, the memories do what they do compiled."""
    with patch.object(kernels, "fastest", kernels.plain), patch.object(caches, "fastest", caches.plain):
        assert run_network(run.workload, built(run.workload), run.machine, run.scheduling).to_json() == run.to_json()


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


def check_order(network: Network, machine: Machine, scheduling: Scheduling, random: Random) -> None:
    """Layers that hand on all maps by DRAM do the same work in any order, and store as much of each map.

    But for what the order itself decides (`ordered`): there, the bytes of each map alone are held to.
    """
    alone = scheduling.model_copy(update={**ALONE, "inferences": 1})
    one, other = (perform(each, machine, alone) for each in (network, in_another_order(network, random)))
    counts, again = ({record.layer: record.counts for record in each.records} for each in (one, other))
    assert {name: _work(each) for name, each in again.items()} == {name: _work(each) for name, each in counts.items()}
    before, after = ordered(one.lowered), ordered(other.lowered)
    for name in counts:
        if before[name] == after[name]:
            assert again[name].dram_write_ofmap_bytes == counts[name].dram_write_ofmap_bytes, name
    body_of(test_invariants.test_bytes_are_conserved)(other.network, machine, alone)


def ordered(lowered: Lowered) -> dict[str, tuple[Any, ...]]:
    """What the order decides of each layer: the operators that are done on the array's way out, as the other map of an
    add has to be there, and the inputs that a concat or shuffle copies, as the last one that reads a map has it."""
    copies = lowered.maps.copies
    return {
        node.name: (node.absorbed, tuple(each.name for each in node.after), copies.get(node.name))
        for node in lowered.network.nodes
    }


@pytest.mark.slow
@given(workloads(), any_machines(), schedulings())
def test_runs_keep_the_laws(workload: Workload, machine: Machine, scheduling: Scheduling) -> None:
    """Nothing is lost, all is explained, a rerun and the plain kernels give the same, differences add up."""
    network, found = built(workload), played(workload, machine, scheduling)
    for law in (test_invariants.test_bytes_are_conserved, test_invariants.test_columns_add_up):
        body_of(law)(network, machine, scheduling)
    test_explain.check(found)
    check_rerun(found.run)
    check_kernels(found.run)
    other = played(workload, machine, scheduling.model_copy(update={"objective": "dram_bytes", **ALONE}))
    test_diff.check(difference(found.run, other.run))


@pytest.mark.slow
@given(workloads(), machines(), schedulings(), st.randoms(use_true_random=False))
def test_programs_keep_the_laws(workload: Workload, machine: Machine, scheduling: Scheduling, random: Random) -> None:
    """More of anything slows no program, and the order of layers does not change what each of them does."""
    network = built(workload)
    resource = random.choice(sorted(test_invariants.FASTER))
    faster = body_of(test_invariants.test_more_of_anything_never_makes_the_same_program_slower)
    faster(network, machine, scheduling, resource)
    check_order(network, machine, scheduling, random)
