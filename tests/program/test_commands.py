"""Do commands say by themselves which tiles they read, store and leave?"""

from __future__ import annotations

from collections.abc import Iterator

from accelsim.program.commands import (
    Buffer,
    Command,
    Compute,
    Load,
    Restartable,
    Store,
    Tile,
    Work,
    clocks_before,
    kind_of,
)
from accelsim.program.tensors import Range, Tensor
from accelsim.unit_kinds import ARRAY, DMA_IN, DMA_OUT

REGION = Range(0, 1), Range(0, 2), Range(0, 2), Range(0, 3)
TENSOR = Tensor("map", (1, 2, 2, 3), 12, 0)


def tile(**keys: bool) -> Tile:
    return Tile(TENSOR, REGION, Buffer.ACTIVATION, **keys)


def test_bytes_of_a_tile_are_packed() -> None:
    """12 elements of 12 bits."""
    assert tile().bytes == tile().place_bytes == 18


def test_a_compute_reads_each_tile_once_and_stores_what_does_not_stay() -> None:
    """A result that is read on chip as well keeps its place."""
    both, stays, leaves, read_again = tile(), tile(resident=True), tile(), tile(read_on_chip=True)
    results = stays, leaves, read_again
    work = Work(*REGION, Range(0, 1))
    command = Compute(0, ARRAY, work, (both,), (both,), results, results, added=(both,), released=(both,))
    assert command.reads == (both,)
    assert command.stored == (leaves, read_again)
    assert command.vacated == (both, leaves)
    assert kind_of(command) is ARRAY


def test_only_a_load_waits_for_the_host_and_for_zeros() -> None:
    load, store = Load(0, tile(), host_cycles=3, fill_cycles=4), Store(0, tile())
    assert (clocks_before(load), clocks_before(store)) == ((3, 4), (0, 0))
    assert (kind_of(load), kind_of(store)) == (DMA_IN, DMA_OUT)


def test_commands_are_made_anew_each_time() -> None:
    def make() -> Iterator[Command]:
        yield Load(0, tile())

    commands = Restartable(make)
    assert [*commands] != [*commands]
    assert len([*commands]) == 1
