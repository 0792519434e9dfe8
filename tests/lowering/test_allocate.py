"""Are places of SRAM taken in a circle, and never twice?"""

from __future__ import annotations

from accelsim.lowering.allocate import Arena


def test_an_arena_goes_round_what_still_stands() -> None:
    """Places are taken in a circle, contiguous, never twice."""
    arena = Arena(100)
    assert [arena.take(40), arena.take(40), arena.take(40)] == [0, 40, None]
    arena.give(0, 40)
    assert arena.take(30) == 0
    arena.give(40, 40)
    assert arena.take(70) == 30


def test_results_take_two_places_in_turn() -> None:
    """One is filled while the other is stored, though that would be free again; else the next one below."""
    arena, room = Arena(100), (10, 100)
    found = []
    for _ in range(4):
        found.append(arena.take_top(20, room, 2))
        arena.give(found[-1], 20)
    assert found == [80, 60, 80, 60]
    assert [arena.take_top(20, room, 2) for _ in range(5)] == [80, 60, 40, 20, None]
