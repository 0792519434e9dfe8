"""Does the functional check see what it is for? Each defect is planted in a program that is right without it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from accelsim.check.execute import check_network, check_program
from accelsim.config.plan import Plan
from accelsim.config.scheduling import Scheduling
from accelsim.errors import ProgramError, UserError
from accelsim.lowering.compile import Lowered, lower
from accelsim.lowering.emit import array
from accelsim.network.graph import Network
from accelsim.program.commands import Command, Compute, Load, Store
from accelsim.program.link import Linked, Moment, link
from accelsim.program.tensors import Range
from accelsim.unit_kinds import DMA_OUT
from tests.played import settled
from tests.strategies import machine_of, network_of

MACHINE = machine_of(
    array__rows=4,
    array__cols=4,
    sram__activation__capacity_bytes=700,
    sram__weight__capacity_bytes=300,
    sram__accumulator__capacity_bytes=800,
)
NEVER = Scheduling(keep_activations="never")
ROWS: list[dict[str, Any]] = [
    {"name": "a", "op": "conv", "kernel": 3, "pad": 1, "channels": 8, "activation": "relu"},
    {"name": "b", "op": "conv", "kernel": 1, "channels": 12, "groups": 4},
    {"name": "s", "op": "shuffle", "groups": 4},
    {"name": "d", "op": "dwconv", "kernel": 3, "pad": 1, "stride": 2},
    {"name": "f", "op": "fc", "channels": 10},
]


@pytest.fixture(scope="module")
def network() -> Network:
    return network_of(ROWS, (8, 8, 5))


@pytest.fixture
def lowered(network: Network) -> Lowered:
    """With commands that are made once, so that they can be changed."""
    return settled(lower(network, MACHINE, NEVER))[0]


def commands_of(lowered: Lowered) -> tuple[Command, ...]:
    return tuple(lowered.program.commands)


def first(lowered: Lowered, kind: type[Command], layer: int = 0, which: int = 0) -> int:
    """The index of one of a layer's commands."""
    return [i for i, c in enumerate(lowered.program.commands) if isinstance(c, kind) and c.layer == layer][which]


def with_command(lowered: Lowered, index: int, *commands: Command) -> Lowered:
    """The program with one command replaced by others, or by none."""
    before = commands_of(lowered)
    program = replace(lowered.program, commands=(*before[:index], *commands, *before[index + 1 :]))
    return replace(lowered, program=program)


def failures(lowered: Lowered, linked: Iterable[Linked] | None = None) -> list[str]:
    return check_program(MACHINE, lowered, link(lowered.program) if linked is None else linked)


def test_the_program_is_right_to_begin_with(network: Network) -> None:
    """And has several tiles in each of its layers, or the plants below would prove little."""
    assert check_network(network, MACHINE, NEVER) == []
    program = lower(network, MACHINE, NEVER).program
    assert all(sum(c.layer == layer for c in program.commands) > 3 for layer in (0, 1, 3, 4))


def test_a_layer_that_does_not_fit_is_the_users_mistake(network: Network) -> None:
    """`check` refuses it in one line, as `run` does."""
    with pytest.raises(UserError, match="room for layer a"):
        check_network(network, machine_of(sram__activation__capacity_bytes=1))


def test_a_dropped_store_is_seen(network: Network, lowered: Lowered) -> None:
    """Of the last layer, so that no later load misses it first: its outputs are still poison."""
    index = first(lowered, Store, layer=4)
    dropped = with_command(lowered, index)
    with pytest.raises(ProgramError, match="never used"):
        list(link(dropped.program))


def test_a_dropped_store_is_seen_by_those_who_load_it(lowered: Lowered) -> None:
    """A region that is not in DRAM can't be loaded; that its tile is given up says the Compute before."""
    index = first(lowered, Store, layer=0)
    store, compute = commands_of(lowered)[index], commands_of(lowered)[index - 1]
    assert isinstance(store, Store)
    assert isinstance(compute, Compute)
    given_up = replace(compute, released=(*compute.released, store.tile), complete=())
    dropped = with_command(with_command(lowered, index), index - 1, given_up)
    with pytest.raises(ProgramError, match="are in DRAM"):
        list(link(dropped.program))


