# C types of the kernel's classes, whose code is plain Python in the files beside this one; on top of `integers.pxd`.

cdef q NEVER, NONE, UNKNOWN, SEED, TAPS, BLOCK, KINDS, HITS, MISSES, WRITE_BACKS


@cython.final
cdef class Level:
    cdef readonly q sets, ways, line_bytes, port_bytes, hit_clocks, request_clocks, fill_clocks, miss_clocks, misses
    cdef bint lru, any_way, writes_back, separate_ports, stalls
    cdef readonly q[::1] tags, dirty
    cdef q[::1] used, free, miss_set, miss_end, miss_waits, miss_floor, miss_lag, miss_fill, miss_back
    cdef q random, uses

    cdef q find(self, q line) noexcept
    cdef q victim(self, q line) noexcept
    cdef void touch(self, q place) noexcept
    cdef q port(self, q write) noexcept
    cdef q beats(self, q size) noexcept
    cdef void occupy(self, q write, q begin, q size) noexcept
    cdef void look_up(self, q write, q begin, q size) noexcept
    cdef void hold(self, q clock) noexcept
    cdef q admits(self, q other, q begin) noexcept
    cdef q miss_of_set(self, q line) noexcept
    cdef q next_miss(self) noexcept
    cdef void answered(self, q token, q end) noexcept
    cdef q ends(self, q miss) noexcept
    cdef q end_of(self, q miss) noexcept


@cython.final
cdef class Requester:
    cdef readonly q number
    cdef public q[::1] counts
    cdef q window, descriptors, per_clock, least, most, rows, row_bytes, load_row_bytes, store_row_bytes
    cdef q store_block, landing
    cdef q[::1] end_of, waits_of, floor_of, lag_of, after_of, of_descriptor, of_request, parts_left, parts_latest
    cdef q[::1] left, latest, issued_at, blocks
    cdef q offer, issued, next, descriptor, request, completed, completed_issue, retired
    cdef bint stuck, sending, open_descriptor
    cdef q block, rows_left, row, chunk, address, size, taken, width, cycle, in_clock, sent_at, write

    cdef begin(self, blocks, q write, q cycle)
    cdef grow(self)
    cdef void open_group(self) noexcept
    cdef void cut(self) noexcept
    cdef void step(self) noexcept
    cdef void gather(self) noexcept
    cdef void plan(self) noexcept
    cdef void sent(self, q end, q waits, q floor, q lag) noexcept
    cdef void note(self, q part, q transfer, q end) noexcept
    cdef void count_clock(self) noexcept
    cdef void answered(self, q token, q end) noexcept
    cdef bint complete(self) noexcept
    cpdef list take_counts(self)


@cython.final
cdef class Hierarchy:
    cdef readonly list levels
    cdef readonly list requesters
    cdef public list asked
    cdef q[::1] counts
    cdef q depth, end, waits, floor, lag, back
    cdef bint stops

    @cython.locals(requester=Requester)
    cpdef begin(self, q number, blocks, q write, q cycle)
    @cython.locals(requester=Requester, first=q, stuck=bint)
    cpdef q next_offer(self, q reached)
    @cython.locals(requester=Requester, chosen=Requester, first=q, stuck=bint)
    cpdef run(self, q until, q reached)
    @cython.locals(requester=Requester)
    cpdef list told(self)
    @cython.locals(address=q, before=q)
    cdef issue(self, Requester requester)
    @cython.locals(lowest=Level)
    cpdef answer(self, q miss, q end)
    @cython.locals(lowest=Level)
    cpdef written(self, q miss, q end)
    @cython.locals(lowest=Level, end=q)
    cdef finish(self, q miss)
    @cython.locals(level=Level, requester=Requester)
    cdef settle(self, q token, q end)
    @cython.locals(level=Level, line=q, place=q, other=q, begin=q)
    cdef bint serve(self, q number, q address, q size, q write, q clock, bint posted) except -1
    @cython.locals(level=Level, floor=q, waits=q, lag=q)
    cdef bint hit(self, q number, q place, q address, q size, q write, q begin) except -1
    @cython.locals(level=Level, miss=q, floor=q, end=q, waits=q, fill_floor=q, lag=q, whole=bint)
    cdef bint miss(self, q number, q line, q size, q write, q begin, bint posted) except -1
    @cython.locals(level=Level)
    cdef take(self, q number, q miss, q fill)
    @cython.locals(level=Level, place=q)
    cdef replace(self, q number, q miss, q line, q write, q begin)
    @cython.locals(level=Level)
    cdef write_back(self, q number, q miss, q address, q clock)
    @cython.locals(level=Level)
    cdef bint fetch(self, q number, q miss, q line, q clock, bint posted) except -1
    cdef write_below(self, q number, q address, q size, q clock)
    cdef void ends_after(self, q floor, q waits, q lag, q clocks) noexcept
