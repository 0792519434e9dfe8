"""Is time what it should be? Short programs with sums derived by hand, boundaries, and what overlaps."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any

import pytest
import simpy

from accelsim.config.machine import Machine
from accelsim.config.plan import Plan
from accelsim.config.scheduling import Arbitration, Scheduling
from accelsim.dataflows import DATAFLOWS, DataflowName
from accelsim.dataflows.contract import ArrayShape, Gemm
from accelsim.dataflows.folding import array_cycles
from accelsim.errors import DeadlockError
from accelsim.lowering.compile import lower
from accelsim.machine.clock import CommandEvent
from accelsim.machine.machine import play, unit_names
from accelsim.machine.memory import Block, IdealMemory, Request
from accelsim.machine.pipeline import Pipeline
from accelsim.network.graph import Network
from accelsim.program.commands import Compute, Load, Store
from accelsim.program.folds import Fold, single
from accelsim.program.link import Linked, Moment, link
from accelsim.run.simulate import load_network
from tests.played import history
from tests.strategies import machine_of, network_of

PLAIN: dict[str, Any] = {
    "dram__clock_mhz": 1000,
    "dram__bytes_per_clock": 64,
    "dram__latency_clocks": 10,
    "dram__burst_bytes": 64,
    "dma__setup_cycles": 3,
    "array__post_latency": 4,
}
"""One burst an array clock, 10 clocks of latency, 3 of set-up."""


STALLS_ON_DRAM = ("dram_ifmap", "dram_weight", "store")

ROOMY: dict[str, Any] = {
    "sram__activation__port_bytes_per_cycle": 4096,
    "sram__weight__port_bytes_per_cycle": 4096,
    "sram__accumulator__capacity_bytes": 1 << 24,
    "sram__activation__capacity_bytes": 1 << 24,
    "sram__weight__capacity_bytes": 1 << 24,
    "dram__bytes_per_clock": 4096,
    "dma__setup_cycles": 1000,
}
"""Ports and memories that limit nothing, descriptors so dear that one tile is best."""


def matmul(m: int, k: int, n: int) -> Network:
    return network_of([{"name": "x", "op": "matmul", "channels": n}], (m, 1, k))


def total_cycles(network: Network, machine: Machine, scheduling: Scheduling = Scheduling()) -> int:
    return play((program := lower(network, machine, scheduling).program), link(program), machine).total_cycles


def test_one_small_product_from_dram_to_dram() -> None:
    """8x4 * 4x4 on 4x4 WS.

    Weights: set-up 3, one burst 1, latency 10: there at 14; the map's set-up begins at 4, when the engine has issued
    its last burst: 7, its burst 8, there at 18. Load of weights 14..18, stream 18..26, tail L*R + c - 2 = 6: 32, post
    4: 36. Store: set-up 39, burst 40, latency 50.
    """
    machine = machine_of(array__rows=4, array__cols=4, **PLAIN)
    assert total_cycles(matmul(8, 4, 4), machine) == 50


def test_the_same_with_a_slower_array_clock() -> None:
    """At half the array clock DRAM's 10 clocks are 5 array clocks, and its burst clock half a one, seen a whole later.

    Weights: set-up 3, burst on the DRAM clocks 6..7, latency 10: DRAM clock 17, seen at 9. Map: set-up 4..7, burst
    14..15, there at 25, seen at 13. Load 9..13, stream 13..21, tail 6, post 4: 31. Store: set-up 34, burst 68..69,
    there at 79, seen at 40.
    """
    machine = machine_of(array__rows=4, array__cols=4, array__clock_mhz=500, **PLAIN)
    assert total_cycles(matmul(8, 4, 4), machine) == 40


@pytest.mark.parametrize("dataflow", ["ws", "is", "os"])
@pytest.mark.parametrize("overlap", [True, False])
def test_with_all_data_on_chip_the_machine_takes_what_the_array_takes(dataflow: DataflowName, overlap: bool) -> None:
    """One tile, wide ports: from the first stream to the last output it is sections 2 and 3 of the timing contract,
    less the first load, which may hide behind the wait for the streamed operand."""
    machine = machine_of(**ROOMY, array__dataflow=dataflow, array__overlap=overlap)
    program = lower(matmul(90, 70, 50), machine).program
    ((compute, task),) = [each for each in history(program, machine)[0] if isinstance(each.command, Compute)]
    assert isinstance(compute, Compute)
    assert compute.chain is not None
    alone = array_cycles(DATAFLOWS[dataflow], Gemm(1, 90, 70, 50), ArrayShape(32, 32), overlap=overlap)
    took = task.done - machine.array.post_latency - task.stream
    assert took == alone - compute.chain.first.load


def test_a_two_layer_program_takes_less_than_its_layers_alone() -> None:
    """Loads run ahead across layers: the second layer's weights come while the first computes."""
    first = {"name": "a", "op": "conv", "kernel": 3, "pad": 1, "channels": 32}
    second = {"name": "b", "op": "conv", "kernel": 3, "pad": 1, "channels": 32}
    machine = machine_of()
    both = total_cycles(network_of([first, second], (32, 32, 32)), machine, Scheduling(fusion="never"))
    alone = sum(total_cycles(network_of([row], (32, 32, 32)), machine) for row in (first, second))
    assert both < alone - 500


