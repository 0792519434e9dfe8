# A channel, as in `channel.py`: does what its scheduler chooses, and refreshes.

cdef enum Logged:
    LOG_ACT, LOG_ACT2, LOG_PRE, LOG_PREA, LOG_REF, LOG_RD, LOG_WR, LOG_CAS

LOGGED = ("ACT", "ACT2", "PRE", "PREA", "REF", "RD", "WR", "CAS")


cdef struct Issued:
    long long clock, row
    int command, bank


cdef struct Channel:
    Timing timing
    Banks banks
    Queues queues
    Bursts[2] bursts
    long long row_free, access_free
    long long *next_refresh
    long long refresh_at
    int *refresh_due
    int refreshes_due, refresh_room
    int half_open
    long long half_open_until, data_clock_until
    long long[2] arrived
    long long *queued_writes
    int writes_queued
    long long end
    long long *served
    long long[2] accesses
    int last_direction
    long long turnarounds, activates, conflicts, refreshes, answered
    char *closed_for_burst
    bint logs
    long long issued_count, issued_room
    Issued *issued


cdef Channel new_channel(timing, policy, int ranks, int groups, int banks_per_group, bint staggered, bint logs) except *:
    """A channel in which nothing was done yet."""
    cdef Channel channel
    cdef int rank
    memset(&channel, 0, sizeof(Channel))
    channel.timing = timing_of(timing)
    channel.banks = new_banks(&channel.timing, ranks, groups, banks_per_group)
    channel.queues = new_queues(channel.banks.count, policy)
    channel.row_free = channel.access_free = 1
    channel.next_refresh = numbers(ranks)
    channel.refresh_at = NEVER
    for rank in range(ranks):
        channel.next_refresh[rank] = channel.timing.refresh_interval
        if staggered:
            channel.next_refresh[rank] = channel.timing.refresh_interval * (rank + 1) // ranks
        channel.refresh_at = min(channel.refresh_at, channel.next_refresh[rank])
    channel.refresh_due, channel.refresh_room = <int *> zeros(ranks, sizeof(int)), ranks
    channel.half_open = channel.last_direction = NONE
    channel.queued_writes = numbers(policy.entries)
    channel.closed_for_burst = <char *> zeros(channel.banks.count, 1)
    channel.logs = logs
    return channel


cdef void free_channel(Channel *channel) noexcept:
    cdef int direction
    free_banks(&channel.banks)
    free_queues(&channel.queues)
    for direction in range(2):
        free_bursts(&channel.bursts[direction])
    free(channel.next_refresh)
    free(channel.refresh_due)
    free(channel.queued_writes)
    free(channel.closed_for_burst)
    free(channel.issued)


cdef void log(Channel *channel, long long clock, int command, int bank, long long row) noexcept nogil:
    """Write a command down, if asked to; the log is for tests, and ends where there is no memory for more."""
    cdef void *more
    if not channel.logs:
        return
    if channel.issued_count == channel.issued_room:
        channel.issued_room = later(1024, 2 * channel.issued_room)
        more = realloc(channel.issued, channel.issued_room * sizeof(Issued))
        if more == NULL:
            channel.logs = False
            return
        channel.issued = <Issued *> more
    channel.issued[channel.issued_count] = Issued(clock, row, command, bank)
    channel.issued_count += 1


# Bursts.


cdef inline int place_of_write(const Channel *channel, long long local) noexcept nogil:
    """Where a write to this address waits, NONE if none does."""
    cdef int place
    for place in range(channel.writes_queued):
        if channel.queued_writes[place] == local:
            return place
    return NONE


cdef inline void no_longer_waits(Channel *channel, long long number) noexcept nogil:
    """A write leaves its queue."""
    channel.writes_queued -= 1
    channel.queued_writes[place_of_write_in(channel, channel.bursts[WRITE].local[number])] = (
        channel.queued_writes[channel.writes_queued]
    )


cdef inline int place_of_write_in(const Channel *channel, long long local) noexcept nogil:
    """Where a write that waits stands."""
    cdef int place = 0
    while channel.queued_writes[place] != local:
        place += 1
    return place


cdef void arrive(Channel *channel, int direction, long long clock) noexcept nogil:
    """The next burst of a direction comes at this clock; a write that waits answers for another of its address."""
    cdef long long number = channel.arrived[direction]
    cdef Bursts *bursts = &channel.bursts[direction]
    channel.arrived[direction] += 1
    if channel.writes_queued and place_of_write(channel, bursts.local[number]) >= 0:
        channel.served[direction] += 1
        channel.answered += 1
        bursts.answered[number] = True
        bursts.end[number] = clock + 1
        channel.end = later(channel.end, clock + 1)
        channel.queues.asked = True
        return
    if direction == WRITE:
        channel.queued_writes[channel.writes_queued] = bursts.local[number]
        channel.writes_queued += 1
    queue_up(&channel.queues, &channel.banks, channel.bursts, direction, number)


