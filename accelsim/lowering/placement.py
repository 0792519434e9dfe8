"""The place of the channels of a feature map in a tensor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from accelsim.program.tensors import Range, Tensor

Channels = NDArray[np.int64]
"""Numbers of channels."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A feature map as (part of) a tensor: channel c of the map is channel `channels[c]` of the tensor."""

    tensor: Tensor
    channels: Channels

    def reads(self, start: int, stop: int) -> Range:
        """Channels [start, stop) of the map, for those who read it; they are neighbours in the tensor."""
        low = int(self.channels[start])
        return Range(low, low + stop - start)

    def writes(self, channels: Channels) -> tuple[Range, ...]:
        """These channels of the map as few ranges of channels of the tensor."""
        return progressions(tuple(np.sort(self.channels[channels]).tolist()))


@lru_cache(maxsize=1 << 12)
def progressions(values: tuple[int, ...]) -> tuple[Range, ...]:
    """Ascending numbers as ranges of constant step, greedily."""
    ranges = []
    position = 0
    while position < len(values):
        end = position + 1
        step = values[end] - values[position] if end < len(values) else 1
        while end < len(values) and values[end] - values[end - 1] == step:
            end += 1
        step = step if end - position > 1 else 1
        ranges.append(Range(values[position], values[end - 1] + 1, step))
        position = end
    return tuple(ranges)
