"""A DRAM channel: does what its queues ask for, one command at a time, and refreshes."""

from __future__ import annotations

from accelsim.machine.memory.dram.kernel.banks import Banks
from accelsim.machine.memory.dram.kernel.queues import NEVER, NONE, Queues
from accelsim.machine.memory.dram.policy import Policy
from accelsim.machine.memory.dram.timing import READ, WRITE, Timing
from accelsim.machine.memory.integers import numbers, zeros

ACT, PRE, HIT, OPENED, PRE_ALL, REFRESH, WAIT = range(7)
"""Next steps that there can be: HIT is a RD or WR of an open row, OPENED the one for which a row was opened."""
MOST_DUE = 8
"""Refreshes of a rank that may be put off (JESD79-4 section 4.26)."""
PATIENCE = 1 << 12
"""Commands without a RD or WR, apart from those that banks need, after which a channel is stuck."""


class Channel:
    """Banks, queues and command buses.

    `choose` returns the clock of the next command, and keeps what it is and its bank or rank; `issue` does it. A row
    that is open stays so until it has to be closed.
    """

    __slots__ = (
        "access_free", "access_slots", "accesses", "act_slots", "activates", "answered", "answers_at_command", "bank",
        "banks", "burst", "closed_for_burst", "command", "conflicts", "data_clock_runs_on", "data_clock_until", "due",
        "dues", "end", "fruitless", "half_open", "half_open_until", "idle_refreshes", "interval", "last_direction",
        "log", "next_refresh", "patience", "queues", "ranks", "read_latency", "refresh_at", "refreshes", "row_free",
        "second_act_within", "separate_row_bus", "served", "served_end", "spans", "turnarounds", "write_latency",
    )  # fmt: skip

    def __init__(
        self, timing: Timing, policy: Policy, ranks: int, groups: int, banks_per_group: int, staggered: bool
    ) -> None:
        self.banks = Banks(timing, ranks, groups, banks_per_group)
        self.queues = Queues(self.banks, policy)
        self.answers_at_command = policy.answers_at_command
        self.ranks = ranks
        self.burst, (self.read_latency, self.write_latency) = timing.burst, timing.latency
        self.act_slots, self.access_slots = timing.act_slots, timing.access_slots
        self.separate_row_bus = timing.separate_row_bus
        self.second_act_within, self.data_clock_runs_on = timing.second_act_within, timing.data_clock_runs_on
        self.row_free = self.access_free = 1
        self.interval = timing.refresh_interval
        self.next_refresh = numbers(
            [self.interval * (rank + 1) // ranks if staggered else self.interval for rank in range(ranks)]
        )
        self.refresh_at = min(self.next_refresh)
        self.due, self.dues = zeros(MOST_DUE * ranks), 0
        self.half_open, self.half_open_until = NONE, 0
        self.data_clock_until = 0
        self.command, self.bank = WAIT, NONE
        self.end = 0
        self.accesses, self.last_direction = zeros(2), NONE
        self.answered = self.turnarounds = self.activates = self.conflicts = self.refreshes = 0
        self.closed_for_burst = zeros(self.banks.count)
        self.fruitless = self.idle_refreshes = 0
        self.patience = PATIENCE + 4 * self.banks.count
        self.served, self.served_end = NONE, 0
        self.log: list[tuple[int, str, int, int]] | None = None
        self.spans: list[tuple[int, int, int]] | None = None

    # What comes next.

    def choose(self, clock: int) -> int:
        """Find the next command, at `clock` or later; returns its clock."""
        if self.separate_row_bus:
            return self.choose_of_two(clock)
        if self.queues.opened_clock < clock:
            self.queues.find_opened(clock)
        if self.queues.opened_clock == clock:
            self.command, self.bank = OPENED, self.queues.opened_bank
            return clock
        if self.dues:
            return self.choose_refreshing(clock)
        opened, opened_bank = self.queues.opened_clock, self.queues.opened_bank
        if self.queues.turn_is_due():
            self.queues.turn()
        if self.queues.hit_clock < clock:
            self.queues.find_hit(clock)
        time, number, command, bank = self.queues.hit_clock, self.queues.hit_number, HIT, self.queues.hit_bank
        if self.queues.pre_clock < clock:
            self.queues.find_pre(clock)
        other = self.queues.pre_clock
        if other < time or (other == time and self.queues.pre_number < number):
            time, number, command, bank = other, self.queues.pre_number, PRE, self.queues.pre_bank
        if self.queues.act_clock < clock:
            self.queues.find_act(clock)
        other = self.queues.act_clock
        if (other < time or (other == time and self.queues.act_number < number)) and self.half_open < 0:
            time, command, bank = other, ACT, self.queues.act_bank
        if opened <= time:
            time, command, bank = opened, OPENED, opened_bank
        self.command, self.bank = command, bank
        return time

    def choose_refreshing(self, clock: int) -> int:
        """Find the next command where a rank is to be refreshed: nothing new is begun meanwhile."""
        queues = self.queues
        time = self.find_refreshing(clock)
        if queues.opened_clock < time or (queues.opened_clock == time and queues.opened_age < NEVER):
            time, self.command, self.bank = queues.opened_clock, OPENED, queues.opened_bank
        return time

    def choose_of_two(self, clock: int) -> int:
        """Choose where accesses have a bus of their own; of two at the same time the access comes first."""
        queues = self.queues
        row_clock = clock if clock > self.row_free else self.row_free
        access_clock = clock if clock > self.access_free else self.access_free
        if queues.opened_clock < access_clock:
            queues.find_opened(access_clock)
        time, command, bank = queues.opened_clock, OPENED, queues.opened_bank
        if self.dues:
            row = self.find_refreshing(row_clock)
            if row >= time:
                self.command, self.bank = command, bank
                return time
            return row
        if queues.turn_is_due():
            queues.turn()
        if queues.hit_clock < access_clock:
            queues.find_hit(access_clock)
        if queues.hit_clock < time:
            time, command, bank = queues.hit_clock, HIT, queues.hit_bank
        if queues.pre_clock < row_clock:
            queues.find_pre(row_clock)
        if queues.act_clock < row_clock:
            queues.find_act(row_clock)
        if queues.act_clock < queues.pre_clock or (
            queues.act_clock == queues.pre_clock and queues.act_number < queues.pre_number
        ):
            if queues.act_clock < time:
                time, command, bank = queues.act_clock, ACT, queues.act_bank
        elif queues.pre_clock < time:
            time, command, bank = queues.pre_clock, PRE, queues.pre_bank
        self.command, self.bank = command, bank
        return time

    def find_refreshing(self, clock: int) -> int:
        """Find the next step of refreshing a rank: bursts for which rows were opened, PRE of all banks, REF."""
        banks, queues, rank = self.banks, self.queues, self.due[0]
        self.bank = rank
        if not banks.open_banks[rank]:
            self.command, time = REFRESH, banks.refresh_rank[rank]
            return time if time > clock else clock
        for at in range(queues.opens):
            if banks.rank_of[queues.opened[at]] == rank:
                self.command = WAIT
                return NEVER
        self.command, time = PRE_ALL, banks.all_pre_time(rank)
        return time if time > clock else clock

    def is_asked(self) -> bool:
        """True where there is anything to be done."""
        return self.queues.size[READ] > 0 or self.queues.size[WRITE] > 0 or self.dues > 0

    # Refresh.

    def refresh_falls_due(self, clock: int) -> None:
        """Note the ranks that are to be refreshed from `clock` on; a rank more than once if it comes late to it."""
        self.refresh_at = NEVER
        for rank in range(self.ranks):
            if self.next_refresh[rank] <= clock:
                if self.dues == MOST_DUE * self.ranks:
                    self.fruitless = NEVER
                    return
                self.due[self.dues] = rank
                self.dues += 1
                self.next_refresh[rank] += self.interval
            if self.next_refresh[rank] < self.refresh_at:
                self.refresh_at = self.next_refresh[rank]

    def skip_refreshes(self, until: int) -> None:
        """Do all but the last refresh interval before `until` at once, where nothing else is done.

        Every timing is shorter than an interval, so each of them leaves all times as it found them, later by itself.
        """
        skipped = (until - self.refresh_at) // self.interval - 1
        if skipped < 1 or self.idle_refreshes < 3 * self.ranks or self.dues or self.log is not None:
            return
        clocks = skipped * self.interval
        for rank in range(self.ranks):
            self.next_refresh[rank] += clocks
            self.banks.act_rank[rank] += clocks
            self.banks.refresh_rank[rank] += clocks
        self.row_free, self.access_free = self.row_free + clocks, self.access_free + clocks
        self.refresh_at += clocks
        self.refreshes += skipped * self.ranks

    # What is done.

    def opens_fully(self, time: int, clock: int) -> bool:
        """Do the second half of an ACT at `clock`, if it is due or nothing else is done then."""
        if time == clock and clock < self.half_open_until:
            return False
        self.write_down(clock, "ACT2", self.half_open, -1)
        self.half_open = NONE
        self.row_free = self.access_free = clock + 1
        return True

    def issue(self, clock: int) -> int:
        """Do what was chosen; returns the next clock to decide on. A burst that was served is left in `served`."""
        command, bank = self.command, self.bank
        self.served = NONE
        if command == HIT:
            return self.access(self.queues.direction, self.queues.accessed(bank), bank, clock)
        if command == OPENED:
            return self.access(self.queues.opened_direction[bank], self.queues.accessed_opened(bank), bank, clock)
        self.row_free = clock + 1
        self.fruitless += 1
        self.idle_refreshes = self.idle_refreshes + 1 if command == REFRESH else 0
        if command == ACT:
            self.activate(bank, clock)
        elif command == PRE:
            self.precharge(bank, clock)
        elif command == PRE_ALL:
            self.banks.precharge_all(bank, clock)
            self.queues.ask_anew()
            self.write_down(clock, "PREA", bank, -1)
        else:
            self.refresh(bank, clock)
        if self.separate_row_bus:
            return clock + 1
        self.access_free = self.row_free
        return self.row_free

    def activate(self, bank: int, clock: int) -> None:
        row = self.queues.row_of[self.queues.first[self.queues.direction * self.banks.count + bank]]
        self.banks.activate(bank, row, clock)
        self.queues.activated(bank)
        self.row_free = clock + self.act_slots
        self.activates += 1
        if self.closed_for_burst[bank]:
            self.closed_for_burst[bank] = 0
            self.conflicts += 1
        if self.second_act_within:
            self.half_open, self.half_open_until = bank, clock + self.second_act_within
        self.write_down(clock, "ACT", bank, row)

    def precharge(self, bank: int, clock: int) -> None:
        self.banks.precharge(bank, clock)
        self.closed_for_burst[bank] = self.queues.first[self.queues.direction * self.banks.count + bank] >= 0
        self.queues.precharged(bank)
        self.write_down(clock, "PRE", bank, -1)

    def refresh(self, rank: int, clock: int) -> None:
        self.banks.refresh(rank, clock)
        for bank in range(rank * self.banks.banks_of_rank, (rank + 1) * self.banks.banks_of_rank):
            self.closed_for_burst[bank] = 0
        self.queues.forget()
        self.dues -= 1
        for at in range(self.dues):
            self.due[at] = self.due[at + 1]
        self.refreshes += 1
        self.write_down(clock, "REF", rank, -1)

    def access(self, direction: int, place: int, bank: int, clock: int) -> int:
        """RD or WR of a burst that has left its queue; returns the next clock to decide on."""
        end = clock + self.burst + (self.write_latency if direction == WRITE else self.read_latency)
        if self.data_clock_runs_on:
            if clock >= self.data_clock_until:
                self.write_down(clock, "CAS", bank, -1)
                clock, end = clock + 1, end + 1
            self.data_clock_until = end + self.data_clock_runs_on
        self.banks.access(direction, bank, clock)
        self.accesses[direction] += 1
        self.served, self.served_end, self.fruitless = place, end, 0
        if self.answers_at_command and direction == WRITE:
            self.served_end = clock + 1
        if direction != self.last_direction:
            self.turnarounds += self.last_direction != NONE
            self.last_direction = direction
        if end > self.end:
            self.end = end
        if self.log is not None:
            self.write_down(clock, "WR" if direction == WRITE else "RD", bank, self.queues.row_of[place])
        if self.spans is not None:
            self.spans.append((self.banks.rank_of[bank], end, direction))
        self.access_free = clock + self.access_slots
        if self.separate_row_bus:
            return clock
        self.row_free = self.access_free
        return self.row_free

    def write_down(self, clock: int, command: str, bank: int, row: int) -> None:
        if self.log is not None:
            self.log.append((clock, command, bank, row))
