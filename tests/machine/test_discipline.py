"""How far tiles run ahead, what a core and zeros cost, and the passes that a fold is streamed in."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.check.execute import check_network
from accelsim.config.scheduling import Scheduling
from accelsim.dataflows import DATAFLOWS
from accelsim.dataflows.contract import ArrayShape, FoldShape, Gemm, Passes
from accelsim.dataflows.folding import array_cycles
from accelsim.dataflows.timing import fold_of
from accelsim.machine.machine import link_for
from accelsim.network.graph import Network
from accelsim.program.commands import Compute, Load
from accelsim.program.link import Moment
from accelsim.report.columns import bound_by
from accelsim.run.play import lower_or_refuse, perform
from accelsim.unit_kinds import ARRAY, DMA_IN
from tests.strategies import machine_of, network_of

SMALL: dict[str, Any] = {
    "array__rows": 8,
    "array__cols": 8,
    "sram__activation__capacity_bytes": 4096,
    "sram__weight__capacity_bytes": 1024,
    "sram__accumulator__capacity_bytes": 4096,
}
ALONE: dict[str, Any] = {"keep_activations": "never", "fusion": "never"}


def small() -> Network:
    """Two convolutions that take several tiles each."""
    rows = [{"op": "conv", "name": f"conv{number}", "channels": 32, "kernel": 3, "pad": 1} for number in (1, 2)]
    return network_of(rows, (16, 16, 16))


def cycles(scheduling: Scheduling, **changes: Any) -> int:
    """Clocks of the network on a small machine with these changes."""
    return perform(small(), machine_of(**SMALL, **changes), scheduling).outcome.total_cycles


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_loads_wait_for_the_tile_whose_slot_they_take(slots: int) -> None:
    """Loads for tile i come behind the stores of tile i - slots, and wait for all of it."""
    machine, scheduling = machine_of(**SMALL), Scheduling(slots=slots, **ALONE)
    lowered = lower_or_refuse(small(), machine, scheduling)
    computed: list[Any] = []
    ahead: set[Any] = set()
    seen = 0
    for command, task in link_for(lowered.program, machine, scheduling):
        if isinstance(command, Compute):
            computed.append(task)
            ahead -= set(command.reads)
        if isinstance(command, Load):
            ahead.add(command.tile)
            assert not computed or (computed[-1], Moment.DONE) in task.begin_waits
            seen += 1
    assert seen > 10
    assert not ahead


def test_fewer_slots_take_longer_and_compute_the_same() -> None:
    found = [cycles(Scheduling(slots=slots, **ALONE)) for slots in (1, 2, None)]
    assert found[0] > found[1] >= found[2]
    assert check_network(small(), machine_of(**SMALL), Scheduling(slots=2, **ALONE)) == []


def test_the_array_begins_after_all_loads_or_after_those_that_stay_in_it() -> None:
    """A tile iteration waits for what it streams before it loads, too; none is quicker for that, and all computes the
    same."""
    machine, scheduling = machine_of(**SMALL), Scheduling(compute_after="loads", **ALONE)
    lowered = lower_or_refuse(small(), machine, scheduling)
    loads: dict[Any, Any] = {}
    begun: set[Any] = set()
    for command, task in link_for(lowered.program, machine, scheduling):
        if isinstance(command, Load):
            loads[command.tile] = task
        if isinstance(command, Compute) and command.unit is ARRAY:
            begun.update(task.begin_waits)
            assert {(loads[tile], Moment.DONE) for tile in command.reads} <= begun
            assert {wait for wait in task.stream_waits if wait[0].role.unit is DMA_IN} <= begun
    assert cycles(scheduling) > cycles(Scheduling(**ALONE))
    assert check_network(small(), machine, scheduling) == []


def test_the_host_issues_a_tile_after_the_other() -> None:
    """With a core that takes 5000 clocks for each, all else is behind it."""
    scheduling = Scheduling(slots=2, **ALONE)
    lowered = lower_or_refuse(small(), machine_of(**SMALL, host={"tile_clocks": 5000}), scheduling)
    begun = sum(isinstance(command, Load) and command.host_cycles > 0 for command in lowered.program.commands)
    found = cycles(scheduling, host={"tile_clocks": 5000})
    assert 5000 * (begun - 1) < found < 5000 * begun + 5000
    assert cycles(scheduling, host={"tile_clocks": 1}) <= cycles(scheduling) + begun


def test_the_host_is_a_cause_and_twice_as_quick_saves_its_clocks() -> None:
    """The replay beside the run takes off what a run with half the clocks does."""
    scheduling = Scheduling(slots=2, **ALONE)
    performance = perform(small(), machine_of(**SMALL, host={"tile_clocks": 5000}), scheduling)
    assert sum(record.stalls["host"] for record in performance.records) > 0.9 * performance.outcome.total_cycles
    assert all(bound_by(record) == "host" for record in performance.records)
    saved = sum(record.savings["host"] for record in performance.records)
    assert saved == pytest.approx(
        performance.outcome.total_cycles - cycles(scheduling, host={"tile_clocks": 2500}), 0.01
    )


def test_zeros_of_sums_pass_the_dma() -> None:
    """A row of eight sums a clock: 16 x 16 pixels and 32 channels of two layers."""
    lowered = lower_or_refuse(small(), machine_of(**SMALL, sram__accumulator__fill="dma"), Scheduling(**ALONE))
    zeros = sum(command.fill_cycles for command in lowered.program.commands if isinstance(command, Load))
    assert zeros == 2 * 16 * 16 * 32 // 8
    assert cycles(Scheduling(**ALONE), sram__accumulator__fill="dma") > cycles(Scheduling(**ALONE))


# Passes.


def edge(rows: list[int], passes: Passes, tail: int, folds: int) -> int:
    """Clocks of the array's edge, one after the other: a register-level reference of folds that are streamed in passes.

    Each clock the edge takes a step of the pass at hand, or a bubble until the pass has its least clocks; a pass begins
    no earlier than `in_flight` passes before it have left the array, each `tail` clocks behind the last that it takes.
    """
    queue = deque((steps, fold) for fold in range(folds) for steps in rows)
    inside: deque[int] = deque()
    clock = 0
    while queue:
        while inside and inside[0] <= clock:
            inside.popleft()
        if len(inside) >= passes.in_flight:
            clock += 1
            continue
        steps, fold = queue.popleft()
        changes = bool(queue) and queue[0][1] != fold
        held = max(steps, passes.shortest, passes.change if changes else 0)
        inside.append(clock + held + tail)
        for _ in range(held):
            clock += 1
    return clock


@settings(max_examples=150)
@given(
    st.integers(1, 4), st.integers(1, 20), st.integers(1, 5), st.integers(1, 6), st.integers(0, 9), st.integers(2, 9)
)
def test_passes_take_what_registers_do(
    lines: int, line: int, longest: int, shortest: int, change: int, in_flight: int
) -> None:
    """Exact where as many passes as are in flight take longer than one of them; where they do not, but for the first
    and last passes and a rounding of each, and for a fifth if not all are alike."""
    passes, array = Passes(longest, shortest, change, in_flight), ArrayShape(4, 4)
    flow = DATAFLOWS["ws"]
    shape = FoldShape(4, 4, lines * line, 1, 16, line=line)
    tail = fold_of(flow, shape, array).tail
    whole, rest = divmod(line, longest)
    rows = [*[longest] * whole, *([rest] if rest else [])] * lines
    folds = 40
    stream = fold_of(flow, shape, ArrayShape(4, 4, passes=passes)).stream
    reference = edge(rows, passes, tail, folds)
    bound = in_flight * (longest + tail + shortest + change)
    held = [max(steps, shortest) for steps in rows]
    if in_flight * min(held) >= max(*held, change) + tail:
        last = max(passes.change - max(rows[-1], shortest), 0)
        assert folds * stream - last == reference
    else:
        alike = not rest and change <= shortest
        low, high = (1.0, 1.0) if alike else (0.8, 1.1)
        assert low * reference - bound <= folds * stream <= high * reference + bound + folds * len(rows)


def test_a_pass_leaves_as_late_as_of_all_columns() -> None:
    """However few hold something: results pass what is left of the array's width with the others."""
    flow, passes = DATAFLOWS["ws"], Passes(4, 1, 0, 3)
    whole, narrow = (
        fold_of(flow, FoldShape(16, columns, 16, 1, 16 * columns, line=4), ArrayShape(16, 16, passes=passes)).stream
        for columns in (16, 3)
    )
    assert whole == narrow == (4 * (4 + 30) + 2) // 3


