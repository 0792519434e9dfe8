"""States at the cuts between layers, and the ways to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from accelsim.lowering.allocate import Piece, Place, free, largest, size_of
from accelsim.lowering.schedule.effort import Effort, Pace
from accelsim.lowering.schedule.groups import Group


class Step(NamedTuple):
    """Layers [first, last] together: a group in a piece of the buffer, or one layer with a piece for its tiles."""

    first: int
    last: int
    group: Group | None
    room: Piece
    made: tuple[Place, ...]
    effort: Effort


class State(NamedTuple):
    """The best way to a cut with these residents, and its clocks and DRAM bytes."""

    score: float
    cycles: float
    dram_bytes: float
    residents: tuple[Place, ...]
    pace: Pace
    step: Step | None
    before: State | None


Key = tuple[tuple[str, ...], int]
"""Names of residents in the order of their places, and the room that these leave."""

Beam = dict[Key, State]
"""The best states at a cut."""


class Way(NamedTuple):
    """A step from a state to a cut. least: the score there at least; key: of the state there; find: works the step
    out, None where it does not fit."""

    least: float
    state: State
    cut: int
    key: Key
    find: Callable[[], Step | None]


def key_of(residents: Iterable[Place], cut: int, capacity: int) -> Key:
    """Names of the residents that are still read behind a cut, in the order of their places, and the room beside."""
    there = sorted(each for each in residents if each.last >= cut)
    return tuple(each.name for each in there), room_of(there, capacity)


def room_of(residents: Iterable[Place], capacity: int) -> int:
    """Fourths of the buffer that the largest free piece holds."""
    return 4 * size_of(largest(free(residents, capacity))) // capacity
