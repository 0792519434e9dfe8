"""A cache: its lines, the clocks of its ports, and its misses in flight."""

from __future__ import annotations

from accelsim.machine.memory.integers import filled, zeros

NEVER = 1 << 62
NONE = -1
UNKNOWN = -1
"""The end of what waits for the memory below all caches."""
SEED, TAPS = 0xACE1, 0xB400
"""Seed and taps of the shift register of 16 bits that picks the victims of random replacement."""


class Level:
    """A cache of `sets` x `ways` lines.

    tags: number of the line of each way, NONE if it is empty; used: when it was used last. free: clock from which a
    port takes the next request, that of reads and that of writes. miss_*: of each miss in flight its set and the clock
    of its end, when its line has come and the line that left for it is below; while that is UNKNOWN, it is the greater
    of `floor` and `lag` after what it `waits` for. fill, back: of the lowest cache, when its line comes and when the
    memory below has the other one. first_of, behind: the misses that wait for the same, for each thing.
    other: the miss in flight of the set that is meant which ends last, or NONE; vacant: that of any set whose place is
    free first, of those whose end is known, or NONE.
    number, below: its place among the caches, and the one below it.
    """

    __slots__ = (
        "any_way",
        "below",
        "dirty",
        "fill_clocks",
        "first_of",
        "free",
        "hit_clocks",
        "line_bits",
        "line_bytes",
        "lru",
        "miss_back",
        "miss_behind",
        "miss_clocks",
        "miss_end",
        "miss_fill",
        "miss_floor",
        "miss_lag",
        "miss_set",
        "miss_waits",
        "misses",
        "number",
        "of_set",
        "other",
        "port_bits",
        "port_bytes",
        "random",
        "request_clocks",
        "separate_ports",
        "sets",
        "stalls",
        "tags",
        "used",
        "uses",
        "vacant",
        "ways",
        "writes_back",
    )  # fmt: skip

    def __init__(self, shape: tuple[int, int, int], clocks: tuple[int, int, int, int, int], misses: int) -> None:
        self.sets, self.ways, self.line_bytes = shape
        self.port_bytes, self.hit_clocks, self.request_clocks, self.fill_clocks, self.miss_clocks = clocks
        self.misses = misses
        self.lru, self.any_way = False, False
        self.writes_back, self.separate_ports, self.stalls = True, False, False
        lines = self.sets * self.ways
        self.tags, self.dirty, self.used = filled(lines, NONE), bytearray(lines), zeros(lines)
        self.free = zeros(2)
        self.miss_set, self.miss_waits = filled(misses, NONE), filled(misses, NONE)
        self.miss_end, self.miss_floor, self.miss_lag = zeros(misses), zeros(misses), zeros(misses)
        self.miss_fill, self.miss_back = zeros(misses), zeros(misses)
        self.miss_behind, self.first_of = zeros(misses), filled(2 * misses, NONE)
        self.other, self.vacant, self.of_set = NONE, NONE, 0
        self.number = 0
        self.below: Level | None = None
        self.line_bits, self.port_bits = self.line_bytes.bit_length() - 1, self.port_bytes.bit_length() - 1
        self.random, self.uses = SEED, 0

    def replaces(self, lru: bool, any_way: bool) -> None:
        """Set whether the line that was used least lately leaves, else any at random; of all ways, or of full sets."""
        self.lru, self.any_way = lru, any_way

    def link(self, number: int, below: Level | None, misses: int) -> None:
        """Set its place among the caches, the one below it, and how many misses in flight the lowest one has, for what
        misses here can wait for."""
        self.number, self.below, self.first_of = number, below, filled(2 * misses, NONE)

    def behave(self, writes_back: bool, separate_ports: bool, stalls: bool) -> None:
        """Set where writes go, whether they have a port of their own, and whether a request that waits for a miss of
        its set holds up those behind it."""
        self.writes_back, self.separate_ports, self.stalls = writes_back, separate_ports, stalls

    # Lines.

    def turn_to(self, line: int) -> None:
        """Note the set of a line, which is meant from now on, and its misses in flight; one without an end is last."""
        of_set = line % self.sets
        self.of_set = of_set
        other, latest, vacant, first = NONE, -1, NONE, NEVER
        for number in range(self.misses):
            end = self.miss_end[number]
            if end == UNKNOWN:
                end = NEVER
            elif end < first:
                vacant, first = number, end
            if self.miss_set[number] == of_set and end > latest:
                other, latest = number, end
        self.other, self.vacant = other, vacant

    def find(self, line: int) -> int:
        """The place of a line in its set, or NONE."""
        first = self.of_set * self.ways
        for place in range(first, first + self.ways):
            if self.tags[place] == line:
                return place
        return NONE

    def victim(self) -> int:
        """The place that a line is to take: an empty one, or that of another line; where any way is taken, either."""
        first = self.of_set * self.ways
        if not self.any_way:
            for place in range(first, first + self.ways):
                if self.tags[place] == NONE:
                    return place
            if self.lru:
                return self.oldest(first)
        odd = self.random & 1
        self.random >>= 1
        if odd:
            self.random ^= TAPS
        return first + self.random % self.ways

    def oldest(self, first: int) -> int:
        """The place of the line that was used longest ago, of the set that begins here."""
        oldest = first
        for place in range(first, first + self.ways):
            if self.used[place] < self.used[oldest]:
                oldest = place
        return oldest

    def touch(self, place: int) -> None:
        """A line was used."""
        if self.lru:
            self.uses += 1
            self.used[place] = self.uses

    # Ports.

    def port(self, write: int) -> int:
        """The number of the port that a request takes."""
        return 1 if write and self.separate_ports else 0

    def beats(self, size: int) -> int:
        """Clocks that these bytes take on a port."""
        return (size + self.port_bytes - 1) >> self.port_bits

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

    def hold(self, clock: int) -> None:
        """Take no request before this clock."""
        for port in range(2):
            if self.free[port] < clock:
                self.free[port] = clock

    # Misses.

    def admits(self, begin: int) -> int:
        """The clock, `begin` or later, at which a request to the set that is meant enters, or UNKNOWN.

        It takes the place of a miss while it is looked up, but where a miss of its set is under way: it then waits for
        that one, in the cache or, where it stalls, before it.
        """
        other = self.other
        if other != NONE and (self.miss_end[other] == UNKNOWN or self.miss_end[other] > begin):
            return self.miss_end[other] if self.stalls else begin
        if self.vacant == NONE:
            return UNKNOWN
        return self.miss_end[self.vacant] if self.miss_end[self.vacant] > begin else begin

    def wait(self, miss: int) -> None:
        """Put a miss among those that wait for the same."""
        token = self.miss_waits[miss]
        self.miss_behind[miss], self.first_of[token] = self.first_of[token], miss

    def answered(self, token: int, end: int) -> None:
        """Note that something that misses wait for has come at this clock."""
        number, self.first_of[token] = self.first_of[token], NONE
        while number != NONE:
            late = end + self.miss_lag[number]
            self.miss_end[number] = late if late > self.miss_floor[number] else self.miss_floor[number]
            self.miss_waits[number] = NONE
            number = self.miss_behind[number]

    # Of the lowest cache: who waits for the line of a miss waits for its number, who waits for its end for `ends`.

    def ends(self, miss: int) -> int:
        """Stand-in for the end of a miss, where its number stands for its line."""
        return self.misses + miss

    def end_of(self, miss: int) -> int:
        """The end of a miss of the lowest cache, or UNKNOWN."""
        fill, back = self.miss_fill[miss], self.miss_back[miss]
        if fill == UNKNOWN or back == UNKNOWN:
            return UNKNOWN
        return fill if fill > back else back
