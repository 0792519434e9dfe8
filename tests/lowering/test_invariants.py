"""Is nothing lost? What must always hold (docs/machine.md section 8), on random networks and machines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.check.execute import check_network, check_program
from accelsim.config.machine import Machine
from accelsim.config.scheduling import Scheduling
from accelsim.dataflows import DATAFLOWS
from accelsim.dataflows.contract import Gemm
from accelsim.dataflows.folding import fold_sequence
from accelsim.dataflows.work import ArrayContext
from accelsim.lowering.compile import Lowered, lower
from accelsim.lowering.ir import PlannedLayer
from accelsim.machine.machine import play
from accelsim.network.array import array_context, layer_context
from accelsim.network.geometry import work_block
from accelsim.network.graph import Network, Node
from accelsim.network.units import on_array
from accelsim.program.commands import Buffer, Compute, Load, Program, Store, Tile, kind_of
from accelsim.program.link import Linked, link
from accelsim.program.tensors import Region, Tensor, elements
from accelsim.run.result import Run
from accelsim.run.simulate import load_network, run_network
from accelsim.unit_kinds import ARRAY, DEPTHWISE, VECTOR, UnitKind
from accelsim.units import ClockRatio
from tests.played import history, lowered_or_skip, tiles_on_chip
from tests.strategies import any_machines, machine_of, machines, networks, schedulings


@given(networks(), any_machines(), schedulings())
def test_executing_the_program_gives_the_numbers_of_a_direct_computation(
    network: Network, machine: Machine, scheduling: Scheduling
) -> None:
    """Bit for bit, in the machine's event order, against poisoned memories; and every MAC once."""
    lowered = lowered_or_skip(network, machine, scheduling)
    assert check_program(machine, lowered, link(lowered.program), scheduling.arbitration) == []


@given(networks(), machines(), schedulings(inferences=1))
def test_tiles_in_use_and_in_flight_fit_their_buffers(
    network: Network, machine: Machine, scheduling: Scheduling
) -> None:
    """On the array the tiles that a plan keeps of each operand, beside results on their way out, of which there are two
    where there is more than one; on the vector unit all twice, but for groups. Partial sums, those of all pieces that
    wait for more included, fit half of the accumulator."""
    lowered = lowered_or_skip(network, machine, scheduling)
    in_groups = {layer for cascade in lowered.residency.cascades for layer in cascade.layers}
    steps: dict[int, list[Compute]] = {}
    for command in lowered.program.commands:
        if isinstance(command, Compute):
            steps.setdefault(command.layer, []).append(command)
    for layer, computes in steps.items():
        for buffer, capacity in lowered.program.capacities.items():
            assert max(_bytes_in_use(computes, buffer, lowered.layers[layer], in_groups=layer in in_groups)) <= capacity
        if computes[0].unit is ARRAY:
            node = lowered.network.nodes[layer]
            array = layer_context(array_context(machine), node, machine, 8, 8)
            planned = lowered.layers[layer]
            assert planned is not None
            array = replace(array, dataflow=planned.plan.dataflow)
            assert _most_sums(node, computes, array) * array.psum_bits <= machine.sram.accumulator.capacity_bytes * 4


def _bytes_in_use(
    computes: list[Compute], buffer: Buffer, planned: PlannedLayer | None, *, in_groups: bool
) -> Iterator[int]:
    """Bytes of a buffer that each step needs: its tiles, and as many of their kind as stay or are on their way."""
    loaded = {tile for command in computes for tile in _operands(command, buffer) if not tile.resident}
    largest = sorted((tile.bytes for tile in loaded), reverse=True)
    several = len({command.results for command in computes if command.results}) > 1
    for command in computes:
        operands = sum(tile.bytes for tile in _operands(command, buffer))
        if command.unit is ARRAY:
            assert planned is not None
            kept = planned.plan.weight_tiles if buffer is Buffer.WEIGHT else planned.plan.ifmap_tiles
            operands = max(operands, sum(largest[:kept]))
        elif len(loaded) > 1 and not in_groups:
            operands += sum(tile.bytes for tile in _operands(command, buffer) if not tile.resident)
        results = {tile for tile in (*command.results, *command.added) if tile.buffer is buffer}
        results -= {*_operands(command, buffer)}
        yield operands + sum(tile.bytes * (2 if several and not tile.resident else 1) for tile in results)


def _operands(command: Compute, buffer: Buffer) -> list[Tile]:
    return [tile for tile in dict.fromkeys((*command.stationary, *command.streamed)) if tile.buffer is buffer]


def _most_sums(node: Node, computes: list[Compute], array: ArrayContext) -> int:
    """The most partial sums that wait at once."""
    waiting: dict[tuple[object, ...], int] = {}
    most = 0
    for command in computes:
        work = command.work
        key = (work.images, work.rows, work.cols, work.channels)
        if not (work.first and work.last) and not DATAFLOWS[array.dataflow].sums_stay:
            waiting[key] = elements(work_block(node, work)) * work.channels.size
        most = max(most, sum(waiting.values()), _fold_sums(node, command, array))
        if work.last:
            waiting.pop(key, None)
    return most


