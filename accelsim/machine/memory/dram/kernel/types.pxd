# C types of the kernel's classes, whose code is plain Python in the files beside this one; on top of `integers.pxd` and
# `lines.pxd`.

cdef q CLOSED, NEVER, NONE, UNKNOWN, READ, WRITE, ACT, PRE, HIT, OPENED, PRE_ALL, REFRESH, WAIT, MOST_DUE, PATIENCE
cdef q BLOCK, REQUESTS, SLICE


@cython.final
cdef class Banks:
    cdef readonly q count, groups, ranks, banks_of_rank
    cdef bint several_ranks
    cdef q act_to_read, act_to_write, act_to_pre, act_to_act, act_to_act_group, act_to_act_rank, four_acts, act_to_refresh
    cdef q pre_to_act, pre_all_to_act, pre_to_pre, pre_to_refresh, pre_all_to_refresh, refresh_to_act
    cdef q[::1] group_of, rank_of, open_row, act_bank, act_group, act_rank, acts, oldest_act, pre_bank, pre_rank
    cdef q[::1] refresh_rank, access_bank, access_group, access_rank, open_banks, open_since, active_clocks
    cdef q[::1] same_group, same_rank, other_rank, access_to_pre

    cdef void activate(self, q bank, q row, q clock) noexcept
    cdef void access(self, q direction, q bank, q clock) noexcept
    cdef void keep_off_other_ranks(self, q direction, q clock) noexcept
    cdef q access_time(self, q direction, q bank) noexcept
    cdef void precharge(self, q bank, q clock) noexcept
    cdef void precharge_all(self, q rank, q clock) noexcept
    cdef void refresh(self, q rank, q clock) noexcept
    cdef q all_pre_time(self, q rank) noexcept
    cpdef q active_until(self, q clock) noexcept


@cython.final
cdef class Queues:
    cdef Banks banks
    cdef q entries, direction, vacancies
    cdef double write_above, read_below
    cdef bint closes_idle_rows, asked, rests
    cdef q[::1] bank_of, row_of, local_of, behind, number_of, age_of, requester_of, burst_of, request_of, vacant, arrived
    cdef readonly q[::1] size
    cdef q[::1] first, last, hit, asks_pre, opened_for, opened_direction, hit_banks, pre_banks, act_banks, act_numbers, opened
    cdef readonly q opens
    cdef q hits, pres, acts
    cdef q opened_clock, hit_clock, pre_clock, act_clock, opened_age, hit_number, pre_number, act_number
    cdef q opened_bank, hit_bank, pre_bank, act_bank

    cdef void forget(self) noexcept
    cdef bint write_waits(self, q bank, q local) noexcept
    cdef q arrive(self, q direction, q bank, q row, q local, q age) noexcept
    cdef void ask_on_arrival(self, q bank, q row, q place, bint alone) noexcept
    cdef void leave(self, q bank, q place) noexcept
    cdef void vacate(self, q place) noexcept
    cdef void activated(self, q bank) noexcept
    cdef void precharged(self, q bank) noexcept
    cdef q accessed(self, q bank) noexcept
    cdef q accessed_opened(self, q bank) noexcept
    cdef bint turn_is_due(self) noexcept
    cdef bint are_reads_due(self) noexcept
    cdef void turn(self) noexcept
    cdef void ask_anew(self) noexcept
    cdef void ask_open(self, q bank) noexcept
    cdef q row_hit(self, q direction, q bank) noexcept
    cdef void look_for_hit(self, q bank) noexcept
    cdef void ask_hit(self, q bank, q place) noexcept
    cdef void ask_no_hit(self, q bank) noexcept
    cdef void ask_pre(self, q bank, q number) noexcept
    cdef void ask_no_pre(self, q bank) noexcept
    cdef void ask_act(self, q bank, q place) noexcept
    cdef void ask_no_act(self, q bank) noexcept
    cdef void find_opened(self, q clock) noexcept
    cdef void find_hit(self, q clock) noexcept
    cdef void find_pre(self, q clock) noexcept
    cdef void find_act(self, q clock) noexcept


cdef q dropped(q[::1] banks, q count, q bank) noexcept


