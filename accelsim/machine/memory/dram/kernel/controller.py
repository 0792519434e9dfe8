"""The memory controller of a DRAM: all channels, and the requesters whose bursts meet in their queues.

What enters a queue at a clock is seen by its channel one clock later.
"""

from __future__ import annotations

from collections.abc import Sequence

from accelsim.machine.memory.dram.kernel.channel import PRE, Channel
from accelsim.machine.memory.dram.kernel.queues import NEVER, NONE
from accelsim.machine.memory.dram.kernel.requester import Requester
from accelsim.machine.memory.dram.policy import Policy
from accelsim.machine.memory.dram.timing import WRITE, Timing
from accelsim.machine.memory.integers import numbers
from accelsim.machine.memory.port import Completion, Progress

SLICE = 1 << 14
"""Steps of a run, after which it comes back, for others to look whether to go on."""


class Controller:
    """Channels whose clocks are those of the commands; waiting: bursts asked for and not yet served."""

    __slots__ = (
        "asked", "channels", "clock", "requesters", "stops", "stuck", "waiting", "wakes",
    )  # fmt: skip

    def __init__(
        self,
        channels: int,
        timing: Timing,
        policy: Policy,
        ranks: int,
        groups: int,
        banks_per_group: int,
        staggered: bool,
    ) -> None:
        self.channels = [Channel(timing, policy, ranks, groups, banks_per_group, staggered) for _ in range(channels)]
        self.requesters: list[Requester] = []
        self.wakes = numbers([1] * channels)
        self.clock, self.waiting, self.asked, self.stops, self.stuck = 1, 0, 0, False, NONE

    def begin(self, number: int, blocks: Sequence[int], bursts: int, cycle: int) -> None:
        """Have a requester send bursts from its clock `cycle` on."""
        requester = self.requesters[number]
        requester.begin(blocks, bursts, self.asked, cycle)
        self.asked += bursts
        self.waiting += bursts

    def advance(self, until: int) -> list[Progress]:
        """Play what happens before clock `until`, but not beyond what is to be told, or a slice of it."""
        self.stops = False
        if len(self.channels) == 1:
            self.run_one(until)
        else:
            self.run_all(until)
        found: list[Progress] = []
        for requester in self.requesters:
            if requester.issued != NONE:
                found.append(Progress(requester.number, requester.issued, None))
                requester.issued = NONE
            while requester.complete():
                completion = Completion(requester.completed_issue, requester.retired, requester.retired)
                found.append(Progress(requester.number, None, completion))
        return found

    def is_over(self) -> bool:
        """True where there is something to be told, or nothing left."""
        return self.stops or not self.waiting or self.stuck >= 0

    def run_one(self, until: int) -> None:
        channel, clock = self.channels[0], self.clock
        for _ in range(SLICE):
            if clock >= until or self.stops or not self.waiting or self.stuck >= 0:
                break
            offer = NEVER
            for requester in self.requesters:
                if requester.offer < offer:
                    offer = requester.offer
            if offer < clock:
                offer = self.enter(clock)
                if self.is_over():
                    break
            if clock >= channel.refresh_at:
                channel.refresh_falls_due(clock)
            time = channel.choose(clock)
            if channel.half_open >= 0 and channel.opens_fully(time, clock):
                clock += 1
                continue
            if time == NEVER:
                channel.skip_refreshes(until if until < offer else offer)
            stop = until if until < channel.refresh_at else channel.refresh_at
            if time > offer or time >= stop:
                clock = time if time < stop else stop
                seen = self.enter_unnoticed(channel, clock)
                if seen <= clock or clock == stop:
                    clock = seen if seen < clock else clock
                    continue
            clock = self.issue(channel, 0, time)
        self.clock = clock

    def run_all(self, until: int) -> None:
        for _ in range(SLICE):
            if self.is_over():
                return
            clock = self.first_offer()
            clock = clock + 1 if clock < NEVER else clock
            for number in range(len(self.channels)):
                if self.wakes[number] < clock:
                    clock = self.wakes[number]
            if clock >= until:
                self.clock = until
                return
            self.enter(clock)
            for number in range(len(self.channels)):
                if self.wakes[number] <= clock:
                    self.wakes[number] = self.step(self.channels[number], number, clock, until)
            self.clock = clock + 1

    def step(self, channel: Channel, number: int, clock: int, until: int) -> int:
        """One clock of a channel; returns the next one at which something can happen unless a burst enters."""
        if clock >= channel.refresh_at:
            channel.refresh_falls_due(clock)
        time = channel.choose(clock)
        if channel.half_open >= 0 and channel.opens_fully(time, clock):
            return clock + 1
        if time > clock:
            if time == NEVER:
                offer = self.first_offer()
                channel.skip_refreshes(until if until < offer else offer)
            return time if time < channel.refresh_at else channel.refresh_at
        return self.issue(channel, number, time)

    def issue(self, channel: Channel, number: int, clock: int) -> int:
        """Do what a channel has chosen; returns its next clock to decide on."""
        after = channel.issue(clock)
        place = channel.served
        if place >= 0:
            requester = self.requesters[channel.queues.requester_of[place]]
            self.waiting -= 1
            if requester.served(channel.queues.burst_of[place], channel.queues.request_of[place], channel.served_end):
                self.stops = True
            channel.queues.vacate(place)
        elif channel.fruitless > channel.patience and channel.is_asked():
            self.stuck = number
        if channel.command != PRE:
            self.make_room(clock)
        return after

    def first_offer(self) -> int:
        """The first clock at which a burst can enter."""
        first = NEVER
        for requester in self.requesters:
            if requester.offer < first:
                first = requester.offer
        return first

    def enter(self, clock: int) -> int:
        """Let bursts enter before `clock`; returns when the next one can."""
        for requester in self.requesters:
            while requester.offer < clock:
                self.enter_one(requester)
        return self.first_offer()

    def enter_one(self, requester: Requester) -> None:
        """Let the next burst of a requester enter, or wait until there is room."""
        number, direction, clock = requester.channel, requester.direction, requester.offer
        channel = self.channels[number]
        if channel.queues.size[direction] >= channel.queues.entries:
            requester.offer = NEVER
            return
        if channel.queues.size[direction] + 1 == channel.queues.entries and len(self.requesters) > 1:
            requester = self.longest_waiting(requester)
            clock = requester.offer
        self.arrive(requester, channel, clock)
        if self.wakes[number] > clock + 1:
            free = channel.row_free if channel.row_free < channel.access_free else channel.access_free
            self.wakes[number] = free if free > clock + 1 else clock + 1
        if requester.entered(clock):
            self.stops = True
        elif (
            channel.queues.size[direction] >= channel.queues.entries
            and requester.channel == number
            and requester.direction == direction
        ):
            requester.offer = NEVER

    def longest_waiting(self, requester: Requester) -> Requester:
        """Requester whose last burst entered the longest time ago, among those who offer one to the same queue."""
        first = requester
        for other in self.requesters:
            is_there = other.channel == requester.channel and other.direction == requester.direction
            if is_there and other.offer <= requester.offer and other.last < first.last:
                first = other
        return first

    def arrive(self, requester: Requester, channel: Channel, clock: int) -> None:
        """A burst comes to its queue; a write that waits there answers for another burst of its address."""
        burst, request = requester.next, requester.requests - 1
        requester.end_of[burst & requester.mask] = 0
        channel.fruitless = 0
        if channel.queues.size[WRITE] and channel.queues.write_waits(requester.bank, requester.local):
            channel.answered += 1
            channel.queues.asked = True
            if clock + 1 > channel.end:
                channel.end = clock + 1
            self.waiting -= 1
            if requester.served(burst, request, clock + 1):
                self.stops = True
            return
        place = channel.queues.arrive(
            requester.direction, requester.bank, requester.row, requester.local, requester.age
        )
        channel.queues.requester_of[place] = requester.number
        channel.queues.burst_of[place], channel.queues.request_of[place] = burst, request

    def enter_unnoticed(self, channel: Channel, clock: int) -> int:
        """Let bursts enter before `clock` until one changes what is to be done; returns when that is seen, or NEVER."""
        channel.queues.asked = False
        while True:
            first = self.requesters[0]
            for requester in self.requesters:
                if requester.offer < first.offer:
                    first = requester
            if first.offer >= clock:
                return NEVER
            seen = first.offer + 1
            self.enter_one(first)
            if channel.queues.asked or self.stops or channel.queues.turn_is_due():
                return seen

    def make_room(self, clock: int) -> None:
        """After a command at `clock`, let those who waited for room try again."""
        for requester in self.requesters:
            if requester.offer == NEVER and requester.unissued:
                channel = self.channels[requester.channel]
                if channel.queues.size[requester.direction] < channel.queues.entries:
                    requester.room(clock)
