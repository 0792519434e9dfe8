"""Is nothing lost? What must always hold (docs/machine.md section 8), on random networks and machines."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from accelsim.check.execute import check_program
from accelsim.config.machine import Machine
from accelsim.errors import LoweringError
from accelsim.lowering.array_work import ArrayMachine
from accelsim.lowering.dataflows import DATAFLOWS, Gemm, fold_sequence
from accelsim.lowering.lower import Lowered, lower
from accelsim.machine.machine import Timeline, play
from accelsim.machine.stalls import layer_times
from accelsim.network.graph import Network, Op
from accelsim.program.commands import Buffer, Compute, Load, Program, Store, Unit, unit_of
from accelsim.program.link import link
from accelsim.program.tensors import Region, Tensor, elements
from accelsim.run.simulate import load_network, run_network
from accelsim.units import ClockRatio
from tests.strategies import machine_of, machines, networks

random_cases = settings(
    derandomize=True,
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


def lowered_or_skip(network: Network, machine: Machine) -> Lowered:
    try:
        return lower(network, machine)
    except LoweringError:
        assume(False)
        raise


@random_cases
@given(networks(), machines())
def test_executing_the_program_gives_the_numbers_of_a_direct_computation(network: Network, machine: Machine) -> None:
    """Bit for bit, in the machine's event order, against poisoned memories; and every MAC once."""
    lowered = lowered_or_skip(network, machine)
    assert check_program(network, machine, lowered, link(lowered.program)) == []


