"""FR-FCFS: of the commands that are ready, the one for the oldest burst; row hits are protected.

Two queues, reads and writes, of which one is served at a time: writes from above a high watermark, or when no read
waits, until below a low watermark. A burst for which a row was opened leaves its queue and goes before all others. A
row is not closed while an older burst of the queue hits it, or before the burst for which it was opened.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import NamedTuple

from accelsim.config.dram import CommandDevice
from accelsim.machine.memory.dram.banks import CLOSED, Banks
from accelsim.machine.memory.dram.timing import READ

NEVER = 1 << 62
NONE = -1

ACT, PRE, HIT, OPENED, PRE_ALL, REFRESH, WAIT = range(7)
"""What can be next: HIT is a RD or WR of an open row, OPENED the one for which a row was opened."""

Choice = tuple[int, int, int, int]
"""(first clock at which it can be, number or age of the burst it is for, command, bank or rank)."""

NO_CHOICE: Choice = (NEVER, NEVER, WAIT, NONE)
UNKNOWN: Choice = (NONE, NONE, WAIT, NONE)
"""Before any clock, so it will be looked for."""

_BANK_BITS = 10
_BANK = (1 << _BANK_BITS) - 1


class Policy(NamedTuple):
    """Entries of each queue; writes are served from above `write_above` until below `read_below` of them.

    closes_idle_rows: a row that no burst waits for is closed, when nothing older is to be done.
    """

    entries: int
    write_above: float
    read_below: float
    closes_idle_rows: bool

    @classmethod
    def of(cls, device: CommandDevice) -> Policy:
        """The policy of a device."""
        queues = device.scheduler
        above, below = queues.write_high * queues.queue_entries, queues.write_low * queues.queue_entries
        return cls(queues.queue_entries, above, below, device.page_policy == "closed")


class FrFcfs:
    """The queues of a channel and what its banks ask for.

    Bursts are numbered in each direction in the order in which they arrive; bank, row and age (over both directions) by
    number are written by who sends them. A bank asks for at most two commands: HIT for the oldest burst that hits its
    open row, and ACT or PRE for the oldest of all. The first choice of each kind is kept until something touches it.
    asked: set where a bank asks for something new.
    """

    def __init__(self, banks: Banks, policy: Policy) -> None:
        self.banks = banks
        self.policy = policy
        self.entries, self.write_above, self.read_below = policy.entries, policy.write_above, policy.read_below
        count = len(banks.open_row)
        self.bank_of: tuple[list[int], list[int]] = ([], [])
        self.row_of: tuple[list[int], list[int]] = ([], [])
        self.age_of: tuple[list[int], list[int]] = ([], [])
        self.waiting: tuple[list[list[int]], ...] = ([[] for _ in range(count)], [[] for _ in range(count)])
        self.size = [0, 0]
        self.direction = READ
        self.hit = [NONE] * count
        self.hit_banks: list[int] = []
        self.pre_banks: list[int] = []
        self.act_queue: list[int] = []
        self.opened: list[int] = []
        self.opened_for: list[tuple[int, int, int]] = [(NONE, READ, NONE)] * count
        self.asked = False
        self.forget()

    def forget(self) -> None:
        """Forget the first choices."""
        self.next_opened = self.next_hit = self.next_pre = self.next_act = UNKNOWN

    # What happens.

    def arrive(self, direction: int, number: int) -> None:
        """A burst enters its queue."""
        bank = self.bank_of[direction][number]
        queue = self.waiting[direction][bank]
        queue.append(number)
        self.size[direction] += 1
        if direction != self.direction:
            return
        row = self.banks.open_row[bank]
        if row == CLOSED:
            if len(queue) == 1:
                self._ask_act(bank, number)
        elif self.hit[bank] < 0:
            if len(queue) == 1 and bank in self.pre_banks:
                self.pre_banks.remove(bank)
                self.next_pre = UNKNOWN
            if self.row_of[direction][number] == row:
                self._ask_hit(bank, number)
            elif len(queue) == 1 and bank not in self.opened:
                self._ask_pre(bank, number)

    def activated(self, bank: int) -> None:
        """The row of the bank's oldest burst was opened: the burst leaves its queue."""
        direction = self.direction
        queue = self.waiting[direction][bank]
        number = queue.pop(0)
        self.size[direction] -= 1
        del self.act_queue[bisect_left(self.act_queue, number << _BANK_BITS)]
        self.next_act = UNKNOWN
        self.opened.append(bank)
        self.opened_for[bank] = (self.age_of[direction][number], direction, number)
        if self.next_opened[0] >= self.banks.access_bank[direction][bank]:
            self.next_opened = UNKNOWN
        if queue:
            self._look_for_hit(bank, queue)

    def precharged(self, bank: int) -> None:
        """A bank was closed."""
        self.pre_banks.remove(bank)
        self.next_pre = UNKNOWN
        if self.hit[bank] >= 0:
            self.hit_banks.remove(bank)
            self.hit[bank] = NONE
            self.next_hit = UNKNOWN
        queue = self.waiting[self.direction][bank]
        if queue:
            self._ask_act(bank, queue[0])

    def accessed(self, bank: int) -> int:
        """The oldest hit of a bank was served; returns its number."""
        direction = self.direction
        number = self.hit[bank]
        queue = self.waiting[direction][bank]
        queue.remove(number)
        self.size[direction] -= 1
        self.next_hit = self.next_opened = UNKNOWN
        if self.next_pre[3] == bank:
            self.next_pre = UNKNOWN
        if queue and self.row_of[direction][queue[0]] == self.banks.open_row[bank]:
            self.hit[bank] = queue[0]
            return number
        self.hit[bank] = NONE
        self.hit_banks.remove(bank)
        if bank in self.pre_banks:
            self._look_for_hit(bank, queue)
        else:
            self._ask_open(bank, queue)
        return number

    def accessed_opened(self, bank: int) -> tuple[int, int]:
        """The burst for which a bank was opened was served; returns its direction and number."""
        self.opened.remove(bank)
        self.next_hit = self.next_opened = UNKNOWN
        if self.hit[bank] < 0:
            self._ask_open(bank, self.waiting[self.direction][bank])
        elif self.hit[bank] != self.waiting[self.direction][bank][0]:
            self._ask_pre(bank, self.waiting[self.direction][bank][0])
        return self.opened_for[bank][1:]

    def turn_is_due(self) -> bool:
        """Whether it is the other queue's turn."""
        reads, writes = self.size
        if self.direction == READ:
            return writes > self.write_above or not reads
        return writes < self.read_below and reads > 0

    def turn(self) -> None:
        """Serve the other queue from now on."""
        self.direction = 1 - self.direction
        self.ask_anew()

    def ask_anew(self) -> None:
        """Find out from scratch what all banks ask for."""
        self.forget()
        self.hit_banks.clear()
        self.pre_banks.clear()
        self.act_queue.clear()
        for bank, queue in enumerate(self.waiting[self.direction]):
            self.hit[bank] = NONE
            if self.banks.open_row[bank] != CLOSED:
                self._ask_open(bank, queue)
            elif queue:
                self._ask_act(bank, queue[0])

    def _ask_open(self, bank: int, queue: list[int]) -> None:
        """Ask for what an open bank needs that asks for nothing yet."""
        if queue:
            self._look_for_hit(bank, queue)
        if bank in self.opened:
            return
        if queue:
            if self.hit[bank] != queue[0]:
                self._ask_pre(bank, queue[0])
        elif self.policy.closes_idle_rows and not self._waits_elsewhere(bank):
            self._ask_pre(bank, NEVER)

    def _waits_elsewhere(self, bank: int) -> bool:
        """Whether the queue that is not served hits the open row."""
        other = 1 - self.direction
        rows, row = self.row_of[other], self.banks.open_row[bank]
        return any(rows[number] == row for number in self.waiting[other][bank])

    def _look_for_hit(self, bank: int, queue: list[int]) -> None:
        rows, row = self.row_of[self.direction], self.banks.open_row[bank]
        for number in queue:
            if rows[number] == row:
                self._ask_hit(bank, number)
                return

    def _ask_hit(self, bank: int, number: int) -> None:
        self.asked = True
        self.hit[bank] = number
        self.hit_banks.append(bank)
        self.next_hit = UNKNOWN

    def _ask_pre(self, bank: int, number: int) -> None:
        self.asked = True
        self.pre_banks.append(bank)
        first = self.next_pre
        time = self.banks.pre_bank[bank]
        if time < first[0] or (time == first[0] and number < first[1]):
            self.next_pre = UNKNOWN

    def _ask_act(self, bank: int, number: int) -> None:
        self.asked = True
        insort(self.act_queue, number << _BANK_BITS | bank)
        first = self.next_act
        time = self.banks.act_bank[bank]
        if time < first[0] or (time == first[0] and number < first[1]):
            self.next_act = UNKNOWN

    # What comes next, from `clock` on; of several at the same time that for the oldest burst.

    def first_opened(self, clock: int) -> Choice:
        """The first access to a row that was opened for it."""
        banks = self.banks
        best, age, who = NEVER, NEVER, NONE
        for bank in self.opened:
            burst_age, direction, _ = self.opened_for[bank]
            time = banks.access_bank[direction][bank]
            other = banks.access_group[direction][banks.group_of[bank]]
            if other > time:
                time = other
            other = banks.access_rank[direction][banks.rank_of[bank]]
            if other > time:
                time = other
            if clock > time:
                time = clock
            if time < best or (time == best and burst_age < age):
                best, age, who = time, burst_age, bank
        first = self.next_opened = (best, age, OPENED, who)
        return first

    def first_hit(self, clock: int) -> Choice:
        """The first access to a row that is open."""
        banks, direction, hits = self.banks, self.direction, self.hit
        access_bank, access_group = banks.access_bank[direction], banks.access_group[direction]
        access_rank, group_of, rank_of = banks.access_rank[direction], banks.group_of, banks.rank_of
        best, number, who = NEVER, NEVER, NONE
        for bank in self.hit_banks:
            time = access_bank[bank]
            other = access_group[group_of[bank]]
            if other > time:
                time = other
            other = access_rank[rank_of[bank]]
            if other > time:
                time = other
            if clock > time:
                time = clock
            if time < best or (time == best and hits[bank] < number):
                best, number, who = time, hits[bank], bank
        first = self.next_hit = (best, number, HIT, who)
        return first

    def first_pre(self, clock: int) -> Choice:
        """The first PRE."""
        banks, waiting = self.banks, self.waiting[self.direction]
        pre_bank, pre_rank, rank_of = banks.pre_bank, banks.pre_rank, banks.rank_of
        best, number, who = NEVER, NEVER, NONE
        for bank in self.pre_banks:
            time = pre_bank[bank]
            other = pre_rank[rank_of[bank]]
            if other > time:
                time = other
            if clock > time:
                time = clock
            if time <= best:
                oldest = waiting[bank][0] if waiting[bank] else NEVER
                if time < best or oldest < number:
                    best, number, who = time, oldest, bank
        first = self.next_pre = (best, number, PRE, who)
        return first

    def first_act(self, clock: int) -> Choice:
        """The first ACT."""
        banks = self.banks
        act_bank, act_group, act_rank = banks.act_bank, banks.act_group, banks.act_rank
        group_of, rank_of = banks.group_of, banks.rank_of
        soonest = act_rank[0] if len(act_rank) == 1 else min(act_rank)
        if clock > soonest:
            soonest = clock
        best, best_key = NEVER, NONE
        for key in self.act_queue:
            bank = key & _BANK
            time = act_bank[bank]
            other = act_group[group_of[bank]]
            if other > time:
                time = other
            other = act_rank[rank_of[bank]]
            if other > time:
                time = other
            if time <= soonest:
                best, best_key = soonest, key
                break
            if time < best:
                best, best_key = time, key
        first = self.next_act = (best, best_key >> _BANK_BITS, ACT, best_key & _BANK)
        return first