def test_a_dropped_store_is_seen_by_those_who_take_its_place(lowered: Lowered) -> None:
    """Its tile is still to be read."""
    with pytest.raises(ProgramError, match=r"overwrites .* still to be read"):
        list(link(with_command(lowered, first(lowered, Store, layer=0)).program))


def test_a_dropped_load_is_seen(lowered: Lowered) -> None:
    """Its tile is not in SRAM."""
    with pytest.raises(ProgramError, match="not in SRAM"):
        list(link(with_command(lowered, first(lowered, Load)).program))


def test_a_dropped_compute_is_seen(lowered: Lowered) -> None:
    """A piece of a sum that is left out: its tiles are never read."""
    with pytest.raises(ProgramError, match=r"never used|still to be read"):
        list(link(with_command(lowered, _piece_of_a_sum(lowered)).program))


def test_a_dropped_compute_is_seen_where_its_tiles_are_given_up(lowered: Lowered) -> None:
    """All tiles are there, and the Compute before says that it is the last to read them; the numbers are not right."""
    index = _piece_of_a_sum(lowered)
    command = commands_of(lowered)[index]
    before = max(i for i, each in enumerate(commands_of(lowered)[:index]) if isinstance(each, Compute))
    earlier = commands_of(lowered)[before]
    assert isinstance(command, Compute)
    assert isinstance(earlier, Compute)
    given_up = replace(earlier, released=(*earlier.released, *command.released))
    assert failures(with_command(with_command(lowered, index), before, given_up))


def _piece_of_a_sum(lowered: Lowered) -> int:
    return next(
        i for i, c in enumerate(lowered.program.commands) if isinstance(c, Compute) and not c.work.last and c.layer == 4
    )


def doubled(command: Command) -> tuple[Command, ...]:
    """The command twice, the first of them no longer the last to read its tiles."""
    before = replace(command, released=(), complete=()) if isinstance(command, Compute) else command
    return before, replace(command)


@pytest.mark.parametrize("layer", [0, 1, 3, 4])
def test_a_doubled_compute_is_seen(lowered: Lowered, layer: int) -> None:
    """Whether it is a whole sum or a piece of one."""
    index = first(lowered, Compute, layer)
    twice = with_command(lowered, index, *doubled(commands_of(lowered)[index]))
    assert failures(twice)


def test_a_doubled_store_is_seen(lowered: Lowered) -> None:
    """It moves no wrong number, but each output byte is stored once, after which its place is another's."""
    index = first(lowered, Store, layer=4)
    with pytest.raises(ProgramError, match="not in SRAM"):
        list(link(with_command(lowered, index, *doubled(commands_of(lowered)[index])).program))


def test_what_is_stored_twice_is_seen(lowered: Lowered) -> None:
    """A result that is loaded again and stored again, to where it is already."""
    store = commands_of(lowered)[-1]
    assert isinstance(store, Store)
    again = replace(store.tile)
    program = replace(
        lowered.program,
        commands=(*commands_of(lowered), Load(4, again), Store(4, again)),
        reloaded=lowered.program.reloaded | {again.tensor},
    )
    assert "second time" in failures(replace(lowered, program=program))[0]


def test_a_doubled_load_is_seen(lowered: Lowered) -> None:
    """A tile is loaded once; to be loaded again it is another tile."""
    index = first(lowered, Load)
    with pytest.raises(ProgramError, match="again"):
        list(link(with_command(lowered, index, *doubled(commands_of(lowered)[index])).program))