# Commands.


cdef Choice refreshing(const Channel *channel, long long clock) noexcept nogil:
    """What comes next in refreshing a rank: bursts for which rows were opened, PRE of all banks, REF."""
    cdef const Banks *banks = &channel.banks
    cdef int rank = channel.refresh_due[0], place, bank
    cdef long long soonest = later(clock, banks.pre_rank[rank])
    if not banks.open_banks[rank]:
        return Choice(later(clock, banks.refresh_rank[rank]), NEVER, REFRESH, rank)
    for place in range(channel.queues.opens):
        if banks.rank_of[channel.queues.opened[place]] == rank:
            return Choice(NEVER, NEVER, WAIT, NONE)
    for bank in range(rank * banks.banks_of_rank, (rank + 1) * banks.banks_of_rank):
        soonest = later(soonest, banks.pre_bank[bank])
    return Choice(soonest, NEVER, PRE_ALL, rank)


cdef Choice choose(Channel *channel, long long clock) noexcept nogil:
    """The next command, at `clock` or later."""
    cdef Queues *queues = &channel.queues
    cdef const Banks *banks = &channel.banks
    cdef Choice opened = queues.next_opened, best, other
    if opened.clock < clock:
        opened = first_opened(queues, banks, clock)
    if opened.clock == clock:
        return opened
    if channel.refreshes_due:
        best = refreshing(channel, clock)
        return best if comes_before(&best, &opened) else opened
    if turn_is_due(queues):
        queues.direction = 1 - queues.direction
        ask_anew(queues, banks, channel.bursts)
    best = queues.next_hit
    if best.clock < clock:
        best = first_hit(queues, banks, clock)
    other = queues.next_pre
    if other.clock < clock:
        other = first_pre(queues, banks, clock)
    if comes_before(&other, &best):
        best = other
    other = queues.next_act
    if other.clock < clock:
        other = first_act(queues, banks, clock)
    if channel.half_open < 0 and comes_before(&other, &best):
        best = other
    return best if best.clock < opened.clock else opened


cdef Choice choose_of_two(Channel *channel, long long clock) noexcept nogil:
    """The next command, where accesses have a bus of their own; of two at the same time the access comes first."""
    cdef Queues *queues = &channel.queues
    cdef const Banks *banks = &channel.banks
    cdef long long row_clock = later(clock, channel.row_free), access_clock = later(clock, channel.access_free)
    cdef Choice best = queues.next_opened, row, other
    if best.clock < access_clock:
        best = first_opened(queues, banks, access_clock)
    if channel.refreshes_due:
        row = refreshing(channel, row_clock)
        return row if row.clock < best.clock else best
    if turn_is_due(queues):
        queues.direction = 1 - queues.direction
        ask_anew(queues, banks, channel.bursts)
    other = queues.next_hit
    if other.clock < access_clock:
        other = first_hit(queues, banks, access_clock)
    if other.clock < best.clock:
        best = other
    row = queues.next_pre
    if row.clock < row_clock:
        row = first_pre(queues, banks, row_clock)
    other = queues.next_act
    if other.clock < row_clock:
        other = first_act(queues, banks, row_clock)
    if comes_before(&other, &row):
        row = other
    return row if row.clock < best.clock else best


cdef void refresh_falls_due(Channel *channel, long long clock) noexcept nogil:
    """Note the ranks that are to be refreshed from `clock` on; a rank more than once if it comes late to it."""
    cdef int rank
    cdef void *more
    if channel.refreshes_due + channel.banks.ranks > channel.refresh_room:
        more = realloc(channel.refresh_due, 2 * (channel.refresh_room + channel.banks.ranks) * sizeof(int))
        if more == NULL:
            return
        channel.refresh_due, channel.refresh_room = <int *> more, 2 * (channel.refresh_room + channel.banks.ranks)
    channel.refresh_at = NEVER
    for rank in range(channel.banks.ranks):
        if channel.next_refresh[rank] <= clock:
            channel.refresh_due[channel.refreshes_due] = rank
            channel.refreshes_due += 1
            channel.next_refresh[rank] += channel.timing.refresh_interval
        channel.refresh_at = min(channel.refresh_at, channel.next_refresh[rank])


cdef bint opens_fully(Channel *channel, const Choice *choice, long long clock) noexcept nogil:
    """Do the second half of an ACT at `clock`, if it is due or nothing else is done then."""
    if channel.half_open < 0 or (choice.clock == clock and clock < channel.half_open_until):
        return False
    log(channel, clock, LOG_ACT2, channel.half_open, -1)
    channel.half_open = NONE
    channel.row_free = channel.access_free = clock + 1
    return True


