"""The place of the channels of a feature map in a tensor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import gcd
from typing import NamedTuple

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
        return ranges_of(self.channels[channels])


class Beyond(NamedTuple):
    """Bytes of a pixel that whole bursts have beyond the channels that are loaded, of a shortcut too, and stored."""

    loaded: float
    shortcut: float
    stored: float


def whole_burst_bytes(moved: Channels, bits: int, channels: int, burst_bytes: int) -> float:
    """Bytes of the bursts in which some channels of a pixel lie, on average over the pixels of a tensor.

    moved: these channels, in ascending order; neighbours share bursts. bits: of an element; channels: of the tensor,
    which begins with a burst.
    """
    burst, pixel = 8 * burst_bytes, channels * bits
    apart = np.flatnonzero(np.diff(moved) != 1)
    starts, stops = (moved[np.append(-1, apart) + 1], moved[np.append(apart, -1)] + 1)
    pixels = np.arange(burst // gcd(pixel, burst))[:, np.newaxis] * pixel
    bursts = -(-(pixels + stops * bits) // burst) - (pixels + starts * bits) // burst
    return float(bursts.sum()) * burst_bytes / len(pixels)


def ranges_of(channels: Channels) -> tuple[Range, ...]:
    """Channels as few ranges."""
    ordered = np.sort(channels).tolist()
    if ordered and ordered[-1] - ordered[0] + 1 == len(ordered):
        return (Range(ordered[0], ordered[-1] + 1),)
    return progressions(tuple(ordered))


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
