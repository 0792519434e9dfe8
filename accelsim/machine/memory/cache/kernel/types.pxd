# C types of the kernel's classes, whose code is plain Python in the files beside this one; on top of `integers.pxd`.

from accelsim.machine.memory.dram.compiled cimport Lines

cdef q NEVER, NONE, UNKNOWN, SEED, TAPS, BLOCK, KINDS, HITS, MISSES, WRITE_BACKS, ROOM, SLICE, TURNS, LAST_CLOCK


@cython.final
cdef class Level:
    cdef readonly q sets, ways, line_bytes, port_bytes, hit_clocks, request_clocks, fill_clocks, miss_clocks, misses
    cdef bint lru, any_way, writes_back, separate_ports, stalls
    cdef readonly q[::1] tags
    cdef unsigned char[::1] dirty
    cdef q[::1] used, free, miss_set, miss_end, miss_waits, miss_floor, miss_lag, miss_fill, miss_back
    cdef q[::1] miss_behind, first_of
    cdef q random, uses, other, vacant, of_set, line_bits, port_bits
    cdef readonly q number
    cdef Level below

    @cython.locals(of_set=q, other=q, latest=q, vacant=q, first=q, number=q, end=q)
    cdef void turn_to(self, q line) noexcept
    cdef q find(self, q line) noexcept
    cdef q victim(self) noexcept
    cdef q oldest(self, q first) noexcept
    cdef void touch(self, q place) noexcept
    cdef q port(self, q write) noexcept
    cdef q beats(self, q size) noexcept
    cdef void occupy(self, q write, q begin, q size) noexcept
    cdef void look_up(self, q write, q begin, q size) noexcept
    cdef void hold(self, q clock) noexcept
    @cython.locals(other=q)
    cdef q admits(self, q begin) noexcept
    cdef void wait(self, q miss) noexcept
    cdef void answered(self, q token, q end) noexcept
    cdef q ends(self, q miss) noexcept
    cdef q end_of(self, q miss) noexcept


@cython.final
cdef class Requester:
    cdef readonly q number
    cdef public Requester after
    cdef public q[::1] counts
    cdef q window, descriptors, per_clock, least, most, rows, row_bytes, load_row_bytes, store_row_bytes
    cdef q store_block, landing, landing_row, held, late, cut_wanted, cut_aligned, cut_taken
    cdef q[::1] end_of, behind, first_of, floor_of, lag_of, after_of, of_descriptor, of_request, parts_left, parts_latest
    cdef q[::1] left, latest, issued_at, blocks, free
    cdef q offer, issued, first, known, part, request, completed, completed_issue, retired
    cdef bint stuck, sending, open_descriptor
    cdef q block, rows_left, row, chunk, address, size, taken, width, cycle, in_clock, sent_at, write

    cdef begin(self, blocks, q write, q cycle)
    cdef grow(self)
    cdef void open_group(self) noexcept
    cdef void cut(self) noexcept
    @cython.locals(begun=q, rows=q, beats=q, made=q, number=q, needed=q, last=q)
    cdef void land(self, q shift, q wanted) noexcept
    cdef void step(self) noexcept
    cdef void gather(self) noexcept
    @cython.locals(clock=q, end=q)
    cdef void plan(self) noexcept
    @cython.locals(first=q, at=q, unknown=bint)
    cdef q free_part(self) noexcept
    @cython.locals(at=q, before=q, other=q)
    cdef void frees(self, q place, q end) noexcept
    cdef void sent(self, q end, q waits, q floor, q lag) noexcept
    cdef void note(self, q part, q transfer, q end) noexcept
    cdef void count_clock(self) noexcept
    cdef void answered(self, q token, q end) noexcept
    cdef bint is_complete(self) noexcept
    cdef bint complete(self) noexcept
    cpdef list take_counts(self)


@cython.final
cdef class Through(Lines):
    cdef object memory
    cdef list progress


