# FR-FCFS, as in `scheduler.py`: the queues of a channel, what its banks ask for, and which command comes first.

ctypedef enum Command:
    ACT, PRE, HIT, OPENED, PRE_ALL, REFRESH, WAIT


cdef struct Choice:
    # As the tuples of `scheduler.py`: what comes first by clock, then by the burst it is for, is done.
    long long clock, number
    Command command
    int bank


cdef struct Bursts:
    # Those of one direction, by number. behind: the next burst of the queue of the same bank; end: 0 while it waits.
    long long count, room
    int *bank
    long long *row
    long long *age
    long long *local
    long long *behind
    long long *end
    char *answered


cdef struct Queues:
    int entries, direction
    double write_above, read_below
    bint closes_idle_rows, asked
    long long[2] size
    long long *first[2]
    long long *last[2]
    long long *hit
    char *has_hit
    char *asks_pre
    char *is_opened
    int hits, pres, acts, opens
    int *hit_banks
    int *pre_banks
    int *opened
    long long *act_number
    int *act_bank
    long long *opened_number
    long long *opened_age
    char *opened_direction
    Choice next_opened, next_hit, next_pre, next_act


cdef Queues new_queues(int banks, policy) except *:
    """Empty queues, with what banks ask for."""
    cdef Queues queues
    cdef int direction, bank
    queues.entries, queues.direction, queues.asked = policy.entries, READ, False
    queues.write_above, queues.read_below = policy.write_above, policy.read_below
    queues.closes_idle_rows = policy.closes_idle_rows
    queues.hits = queues.pres = queues.acts = queues.opens = 0
    for direction in range(2):
        queues.size[direction] = 0
        queues.first[direction], queues.last[direction] = numbers(banks), numbers(banks)
        for bank in range(banks):
            queues.first[direction][bank] = NONE
    queues.hit, queues.act_number, queues.opened_number = numbers(banks), numbers(banks), numbers(banks)
    queues.opened_age = numbers(banks)
    for bank in range(banks):
        queues.hit[bank] = NONE
    queues.asks_pre, queues.is_opened = <char *> zeros(banks, 1), <char *> zeros(banks, 1)
    queues.opened_direction = <char *> zeros(banks, 1)
    queues.hit_banks, queues.pre_banks = <int *> zeros(banks, sizeof(int)), <int *> zeros(banks, sizeof(int))
    queues.opened, queues.act_bank = <int *> zeros(banks, sizeof(int)), <int *> zeros(banks, sizeof(int))
    forget(&queues)
    return queues


cdef void free_queues(Queues *queues) noexcept:
    cdef int direction
    for direction in range(2):
        free(queues.first[direction])
        free(queues.last[direction])
    free(queues.hit)
    free(queues.act_number)
    free(queues.opened_number)
    free(queues.opened_age)
    free(queues.asks_pre)
    free(queues.is_opened)
    free(queues.opened_direction)
    free(queues.hit_banks)
    free(queues.pre_banks)
    free(queues.opened)
    free(queues.act_bank)


cdef void free_bursts(Bursts *bursts) noexcept:
    free(bursts.bank)
    free(bursts.row)
    free(bursts.age)
    free(bursts.local)
    free(bursts.behind)
    free(bursts.end)
    free(bursts.answered)


cdef inline int more_bursts(Bursts *bursts) except -1:
    """Have room for a burst more."""
    return 0 if bursts.count < bursts.room else grow_bursts(bursts)


cdef int grow_bursts(Bursts *bursts) except -1:
    bursts.room = later(1024, 2 * bursts.room)
    bursts.bank = <int *> grown(bursts.bank, bursts.room, sizeof(int))
    bursts.row = <long long *> grown(bursts.row, bursts.room, sizeof(long long))
    bursts.age = <long long *> grown(bursts.age, bursts.room, sizeof(long long))
    bursts.local = <long long *> grown(bursts.local, bursts.room, sizeof(long long))
    bursts.behind = <long long *> grown(bursts.behind, bursts.room, sizeof(long long))
    bursts.end = <long long *> grown(bursts.end, bursts.room, sizeof(long long))
    bursts.answered = <char *> grown(bursts.answered, bursts.room, 1)
    return 0


