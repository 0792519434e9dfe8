"""A DRAM channel: does what its scheduler chooses, and refreshes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from accelsim.config.dram import CommandDevice
from accelsim.machine.memory.dram.address import Places
from accelsim.machine.memory.dram.banks import Banks
from accelsim.machine.memory.dram.scheduler import (
    ACT,
    HIT,
    NEVER,
    NO_CHOICE,
    NONE,
    OPENED,
    PRE,
    PRE_ALL,
    REFRESH,
    Choice,
    FrFcfs,
    Policy,
)
from accelsim.machine.memory.dram.statistics import DramCounts
from accelsim.machine.memory.dram.timing import READ, WRITE, Timing
from accelsim.machine.memory.port import BusSpan, merged


class Issued(NamedTuple):
    """A command in the log of a channel; bank is a rank for PREA and REF, row is -1 where there is none."""

    clock: int
    command: str
    bank: int
    row: int


class Channel:
    """Banks, queues and command buses.

    Bursts are written down with `expect` and enter their queue with `arrive`, in the order of each direction. `choose`
    and `issue` do one command at a time. A row that is open stays so until it has to be closed.
    """

    def __init__(self, device: CommandDevice, served: list[int], log: list[Issued] | None = None) -> None:
        timing = self.timing = Timing.of(device)
        organisation = device.organisation
        ranks = organisation.ranks * organisation.pseudo_channels
        self.banks = Banks(timing, ranks, organisation.bank_groups, organisation.banks_per_group)
        self.scheduler = FrFcfs(self.banks, Policy.of(device))
        self.choose = self._choose_of_two if timing.separate_row_bus else self._choose
        self.row_free = self.access_free = 1
        interval = timing.refresh_interval
        self.next_refresh = [interval] * ranks
        if device.refresh == "staggered":
            self.next_refresh = [interval * (rank + 1) // ranks for rank in range(ranks)]
        self.refresh_at = min(self.next_refresh)
        self.refresh_due: list[int] = []
        self.half_open = NONE
        self.half_open_until = 0
        self.data_clock_until = 0
        self.log = log
        self.arrived = [0, 0]
        self.local_of: tuple[list[int], list[int]] = ([], [])
        self.end_of: tuple[list[int], list[int]] = ([], [])
        self.queued_writes: set[int] = set()
        self.data_buses = organisation.pseudo_channels
        self.end = 0
        self.served = served
        self.accesses = [0, 0]
        self.last_direction = NONE
        self.answered: tuple[set[int], set[int]] = (set(), set())
        self.turnarounds = self.activates = self.conflicts = self.refreshes = 0
        self.closed_for_burst = [False] * len(self.banks.open_row)

    # Bursts.

    def expect(self, direction: int, places: Places, ages: Iterable[int]) -> None:
        """Write down bursts that will arrive later, in this order."""
        scheduler = self.scheduler
        scheduler.bank_of[direction].extend(places.bank.tolist())
        scheduler.row_of[direction].extend(places.row.tolist())
        scheduler.age_of[direction].extend(ages)
        self.local_of[direction].extend(places.local.tolist())
        self.end_of[direction].extend([0] * len(places.local))

    def arrive(self, direction: int, clock: int) -> None:
        """The next burst of a direction comes at this clock; a write that waits answers for another of its address."""
        number = self.arrived[direction]
        self.arrived[direction] = number + 1
        if self.queued_writes and self.local_of[direction][number] in self.queued_writes:
            self.served[direction] += 1
            self.answered[direction].add(number)
            self.end_of[direction][number] = clock + 1
            self.end = max(self.end, clock + 1)
            self.scheduler.asked = True
            return
        if direction == WRITE:
            self.queued_writes.add(self.local_of[WRITE][number])
        self.scheduler.arrive(direction, number)

    # Commands.

    def _choose(self, clock: int) -> Choice:
        """The next command, at `clock` or later."""
        scheduler = self.scheduler
        opened = scheduler.next_opened
        if opened[0] < clock:
            opened = scheduler.first_opened(clock)
        if opened[0] == clock:
            return opened
        if self.refresh_due:
            return min(opened, self._refreshing(clock))
        if scheduler.turn_is_due():
            scheduler.turn()
        best = scheduler.next_hit
        if best[0] < clock:
            best = scheduler.first_hit(clock)
        other = scheduler.next_pre
        if other[0] < clock:
            other = scheduler.first_pre(clock)
        if other < best:
            best = other
        other = scheduler.next_act
        if other[0] < clock:
            other = scheduler.first_act(clock)
        if other < best and self.half_open < 0:
            best = other
        return best if best[0] < opened[0] else opened

    def _choose_of_two(self, clock: int) -> Choice:
        """The next command, where accesses have a bus of their own; of two at the same time the access comes first."""
        scheduler = self.scheduler
        row_clock, access_clock = max(clock, self.row_free), max(clock, self.access_free)
        best = scheduler.next_opened
        if best[0] < access_clock:
            best = scheduler.first_opened(access_clock)
        if self.refresh_due:
            row = self._refreshing(row_clock)
        else:
            if scheduler.turn_is_due():
                scheduler.turn()
            other = scheduler.next_hit
            if other[0] < access_clock:
                other = scheduler.first_hit(access_clock)
            if other[0] < best[0]:
                best = other
            row = scheduler.next_pre
            if row[0] < row_clock:
                row = scheduler.first_pre(row_clock)
            other = scheduler.next_act
            if other[0] < row_clock:
                other = scheduler.first_act(row_clock)
            if other < row:
                row = other
        return row if row[0] < best[0] else best

    def _refreshing(self, clock: int) -> Choice:
        """What comes next in refreshing a rank: bursts for which rows were opened, PRE of all banks, REF."""
        banks, rank = self.banks, self.refresh_due[0]
        if not banks.open_banks[rank]:
            return max(clock, banks.refresh_rank[rank]), NEVER, REFRESH, rank
        if any(banks.rank_of[bank] == rank for bank in self.scheduler.opened):
            return NO_CHOICE
        soonest = max(banks.pre_bank[bank] for bank in banks.banks_of(rank))
        return max(clock, banks.pre_rank[rank], soonest), NEVER, PRE_ALL, rank

    def refresh_falls_due(self, clock: int) -> None:
        """Note the ranks that are to be refreshed from `clock` on."""
        for rank, time in enumerate(self.next_refresh):
            if time <= clock:
                self.refresh_due.append(rank)
                self.next_refresh[rank] += self.timing.refresh_interval
        self.refresh_at = min(self.next_refresh)

    def opens_fully(self, choice: Choice, clock: int) -> bool:
        """Do the second half of an ACT at `clock`, if it is due or nothing else is done then."""
        if self.half_open < 0 or (choice[0] == clock and clock < self.half_open_until):
            return False
        self._log(clock, "ACT2", self.half_open, -1)
        self.half_open = NONE
        self.row_free = self.access_free = clock + 1
        return True

    def issue(self, choice: Choice) -> int:
        """Do it; returns the next clock to decide on."""
        clock, _, command, bank = choice
        if command == HIT:
            direction = self.scheduler.direction
            number = self.scheduler.accessed(bank)
            if direction == WRITE:
                self.queued_writes.discard(self.local_of[WRITE][number])
            return self._access(direction, number, bank, clock)
        if command == OPENED:
            return self._access(*self.scheduler.accessed_opened(bank), bank, clock)
        self.row_free = clock + 1
        if command == ACT:
            self._activate(bank, clock)
        elif command == PRE:
            self._precharge(bank, clock)
        elif command == PRE_ALL:
            self._precharge_all(bank, clock)
        else:
            self._refresh(bank, clock)
        if self.timing.separate_row_bus:
            return clock + 1
        self.access_free = self.row_free
        return self.row_free

    def _activate(self, bank: int, clock: int) -> None:
        scheduler = self.scheduler
        direction = scheduler.direction
        number = scheduler.waiting[direction][bank][0]
        row = scheduler.row_of[direction][number]
        self.banks.activate(bank, row, clock)
        scheduler.activated(bank)
        if direction == WRITE:
            self.queued_writes.discard(self.local_of[WRITE][number])
        self.row_free = clock + self.timing.act_slots
        self.activates += 1
        if self.closed_for_burst[bank]:
            self.closed_for_burst[bank] = False
            self.conflicts += 1
        if self.timing.second_act_within:
            self.half_open = bank
            self.half_open_until = clock + self.timing.second_act_within
        if self.log is not None:
            self._log(clock, "ACT", bank, row)

    def _precharge(self, bank: int, clock: int) -> None:
        self.banks.precharge(bank, clock)
        self.closed_for_burst[bank] = bool(self.scheduler.waiting[self.scheduler.direction][bank])
        self.scheduler.precharged(bank)
        if self.log is not None:
            self._log(clock, "PRE", bank, -1)

    def _precharge_all(self, rank: int, clock: int) -> None:
        self.banks.precharge_all(rank, clock)
        self.scheduler.ask_anew()
        self._log(clock, "PREA", rank, -1)

    def _refresh(self, rank: int, clock: int) -> None:
        self.banks.refresh(rank, clock)
        for bank in self.banks.banks_of(rank):
            self.closed_for_burst[bank] = False
        self.scheduler.forget()
        self.refresh_due.remove(rank)
        self.refreshes += 1
        self._log(clock, "REF", rank, -1)

    def _access(self, direction: int, number: int, bank: int, clock: int) -> int:
        timing = self.timing
        end = clock + timing.latency[direction] + timing.burst
        if timing.data_clock_runs_on:
            if clock >= self.data_clock_until:
                self._log(clock, "CAS", bank, -1)
                clock, end = clock + 1, end + 1
            self.data_clock_until = end + timing.data_clock_runs_on
        self.banks.access(direction, bank, clock)
        self.served[direction] += 1
        self.accesses[direction] += 1
        self.end_of[direction][number] = end
        if direction != self.last_direction:
            self._turned(direction)
        if end > self.end:
            self.end = end
        if self.log is not None:
            self._log(clock, ("RD", "WR")[direction], bank, self.scheduler.row_of[direction][number])
        self.access_free = clock + timing.access_slots
        if timing.separate_row_bus:
            return clock
        self.row_free = self.access_free
        return self.row_free

    def _turned(self, direction: int) -> None:
        if self.last_direction != NONE:
            self.turnarounds += 1
        self.last_direction = direction

    def _log(self, clock: int, command: str, bank: int, row: int) -> None:
        if self.log is not None:
            self.log.append(Issued(clock, command, bank, row))

    def counts(self, clocks: int) -> DramCounts:
        """What was done in so many clocks."""
        banks = self.banks
        still_open = sum(clocks - since for since, rows in zip(banks.open_since, banks.open_banks, strict=True) if rows)
        return DramCounts(
            reads=self.accesses[READ],
            writes=self.accesses[WRITE],
            row_hits=sum(self.accesses) - self.activates + len(self.scheduler.opened),
            row_misses=self.activates - self.conflicts,
            row_conflicts=self.conflicts,
            activates=self.activates,
            refreshes=self.refreshes,
            turnarounds=self.turnarounds,
            forwarded=sum(map(len, self.answered)),
            active_clocks=sum(banks.active_clocks) + still_open,
            rank_clocks=clocks * len(banks.open_banks),
        )

    def bus_spans(self) -> list[list[BusSpan]]:
        """When each data bus moved what: one bus, or one for each pseudo channel."""
        buses: list[list[BusSpan]] = [[] for _ in range(self.data_buses)]
        for direction in (READ, WRITE):
            for number, end in enumerate(self.end_of[direction]):
                if end and number not in self.answered[direction]:
                    rank = self.banks.rank_of[self.scheduler.bank_of[direction][number]]
                    buses[rank % self.data_buses].append(BusSpan(end - self.timing.burst, end, direction == WRITE))
        return [merged(sorted(spans)) for spans in buses]
