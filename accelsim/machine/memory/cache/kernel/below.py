"""The memory below all caches: what is asked of it, and since when."""

from __future__ import annotations

from accelsim.machine.memory.cache.kernel.level import NEVER, NONE
from accelsim.machine.memory.dram.kernel.lines import Lines
from accelsim.machine.memory.integers import zeros
from accelsim.machine.memory.port import Block, Memory, Progress, Reads, Request

ROOM = 16
"""Numbers that a row has room for at first."""


class Through(Lines):
    """Any memory behind its port."""

    __slots__ = ("memory", "progress")

    def __init__(self, memory: Memory) -> None:
        super().__init__()
        self.memory = memory
        self.progress: list[Progress] = []

    def ask(self, requester: int, address: int, size: int, cycle: int, quiet: bool) -> bool:  # noqa: ARG002 (the contract's)
        """See `Lines`: all is told."""
        block = Block(address, 1, size if size > 0 else -size, 0)
        completion = self.memory.request(Request(requester, size < 0, (block,)), cycle)
        if completion is None:
            return False
        self.issued, self.done = completion.issued, completion.done
        return True

    def reach(self, cycle: int) -> bool:
        """See `Lines`."""
        self.progress = list(self.memory.advance(float("inf") if cycle == NEVER else cycle))
        return True

    def tells(self) -> bool:
        """See `Lines`."""
        if not self.progress:
            return False
        first = self.progress.pop(0)
        self.teller = first.requester
        self.issued = NONE if first.issued is None else first.issued
        self.done = NONE if first.completion is None else first.completion.done
        return True


class Queue:
    """Numbers in order, those of `width` belonging together; first, last: of the oldest, and behind the newest."""

    __slots__ = ("first", "last", "mask", "numbers", "width")

    def __init__(self, width: int) -> None:
        self.width, self.mask = width, ROOM - 1
        self.numbers = zeros(width * ROOM)
        self.first = self.last = 0

    def add(self) -> None:
        """Make a place behind all others."""
        if self.last - self.first > self.mask:
            self.grow()
        self.last += 1

    def place(self, number: int) -> int:
        """Index of the first of the numbers that were added as the `number`th, counted from 0."""
        return self.width * (number & self.mask)

    def grow(self) -> None:
        """Make room for twice as many."""
        old, mask = self.numbers, self.mask
        self.mask = 2 * mask + 1
        self.numbers = zeros(self.width * (self.mask + 1))
        for number in range(self.first, self.last):
            for at in range(self.width):
                self.numbers[self.width * (number & self.mask) + at] = old[self.width * (number & mask) + at]


class Below:
    """Requesters of lines at the memory below: of each miss in flight of the lowest cache one that reads its line, from
    `reader` on, and one that writes the line that leaves for it, from `writer` on; and one for what nobody waits for.

    asked: (miss, or NONE where nobody waits; address; bytes, negative of a write; clock) that is to be asked for.
    posts: (address, bytes, clock) of what nobody waits for. reads: clocks at which lines were asked for and came.
    """

    __slots__ = (
        "asked", "asked_at", "is_posting", "lines", "poster", "posts", "read_of", "reader", "reads", "under_way",
        "writer",
    )  # fmt: skip

    def __init__(self, lines: Lines, reader: int, misses: int) -> None:
        self.lines = lines
        self.reader, self.writer, self.poster = reader, reader + misses, reader + 2 * misses
        self.asked, self.posts, self.reads = Queue(4), Queue(3), Queue(2)
        self.read_of = zeros(misses)
        self.under_way, self.asked_at, self.is_posting = 0, 0, False

    def want(self, miss: int, address: int, size: int, clock: int) -> None:
        """Note what is to be asked for."""
        asked = self.asked
        asked.add()
        at = asked.place(asked.last - 1)
        asked.numbers[at], asked.numbers[at + 1] = miss, address
        asked.numbers[at + 2], asked.numbers[at + 3] = size, clock

    def ask(self, requester: int, address: int, size: int, clock: int) -> bool:
        """Ask for bytes; True where it is known when they come."""
        if self.lines.ask(requester, address, size, clock, requester != self.poster):
            return True
        self.under_way += 1
        return False

    def post(self, address: int, size: int) -> None:
        """Ask for what nobody waits for, behind all else of that."""
        posts = self.posts
        posts.add()
        at = posts.place(posts.last - 1)
        posts.numbers[at], posts.numbers[at + 1], posts.numbers[at + 2] = address, size, self.asked_at
        self.post_next(self.asked_at)

    def post_next(self, clock: int) -> None:
        """Hand on the next request that nobody waits for, if the one before was issued."""
        posts = self.posts
        while posts.first < posts.last and not self.is_posting:
            at = posts.place(posts.first)
            posts.first += 1
            cycle = clock if clock > posts.numbers[at + 2] else posts.numbers[at + 2]
            self.is_posting = not self.ask(self.poster, posts.numbers[at], posts.numbers[at + 1], cycle)

    def read(self, miss: int, address: int, size: int) -> bool:
        """Ask for the line of a miss; True where it is known when it comes."""
        self.reads.add()
        self.read_of[miss] = self.reads.last - 1
        at = self.reads.place(self.read_of[miss])
        self.reads.numbers[at], self.reads.numbers[at + 1] = self.asked_at, NEVER
        return self.ask(self.reader + miss, address, size, self.asked_at)

    def came(self, miss: int, end: int) -> None:
        """Note when the line of a miss came."""
        self.reads.numbers[self.reads.place(self.read_of[miss]) + 1] = end

    def forget(self, cycle: int) -> None:
        """Forget reads that ended until a clock."""
        reads = self.reads
        while reads.first < reads.last and reads.numbers[reads.place(reads.first) + 1] <= cycle:
            reads.first += 1

    def reads_within(self, begin: int, end: int) -> Reads:
        """Count the reads of clocks [begin, end), and the clocks in which there was one."""
        lines, clocks, reached = 0, 0, begin
        for number in range(self.reads.first, self.reads.last):
            at = self.reads.place(number)
            first, high = self.reads.numbers[at], self.reads.numbers[at + 1]
            high = high if high < end else end
            low = first if first > begin else begin
            if low < high:
                lines += 1
            low = first if first > reached else reached
            if low < high:
                clocks, reached = clocks + high - low, high
        return Reads(lines, clocks)


def lines_of(memory: Memory, own: object) -> Lines:
    """A memory as a cache sees it: its own kernel, where that can be called as this one does, else its port."""
    return own if isinstance(own, Lines) else Through(memory)