@cython.final
cdef class Channel:
    cdef readonly Banks banks
    cdef readonly Queues queues
    cdef q ranks, burst, read_latency, write_latency, act_slots, access_slots, second_act_within, data_clock_runs_on
    cdef bint separate_row_bus, answers_at_command
    cdef q row_free, access_free, interval, refresh_at, dues, half_open, half_open_until, data_clock_until
    cdef q[::1] next_refresh, due, closed_for_burst
    cdef q command, bank, last_direction, fruitless, idle_refreshes, patience, served, served_end
    cdef readonly q[::1] accesses
    cdef readonly q end, answered, turnarounds, activates, conflicts, refreshes
    cdef public list log, spans

    cdef q choose(self, q clock) noexcept
    cdef q choose_refreshing(self, q clock) noexcept
    cdef q choose_of_two(self, q clock) noexcept
    cdef q find_refreshing(self, q clock) noexcept
    cdef bint is_asked(self) noexcept
    cdef void refresh_falls_due(self, q clock) noexcept
    cdef void skip_refreshes(self, q until) noexcept
    cdef bint opens_fully(self, q time, q clock) noexcept
    cdef q issue(self, q clock) noexcept
    cdef void activate(self, q bank, q clock) noexcept
    cdef void precharge(self, q bank, q clock) noexcept
    cdef void refresh(self, q rank, q clock) noexcept
    cdef q access(self, q direction, q place, q bank, q clock) noexcept
    cdef void write_down(self, q clock, str command, q bank, q row) noexcept


@cython.final
cdef class Requester:
    cdef readonly q number
    cdef q window, per_clock, burst_bytes, array_clocks, other_clocks, longest_delay, mask, request_mask
    cdef q offer, next, age, cycle, last, issue_cycle, issued_then, issued
    cdef q requests, completed, completed_issue, unissued, retired
    cdef q[::1] end_of, free, left, latest, issued_at, blocks, table, sizes, weights
    cdef q block, burst, bursts_left, rows_left, row_start, row_bytes, stride
    cdef q direction, channel, bank, row, local
    cdef bint quiet
    cdef q low, parts, high, high_channel, high_bank, high_row, high_local

    @cython.locals(last=q)
    cdef send(self, q address, q size, q age, q cycle, bint quiet)
    cdef open(self, q bursts, q age, q cycle)
    cdef void grow(self)
    cdef void fetch(self) noexcept
    cdef void next_block(self) noexcept
    cdef void find_high(self, q high) noexcept
    cdef void room(self, q clock) noexcept
    cdef bint entered(self, q clock) noexcept
    cdef void count_issue(self, q cycle) noexcept
    cdef bint served(self, q burst, q request, q end) noexcept
    cdef bint complete(self) noexcept


@cython.final
cdef class Controller(Lines):
    cdef readonly list channels, requesters
    cdef q[::1] wakes
    cdef readonly q clock, waiting, stuck
    cdef q[::1] offers
    cdef q soonest
    cdef bint held
    cdef readonly q late
    cdef q news, last_news
    cdef q asked, array_clocks, other_clocks, last_clock, last_cycle
    cdef bint stops

    @cython.locals(requester=Requester)
    cpdef begin(self, q number, blocks, q bursts, q cycle)
    @cython.locals(requester=Requester)
    cpdef list advance(self, q until)
    @cython.locals(requester=Requester)
    cdef send(self, q number, q address, q size, q cycle, bint quiet)
    cdef void has_news(self, Requester requester) noexcept
    @cython.locals(requester=Requester)
    cdef know_all(self)
    cdef void offered(self, Requester requester) noexcept
    @cython.locals(number=q, offer=q, before=q)
    cdef void note(self, Requester requester) noexcept
    cdef q first_offer(self) noexcept
    @cython.locals(requester=Requester)
    cdef bint tell(self) noexcept
    cdef void play(self, q until) noexcept
    cdef bint is_over(self) noexcept
    @cython.locals(channel=Channel)
    cdef void run_one(self, q until) noexcept
    cdef void run_all(self, q until) noexcept
    @cython.locals(offer=q, clock=q, number=q, channel=Channel)
    cdef q quiet_until(self, q until) noexcept
    cdef q step(self, Channel channel, q number, q clock, q until) noexcept
    @cython.locals(requester=Requester)
    cdef q issue(self, Channel channel, q number, q clock) noexcept
    @cython.locals(number=q)
    cdef q enter(self, q clock) noexcept
    @cython.locals(channel=Channel)
    cdef void enter_one(self, Requester requester) noexcept
    @cython.locals(first=Requester, other=Requester)
    cdef Requester longest_waiting(self, Requester requester)
    cdef void arrive(self, Requester requester, Channel channel, q clock) noexcept
    @cython.locals(number=q, offer=q, each=q, seen=q)
    cdef q enter_unnoticed(self, Channel channel, q clock) noexcept
    @cython.locals(requester=Requester, channel=Channel)
    cdef void make_room(self, q clock) noexcept
