"""Row hits at equal distances, served all at once: a shortcut whose commands are those that would be found one by one.

The bursts of a run hit rows that are open, and `turns` banks take turns. If the oldest burst is served first, the next
ones follow a `gap` apart, for no other can be served any sooner, until something else falls due: a PRE, an ACT, an
access to a row just opened, a refresh, or a burst that comes and asks its bank for something new.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import repeat
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from accelsim.machine.dram.scheduler import Choice
from accelsim.machine.dram.timing import READ, Timing

if TYPE_CHECKING:
    from accelsim.machine.dram.channel import Channel
    from accelsim.machine.dram.memory import Sender

SHORTEST = 6
"""Hits in a row for which it is worth the while."""
PATIENCE = 4
"""Hits to be served one by one after a row of them was looked for in vain."""


class Rooms(NamedTuple):
    """When a queue has room: for the first `free` bursts at once, for each further one when one is served.

    numbers of the bursts served begin with `number`, their clocks with `clock`, `gap` apart.
    """

    free: int
    number: int
    clock: int
    gap: int

    def at(self, place: int) -> int:
        """When there is room for this one of the bursts that come, counted from 0."""
        return self.clock + (place - self.free) * self.gap if place >= self.free else 0


def run_ends(local: npt.NDArray[np.int64], bursts_of_open_rows: int, turns: int, first: int = 0) -> list[int]:
    """For each burst the number behind the last of its run, if the first burst has number `first`.

    In a run addresses rise within rows that can be open together, and `turns` banks take turns.
    """
    if not len(local):
        return []
    steps, rows = local[1:] - local[:-1], local // bursts_of_open_rows
    breaks = (steps <= 0) | (rows[1:] != rows[:-1])
    if turns > 1:
        breaks |= steps % turns != 1
    ends: list[int] = [*(np.flatnonzero(breaks) + 1).tolist(), len(local)]
    found: list[int] = []
    for end in ends:
        found.extend(repeat(first + end, end - len(found)))
    return found


def spacing(timing: Timing, direction: int, groups: list[int], ranks: list[int]) -> int:
    """Clocks between bursts of a run whose banks, in these groups and ranks, take turns; 0: they are not equal."""
    in_rank, in_group = timing.same_rank[direction][direction], timing.same_group[direction][direction]
    if len(set(ranks)) > 1:
        return 0
    if in_group <= in_rank:
        return in_rank
    if len(groups) == 1:
        return in_group
    if any(
        groups[place] == groups[(place + distance) % len(groups)] and distance * in_rank < in_group
        for distance in range(1, len(groups) + 1)
        for place in range(len(groups))
    ):
        return 0
    return in_rank


def may_begin(channel: Channel, first: Choice, stop: int) -> bool:
    """Whether it is worth looking closer at a row of hits that begins with the choice `first`, before clock `stop`."""
    gap = channel.spacing[channel.scheduler.direction]
    soonest = first[0] + (SHORTEST - 1) * gap
    return gap > 0 and soonest < stop and soonest < _first_of_others(channel) and channel.half_open < 0


def _first_of_others(channel: Channel) -> int:
    """When something else than a hit comes next."""
    scheduler = channel.scheduler
    return min(scheduler.next_opened[0], scheduler.next_pre[0], scheduler.next_act[0])


def serve(channel: Channel, first: Choice, stop: int, most: int, coming: Sender | None) -> int:
    """Serve `most` or fewer hits in a row, beginning with the choice `first` and before clock `stop`.

    coming: who sends bursts to the queue that is served. Returns the next clock to decide on, 0 if none was served.
    """
    scheduler = channel.scheduler
    direction, number, clock = scheduler.direction, first[1], first[0]
    gap = channel.spacing[direction]
    stop = min(stop, _first_of_others(channel))
    available = channel.run_end[direction][number] - number - channel.held_back[direction]
    count = min(most, available, (stop - 1 - clock) // gap + 1)
    if count < SHORTEST:
        return 0
    entering, quiet = list[int](), 0
    rooms = Rooms(scheduler.policy.entries - scheduler.size[direction], number, clock, gap)
    if coming is None:
        count = min(count, _until_turn(channel))
    else:
        entering, quiet, count = _entering(channel, coming, rooms, count)
        if entering and clock > max(entering[0] + 1, channel.access_ready(direction, first[3])):
            return 0  # what comes may be served before the first
    if count < SHORTEST or not _can_follow(channel, number, count, clock, gap, coming is not None):
        return 0
    last = clock + (count - 1) * gap
    changed = set(scheduler.bank_of[direction][number : number + min(channel.turns, count)])
    arrivals = 0
    if coming is not None:
        arrivals = bisect_right(entering, last)
        arrivals = min(quiet, rooms.free + count if arrivals == len(entering) else arrivals)
        changed |= channel.arrive_many(direction, arrivals)
    scheduler.size[direction] += arrivals - count
    for place in range(min(channel.turns, count)):
        queue = scheduler.waiting[direction][scheduler.bank_of[direction][number + place]]
        del queue[: len(range(place, count, channel.turns))]
    channel.access_many(direction, range(number, number + count), clock, gap)
    scheduler.served_in_a_row(changed)
    if coming is not None:
        if arrivals:
            at = entering[arrivals - 1] if arrivals <= len(entering) else rooms.at(arrivals - 1)
            coming.entered_in_turn(arrivals, at)
        if coming.comes_next_to(direction) and channel.has_room(direction):
            coming.room(last)
    return channel.access_free if not channel.timing.separate_row_bus else last


def _entering(channel: Channel, coming: Sender, rooms: Rooms, count: int) -> tuple[list[int], int, int]:
    """Clocks at which bursts enter before each does as soon as there is room; how many enter without asking their banks
    for something new; and how many can be served before one does, or before the other queue may be served.

    With a row bus of its own it is decided once more whose turn it is right behind an access, before what comes then.
    """
    alike = coming.alike_until[coming.next] - coming.next
    quiet = channel.can_arrive_in_turn(channel.scheduler.direction, min(alike, rooms.free + count + 1))
    entering = coming.entries(rooms, min(quiet + 1, alike))
    noticed = quiet - 1 if quiet == alike else quiet
    last = entering[noticed] if noticed < len(entering) else rooms.at(noticed)
    count = min(count, (last - rooms.clock) // rooms.gap + 1)
    until_turn = _until_turn(channel)
    behind = channel.timing.separate_row_bus
    if until_turn <= behind:
        return entering, quiet, 0
    for place, clock in enumerate(entering):
        if clock > rooms.clock + place * rooms.gap + behind * (rooms.gap - 1):
            return entering, quiet, min(count, place + until_turn)
    return entering, quiet, count


def _until_turn(channel: Channel) -> int:
    """Bursts that can be served, while none arrive, before it may be the other queue's turn."""
    scheduler = channel.scheduler
    direction = scheduler.direction
    if direction == READ or not scheduler.size[READ]:
        return scheduler.size[direction]
    return int(scheduler.size[direction] - scheduler.policy.read_below) + 1


