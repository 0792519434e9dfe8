"""FR-FCFS: of the commands that are ready, the one for the oldest burst; row hits are protected.

Two queues, reads and writes, of which one is served at a time: writes from above a high watermark, or when no read
waits, until below a low watermark or none waits. A burst for which a row was opened leaves its queue and goes before
all others. A row is not closed while an older burst of the queue hits it, or before the burst for which it was opened.
"""

from __future__ import annotations

from accelsim.machine.memory.dram.kernel.banks import CLOSED, Banks
from accelsim.machine.memory.dram.policy import Policy
from accelsim.machine.memory.dram.timing import READ, WRITE
from accelsim.machine.memory.integers import Numbers, filled, numbers, zeros

NEVER = 1 << 62
NONE = -1
UNKNOWN = -1
"""A clock before any other: the choice has to be looked for."""


class Queues:
    """The queues of a channel and what its banks ask for.

    A burst has a place from its arrival until it was served, and a number in the order of arrival of its direction. The
    bursts of a bank and direction are a list, from `first` along `behind`. A bank asks for at most two commands: HIT
    for the oldest burst that hits its open row, and ACT or PRE for the oldest of all. The first choice of each kind
    (its clock, the number of its burst, its bank) is kept until something touches it. asked: set where a bank asks for
    something new. rests: both queues were empty when it was the turn of writes, so that reads may come without a turn.
    """

    __slots__ = (
        "act_bank", "act_banks", "act_clock", "act_number", "act_numbers", "acts", "age_of", "arrived", "asked",
        "asks_pre", "bank_of", "banks", "behind", "burst_of", "closes_idle_rows", "direction", "entries", "first",
        "hit", "hit_bank", "hit_banks", "hit_clock", "hit_number", "hits", "last", "local_of", "number_of", "opened",
        "opened_age", "opened_bank", "opened_clock", "opened_direction", "opened_for", "opens", "pre_bank", "pre_banks",
        "pre_clock", "pre_number", "pres", "read_below", "request_of", "requester_of", "rests", "row_of", "size",
        "vacancies", "vacant", "write_above",
    )  # fmt: skip

    def __init__(self, banks: Banks, policy: Policy) -> None:
        count, places = banks.count, 2 * policy.entries + banks.count
        self.banks = banks
        self.entries, self.write_above, self.read_below = policy.entries, policy.write_above, policy.read_below
        self.closes_idle_rows = policy.closes_idle_rows
        self.bank_of, self.row_of, self.local_of, self.behind = (
            zeros(places),
            zeros(places),
            zeros(places),
            zeros(places),
        )
        self.number_of, self.age_of = zeros(places), zeros(places)
        self.requester_of, self.burst_of, self.request_of = zeros(places), zeros(places), zeros(places)
        self.vacant, self.vacancies = numbers(range(places)), places
        self.arrived, self.size = zeros(2), zeros(2)
        self.first, self.last = filled(2 * count, NONE), zeros(2 * count)
        self.direction, self.asked, self.rests = READ, False, False
        self.hit, self.asks_pre, self.opened_for = filled(count, NONE), zeros(count), filled(count, NONE)
        self.opened_direction = zeros(count)
        self.hits = self.pres = self.acts = self.opens = 0
        self.hit_banks, self.pre_banks, self.opened = zeros(count), zeros(count), zeros(count)
        self.act_banks, self.act_numbers = zeros(count), zeros(count)
        self.forget()

    def forget(self) -> None:
        """Forget the first choices."""
        self.opened_clock = self.hit_clock = self.pre_clock = self.act_clock = UNKNOWN
        self.opened_age = self.hit_number = self.pre_number = self.act_number = NONE
        self.opened_bank = self.hit_bank = self.pre_bank = self.act_bank = NONE

    # What happens.

    def write_waits(self, bank: int, local: int) -> bool:
        """True where a write to this burst of a bank waits."""
        place = self.first[self.banks.count + bank]
        while place >= 0:
            if self.local_of[place] == local:
                return True
            place = self.behind[place]
        return False

    def arrive(self, direction: int, bank: int, row: int, local: int, age: int) -> int:
        """A burst enters its queue; returns its place."""
        self.vacancies -= 1
        place = self.vacant[self.vacancies]
        self.bank_of[place], self.row_of[place], self.local_of[place], self.age_of[place] = bank, row, local, age
        self.number_of[place], self.behind[place] = self.arrived[direction], NONE
        self.arrived[direction] += 1
        queue = direction * self.banks.count + bank
        alone = self.first[queue] < 0
        if alone:
            self.first[queue] = place
        else:
            self.behind[self.last[queue]] = place
        self.last[queue] = place
        self.size[direction] += 1
        if direction == self.direction and self.hit[bank] < 0:
            self.ask_on_arrival(bank, row, place, alone)
        return place

    def ask_on_arrival(self, bank: int, row: int, place: int, alone: bool) -> None:
        """Ask for what a burst needs that has entered the queue that is served, if no burst there hits an open row."""
        open_row = self.banks.open_row[bank]
        if open_row == CLOSED:
            if alone:
                self.ask_act(bank, place)
            return
        if alone and self.asks_pre[bank]:
            self.ask_no_pre(bank)
        if row == open_row:
            self.ask_hit(bank, place)
        elif alone and self.opened_for[bank] < 0:
            self.ask_pre(bank, self.number_of[place])

    def leave(self, bank: int, place: int) -> None:
        """A burst leaves the queue that is served."""
        queue = self.direction * self.banks.count + bank
        behind, found = self.behind[place], self.first[queue]
        if found == place:
            self.first[queue] = behind
        else:
            while self.behind[found] != place:
                found = self.behind[found]
            self.behind[found] = behind
            if behind < 0:
                self.last[queue] = found
        self.size[self.direction] -= 1

    def vacate(self, place: int) -> None:
        """A burst was served: its place is free."""
        self.vacant[self.vacancies] = place
        self.vacancies += 1

    def activated(self, bank: int) -> None:
        """The row of the bank's oldest burst was opened: the burst leaves its queue."""
        place = self.first[self.direction * self.banks.count + bank]
        self.leave(bank, place)
        self.ask_no_act(bank)
        self.opened[self.opens] = bank
        self.opens += 1
        self.opened_for[bank], self.opened_direction[bank] = place, self.direction
        if self.opened_clock >= self.banks.access_bank[self.direction * self.banks.count + bank]:
            self.opened_clock = UNKNOWN
        self.look_for_hit(bank)

    def precharged(self, bank: int) -> None:
        """A bank was closed."""
        self.ask_no_pre(bank)
        if self.hit[bank] >= 0:
            self.ask_no_hit(bank)
        place = self.first[self.direction * self.banks.count + bank]
        if place >= 0:
            self.ask_act(bank, place)

    def accessed(self, bank: int) -> int:
        """The oldest hit of a bank was served; returns its place."""
        place = self.hit[bank]
        self.leave(bank, place)
        self.hit_clock = self.opened_clock = UNKNOWN
        if self.pre_bank == bank:
            self.pre_clock = UNKNOWN
        first = self.first[self.direction * self.banks.count + bank]
        if first >= 0 and self.row_of[first] == self.banks.open_row[bank]:
            self.hit[bank] = first
            return place
        self.ask_no_hit(bank)
        if self.asks_pre[bank]:
            self.look_for_hit(bank)
        else:
            self.ask_open(bank)
        return place

    def accessed_opened(self, bank: int) -> int:
        """The burst for which a bank was opened was served; returns its place."""
        place = self.opened_for[bank]
        self.opened_for[bank] = NONE
        self.opens = dropped(self.opened, self.opens, bank)
        self.hit_clock = self.opened_clock = UNKNOWN
        first = self.first[self.direction * self.banks.count + bank]
        if self.hit[bank] < 0:
            self.ask_open(bank)
        elif self.hit[bank] != first:
            self.ask_pre(bank, self.number_of[first])
        return place

    # What banks ask for.

    def turn_is_due(self) -> bool:
        """True where it is the other queue's turn."""
        reads, writes = self.size[READ], self.size[WRITE]
        if self.rests:
            return reads > 0 or writes > 0
        if self.direction == READ:
            return writes > self.write_above or not reads
        return self.are_reads_due()

    def are_reads_due(self) -> bool:
        """True where it is the turn of reads behind that of writes."""
        writes = self.size[WRITE]
        return (writes < self.read_below or not writes) and self.size[READ] > 0

    def turn(self) -> None:
        """Serve the other queue from now on. Where both are empty, the one that comes first then says which."""
        if self.rests:
            self.rests = False
            if self.are_reads_due():
                return
        elif self.direction == READ and not self.size[WRITE] and not self.size[READ]:
            self.rests = True
            return
        self.direction = 1 - self.direction
        self.ask_anew()

    def ask_anew(self) -> None:
        """Find out from scratch what all banks ask for."""
        banks, base = self.banks, self.direction * self.banks.count
        for at in range(self.hits):
            self.hit[self.hit_banks[at]] = NONE
        for at in range(self.pres):
            self.asks_pre[self.pre_banks[at]] = 0
        self.forget()
        self.hits = self.pres = self.acts = 0
        if not self.size[self.direction] and not self.closes_idle_rows:
            return
        for bank in range(banks.count):
            if self.first[base + bank] < 0 and not self.closes_idle_rows:
                continue
            if banks.open_row[bank] != CLOSED:
                self.ask_open(bank)
            elif self.first[base + bank] >= 0:
                self.ask_act(bank, self.first[base + bank])

    def ask_open(self, bank: int) -> None:
        """Ask for what an open bank needs that asks for nothing yet."""
        self.look_for_hit(bank)
        if self.opened_for[bank] >= 0:
            return
        first = self.first[self.direction * self.banks.count + bank]
        if first >= 0:
            if self.hit[bank] != first:
                self.ask_pre(bank, self.number_of[first])
        elif self.closes_idle_rows and self.row_hit(1 - self.direction, bank) < 0:
            self.ask_pre(bank, NEVER)

    def row_hit(self, direction: int, bank: int) -> int:
        """The place of the oldest burst of a queue that hits the open row of a bank, NONE if none does."""
        place, row = self.first[direction * self.banks.count + bank], self.banks.open_row[bank]
        while place >= 0 and self.row_of[place] != row:
            place = self.behind[place]
        return place

    def look_for_hit(self, bank: int) -> None:
        """Ask for the oldest hit, if there is one."""
        place = self.row_hit(self.direction, bank)
        if place >= 0:
            self.ask_hit(bank, place)

    def ask_hit(self, bank: int, place: int) -> None:
        self.asked = True
        self.hit[bank] = place
        self.hit_banks[self.hits] = bank
        self.hits += 1
        self.hit_clock = UNKNOWN

    def ask_no_hit(self, bank: int) -> None:
        self.hit[bank] = NONE
        self.hits = dropped(self.hit_banks, self.hits, bank)
        self.hit_clock = UNKNOWN

    def ask_pre(self, bank: int, number: int) -> None:
        self.asked = True
        self.asks_pre[bank] = 1
        self.pre_banks[self.pres] = bank
        self.pres += 1
        time = self.banks.pre_bank[bank]
        if time < self.pre_clock or (time == self.pre_clock and number < self.pre_number):
            self.pre_clock = UNKNOWN

    def ask_no_pre(self, bank: int) -> None:
        self.asks_pre[bank] = 0
        self.pres = dropped(self.pre_banks, self.pres, bank)
        self.pre_clock = UNKNOWN

    def ask_act(self, bank: int, place: int) -> None:
        """Ask for ACT; those who do stand in the order of their bursts."""
        self.asked = True
        number, at = self.number_of[place], self.acts
        while at and self.act_numbers[at - 1] > number:
            self.act_banks[at], self.act_numbers[at] = self.act_banks[at - 1], self.act_numbers[at - 1]
            at -= 1
        self.act_banks[at], self.act_numbers[at] = bank, number
        self.acts += 1
        time = self.banks.act_bank[bank]
        if time < self.act_clock or (time == self.act_clock and number < self.act_number):
            self.act_clock = UNKNOWN

    def ask_no_act(self, bank: int) -> None:
        self.acts -= 1
        at = 0
        while self.act_banks[at] != bank:
            at += 1
        while at < self.acts:
            self.act_banks[at], self.act_numbers[at] = self.act_banks[at + 1], self.act_numbers[at + 1]
            at += 1
        self.act_clock = UNKNOWN

    # What comes next, from `clock` on; of several at the same time that for the oldest burst.

    def find_opened(self, clock: int) -> None:
        """Choose the first access to a row that was opened for it."""
        best, age, who = NEVER, NEVER, NONE
        for at in range(self.opens):
            bank = self.opened[at]
            time = self.banks.access_time(self.opened_direction[bank], bank)
            if clock > time:
                time = clock
            if time < best or (time == best and self.age_of[self.opened_for[bank]] < age):
                best, age, who = time, self.age_of[self.opened_for[bank]], bank
        self.opened_clock, self.opened_age, self.opened_bank = best, age, who

    def find_hit(self, clock: int) -> None:
        """Choose the first access to a row that is open."""
        banks, direction = self.banks, self.direction
        base, groups, ranks = direction * banks.count, direction * banks.groups, direction * banks.ranks
        best, number, who = NEVER, NEVER, NONE
        for at in range(self.hits):
            bank = self.hit_banks[at]
            time = banks.access_bank[base + bank]
            other = banks.access_group[groups + banks.group_of[bank]]
            if other > time:
                time = other
            other = banks.access_rank[ranks + banks.rank_of[bank]]
            if other > time:
                time = other
            if clock > time:
                time = clock
            if time < best or (time == best and self.number_of[self.hit[bank]] < number):
                best, number, who = time, self.number_of[self.hit[bank]], bank
        self.hit_clock, self.hit_number, self.hit_bank = best, number, who

    def find_pre(self, clock: int) -> None:
        """Choose the first PRE."""
        banks, base = self.banks, self.direction * self.banks.count
        best, number, who = NEVER, NEVER, NONE
        for at in range(self.pres):
            bank = self.pre_banks[at]
            time, other = banks.pre_bank[bank], banks.pre_rank[banks.rank_of[bank]]
            if other > time:
                time = other
            if clock > time:
                time = clock
            if time <= best:
                oldest = self.number_of[self.first[base + bank]] if self.first[base + bank] >= 0 else NEVER
                if time < best or oldest < number:
                    best, number, who = time, oldest, bank
        self.pre_clock, self.pre_number, self.pre_bank = best, number, who

    def find_act(self, clock: int) -> None:
        """Choose the first ACT."""
        banks = self.banks
        soonest = banks.act_rank[0]
        for rank in range(1, banks.ranks):
            if banks.act_rank[rank] < soonest:
                soonest = banks.act_rank[rank]
        if clock > soonest:
            soonest = clock
        best, number, who = NEVER, NEVER, NONE
        for at in range(self.acts):
            bank = self.act_banks[at]
            time = banks.act_bank[bank]
            other = banks.act_group[banks.group_of[bank]]
            if other > time:
                time = other
            other = banks.act_rank[banks.rank_of[bank]]
            if other > time:
                time = other
            if time <= soonest:
                best, number, who = soonest, self.act_numbers[at], bank
                break
            if time < best:
                best, number, who = time, self.act_numbers[at], bank
        self.act_clock, self.act_number, self.act_bank = best, number, who


def dropped(banks: Numbers, count: int, bank: int) -> int:
    """Take a bank out of a list of this length, which keeps its order; returns the new length."""
    at = 0
    while banks[at] != bank:
        at += 1
    count -= 1
    while at < count:
        banks[at] = banks[at + 1]
        at += 1
    return count
