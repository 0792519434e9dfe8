"""Where an address lies: channel, bank and row, by the words of `dram.address_mapping`.

Words go from high to low bits. Left out, `rank` and `pseudochannel` stand above `column`, and `channel` lowest.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.config.dram import CommandDevice

Numbers = npt.NDArray[np.int64]


class Places(NamedTuple):
    """Of each burst: channel, bank over all ranks of the channel, row, and number within the channel.

    `local` counts the bursts of a channel in address order: neighbours there are neighbours in the address mapping.
    """

    channel: Numbers
    bank: Numbers
    row: Numbers
    local: Numbers


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

    def places(self, addresses: Numbers) -> Places:
        """Where the bursts that hold these byte addresses lie."""
        rest = addresses // self.burst_bytes
        found: dict[str, Numbers] = {}
        nothing = local = np.zeros_like(rest)
        weight = 1
        for word, size in reversed(self.parts):
            if size == 1:
                found[word] = nothing
                continue
            rest, value = np.divmod(rest, size)
            found[word] = value
            if word != "channel":
                local = local + value * weight
                weight *= size
        sizes = dict(self.parts)
        bank = found["rank"]
        for word in ("pseudochannel", "bankgroup", "bank"):
            if sizes[word] > 1:
                bank = bank * sizes[word] + found[word]
        return Places(found["channel"], bank, found["row"], local)
