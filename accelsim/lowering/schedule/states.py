"""States at the cuts between layers, and the ways to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

from accelsim.lowering.allocate import ByteRange, Place, largest_free, size_of
from accelsim.lowering.schedule.effort import Effort, Pace
from accelsim.lowering.schedule.heights import Striped


class Step(NamedTuple):
    """Layers [first, last] together: a group with its rings at the top of a room, or one layer with room for its
    tiles."""

    first: int
    last: int
    striped: Striped | None
    room: ByteRange
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


StateKey = tuple[tuple[str, ...], int]
"""Names of residents in the order of their places, and the room that these leave."""


class Way(NamedTuple):
    """A step from a state to a cut. least: the score there at least; key: of the state there; find: works the step
    out, None where it does not fit."""

    least: float
    state: State
    cut: int
    key: StateKey
    find: Callable[[], Step | None]


BEAM = 5
"""States that go on from a cut."""

SAVED_SHARE = 0.5
"""Share of what residents save behind a cut that counts where states are ranked: they may have to leave before."""


@dataclass(slots=True)
class Beam:
    """The best states at a cut: with each key, and of those whose residents save as much and leave as much room.

    saves: value of the bytes that a key's residents save behind the cut. worst: the last rank that goes on.
    """

    saves: Callable[[StateKey], float]
    states: dict[StateKey, State] = field(default_factory=dict)
    alike: dict[tuple[int, int], State] = field(default_factory=dict)
    worst: float = inf

    def enter(self, key: StateKey, state: State) -> None:
        """Keep a state, if it is the best with its key."""
        if key in self.states and self.states[key].score <= state.score:
            return
        self.states[key] = state
        kind = round(self.saves(key)), key[1]
        if kind not in self.alike or state.score < self.alike[kind].score:
            self.alike[kind] = state
            ranked = self._ranked()
            self.worst = ranked[-1][0] if len(ranked) == BEAM else inf

    def is_open(self, way: Way) -> bool:
        """True where a way may lead to a state that goes on."""
        known = self.states.get(way.key)
        if known is not None and known.score <= way.least:
            return False
        return way.least - SAVED_SHARE * round(self.saves(way.key)) <= self.worst

    def going_on(self) -> list[State]:
        """The states that go on."""
        return list(self.states.values()) if len(self.states) <= BEAM else [state for _, state in self._ranked()]

    def _ranked(self) -> list[tuple[float, State]]:
        """The best ranks with their states."""
        ranks = [(state.score - SAVED_SHARE * saved, state) for (saved, _), state in self.alike.items()]
        return sorted(ranks, key=lambda each: each[0])[:BEAM]


def key_of(residents: Iterable[Place], cut: int, capacity: int) -> StateKey:
    """Names of the residents that are still read behind a cut, in the order of their places, and the fourths of the
    buffer that the largest piece beside them holds."""
    there = tuple(sorted(each for each in residents if each.last >= cut))
    return tuple(each.name for each in there), 4 * size_of(largest_free(there, capacity)) // capacity
