"""The schedule: which layers run depth-first together, and which feature maps stay on chip between them.

A beam search goes from cut to cut between layers. A state at a cut is the set of resident feature maps that are still
to be read, with their addresses; a step is a layer by itself or a group of layers in stripes, with some of its results
resident. The few best states of each cut go on. A way to a cut is worked out only where the least that it can cost is
below the best way known to the same residents: those that promise most come first.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, product, takewhile

from accelsim.errors import LoweringError, PlanError
from accelsim.lowering.allocate import ByteRange, Place, address_in, free, largest_free, overlaps, size_of, stacked
from accelsim.lowering.ir import ResidentChannels
from accelsim.lowering.schedule.costs import Costs
from accelsim.lowering.schedule.effort import NO_EFFORT, Effort, Pace, elapsed
from accelsim.lowering.schedule.given import GivenSchedule
from accelsim.lowering.schedule.group import Group
from accelsim.lowering.schedule.groups import Groups, Span
from accelsim.lowering.schedule.heights import Fitted, Heights, Over
from accelsim.lowering.schedule.residents import Cascade, Residency, Resident, Ring, readers_of
from accelsim.lowering.schedule.rings import FAR
from accelsim.lowering.schedule.states import Beam, State, StateKey, Step, Way, key_of
from accelsim.network.graph import Node
from accelsim.units import ceil_div

AMPLE = 2
"""Room for tiles, in terms of all feature maps of a layer, of which more is of no use: in use and in flight."""


@dataclass
class ScheduleSearch:
    """The search over one inference of a network."""

    groups: Groups
    candidates: Mapping[str, Resident]
    capacity: int
    costs: Costs
    given: GivenSchedule
    cascades: bool = True
    keeps: bool = True
    failed: tuple[int, LoweringError] | None = field(init=False, default=None)
    readers: dict[str, list[int]] = field(default_factory=dict)
    placed: dict[tuple[tuple[str, ...], tuple[Place, ...]], tuple[Place, ...] | None] = field(default_factory=dict)
    heights: Heights = field(init=False)
    map_bytes: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.heights = Heights(self.groups)
        self.map_bytes = [self._map_bytes(node) for node in self.groups.nodes]

    def plan(self) -> Residency | LoweringError:
        """The best schedule found; an error where a layer fits in no state."""
        ways: dict[int, list[Way]] = defaultdict(list)
        states = [State(0.0, 0.0, 0.0, (), Pace(0.0, 0), None, None)]
        for cut in range(len(self.groups.nodes)):
            spans = self._spans(cut)
            for way in chain.from_iterable(self._ways(cut, state, spans) for state in states):
                ways[way.cut].append(way)
            states = self._reached(cut + 1, ways.pop(cut + 1, ()))
        if not states:
            assert self.failed is not None
            return self.failed[1]
        return self._residency(min(states, key=lambda each: each.score))

    def _map_bytes(self, node: Node) -> int:
        """Bytes of all feature maps of a layer."""
        if node.absorbed:
            return 0
        sizes = zip((*node.inputs, node.name), (*node.sizes, node.output), strict=True)
        bits = sum(size.elements * self.groups.cache.bits(name) for name, size in sizes)
        return ceil_div(self.groups.network.batch * bits, 8)

    def _ways(self, cut: int, state: State, spans: Sequence[Span]) -> Iterator[Way]:
        """The ways on from a state at a cut."""
        if self.groups.cache.is_idle(self.groups.nodes[cut]):
            idle = Step(cut, cut, None, (0, self.capacity), (), NO_EFFORT)
            yield self._way(state, cut + 1, state.residents, NO_EFFORT, lambda: idle)
            return
        if cut not in self.given.groups:
            yield from self._single(cut, state)
        for span in self._fitting(spans, state):
            yield from self._depth_first(span, state)

    def _way(
        self, state: State, cut: int, residents: tuple[Place, ...], least: Effort, find: Callable[[], Step | None]
    ) -> Way:
        return Way(self._behind(state, least)[0], state, cut, key_of(residents, cut, self.capacity), find)

    def _reached(self, cut: int, ways: Iterable[Way]) -> list[State]:
        """The states that go on from a cut, of those to which these ways lead."""
        beam = Beam(partial(self._saves, cut))
        for way in sorted(ways, key=lambda each: each.least):
            step = way.find() if beam.is_open(way) else None
            if step is not None:
                beam.enter(*self._entered(way, step))
        return beam.going_on()

    def _fail(self, layer: int, error: LoweringError) -> None:
        """Note that a step with a layer fails; where no way leads behind it, the first failure there says why."""
        if self.failed is None or layer > self.failed[0]:
            self.failed = layer, error

    def _spans(self, cut: int) -> list[Span]:
        """The groups that may begin with a layer: the one that is given, or those that leave given ones alone."""
        if cut in self.given.groups:
            return [self.given.groups[cut].span]
        spans = takewhile(self._may_fit, self.groups.spans(cut)) if self.cascades else ()
        return [span for span in spans if self.given.allows(span)]

    def _may_fit(self, span: Span) -> bool:
        """True where the rings of a group fit the buffer with the lowest stripes and all else resident. Where they do
        not, those of a longer one do not either."""
        return self.heights.fit(span, span.touched, self.capacity)

    def _fitting(self, spans: Iterable[Span], state: State) -> Iterator[Span]:
        """The groups whose rings fit beside the residents of a state with the lowest stripes, all that leaves resident;
        and those that are given, whether they do or not."""
        room = size_of(largest_free(state.residents, self.capacity))
        for span in spans:
            there = (each.number - span.first for each in state.residents)
            touched = span.touched.intersection([*span.leaving, *there])
            if span.first in self.given.groups or self.heights.fit(span, touched, room):
                yield span

    def _saves(self, cut: int, key: StateKey) -> float:
        """Value of the bytes that the layers from a cut on would load if the residents were none."""
        moved = sum(self.candidates[name].size * self._reads(name, cut) for name in key[0])
        return self.costs.value(0.0, moved)

    def _reads(self, name: str, cut: int) -> int:
        if name not in self.readers:
            found = readers_of(self.groups.network, self.groups.cache.layout, name)
            self.readers[name] = sorted(self.groups.numbers[reader] for reader in found)
        return len(self.readers[name]) - bisect_left(self.readers[name], cut)

    def _entered(self, way: Way, step: Step) -> tuple[StateKey, State]:
        """The state to which a way leads, with its key."""
        before = way.state
        residents = tuple(sorted(each for each in (*before.residents, *step.made) if each.last >= way.cut))
        score, cycles, pace = self._behind(before, step.effort)
        sums = before.cycles + cycles, before.dram_bytes + step.effort.dram_bytes
        return key_of(residents, way.cut, self.capacity), State(score, *sums, residents, pace, step, before)

    def _behind(self, state: State, effort: Effort) -> tuple[float, float, Pace]:
        """The score behind a step from a state, the step's clocks, and its end."""
        if effort is NO_EFFORT:
            return state.score, 0.0, state.pace
        cycles, pace = elapsed(state.pace, effort, self.groups.weights.room, self.groups.cache.base)
        return state.score + self.costs.value(cycles, effort.dram_bytes), cycles, pace

    def _single(self, layer: int, state: State) -> Iterator[Way]:
        node = self.groups.nodes[layer]
        every = self._all_kept(layer, (node.name,), state)
        for made in self._choices((node.name,), state) if every is None else [every]:
            residents = (*state.residents, *made)
            least = self.costs.least(node, self._channels(residents))
            yield self._way(state, layer + 1, residents, least, partial(self._alone, layer, residents, made))

    def _alone(self, layer: int, residents: tuple[Place, ...], made: tuple[Place, ...]) -> Step | None:
        """A layer by itself beside these residents; None where it does not fit."""
        room = largest_free(residents, self.capacity)
        effort = self.costs.alone(self.groups.nodes[layer], size_of(room), self._channels(residents))
        if isinstance(effort, LoweringError):
            self._fail(layer, effort)
            return None
        return Step(layer, layer, None, room, made, effort)

    def _depth_first(self, span: Span, state: State) -> Iterator[Way]:
        names = tuple(self.groups.nodes[span.first + place].name for place in span.leaving)
        every = self._all_kept(span.first, names, state)
        for made in self._choices(names, state) if every is None else [every]:
            residents = (*state.residents, *made)
            touched = span.touched.intersection([each.number - span.first for each in residents])
            find = partial(self._beside, span, residents, touched, made)
            yield self._way(state, span.last + 1, residents, self.groups.least(span, touched), find)
        if every is None:
            yield from self._in_places(span, names, state)

    def _in_places(self, span: Span, names: Collection[str], state: State) -> Iterator[Way]:
        """A group each of whose results takes the place of each resident that is read for the last time."""
        forced = self.given.keep.keys() & {*names}
        kept = [self.candidates[name] for name in names if name in self.candidates and forced <= {name}]
        places = [old for old in state.residents if old.rows and old.last in range(span.first, span.last + 1)]
        for resident, old in product(kept, places):
            if self._may_begin_before(resident, old, state):
                yield self._in_place(span, state, resident, old)

    def _may_begin_before(self, resident: Resident, old: Place, state: State) -> bool:
        """True where a row of a result fits before a resident, so that it may take the place of that."""
        row = self.groups.row_bytes(resident.first)
        return row is not None and row <= old.low and not overlaps((old.low - row, old.low), state.residents)

    def _beside(
        self, span: Span, residents: tuple[Place, ...], touched: frozenset[int], made: tuple[Place, ...]
    ) -> Step | None:
        """A group beside these residents; None where it does not fit."""
        room = largest_free(residents, self.capacity)
        found = self.heights.best(span, touched, size_of(room))
        if found:
            return self._step(span, room, made, found)
        if span.first in self.given.groups:
            group = self.groups.group(span, 1)
            needed = group.ring_bytes(touched) if group else "more"
            got = f"{size_of(room)} bytes beside what stays, where the lowest need {needed}"
            expected = "room for the stripes of its layers in sram.activation"
            self._fail(span.first, PlanError(self.given.groups[span.first].path, expected, got))
        return None

    def _step(self, span: Span, room: ByteRange, made: tuple[Place, ...], found: Fitted) -> Step:
        """A group with its rings in a room."""
        group = found.striped.group
        made = tuple(each._replace(rows=self._rows(group, span.first, each.number)) for each in made)
        return Step(span.first, span.last, found.striped, room, made, found.effort)

    def _rows(self, group: Group, first: int, number: int) -> int:
        """Rows of the stripes in which a result of a group lies; 0 where they fill no whole bytes."""
        return 0 if self.groups.row_bytes(number) is None else group.rows[group.places.index(number - first)]

    def _in_place(self, span: Span, state: State, resident: Resident, old: Place) -> Way:
        """A group one of whose results takes the place of a resident, stripe by stripe as the group is done with it."""
        others = tuple(each for each in state.residents if each is not old)
        number = resident.first - span.first
        touched = span.touched.intersection([number, *(each.number - span.first for each in state.residents)])
        there = old._replace(number=resident.first, name=resident.name, last=resident.last)
        find = partial(self._over, span, touched, resident, old, others)
        return self._way(state, span.last + 1, (*others, there), self.groups.least(span, touched), find)

    def _over(
        self, span: Span, touched: frozenset[int], resident: Resident, old: Place, others: tuple[Place, ...]
    ) -> Step | None:
        """A group one of whose results takes the place of a resident beside others; None where it does not fit."""
        room = largest_free((*others, old._replace(high=max(old.high, old.low + resident.size))), self.capacity)
        over = Over(resident.first - span.first, old.number - span.first, old.rows)
        found = self.heights.best(span, touched, size_of(room), over)
        if found is None:
            return None
        low = old.low - self.groups.ahead(span, found.striped.group, *over)
        made = Place(low, low + resident.size, resident.first, resident.name, resident.last)
        both = old._replace(low=low, high=max(old.high, made.high))
        if low < 0 or overlaps(both[:2], others) or self._address(resident.name) not in (None, low):
            return None
        room = largest_free((*others, both), self.capacity)
        if both.high > self.capacity or not found.striped.fits(size_of(room)):
            return None
        return self._step(span, room, (made,), found)

    def _all_kept(self, first: int, outputs: Sequence[str], state: State) -> tuple[Place, ...] | None:
        """The places of all results that may stay, where that leaves each layer from `first` to their last reader all
        the room that it can use; otherwise None."""
        names = [name for name in outputs if name in self.candidates]
        made = self._placed(names, state) if self.keeps and names else None
        if not made:
            return None
        last = max(each.last for each in made)
        room = size_of(largest_free((*state.residents, *made), self.capacity))
        return made if room >= AMPLE * max(self.map_bytes[first : last + 1]) else None

    def _choices(self, outputs: Sequence[str], state: State) -> Iterator[tuple[Place, ...]]:
        """Results that stay: of those that are free to, none, all, or each by itself."""
        forced = [name for name in outputs if name in self.given.keep]
        names = [name for name in outputs if name in self.candidates and name not in forced] if self.keeps else []
        subsets = [[], *([names] if names else []), *([name] for name in names if len(names) > 1)]
        for subset in subsets:
            placed = self._placed([*forced, *subset], state)
            if placed is not None:
                yield placed
            elif forced == [*forced, *subset]:
                self._fail(self.candidates[forced[0]].first, self._misplaced(forced[0], state))

    def _misplaced(self, name: str, state: State) -> PlanError:
        resident, address, path = self.given.keep[name]
        where = "" if address is None else f" at {address}"
        got = ", ".join(f"{each.name} from {each.low} to {each.high}" for each in state.residents)
        if not got or (address or 0) + resident.size > self.capacity:
            got = f"{self.capacity} bytes"
        return PlanError(path, f"room for the {resident.size} bytes of {name} in sram.activation{where}", got)

    def _placed(self, names: Sequence[str], state: State) -> tuple[Place, ...] | None:
        """Places of new residents beside those of a state; None where one finds no place."""
        key = tuple(names), state.residents
        if key not in self.placed:
            self.placed[key] = self._found_places(*key)
        return self.placed[key]

    def _found_places(self, names: Sequence[str], residents: tuple[Place, ...]) -> tuple[Place, ...] | None:
        """Places of new residents, each where it leaves the largest piece; None where one finds no place."""
        made = tuple[Place, ...]()
        for name in sorted(names, key=self._precedence):
            resident = self.candidates[name]
            there = (*residents, *made)
            last = 0 if self._is_added(resident) else resident.last
            later = free(tuple(each for each in there if each.last >= last), self.capacity)
            low = address_in(free(there, self.capacity), resident.size, later, self._address(name))
            if low is None:
                return None
            made = *made, Place(low, low + resident.size, resident.first, name, resident.last)
        return made

    def _is_added(self, resident: Resident) -> bool:
        """True where the last that reads a resident adds it: the sum may take its place, and begins before it."""
        reader = self.groups.nodes[resident.last]
        return reader.shortcut == resident.name or reader.op.station == "add"

    def _precedence(self, name: str) -> tuple[bool, int]:
        """Feature maps at given addresses come first, and then the large ones."""
        return self._address(name) is None, -self.candidates[name].size

    def _address(self, name: str) -> int | None:
        return self.given.keep[name].address if name in self.given.keep else None

    def _channels(self, residents: tuple[Place, ...]) -> ResidentChannels:
        """Channels that are on chip: of residents, and of the parts that are given, which are placed at last."""
        parts = {part.resident.name: part.resident.channels for part in self.given.parts}
        return parts | {each.name: self.candidates[each.name].channels for each in residents}

    def _residency(self, state: State) -> Residency:
        """The schedule that led to a state."""
        steps: list[tuple[Step, tuple[Place, ...]]] = []
        reached: State | None = state
        while reached is not None and reached.step is not None:
            assert reached.before is not None
            steps.append((reached.step, reached.before.residents))
            reached = reached.before
        stays: dict[str, Resident] = {}
        addresses: dict[str, int] = {}
        rooms: list[ByteRange] = []
        cascades: list[Cascade] = []
        for step, before in reversed(steps):
            for place in step.made:
                stays[place.name], addresses[place.name] = self.candidates[place.name], place.low
            room = step.room
            if step.striped is not None:
                room = room[1] - step.striped.ring_bytes, room[1]
                channels = self._channels((*before, *step.made))
                cascade = self._cascade(step, step.striped.group, room, channels, len(cascades))
                cascades.append(cascade)
                span = cascade.span
                for name, count in cascade.internal.items():
                    stays[name] = Resident(name, span.start, span.stop - 1, 0, count)
            rooms += [room] * (step.last + 1 - step.first)
        return Residency(stays, addresses, tuple(rooms), tuple(cascades), state.cycles, state.dram_bytes)

    def _cascade(self, step: Step, group: Group, room: ByteRange, channels: ResidentChannels, number: int) -> Cascade:
        """The group with its rings one after the other; every other cascade has its weights at the top."""
        groups = self.groups
        names = {place: groups.nodes[step.first + place].name for place in group.places}
        made = (*group.rings.internal.items(), *group.rings.outputs.items())
        sizes = {names[place]: tuple(ring) for place, ring in made if names[place] not in channels}
        loaded = dict(self._loaded(step, group, channels))
        addresses = stacked(room[0], (slots * size for slots, size in (*sizes.values(), *loaded.values())))
        rings = {name: Ring(next(addresses), *each) for name, each in sizes.items()}
        inputs = {name: Ring(next(addresses), *each) for name, each in loaded.items()}
        nodes = [groups.nodes[step.first + place] for place in group.places]
        return Cascade(
            tuple(step.first + place for place in group.places),
            group.members,
            rings,
            inputs,
            {names[place]: groups.nodes[step.first + place].output.channels for place in group.rings.internal},
            room,
            groups.weights.room - group.weight_bytes if number % 2 else 0,
            {
                node.name: groups.cache.stripe_tiling(node, member.rows, groups.weights)
                for node, member in zip(nodes, group.members, strict=True)
            },
        )

    def _loaded(self, step: Step, group: Group, channels: ResidentChannels) -> Iterator[tuple[str, tuple[int, int]]]:
        """Slots and bytes of each for what a group loads, by name of the tensor."""
        for each in group.rings.inputs.values():
            sources = {self._source(step, source): count for source, count in each.sources.items()}
            there = {name: count for name, count in sources.items() if name not in channels}
            if there:
                tensor = self.groups.cache.layout.by_name[next(iter(there))].tensor
                slots, size = each.ring(sum(there.values()))
                yield tensor.name, (slots, size)

    def _source(self, step: Step, distance: int) -> str:
        """The layer or input of the network at a distance from a step."""
        if distance <= -FAR:
            return self.groups.input_name(distance)
        return self.groups.nodes[step.first + distance].name
