"""Places in the SRAM buffers, as intervals of addresses: whoever has bytes on chip has them from here.

Feature maps that stay, whole or in part, take places of a buffer for some layers; the rings of a cascade are stacked in
a room beside them, its weights at an end of their buffer; and tiles on their way take places of what is left in turn.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from accelsim.units import ceil_div

ByteRange = tuple[int, int]
"""[low, high) of a buffer."""


class Place(NamedTuple):
    """A resident feature map in its place. rows: of its stripes, which lie in order; 0 where tiles are otherwise.

    number, last: of the layer that makes it and of the last that reads it.
    """

    low: int
    high: int
    number: int
    name: str
    last: int
    rows: int = 0


def size_of(piece: ByteRange) -> int:
    """Bytes of a piece."""
    return piece[1] - piece[0]


@lru_cache(maxsize=1 << 12)
def free(taken: tuple[Place, ...], capacity: int) -> tuple[ByteRange, ...]:
    """The pieces of a buffer beside these places."""
    pieces, low = list[ByteRange](), 0
    for place in sorted(taken):
        if place.low > low:
            pieces.append((low, place.low))
        low = place.high
    if low < capacity:
        pieces.append((low, capacity))
    return tuple(pieces) or ((0, 0),)


@lru_cache(maxsize=1 << 12)
def largest_free(taken: tuple[Place, ...], capacity: int) -> ByteRange:
    """The largest piece of a buffer beside these places."""
    return max(free(taken, capacity), key=size_of)


def address_in(
    pieces: Sequence[ByteRange], size: int, later: Sequence[ByteRange], wanted: int | None = None
) -> int | None:
    """An address for some bytes: the one that is wanted, or the end of a piece that leaves the largest one for others
    now, and of its ends the one that does so later; None where they do not fit.

    later: pieces that are free when what leaves before these bytes is gone.
    """
    fitting = [piece for piece in pieces if size_of(piece) >= size]
    if wanted is not None:
        return wanted if any(low <= wanted <= high - size for low, high in fitting) else None
    if not fitting:
        return None
    best = fitting[0]
    if len(fitting) > 1:
        sizes = sorted(map(size_of, pieces), reverse=True)
        best = max(fitting, key=lambda piece: _largest_beside(sizes, piece, size))
    return max((best[1] - size, best[0]), key=lambda low: _largest_around(later, low, low + size))


def _largest_around(pieces: Iterable[ByteRange], low: int, high: int) -> int:
    """Size of the largest piece when [low, high) is taken."""
    return max(max(min(end, low) - start, end - max(start, high)) for start, end in pieces)


def _largest_beside(sizes: Sequence[int], piece: ByteRange, size: int) -> int:
    """Size of the largest piece when some bytes take the end of one. sizes: of all pieces, the largest first."""
    own = size_of(piece)
    return max(own - size, sizes[1] if own == sizes[0] else sizes[0])


def overlaps(piece: ByteRange, taken: Iterable[Place]) -> bool:
    """True where a piece has bytes of a place."""
    return any(place.low < piece[1] and piece[0] < place.high for place in taken)


def stacked(low: int, sizes: Iterable[int]) -> Iterator[int]:
    """Addresses of places one behind the other."""
    for size in sizes:
        yield low
        low += size


@dataclass(slots=True)
class Arena:
    """Space of one buffer: places are taken in a circle, round what still stands.

    taken: (low, high) of the places taken, sorted; last: address of the slot that was taken last from a top; changes:
    places taken and given back so far.
    """

    capacity: int
    next: int = 0
    last: int = field(default=0, init=False)
    free: int = field(init=False)
    taken: list[tuple[int, int]] = field(default_factory=list, init=False)
    changes: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.free = self.capacity

    @property
    def state(self) -> tuple[int, int, int]:
        """All that the next place depends on."""
        return self.changes, self.next, self.last

    def take_slot(self, size: int, room: ByteRange, count: int) -> int | None:
        """The address of the next free slot of `size` bytes, from the bottom of a room up."""
        bottom, top = room
        slots = range(bottom, min(top, bottom + count * size) - size + 1, size)
        begin = max(0, self.next - bottom) // size % max(1, len(slots))
        low = self._slot(slots[begin:])
        if low is None:
            low = self._slot(slots[:begin])
        if low is not None and self.take_at(low, size):
            self.next = low + size
        return low

    def _slot(self, slots: range) -> int | None:
        """The first free one of slots that lie one behind the other."""
        if not slots:
            return None
        taken, low, size = self.taken, slots.start, slots.step
        number = bisect_left(taken, (low, 0))
        number -= bool(number) and taken[number - 1][1] > low
        while low < slots.stop:
            while number < len(taken) and taken[number][1] <= low and taken[number][0] < low:
                number += 1
            if number == len(taken) or taken[number][0] >= low + size:
                return low
            low += max(1, ceil_div(taken[number][1] - low, size)) * size
        return None

    def take_top(self, size: int, room: ByteRange, count: int) -> int | None:
        """The address of the next free slot of `size` bytes, from the top of a room down: of a number of them in turn,
        so that one is filled while another is stored, or of those below."""
        bottom, top = room
        slots = range(top - size, bottom - 1, -size)
        begin = (top - self.last) // size if bottom <= self.last < top else 0
        begin = begin if begin < count else 0
        for low in chain(slots[begin:count], slots[:begin], slots[count:]):
            if self.take_at(low, size):
                self.last = low
                return low
        return None

    def take(self, size: int, room: tuple[int, int] | None = None) -> int | None:
        """The address of `size` free bytes, the next ones if they are free, or None; in a room [low, high) if given."""
        if size > self.free:
            return None
        bottom, top = room or (0, self.capacity)
        begin = self.next if bottom <= self.next <= top else bottom
        low = self._gap(size, begin, top)
        if low is None and begin > bottom:
            low = self._gap(size, bottom, top)
        if low is not None:
            self._take(low, size)
            self.next = low + size
        return low

    def _gap(self, size: int, low: int, top: int) -> int | None:
        """The first free place from `low` up to `top`."""
        start = bisect_left(self.taken, (low, 0))
        if start and self.taken[start - 1][1] > low:
            low = self.taken[start - 1][1]
        for number in range(start, len(self.taken)):
            taken_low, taken_high = self.taken[number]
            if taken_low - low >= size or taken_low >= top:
                break
            low = taken_high
        return low if top - low >= size else None

    def take_at(self, low: int, size: int) -> bool:
        """Take this place, if it is free; those taken in a circle go on from where they were."""
        number = bisect_left(self.taken, (low, 0))
        before = number and self.taken[number - 1][1] > low
        if before or (number < len(self.taken) and self.taken[number][0] < low + size):
            return False
        self._take(low, size)
        return True

    def _take(self, low: int, size: int) -> None:
        insort(self.taken, (low, low + size))
        self.free -= size
        self.changes += 1

    def give(self, low: int, size: int) -> None:
        """Free a place."""
        del self.taken[bisect_left(self.taken, (low, low + size))]
        self.free += size
        self.changes += 1
