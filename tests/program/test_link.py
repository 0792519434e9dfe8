"""Does each command wait for what it needs, and for nothing else? Programs written by hand."""

from __future__ import annotations

import pytest

from accelsim.errors import ProgramError
from accelsim.program.commands import Buffer, Command, Compute, Load, Program, Store, Tile, Work
from accelsim.program.link import Linked, Moment, link
from accelsim.program.tensors import Range, Tensor
from accelsim.unit_kinds import VECTOR

WHOLE = Range(0, 1), Range(0, 4), Range(0, 4), Range(0, 8)
GIVEN, MADE = Tensor("given", (1, 4, 4, 8), 8, 0), Tensor("made", (1, 4, 4, 8), 8, 128)


def tile(tensor: Tensor, address: int) -> Tile:
    return Tile(tensor, WHOLE, Buffer.ACTIVATION, address=address)


def compute(source: Tile, result: Tile) -> Compute:
    work = Work(*WHOLE, Range(0, 1))
    return Compute(0, VECTOR, work, (), (source,), (result,), (result,), released=(source,), unit_cycles=16)


def linked(*commands: Command, capacity: int = 256) -> list[Linked]:
    program = Program(("relu",), (GIVEN,), commands, {Buffer.ACTIVATION: capacity, Buffer.WEIGHT: 0}, frozenset())
    return list(link(program))


def waits(each: Linked) -> list[tuple[int, Moment]]:
    """Numbers of the commands that one waits for, and until when."""
    task = each.task
    return [(other.index, moment) for other, moment in (*task.begin_waits, *task.stream_waits)]


def test_a_compute_waits_for_its_load_and_a_store_for_its_compute() -> None:
    """Until the data is there, and no moment longer."""
    source, result = tile(GIVEN, 0), tile(MADE, 128)
    found = linked(Load(0, source), compute(source, result), Store(0, result))
    assert [waits(each) for each in found] == [[], [(0, Moment.DONE)], [(1, Moment.DONE)]]


def test_a_load_into_a_place_waits_until_that_has_been_read() -> None:
    """The second tile lies where the first one did."""
    first, again, results = tile(GIVEN, 0), tile(GIVEN, 0), (tile(MADE, 128), tile(MADE, 128))
    found = linked(
        Load(0, first),
        compute(first, results[0]),
        Store(0, results[0]),
        Load(0, again),
        compute(again, results[1]),
        Store(0, results[1]),
    )
    assert waits(found[3]) == [(1, Moment.STREAM_READ)]


@pytest.mark.parametrize(
    ("commands", "message"),
    [
        ((compute(tile(GIVEN, 0), tile(MADE, 128)),), "given"),
        ((Load(0, tile(MADE, 0)),), "made"),
        ((Load(0, tile(GIVEN, 200)),), "outside of the activation buffer"),
    ],
    ids=["not in SRAM", "never stored", "outside its buffer"],
)
def test_what_can_not_be_is_refused(commands: tuple[Command, ...], message: str) -> None:
    """A tile that nobody loaded, a region that nobody stored, a place that the buffer lacks."""
    with pytest.raises(ProgramError, match=message):
        linked(*commands)
