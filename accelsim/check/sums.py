"""Sums that wait until the last piece of their layer adds to them."""

from __future__ import annotations

from dataclasses import dataclass, field

from accelsim.check.arithmetic import Values
from accelsim.program.commands import Work
from accelsim.program.tensors import Range

SumKey = tuple[int, Range, Range, Range, Range]
"""Number of the layer; images, rows, columns and channels of its outputs."""


@dataclass(slots=True)
class WaitingSums:
    """Sums of outputs that are not whole."""

    waiting: dict[SumKey, Values] = field(default_factory=dict)

    def fault(self, layer: int, work: Work) -> str:
        """The reason why a piece can't add to the sums as they are; empty where it can."""
        begun = _key(layer, work) in self.waiting
        if not work.first and not begun:
            return "goes on with a sum that was not begun:"
        return "begins a sum a second time:" if work.first and begun else ""

    def added(self, layer: int, work: Work, values: Values) -> Values | None:
        """The sums once they are whole."""
        key = _key(layer, work)
        if not work.first:
            values = values + self.waiting.pop(key)
        if work.last:
            return values
        self.waiting[key] = values
        return None


def _key(layer: int, work: Work) -> SumKey:
    return layer, work.images, work.rows, work.cols, work.channels
