# The state of the banks of a channel, as in `banks.py`: open rows, and the first clock at which each command is allowed.

cdef struct Timing:
    long long burst, act_to_pre, act_to_act, act_to_act_rank, act_to_act_group, four_acts
    long long pre_to_act, pre_all_to_act, pre_to_pre, pre_to_refresh, pre_all_to_refresh, act_to_refresh
    long long refresh_to_act, refresh_interval, act_slots, access_slots, second_act_within, data_clock_runs_on
    long long[2] latency
    long long[2] act_to_access
    long long[2] access_to_pre
    long long[2][2] same_rank
    long long[2][2] same_group
    long long[2][2] other_rank
    bint separate_row_bus


cdef struct Banks:
    int count, groups, ranks, banks_of_rank
    bint several_ranks
    int *group_of
    int *rank_of
    long long *open_row
    long long *act_bank
    long long *act_group
    long long *act_rank
    long long *last_four_acts
    long long *pre_bank
    long long *pre_rank
    long long *access_bank[2]
    long long *access_group[2]
    long long *access_rank[2]
    long long *refresh_rank
    long long *open_banks
    long long *open_since
    long long *active_clocks


cdef Timing timing_of(timing):
    """The numbers of a `Timing`."""
    cdef Timing found
    cdef int first, second
    found.burst, found.act_to_pre, found.act_to_act = timing.burst, timing.act_to_pre, timing.act_to_act
    found.act_to_act_rank, found.act_to_act_group = timing.act_to_act_rank, timing.act_to_act_group
    found.four_acts, found.pre_to_act = timing.four_acts, timing.pre_to_act
    found.pre_all_to_act, found.pre_to_pre = timing.pre_all_to_act, timing.pre_to_pre
    found.pre_to_refresh, found.pre_all_to_refresh = timing.pre_to_refresh, timing.pre_all_to_refresh
    found.act_to_refresh, found.refresh_to_act = timing.act_to_refresh, timing.refresh_to_act
    found.refresh_interval, found.act_slots = timing.refresh_interval, timing.act_slots
    found.access_slots, found.second_act_within = timing.access_slots, timing.second_act_within
    found.data_clock_runs_on, found.separate_row_bus = timing.data_clock_runs_on, timing.separate_row_bus
    for first in range(2):
        found.latency[first] = timing.latency[first]
        found.act_to_access[first] = timing.act_to_access[first]
        found.access_to_pre[first] = timing.access_to_pre[first]
        for second in range(2):
            found.same_rank[first][second] = timing.same_rank[first][second]
            found.same_group[first][second] = timing.same_group[first][second]
            found.other_rank[first][second] = timing.other_rank[first][second]
    return found


cdef Banks new_banks(const Timing *timing, int ranks, int groups, int banks_per_group) except *:
    """Banks that are all closed."""
    cdef Banks banks
    cdef int bank, rank, direction
    banks.ranks, banks.groups, banks.banks_of_rank = ranks, ranks * groups, groups * banks_per_group
    banks.count = ranks * groups * banks_per_group
    banks.several_ranks = ranks > 1 and (
        timing.other_rank[0][0] or timing.other_rank[0][1] or timing.other_rank[1][0] or timing.other_rank[1][1]
    )
    banks.group_of = <int *> zeros(banks.count, sizeof(int))
    banks.rank_of = <int *> zeros(banks.count, sizeof(int))
    banks.open_row = numbers(banks.count)
    for bank in range(banks.count):
        banks.group_of[bank] = bank // banks_per_group
        banks.rank_of[bank] = bank // banks.banks_of_rank
        banks.open_row[bank] = CLOSED
    banks.act_bank, banks.act_group, banks.act_rank = numbers(banks.count), numbers(banks.groups), numbers(ranks)
    banks.pre_bank, banks.pre_rank, banks.refresh_rank = numbers(banks.count), numbers(ranks), numbers(ranks)
    banks.open_banks, banks.open_since, banks.active_clocks = numbers(ranks), numbers(ranks), numbers(ranks)
    banks.last_four_acts = numbers(4 * ranks)
    for rank in range(4 * ranks):
        banks.last_four_acts[rank] = -timing.four_acts
    for direction in range(2):
        banks.access_bank[direction] = numbers(banks.count)
        banks.access_group[direction] = numbers(banks.groups)
        banks.access_rank[direction] = numbers(ranks)
    return banks