def test_weights_of_the_next_layer_come_before_this_one_is_over() -> None:
    """The load that runs ahead, by name."""
    rows = [
        {"name": "a", "op": "conv", "kernel": 3, "pad": 1, "channels": 32},
        {"name": "b", "op": "conv", "kernel": 1, "channels": 32},
    ]
    machine = machine_of()
    program = lower(network_of(rows, (32, 32, 32)), machine).program
    linked, _ = history(program, machine)
    weights = next(
        task
        for command, task in linked
        if isinstance(command, Load) and command.layer == 1 and command.tile.buffer == "weight"
    )
    assert weights.done < max(task.done for command, task in linked if command.layer == 0)


def test_a_slower_dram_moves_stalls_and_never_macs() -> None:
    """Same program, less bandwidth: more stalls on DRAM, the same streams and MACs."""
    machines = [machine_of(dram__bytes_per_clock=rate) for rate in (8, 1)]
    program = lower(load_network("shufflenet_g3")[1], machines[0]).program
    fast, slow = (play(program, link(program), machine) for machine in machines)
    assert slow.total_cycles > 2 * fast.total_cycles
    pairs = list(zip(slow.layers, fast.layers, strict=True))
    assert all(
        late.counts.macs == soon.counts.macs and late.stream_cycles == soon.stream_cycles for late, soon in pairs
    )
    stalls = [sum(each.stalls[cause] for each in run.layers for cause in STALLS_ON_DRAM) for run in (slow, fast)]
    assert stalls[0] > stalls[1]


def test_a_deadlock_says_who_waits_for_what() -> None:
    """A compute that waits for its own store: never a finished run."""
    machine = machine_of()
    program = lower(matmul(8, 4, 4), machine).program
    linked = list(link(program))
    compute = next(task for command, task in linked if isinstance(command, Compute))
    store = next(task for command, task in linked if isinstance(command, Store))
    compute.begin_waits = ((store, Moment.DONE),)
    says = rf"array: compute {compute.index} of x waits for store {store.index} of x \(done\)"
    with pytest.raises(DeadlockError, match=says):
        play(program, linked, machine)


def test_who_takes_a_place_waits_for_all_who_read_it() -> None:
    """A product of 1 x 4 beside one of 1 x 1: the narrow fold reads the map for the last time before the wide one does,
    which began first. A load in the place of the map waits for both."""
    tiles = Scheduling(plan=Plan.model_validate({"layers": [{"match": "x", "tile": {"outputs": 4}}]}))
    at_once: dict[str, Any] = {"dma__setup_cycles": 0, "dram__latency_clocks": 0}
    machine = machine_of(array__rows=4, array__cols=4, **(PLAIN | at_once))
    program = lower(matmul(2, 1, 5), machine, tiles).program
    commands = list(program.commands)
    last = next(at for at, each in enumerate(commands) if isinstance(each, Compute) and len(each.released) == 2)
    again = next(each for each in commands if isinstance(each, Load) and each.tile.buffer == "activation")
    changed = replace(program, commands=[*commands[: last + 1], again])
    linked = list(islice(link(changed), last + 2))
    waits = {(task.index, moment) for task, moment in linked[-1].task.begin_waits}
    assert waits == {(last - 1, Moment.STREAM_READ), (last, Moment.STREAM_READ)}
    tasks = [each.task for each in history(program, machine)[0]]
    assert tasks[last].moments[Moment.STREAM_READ] < tasks[last - 1].moments[Moment.STREAM_READ]


def test_a_second_engine_takes_what_the_first_has_no_time_for() -> None:
    """The same product as above: the map's set-up begins at 0 beside that of the weights instead of at 4, and it is
    there at 15, the bus being the weights' until 4; its stream starts when the weights are loaded, 14..18, all the
    same. Two engines for stores change nothing: there is one."""
    plain = machine_of(array__rows=4, array__cols=4, **PLAIN)
    several = machine_of(array__rows=4, array__cols=4, dma__engines_in=2, dma__engines_out=2, **PLAIN)
    assert list(unit_names(several)) == ["dma_in_1", "dma_in_2", "array", "vector", "dma_out_1", "dma_out_2"]
    program = lower(matmul(8, 4, 4), plain).program
    linked, _ = history(program, several)
    loads = [task for command, task in linked if isinstance(command, Load)]
    assert [(task.instance, task.begin, task.done) for task in loads] == [("dma_in_1", 0, 14), ("dma_in_2", 0, 15)]
    assert total_cycles(matmul(8, 4, 4), several) == 50