def _fold_sums(node: Node, command: Compute, array: ArrayContext) -> int:
    """Partial sums of one fold; those of OS are in the PEs."""
    work = command.work
    depth = node.output.channels // node.groups
    groups = (work.channels.stop - 1) // depth - work.channels.start // depth + 1
    outputs, inputs, taps = work.channels.size // groups, work.reduction.size, node.window.elements
    pixels = elements(work_block(node, work))
    if DATAFLOWS[array.dataflow].sums_stay:
        assert command.chain is not None
        assert (work.first and work.last) or command.chain.count == 1
        return 0
    folds = fold_sequence(DATAFLOWS[array.dataflow], Gemm(groups, pixels, inputs * taps, outputs), array.shape)
    return max(shape.steps * shape.cols for _, tiles in folds for _, parts in tiles for _, shape in parts)


@given(networks(), any_machines(), schedulings())
def test_bytes_are_conserved(network: Network, machine: Machine, scheduling: Scheduling) -> None:
    check_bytes(network, machine, lowered_or_skip(network, machine, scheduling))


def check_bytes(network: Network, machine: Machine, lowered: Lowered) -> None:
    """Each output element is stored once or stays on chip; each weight that is needed is loaded at least once."""
    stored: dict[str, int] = {}
    loaded: dict[str, int] = {}
    kept: dict[str, int] = {}
    for tile in (tile for tile in tiles_on_chip(lowered.program) if tile.resident):
        kept[tile.tensor.name] = kept.get(tile.tensor.name, 0) + elements(tile.region)
    for command in lowered.program.commands:
        if isinstance(command, Compute):
            continue
        amounts = stored if isinstance(command, Store) else loaded
        name = command.tile.tensor.name
        amounts[name] = amounts.get(name, 0) + elements(command.tile.region)
        requested = sum(part.requested_bytes for part in command.tile.descriptors)
        bursts = sum(part.bursts(machine.dram.burst_bytes) for part in command.tile.descriptors)
        assert requested <= bursts * machine.dram.burst_bytes
        plain = command.tile.tensor.compressed_bits is None and command.tile.tensor.code is None
        assert command.tile.bytes <= requested or not plain
    for placement in lowered.maps.by_name.values():
        tensor = placement.tensor
        if tensor.name not in lowered.network.inputs:
            assert stored.get(tensor.name, 0) + kept.get(tensor.name, 0) == tensor.elements
    for node in network.nodes:
        if node.op.weighted:
            assert loaded[f"{node.name}.weights"] >= node.weights


def _macs_done(node: Node, machine: Machine) -> int:
    """All of an image, but for the zeros that the array skips."""
    skips = node.pruning is not None and node.pruning.zeros == "skip" and on_array(node, machine)
    return node.nonzeros * node.output.height * node.output.width if skips else node.macs


@given(networks(), any_machines(), schedulings())
def test_columns_add_up(network: Network, machine: Machine, scheduling: Scheduling) -> None:
    lowered = lowered_or_skip(network, machine, scheduling)
    check_columns(run_network(load_network("shufflenet_g3")[0], network, machine, scheduling), lowered)


def check_columns(run: Run, lowered: Lowered) -> None:
    """Layers sum to the run, causes to the layer, lost PE-cycles and MACs to what the PEs could have done."""
    placed = lowered.source.nodes[: len(run.network.nodes)]
    for record in (*run.records, run.total):
        idle = sum(record.stalls.values())
        assert record.total_cycles == record.stream_cycles + idle
        assert record.array_macs + sum(record.lost.values()) == record.pes * record.total_cycles
        assert min(record.lost.values()) >= 0
        assert 0 <= record.utilization <= 1
        assert min(record.stalls.values()) >= 0
        assert record.total_cycles or not record.array_macs
    assert run.inference_ends[-1] == run.total.total_cycles
    images = run.network.batch * run.scheduling.inferences
    assert run.totals["macs"] == sum(_macs_done(node, run.machine) for node in placed) * images
    assert run.totals["total_cycles"] == sum(run.layers["total_cycles"])
    assert run.totals["active_macs"] <= run.totals["macs"]
    assert run.totals["energy_total_pj"] == pytest.approx(sum(run.layers["energy_total_pj"]))


@pytest.mark.slow
@given(networks(), any_machines(), schedulings())
def test_something_is_always_going_on(network: Network, machine: Machine, scheduling: Scheduling) -> None:
    """At every instant a unit is busy or a named latency runs, and no unit does more than the clocks there are."""
    program = lowered_or_skip(network, machine, scheduling).program
    linked, outcome = history(program, machine, scheduling.arbitration)
    reached = 0
    for begin, done in sorted((task.begin, task.done) for _, task in linked):
        assert begin <= reached
        reached = max(reached, done)
    assert reached == outcome.total_cycles
    clocks = ClockRatio.of(machine.array.clock_mhz, machine.dram.clock_mhz)
    assert outcome.total_cycles >= clocks.to_array(outcome.dram_busy_clocks)
    for unit in (ARRAY, VECTOR, DEPTHWISE):
        assert outcome.total_cycles >= _occupied(linked, unit)


