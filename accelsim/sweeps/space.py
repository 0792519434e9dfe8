"""The machines that a sweep can choose from: a shipped or own machine, and a choice on each axis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from math import prod
from typing import Any

from accelsim.config.load import Override
from accelsim.config.machine import Machine
from accelsim.config.quantities import written_out
from accelsim.config.strict_yaml import dotted
from accelsim.errors import Mistake, UserError
from accelsim.sweeps.points import Point, Points
from accelsim.sweeps.spec import Choice, Wanted

Candidate = tuple[int, ...]
"""The position of the machine, then of the choice on each axis."""


@dataclass
class Space:
    """Candidates of a sweep, each with a point for every network; what it varies must be of the machine."""

    wanted: Wanted
    _points: Points = field(init=False)

    def __post_init__(self) -> None:
        mistakes = [
            Mistake(each.file, each.line, dotted(each.path), "a key of the machine, as networks are given", "it")
            for axis in self.wanted.axes
            for choice in axis
            for each in choice
            if each.path[0] == "network"
        ]
        if mistakes:
            raise UserError(mistakes)
        self._points = Points(self.wanted)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Choices of each position of a candidate."""
        return (len(self.wanted.machines), *map(len, self.wanted.axes))

    @property
    def size(self) -> int:
        """Number of candidates before constraints."""
        return prod(self.sizes)

    def all(self) -> Iterator[Candidate]:
        """Every candidate, the last axis fastest."""
        return product(*map(range, self.sizes))

    def points(self, candidate: Candidate) -> list[Point]:
        """The points of a candidate, one for each network; none where it breaks a constraint or is no machine."""
        machine, *choices = candidate
        axes = tuple((axis[choice],) for axis, choice in zip(self.wanted.axes, choices, strict=True))
        alone = replace(self.wanted, machines=(self.wanted.machines[machine],), axes=axes)
        try:
            return list(replace(self._points, wanted=alone))
        except UserError:
            return []

    def settings(self, candidate: Candidate) -> dict[str, Any]:
        """The settings of a candidate, by dotted key."""
        return {dotted(each.path): each.value for choice in self._choices(candidate) for each in choice}

    def _choices(self, candidate: Candidate) -> list[Choice]:
        return [axis[choice] for axis, choice in zip(self.wanted.axes, candidate[1:], strict=True)]

    def machine(self, candidate: Candidate) -> str:
        """The name of its machine, as the sweep has it."""
        return self.wanted.machines[candidate[0]]

    def is_ordered(self, position: int) -> bool:
        """True where the choices of a position are numbers that rise or fall."""
        if position == 0:
            return False
        axis = self.wanted.axes[position - 1]
        columns = zip(*([_plain(each) for each in choice] for choice in axis), strict=True)
        return all(_is_monotonic(column) for column in columns)

    def neighbours(self, candidate: Candidate) -> Iterator[tuple[int, Candidate]]:
        """Candidates that differ at one position: by a step where it is ordered, by anything where it is not."""
        for position, size in enumerate(self.sizes):
            here = candidate[position]
            others = (here - 1, here + 1) if self.is_ordered(position) else range(size)
            for other in others:
                if 0 <= other < size and other != here:
                    yield position, (*candidate[:position], other, *candidate[position + 1 :])


def _plain(override: Override) -> Any:
    """The value, without the unit that it may be written with."""
    try:
        return written_out(override.path, override.value, Machine)[1]
    except ValueError:
        return None


def _is_monotonic(values: tuple[Any, ...]) -> bool:
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return False
    rising = list(values)
    return rising == sorted(rising) or rising == sorted(rising, reverse=True)