def _can_follow(channel: Channel, number: int, count: int, clock: int, gap: int, arriving: bool) -> bool:
    """Whether the bursts from `number` on are the oldest, are there or will be, and neither wait nor let others by."""
    scheduler, banks = channel.scheduler, channel.banks
    direction = scheduler.direction
    if channel.timing.data_clock_runs_on and clock >= channel.data_clock_until:
        return False
    if any(queue and queue[0] < number for queue in scheduler.waiting[direction]):
        return False
    if _others_slip_in(channel, number, gap, arriving):
        return False
    arrived = min(channel.arrived[direction], channel.run_end[direction][number])
    for place in range(min(channel.turns, count)):
        bank = scheduler.bank_of[direction][number + place]
        ready = max(banks.access_bank[direction][bank], banks.access_group[direction][banks.group_of[bank]])
        if ready > clock + place * gap or banks.open_row[bank] != scheduler.row_of[direction][number + place]:
            return False
        there = bisect_left(scheduler.waiting[direction][bank], arrived)
        if there != len(range(number + place, arrived, channel.turns)):
            return False
    return True


def _others_slip_in(channel: Channel, number: int, gap: int, arriving: bool) -> bool:
    """Whether hits of another bank group or rank can be served sooner than the next of the run."""
    scheduler, banks = channel.scheduler, channel.banks
    direction = scheduler.direction
    sooner_elsewhere = (
        (banks.group_of, channel.timing.same_rank[direction][direction]),
        (banks.rank_of, channel.timing.other_rank[direction][direction]),
    )
    bank_of = scheduler.bank_of[direction]
    others = [*scheduler.hit_banks, *([bank_of[channel.arrived[direction]]] if arriving else [])]
    return any(
        clocks < gap and any(place[bank] != place[bank_of[number]] for bank in others)
        for place, clocks in sooner_elsewhere
    )
