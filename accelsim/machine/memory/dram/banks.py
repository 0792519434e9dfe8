"""The state of the banks of a channel: open rows, and the first clock at which each command is allowed.

Lists are indexed by bank (over all ranks), bank group (over all ranks) or rank; pairs of lists are for RD and WR. A
command is allowed at clock t if t is at least every time kept here for it: ACT in act_*, PRE in pre_*, RD and WR in
access_*, REF in refresh_*.
"""

from __future__ import annotations

from accelsim.machine.memory.dram.timing import READ, WRITE, Timing

CLOSED = -1


class Banks:
    """Banks that keep their times, whoever commands them; active_clocks: those in which a rank had an open row."""

    def __init__(self, timing: Timing, ranks: int, groups: int, banks_per_group: int) -> None:
        count = ranks * groups * banks_per_group
        self.timing = timing
        self.group_of = [bank // banks_per_group for bank in range(count)]
        self.rank_of = [bank // (groups * banks_per_group) for bank in range(count)]
        self.several_ranks = ranks > 1 and timing.other_rank != ((0, 0), (0, 0))
        self.open_row = [CLOSED] * count
        self.act_bank = [0] * count
        self.act_group = [0] * (ranks * groups)
        self.act_rank = [0] * ranks
        self.last_four_acts = [[-timing.four_acts] * 4 for _ in range(ranks)]
        self.pre_bank = [0] * count
        self.pre_rank = [0] * ranks
        self.access_bank = ([0] * count, [0] * count)
        self.access_group = ([0] * (ranks * groups), [0] * (ranks * groups))
        self.access_rank = ([0] * ranks, [0] * ranks)
        self.refresh_rank = [0] * ranks
        self.open_banks = [0] * ranks
        self.open_since = [0] * ranks
        self.active_clocks = [0] * ranks
        self.after_act = (
            *timing.act_to_access,
            timing.act_to_pre,
            timing.act_to_act,
            timing.act_to_act_group,
            timing.act_to_act_rank,
            timing.four_acts,
            timing.act_to_refresh,
        )
        self.after_access = tuple(
            (
                timing.same_group[direction][direction],
                timing.same_group[direction][1 - direction],
                timing.same_rank[direction][direction],
                timing.same_rank[direction][1 - direction],
                timing.access_to_pre[direction],
            )
            for direction in (READ, WRITE)
        )

    def banks_of(self, rank: int) -> range:
        """The banks of a rank."""
        size = len(self.open_row) // len(self.act_rank)
        return range(rank * size, (rank + 1) * size)

    def activate(self, bank: int, row: int, clock: int) -> None:
        """ACT: open `row`."""
        rank = self.rank_of[bank]
        to_read, to_write, to_pre, to_act, to_group, to_rank, four_acts, to_refresh = self.after_act
        self.open_row[bank] = row
        self.access_bank[READ][bank] = clock + to_read
        self.access_bank[WRITE][bank] = clock + to_write
        self.pre_bank[bank] = clock + to_pre
        self.act_bank[bank] = clock + to_act
        self.act_group[self.group_of[bank]] = clock + to_group
        acts = self.last_four_acts[rank]
        acts.append(clock)
        del acts[0]
        ready = acts[0] + four_acts
        self.act_rank[rank] = ready if ready > clock + to_rank else clock + to_rank
        if clock + to_refresh > self.refresh_rank[rank]:
            self.refresh_rank[rank] = clock + to_refresh
        if not self.open_banks[rank]:
            self.open_since[rank] = clock
        self.open_banks[rank] += 1

    def access(self, direction: int, bank: int, clock: int) -> None:
        """RD or WR of the open row."""
        group, rank = self.group_of[bank], self.rank_of[bank]
        to_group, to_group_turned, to_rank, to_rank_turned, to_pre = self.after_access[direction]
        if self.several_ranks:
            self._keep_off_other_ranks(direction, clock)
        self.access_group[direction][group] = clock + to_group
        self.access_rank[direction][rank] = clock + to_rank
        times = self.access_group[1 - direction]
        if clock + to_group_turned > times[group]:
            times[group] = clock + to_group_turned
        times = self.access_rank[1 - direction]
        if clock + to_rank_turned > times[rank]:
            times[rank] = clock + to_rank_turned
        if clock + to_pre > self.pre_bank[bank]:
            self.pre_bank[bank] = clock + to_pre

    def _keep_off_other_ranks(self, direction: int, clock: int) -> None:
        for second, clocks in enumerate(self.timing.other_rank[direction]):
            times = self.access_rank[second]
            for rank, time in enumerate(times):
                if clock + clocks > time:
                    times[rank] = clock + clocks

    def precharge(self, bank: int, clock: int) -> None:
        """PRE: close the row of a bank."""
        timing, rank = self.timing, self.rank_of[bank]
        self.open_row[bank] = CLOSED
        ready = clock + timing.pre_to_act
        if ready > self.act_bank[bank]:
            self.act_bank[bank] = ready
        self.pre_rank[rank] = clock + timing.pre_to_pre
        ready = clock + timing.pre_to_refresh
        if ready > self.refresh_rank[rank]:
            self.refresh_rank[rank] = ready
        self.open_banks[rank] -= 1
        if not self.open_banks[rank]:
            self.active_clocks[rank] += clock - self.open_since[rank]

    def precharge_all(self, rank: int, clock: int) -> None:
        """PRE of all banks of a rank, of which one or more have an open row."""
        ready = clock + self.timing.pre_all_to_act
        if ready > self.act_rank[rank]:
            self.act_rank[rank] = ready
        for bank in self.banks_of(rank):
            self.open_row[bank] = CLOSED
        self.pre_rank[rank] = clock + self.timing.pre_to_pre
        self.refresh_rank[rank] = max(self.refresh_rank[rank], clock + self.timing.pre_all_to_refresh)
        self.open_banks[rank] = 0
        self.active_clocks[rank] += clock - self.open_since[rank]

    def refresh(self, rank: int, clock: int) -> None:
        """REF of a rank."""
        ready = clock + self.timing.refresh_to_act
        if ready > self.act_rank[rank]:
            self.act_rank[rank] = ready
        if ready > self.refresh_rank[rank]:
            self.refresh_rank[rank] = ready
