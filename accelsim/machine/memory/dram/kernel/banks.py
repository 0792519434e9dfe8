"""The state of the banks of a channel: open rows, and the first clock at which each command is allowed.

Arrays are indexed by bank (over all ranks), bank group (over all ranks) or rank; those of RD and WR have all of RD
first. A command is allowed at clock t if t is at least every time kept here for it: ACT in act_*, PRE in pre_*, RD and
WR in access_*, REF in refresh_*.
"""

from __future__ import annotations

from accelsim.machine.memory.dram.timing import Timing
from accelsim.machine.memory.integers import filled, numbers, zeros

CLOSED = -1


class Banks:
    """Banks that keep their times, whoever commands them; active_clocks: those in which a rank had an open row."""

    __slots__ = (
        "access_bank", "access_group", "access_rank", "access_to_pre", "act_bank", "act_group", "act_rank",
        "act_to_act", "act_to_act_group", "act_to_act_rank", "act_to_pre", "act_to_read", "act_to_refresh",
        "act_to_write", "active_clocks", "acts", "banks_of_rank", "count", "four_acts", "group_of", "groups",
        "oldest_act", "open_banks", "open_row", "open_since", "other_rank", "pre_all_to_act", "pre_all_to_refresh",
        "pre_bank", "pre_rank", "pre_to_act", "pre_to_pre", "pre_to_refresh", "rank_of", "ranks", "refresh_rank",
        "refresh_to_act", "same_group", "same_rank", "several_ranks",
    )  # fmt: skip

    def __init__(self, timing: Timing, ranks: int, groups: int, banks_per_group: int) -> None:
        count = ranks * groups * banks_per_group
        self.count, self.groups, self.ranks, self.banks_of_rank = count, ranks * groups, ranks, count // ranks
        self.group_of = numbers([bank // banks_per_group for bank in range(count)])
        self.rank_of = numbers([bank // self.banks_of_rank for bank in range(count)])
        self.several_ranks = ranks > 1 and timing.other_rank != ((0, 0), (0, 0))
        self.open_row = filled(count, CLOSED)
        self.act_bank, self.act_group, self.act_rank = zeros(count), zeros(self.groups), zeros(ranks)
        self.acts, self.oldest_act = filled(4 * ranks, -timing.four_acts), zeros(ranks)
        self.pre_bank, self.pre_rank, self.refresh_rank = zeros(count), zeros(ranks), zeros(ranks)
        self.access_bank, self.access_group, self.access_rank = (
            zeros(2 * count),
            zeros(2 * self.groups),
            zeros(2 * ranks),
        )
        self.open_banks, self.open_since, self.active_clocks = zeros(ranks), zeros(ranks), zeros(ranks)
        self.act_to_read, self.act_to_write = timing.act_to_access
        self.act_to_pre, self.act_to_act = timing.act_to_pre, timing.act_to_act
        self.act_to_act_group, self.act_to_act_rank = timing.act_to_act_group, timing.act_to_act_rank
        self.four_acts, self.act_to_refresh = timing.four_acts, timing.act_to_refresh
        self.same_group = numbers([*timing.same_group[0], *timing.same_group[1]])
        self.same_rank = numbers([*timing.same_rank[0], *timing.same_rank[1]])
        self.other_rank = numbers([*timing.other_rank[0], *timing.other_rank[1]])
        self.access_to_pre = numbers(timing.access_to_pre)
        self.pre_to_act, self.pre_all_to_act, self.pre_to_pre = (
            timing.pre_to_act,
            timing.pre_all_to_act,
            timing.pre_to_pre,
        )
        self.pre_to_refresh, self.pre_all_to_refresh = timing.pre_to_refresh, timing.pre_all_to_refresh
        self.refresh_to_act = timing.refresh_to_act

    def activate(self, bank: int, row: int, clock: int) -> None:
        """ACT: open `row`."""
        rank = self.rank_of[bank]
        self.open_row[bank] = row
        self.access_bank[bank] = clock + self.act_to_read
        self.access_bank[self.count + bank] = clock + self.act_to_write
        self.pre_bank[bank] = clock + self.act_to_pre
        self.act_bank[bank] = clock + self.act_to_act
        self.act_group[self.group_of[bank]] = clock + self.act_to_act_group
        oldest = self.oldest_act[rank]
        self.acts[4 * rank + oldest] = clock
        self.oldest_act[rank] = oldest = (oldest + 1) & 3
        ready = self.acts[4 * rank + oldest] + self.four_acts
        time = clock + self.act_to_act_rank
        self.act_rank[rank] = ready if ready > time else time
        time = clock + self.act_to_refresh
        if time > self.refresh_rank[rank]:
            self.refresh_rank[rank] = time
        if not self.open_banks[rank]:
            self.open_since[rank] = clock
        self.open_banks[rank] += 1

    def access(self, direction: int, bank: int, clock: int) -> None:
        """RD or WR of the open row."""
        group, rank, turned = self.group_of[bank], self.rank_of[bank], 1 - direction
        if self.several_ranks:
            self.keep_off_other_ranks(direction, clock)
        self.access_group[direction * self.groups + group] = clock + self.same_group[3 * direction]
        self.access_rank[direction * self.ranks + rank] = clock + self.same_rank[3 * direction]
        time = clock + self.same_group[direction + 1]
        if time > self.access_group[turned * self.groups + group]:
            self.access_group[turned * self.groups + group] = time
        time = clock + self.same_rank[direction + 1]
        if time > self.access_rank[turned * self.ranks + rank]:
            self.access_rank[turned * self.ranks + rank] = time
        time = clock + self.access_to_pre[direction]
        if time > self.pre_bank[bank]:
            self.pre_bank[bank] = time

    def keep_off_other_ranks(self, direction: int, clock: int) -> None:
        """Have data of other ranks wait until the bus is free; that of the same rank waits longer anyway."""
        for place in range(2 * self.ranks):
            time = clock + self.other_rank[2 * direction + place // self.ranks]
            if time > self.access_rank[place]:
                self.access_rank[place] = time

    def access_time(self, direction: int, bank: int) -> int:
        """The first clock at which RD or WR of the open row of a bank is allowed."""
        time = self.access_bank[direction * self.count + bank]
        other = self.access_group[direction * self.groups + self.group_of[bank]]
        if other > time:
            time = other
        other = self.access_rank[direction * self.ranks + self.rank_of[bank]]
        return other if other > time else time

    def precharge(self, bank: int, clock: int) -> None:
        """PRE: close the row of a bank."""
        rank = self.rank_of[bank]
        self.open_row[bank] = CLOSED
        time = clock + self.pre_to_act
        if time > self.act_bank[bank]:
            self.act_bank[bank] = time
        self.pre_rank[rank] = clock + self.pre_to_pre
        time = clock + self.pre_to_refresh
        if time > self.refresh_rank[rank]:
            self.refresh_rank[rank] = time
        self.open_banks[rank] -= 1
        if not self.open_banks[rank]:
            self.active_clocks[rank] += clock - self.open_since[rank]

    def precharge_all(self, rank: int, clock: int) -> None:
        """PRE of all banks of a rank, of which one or more have an open row."""
        time = clock + self.pre_all_to_act
        if time > self.act_rank[rank]:
            self.act_rank[rank] = time
        for bank in range(rank * self.banks_of_rank, (rank + 1) * self.banks_of_rank):
            self.open_row[bank] = CLOSED
        self.pre_rank[rank] = clock + self.pre_to_pre
        time = clock + self.pre_all_to_refresh
        if time > self.refresh_rank[rank]:
            self.refresh_rank[rank] = time
        self.open_banks[rank] = 0
        self.active_clocks[rank] += clock - self.open_since[rank]

    def refresh(self, rank: int, clock: int) -> None:
        """REF of a rank."""
        time = clock + self.refresh_to_act
        if time > self.act_rank[rank]:
            self.act_rank[rank] = time
        if time > self.refresh_rank[rank]:
            self.refresh_rank[rank] = time

    def all_pre_time(self, rank: int) -> int:
        """The first clock at which PRE of all banks of a rank is allowed."""
        soonest = self.pre_rank[rank]
        for bank in range(rank * self.banks_of_rank, (rank + 1) * self.banks_of_rank):
            if self.pre_bank[bank] > soonest:
                soonest = self.pre_bank[bank]
        return soonest

    def active_until(self, clock: int) -> int:
        """Clocks before `clock` in which a rank had an open row, over all ranks."""
        active = 0
        for rank in range(self.ranks):
            active += self.active_clocks[rank]
            if self.open_banks[rank]:
                active += clock - self.open_since[rank]
        return active