def _occupied(linked: list[Linked], unit: UnitKind) -> int:
    """Clocks of a unit's commands, after checking that they do not overlap."""
    total = reached = 0
    for command, task in linked:
        if kind_of(command) is unit:
            assert task.stream >= reached
            reached = task.stream_end
            total += reached - task.stream
    return total


def _in_order(program: Program, machine: Machine) -> int:
    """Clocks with DMA engines served in program order."""
    return play(program, link(program), machine, arbitration="program_order").total_cycles


FASTER = {
    "dram__bytes_per_clock": lambda machine: machine.dram.bytes_per_clock * 2,
    "dram__latency_clocks": lambda machine: machine.dram.latency_clocks // 2,
    "dma__setup_cycles": lambda machine: machine.dma.setup_cycles // 2,
    "dma__max_outstanding_bursts": lambda machine: machine.dma.max_outstanding_bursts * 2,
    "array__overlap": lambda machine: True,
}


@given(networks(), machines(), schedulings(), st.sampled_from(sorted(FASTER)))
def test_more_of_anything_never_makes_the_same_program_slower(
    network: Network, machine: Machine, scheduling: Scheduling, resource: str
) -> None:
    check_faster(lowered_or_skip(network, machine, scheduling).program, machine, resource)


def check_faster(program: Program, machine: Machine, resource: str) -> None:
    """With ideal DRAM and program order, which serve everybody in a fixed order."""
    section, key = resource.split("__")
    part = getattr(machine, section).model_copy(update={key: FASTER[resource](machine)})
    faster = machine.model_copy(update={section: part})
    assert _in_order(program, faster) <= _in_order(program, machine)


@pytest.mark.slow
@given(networks(), machines(), schedulings(), st.randoms(use_true_random=False))
def test_quicker_vector_work_never_makes_the_same_program_slower(
    network: Network, machine: Machine, scheduling: Scheduling, random: Random
) -> None:
    """As above, with any of the commands of vector unit and depthwise engine shortened."""
    program = lowered_or_skip(network, machine, scheduling).program
    commands = tuple(
        replace(command, unit_cycles=command.unit_cycles // 2)
        if isinstance(command, Compute) and random.random() < 0.5
        else command
        for command in program.commands
    )
    quicker = replace(program, commands=commands)
    assert _in_order(quicker, machine) <= _in_order(program, machine)


@pytest.mark.slow
@given(networks(), any_machines(), schedulings(), st.integers(1, 3), st.integers(1, 3), st.integers(1, 4))
def test_several_engines_compute_the_same(
    network: Network, machine: Machine, scheduling: Scheduling, engines_in: int, engines_out: int, bursts: int
) -> None:
    """Transfers overtake one another, and none comes before its data or into a place that is still in use."""
    engines = {"engines_in": engines_in, "engines_out": engines_out, "bursts_per_clock": bursts}
    machine = machine.model_copy(update={"dma": machine.dma.model_copy(update=engines)})
    lowered_or_skip(network, machine, scheduling)
    assert check_network(network, machine, scheduling) == []


@pytest.mark.slow
@given(networks(), any_machines(), schedulings())
def test_a_run_takes_no_longer_than_its_layers_one_by_one(
    network: Network, machine: Machine, scheduling: Scheduling
) -> None:
    """Layers overlap or follow one another; there is no clock that belongs to none."""
    program = lowered_or_skip(network, machine, scheduling).program
    outcome = play(program, link(program), machine, arbitration=scheduling.arbitration)
    assert sum(layer.total_cycles for layer in outcome.layers) == outcome.total_cycles
    assert outcome.total_cycles <= sum(layer.latency_cycles for layer in outcome.layers)
    assert outcome.total_cycles >= max(layer.latency_cycles for layer in outcome.layers)


def test_loads_never_read_ahead_of_stores() -> None:
    """A layer's input is loaded only once the rows it needs have been stored."""
    _, network = load_network("shufflenet_g3")
    machine = machine_of()
    program = lower(network, machine).program
    linked, _ = history(program, machine)
    stored: dict[Tensor, list[tuple[Region, int]]] = {}
    for command, task in linked:
        if isinstance(command, Store):
            stored.setdefault(command.tile.tensor, []).append((command.tile.region, task.done))
    for command, task in linked:
        if isinstance(command, Load):
            for region, done in stored.get(command.tile.tensor, []):
                assert task.begin >= done or not _meet(region, command.tile.region)


def _meet(one: Region, other: Region) -> bool:
    return all(a.start < b.stop and b.start < a.stop for a, b in zip(one, other, strict=True))
