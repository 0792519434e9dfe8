"""Residents: feature maps that stay on chip from the layer that computes them to the last that reads them.

A resident is a whole feature map here (`partial` adds parts of others). It takes its bytes of the activation buffer
from the first command of its layer to the last of its last reader; layers in between have the rest for their tiles.
Residents are chosen greedily, those with the fewest layers first, of them the smaller, and each only if the DRAM bytes
of all layers fall and the objective is estimated to be nearly as good as without residents.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NamedTuple

from accelsim.errors import LoweringError
from accelsim.lowering.ir import NO_RESIDENTS, SCORE_TOLERANCE, Layout, ResidentChannels, Tiling
from accelsim.network.graph import Network, Node
from accelsim.network.stream import numbered
from accelsim.units import packed_bytes


class Cost(NamedTuple):
    """DRAM bytes of a layer, or of several, and what is to be small by the objective, both by estimate."""

    dram_bytes: int
    score: float


CostOf = Callable[[Node, int, ResidentChannels], Cost]
"""What a layer takes, given the bytes of activation buffer for its tiles and the maps that stay.

Raises LoweringError where it does not fit."""


def together(found: Iterable[Cost]) -> Cost:
    """What several layers take."""
    moved, scores = zip(*found, strict=True)
    return Cost(sum(moved), sum(scores))


class OutgrownError(Exception):
    """Layout that were to stay, and whose tiles take more than their place."""

    def __init__(self, names: Collection[str]) -> None:
        super().__init__(names)
        self.names = frozenset(names)


@dataclass(frozen=True, slots=True)
class Resident:
    """A map that may stay, or its leading channels: from layer `first` to layer `last`, in so many bytes."""

    name: str
    first: int
    last: int
    size: int
    channels: int

    @property
    def layers(self) -> range:
        return range(self.first, self.last + 1)


@dataclass(frozen=True, slots=True)
class Cascade:
    """A map that is on chip in stripes only, while its layer `first` and its readers up to `last` take turns.

    low: address of the ring of so many slots; room: piece of the activation buffer for tiles meanwhile; plans: of the
    layers, by name; taken: what they take together.
    """

    name: str
    first: int
    last: int
    low: int
    room: tuple[int, int]
    slots: int
    slot_bytes: int
    plans: dict[str, Tiling]
    taken: Cost

    @property
    def layers(self) -> range:
        return range(self.first, self.last + 1)

    def numbered(self, number: int, layers: int) -> Cascade:
        """The same in one of several inferences of so many layers."""
        shift = (number - 1) * layers
        plans = {numbered(name, number): plan for name, plan in self.plans.items()}
        name = numbered(self.name, number)
        return replace(self, name=name, first=self.first + shift, last=self.last + shift, plans=plans)


@dataclass(frozen=True, slots=True)
class Residency:
    """The maps that stay, and for each layer the largest piece of the activation buffer that is left: [low, high).

    fusions: by the map that stays in stripes; it is among those that stay too.
    """

    stays: dict[str, Resident]
    addresses: dict[str, int]
    rooms: tuple[tuple[int, int], ...]
    fusions: dict[str, Cascade] = field(default_factory=dict)

    @property
    def channels(self) -> ResidentChannels:
        """How many stay, by the name of the map."""
        return {name: stay.channels for name, stay in self.stays.items()}

    def taken(self, nodes: Sequence[Node], cost: CostOf) -> Cost:
        """What all layers take, by what each does. Raises LoweringError."""
        fused = {layer for fusion in self.fusions.values() for layer in fusion.layers}
        stays = self.channels
        alone = (
            cost(nodes[layer], high - low, stays) for layer, (low, high) in enumerate(self.rooms) if layer not in fused
        )
        return together((*alone, *(fusion.taken for fusion in self.fusions.values())))

    def fused(self, fusion: Cascade, channels: int) -> Residency:
        """The same with these layers fused, the map between having so many channels."""
        stay = Resident(fusion.name, fusion.first, fusion.last, fusion.slots * fusion.slot_bytes, channels)
        rooms = (*self.rooms[: fusion.first], *(fusion.room for _ in fusion.layers), *self.rooms[fusion.last + 1 :])
        return replace(
            self,
            stays={**self.stays, fusion.name: stay},
            addresses={**self.addresses, fusion.name: fusion.low},
            rooms=rooms,
            fusions={**self.fusions, fusion.name: fusion},
        )

    def beside(self, part: Resident, low: int) -> Residency:
        """The same and a part of a map at this address in the room of its layers, which keep the larger piece."""
        rooms = list(self.rooms)
        for layer in part.layers:
            bottom, top = rooms[layer]
            rooms[layer] = max((bottom, low), (low + part.size, top), key=lambda room: room[1] - room[0])
        return replace(
            self,
            stays={**self.stays, part.name: part},
            addresses={**self.addresses, part.name: low},
            rooms=tuple(rooms),
        )

    def repeated(self, inferences: int, layers: int) -> Residency:
        """The same for each of so many inferences of so many layers."""
        stays: dict[str, Resident] = {}
        addresses: dict[str, int] = {}
        for number in range(1, inferences + 1):
            for stay in self.stays.values():
                name, shift = numbered(stay.name, number), (number - 1) * layers
                stays[name] = replace(stay, name=name, first=stay.first + shift, last=stay.last + shift)
                addresses[name] = self.addresses[stay.name]
        several = (
            each.numbered(number, layers) for number in range(1, inferences + 1) for each in self.fusions.values()
        )
        return Residency(stays, addresses, self.rooms * inferences, {each.name: each for each in several})


def no_residents(layers: int, capacity: int) -> Residency:
    """Every map goes through DRAM."""
    return Residency({}, {}, ((0, capacity),) * layers)


Place = tuple[int, int, int, int]
"""Of a map: [low, high) of the buffer, the first and last layer."""


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The maps that stay so far, the largest first, their places, and of each layer its room and what it costs."""

    stays: tuple[Resident, ...]
    places: tuple[Place, ...]
    rooms: tuple[tuple[int, int], ...]
    costs: tuple[Cost, ...]

    def residency(self) -> Residency:
        """The same by name."""
        pairs = list(zip(self.stays, self.places, strict=True))
        return Residency(
            {stay.name: stay for stay, _ in pairs}, {stay.name: low for stay, (low, *_) in pairs}, self.rooms
        )