def test_an_engine_issues_so_many_bursts_a_clock() -> None:
    """100 bursts on a bus of four a clock: one a clock takes 100, four a clock 25."""
    for bursts, cycles in ((1, 100), (4, 25), (8, 25)):
        memory = IdealMemory(machine_of(**PLAIN | {"dram__bytes_per_clock": 256}).dram, 1000)
        memory.add_requester(1 << 20, bursts)
        assert memory.request(Request(requester=0, write=False, blocks=[Block(0, 1, 6400, 0)]), 0).sent == cycles


class Recorder:
    """Keeps what an observer is told."""

    def __init__(self) -> None:
        self.events: list[tuple[int, int, str]] = []

    def happened(self, what: CommandEvent | Moment, linked: Linked, cycle: int) -> None:
        self.events.append((cycle, linked.task.index, str(what)))


def test_observers_are_told_in_order_of_time() -> None:
    """Every command begins before it is done."""
    machine = machine_of()
    program = lower(matmul(80, 40, 40), machine).program
    recorder = Recorder()
    play(program, link(program), machine, [recorder])
    assert [cycle for cycle, _, _ in recorder.events] == sorted(cycle for cycle, _, _ in recorder.events)
    for index in range(len(list(program.commands))):
        mine = [what for _, who, what in recorder.events if who == index]
        assert mine[0] == str(CommandEvent.BEGIN)
        assert mine[-1] == str(Moment.DONE)


def test_at_most_twelve_events_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated cost grows with commands: SimPy steps of the whole of ShuffleNet, counted."""
    steps = 0
    original = simpy.Environment.step

    def counted(self: simpy.Environment) -> None:
        nonlocal steps
        steps += 1
        original(self)

    monkeypatch.setattr(simpy.Environment, "step", counted)
    machine = machine_of()
    program = lower(load_network("shufflenet_g3")[1], machine).program
    play(program, link(program), machine)
    assert steps <= 12 * len(list(program.commands))


def test_simulated_cost_does_not_grow_with_cycles(monkeypatch: pytest.MonkeyPatch) -> None:
    """A DRAM a thousand times slower takes as many events."""
    counts = []
    original = simpy.Environment.step
    for rate in (8.0, 0.008):
        steps = [0]

        def counted(self: simpy.Environment, steps: list[int] = steps) -> None:
            steps[0] += 1
            original(self)

        monkeypatch.setattr(simpy.Environment, "step", counted)
        machine = machine_of(dram__bytes_per_clock=rate)
        program = lower(matmul(200, 64, 64), machine_of()).program
        play(program, link(program), machine)
        counts.append(steps[0])
    assert counts[1] <= counts[0] + 20


def test_a_narrow_last_fold_can_leave_before_a_wide_one() -> None:
    """The end of a chain is the latest output of any of its folds."""
    wide, narrow = Fold(4, 10, 0, 30, 3), Fold(1, 1, 0, 2, 0)
    pipeline = Pipeline(overlap=True)
    first = pipeline.passage(single(wide), 0, 0)
    second = pipeline.passage(single(narrow), pipeline.load_begin(0), 0)
    assert (first.end, second.end, pipeline.last_out) == (44, 17, 44)


def test_program_order_serves_dram_in_the_order_of_the_program() -> None:
    """Transfers are handed to DRAM in program order, and in the same run by arrival they are not."""
    machine = machine_of()
    program = lower(load_network("shufflenet_g3")[1], machine).program
    orders = {}
    arbitrations: tuple[Arbitration, ...] = ("program_order", "arrival")
    for arbitration in arbitrations:
        linked, _ = history(program, machine, arbitration)
        orders[arbitration] = [task.stream for command, task in linked if not isinstance(command, Compute)]
    assert orders["program_order"] == sorted(orders["program_order"])
    assert orders["arrival"] != sorted(orders["arrival"])


def test_serial_folds_drain_before_the_next_begins() -> None:
    """8 folds of 64 steps in one tile, 32x32 WS: load 32 + 64 + tail 62 each, instead of 32 + 8 x 64 + 62 in all."""
    machine = machine_of(**ROOMY)
    program = lower(matmul(64, 64, 128), machine).program
    serial = machine.model_copy(update={"array": machine.array.model_copy(update={"overlap": False})})
    assert sum(isinstance(command, Compute) for command in program.commands) == 1
    cycles = [play(program, link(program), each).total_cycles for each in (machine, serial)]
    assert cycles[1] - cycles[0] == 8 * (32 + 64 + 62) - (32 + 8 * 64 + 62)


def test_machines_are_not_changed_by_a_run() -> None:
    """Two runs of the same objects give the same outcome."""
    machine = machine_of()
    program = lower(load_network("shufflenet_g3")[1], machine).program
    assert replace(play(program, link(program), machine)) == play(program, link(program), machine)
