"""The contract of units, held by every kind that is registered (docs/extend.md)."""

from __future__ import annotations

import pickle
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter
from types import NoneType
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.check.execute import check_network
from accelsim.config.machine import Machine
from accelsim.config.scheduling import Scheduling
from accelsim.errors import DeadlockError
from accelsim.explain.columns import EXPLAINED
from accelsim.lowering.compile import lower
from accelsim.machine.accounting import busy_cycles
from accelsim.machine.doubling import SAME
from accelsim.machine.machine import Outcome, instances_of, link_for, play, unit_names
from accelsim.network.graph import Network
from accelsim.network.units import PIECE_UNITS, unit_of
from accelsim.program.commands import Buffer, Command, Compute, Load, Program, Store, Tile, Work, kind_of
from accelsim.program.folds import Fold, repeat, single
from accelsim.program.link import Linked, Moment
from accelsim.program.tensors import Range, Tensor
from accelsim.records import MEASURES, STALL_CAUSES, ActionCounts
from accelsim.report.columns import COLUMNS
from accelsim.report.palette import CLOCK_FILLS
from accelsim.run.play import perform
from accelsim.unit_kinds import ARRAY, UNIT_KINDS, VECTOR, UnitKind, title_of_unit
from tests.strategies import machine_of, network_of

KINDS = pytest.mark.parametrize("kind", UNIT_KINDS.values(), ids=attrgetter("name"))
FOR_PIECES = pytest.mark.parametrize("kind", PIECE_UNITS, ids=attrgetter("name"))
SETUP, LATENCY, BURST = 3, 10, 64
FAST: dict[str, Any] = {
    "dram__clock_mhz": 1000,
    "dram__bytes_per_clock": 16 * BURST,
    "dram__latency_clocks": LATENCY,
    "dram__burst_bytes": BURST,
    "dma__setup_cycles": SETUP,
    "dma__max_outstanding_bursts": 4096,
}
"""An ideal DRAM that never holds up engines, which issue a burst a clock."""


def section_of(kind: UnitKind) -> dict[str, int] | None:
    """The section of a machine file that it has only with the unit, with what must be in it; None where it has another
    key, or none."""
    if not kind.instances or "." in kind.instances:
        return None
    models = get_args(Machine.model_fields[kind.instances].annotation)
    (section,) = (each for each in models if each is not NoneType)
    return {name: 8 for name, field in section.model_fields.items() if field.is_required()}


def machine_with(kind: UnitKind, number: int = 1) -> Machine:
    """One with as many units of a kind."""
    section, key = section_of(kind), kind.instances.replace(".", "__")
    if section is not None:
        return machine_of(**FAST, **{key: section if number else None})
    return machine_of(**FAST, **({key: number} if key else {}))


def numbers_of(kind: UnitKind) -> Sequence[int]:
    """How many of a kind a machine may have, in these tests."""
    return (1, 2, 3) if "." in kind.instances else (1,)


MACHINES = pytest.mark.parametrize(
    ("kind", "number"),
    [(kind, number) for kind in UNIT_KINDS.values() for number in numbers_of(kind)],
    ids=lambda each: each.name if isinstance(each, UnitKind) else str(each),
)

# Programs written by hand.

NOWHERE = Work(Range(0, 1), Range(0, 1), Range(0, 1), Range(0, 1), Range(0, 1))


def clocks_for(kind: UnitKind, length: int) -> int:
    """Clocks that a command of this length holds its unit: a descriptor and its bursts, two folds, or a piece."""
    return SETUP + length if kind.moves_tiles else 2 * length if kind.folds else length


def compute(kind: UnitKind, length: int, **tiles: tuple[Tile, ...]) -> Compute:
    """A Compute of this length; see `clocks_for`."""
    parts: dict[str, Any] = {"stationary": (), "streamed": (), "results": (), **tiles}
    if kind.folds:
        chain = repeat(single(Fold(load=1, stream=length, drain=0, tail=6, skew=3)), 2)
        return Compute(0, kind, NOWHERE, **parts, chain=chain, post_cycles=4, actions=ActionCounts(macs=length))
    return Compute(0, kind, NOWHERE, **parts, unit_cycles=length, actions=ActionCounts(vector_ops=length))