def plan_residents(
    nodes: Sequence[Node], found: Iterable[Resident], capacity: int, limits: Sequence[int], cost: CostOf
) -> list[Residency]:
    """Those of the candidates that stay in an activation buffer of so many bytes, for each limit to their size.

    TilingContext that went the same way so far go it together, and have the same plan if they never part.
    """
    costs = tuple(cost(node, capacity, NO_RESIDENTS) for node in nodes)
    start = _Chosen((), (), no_residents(len(nodes), capacity).rooms, costs)
    chosen, most = dict.fromkeys(limits, start), SCORE_TOLERANCE * together(costs).score
    for stay in sorted(found, key=_worth):
        tried: dict[int, _Chosen] = {}
        for limit, before in chosen.items():
            if stay.size <= min(limit, capacity):
                if id(before) not in tried:
                    tried[id(before)] = _with(before, stay, nodes, capacity, cost, most)
                chosen[limit] = tried[id(before)]
    plans = {id(each): each.residency() for each in chosen.values()}
    return [plans[id(chosen[limit])] for limit in limits]


def _worth(stay: Resident) -> tuple[int, int]:
    """Those first that stay for the fewest layers, and of them the smaller."""
    return len(stay.layers), stay.size


def _with(before: _Chosen, stay: Resident, nodes: Sequence[Node], capacity: int, cost: CostOf, most: float) -> _Chosen:
    """One more map, if it finds a place, all layers then move fewer bytes, and what is to be small is at most so much;
    else the same."""
    position = bisect_right(before.stays, _rank(stay), key=_rank)
    stays = (*before.stays[:position], stay, *before.stays[position:])
    found = _placed(stays, position, before.places, capacity)
    if found is None:
        return before
    places, layers = found
    rooms = (*before.rooms[: layers.start], *_rooms(places, layers, capacity), *before.rooms[layers.stop :])
    channels, costs = {each.name: each.channels for each in stays}, list(before.costs)
    for layer in layers:
        low, high = rooms[layer]
        if (low, high) != before.rooms[layer] or stay.first <= layer <= stay.last:
            try:
                costs[layer] = cost(nodes[layer], high - low, channels)
            except LoweringError:
                return before
    moved, score = together(costs)
    better = moved < together(before.costs).dram_bytes and score <= most
    return _Chosen(stays, tuple(places), rooms, tuple(costs)) if better else before