cdef inline bint comes_before(const Choice *one, const Choice *other) noexcept nogil:
    """As tuples are compared."""
    if one.clock != other.clock:
        return one.clock < other.clock
    if one.number != other.number:
        return one.number < other.number
    if one.command != other.command:
        return one.command < other.command
    return one.bank < other.bank


cdef inline void drop(int *banks, int *count, int bank) noexcept nogil:
    """Take a bank out of a list, which keeps its order."""
    cdef int place = 0
    while banks[place] != bank:
        place += 1
    count[0] -= 1
    while place < count[0]:
        banks[place] = banks[place + 1]
        place += 1


cdef inline Choice unknown() noexcept nogil:
    return Choice(NONE, NONE, WAIT, NONE)


cdef void forget(Queues *queues) noexcept nogil:
    queues.next_opened = queues.next_hit = queues.next_pre = queues.next_act = unknown()


cdef inline bint turn_is_due(const Queues *queues) noexcept nogil:
    """Whether it is the other queue's turn."""
    if queues.direction == READ:
        return queues.size[WRITE] > queues.write_above or not queues.size[READ]
    return queues.size[WRITE] < queues.read_below and queues.size[READ] > 0


# What happens.


cdef void ask_hit(Queues *queues, int bank, long long number) noexcept nogil:
    queues.asked = True
    queues.hit[bank] = number
    queues.hit_banks[queues.hits] = bank
    queues.hits += 1
    queues.next_hit = unknown()


cdef void ask_pre(Queues *queues, const Banks *banks, int bank, long long number) noexcept nogil:
    cdef long long time = banks.pre_bank[bank]
    queues.asked = True
    queues.pre_banks[queues.pres] = bank
    queues.pres += 1
    queues.asks_pre[bank] = True
    if time < queues.next_pre.clock or (time == queues.next_pre.clock and number < queues.next_pre.number):
        queues.next_pre = unknown()


cdef void ask_act(Queues *queues, const Banks *banks, int bank, long long number) noexcept nogil:
    cdef long long time = banks.act_bank[bank]
    cdef int place = queues.acts
    queues.asked = True
    while place and queues.act_number[place - 1] > number:
        queues.act_number[place], queues.act_bank[place] = queues.act_number[place - 1], queues.act_bank[place - 1]
        place -= 1
    queues.act_number[place], queues.act_bank[place] = number, bank
    queues.acts += 1
    if time < queues.next_act.clock or (time == queues.next_act.clock and number < queues.next_act.number):
        queues.next_act = unknown()


cdef void ask_no_pre(Queues *queues, int bank) noexcept nogil:
    drop(queues.pre_banks, &queues.pres, bank)
    queues.asks_pre[bank] = False


cdef void look_for_hit(Queues *queues, const Banks *banks, const Bursts *bursts, int bank) noexcept nogil:
    cdef long long number = queues.first[queues.direction][bank], row = banks.open_row[bank]
    while number >= 0:
        if bursts[queues.direction].row[number] == row:
            ask_hit(queues, bank, number)
            return
        number = bursts[queues.direction].behind[number]


cdef bint waits_elsewhere(const Queues *queues, const Banks *banks, const Bursts *bursts, int bank) noexcept nogil:
    """Whether the queue that is not served hits the open row."""
    cdef int other = 1 - queues.direction
    cdef long long number = queues.first[other][bank]
    while number >= 0:
        if bursts[other].row[number] == banks.open_row[bank]:
            return True
        number = bursts[other].behind[number]
    return False


cdef void ask_open(Queues *queues, const Banks *banks, const Bursts *bursts, int bank) noexcept nogil:
    """Ask for what an open bank needs that asks for nothing yet."""
    cdef long long first = queues.first[queues.direction][bank]
    if first >= 0:
        look_for_hit(queues, banks, bursts, bank)
    if queues.is_opened[bank]:
        return
    if first >= 0:
        if queues.hit[bank] != first:
            ask_pre(queues, banks, bank, first)
    elif queues.closes_idle_rows and not waits_elsewhere(queues, banks, bursts, bank):
        ask_pre(queues, banks, bank, NEVER)