def tile(number: int, bursts: int) -> Tile:
    """A tile of whole bursts, in a tensor and at a place of its own."""
    tensor = Tensor(f"t{number}", (1, 1, 1, BURST * bursts), 8, BURST * 1024 * number)
    return Tile(tensor, tensor.whole, Buffer.ACTIVATION, address=BURST * 1024 * number)


def program_of(commands: Sequence[Command], preloaded: Sequence[Tile] = ()) -> Program:
    capacities = dict.fromkeys(Buffer, 1 << 30)
    return Program(("x",), tuple(each.tensor for each in preloaded), commands, capacities)


def work_for(kind: UnitKind, lengths: Sequence[int]) -> Program:
    """A program with a command of a kind for each length."""
    if not kind.moves_tiles:
        return program_of([compute(kind, length) for length in lengths])
    tiles = tuple(tile(number, bursts) for number, bursts in enumerate(lengths))
    if kind.stores:
        return program_of([compute(VECTOR, 1, results=tiles, complete=tiles), *(Store(0, each) for each in tiles)])
    return program_of([*(Load(0, each) for each in tiles), compute(VECTOR, 1, streamed=tiles, released=tiles)], tiles)


@dataclass(frozen=True)
class Played:
    """Commands of one kind with when each was where, and the whole outcome."""

    mine: list[Linked]
    outcome: Outcome


def played(kind: UnitKind, lengths: Sequence[int], machine: Machine) -> Played:
    program = work_for(kind, lengths)
    linked = list(link_for(program, machine))
    outcome = play(program, linked, machine, chains=[SAME])
    return Played([each for each in linked if kind_of(each.command) is kind], outcome)


LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=12)


# Names.


@MACHINES
def test_each_unit_has_a_name_and_a_title(kind: UnitKind, number: int) -> None:
    machine = machine_with(kind, number)
    names = [name for name, each in unit_names(machine).items() if each is kind]
    assert len(names) == instances_of(kind, machine) == number
    assert names == ([kind.name] if number == 1 else [f"{kind.name}_{each}" for each in range(1, number + 1)])
    titles = [title_of_unit(name) for name in unit_names(machine)]
    assert len(set(titles)) == len(titles)
    assert all(title.startswith(kind.title) for title in map(title_of_unit, names))


@KINDS
def test_a_kind_is_one_thing_in_every_process(kind: UnitKind) -> None:
    assert pickle.loads(pickle.dumps(kind)) is kind


def test_there_is_one_array() -> None:
    """Each clock of a run is that of the one array, or of what it waits for."""
    assert [kind for kind in UNIT_KINDS.values() if kind.folds] == [ARRAY]
    assert instances_of(ARRAY, machine_of()) == 1


# Time.


@MACHINES
@given(lengths=LENGTHS)
def test_commands_of_a_unit_come_one_after_the_other(kind: UnitKind, number: int, lengths: list[int]) -> None:
    """In the order of the program; each unit of the machine has a timeline of its own."""
    machine = machine_with(kind, number)
    tasks = [task for _, task in played(kind, lengths, machine).mine]
    assert len(tasks) == len(lengths)
    begins = [task.begin for task in tasks]
    assert begins == sorted(begins)
    for name in unit_names(machine):
        mine = [task for task in tasks if task.instance == name]
        for before, after in pairwise(mine):
            assert before.index < after.index
            assert before.begin <= before.free <= after.begin
            assert before.stream_end <= after.stream or kind.moves_tiles
    assert {task.instance for task in tasks} <= {name for name, each in unit_names(machine).items() if each is kind}