@random_cases
@given(networks(), machines())
def test_tiles_are_at_most_half_of_their_buffers(network: Network, machine: Machine) -> None:
    """A tile in use and one in flight both fit; partial sums fit half of the accumulator."""
    lowered = lowered_or_skip(network, machine)
    halves = {buffer: capacity // 2 for buffer, capacity in lowered.program.capacities.items()}
    for command in lowered.program.commands:
        if not isinstance(command, Compute):
            continue
        tiles = (*command.stationary, *command.streamed, *command.results)
        for buffer in Buffer:
            assert sum(tile.bytes for tile in dict.fromkeys(tiles) if tile.buffer is buffer) <= halves[buffer]
        if command.unit is Unit.ARRAY:
            assert _partial_sums(command, machine) * machine.array.psum_bits <= (
                machine.sram.accumulator.capacity_bytes * 4
            )


def _partial_sums(command: Compute, machine: Machine) -> int:
    """The most that wait in the accumulator at once: a fold's, or all of a piece whose sums go on in the next one."""
    work = command.work
    (weights,) = (tile for tile in (*command.stationary, *command.streamed) if tile.buffer is Buffer.WEIGHT)
    groups, outputs, inputs, taps = (part.size for part in weights.region)
    pixels = work.images.size * work.rows.size * work.cols.size
    whole = work.first and work.last
    if machine.array.dataflow == "os":
        assert command.chain is not None
        assert whole or command.chain.count == 1
        return 0
    array = ArrayMachine.of(machine)
    folds = fold_sequence(DATAFLOWS[machine.array.dataflow], Gemm(groups, pixels, inputs * taps, outputs), array.shape)
    most = max(shape.steps * shape.cols for _, tiles in folds for _, parts in tiles for _, shape in parts)
    return most if whole else max(most, pixels * groups * outputs)


@random_cases
@given(networks(), machines())
def test_bytes_are_conserved(network: Network, machine: Machine) -> None:
    """Each output element is stored once; each weight and each input that is needed is loaded at least once."""
    lowered = lowered_or_skip(network, machine)
    stored: dict[str, int] = {}
    loaded: dict[str, int] = {}
    for command in lowered.program.commands:
        if isinstance(command, Compute):
            continue
        amounts = stored if isinstance(command, Store) else loaded
        name = command.tile.tensor.name
        amounts[name] = amounts.get(name, 0) + elements(command.tile.region)
        requested = sum(part.requested_bytes for part in command.tile.descriptors)
        bursts = sum(part.bursts(machine.dram.burst_bytes) for part in command.tile.descriptors)
        assert command.tile.bytes <= requested <= bursts * machine.dram.burst_bytes
    for placement in lowered.maps.by_name.values():
        tensor = placement.tensor
        if tensor.name != "input":
            assert stored[tensor.name] == tensor.dims[0] * tensor.dims[1] * tensor.dims[2] * tensor.dims[3]
    for node in network.nodes:
        if node.op is Op.CONV:
            assert loaded[f"{node.name}.weights"] >= node.weights


@random_cases
@given(networks(), machines())
def test_columns_add_up(network: Network, machine: Machine) -> None:
    """Layers sum to the run, causes to the layer, lost PE-cycles and MACs to what the PEs could have done."""
    lowered_or_skip(network, machine)
    run = run_network(load_network("shufflenet_g3")[0], network, machine)
    for record in (*run.records, run.total):
        idle = sum(record.stalls.values())
        assert record.total_cycles == record.stream_cycles + record.overlap_cycles + idle
        assert record.array_macs + sum(record.lost.values()) == record.pes * record.total_cycles
        assert all(lost >= 0 for cause, lost in record.lost.items() if cause != "overlap")
        assert min(record.stalls.values()) >= 0
    assert run.total.overlap_cycles == 0
    assert run.totals["macs"] == network.macs * network.batch
    assert run.totals["total_cycles"] == sum(run.layers["total_cycles"])
    assert run.totals["active_macs"] <= run.totals["macs"]
    assert run.totals["energy_total_pj"] == pytest.approx(sum(run.layers["energy_total_pj"]))


@random_cases
@given(networks(), machines())
def test_something_is_always_going_on(network: Network, machine: Machine) -> None:
    """At every instant a unit is busy or a named latency runs, and no unit does more than the clocks there are."""
    program = lowered_or_skip(network, machine).program
    timeline = play(program, link(program), machine)
    reached = 0
    for begin, done in sorted(zip(timeline.begin, timeline.done, strict=True)):
        assert begin <= reached
        reached = max(reached, done)
    assert reached == timeline.total_cycles
    clocks = ClockRatio.of(machine.array.clock_mhz, machine.dram.clock_mhz)
    assert timeline.total_cycles >= clocks.to_array(timeline.dram_busy_clocks)
    for unit in (Unit.ARRAY, Unit.VECTOR):
        assert timeline.total_cycles >= _occupied(program, timeline, unit)


def _occupied(program: Program, timeline: Timeline, unit: Unit) -> int:
    """Clocks of a unit's commands, after checking that they do not overlap."""
    total = reached = 0
    for index, command in enumerate(program.commands):
        if unit_of(command) is unit:
            assert timeline.stream[index] >= reached
            reached = timeline.stream_end[index]
            total += reached - timeline.stream[index]
    return total


FASTER = {
    "dram__bytes_per_clock": lambda machine: machine.dram.bytes_per_clock * 2,
    "dram__latency_clocks": lambda machine: machine.dram.latency_clocks // 2,
    "dma__setup_cycles": lambda machine: machine.dma.setup_cycles // 2,
    "dma__max_outstanding_bursts": lambda machine: machine.dma.max_outstanding_bursts * 2,
    "array__overlap": lambda machine: True,
}


@random_cases
@given(networks(), machines(scheduling__arbitration="program_order"), st.sampled_from(sorted(FASTER)))
def test_more_of_anything_never_makes_the_same_program_slower(
    network: Network, machine: Machine, resource: str
) -> None:
    """With ideal DRAM and program order, which serve everybody in a fixed order."""
    program = lowered_or_skip(network, machine).program
    waits = link(program)
    section, key = resource.split("__")
    part = getattr(machine, section).model_copy(update={key: FASTER[resource](machine)})
    faster = machine.model_copy(update={section: part})
    assert play(program, waits, faster).total_cycles <= play(program, waits, machine).total_cycles


@random_cases
@given(networks(), machines(scheduling__arbitration="program_order"), st.randoms(use_true_random=False))
def test_quicker_vector_work_never_makes_the_same_program_slower(
    network: Network, machine: Machine, random: object
) -> None:
    """As above, with any of the vector unit's commands shortened."""
    program = lowered_or_skip(network, machine).program
    waits = link(program)
    commands = tuple(
        replace(command, vector_cycles=command.vector_cycles // 2)
        if isinstance(command, Compute) and random.random() < 0.5  # type: ignore[attr-defined]
        else command
        for command in program.commands
    )
    quicker = replace(program, commands=commands)
    assert play(quicker, waits, machine).total_cycles <= play(program, waits, machine).total_cycles


@random_cases
@given(networks(), machines())
def test_a_run_takes_no_longer_than_its_layers_one_by_one(network: Network, machine: Machine) -> None:
    """Layers overlap or follow one another; there is no clock that belongs to none."""
    program = lowered_or_skip(network, machine).program
    waits = link(program)
    timeline = play(program, waits, machine)
    times = layer_times(program, waits, timeline)
    assert sum(time.total_cycles for time in times) == timeline.total_cycles
    assert timeline.total_cycles <= sum(time.latency_cycles for time in times)
    assert timeline.total_cycles >= max(time.latency_cycles for time in times)


def test_loads_never_read_ahead_of_stores() -> None:
    """A layer's input is loaded only once the rows it needs have been stored."""
    _, network = load_network("shufflenet_g3")
    machine = machine_of()
    program = lower(network, machine).program
    timeline = play(program, link(program), machine)
    stored: dict[Tensor, list[tuple[Region, int]]] = {}
    for index, command in enumerate(program.commands):
        if isinstance(command, Store):
            stored.setdefault(command.tile.tensor, []).append((command.tile.region, timeline.done[index]))
    for index, command in enumerate(program.commands):
        if isinstance(command, Load):
            for region, done in stored.get(command.tile.tensor, []):
                assert timeline.begin[index] >= done or not _meet(region, command.tile.region)


def _meet(one: Region, other: Region) -> bool:
    return all(a.start < b.stop and b.start < a.stop for a, b in zip(one, other, strict=True))
