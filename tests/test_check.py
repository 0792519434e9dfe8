"""Does the functional check see what it is for? Each defect is planted in a program that is right without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from accelsim.check.execute import check_network, check_program
from accelsim.config.scheduling import Scheduling
from accelsim.errors import ProgramError, UserError
from accelsim.lowering.compile import Lowered, lower
from accelsim.lowering.emit import layers
from accelsim.network.graph import Network
from accelsim.program.commands import Command, Compute, Load, Program, Store
from accelsim.program.link import Waits, link
from accelsim.program.tensors import Range
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
    return lower(network, MACHINE, NEVER)


def first(program: Program, kind: type[Command], layer: int = 0, which: int = 0) -> int:
    """The index of one of a layer's commands."""
    return [i for i, c in enumerate(program.commands) if isinstance(c, kind) and c.layer == layer][which]


def with_command(lowered: Lowered, index: int, *commands: Command) -> Lowered:
    """The program with one command replaced by others, or by none."""
    before = lowered.program.commands
    program = replace(lowered.program, commands=(*before[:index], *commands, *before[index + 1 :]))
    return replace(lowered, program=program)


def failures(network: Network, lowered: Lowered, waits: list[Waits] | None = None) -> list[str]:
    return check_program(MACHINE, lowered, waits if waits is not None else link(lowered.program))


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
    index = first(lowered.program, Store, layer=4)
    dropped = with_command(lowered, index)
    with pytest.raises(ProgramError, match="never used"):
        link(dropped.program)


def test_a_dropped_store_is_seen_by_those_who_load_it(lowered: Lowered) -> None:
    """A region that is not in DRAM can't be loaded."""
    dropped = with_command(lowered, first(lowered.program, Store, layer=0))
    with pytest.raises(ProgramError, match=r"are in DRAM|never used"):
        link(dropped.program)


def test_a_dropped_load_is_seen(lowered: Lowered) -> None:
    """Its tile is not in SRAM."""
    with pytest.raises(ProgramError, match="not in SRAM"):
        link(with_command(lowered, first(lowered.program, Load)).program)


def test_a_dropped_compute_is_seen(network: Network, lowered: Lowered) -> None:
    """A piece of a sum that is left out: all tiles are there, the numbers are not."""
    index = next(
        i for i, c in enumerate(lowered.program.commands) if isinstance(c, Compute) and not c.work.last and c.layer == 4
    )
    assert failures(network, with_command(lowered, index))


def doubled(command: Command) -> tuple[Command, ...]:
    return (command, replace(command))


@pytest.mark.parametrize("layer", [0, 1, 3, 4])
def test_a_doubled_compute_is_seen(network: Network, lowered: Lowered, layer: int) -> None:
    """Whether it is a whole sum or a piece of one."""
    index = first(lowered.program, Compute, layer)
    twice = with_command(lowered, index, *doubled(lowered.program.commands[index]))
    assert failures(network, twice)


def test_a_doubled_store_is_seen(network: Network, lowered: Lowered) -> None:
    """It moves no wrong number, but each output byte is stored once."""
    index = first(lowered.program, Store, layer=4)
    twice = with_command(lowered, index, *doubled(lowered.program.commands[index]))
    assert "second time" in failures(network, twice)[0]


def test_a_doubled_load_is_seen(lowered: Lowered) -> None:
    """A tile is loaded once; to be loaded again it is another tile."""
    index = first(lowered.program, Load)
    with pytest.raises(ProgramError, match="again"):
        link(with_command(lowered, index, *doubled(lowered.program.commands[index])).program)


def test_misplaced_tiles_are_seen(network: Network, lowered: Lowered) -> None:
    """Two stores of equal size that change places in DRAM: nothing is missing, but two pieces are exchanged."""
    one, other = (
        command.tile
        for command in (lowered.program.commands[first(lowered.program, Store, 3, which)] for which in (0, 1))
        if isinstance(command, Store)
    )
    regions = one.region, other.region
    for tile, region in zip((other, one), regions, strict=True):
        object.__setattr__(tile, "region", region)
    assert failures(network, lowered)


def test_a_misplaced_piece_of_work_is_seen(network: Network, lowered: Lowered) -> None:
    """A Compute that does its neighbour's rows, with tiles that hold them too (a fully connected layer's channels)."""
    index = first(lowered.program, Compute, 4, -1)
    command = lowered.program.commands[index]
    assert isinstance(command, Compute)
    channels = command.work.channels
    shifted = Range(channels.start - 1, channels.stop - 1)
    moved = replace(command, work=replace(command.work, channels=shifted))
    assert failures(network, with_command(lowered, index, moved))


def test_an_overwritten_buffer_is_seen_in_the_program(lowered: Lowered) -> None:
    """A tile put where another is still to be read."""
    program = lowered.program
    loads = [c.tile for c in program.commands if isinstance(c, Load) and c.tile.buffer == "activation"]
    addresses = {**program.addresses, loads[1]: program.addresses[loads[0]]}
    with pytest.raises(ProgramError, match=r"overwrites|not in SRAM"):
        link(replace(program, addresses=addresses))


def without_waits(waits: list[Waits], program: Program, kind: type[Command]) -> list[Waits]:
    """A machine that does not wait before commands of one kind."""
    return [Waits(()) if isinstance(c, kind) else w for c, w in zip(program.commands, waits, strict=True)]


@pytest.mark.parametrize("kind", [Load, Compute, Store])
def test_a_machine_that_does_not_wait_is_seen(network: Network, lowered: Lowered, kind: type[Command]) -> None:
    """Loads that overwrite live buffers or run ahead of stores, computes and stores that do not wait for data."""
    waits = link(lowered.program)
    assert failures(network, lowered, waits) == []
    assert failures(network, lowered, without_waits(waits, lowered.program, kind))


def test_only_the_wait_for_space_matters_too(network: Network, lowered: Lowered) -> None:
    """A load that waits for its data but not for the place to be free overwrites a tile in use."""
    waits = link(lowered.program)
    program = lowered.program
    hasty = [
        Waits(tuple(w for w in each.begin if isinstance(program.commands[w[0]], Store) and w[1] == 0))
        if isinstance(command, Load)
        else each
        for command, each in zip(program.commands, waits, strict=True)
    ]
    assert any("overwritten" in text or "not in SRAM" in text for text in failures(network, lowered, hasty))


def _halo_forgotten(original: Callable[..., Any]) -> Callable[..., Any]:
    def shrunk(*arguments: Any) -> Any:
        images, rows, cols = original(*arguments)
        return images, Range(rows.start, max(rows.start + 1, rows.stop - 1)), cols

    return shrunk


def test_a_forgotten_halo_is_seen(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiler that loads a row too few of each tile."""
    monkeypatch.setattr(layers, "input_window", _halo_forgotten(layers.input_window))
    assert check_network(network, MACHINE, NEVER)
