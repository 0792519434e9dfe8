"""Channel, bank and row of an address, by the words of `dram.address_mapping`.

Words go from high to low bits. Left out, `rank` and `pseudochannel` stand above `column`, and `channel` lowest.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from math import prod
from operator import mul
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.config.dram import CommandDevice

Integers = npt.NDArray[np.int64]

_BANK_WORDS = ("bank", "bankgroup", "pseudochannel", "rank")
"""Words that make up the number of a bank, from low to high."""
_TABLE_BURSTS = 512


class Places(NamedTuple):
    """Places of bursts: channel, bank over all ranks of the channel, row, and number within the channel.

    `local` counts the bursts of a channel in address order: neighbours there are neighbours in the address mapping.
    """

    channel: Integers
    bank: Integers
    row: Integers
    local: Integers


class Weights(NamedTuple):
    """Weight of a part of an address in each number of `Places`."""

    channel: int
    bank: int
    row: int
    local: int


class AddressTable(NamedTuple):
    """An address mapping as a table and what is above it.

    table: the numbers of `Places` of each of the `low` first bursts, one burst after another; sizes, weights: of the
    parts above, from low to high.
    """

    table: list[int]
    low: int
    sizes: list[int]
    weights: list[int]


@dataclass(frozen=True, slots=True)
class AddressMap:
    """(word, size) of each part of an address in bursts, from high to low; addresses past the last row wrap around."""

    parts: tuple[tuple[str, int], ...]
    burst_bytes: int

    @classmethod
    def of(cls, device: CommandDevice) -> AddressMap:
        """The mapping of a device."""
        organisation = device.organisation
        sizes = {
            "row": organisation.rows,
            "bank": organisation.banks_per_group,
            "bankgroup": organisation.bank_groups,
            "column": organisation.columns // organisation.burst_length,
            "rank": organisation.ranks,
            "pseudochannel": organisation.pseudo_channels,
            "channel": organisation.channels,
        }
        words = device.address_mapping.split(":")
        for word in ("rank", "pseudochannel"):
            if word not in words:
                words.insert(words.index("column"), word)
        for word in ("bankgroup", "channel"):
            if word not in words:
                words.append(word)
        return cls(tuple((word, sizes[word]) for word in words), device.burst_bytes)

    @property
    def size(self) -> int:
        """Bursts in all."""
        return prod(size for _, size in self.parts)

    @property
    def weights(self) -> list[Weights]:
        """Weights of each part in channel, bank, row and local number."""
        sizes, found, local = dict(self.parts), list[Weights](), 1
        for word, size in reversed(self.parts):
            bank = prod(sizes[lower] for lower in _BANK_WORDS[: _BANK_WORDS.index(word)]) if word in _BANK_WORDS else 0
            found.append(Weights(int(word == "channel"), bank, int(word == "row"), 0 if word == "channel" else local))
            local *= 1 if word == "channel" else size
        return found[::-1]

    def places(self, addresses: Integers) -> Places:
        """The places of the bursts that hold these byte addresses."""
        rest = addresses // self.burst_bytes
        found = [np.zeros_like(rest) for _ in Places._fields]
        for (_, size), weights in zip(reversed(self.parts), reversed(self.weights), strict=True):
            rest, value = np.divmod(rest, size)
            for total, weight in zip(found, weights, strict=True):
                total += value * weight
        return Places(*found)

    def table(self) -> AddressTable:
        """The low parts looked up together, as many as there are in a table of some thousand bursts."""
        spans = list(accumulate((size for _, size in reversed(self.parts)), mul))
        count = sum(span <= _TABLE_BURSTS for span in spans)
        low = spans[count - 1] if count else 1
        high = list(zip(self.parts, self.weights, strict=True))[::-1][count:]
        rows = np.stack(self.places(np.arange(low) * self.burst_bytes), axis=1)
        return AddressTable(
            rows.ravel().tolist(),
            low,
            [size for (_, size), _ in high],
            [weight for _, weights in high for weight in weights],
        )