cdef void ask_anew(Queues *queues, const Banks *banks, const Bursts *bursts) noexcept nogil:
    """Find out from scratch what all banks ask for."""
    cdef int bank
    cdef long long first
    forget(queues)
    queues.hits = queues.pres = queues.acts = 0
    for bank in range(banks.count):
        queues.asks_pre[bank] = False
    for bank in range(banks.count):
        queues.hit[bank] = NONE
        first = queues.first[queues.direction][bank]
        if banks.open_row[bank] != CLOSED:
            ask_open(queues, banks, bursts, bank)
        elif first >= 0:
            ask_act(queues, banks, bank, first)


cdef void queue_up(Queues *queues, const Banks *banks, Bursts *bursts, int direction, long long number) noexcept nogil:
    """A burst enters its queue."""
    cdef int bank = bursts[direction].bank[number]
    cdef long long row = banks.open_row[bank]
    cdef bint alone = queues.first[direction][bank] < 0
    bursts[direction].behind[number] = NONE
    if alone:
        queues.first[direction][bank] = number
    else:
        bursts[direction].behind[queues.last[direction][bank]] = number
    queues.last[direction][bank] = number
    queues.size[direction] += 1
    if direction != queues.direction:
        return
    if row == CLOSED:
        if alone:
            ask_act(queues, banks, bank, number)
    elif queues.hit[bank] < 0:
        if alone and queues.asks_pre[bank]:
            ask_no_pre(queues, bank)
            queues.next_pre = unknown()
        if bursts[direction].row[number] == row:
            ask_hit(queues, bank, number)
        elif alone and not queues.is_opened[bank]:
            ask_pre(queues, banks, bank, number)


cdef void leave(Queues *queues, Bursts *bursts, int bank, long long number) noexcept nogil:
    """A burst leaves the queue that is served."""
    cdef int direction = queues.direction
    cdef long long before = NONE, found = queues.first[direction][bank], behind = bursts[direction].behind[number]
    while found != number:
        before, found = found, bursts[direction].behind[found]
    if before < 0:
        queues.first[direction][bank] = behind
    else:
        bursts[direction].behind[before] = behind
    if behind < 0:
        queues.last[direction][bank] = before
    queues.size[direction] -= 1


cdef long long activated(Queues *queues, const Banks *banks, Bursts *bursts, int bank) noexcept nogil:
    """The row of the bank's oldest burst was opened: the burst leaves its queue. Returns its number."""
    cdef int direction = queues.direction, place = 0
    cdef long long number = queues.first[direction][bank]
    leave(queues, bursts, bank, number)
    while queues.act_number[place] != number:
        place += 1
    queues.acts -= 1
    while place < queues.acts:
        queues.act_number[place], queues.act_bank[place] = queues.act_number[place + 1], queues.act_bank[place + 1]
        place += 1
    queues.next_act = unknown()
    queues.opened[queues.opens] = bank
    queues.opens += 1
    queues.is_opened[bank] = True
    queues.opened_age[bank] = bursts[direction].age[number]
    queues.opened_direction[bank], queues.opened_number[bank] = direction, number
    if queues.next_opened.clock >= banks.access_bank[direction][bank]:
        queues.next_opened = unknown()
    if queues.first[direction][bank] >= 0:
        look_for_hit(queues, banks, bursts, bank)
    return number


cdef void precharged(Queues *queues, const Banks *banks, int bank) noexcept nogil:
    """A bank was closed."""
    cdef long long first = queues.first[queues.direction][bank]
    ask_no_pre(queues, bank)
    queues.next_pre = unknown()
    if queues.hit[bank] >= 0:
        drop(queues.hit_banks, &queues.hits, bank)
        queues.hit[bank] = NONE
        queues.next_hit = unknown()
    if first >= 0:
        ask_act(queues, banks, bank, first)


