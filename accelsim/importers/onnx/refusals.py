"""Lines for nodes that cannot be modelled: causes in the graph's order, nodes alike as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from accelsim.errors import Mistake

MOST_KINDS = 100


class Refusal(NamedTuple):
    """A node by its number in the file, operator and name; what was expected, and what it has instead."""

    number: int
    op: str
    label: str
    expected: str
    got: str


def grouped(refusals: Sequence[Refusal], shown_as: str) -> Iterator[Mistake]:
    """A mistake for each kind of refusal, in the place of the first."""
    kinds: dict[tuple[str, str], list[Refusal]] = {}
    for each in refusals:
        kinds.setdefault((each.op, each.expected), []).append(each)
    for (op, expected), alike in list(kinds.items())[:MOST_KINDS]:
        first = alike[0]
        others = f" (and {len(alike) - 1} nodes alike)" if len(alike) > 1 else ""
        yield Mistake(shown_as, first.number, f"{op} {first.label}", expected, first.got + others)
