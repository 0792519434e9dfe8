"""The memory controller of a DRAM: all channels, and the requesters whose bursts meet in their queues.

What enters a queue at a clock is seen by its channel one clock later.
"""

from __future__ import annotations

from collections.abc import Sequence

from accelsim.machine.memory.dram.kernel import LAYOUT
from accelsim.machine.memory.dram.kernel.channel import PRE, Channel
from accelsim.machine.memory.dram.kernel.lines import Lines
from accelsim.machine.memory.dram.kernel.queues import NEVER, NONE, UNKNOWN
from accelsim.machine.memory.dram.kernel.requester import Requester
from accelsim.machine.memory.dram.policy import Policy
from accelsim.machine.memory.dram.timing import WRITE, Timing
from accelsim.machine.memory.integers import filled, lowest, numbers, scaled_up
from accelsim.machine.memory.port import Completion, Progress

__all__ = ["LAYOUT", "Controller", "Lines", "Requester"]

SLICE = 1 << 14
"""Steps of a run, after which it comes back, for others to look whether to go on."""


class Controller(Lines):
    """Channels whose clocks are those of the commands; waiting: bursts asked for and not yet served.

    offers: of each requester when its next burst can enter, `soonest` the first of these, UNKNOWN until it is looked
    for; held: some may wait for that to be known.
    news, last_news: the first and last one of whom something is to be told.
    last_clock, last_cycle: the last that is played, and the last of the array at which something is asked for.
    """

    __slots__ = (
        "array_clocks", "asked", "channels", "clock", "held", "last_clock", "last_cycle", "last_news", "late", "news",
        "offers", "other_clocks", "requesters", "soonest", "stops", "stuck", "waiting", "wakes",
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
        super().__init__()
        self.channels = [Channel(timing, policy, ranks, groups, banks_per_group, staggered) for _ in range(channels)]
        self.requesters: list[Requester] = []
        self.offers, self.soonest, self.held = numbers([]), UNKNOWN, False
        self.news, self.last_news = 0, NONE
        self.wakes = numbers([1] * channels)
        self.clock, self.waiting, self.asked, self.stops, self.stuck = 1, 0, 0, False, NONE
        self.array_clocks = self.other_clocks = 1
        self.last_clock = self.last_cycle = NEVER - 1
        self.late = NONE

    def keep_time(self, ratio: tuple[int, int], last_clock: int, last_cycle: int) -> None:
        """Set how the clocks of the array, by which lines are asked for, stand to those of the DRAM, and their ends."""
        self.array_clocks, self.other_clocks = ratio
        self.last_clock, self.last_cycle = last_clock, last_cycle

    def begin(self, number: int, blocks: Sequence[int], bursts: int, cycle: int) -> None:
        """Have a requester send bursts from its clock `cycle` on."""
        requester = self.requesters[number]
        self.know_all()
        requester.begin(blocks, bursts, self.asked, cycle)
        self.offered(requester)
        self.asked += bursts
        self.waiting += bursts

    def know_all(self) -> None:
        """Have room for the offers of all requesters."""
        if len(self.offers) < len(self.requesters):
            self.offers, self.soonest = filled(len(self.requesters), NEVER), NEVER
            for requester in self.requesters:
                self.offered(requester)

    def offered(self, requester: Requester) -> None:
        """Note when the next burst of a requester can enter, or that it is held until there is room."""
        self.note(requester)
        if requester.offer == NEVER and requester.unissued:
            self.held = True

    def note(self, requester: Requester) -> None:
        """Note when the next burst of a requester can enter."""
        number, offer = requester.number, requester.offer
        before, self.offers[number] = self.offers[number], offer
        if offer < self.soonest:
            self.soonest = offer
        elif before == self.soonest:
            self.soonest = UNKNOWN

    def first_offer(self) -> int:
        """The clock at which the next burst can enter."""
        if self.soonest == UNKNOWN:
            self.soonest = lowest(self.offers)
        return self.soonest

    def ask(self, requester: int, address: int, size: int, cycle: int, quiet: bool) -> bool:
        """See `Lines`."""
        if cycle > self.last_cycle:
            self.late, self.fails = cycle, True
            return False
        self.send(requester, address, size, cycle, quiet)
        return False

    def send(self, number: int, address: int, size: int, cycle: int, quiet: bool) -> None:
        """Have a requester send the bursts of some bytes."""
        requester = self.requesters[number]
        self.know_all()
        requester.send(address, size, self.asked, cycle, quiet)
        self.offered(requester)
        self.asked += requester.unissued
        self.waiting += requester.unissued

    def reach(self, cycle: int) -> bool:
        """See `Lines`."""
        until = NEVER
        if cycle <= self.last_cycle:
            until = scaled_up(cycle, self.other_clocks, self.array_clocks) + 1
        if self.clock >= until or not self.waiting:
            return True
        self.play(until)
        self.fails = self.stuck >= 0 or self.clock > self.last_clock
        return self.clock >= until or not self.waiting

    def tells(self) -> bool:
        """See `Lines`."""
        self.stops = self.stops and self.tell()
        return self.stops

    def tell(self) -> bool:
        """Find the next thing to be told."""
        while self.news <= self.last_news:
            requester = self.requesters[self.news]
            if requester.issued != NONE:
                self.teller, self.issued, self.done = requester.number, requester.issued, NONE
                requester.issued = NONE
                return True
            if requester.complete():
                self.teller, self.issued, self.done = requester.number, NONE, requester.retired
                return True
            self.news += 1
        return False

    def has_news(self, requester: Requester) -> None:
        """There is something to be told of a requester."""
        number = requester.number
        if not self.stops:
            self.news = self.last_news = number
        elif number < self.news:
            self.news = number
        elif number > self.last_news:
            self.last_news = number
        self.stops = True

    def play(self, until: int) -> None:
        """Play what happens before clock `until`, but not beyond what is to be told, or a slice of it."""
        self.stops = False
        if len(self.channels) == 1:
            self.run_one(until)
        else:
            self.run_all(until)

    def advance(self, until: int) -> list[Progress]:
        """Play, as `play` does, and list what is to be told."""
        self.play(until)
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
            offer = self.first_offer()
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
                channel.skip_refreshes(self.quiet_until(until))
            return time if time < channel.refresh_at else channel.refresh_at
        return self.issue(channel, number, time)

    def quiet_until(self, until: int) -> int:
        """The clock, `until` at most, before which no burst comes to a channel that has none: where another one has
        some, not before its next command, which may make room for more, or be told."""
        offer = self.first_offer()
        clock = until if until < offer else offer
        for number in range(len(self.channels)):
            channel = self.channels[number]
            if (channel.is_asked() or channel.queues.opens) and self.wakes[number] < clock:
                clock = self.wakes[number]
        return clock

    def issue(self, channel: Channel, number: int, clock: int) -> int:
        """Do what a channel has chosen; returns its next clock to decide on."""
        after = channel.issue(clock)
        place, queues = channel.served, channel.queues
        if place >= 0:
            requester = self.requesters[queues.requester_of[place]]
            self.waiting -= 1
            if requester.served(queues.burst_of[place], queues.request_of[place], channel.served_end):
                self.has_news(requester)
            queues.vacate(place)
        elif channel.fruitless > channel.patience and channel.is_asked():
            self.stuck = number
        if self.held and channel.command != PRE:
            self.make_room(clock)
        return after

    def enter(self, clock: int) -> int:
        """Let bursts enter before `clock`; returns when the next one can."""
        for number in range(len(self.offers)):
            while self.offers[number] < clock:
                self.enter_one(self.requesters[number])
        return self.first_offer()

    def enter_one(self, requester: Requester) -> None:
        """Let the next burst of a requester enter, or wait until there is room."""
        number, direction, clock = requester.channel, requester.direction, requester.offer
        channel = self.channels[number]
        queues = channel.queues
        if queues.size[direction] >= queues.entries:
            requester.offer = NEVER
            self.offered(requester)
            return
        if queues.size[direction] + 1 == queues.entries and len(self.requesters) > 1:
            requester = self.longest_waiting(requester)
            clock = requester.offer
        self.arrive(requester, channel, clock)
        if self.wakes[number] > clock + 1:
            free = channel.row_free if channel.row_free < channel.access_free else channel.access_free
            self.wakes[number] = free if free > clock + 1 else clock + 1
        if requester.entered(clock):
            self.has_news(requester)
        elif (
            queues.size[direction] >= queues.entries
            and requester.channel == number
            and requester.direction == direction
        ):
            requester.offer = NEVER
        self.offered(requester)

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
        queues, burst, request = channel.queues, requester.next, requester.requests - 1
        requester.end_of[burst & requester.mask] = 0
        channel.fruitless = 0
        if queues.size[WRITE] and queues.write_waits(requester.bank, requester.local):
            channel.answered += 1
            queues.asked = True
            if clock + 1 > channel.end:
                channel.end = clock + 1
            self.waiting -= 1
            if requester.served(burst, request, clock + 1):
                self.has_news(requester)
            return
        place = queues.arrive(requester.direction, requester.bank, requester.row, requester.local, requester.age)
        queues.requester_of[place] = requester.number
        queues.burst_of[place], queues.request_of[place] = burst, request

    def enter_unnoticed(self, channel: Channel, clock: int) -> int:
        """Let bursts enter before `clock` until one changes what is to be done; returns when that is seen, or NEVER."""
        channel.queues.asked = False
        while True:
            offer = self.first_offer()
            if offer >= clock:
                return NEVER
            seen, number = offer + 1, 0
            while self.offers[number] != offer:
                number += 1
            self.enter_one(self.requesters[number])
            if channel.queues.asked or self.stops or channel.queues.turn_is_due():
                return seen

    def make_room(self, clock: int) -> None:
        """After a command at `clock`, let those who waited for room try again."""
        self.held = False
        for requester in self.requesters:
            if requester.offer == NEVER and requester.unissued:
                channel = self.channels[requester.channel]
                if channel.queues.size[requester.direction] < channel.queues.entries:
                    requester.room(clock)
                    self.note(requester)
                if requester.offer == NEVER:
                    self.held = True
