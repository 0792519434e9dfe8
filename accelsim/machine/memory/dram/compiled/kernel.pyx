# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""All channels of a DRAM and who sends bursts to them: `memory.py` and the engines of `command.py`, compiled."""

from cpython.exc cimport PyErr_CheckSignals
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

from math import prod

from accelsim.machine.memory.port import Completion, Progress

cdef extern from *:
    """
    static inline long long later(long long one, long long other) { return one > other ? one : other; }
    static inline void raise_to(long long *time, long long least) { if (*time < least) *time = least; }
    /* Exact beyond 64 bits; small numbers are divided faster. */
    static inline long long scaled_down(long long clock, long long numerator, long long denominator) {
        if ((unsigned long long) (clock | numerator) < 1ULL << 31) return clock * numerator / denominator;
        return (long long) ((__int128) clock * numerator / denominator);
    }
    static inline long long scaled_up(long long clock, long long numerator, long long denominator) {
        if ((unsigned long long) (clock | numerator | denominator) < 1ULL << 31)
            return (clock * numerator + denominator - 1) / denominator;
        return (long long) (((__int128) clock * numerator + denominator - 1) / denominator);
    }
    """
    long long later(long long one, long long other) noexcept nogil
    void raise_to(long long *time, long long least) noexcept nogil
    long long scaled_down(long long clock, long long numerator, long long denominator) noexcept nogil
    long long scaled_up(long long clock, long long numerator, long long denominator) noexcept nogil

cdef enum:
    READ = 0
    WRITE = 1
    NONE = -1
    CLOSED = -1

cdef long long NEVER = 1LL << 62
cdef long long CLOCKS_BETWEEN_SIGNALS = 1 << 20


cdef void *zeros(long long count, size_t size) except NULL:
    cdef void *found = calloc(later(count, 1), size)
    if found == NULL:
        raise MemoryError
    return found


cdef void *grown(void *old, long long count, size_t size) except NULL:
    cdef void *found = realloc(old, later(count, 1) * size)
    if found == NULL:
        raise MemoryError
    return found


cdef long long *numbers(long long count) except NULL:
    return <long long *> zeros(count, sizeof(long long))


include "banks.pxi"
include "scheduler.pxi"
include "channel.pxi"
include "senders.pxi"