cdef long long accessed(Queues *queues, const Banks *banks, Bursts *bursts, int bank) noexcept nogil:
    """The oldest hit of a bank was served; returns its number."""
    cdef int direction = queues.direction
    cdef long long number = queues.hit[bank], first
    leave(queues, bursts, bank, number)
    queues.next_hit = queues.next_opened = unknown()
    if queues.next_pre.bank == bank:
        queues.next_pre = unknown()
    first = queues.first[direction][bank]
    if first >= 0 and bursts[direction].row[first] == banks.open_row[bank]:
        queues.hit[bank] = first
        return number
    queues.hit[bank] = NONE
    drop(queues.hit_banks, &queues.hits, bank)
    if queues.asks_pre[bank]:
        look_for_hit(queues, banks, bursts, bank)
    else:
        ask_open(queues, banks, bursts, bank)
    return number


cdef void accessed_opened(Queues *queues, const Banks *banks, const Bursts *bursts, int bank) noexcept nogil:
    """The burst for which a bank was opened was served."""
    cdef long long first = queues.first[queues.direction][bank]
    drop(queues.opened, &queues.opens, bank)
    queues.is_opened[bank] = False
    queues.next_hit = queues.next_opened = unknown()
    if queues.hit[bank] < 0:
        ask_open(queues, banks, bursts, bank)
    elif queues.hit[bank] != first:
        ask_pre(queues, banks, bank, first)


# What comes next, from `clock` on; of several at the same time that for the oldest burst.


cdef inline long long access_time(const Banks *banks, int direction, int bank) noexcept nogil:
    cdef long long time = later(banks.access_bank[direction][bank], banks.access_group[direction][banks.group_of[bank]])
    return later(time, banks.access_rank[direction][banks.rank_of[bank]])


cdef Choice first_opened(Queues *queues, const Banks *banks, long long clock) noexcept nogil:
    """The first access to a row that was opened for it."""
    cdef Choice best = Choice(NEVER, NEVER, OPENED, NONE)
    cdef int place, bank
    cdef long long time
    for place in range(queues.opens):
        bank = queues.opened[place]
        time = later(clock, access_time(banks, queues.opened_direction[bank], bank))
        if time < best.clock or (time == best.clock and queues.opened_age[bank] < best.number):
            best.clock, best.number, best.bank = time, queues.opened_age[bank], bank
    queues.next_opened = best
    return best


cdef Choice first_hit(Queues *queues, const Banks *banks, long long clock) noexcept nogil:
    """The first access to a row that is open."""
    cdef Choice best = Choice(NEVER, NEVER, HIT, NONE)
    cdef int place, bank
    cdef long long time
    for place in range(queues.hits):
        bank = queues.hit_banks[place]
        time = later(clock, access_time(banks, queues.direction, bank))
        if time < best.clock or (time == best.clock and queues.hit[bank] < best.number):
            best.clock, best.number, best.bank = time, queues.hit[bank], bank
    queues.next_hit = best
    return best


cdef Choice first_pre(Queues *queues, const Banks *banks, long long clock) noexcept nogil:
    """The first PRE."""
    cdef Choice best = Choice(NEVER, NEVER, PRE, NONE)
    cdef int place, bank
    cdef long long time, oldest
    for place in range(queues.pres):
        bank = queues.pre_banks[place]
        time = later(clock, later(banks.pre_bank[bank], banks.pre_rank[banks.rank_of[bank]]))
        oldest = queues.first[queues.direction][bank]
        if oldest < 0:
            oldest = NEVER
        if time < best.clock or (time == best.clock and oldest < best.number):
            best.clock, best.number, best.bank = time, oldest, bank
    queues.next_pre = best
    return best


cdef Choice first_act(Queues *queues, const Banks *banks, long long clock) noexcept nogil:
    """The first ACT."""
    cdef Choice best = Choice(NEVER, NONE, ACT, NONE)
    cdef int place, bank, rank
    cdef long long time, soonest = banks.act_rank[0]
    for rank in range(1, banks.ranks):
        soonest = min(soonest, banks.act_rank[rank])
    soonest = later(clock, soonest)
    for place in range(queues.acts):
        bank = queues.act_bank[place]
        time = later(banks.act_bank[bank], banks.act_group[banks.group_of[bank]])
        time = later(soonest, later(time, banks.act_rank[banks.rank_of[bank]]))
        if time < best.clock:
            best.clock, best.number, best.bank = time, queues.act_number[place], bank
            if time == soonest:
                break
    queues.next_act = best
    return best