@pytest.mark.parametrize(
    ("lines", "line", "clocks"),
    [(1, 1, 16), (2, 2, 4 + 16), (4, 4, (3 * 4 + 16 + 4 * 33) // 5), (7, 7, 16 + 7 + 33 + 7), (18, 18, 18 * 20 + 12)],
)
def test_folds_of_gemmini_by_hand(lines: int, line: int, clocks: int) -> None:
    """A pass leaves 30 + 3 clocks behind its last step. The short passes of 18 pixels, 16 and 2 in 4 clocks, need not
    wait, as five take longer than that; the last one takes 16."""
    shape = FoldShape(16, 16, lines * line, 1, 256, line=line)
    assert fold_of(DATAFLOWS["ws"], shape, ArrayShape(16, 16, passes=Passes(16, 4, 16, 5, 3))).stream == clocks


def test_passes_lengthen_the_product() -> None:
    """7 x 7 pixels a fold, 4 folds: seven passes of 7 clocks, and 16 for the last one before new weights come."""
    flow, gemm = DATAFLOWS["ws"], Gemm(1, 49, 64, 16, line=7)
    plain, cut = (
        array_cycles(flow, gemm, ArrayShape(16, 16, passes=passes), overlap=True)
        for passes in (None, Passes(16, 4, 16, 1 << 16))
    )
    assert plain == 16 + 4 * 49 + 30
    assert cut == 16 + 4 * (6 * 7 + 16) + 30
