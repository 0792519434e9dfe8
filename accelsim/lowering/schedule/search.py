"""The schedule: which layers run depth-first together, and which feature maps stay on chip between them.

A beam search goes from cut to cut between layers. A state at a cut is the set of resident feature maps that are still
to be read, with their addresses; a step is a layer by itself or a group of layers in stripes, with some of its results
resident. The few best states of each cut go on.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product, takewhile
from typing import NamedTuple

from accelsim.errors import LoweringError, PlanError
from accelsim.lowering.allocate import Piece, Place, address_in, free, largest, overlaps, size_of, stacked
from accelsim.lowering.ir import ResidentChannels
from accelsim.lowering.schedule.costs import Costs
from accelsim.lowering.schedule.effort import Effort, Pace, elapsed
from accelsim.lowering.schedule.given import GivenSchedule
from accelsim.lowering.schedule.groups import MOST_ROWS, Demand, Group, Groups, Span
from accelsim.lowering.schedule.residents import Cascade, Residency, Resident, Ring, readers_of
from accelsim.lowering.schedule.rings import FAR
from accelsim.lowering.tiling.sizes import sizes_of

BEAM = 5
"""States that go on from a cut, of those that cost least and of those that promise most; one of those whose residents
save as much and leave as much room."""

NO_EFFORT = Effort(0.0, 0.0, 0.0, 0.0, 0, 0)
"""The effort of a layer that is only addresses."""

HEIGHTS = 3
"""Heights of stripes that are compared: the highest that fits, and the next lower ones."""


class Step(NamedTuple):
    """Layers [first, last] together: a group in a piece of the buffer, or one layer with a piece for its tiles."""

    first: int
    last: int
    group: Group | None
    room: Piece
    made: tuple[Place, ...]
    effort: Effort


class State(NamedTuple):
    """The best way to a cut with these residents, and its clocks and DRAM bytes."""

    score: float
    cycles: float
    dram_bytes: float
    residents: tuple[Place, ...]
    pace: Pace
    step: Step | None
    before: State | None


Key = tuple[tuple[str, ...], int]
"""Names of residents in the order of their places, and the room that these leave."""

Beam = dict[Key, State]
"""The best states at a cut."""


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
    demands: dict[tuple[int, int, frozenset[int]], tuple[Group, Demand] | None] = field(default_factory=dict)

    def plan(self) -> Residency:
        """The best schedule found. Raises LoweringError where a layer fits in no state."""
        nodes = self.groups.nodes
        beams: list[Beam] = [{} for _ in range(len(nodes) + 1)]
        beams[0][_key((), 0, self.capacity)] = State(0.0, 0.0, 0.0, (), Pace(0.0, 0), None, None)
        for cut, node in enumerate(nodes):
            states = self._best_states(cut, beams[cut].values())
            beams[cut] = {}
            if self.groups.cache.is_idle(node):
                idle = Step(cut, cut, None, (0, self.capacity), (), NO_EFFORT)
                for state in states:
                    self._enter(beams[cut + 1], cut + 1, state, idle)
                continue
            spans = self._spans(cut)
            for state in states:
                for step in self._single(cut, state, beams[cut + 1]) if cut not in self.given.groups else ():
                    self._enter(beams[cut + 1], cut + 1, state, step)
                for span in self._fitting(spans, state):
                    beam = beams[span.last + 1]
                    for step in self._depth_first(span, state, beam):
                        self._enter(beam, span.last + 1, state, step)
        if not beams[-1]:
            assert self.failed is not None
            raise self.failed[1]
        return self._residency(min(beams[-1].values(), key=lambda each: each.score))

    def _fail(self, layer: int, error: LoweringError) -> None:
        """Note that a step with a layer fails; where no way leads behind it, the first failure there says why."""
        if self.failed is None or layer > self.failed[0]:
            self.failed = layer, error

    def _spans(self, cut: int) -> list[Span]:
        """The groups that may begin with a layer: the one that is given, or those that leave given ones alone."""
        if cut in self.given.groups:
            return [self.given.groups[cut].span]
        spans = takewhile(self._may_fit, self.groups.spans(cut)) if self.cascades else ()
        return [span for span in spans if self.given.grouped.isdisjoint(cut + place for place in span.places)]

    def _may_fit(self, span: Span) -> bool:
        """True where the rings of a group fit the buffer with the lowest stripes and all else resident. Where they do
        not, those of a longer one do not either."""
        return self._fits(span, span.touched, self.capacity)

    def _fitting(self, spans: Iterable[Span], state: State) -> Iterator[Span]:
        """The groups whose rings fit beside the residents of a state with the lowest stripes, all that leaves resident;
        and those that are given, whether they do or not."""
        room = size_of(largest(free(state.residents, self.capacity)))
        for span in spans:
            there = (each.number - span.first for each in state.residents)
            touched = span.touched.intersection([*span.leaving, *there])
            if span.first in self.given.groups or self._fits(span, touched, room):
                yield span

    def _fits(self, span: Span, residents: frozenset[int], room: int) -> bool:
        """True where the rings of a group fit a room with the lowest stripes."""
        found = self._demand(span, 1, residents)
        return found is not None and found[1].ring_bytes <= room

    def _best_states(self, cut: int, states: Collection[State]) -> list[State]:
        """The states that go on: those that cost least so far, and those that do less half of what residents save."""
        if len(states) <= BEAM:
            return list(states)
        saving = [(each, self._saves(cut, each)) for each in states]
        found: dict[int, State] = {}
        for share in (0.0, 0.5):
            ranked = sorted(saving, key=lambda each: each[0].score - share * each[1])
            alike = {(round(saved), _room(state.residents, self.capacity)): state for state, saved in reversed(ranked)}
            best = sorted(alike.items(), key=lambda each: each[1].score - share * each[0][0])[:BEAM]
            found.update((id(state), state) for _, state in best)
        return list(found.values())

    def _saves(self, cut: int, state: State) -> float:
        """Value of the bytes that the layers from a cut on would load if the residents were none."""
        moved = sum((place.high - place.low) * self._reads(place.name, cut) for place in state.residents)
        return self.costs.value(0.0, moved)

    def _reads(self, name: str, cut: int) -> int:
        if name not in self.readers:
            found = readers_of(self.groups.network, self.groups.cache.layout, name)
            self.readers[name] = sorted(self.groups.numbers[reader] for reader in found)
        return len(self.readers[name]) - bisect_left(self.readers[name], cut)

    def _enter(self, beam: Beam, cut: int, state: State, step: Step) -> None:
        residents = tuple(sorted(each for each in (*state.residents, *step.made) if each.last >= cut))
        key = _key(residents, cut, self.capacity)
        score, pace, cycles, moved = state.score, state.pace, 0.0, 0.0
        if step.effort is not NO_EFFORT:
            cycles, pace = elapsed(pace, step.effort, self.groups.weights.room, self.groups.cache.base)
            moved = step.effort.dram_bytes
            score += self.costs.value(cycles, moved)
        if key not in beam or score < beam[key].score:
            sums = state.cycles + cycles, state.dram_bytes + moved
            beam[key] = State(score, *sums, residents, pace, step, state)

    def _single(self, layer: int, state: State, beam: Beam) -> Iterator[Step]:
        node = self.groups.nodes[layer]
        for made in self._choices((node.name,), state):
            residents = (*state.residents, *made)
            channels = self._channels(residents)
            known = beam.get(_key(residents, layer + 1, self.capacity))
            if known is not None and known.score <= state.score + self.costs.least(node, channels):
                continue
            room = largest(free(residents, self.capacity))
            try:
                effort = self.costs.alone(node, room[1] - room[0], channels)
            except LoweringError as error:
                self._fail(layer, error)
                continue
            yield Step(layer, layer, None, room, made, effort)

    def _depth_first(self, span: Span, state: State, beam: Beam) -> Iterator[Step]:
        names = tuple(self.groups.nodes[span.first + place].name for place in span.leaving)
        placed: dict[str, Group] = {}
        for made in self._choices(names, state):
            residents = (*state.residents, *made)
            room = largest(free(residents, self.capacity))
            touched = span.touched.intersection([each.number - span.first for each in residents])
            if self._is_beaten(span, state, residents, touched, beam):
                continue
            found = self._best(span, touched, room[1] - room[0])
            if found:
                if len(made) == 1:
                    placed[made[0].name] = found[0]
                yield self._step(span, room, made, *found)
            elif span.first in self.given.groups:
                path, size = self.given.groups[span.first].path, room[1] - room[0]
                got = f"{size} bytes beside what stays, too few for the lowest stripes"
                self._fail(span.first, PlanError(path, "room for the stripes of its layers in sram.activation", got))
        for name, old in product(names, state.residents):
            if name in self.candidates and old.rows and old.last in range(span.first, span.last + 1):
                yield from self._in_place(span, state, name, old, placed.get(name), beam)

    def _step(
        self, span: Span, room: Piece, made: tuple[Place, ...], group: Group, ring_bytes: int, effort: Effort
    ) -> Step:
        """A group whose rings are at the top of a room."""
        rows = {span.first + place: member.rows for place, member in zip(group.places, group.members, strict=True)}
        top = (room[1] - ring_bytes, room[1])
        made = tuple(each._replace(rows=rows[each.number]) for each in made)
        return Step(span.first, span.last, group, top, made, effort)

    def _is_beaten(
        self, span: Span, state: State, residents: Sequence[Place], touched: frozenset[int], beam: Beam
    ) -> bool:
        """True where the least that a group can cost is no less than another way to the same residents."""
        known = beam.get(_key(residents, span.last + 1, self.capacity))
        return known is not None and known.score <= state.score + self.costs.value(*self.groups.least(span, touched))

    def _in_place(
        self, span: Span, state: State, name: str, old: Place, placed: Group | None, beam: Beam
    ) -> Iterator[Step]:
        """A group one of whose results takes the place of a resident, stripe by stripe as the group is done with it;
        unless it is no other than the one with the result in a place of its own."""
        resident, others = self.candidates[name], [each for each in state.residents if each is not old]
        number = resident.first - span.first
        touched = span.touched.intersection([number, *(each.number - span.first for each in state.residents)])
        there = old._replace(number=resident.first, name=name, last=resident.last)
        if self._is_beaten(span, state, (*others, there), touched, beam):
            return
        room = largest(free([*others, old._replace(high=max(old.high, old.low + resident.size))], self.capacity))
        ahead = partial(self.groups.ahead, span, made=number, old=old.number - span.first, rows=old.rows)
        found = self._best(span, touched, size_of(room), ahead)
        if found is None or found[0] is placed:
            return
        group, ring_bytes, effort = found
        low = old.low - ahead(group)
        made = Place(low, low + resident.size, resident.first, name, resident.last)
        both = old._replace(low=low, high=max(old.high, made.high))
        if low < 0 or overlaps(both[:2], others) or self._address(name) not in (None, low):
            return
        room = largest(free([*others, both], self.capacity))
        if both.high <= self.capacity and ring_bytes <= size_of(room):
            yield self._step(span, room, (made,), group, ring_bytes, effort)

    def _best(
        self, span: Span, residents: frozenset[int], room: int, gap: Callable[[Group], int] = lambda _: 0
    ) -> tuple[Group, int, Effort] | None:
        """The quickest of the groups with the highest stripes whose rings fit a room, the bytes of these, and effort:
        lower ones overlap units better, higher ones load the array less often. gap: bytes of the room beside rings."""

        def fitting(rows: int) -> tuple[Group, Demand] | None:
            found = self._demand(span, rows, residents)
            return found if found and found[1].ring_bytes + gap(found[0]) <= room else None

        choices = sizes_of(min(span.height, MOST_ROWS))
        if fitting(choices[-1]) is None:
            return None
        low, high = 0, len(choices) - 1
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if fitting(choices[middle]) else (middle + 1, high)
        found = filter(None, map(fitting, choices[low : low + HEIGHTS]))
        efforts = ((group, need.ring_bytes, self.groups.effort(group, need.fmap_bytes)) for group, need in found)
        return min(efforts, key=lambda each: each[2].cycles, default=None)

    def _demand(self, span: Span, rows: int, residents: frozenset[int]) -> tuple[Group, Demand] | None:
        key = span.alike, rows, residents
        if key not in self.demands:
            group = self.groups.group(span, rows)
            self.demands[key] = (group, self.groups.demand(group, residents)) if group else None
        return self.demands[key]

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
                self._fail(self.candidates[forced[0]].first, self._misplaced(forced[0]))

    def _misplaced(self, name: str) -> PlanError:
        resident, address, path = self.given.keep[name]
        where = "" if address is None else f" at {address}"
        got = "none beside what else stays" if resident.size <= self.capacity else f"{self.capacity} bytes"
        return PlanError(path, f"room for the {resident.size} bytes of {name} in sram.activation{where}", got)

    def _placed(self, names: Sequence[str], state: State) -> tuple[Place, ...] | None:
        """Places of new residents, each where it leaves the largest piece; None where one finds no place."""
        made: list[Place] = []
        for name in sorted(names, key=self._precedence):
            resident = self.candidates[name]
            pieces = free((*state.residents, *made), self.capacity)
            low = address_in(pieces, resident.size, self._address(name))
            if low is None:
                return None
            made.append(Place(low, low + resident.size, resident.first, name, resident.last))
        return tuple(made)

    def _precedence(self, name: str) -> tuple[bool, int]:
        """Feature maps at given addresses come first, and then the large ones."""
        return self._address(name) is None, -self.candidates[name].size

    def _address(self, name: str) -> int | None:
        return self.given.keep[name].address if name in self.given.keep else None

    def _channels(self, residents: Sequence[Place]) -> ResidentChannels:
        return {each.name: self.candidates[each.name].channels for each in residents}

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
        rooms: list[Piece] = []
        cascades: list[Cascade] = []
        for step, before in reversed(steps):
            for place in step.made:
                stays[place.name], addresses[place.name] = self.candidates[place.name], place.low
            rooms += [step.room] * (step.last + 1 - step.first)
            if step.group is not None:
                channels = self._channels((*before, *step.made))
                cascade = self._cascade(step, step.group, channels, len(cascades))
                cascades.append(cascade)
                span = cascade.span
                for name, count in cascade.internal.items():
                    stays[name] = Resident(name, span.start, span.stop - 1, 0, count)
        return Residency(stays, addresses, tuple(rooms), tuple(cascades), state.cycles, state.dram_bytes)

    def _cascade(self, step: Step, group: Group, channels: ResidentChannels, number: int) -> Cascade:
        """The group with its rings one after the other; every other cascade has its weights at the top."""
        groups = self.groups
        names = {place: groups.nodes[step.first + place].name for place in group.places}
        made = (*group.internal.items(), *group.outputs.items())
        sizes = {names[place]: tuple(ring) for place, ring in made if names[place] not in channels}
        loaded = dict(self._loaded(step, group, channels))
        addresses = stacked(step.room[0], (slots * size for slots, size in (*sizes.values(), *loaded.values())))
        rings = {name: Ring(next(addresses), *each) for name, each in sizes.items()}
        inputs = {name: Ring(next(addresses), *each) for name, each in loaded.items()}
        nodes = [groups.nodes[step.first + place] for place in group.places]
        return Cascade(
            tuple(step.first + place for place in group.places),
            group.members,
            rings,
            inputs,
            {names[place]: groups.nodes[step.first + place].output.channels for place in group.internal},
            step.room,
            groups.weights.room - group.weight_bytes if number % 2 else 0,
            {
                node.name: groups.cache.stripe_tiling(node, member.rows, groups.weights)
                for node, member in zip(nodes, group.members, strict=True)
            },
        )

    def _loaded(self, step: Step, group: Group, channels: ResidentChannels) -> Iterator[tuple[str, tuple[int, int]]]:
        """Slots and bytes of each for what a group loads, by name of the tensor."""
        for each in group.inputs.values():
            sources = {self._source(step, source): count for source, count in each.sources.items()}
            there = {name: count for name, count in sources.items() if name not in channels}
            if there:
                tensor = self.groups.cache.layout.by_name[next(iter(there))].tensor
                yield tensor.name, (each.slots, each.channel_bytes * sum(there.values()))

    def _source(self, step: Step, distance: int) -> str:
        """The layer or input of the network at a distance from a step."""
        if distance <= -FAR:
            return self.groups.input_name(distance)
        return self.groups.nodes[step.first + distance].name


def _key(residents: Iterable[Place], cut: int, capacity: int) -> Key:
    """Names of the residents that are still read behind a cut, in the order of their places, and the room beside."""
    there = sorted(each for each in residents if each.last >= cut)
    return tuple(each.name for each in there), _room(there, capacity)


def _room(residents: Iterable[Place], capacity: int) -> int:
    """Fourths of the buffer that the largest free piece holds."""
    return 4 * size_of(largest(free(residents, capacity))) // capacity