@cython.final
cdef class Queue:
    cdef q first, last, mask, width
    cdef q[::1] numbers

    cdef add(self)
    cdef q place(self, q number) noexcept
    @cython.locals(old=q[::1], mask=q, number=q, at=q)
    cdef grow(self)


@cython.final
cdef class Below:
    cdef Lines lines
    cdef Queue asked, posts, reads
    cdef q reader, writer, poster, under_way, asked_at
    cdef q[::1] read_of
    cdef bint is_posting

    @cython.locals(at=q, asked=Queue)
    cdef want(self, q miss, q address, q size, q clock)
    cdef bint ask(self, q requester, q address, q size, q clock) except -1
    @cython.locals(at=q, posts=Queue)
    cdef post(self, q address, q size)
    @cython.locals(at=q, cycle=q, posts=Queue)
    cdef post_next(self, q clock)
    @cython.locals(at=q)
    cdef bint read(self, q miss, q address, q size) except -1
    cdef void came(self, q miss, q end) noexcept
    @cython.locals(reads=Queue)
    cdef forget(self, q cycle)
    @cython.locals(lines=q, clocks=q, reached=q, first=q, high=q, low=q, number=q, at=q)
    cdef reads_within(self, q begin, q end)


@cython.final
cdef class Hierarchy:
    cdef readonly list requesters
    cdef Below below
    cdef Requester asker
    cdef Requester first, next
    cdef Level highest, lowest
    cdef q[::1] counts
    cdef q depth, end, waits, floor, lag, back, below_at
    cdef bint stops, stuck, news
    cdef readonly bint is_over
    cdef readonly q late

    cpdef reads_below(self, q begin, q end)
    cpdef forget(self, q cycle)
    @cython.locals(reached=q, offer=q, stop=q)
    cpdef list advance(self, q until)
    cdef bint fails(self) noexcept
    @cython.locals(requester=Requester, chosen=Requester, stuck=bint)
    cdef void turn(self) noexcept
    @cython.locals(below=Below, stop=q, goes_on=bint)
    cdef bint goes_on_below(self, q until) except -1
    @cython.locals(below=Below, teller=q, issued=q, done=q)
    cdef hear(self)
    @cython.locals(below=Below, asked=Queue, at=q, miss=q, address=q, size=q)
    cdef hand_on(self)

    @cython.locals(requester=Requester)
    cpdef begin(self, q number, blocks, q write, q cycle)
    @cython.locals(chosen=Requester)
    cdef q next_offer(self, q reached) noexcept
    @cython.locals(chosen=Requester)
    cdef run(self, q until, q reached)
    @cython.locals(requester=Requester)
    cdef list told(self)
    @cython.locals(level=Level, address=q)
    cdef issue(self, Requester requester)
    cdef answer(self, q miss, q end)
    cdef written(self, q miss, q end)
    @cython.locals(end=q)
    cdef finish(self, q miss)
    @cython.locals(level=Level, requester=Requester)
    cdef settle(self, q token, q end)
    @cython.locals(line=q, place=q, other=q, begin=q)
    cdef bint serve(self, Level level, q address, q size, q write, q clock, bint posted) except -1
    @cython.locals(floor=q, waits=q, lag=q)
    cdef bint hit(self, Level level, q place, q address, q size, q write, q begin) except -1
    @cython.locals(miss=q, floor=q, end=q, waits=q, fill_floor=q, lag=q, whole=bint)
    cdef bint miss(self, Level level, q line, q size, q write, q begin, bint posted) except -1
    cdef void take(self, Level level, q miss, q fill) noexcept
    @cython.locals(place=q)
    cdef replace(self, Level level, q miss, q line, q write, q begin)
    cdef write_back(self, Level level, q miss, q address, q clock)
    @cython.locals(below=Level)
    cdef bint fetch(self, Level level, q miss, q line, q clock, bint posted) except -1
    @cython.locals(below=Level)
    cdef write_below(self, Level level, q address, q size, q clock)
    cdef void ends_after(self, q floor, q waits, q lag, q clocks) noexcept
