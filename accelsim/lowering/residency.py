"""Which feature maps stay on chip from the layer that computes them to the last that reads them.

A map stays whole or not at all, and takes its bytes of the activation buffer from the first piece of its layer to the
last of its last reader; layers in between have the rest for their tiles. Maps are chosen greedily, those that stay for
the fewest layers first, of them the smaller, and each only if the DRAM bytes of all layers concerned get fewer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from accelsim.errors import LoweringError
from accelsim.lowering.placement import Maps
from accelsim.network.graph import ADDRESSES, Network, Node, Op
from accelsim.network.stream import numbered
from accelsim.units import packed_bytes

Cost = Callable[[Node, int, frozenset[str]], int]
"""DRAM bytes of a layer, given the bytes of activation buffer for its tiles and the maps that stay.

Raises LoweringError where it does not fit."""


class MapsOutgrownError(Exception):
    """Maps that were to stay, and whose tiles take more than their place."""

    def __init__(self, names: Collection[str]) -> None:
        super().__init__(names)
        self.names = frozenset(names)


@dataclass(frozen=True, slots=True)
class Stay:
    """A map that may stay: from layer `first` to layer `last`, in so many bytes."""

    name: str
    first: int
    last: int
    size: int

    @property
    def layers(self) -> range:
        return range(self.first, self.last + 1)


@dataclass(frozen=True, slots=True)
class Residency:
    """The maps that stay, and for each layer the largest piece of the activation buffer that is left: [low, high)."""

    stays: dict[str, Stay]
    addresses: dict[str, int]
    rooms: tuple[tuple[int, int], ...]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self.stays)

    def repeated(self, inferences: int, layers: int) -> Residency:
        """The same for each of so many inferences of so many layers."""
        stays: dict[str, Stay] = {}
        addresses: dict[str, int] = {}
        for number in range(1, inferences + 1):
            for stay in self.stays.values():
                name, shift = numbered(stay.name, number), (number - 1) * layers
                stays[name] = Stay(name, stay.first + shift, stay.last + shift, stay.size)
                addresses[name] = self.addresses[stay.name]
        return Residency(stays, addresses, self.rooms * inferences)


def nothing_stays(layers: int, capacity: int) -> Residency:
    """Every map goes through DRAM."""
    return Residency({}, {}, ((0, capacity),) * layers)


def plan_residency(nodes: Sequence[Node], found: Iterable[Stay], capacity: int, cost: Cost) -> Residency:
    """Those of the candidates that stay in an activation buffer of so many bytes."""
    chosen: dict[str, Stay] = {}
    best = nothing_stays(len(nodes), capacity)
    costs = [cost(node, capacity, frozenset()) for node in nodes]
    for stay in sorted(found, key=_worth):
        if stay.size > capacity:
            continue
        tried = _laid_out({**chosen, stay.name: stay}, len(nodes), capacity)
        if tried is None:
            continue
        after = _costs(nodes, tried, stay, cost)
        if after is not None and sum(after.values()) < sum(costs[layer] for layer in after):
            chosen[stay.name], best = stay, tried
            for layer, amount in after.items():
                costs[layer] = amount
    return best


def _worth(stay: Stay) -> tuple[int, int]:
    """Those first that stay for the fewest layers, and of them the smaller."""
    return len(stay.layers), stay.size


def _costs(nodes: Sequence[Node], residency: Residency, stay: Stay, cost: Cost) -> dict[int, int] | None:
    """DRAM bytes of the layers that a map's staying concerns; None where one no longer fits."""
    found = {}
    for layer in stay.layers:
        low, high = residency.rooms[layer]
        try:
            found[layer] = cost(nodes[layer], high - low, residency.names)
        except LoweringError:
            return None
    return found


def candidates(network: Network, maps: Maps, layers: int) -> Iterator[Stay]:
    """All maps that one of the first layers computes and later ones read, none of which is the network's output."""
    numbers = {node.name: number for number, node in enumerate(network.nodes)}
    for number, node in enumerate(network.nodes[:layers]):
        if node.op in ADDRESSES:
            continue
        readers = readers_of(network, maps, node.name)
        if readers:
            shape = node.output
            bits = maps.by_name[node.name].tensor.bits
            size = packed_bytes(network.batch * shape.elements, bits)
            slack = 0 if bits % 8 == 0 else network.batch * shape.height * shape.width
            yield Stay(node.name, number, max(numbers[reader] for reader in readers), size + slack)


def readers_of(network: Network, maps: Maps, name: str) -> list[str]:
    """The layers that read a map, through layers that are only addresses; none if it is an output, or the
    right map of a product, which is read from DRAM as weights are."""
    consumers = network.consumers[name]
    found: list[str] = []
    for node in consumers:
        if node.op in ADDRESSES and name not in maps.copies[node.name]:
            further = readers_of(network, maps, node.name)
            if not further:
                return []
            found += further
        elif node.op is Op.PRODUCT and node.inputs[1] == name:
            return []
        else:
            found.append(node.name)
    return found


def _laid_out(stays: dict[str, Stay], layers: int, capacity: int) -> Residency | None:
    """Give each map its address, the largest first, at the top of what is free for as long as it stays."""
    placed: list[tuple[Stay, int]] = []
    for stay in sorted(stays.values(), key=lambda stay: (-stay.size, stay.first)):
        low = _highest(stay, placed, capacity)
        if low is None:
            return None
        placed.append((stay, low))
    rooms = tuple(_room(layer, placed, capacity) for layer in range(layers))
    return Residency(stays, {stay.name: low for stay, low in placed}, rooms)


def _highest(stay: Stay, placed: Sequence[tuple[Stay, int]], capacity: int) -> int | None:
    """The highest free address for a map among those that stay at the same time."""
    high = capacity
    others = sorted(
        ((low + other.size, low) for other, low in placed if other.first <= stay.last and stay.first <= other.last),
        reverse=True,
    )
    for end, low in others:
        if high - end >= stay.size:
            return high - stay.size
        high = min(high, low)
    return high - stay.size if high >= stay.size else None


def _room(layer: int, placed: Sequence[tuple[Stay, int]], capacity: int) -> tuple[int, int]:
    """The largest free piece of the buffer while a layer runs."""
    taken = sorted((low, low + stay.size) for stay, low in placed if stay.first <= layer <= stay.last)
    pieces, low = [], 0
    for start, end in (*taken, (capacity, capacity)):
        pieces.append((low, start))
        low = max(low, end)
    return max(pieces, key=lambda piece: piece[1] - piece[0])