cdef void open_row(Channel *channel, int bank, long long clock) noexcept nogil:
    cdef int direction = channel.queues.direction
    cdef long long number = channel.queues.first[direction][bank], row = channel.bursts[direction].row[number]
    activate(&channel.banks, &channel.timing, bank, row, clock)
    activated(&channel.queues, &channel.banks, channel.bursts, bank)
    if direction == WRITE:
        no_longer_waits(channel, number)
    channel.row_free = clock + channel.timing.act_slots
    channel.activates += 1
    if channel.closed_for_burst[bank]:
        channel.closed_for_burst[bank] = False
        channel.conflicts += 1
    if channel.timing.second_act_within:
        channel.half_open = bank
        channel.half_open_until = clock + channel.timing.second_act_within
    log(channel, clock, LOG_ACT, bank, row)


cdef void close_row(Channel *channel, int bank, long long clock) noexcept nogil:
    precharge(&channel.banks, &channel.timing, bank, clock)
    channel.closed_for_burst[bank] = channel.queues.first[channel.queues.direction][bank] >= 0
    precharged(&channel.queues, &channel.banks, bank)
    log(channel, clock, LOG_PRE, bank, -1)


cdef void refresh_rank(Channel *channel, int rank, long long clock) noexcept nogil:
    cdef int bank, place
    refresh(&channel.banks, &channel.timing, rank, clock)
    for bank in range(rank * channel.banks.banks_of_rank, (rank + 1) * channel.banks.banks_of_rank):
        channel.closed_for_burst[bank] = False
    forget(&channel.queues)
    drop(channel.refresh_due, &channel.refreshes_due, rank)
    channel.refreshes += 1
    log(channel, clock, LOG_REF, rank, -1)


cdef long long read_or_write(Channel *channel, int direction, long long number, int bank, long long clock) noexcept nogil:
    cdef const Timing *timing = &channel.timing
    cdef long long end = clock + timing.latency[direction] + timing.burst
    if timing.data_clock_runs_on:
        if clock >= channel.data_clock_until:
            log(channel, clock, LOG_CAS, bank, -1)
            clock, end = clock + 1, end + 1
        channel.data_clock_until = end + timing.data_clock_runs_on
    access(&channel.banks, timing, direction, bank, clock)
    channel.served[direction] += 1
    channel.accesses[direction] += 1
    channel.bursts[direction].end[number] = end
    if direction != channel.last_direction:
        channel.turnarounds += channel.last_direction != NONE
        channel.last_direction = direction
    channel.end = later(channel.end, end)
    log(channel, clock, LOG_WR if direction == WRITE else LOG_RD, bank, channel.bursts[direction].row[number])
    channel.access_free = clock + timing.access_slots
    if timing.separate_row_bus:
        return clock
    channel.row_free = channel.access_free
    return channel.row_free


cdef long long issue(Channel *channel, const Choice *choice) noexcept nogil:
    """Do it; returns the next clock to decide on."""
    cdef Queues *queues = &channel.queues
    cdef int direction = queues.direction, bank = choice.bank
    cdef long long clock = choice.clock, number
    if choice.command == HIT:
        number = accessed(queues, &channel.banks, channel.bursts, bank)
        if direction == WRITE:
            no_longer_waits(channel, number)
        return read_or_write(channel, direction, number, bank, clock)
    if choice.command == OPENED:
        accessed_opened(queues, &channel.banks, channel.bursts, bank)
        return read_or_write(channel, queues.opened_direction[bank], queues.opened_number[bank], bank, clock)
    channel.row_free = clock + 1
    if choice.command == ACT:
        open_row(channel, bank, clock)
    elif choice.command == PRE:
        close_row(channel, bank, clock)
    elif choice.command == PRE_ALL:
        precharge_all(&channel.banks, &channel.timing, bank, clock)
        ask_anew(queues, &channel.banks, channel.bursts)
        log(channel, clock, LOG_PREA, bank, -1)
    else:
        refresh_rank(channel, bank, clock)
    if channel.timing.separate_row_bus:
        return clock + 1
    channel.access_free = channel.row_free
    return channel.row_free


cdef dict counts_of(const Channel *channel, long long clocks):
    """The fields of `DramCounts`, in so many clocks."""
    cdef const Banks *banks = &channel.banks
    cdef long long active = 0
    cdef int rank
    for rank in range(banks.ranks):
        active += banks.active_clocks[rank]
        if banks.open_banks[rank]:
            active += clocks - banks.open_since[rank]
    return {
        "reads": channel.accesses[READ],
        "writes": channel.accesses[WRITE],
        "row_hits": channel.accesses[READ] + channel.accesses[WRITE] - channel.activates + channel.queues.opens,
        "row_misses": channel.activates - channel.conflicts,
        "row_conflicts": channel.conflicts,
        "activates": channel.activates,
        "refreshes": channel.refreshes,
        "turnarounds": channel.turnarounds,
        "forwarded": channel.answered,
        "active_clocks": active,
        "rank_clocks": clocks * banks.ranks,
    }
