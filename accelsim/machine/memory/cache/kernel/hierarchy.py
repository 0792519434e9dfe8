"""Caches one above the other, and the requesters whose requests meet in the highest of them.

Requests are served in the order of their clocks, each at once through all caches: what a cache does is known by the
clocks of its ports and of its misses in flight. Only what the memory below does is not, and is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

from accelsim.machine.memory.cache.kernel import LAYOUT
from accelsim.machine.memory.cache.kernel.below import Below, lines_of
from accelsim.machine.memory.cache.kernel.level import NEVER, NONE, UNKNOWN, Level
from accelsim.machine.memory.cache.kernel.requester import Requester
from accelsim.machine.memory.integers import zeros
from accelsim.machine.memory.port import LAST_CLOCK, Completion, Progress, Reads

__all__ = ["LAYOUT", "Below", "Hierarchy", "Level", "Requester", "lines_of"]

SLICE = 1 << 14
"""Clocks in which requests are served at once."""
TURNS = 64
"""Slices, or answers of the memory below, after which the kernel comes back, for an interrupt to be heard."""
KINDS = 3
"""Counts of each cache: hits, misses and lines written back; behind them, lines that the memory below reads
and writes."""
HITS, MISSES, WRITE_BACKS = 0, 1, 2


class Hierarchy:
    """Caches, the highest first.

    first: the first requester, from which each names the one behind it, as C goes through a list more slowly. next: the
    one whose next request comes first. stuck: one waits for the memory below. news: something may be to be told.
    below_at: the clock until which all is known of what is under way below. is_over: there is nothing more before the
    clock to which it was to go on. late: a clock after the last that is played at which it would go on, or NONE.
    """

    __slots__ = (
        "asker", "back", "below", "below_at", "counts", "depth", "end", "first", "floor", "highest", "is_over", "lag",
        "late", "lowest", "news", "next", "requesters", "stops", "stuck", "waits",
    )  # fmt: skip

    def __init__(self, levels: Sequence[Level], below: Below) -> None:
        self.depth = len(levels)
        self.highest, self.lowest = levels[0], levels[self.depth - 1]
        for number, level in enumerate(levels):
            level.link(number, levels[number + 1] if number + 1 < self.depth else None, self.lowest.misses)
        self.requesters: list[Requester] = []
        self.asker: Requester | None = None
        self.first: Requester | None = None
        self.next: Requester | None = None
        self.below, self.below_at = below, 0
        self.counts = zeros(KINDS * self.depth + 2)
        self.stops, self.is_over, self.late, self.stuck, self.news = False, False, NONE, False, False
        self.end, self.waits, self.floor, self.lag, self.back = 0, NONE, 0, 0, 0

    def add(self, requester: Requester) -> None:
        """Add a requester behind all others."""
        if self.requesters:
            self.requesters[len(self.requesters) - 1].after = requester
        else:
            self.first = requester
        self.requesters.append(requester)

    def begin(self, number: int, blocks: Sequence[int], write: int, cycle: int) -> None:
        """Have a requester send the requests of blocks from clock `cycle` on."""
        requester = self.requesters[number]
        requester.begin(blocks, write, cycle)
        self.turn()

    def reads_below(self, begin: int, end: int) -> Reads:
        """Reads of the memory below in clocks [begin, end)."""
        return self.below.reads_within(begin, end)

    def forget(self, cycle: int) -> None:
        """Forget reads of the memory below that ended until a clock."""
        self.below.forget(cycle)

    def advance(self, until: int) -> list[Progress]:
        """Go on before clock `until`, but not beyond what is to be told, or for some turns."""
        self.is_over = False
        for _ in range(TURNS):
            reached = self.below_at if self.below.under_way else NEVER
            offer = self.next_offer(reached)
            if offer < until:
                stop = offer + SLICE
                self.run(stop if stop < until else until, reached)
                self.hand_on()
            elif not self.goes_on_below(until):
                self.is_over = True
                break
            if self.news or self.fails():
                break
        return self.told()

    def fails(self) -> bool:
        """True where it can't go on, nor the memory below."""
        return self.late != NONE or self.below.lines.fails

    def turn(self) -> None:
        """Find whose request is next."""
        chosen = requester = self.first
        stuck = False
        while requester is not None:
            stuck = stuck or requester.stuck
            if chosen is None or requester.offer < chosen.offer:
                chosen = requester
            requester = requester.after
        self.next, self.stuck = chosen, stuck

    def next_offer(self, reached: int) -> int:
        """The clock of the next request; where one waits for the memory below, none after the clock it has reached."""
        chosen = self.next
        if chosen is None or (self.stuck and chosen.offer > reached):
            return NEVER
        return chosen.offer

    def run(self, until: int, reached: int) -> None:
        """Serve requests before clock `until`, until something is to be asked or told."""
        self.stops = False
        while not self.stops:
            chosen = self.next
            if chosen is None or self.next_offer(reached) >= until:
                break
            self.issue(chosen)

    def told(self) -> list[Progress]:
        """Transfers of which something is newly known."""
        found: list[Progress] = []
        self.news = False
        for requester in self.requesters:
            if requester.issued != NONE:
                found.append(Progress(requester.number, requester.issued, None))
                requester.issued = NONE
            while requester.complete():
                completion = Completion(requester.completed_issue, requester.retired, requester.retired)
                found.append(Progress(requester.number, None, completion))
        return found

    def issue(self, requester: Requester) -> None:
        """Send the next request of a requester, or let it wait for an answer."""
        if self.asker is not requester:
            self.asker, self.counts = requester, requester.counts
        address = requester.address + requester.taken
        address -= address & (requester.size - 1)
        level = self.highest
        if not self.serve(level, address, requester.size, requester.write, requester.offer, False):
            requester.stuck, requester.offer = True, NEVER
            self.turn()
            return
        if not requester.write:
            level.free[level.port(0)] += requester.held
        requester.sent(self.end, self.waits, self.floor, self.lag)
        self.news = self.news or requester.issued != NONE
        self.stops = self.news or self.below.asked.first < self.below.asked.last
        self.turn()

    # What is below.

    def goes_on_below(self, until: int) -> bool:
        """Let the memory below come to the next request; False where there is nothing more before clock `until`."""
        below = self.below
        if not below.under_way:
            return False
        stop = self.next_offer(NEVER)
        if until < stop:
            stop = until
        goes_on = not below.lines.reach(stop)
        while below.lines.tells():
            self.hear()
            goes_on = True
        if goes_on:
            return True
        self.below_at = stop
        return stop < until

    def hear(self) -> None:
        """Take note of what the memory below tells."""
        below = self.below
        teller, issued, done = below.lines.teller, below.lines.issued, below.lines.done
        if issued != NONE and teller == below.poster:
            below.is_posting = False
            below.post_next(issued)
        if done != NONE:
            below.under_way -= 1
            if teller < below.writer:
                self.answer(teller - below.reader, done)
            elif teller < below.poster:
                self.written(teller - below.writer, done)

    def hand_on(self) -> None:
        """Ask the memory below for what the caches ask for."""
        below = self.below
        asked = below.asked
        while asked.first < asked.last:
            at = asked.place(asked.first)
            asked.first += 1
            miss, address, size = asked.numbers[at], asked.numbers[at + 1], asked.numbers[at + 2]
            if asked.numbers[at + 3] > below.asked_at:
                below.asked_at = asked.numbers[at + 3]
            if miss == NONE:
                below.post(address, size)
            elif size > 0:
                if below.read(miss, address, size):
                    self.answer(miss, below.lines.done)
            elif below.ask(below.writer + miss, address, size, below.asked_at):
                self.written(miss, below.lines.done)

    def answer(self, miss: int, end: int) -> None:
        """The memory below has given the line of a miss at this clock."""
        self.below.came(miss, end)
        if end > LAST_CLOCK:
            self.late = end
            return
        self.lowest.miss_fill[miss] = end
        self.settle(miss, end)
        self.finish(miss)

    def written(self, miss: int, end: int) -> None:
        """The memory below has the line that left for a miss at this clock."""
        if end > LAST_CLOCK:
            self.late = end
            return
        self.lowest.miss_back[miss] = end
        self.finish(miss)

    def finish(self, miss: int) -> None:
        """End a miss of the lowest cache, if all is known of it."""
        end = self.lowest.end_of(miss)
        if end != UNKNOWN:
            self.settle(self.lowest.ends(miss), end)
        self.turn()

    def settle(self, token: int, end: int) -> None:
        """Tell misses and requests that wait for it: it has come at this clock."""
        level: Level | None = self.highest
        while level is not None:
            level.answered(token, end)
            level = level.below
        requester = self.first
        while requester is not None:
            if requester.stuck or requester.first_of[token] != NONE:
                requester.answered(token, end)
                self.news = self.news or requester.is_complete()
            requester = requester.after

    # A request to a cache.

    def serve(self, level: Level, address: int, size: int, write: int, clock: int, posted: bool) -> bool:
        """Serve a request to a cache; False, with nothing done, where it waits for an unknown end.

        posted: of a line that is written back, which waits for no miss. end, waits, floor and lag then say when it
        ends.
        """
        line = address >> level.line_bits
        level.turn_to(line)
        other = level.other
        begin = level.free[level.port(write)]
        if clock > begin:
            begin = clock
        if not posted:
            begin = level.admits(begin)
            if begin == UNKNOWN:
                return False
            level.hold(begin)
        self.floor, self.waits, self.lag = begin, NONE, 0
        if other != NONE and not posted:
            if level.miss_end[other] == UNKNOWN:
                self.floor = level.miss_floor[other] if level.miss_floor[other] > begin else begin
                self.waits, self.lag = level.miss_waits[other], level.miss_lag[other]
            elif level.miss_end[other] > begin:
                self.floor = level.miss_end[other]
        place = level.find(line)
        if place != NONE:
            return self.hit(level, place, address, size, write, begin)
        if self.waits != NONE:
            return False
        return self.miss(level, line, size, write, begin, posted)

    def hit(self, level: Level, place: int, address: int, size: int, write: int, begin: int) -> bool:
        """A line is there, or will be."""
        self.counts[KINDS * level.number + HITS] += 1
        level.touch(place)
        level.occupy(write, begin, size)
        floor, waits, lag = self.floor, self.waits, self.lag
        if write and level.writes_back:
            level.dirty[place] = 1
        elif write:
            self.write_below(level, address, size, begin)
        self.ends_after(floor, waits, lag, level.hit_clocks + level.beats(size))
        return True

    def miss(self, level: Level, line: int, size: int, write: int, begin: int, posted: bool) -> bool:
        """A line is not there: it is fetched, unless it is written as a whole, or passed on to what is below."""
        if write and not level.writes_back:
            self.counts[KINDS * level.number + MISSES] += 1
            level.occupy(write, begin, size)
            self.write_below(level, line * level.line_bytes, size, begin)
            self.ends_after(self.floor, NONE, 0, level.hit_clocks + level.beats(size))
            return True
        miss = level.vacant
        if miss == NONE and not posted:
            return False
        if miss != NONE and level.miss_end[miss] > begin and not posted:
            begin = level.miss_end[miss]
        floor = self.floor if self.floor > begin else begin
        whole = write and size == level.line_bytes
        if not whole and not self.fetch(level, miss, line, floor + level.hit_clocks, posted):
            return False
        end, waits, fill_floor, lag = self.end, self.waits, self.floor, self.lag
        if whole:
            end, waits, fill_floor, lag = floor + level.hit_clocks, NONE, 0, 0
        self.counts[KINDS * level.number + MISSES] += 1
        level.look_up(write, begin, size)
        level.free[level.port(write)] += 0 if whole else level.fill_clocks
        self.replace(level, miss, line, write, begin)
        if miss != NONE:
            level.miss_set[miss] = level.of_set
            self.take(level, miss, end)
            if level.miss_end[miss] == UNKNOWN and level.below is not None:
                level.miss_waits[miss], level.miss_lag[miss] = waits, lag
                level.miss_floor[miss] = fill_floor if fill_floor > self.back else self.back
            if level.miss_end[miss] == UNKNOWN:
                level.wait(miss)
        if waits == NONE:
            self.ends_after(end, NONE, 0, level.beats(size))
        else:
            self.ends_after(fill_floor, waits, lag, level.beats(size))
        return True

    def take(self, level: Level, miss: int, fill: int) -> None:
        """Note when the line of a miss comes and, from `back`, when the other one is below."""
        level.miss_fill[miss], level.miss_back[miss] = fill, self.back
        level.miss_end[miss] = level.end_of(miss)
        level.miss_waits[miss], level.miss_floor[miss], level.miss_lag[miss] = level.ends(miss), 0, 0

    def replace(self, level: Level, miss: int, line: int, write: int, begin: int) -> None:
        """A line takes its place; a dirty one that was there is written back. `back` then says when that is below."""
        place = level.victim()
        self.back = 0
        if level.tags[place] != NONE and level.dirty[place]:
            self.counts[KINDS * level.number + WRITE_BACKS] += 1
            level.free[level.port(write)] += level.fill_clocks
            self.write_back(level, miss, level.tags[place] * level.line_bytes, begin + level.hit_clocks)
        level.tags[place], level.dirty[place] = line, 1 if write else 0
        level.touch(place)

    def write_back(self, level: Level, miss: int, address: int, clock: int) -> None:
        """Write a line that leaves for a miss to what is below."""
        if level.below is not None:
            self.write_below(level, address, level.line_bytes, clock)
            self.back = self.floor
            return
        self.counts[KINDS * self.depth + 1] += 1
        self.below.want(miss, address, -level.line_bytes, clock)
        self.back = UNKNOWN

    def fetch(self, level: Level, miss: int, line: int, clock: int, posted: bool) -> bool:
        """Ask what is below for a line; False where that can't be asked yet."""
        below = level.below
        if below is not None:
            return self.serve(below, line * level.line_bytes, level.line_bytes, 0, clock, posted)
        self.counts[KINDS * self.depth] += 1
        self.end, self.waits, self.floor, self.lag = UNKNOWN, miss, clock, 0
        if miss == NONE:
            self.end = clock
        self.below.want(miss, line * level.line_bytes, level.line_bytes, clock)
        return True

    def write_below(self, level: Level, address: int, size: int, clock: int) -> None:
        """Write to what is below, and wait for nothing."""
        below = level.below
        if below is not None:
            self.serve(below, address, size, 1, clock, True)
            return
        self.counts[KINDS * self.depth + 1] += 1
        self.below.want(NONE, address, -size, clock)

    def ends_after(self, floor: int, waits: int, lag: int, clocks: int) -> None:
        """Requests that were served end some clocks after the greater of `floor` and `lag` after a miss."""
        self.waits, self.floor, self.lag = waits, floor + clocks, lag + clocks
        self.end = floor + clocks if waits == NONE else UNKNOWN
