"""A cache: its lines, the clocks of its ports, and its misses in flight."""

from __future__ import annotations

from accelsim.machine.memory.integers import filled, zeros

NEVER = 1 << 62
NONE = -1
UNKNOWN = -1
"""The end of what waits for the memory below all caches."""
SEED, TAPS = 0xACE1, 0xB400
"""Of the shift register of 16 bits that picks the victims of random replacement."""


class Level:
    """A cache of `sets` x `ways` lines.

    tags: number of the line of each way, NONE if it is empty; used: when it was used last. free: clock from which a
    port takes the next request, that of reads and that of writes. miss_*: of each miss in flight its set and the clock
    of its end; while that is UNKNOWN, it is the greater of `floor` and `lag` after the end of miss `waits` of the
    lowest cache.
    """

    __slots__ = (
        "dirty",
        "fill_clocks",
        "free",
        "hit_clocks",
        "line_bytes",
        "lru",
        "miss_clocks",
        "miss_end",
        "miss_floor",
        "miss_lag",
        "miss_set",
        "miss_waits",
        "misses",
        "port_bytes",
        "random",
        "request_clocks",
        "separate_ports",
        "sets",
        "tags",
        "used",
        "uses",
        "ways",
        "writes_back",
    )  # fmt: skip

    def __init__(self, shape: tuple[int, int, int], clocks: tuple[int, int, int, int, int], misses: int) -> None:
        self.sets, self.ways, self.line_bytes = shape
        self.port_bytes, self.hit_clocks, self.request_clocks, self.fill_clocks, self.miss_clocks = clocks
        self.misses = misses
        self.lru, self.writes_back, self.separate_ports = False, True, False
        lines = self.sets * self.ways
        self.tags, self.dirty, self.used = filled(lines, NONE), zeros(lines), zeros(lines)
        self.free = zeros(2)
        self.miss_set, self.miss_waits = filled(misses, NONE), filled(misses, NONE)
        self.miss_end, self.miss_floor, self.miss_lag = zeros(misses), zeros(misses), zeros(misses)
        self.random, self.uses = SEED, 0

    def behave(self, lru: bool, writes_back: bool, separate_ports: bool) -> None:
        """Set what is replaced, where writes go, and whether they have a port of their own."""
        self.lru, self.writes_back, self.separate_ports = lru, writes_back, separate_ports

    # Lines.

    def find(self, line: int) -> int:
        """The place of a line, or NONE."""
        first = line % self.sets * self.ways
        for place in range(first, first + self.ways):
            if self.tags[place] == line:
                return place
        return NONE

    def victim(self, line: int) -> int:
        """The place that a line is to take: an empty one, or that of another line."""
        first = line % self.sets * self.ways
        oldest = first
        for place in range(first, first + self.ways):
            if self.tags[place] == NONE:
                return place
            if self.used[place] < self.used[oldest]:
                oldest = place
        if self.lru:
            return oldest
        odd = self.random & 1
        self.random >>= 1
        if odd:
            self.random ^= TAPS
        return first + self.random % self.ways

    def touch(self, place: int) -> None:
        """A line was used."""
        self.uses += 1
        self.used[place] = self.uses

    # Ports.

    def port(self, write: int) -> int:
        """The number of the port that a request takes."""
        return 1 if write and self.separate_ports else 0

    def beats(self, size: int) -> int:
        """Clocks that these bytes take on a port."""
        return (size + self.port_bytes - 1) // self.port_bytes

    def occupy(self, write: int, begin: int, size: int) -> None:
        """A request of these bytes begins."""
        clocks = self.beats(size)
        self.free[self.port(write)] = begin + (clocks if clocks > self.request_clocks else self.request_clocks)

    def look_up(self, write: int, begin: int, size: int) -> None:
        """A request of these bytes begins that misses: where the port says so, a read holds it without its data."""
        if write or self.miss_clocks == NONE:
            self.occupy(write, begin, size)
        else:
            self.free[self.port(write)] = begin + self.miss_clocks

    # Misses.

    def miss_of_set(self, line: int) -> int:
        """The last miss in flight of a line's set, or NONE."""
        wanted, found = line % self.sets, NONE
        for number in range(self.misses):
            if self.miss_set[number] == wanted:
                if self.miss_end[number] == UNKNOWN:
                    return number
                if found == NONE or self.miss_end[number] > self.miss_end[found]:
                    found = number
        return found

    def next_miss(self) -> int:
        """The miss whose place is free first, of those whose end is known, or NONE."""
        found = NONE
        for number in range(self.misses):
            if self.miss_end[number] != UNKNOWN and (found == NONE or self.miss_end[number] < self.miss_end[found]):
                found = number
        return found

    def answered(self, miss: int, end: int) -> None:
        """Miss number `miss` of the lowest cache ends at this clock."""
        for number in range(self.misses):
            if self.miss_end[number] == UNKNOWN and self.miss_waits[number] == miss:
                late = end + self.miss_lag[number]
                self.miss_end[number] = late if late > self.miss_floor[number] else self.miss_floor[number]
                self.miss_waits[number] = NONE