def test_misplaced_tiles_are_seen(lowered: Lowered) -> None:
    """Two stores of equal size that change places in DRAM: nothing is missing, but two pieces are exchanged."""
    one, other = (
        command.tile
        for command in (commands_of(lowered)[first(lowered, Store, 3, which)] for which in (0, 1))
        if isinstance(command, Store)
    )
    regions = one.region, other.region
    for tile, region in zip((other, one), regions, strict=True):
        tile.region = region
    assert failures(lowered)


def test_a_misplaced_piece_of_work_is_seen(lowered: Lowered) -> None:
    """A Compute that does channels of its neighbour."""
    index = first(lowered, Compute, 0, -1)
    command = commands_of(lowered)[index]
    assert isinstance(command, Compute)
    channels = command.work.channels
    shifted = Range(channels.start - 1, channels.stop - 1)
    moved = replace(command, work=replace(command.work, channels=shifted))
    assert failures(with_command(lowered, index, moved))


def test_an_overwritten_buffer_is_seen_in_the_program(lowered: Lowered) -> None:
    """A tile put where another is still to be read."""
    loads = [c.tile for c in commands_of(lowered) if isinstance(c, Load) and c.tile.buffer == "activation"]
    loads[1].address = loads[0].address
    with pytest.raises(ProgramError, match=r"overwrites|not in SRAM"):
        list(link(lowered.program))


def without_waits(linked: Iterable[Linked], kind: type[Command]) -> list[Linked]:
    """A machine that does not wait before commands of one kind."""
    hasty = list(linked)
    for command, task in hasty:
        if isinstance(command, kind):
            task.begin_waits = task.stream_waits = ()
    return hasty


@pytest.mark.parametrize("kind", [Load, Compute, Store])
def test_a_machine_that_does_not_wait_is_seen(lowered: Lowered, kind: type[Command]) -> None:
    """Loads that overwrite live buffers or run ahead of stores, computes and stores that do not wait for data."""
    assert failures(lowered) == []
    assert failures(lowered, without_waits(link(lowered.program), kind))


def test_only_the_wait_for_space_matters_too(lowered: Lowered) -> None:
    """A load that waits for its data but not for the place to be free overwrites a tile in use."""
    hasty = list(link(lowered.program))
    for command, task in hasty:
        if isinstance(command, Load):
            task.begin_waits = tuple(
                (other, moment)
                for other, moment in task.begin_waits
                if other.role.unit is DMA_OUT and moment is Moment.DONE
            )
    assert any("overwritten" in text or "not in SRAM" in text for text in failures(lowered, hasty))


def _halo_forgotten(original: Callable[..., Any]) -> Callable[..., Any]:
    def shrunk(*arguments: Any) -> Any:
        images, rows, cols = original(*arguments)
        return images, Range(rows.start, max(rows.start + 1, rows.stop - 1)), cols

    return shrunk


def test_a_forgotten_halo_is_seen(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiler that loads a row too few of each tile."""
    monkeypatch.setattr(array, "input_window", _halo_forgotten(array.input_window))
    assert check_network(network, MACHINE, NEVER)


@pytest.mark.parametrize("pool", ["maxpool", "avgpool"])
def test_pools_behind_tiles_of_some_columns(pool: str) -> None:
    """Rows of other columns are none that go on."""
    network = network_of(
        [
            {"name": "a", "op": "conv", "kernel": 1, "channels": 4},
            {"name": "p", "op": pool, "kernel": 2, "stride": 2},
        ],
        (16, 16, 4),
    )
    plan = Plan.model_validate({"layers": [{"match": "a", "tile": {"rows": 2, "columns": 4}}]})
    assert check_network(network, machine_of(), Scheduling(plan=plan)) == []


def test_large_windows_take_the_memory_of_a_map() -> None:
    """Not that of a map for each of 400 positions."""
    network = network_of([{"name": "p", "op": "maxpool", "kernel": 20}], (48, 48, 4))
    tracemalloc.start()
    try:
        assert check_network(network, machine_of()) == []
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 8 << 20