cdef void free_banks(Banks *banks) noexcept:
    cdef int direction
    for direction in range(2):
        free(banks.access_bank[direction])
        free(banks.access_group[direction])
        free(banks.access_rank[direction])
    free(banks.group_of)
    free(banks.rank_of)
    free(banks.open_row)
    free(banks.act_bank)
    free(banks.act_group)
    free(banks.act_rank)
    free(banks.last_four_acts)
    free(banks.pre_bank)
    free(banks.pre_rank)
    free(banks.refresh_rank)
    free(banks.open_banks)
    free(banks.open_since)
    free(banks.active_clocks)


cdef void activate(Banks *banks, const Timing *timing, int bank, long long row, long long clock) noexcept nogil:
    """ACT: open `row`."""
    cdef int rank = banks.rank_of[bank]
    cdef long long *acts = banks.last_four_acts + 4 * rank
    banks.open_row[bank] = row
    banks.access_bank[READ][bank] = clock + timing.act_to_access[READ]
    banks.access_bank[WRITE][bank] = clock + timing.act_to_access[WRITE]
    banks.pre_bank[bank] = clock + timing.act_to_pre
    banks.act_bank[bank] = clock + timing.act_to_act
    banks.act_group[banks.group_of[bank]] = clock + timing.act_to_act_group
    acts[0], acts[1], acts[2], acts[3] = acts[1], acts[2], acts[3], clock
    banks.act_rank[rank] = later(acts[0] + timing.four_acts, clock + timing.act_to_act_rank)
    banks.refresh_rank[rank] = later(banks.refresh_rank[rank], clock + timing.act_to_refresh)
    if not banks.open_banks[rank]:
        banks.open_since[rank] = clock
    banks.open_banks[rank] += 1


cdef void access(Banks *banks, const Timing *timing, int direction, int bank, long long clock) noexcept nogil:
    """RD or WR of the open row."""
    cdef int group = banks.group_of[bank], rank = banks.rank_of[bank], turned = 1 - direction, second, other
    if banks.several_ranks:
        for second in range(2):
            for other in range(banks.ranks):
                raise_to(&banks.access_rank[second][other], clock + timing.other_rank[direction][second])
    banks.access_group[direction][group] = clock + timing.same_group[direction][direction]
    banks.access_rank[direction][rank] = clock + timing.same_rank[direction][direction]
    raise_to(&banks.access_group[turned][group], clock + timing.same_group[direction][turned])
    raise_to(&banks.access_rank[turned][rank], clock + timing.same_rank[direction][turned])
    raise_to(&banks.pre_bank[bank], clock + timing.access_to_pre[direction])


cdef void precharge(Banks *banks, const Timing *timing, int bank, long long clock) noexcept nogil:
    """PRE: close the row of a bank."""
    cdef int rank = banks.rank_of[bank]
    banks.open_row[bank] = CLOSED
    raise_to(&banks.act_bank[bank], clock + timing.pre_to_act)
    banks.pre_rank[rank] = clock + timing.pre_to_pre
    raise_to(&banks.refresh_rank[rank], clock + timing.pre_to_refresh)
    banks.open_banks[rank] -= 1
    if not banks.open_banks[rank]:
        banks.active_clocks[rank] += clock - banks.open_since[rank]


cdef void precharge_all(Banks *banks, const Timing *timing, int rank, long long clock) noexcept nogil:
    """PRE of all banks of a rank, of which one or more have an open row."""
    cdef int bank
    raise_to(&banks.act_rank[rank], clock + timing.pre_all_to_act)
    for bank in range(rank * banks.banks_of_rank, (rank + 1) * banks.banks_of_rank):
        banks.open_row[bank] = CLOSED
    banks.pre_rank[rank] = clock + timing.pre_to_pre
    raise_to(&banks.refresh_rank[rank], clock + timing.pre_all_to_refresh)
    banks.open_banks[rank] = 0
    banks.active_clocks[rank] += clock - banks.open_since[rank]


cdef void refresh(Banks *banks, const Timing *timing, int rank, long long clock) noexcept nogil:
    """REF of a rank."""
    raise_to(&banks.act_rank[rank], clock + timing.refresh_to_act)
    raise_to(&banks.refresh_rank[rank], clock + timing.refresh_to_act)