def _rank(stay: Resident) -> tuple[int, int]:
    """The largest are placed first."""
    return -stay.size, stay.first


def _placed(
    stays: Sequence[Resident], position: int, before: Sequence[Place], capacity: int
) -> tuple[list[Place], range] | None:
    """Places of the maps, of which that at a position is new, and the layers for which some differ; None where one
    finds none.

    Layout have theirs at the top of what larger ones leave while they stay. So larger ones keep it, and of the smaller
    those that are there at the same time, or at that of one that moves, look for it anew.
    """
    places = list(before[:position])
    first, last = stays[position].first, stays[position].last
    for number, stay in enumerate(stays[position:], start=position):
        old = before[number - 1] if number > position else None
        if old is not None and (stay.first > last or first > stay.last):
            places.append(old)
            continue
        low = _highest(stay, places, capacity)
        if low is None:
            return None
        if old is None or low != old[0]:
            first, last = min(first, stay.first), max(last, stay.last)
        places.append((low, low + stay.size, stay.first, stay.last))
    return places, range(first, last + 1)


def _highest(stay: Resident, places: Iterable[Place], capacity: int) -> int | None:
    """The highest free address for a map beside those that stay at the same time."""
    start, stop, top = stay.first, stay.last, capacity
    others = [(high, low) for low, high, first, last in places if first <= stop and start <= last]
    for high, low in sorted(others, reverse=True):
        if top - high >= stay.size:
            break
        top = min(top, low)
    return top - stay.size if top >= stay.size else None


def _rooms(places: Iterable[Place], layers: range, capacity: int) -> list[tuple[int, int]]:
    """The largest piece of the buffer that is left to each of these layers."""
    best, reached = [(0, 0) for _ in layers], [0 for _ in layers]
    for low, high, first, last in (*sorted(places), (capacity, capacity, layers.start, layers.stop - 1)):
        for layer in range(max(first, layers.start) - layers.start, min(last + 1, layers.stop) - layers.start):
            if low - reached[layer] > best[layer][1] - best[layer][0]:
                best[layer] = reached[layer], low
            reached[layer] = high
    return best


def candidates(network: Network, maps: Layout, layers: int) -> Iterator[Resident]:
    """All maps that one of the first layers computes and later ones read, none of which is the network's output."""
    numbers = {node.name: number for number, node in enumerate(network.nodes)}
    for number, node in enumerate(network.nodes[:layers]):
        if node.op.is_address:
            continue
        readers = readers_of(network, maps, node.name)
        if readers:
            shape = node.output
            bits = maps.by_name[node.name].tensor.bits
            size = packed_bytes(network.batch * shape.elements, bits)
            slack = 0 if bits % 8 == 0 else network.batch * shape.height * shape.width
            yield Resident(node.name, number, max(numbers[reader] for reader in readers), size + slack, shape.channels)


def readers_of(network: Network, maps: Layout, name: str) -> list[str]:
    """The layers that read a map, through layers that are only addresses; none if it is an output, or the
    right map of a product, which is read from DRAM as weights are."""
    consumers = network.consumers[name]
    found: list[str] = []
    for node in consumers:
        if node.op.is_address and name not in maps.copies[node.name]:
            further = readers_of(network, maps, node.name)
            if not further:
                return []
            found += further
        elif node.op.multiplies_maps and node.inputs[1] == name:
            return []
        else:
            found.append(node.name)
    return found


def _free(taken: Sequence[tuple[int, int]], capacity: int) -> list[tuple[int, int]]:
    """The pieces of the buffer beside these places, which are in order."""
    pieces, low = [], 0
    for start, end in (*taken, (capacity, capacity)):
        pieces.append((low, start))
        low = max(low, end)
    return pieces


def free_pieces(residency: Residency, capacity: int, layers: range) -> list[tuple[int, int]] | None:
    """The pieces of the buffer that no map takes that stays during any of these layers.

    None where two of those share a place one after the other: layers that take turns would need both at once.
    """
    taken = sorted(
        (residency.addresses[name], residency.addresses[name] + stay.size)
        for name, stay in residency.stays.items()
        if stay.first < layers.stop and layers.start <= stay.last
    )
    if any(before[1] > after[0] for before, after in pairwise(taken)):
        return None
    return _free(taken, capacity)