@MACHINES
@given(lengths=LENGTHS)
def test_a_unit_works_as_long_as_its_commands_say(kind: UnitKind, number: int, lengths: list[int]) -> None:
    """Engines that share the bus may each see it a clock later."""
    found = played(kind, lengths, machine_with(kind, number))
    each = [clocks_for(kind, length) for length in lengths]
    busy = [busy_cycles(task) for _, task in found.mine]
    later = number - 1 if kind.moves_tiles else 0
    assert all(0 <= mine - least <= later for mine, least in zip(busy, each, strict=True))
    (account,) = found.outcome.layers
    assert account.occupied[kind] == sum(busy)


@MACHINES
def test_units_of_a_kind_take_turns(kind: UnitKind, number: int) -> None:
    """Commands that are ready and take equally long go round; one unit alone takes as many times as long."""
    tasks = [task for _, task in played(kind, [20] * 6, machine_with(kind, number)).mine]
    names = [name for name, each in unit_names(machine_with(kind, number)).items() if each is kind]
    assert [task.instance for task in tasks] == [names[turn % number] for turn in range(6)]
    assert tasks[-1].stream - tasks[0].stream == clocks_for(kind, 20) * (6 // number - 1)


@MACHINES
def test_the_first_to_be_free_takes_the_next(kind: UnitKind, number: int) -> None:
    """A long command holds up its own unit alone."""
    tasks = [task for _, task in played(kind, [400, *[10] * 6], machine_with(kind, number)).mine]
    beside = [task for task in tasks[1:] if task.instance != tasks[0].instance]
    assert len(beside) == (6 if number > 1 else 0)


# Sums.


@MACHINES
@given(lengths=LENGTHS)
def test_counts_and_clocks_add_up(kind: UnitKind, number: int, lengths: list[int]) -> None:
    """Each clock is the array's or has one cause, and each action is counted once."""
    found = played(kind, lengths, machine_with(kind, number))
    (account,) = found.outcome.layers
    assert account.total_cycles == found.outcome.total_cycles
    if kind.moves_tiles:
        bytes_moved = account.moved.dram_write_bytes if kind.stores else account.moved.dram_read_bytes
        assert bytes_moved == BURST * sum(lengths)
        assert account.moved.dma_descriptors == len(lengths)
    else:
        assert account.counts == sum((each.command.actions for each in found.mine), ActionCounts())
    if not kind.moves_tiles and not kind.folds:
        assert account.stalls[kind.name] == found.outcome.total_cycles


@MACHINES
@given(lengths=LENGTHS)
def test_the_replay_with_nothing_doubled_is_the_run(kind: UnitKind, number: int, lengths: list[int]) -> None:
    """But for the clocks in which an engine issues what the bus has taken already."""
    outcome = played(kind, lengths, machine_with(kind, number)).outcome
    assert outcome.layers[0].doubled[-1] == pytest.approx(outcome.total_cycles, abs=2)


@KINDS
def test_a_unit_without_work_costs_nothing(kind: UnitKind) -> None:
    """A run is the same with more of it, or without."""
    busy = VECTOR if kind is not VECTOR else ARRAY
    fewest = 0 if section_of(kind) else 1
    outcomes = [played(busy, [30, 7, 12], machine_with(kind, number)).outcome for number in (fewest, *numbers_of(kind))]
    (account,) = outcomes[0].layers
    assert account.occupied[kind] == 0
    assert account.stalls.get(kind.name, 0) == 0
    assert all(other.layers == outcomes[0].layers for other in outcomes[1:])


# What goes wrong.


@MACHINES
def test_a_unit_that_waits_for_ever_is_named(kind: UnitKind, number: int) -> None:
    """With its command, and what that waits for: here its own end."""
    machine = machine_with(kind, number)
    program = work_for(kind, [5, 5])
    linked = list(link_for(program, machine))
    task = next(task for command, task in linked if kind_of(command) is kind)
    task.begin_waits = ((task, Moment.DONE),)
    name = next(name for name, each in unit_names(machine).items() if each is kind)
    says = re.escape(f"{name}: {kind.command} {task.index} of x waits for {kind.command} {task.index} of x (done)")
    with pytest.raises(DeadlockError, match=says):
        play(program, linked, machine)


@MACHINES
def test_a_place_is_free_when_all_that_read_it_have(kind: UnitKind, number: int) -> None:
    """A Load waits for the last command of one unit that reads what it replaces, or for each where they may overtake
    one another."""
    if kind.moves_tiles:
        return
    old, new = tile(0, 1), tile(0, 2)
    readers = [compute(kind, 40, streamed=(old,)), compute(kind, 10, streamed=(old,), released=(old,))]
    commands = [Load(0, old), *readers, Load(0, new), compute(VECTOR, 1, streamed=(new,), released=(new,))]
    linked = list(link_for(program_of(commands, [old, new]), machine_with(kind, number)))
    waits = {task.index for task, _ in linked[3].task.begin_waits}
    assert waits == ({2} if number == 1 else {1, 2})


# Reports.


@KINDS
def test_reports_know_it(kind: UnitKind) -> None:
    """Its column can be taken apart, its stall has a fill; the array's clocks are columns of their own."""
    columns = {column.name: column for column in COLUMNS}
    if not kind.folds:
        assert f"{kind.name}_cycles" in MEASURES
        assert f"{kind.name}_cycles" in columns
        assert f"{kind.name}_cycles" in EXPLAINED
    if not kind.folds and not kind.moves_tiles:
        assert kind.name in STALL_CAUSES
        assert kind.title in columns[f"stall_{kind.name}_cycles"].meaning
        others = {fill for name, fill in CLOCK_FILLS.items() if name != kind.name}
        assert CLOCK_FILLS[kind.name] not in others


# Layers.


def some_of_all() -> Network:
    """Layers for every unit."""
    rows: list[dict[str, Any]] = [
        {"name": "conv", "op": "conv", "kernel": 3, "pad": 1, "channels": 16},
        {"name": "dw", "op": "dwconv", "kernel": 3, "pad": 1},
        {"name": "add", "op": "add", "inputs": ["conv", "dw"]},
        {"name": "pool", "op": "maxpool", "kernel": 2, "stride": 2},
        {"name": "again", "op": "conv", "kernel": 1, "channels": 8},
    ]
    return network_of(rows, (12, 12, 4))


@FOR_PIECES
@pytest.mark.parametrize("capacity", [4096, 1 << 20])
def test_layers_on_it_are_computed_and_counted(kind: UnitKind, capacity: int) -> None:
    """Bit for bit; and its column is the sum of its pieces, layer by layer, whether layers run one by one or not."""
    machine = with_room(machine_with(kind, numbers_of(kind)[-1]), capacity)
    network = some_of_all()
    assert not check_network(network, machine)
    performance = perform(network, machine, Scheduling())
    commands = [each for each in lower(network, machine).program.commands if isinstance(each, Compute)]
    on_it = [index for index, node in enumerate(performance.lowered.network.nodes) if unit_of(node, machine) is kind]
    assert {each.layer for each in commands if each.unit is kind} == set(on_it) != set()
    for index, record in enumerate(performance.records):
        pieces = [each.unit_cycles for each in commands if each.layer == index and each.unit is kind]
        assert record.busy_cycles[kind.name] == sum(pieces)
        assert all(pieces)


def with_room(machine: Machine, capacity: int) -> Machine:
    """With less or more room for feature maps; depthwise layers are the engine's, shortcuts are not added on a way."""
    sram = machine.sram.model_copy(
        update={"activation": machine.sram.activation.model_copy(update={"capacity_bytes": capacity})}
    )
    array = machine.array.model_copy(update={"depthwise_on": "engine" if machine.depthwise else "array"})
    path = machine.output_path.model_copy(update={"add": 0, "max_pool": 0})
    return machine.model_copy(update={"sram": sram, "array": array, "output_path": path})
