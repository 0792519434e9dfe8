"""A sender of requests to a cache: the next request, when it can be sent, and what became of those before.

A transfer is cut into descriptors of at most `rows` rows and `row_bytes` bytes of each, and a row of a descriptor into
requests: each the aligned power of two of bytes that holds the most of what is left, of equal ones the smallest.
"""

from __future__ import annotations

from collections.abc import Sequence

from accelsim.machine.memory.cache.kernel.level import NEVER, NONE, UNKNOWN
from accelsim.machine.memory.integers import filled, numbers, zeros

BLOCK = 4
"""Numbers of a block: byte address, rows, bytes of a row, bytes between rows."""


class Requester:
    """Requests in the order in which they are sent, made from blocks one at a time.

    offer: the clock at which the next one can be sent, NEVER if there is none or that is not known. stuck: an answer of
    the memory below may let it be sent, or be sent earlier. window, descriptors: requests and descriptors in flight at
    most. free: places of requests whose ends are known, `known` from `first` on, in their order; the next one takes the
    first. part: that of its descriptor, of whichever was over first. landing: clocks for which the bytes of a read are
    on their way once its request has ended; landing_row: of a row of the buffer, which of a request's bytes are made,
    one a clock. held, late: clocks by which the current request holds its port longer than its bytes pass it, and by
    which the last row comes later than they, for that reason. cut_*: what was left of the row, and where, when the
    current request was cut. first_of, behind: the requests that wait for the same, for each thing. counts: what its
    requests met since they were last looked at. after: the requester added behind it.
    """

    __slots__ = (
        "address", "after", "after_of", "behind", "block", "blocks", "chunk", "completed", "completed_issue", "counts",
        "cut_aligned", "cut_taken", "cut_wanted", "cycle", "descriptors", "end_of", "first", "first_of", "floor_of",
        "free", "held", "in_clock", "issued", "issued_at", "known", "lag_of", "landing", "landing_row", "late",
        "latest", "least", "left", "load_row_bytes", "most", "number", "of_descriptor", "of_request", "offer",
        "open_descriptor", "part", "parts_latest", "parts_left", "per_clock", "request", "retired", "row", "row_bytes",
        "rows", "rows_left", "sending", "sent_at", "size", "store_block", "store_row_bytes", "stuck", "taken", "width",
        "window", "write",
    )  # fmt: skip

    def __init__(
        self,
        number: int,
        limits: tuple[int, int, int, int],
        sizes: tuple[int, int, int, int, int, int, int],
        kinds: int,
        tokens: int,
    ) -> None:
        self.number = number
        self.after: Requester | None = None
        self.window, self.descriptors, self.per_clock, self.landing = limits
        self.least, self.most, self.rows, self.load_row_bytes, self.store_row_bytes = sizes[:5]
        self.store_block, self.landing_row = sizes[5:]
        self.row_bytes = self.load_row_bytes
        self.counts = zeros(kinds)
        self.end_of, self.behind, self.first_of = zeros(self.window), zeros(self.window), filled(tokens, NONE)
        self.free, self.known = numbers(range(self.window)), self.window
        self.floor_of, self.lag_of = zeros(self.window), zeros(self.window)
        self.of_descriptor, self.of_request = zeros(self.window), zeros(self.window)
        self.after_of = zeros(self.window)
        self.parts_left, self.parts_latest = zeros(self.descriptors), zeros(self.descriptors)
        self.left, self.latest, self.issued_at = zeros(2), zeros(2), zeros(2)
        self.blocks = zeros(0)
        self.offer, self.issued, self.stuck, self.sending, self.open_descriptor = NEVER, NONE, False, False, False
        self.first = self.part = self.request = self.completed = self.completed_issue = self.retired = 0
        self.block = self.rows_left = self.row = self.chunk = self.address = self.size = self.taken = self.width = 0
        self.cycle = self.in_clock = self.sent_at = self.write = self.held = self.late = 0
        self.cut_wanted = self.cut_aligned = self.cut_taken = NONE

    def begin(self, blocks: Sequence[int], write: int, cycle: int) -> None:
        """Send the requests of blocks from clock `cycle` on."""
        if self.request - self.completed >= len(self.left):
            self.grow()
        at = self.request & (len(self.left) - 1)
        self.left[at], self.latest[at], self.issued_at[at] = 0, 0, NONE
        self.blocks, self.block, self.write = numbers(blocks), 0, write
        self.row_bytes = self.store_row_bytes if write else self.load_row_bytes
        if cycle > self.cycle:
            self.cycle, self.in_clock = cycle, 0
        self.row = self.chunk = self.taken = 0
        self.sending, self.cut_wanted = True, NONE
        self.open_group()
        self.plan()

    def grow(self) -> None:
        """Make room for twice as many transfers under way."""
        size = len(self.left)
        order = [number % size for number in range(self.completed, self.completed + size)]
        shift = self.completed % (2 * size)
        places = [(shift + number) % (2 * size) for number in range(size)]
        tables = [self.left, self.latest, self.issued_at]
        larger = [[0] * (2 * size) for _ in tables]
        for old, new in zip(tables, larger, strict=True):
            for source, place in zip(order, places, strict=True):
                new[place] = old[source]
        self.left, self.latest, self.issued_at = numbers(larger[0]), numbers(larger[1]), numbers(larger[2])

    # Which request is next.

    def open_group(self) -> None:
        """Begin a descriptor at the current rows and bytes of the current block."""
        at = self.block * BLOCK
        left = self.blocks[at + 1] - self.row
        self.rows_left = left if left < self.rows else self.rows
        left = self.blocks[at + 2] - self.chunk
        self.width = left if left < self.row_bytes else self.row_bytes
        self.taken = 0
        self.address = self.blocks[at] + self.row * self.blocks[at + 3] + self.chunk
        self.open_descriptor = True
        self.cut()

    def cut(self) -> None:
        """Find the request that holds the most of what is left of the row, unless the one before was like it."""
        begin = self.address + self.taken
        wanted, aligned = self.width - self.taken, begin & (self.most - 1)
        if wanted == self.cut_wanted and aligned == self.cut_aligned and self.taken == self.cut_taken:
            return
        self.cut_wanted, self.cut_aligned, self.cut_taken = wanted, aligned, self.taken
        size = best = self.least
        held = size - (begin & (size - 1))
        held = held if held < wanted else wanted
        while size < self.most and held < wanted:
            size *= 2
            more = size - (begin & (size - 1))
            more = more if more < wanted else wanted
            if more > held:
                best, held = size, more
        self.size = best
        if self.landing_row != NEVER and not self.write:
            self.land(begin & (best - 1), held)

    def land(self, shift: int, wanted: int) -> None:
        """Find when rows of the buffer are made of the current request, counted from the clock in which its first beat
        comes. Of its bytes, `wanted` behind the first `shift` are used.

        A beat comes each clock, and from the next one on a row is made of bytes that are there: of a whole row's, or of
        all. So the last row is made as many clocks after the bytes of any row as there are rows behind that; as each
        takes equally many bytes, those in the middle never count. The next request's first beat comes with the last
        row; where that is made before the last beat, behind that beat; where it is made with it, a clock later.
        """
        begun = self.taken % self.landing_row
        rows = (begun + wanted + self.landing_row - 1) // self.landing_row
        beats = self.size // self.least
        made = number = 0
        while number < rows:
            needed = (number + 1) * self.landing_row - (begun if number else 0)
            needed = needed if needed < wanted else wanted
            last = (shift + needed + self.least - 1) // self.least + rows - 1 - number
            made = made if made > last else last
            number = rows - 2 if number == 1 and rows > 4 else number + 1
        self.late = made - beats if made > beats else 0
        self.held = self.late + (1 if made == beats - 1 else 0)

    def step(self) -> None:
        """Go on to the request after the current one; not sending where that was the last."""
        begin = self.address + self.taken
        self.taken += self.size - (begin & (self.size - 1))
        if self.taken < self.width:
            self.cut()
            return
        if self.write and self.width > self.store_block:
            self.gather()
        self.rows_left -= 1
        at = self.block * BLOCK
        if self.rows_left:
            self.address += self.blocks[at + 3]
            self.taken = 0
            self.cut()
            return
        self.chunk += self.width
        if self.chunk >= self.blocks[at + 2]:
            self.chunk = 0
            self.row += self.rows
            if self.row >= self.blocks[at + 1]:
                self.row = 0
                self.block += 1
                if self.block * BLOCK >= len(self.blocks):
                    self.sending = False
                    return
        self.open_group()

    def gather(self) -> None:
        """Wait for the blocks of the next row of a store, one a clock behind what this row takes of the port."""
        blocks = (self.width + self.store_block - 1) // self.store_block
        there = self.sent_at + self.size // self.least + blocks - 1
        if there > self.cycle:
            self.cycle, self.in_clock = there, 0

    # When it is sent.

    def plan(self) -> None:
        """Find when the next request can be sent, or that it waits for an answer."""
        self.stuck = False
        if not self.sending:
            self.offer = NEVER
            return
        clock = self.cycle
        if self.known:
            end = self.end_of[self.free[self.first]]
            self.stuck = self.known < self.window and end > clock
            clock = end if end > clock else clock
        else:
            self.stuck, clock = True, NEVER
        if self.open_descriptor:
            end = self.free_part()
            clock = end if end > clock else clock
        self.offer = clock

    def free_part(self) -> int:
        """The clock at which a descriptor in flight is over, whichever is first, for the next one to take its `part`.

        Stuck where one whose end is not known may be before it.
        """
        first, at, unknown = NEVER, self.part, False
        for _ in range(self.descriptors):
            at = at + 1 if at + 1 < self.descriptors else 0
            if self.parts_left[at]:
                unknown = True
            elif self.parts_latest[at] < first:
                first, self.part = self.parts_latest[at], at
                if first <= self.cycle:
                    return first
        self.stuck = self.stuck or unknown
        return first

    def frees(self, place: int, end: int) -> None:
        """Put a request in flight among those whose ends are known, in their order."""
        at = self.first + self.known
        at = at - self.window if at >= self.window else at
        while at != self.first:
            before = at - 1 if at else self.window - 1
            other = self.free[before]
            if self.end_of[other] <= end:
                break
            self.free[at], at = other, before
        self.free[at] = place
        self.known += 1

    def sent(self, end: int, waits: int, floor: int, lag: int) -> None:
        """The request was sent at clock `offer`; it ends at `end`, or that is UNKNOWN and it `waits`."""
        place, part, transfer = self.free[self.first], self.part, self.request
        self.first = self.first + 1 if self.first + 1 < self.window else 0
        self.known -= 1
        if self.open_descriptor:
            self.parts_left[part] = self.parts_latest[part] = 0
            self.open_descriptor = False
        self.end_of[place] = end
        self.of_descriptor[place], self.of_request[place] = part, transfer
        self.after_of[place] = 0 if self.write else self.landing + self.late
        if end == UNKNOWN:
            self.floor_of[place], self.lag_of[place] = floor, lag
            self.behind[place], self.first_of[waits] = self.first_of[waits], place
            self.parts_left[part] += 1
            self.left[transfer & (len(self.left) - 1)] += 1
        else:
            self.frees(place, end)
            self.note(part, transfer, end + self.after_of[place])
        self.count_clock()
        self.step()
        if not self.sending:
            self.issued = self.issued_at[transfer & (len(self.left) - 1)] = self.sent_at + 1
            self.request += 1
        self.plan()

    def note(self, part: int, transfer: int, end: int) -> None:
        """A request of this descriptor and transfer is done with at this clock."""
        if end > self.parts_latest[part]:
            self.parts_latest[part] = end
        at = transfer & (len(self.left) - 1)
        if end > self.latest[at]:
            self.latest[at] = end

    def count_clock(self) -> None:
        """A request was sent at clock `offer`; up to a limit are sent in one clock."""
        if self.offer > self.cycle:
            self.cycle, self.in_clock = self.offer, 0
        self.sent_at = self.cycle
        self.in_clock += 1
        if self.in_clock >= self.per_clock:
            self.cycle, self.in_clock = self.cycle + 1, 0

    # What became of those before.

    def answered(self, token: int, end: int) -> None:
        """Note that something that requests wait for has come at this clock."""
        place, self.first_of[token] = self.first_of[token], NONE
        waited = place != NONE or self.offer == NEVER
        while place != NONE:
            late = end + self.lag_of[place]
            late = late if late > self.floor_of[place] else self.floor_of[place]
            self.end_of[place] = late
            self.frees(place, late)
            self.parts_left[self.of_descriptor[place]] -= 1
            self.left[self.of_request[place] & (len(self.left) - 1)] -= 1
            self.note(self.of_descriptor[place], self.of_request[place], late + self.after_of[place])
            place = self.behind[place]
        if self.stuck and waited:
            self.plan()

    def is_complete(self) -> bool:
        """True where all of the oldest transfer under way was sent and answered."""
        return self.completed != self.request and not self.left[self.completed & (len(self.left) - 1)]

    def complete(self) -> bool:
        """Retire the oldest transfer under way, if it is complete: no earlier than those before it."""
        if not self.is_complete():
            return False
        at = self.completed & (len(self.left) - 1)
        if self.latest[at] > self.retired:
            self.retired = self.latest[at]
        self.completed_issue = self.issued_at[at]
        self.completed += 1
        return True

    def take_counts(self) -> list[int]:
        """Hits and misses of its requests since they were last looked at."""
        found = list(self.counts)
        for place in range(len(found)):
            self.counts[place] = 0
        return found
