"""A sender of bursts to a DRAM: the next burst of a request, when it can enter a queue, what became of those before.

A requester keeps to its order: its next burst enters the queue of its channel and direction if that has room, else it
holds up all behind it. It sends at most one burst a clock to each channel.
"""

from __future__ import annotations

from collections.abc import Sequence

from accelsim.machine.memory.dram.kernel.queues import NEVER, NONE
from accelsim.machine.memory.integers import Numbers, numbers, scaled_down, scaled_up, zeros

BLOCK = 5
"""Numbers of a block: 1 for a write, byte address, rows, bytes of a row, bytes between rows."""
REQUESTS = 64
"""Requests under way that there is room for at first."""


class Requester:
    """Bursts in the order in which they are sent, made from blocks one at a time.

    offer: the first clock at which the next one can enter its queue; NEVER if there is none, no room for it, or
    `window` are in flight (0: however many). array_clocks and other_clocks: those of requester and DRAM in the same
    time; 0: it has no clock of its own.
    """

    __slots__ = (
        "age",
        "array_clocks",
        "bank",
        "block",
        "blocks",
        "burst",
        "burst_bytes",
        "bursts_left",
        "channel",
        "completed",
        "completed_issue",
        "cycle",
        "direction",
        "end_of",
        "free",
        "high",
        "high_bank",
        "high_channel",
        "high_local",
        "high_row",
        "issue_cycle",
        "issued",
        "issued_at",
        "issued_then",
        "last",
        "latest",
        "left",
        "local",
        "longest_delay",
        "low",
        "mask",
        "next",
        "number",
        "offer",
        "other_clocks",
        "parts",
        "per_clock",
        "quiet",
        "request_mask",
        "requests",
        "retired",
        "row",
        "row_bytes",
        "row_start",
        "rows_left",
        "sizes",
        "stride",
        "table",
        "unissued",
        "weights",
        "window",
    )  # fmt: skip

    def __init__(
        self, number: int, window: int, per_clock: int, ratio: tuple[int, int], channels: int, burst_bytes: int
    ) -> None:
        self.number, self.window, self.per_clock, self.burst_bytes = number, window, per_clock, burst_bytes
        self.array_clocks, self.other_clocks = ratio
        self.longest_delay = self.other_clocks // self.array_clocks + 1 if self.array_clocks else 0
        self.mask = (1 << (window - 1).bit_length()) - 1 if window else 0
        self.end_of = zeros(self.mask + 1)
        self.free = zeros(channels)
        self.offer, self.next, self.age, self.cycle, self.last = NEVER, 0, 0, 0, 0
        self.issue_cycle, self.issued_then, self.issued = NONE, 0, NONE
        self.quiet = False
        self.requests = self.completed = self.unissued = self.retired = 0
        self.request_mask = REQUESTS - 1
        self.left, self.latest, self.issued_at = zeros(REQUESTS), zeros(REQUESTS), zeros(REQUESTS)
        self.blocks, self.block = zeros(0), 0
        self.burst = self.bursts_left = self.rows_left = self.row_start = self.row_bytes = self.stride = 0
        self.direction = self.channel = self.bank = self.row = self.local = 0

    def map_by(self, table: Numbers, low: int, sizes: Numbers, weights: Numbers) -> None:
        """Map addresses as `AddressMap.table` says."""
        self.table, self.low, self.parts = numbers(table), low, len(sizes)
        self.sizes, self.weights = numbers(sizes), numbers(weights)
        self.high, self.high_channel, self.high_bank, self.high_row, self.high_local = 0, 0, 0, 0, 0

    def begin(self, blocks: Sequence[int], bursts: int, age: int, cycle: int) -> None:
        """Send the bursts of blocks from clock `cycle` of the requester on; `age` is that of the first."""
        self.blocks, self.block, self.rows_left, self.bursts_left = numbers(blocks), 0, 0, 0
        self.open(bursts, age, cycle)

    def send(self, address: int, size: int, age: int, cycle: int, quiet: bool) -> None:
        """Send the bursts that hold these bytes, as a write where `size` is negative; quiet: see `Lines`."""
        self.quiet = quiet
        self.direction = 1 if size < 0 else 0
        last = (address + (size if size > 0 else -size) - 1) // self.burst_bytes
        self.burst = address // self.burst_bytes - 1
        self.bursts_left, self.rows_left = last - self.burst, 0
        self.open(self.bursts_left, age, cycle)

    def open(self, bursts: int, age: int, cycle: int) -> None:
        """A request begins."""
        if self.requests - self.completed > self.request_mask:
            self.grow()
        at = self.requests & self.request_mask
        self.left[at], self.latest[at] = bursts, 0
        self.requests += 1
        self.unissued, self.age, self.cycle = bursts, age, cycle
        self.fetch()
        self.room(self.last)

    def grow(self) -> None:
        """Have room for twice as many requests under way."""
        old, self.request_mask = self.request_mask, 2 * self.request_mask + 1
        left, latest, issued_at = self.left, self.latest, self.issued_at
        self.left, self.latest, self.issued_at = zeros(old * 2 + 2), zeros(old * 2 + 2), zeros(old * 2 + 2)
        for request in range(self.completed, self.requests):
            at = request & self.request_mask
            self.left[at], self.latest[at] = left[request & old], latest[request & old]
            self.issued_at[at] = issued_at[request & old]

    # The next burst.

    def fetch(self) -> None:
        """Find the next burst of the request and where it lies."""
        if self.bursts_left:
            self.burst += 1
        else:
            if not self.rows_left:
                self.next_block()
            self.rows_left -= 1
            self.burst = self.row_start // self.burst_bytes
            last = self.row_start - self.burst * self.burst_bytes + self.row_bytes - 1
            self.bursts_left = 1 if last < self.burst_bytes else last // self.burst_bytes + 1
            self.row_start += self.stride
        self.bursts_left -= 1
        high = self.burst // self.low
        if high != self.high:
            self.find_high(high)
        at = 4 * (self.burst - high * self.low)
        self.channel, self.bank = self.high_channel + self.table[at], self.high_bank + self.table[at + 1]
        self.row, self.local = self.high_row + self.table[at + 2], self.high_local + self.table[at + 3]

    def next_block(self) -> None:
        at = self.block
        self.direction, self.row_start, self.rows_left = self.blocks[at], self.blocks[at + 1], self.blocks[at + 2]
        self.row_bytes, self.stride = self.blocks[at + 3], self.blocks[at + 4]
        self.block += BLOCK

    def find_high(self, high: int) -> None:
        """Find what the high parts of an address add to channel, bank, row and local number."""
        self.high = high
        self.high_channel = self.high_bank = self.high_row = self.high_local = 0
        for part in range(self.parts):
            value, size = high, self.sizes[part]
            high = 0
            if value >= size:
                value, high = value % size, value // size
            self.high_channel += value * self.weights[4 * part]
            self.high_bank += value * self.weights[4 * part + 1]
            self.high_row += value * self.weights[4 * part + 2]
            self.high_local += value * self.weights[4 * part + 3]

    # When it can enter.

    def room(self, clock: int) -> None:
        """There is room for the next burst from `clock` on."""
        offer = self.free[self.channel]
        if clock > offer:
            offer = clock
        if self.array_clocks:
            time = scaled_up(self.cycle, self.other_clocks, self.array_clocks)
            if time > offer:
                offer = time
        if self.window and self.next >= self.window:
            end = self.end_of[(self.next - self.window) & self.mask]
            if not end:
                offer = NEVER
            elif end + self.longest_delay > offer:
                end = scaled_up(end, self.array_clocks, self.other_clocks)
                time = scaled_up(end, self.other_clocks, self.array_clocks)
                if time > offer:
                    offer = time
        self.offer = offer

    def entered(self, clock: int) -> bool:
        """The next burst has entered its queue; returns whether it was the last of its request and that is told."""
        self.free[self.channel], self.last = clock + 1, clock
        self.next += 1
        self.age += 1
        self.unissued -= 1
        if self.array_clocks:
            self.count_issue(scaled_down(clock, self.array_clocks, self.other_clocks))
        if self.unissued:
            self.fetch()
            self.room(clock)
            return False
        self.offer = NEVER
        self.issued_at[(self.requests - 1) & self.request_mask] = self.issue_cycle + 1
        if self.quiet:
            return False
        self.issued = self.issue_cycle + 1
        return True

    def count_issue(self, cycle: int) -> None:
        """A burst was issued in a clock of the requester, which issues up to a limit in one."""
        if cycle != self.issue_cycle:
            self.issue_cycle, self.issued_then = cycle, 0
        self.issued_then += 1
        self.cycle = cycle + 1 if self.issued_then >= self.per_clock else cycle

    # What became of those before.

    def served(self, burst: int, request: int, end: int) -> bool:
        """The data of a burst ends at this clock; returns whether the oldest request under way is served by that."""
        self.end_of[burst & self.mask] = end
        at = request & self.request_mask
        self.left[at] -= 1
        if end > self.latest[at]:
            self.latest[at] = end
        return not self.left[at] and request == self.completed

    def complete(self) -> bool:
        """Retire the oldest request under way, if it was served: no earlier than those before it."""
        at = self.completed & self.request_mask
        if self.completed == self.requests or self.left[at]:
            return False
        time = scaled_up(self.latest[at], self.array_clocks, self.other_clocks) if self.array_clocks else 0
        if time > self.retired:
            self.retired = time
        self.completed_issue = self.issued_at[at]
        self.completed += 1
        return True
