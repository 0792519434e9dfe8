"""All channels of a DRAM, and who sends bursts to them.

Senders keep to their order: each clock the first burst enters the queue of its channel and direction if that has room,
else it holds up all behind it. What enters at a clock is seen by the channel's scheduler one clock later.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from accelsim.config.dram import CommandDevice
from accelsim.machine.memory.dram.address import AddressMap, Places
from accelsim.machine.memory.dram.channel import Channel, Issued
from accelsim.machine.memory.dram.scheduler import NEVER, PRE
from accelsim.machine.memory.dram.statistics import DramCounts
from accelsim.machine.memory.port import BusSpan

Numbers = npt.NDArray[np.int64]


def _offer(sender: Sender) -> int:
    return sender.offer


class Sender:
    """Bursts in the order in which they are sent, at most one a clock to each channel.

    offer: the first clock at which the next one can enter its queue; NEVER if there is none, or no room for it.
    """

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.channel_of: list[int] = []
        self.direction_of: list[int] = []
        self.next = 0
        self.offer = NEVER
        self.free = [0] * len(memory.channels)

    def send(self, directions: Numbers, addresses: Numbers, clock: int) -> None:
        """Have bursts sent to these byte addresses, in this order and not before `clock`."""
        first = len(self.channel_of)
        channels = self.memory.expect(directions, addresses)
        self.channel_of.extend(channels.tolist())
        self.direction_of.extend(directions.tolist())
        if self.next == first and len(channels):
            self.offer = max(clock, self.free[self.channel_of[first]])

    def entered(self, clock: int) -> None:
        """The next burst has entered its queue."""
        channel = self.channel_of[self.next]
        self.free[channel] = clock + 1
        self.next += 1
        if self.next == len(self.channel_of):
            self.offer = NEVER
        elif self.channel_of[self.next] == channel:
            self.offer = clock + 1
        else:
            self.offer = max(clock, self.free[self.channel_of[self.next]])

    def room(self, clock: int) -> None:
        """There is room for the next burst from `clock` on."""
        self.offer = max(clock, self.free[self.channel_of[self.next]])

    def goes_on(self, channel: int, direction: int) -> bool:
        """Whether the next burst is offered, and to this queue."""
        place = self.next
        return self.offer < NEVER and self.channel_of[place] == channel and self.direction_of[place] == direction


class Memory:
    """A DRAM of one or more channels; its clocks are those of the commands.

    served: bursts served of each direction; stop_at: play no further once so many are; stops: no further than now.
    """

    def __init__(self, device: CommandDevice, *, logs: list[list[Issued]] | None = None) -> None:
        self.device = device
        self.address_map = AddressMap.of(device)
        self.served = [0, 0]
        self.sent = 0
        self.channels = [
            Channel(device, self.served, logs[number] if logs else None)
            for number in range(device.organisation.channels)
        ]
        self.senders: list[Sender] = []
        self.stop_at = [NEVER, NEVER]
        self.stops = False
        self.clock = 1
        self._wakes = [1] * len(self.channels)

    def expect(self, directions: Numbers, addresses: Numbers) -> Numbers:
        """Write down bursts that will be sent; returns their channels."""
        places = self.address_map.places(addresses)
        ages = np.arange(self.sent, self.sent + len(addresses))
        self.sent += len(addresses)
        for direction in set(directions.tolist()):
            for number, channel in enumerate(self.channels):
                here = (places.channel == number) & (directions == direction)
                channel.expect(direction, Places(*(part[here] for part in places)), ages[here].tolist())
        return places.channel

    def run(self, until: int) -> None:
        """Play what happens before clock `until`, but not beyond the last burst, `stop_at` or `stops`."""
        self.stops = False
        if len(self.channels) == 1:
            self._run_one(until)
        else:
            self._run_all(until)

    def finish(self) -> None:
        """Play until every burst has been served."""
        self.run(NEVER)

    @property
    def end(self) -> int:
        """The clock at which the last data beat ended."""
        return max(channel.end for channel in self.channels)

    def counts(self, clocks: int) -> DramCounts:
        """What was done, in so many clocks."""
        first, *others = (channel.counts(clocks) for channel in self.channels)
        return sum(others, first)

    def bus_spans(self) -> list[list[BusSpan]]:
        """When each data bus moved what."""
        return [spans for channel in self.channels for spans in channel.bus_spans()]

    def _run_one(self, until: int) -> None:
        channel, clock, senders = self.channels[0], self.clock, self.senders
        while clock < until and not self._is_over():
            offer = senders[0].offer
            for sender in senders:
                if sender.offer < offer:
                    offer = sender.offer
            if offer < clock:
                offer = self._enter(clock)
                if self._is_over():
                    break
            if clock >= channel.refresh_at:
                channel.refresh_falls_due(clock)
            choice = channel.choose(clock)
            time = choice[0]
            if channel.half_open >= 0 and channel.opens_fully(choice, clock):
                clock += 1
                continue
            stop = until if until < channel.refresh_at else channel.refresh_at
            if time > offer or time >= stop:
                clock = min(time, stop)
                seen = self._enter_unnoticed(channel, clock)
                if seen <= clock or clock == stop:
                    clock = min(seen, clock)
                    continue
            clock = channel.issue(choice)
            if choice[2] != PRE:
                self._make_room(time)
        self.clock = clock

    def _is_over(self) -> bool:
        """Whether there is something to be reported, or nothing left."""
        (reads, writes), (read_stop, write_stop) = self.served, self.stop_at
        return self.stops or reads >= read_stop or writes >= write_stop or reads + writes == self.sent

    def _run_all(self, until: int) -> None:
        wakes, channels = self._wakes, self.channels
        while not self._is_over():
            clock = min(min(map(_offer, self.senders)) + 1, *wakes)
            if clock >= until:
                self.clock = until
                return
            self._enter(clock)
            for number, channel in enumerate(channels):
                if wakes[number] <= clock:
                    wakes[number] = self._step(channel, clock)
            self.clock = clock + 1

    def _step(self, channel: Channel, clock: int) -> int:
        """One clock of a channel; returns the next one at which something can happen unless a burst enters."""
        if clock >= channel.refresh_at:
            channel.refresh_falls_due(clock)
        choice = channel.choose(clock)
        if channel.half_open >= 0 and channel.opens_fully(choice, clock):
            return clock + 1
        if choice[0] > clock:
            return min(choice[0], channel.refresh_at)
        after = channel.issue(choice)
        self._make_room(clock)
        return after

    def _enter(self, clock: int) -> int:
        """Let bursts enter before `clock`; returns when the next one can."""
        first = NEVER
        for sender in self.senders:
            while sender.offer < clock:
                self._enter_one(sender)
            if sender.offer < first:
                first = sender.offer
        return first

    def _enter_one(self, sender: Sender) -> None:
        """Let the next burst of a sender enter, or wait until there is room."""
        number, direction, clock = sender.channel_of[sender.next], sender.direction_of[sender.next], sender.offer
        channel = self.channels[number]
        scheduler = channel.scheduler
        if scheduler.size[direction] >= scheduler.entries:
            sender.offer = NEVER
            return
        channel.arrive(direction, clock)
        if self._wakes[number] > clock + 1:
            self._wakes[number] = max(clock + 1, min(channel.row_free, channel.access_free))
        sender.entered(clock)
        if scheduler.size[direction] >= scheduler.entries and sender.goes_on(number, direction):
            sender.offer = NEVER

    def _enter_unnoticed(self, channel: Channel, clock: int) -> int:
        """Let bursts enter before `clock` until one changes what is to be done; returns when that is seen, or NEVER."""
        scheduler = channel.scheduler
        scheduler.asked = False
        while True:
            sender = self.senders[0] if len(self.senders) == 1 else min(self.senders, key=_offer)
            if sender.offer >= clock:
                return NEVER
            seen = sender.offer + 1
            self._enter_one(sender)
            if scheduler.asked or self.stops or scheduler.turn_is_due():
                return seen

    def _make_room(self, clock: int) -> None:
        """After a command at `clock`, let those who waited for room try again."""
        for sender in self.senders:
            if sender.offer == NEVER and sender.next < len(sender.channel_of):
                waited_for = self.channels[sender.channel_of[sender.next]].scheduler
                if waited_for.size[sender.direction_of[sender.next]] < waited_for.entries:
                    sender.room(clock)