cdef class Kernel:
    """A DRAM whose clocks are those of the commands; see `Memory`.

    timing, policy and address_map: of the device; ratio: array clocks and DRAM clocks in the same time, for two engines
    that read and write; None: one sender of a trace. logs: write all commands down.
    """

    cdef Channel *channels
    cdef int channel_count
    cdef long long *wakes
    cdef Sender[2] senders
    cdef int sender_count
    cdef bint engines, stops
    cdef long long[2] served
    cdef long long[2] stop_at
    cdef long long sent, clock, array_clocks, other_clocks, longest_delay, burst_bytes
    cdef Part[8] parts
    cdef int part_count

    def __cinit__(self, device, timing, policy, address_map, ratio=None, bint logs=False):
        organisation = device.organisation
        cdef int ranks = organisation.ranks * organisation.pseudo_channels, number
        self.engines = ratio is not None
        self.array_clocks, self.other_clocks = ratio or (1, 1)
        self.longest_delay = self.other_clocks // self.array_clocks + 1
        self.burst_bytes, self.part_count = address_map.burst_bytes, find_parts(self.parts, address_map)
        self.clock = 1
        self.stop_at[READ] = self.stop_at[WRITE] = NEVER
        self.channels = <Channel *> zeros(organisation.channels, sizeof(Channel))
        self.wakes = numbers(organisation.channels)
        for number in range(organisation.channels):
            self.channels[number] = new_channel(
                timing,
                policy,
                ranks,
                organisation.bank_groups,
                organisation.banks_per_group,
                device.refresh == "staggered",
                logs,
            )
            self.channels[number].served = self.served
            self.channel_count, self.wakes[number] = number + 1, 1
        for number in range(2 if self.engines else 1):
            self.senders[number] = new_sender(self.channel_count)
            self.sender_count = number + 1

    def __dealloc__(self):
        cdef int number
        for number in range(self.channel_count):
            free_channel(&self.channels[number])
        for number in range(self.sender_count):
            free_sender(&self.senders[number])
        free(self.channels)
        free(self.wakes)

    def play(self, const long long[::1] directions, const long long[::1] addresses):
        """Send bursts to these byte addresses, in this order, and play until all have been served."""
        cdef long long place
        with_space(&self.senders[0], len(addresses))
        for place in range(len(addresses)):
            self.expect(&self.senders[0], directions[place], addresses[place] // self.burst_bytes)
        if len(addresses):
            self.senders[0].offer = 0
        while self.served[READ] + self.served[WRITE] < self.sent:
            self.run(self.clock + CLOCKS_BETWEEN_SIGNALS)
            PyErr_CheckSignals()

    def begin(self, int direction, blocks, long long window, long long cycle):
        """Have an engine send the bursts of blocks from array clock `cycle` on."""
        cdef Sender *sender = &self.senders[direction]
        cdef long long first = sender.count, start, stride, row_bytes, burst, last, row, rows
        for start, rows, row_bytes, stride in blocks:
            for row in range(rows):
                burst, last = start // self.burst_bytes, (start + row_bytes - 1) // self.burst_bytes
                with_space(sender, last - burst + 1)
                while burst <= last:
                    self.expect(sender, direction, burst)
                    burst += 1
                start += stride
        if sender.count == first:
            raise ValueError("a transfer without bursts")
        add_transfer(sender, first)
        if sender.transfers - sender.transfers_ended == 1:
            self.stop_at[direction] = sender.count
        sender.window, sender.cycle = window, cycle
        self.room(sender, 0)

    def advance(self, long long until):
        """Play what happens before clock `until`, or until something is known; returns `Progress`."""
        cdef int direction
        cdef Sender *sender
        reports = []
        while not reports and self.clock < until and self.served[READ] + self.served[WRITE] < self.sent:
            self.run(until)
            for direction in range(2):
                sender = &self.senders[direction]
                if sender.issued != NONE:
                    reports.append(Progress(direction, sender.issued, None))
                    sender.issued = NONE
                if self.served[direction] >= self.stop_at[direction]:
                    self.report_ends(direction, reports)
        return reports

    @property
    def end(self):
        """The clock at which the last data beat ended."""
        return max([self.channels[number].end for number in range(self.channel_count)])

    def accesses(self):
        """RD and WR commands of each channel."""
        return [
            self.channels[number].accesses[READ] + self.channels[number].accesses[WRITE]
            for number in range(self.channel_count)
        ]

    def counts(self, long long clocks):
        """The fields of `DramCounts` of each channel, in so many clocks."""
        return [counts_of(&self.channels[number], clocks) for number in range(self.channel_count)]

    def data(self, int number):
        """(direction, bank, end of its data) of each burst that a channel has moved."""
        cdef Bursts *bursts
        cdef long long burst
        cdef int direction
        found = []
        for direction in range(2):
            bursts = &self.channels[number].bursts[direction]
            for burst in range(bursts.count):
                if bursts.end[burst] and not bursts.answered[burst]:
                    found.append((direction, bursts.bank[burst], bursts.end[burst]))
        return found

    def log(self, int number):
        """(clock, command, bank, row) of each command of a channel, if it was to be written down."""
        cdef Issued issued
        cdef long long place
        found = []
        for place in range(self.channels[number].issued_count):
            issued = self.channels[number].issued[place]
            found.append((issued.clock, LOGGED[issued.command], issued.bank, issued.row))
        return found

    # Bursts that will be sent.

    cdef int expect(self, Sender *sender, int direction, long long burst) except -1:
        """Write a burst down; the sender has space for it."""
        cdef long long value, row = 0, local = 0
        cdef int number, bank = 0, channel = 0
        cdef const Part *part
        cdef Bursts *bursts
        for number in range(self.part_count):
            part = &self.parts[number]
            if part.shift >= 0:
                value, burst = burst & (part.size - 1), burst >> part.shift
            else:
                value, burst = burst % part.size, burst // part.size
            channel += value * part.of_channel
            bank += value * part.of_bank
            row += value * part.of_row
            local += value * part.of_local
        bursts = &self.channels[channel].bursts[direction]
        more_bursts(bursts)
        bursts.bank[bursts.count], bursts.row[bursts.count], bursts.local[bursts.count] = bank, row, local
        bursts.age[bursts.count], bursts.end[bursts.count], bursts.answered[bursts.count] = self.sent, 0, False
        sender.channel[sender.count], sender.direction[sender.count] = channel, direction
        sender.number[sender.count] = bursts.count
        sender.count += 1
        bursts.count += 1
        self.sent += 1
        return 0

    # Senders.

    cdef long long end_of(self, const Sender *sender, long long place) noexcept nogil:
        """When the data of a burst ended, 0 where that is not known yet."""
        return self.channels[sender.channel[place]].bursts[sender.direction[place]].end[sender.number[place]]

    cdef void room(self, Sender *sender, long long clock) noexcept nogil:
        """There is room for the next burst from `clock` on."""
        cdef long long offer = later(clock, sender.free[sender.channel[sender.next]]), before, end
        if self.engines:
            offer = later(offer, scaled_up(sender.cycle, self.other_clocks, self.array_clocks))
            before = sender.next - sender.window
            if before >= 0:
                end = self.end_of(sender, before)
                if not end:
                    offer = NEVER
                elif end + self.longest_delay > offer:
                    end = scaled_up(end, self.array_clocks, self.other_clocks)
                    offer = later(offer, scaled_up(end, self.other_clocks, self.array_clocks))
        sender.offer = offer

    cdef void entered(self, Sender *sender, long long clock) noexcept nogil:
        """The next burst has entered its queue."""
        sender.free[sender.channel[sender.next]] = clock + 1
        sender.next += 1
        if self.engines:
            sender.cycle = scaled_down(clock, self.array_clocks, self.other_clocks) + 1
        if sender.next < sender.count:
            self.room(sender, 0 if self.engines else clock)
            return
        sender.offer = NEVER
        if self.engines:
            sender.transfer[sender.transfers - 1].issued = sender.issued = sender.cycle
            self.stops = True

    cdef int report_ends(self, int direction, list reports) except -1:
        """Report the transfers whose bursts have all been served; one ends no earlier than those before it."""
        cdef Sender *sender = &self.senders[direction]
        cdef Transfer *transfer
        cdef long long place, end, last
        while sender.transfers_ended < sender.transfers:
            transfer, last = &sender.transfer[sender.transfers_ended], 0
            for place in range(transfer.first, transfer.end):
                end = self.end_of(sender, place)
                if not end:
                    self.stop_at[direction] = later(transfer.end, self.served[direction] + 1)
                    return 0
                last = later(last, end)
            sender.retired = later(sender.retired, scaled_up(last, self.array_clocks, self.other_clocks))
            reports.append(
                Progress(direction, None, Completion(transfer.issued, sender.retired, sender.retired))
            )
            sender.transfers_ended += 1
        self.stop_at[direction] = NEVER
        return 0

    # The run.

    cdef bint is_over(self) noexcept nogil:
        """Whether there is something to be reported, or nothing left."""
        return (
            self.stops
            or self.served[READ] >= self.stop_at[READ]
            or self.served[WRITE] >= self.stop_at[WRITE]
            or self.served[READ] + self.served[WRITE] == self.sent
        )

    cdef void run(self, long long until) noexcept nogil:
        """Play what happens before clock `until`, but not beyond the last burst, `stop_at` or `stops`."""
        self.stops = False
        if self.channel_count == 1:
            self.run_one(until)
        else:
            self.run_all(until)

    cdef void run_one(self, long long until) noexcept nogil:
        cdef Channel *channel = self.channels
        cdef Choice choice
        cdef long long clock = self.clock, offer, time, stop, seen
        while clock < until and not self.is_over():
            offer = self.first_offer()
            if offer < clock:
                offer = self.enter(clock)
                if self.is_over():
                    break
            if clock >= channel.refresh_at:
                refresh_falls_due(channel, clock)
            choice = choose_of_two(channel, clock) if channel.timing.separate_row_bus else choose(channel, clock)
            time = choice.clock
            if opens_fully(channel, &choice, clock):
                clock += 1
                continue
            stop = min(until, channel.refresh_at)
            if time > offer or time >= stop:
                clock = min(time, stop)
                seen = self.enter_unnoticed(channel, clock)
                if seen <= clock or clock == stop:
                    clock = min(seen, clock)
                    continue
            clock = issue(channel, &choice)
            if choice.command != PRE:
                self.make_room(time)
        self.clock = clock

    cdef void run_all(self, long long until) noexcept nogil:
        cdef long long clock
        cdef int number
        while not self.is_over():
            clock = self.first_offer() + 1
            for number in range(self.channel_count):
                clock = min(clock, self.wakes[number])
            if clock >= until:
                self.clock = until
                return
            self.enter(clock)
            for number in range(self.channel_count):
                if self.wakes[number] <= clock:
                    self.wakes[number] = self.step(&self.channels[number], clock)
            self.clock = clock + 1

    cdef long long step(self, Channel *channel, long long clock) noexcept nogil:
        """One clock of a channel; returns the next one at which something can happen unless a burst enters."""
        cdef Choice choice
        cdef long long after
        if clock >= channel.refresh_at:
            refresh_falls_due(channel, clock)
        choice = choose_of_two(channel, clock) if channel.timing.separate_row_bus else choose(channel, clock)
        if opens_fully(channel, &choice, clock):
            return clock + 1
        if choice.clock > clock:
            return min(choice.clock, channel.refresh_at)
        after = issue(channel, &choice)
        self.make_room(clock)
        return after

    cdef long long first_offer(self) noexcept nogil:
        """The first clock at which a burst can enter."""
        if self.sender_count == 1:
            return self.senders[0].offer
        return min(self.senders[0].offer, self.senders[1].offer)

    cdef long long enter(self, long long clock) noexcept nogil:
        """Let bursts enter before `clock`; returns when the next one can."""
        cdef int number
        for number in range(self.sender_count):
            while self.senders[number].offer < clock:
                self.enter_one(&self.senders[number])
        return self.first_offer()

    cdef void enter_one(self, Sender *sender) noexcept nogil:
        """Let the next burst of a sender enter, or wait until there is room."""
        cdef int number = sender.channel[sender.next], direction = sender.direction[sender.next]
        cdef long long clock = sender.offer
        cdef Channel *channel = &self.channels[number]
        if channel.queues.size[direction] >= channel.queues.entries:
            sender.offer = NEVER
            return
        arrive(channel, direction, clock)
        if self.wakes[number] > clock + 1:
            self.wakes[number] = later(clock + 1, min(channel.row_free, channel.access_free))
        self.entered(sender, clock)
        if sender.offer < NEVER and channel.queues.size[direction] >= channel.queues.entries:
            if sender.channel[sender.next] == number and sender.direction[sender.next] == direction:
                sender.offer = NEVER

    cdef long long enter_unnoticed(self, Channel *channel, long long clock) noexcept nogil:
        """Let bursts enter before `clock` until one changes what is to be done; returns when that is seen, or NEVER."""
        cdef Sender *sender
        cdef long long seen
        channel.queues.asked = False
        while True:
            sender = &self.senders[0]
            if self.sender_count == 2 and self.senders[1].offer < sender.offer:
                sender = &self.senders[1]
            if sender.offer >= clock:
                return NEVER
            seen = sender.offer + 1
            self.enter_one(sender)
            if channel.queues.asked or self.stops or turn_is_due(&channel.queues):
                return seen

    cdef void make_room(self, long long clock) noexcept nogil:
        """After a command at `clock`, let those who waited for room try again."""
        cdef Sender *sender
        cdef const Queues *queues
        cdef int number
        for number in range(self.sender_count):
            sender = &self.senders[number]
            if sender.offer == NEVER and sender.next < sender.count:
                queues = &self.channels[sender.channel[sender.next]].queues
                if queues.size[sender.direction[sender.next]] < queues.entries:
                    self.room(sender, clock)
