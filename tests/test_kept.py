"""Are results kept for the same object alone, and for few?"""

from __future__ import annotations

from accelsim.kept import kept


def test_an_object_is_looked_at_once_while_it_is_among_the_last() -> None:
    asked: list[list[int]] = []

    @kept
    def length(of: list[int]) -> int:
        asked.append(of)
        return len(of)

    first, equal, *others = [[1], [1], [2], [3], [4]]
    assert [length(first), length(first), length(equal), length(first)] == [1, 1, 1, 1]
    assert len(asked) == 2
    assert [length(each) for each in (*others, equal)] == [1, 1, 1, 1]
    assert len(asked) == 5
    length(first)
    assert asked[-1] is first
    assert len(asked) == 6
