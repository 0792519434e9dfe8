"""Depth-first execution of a layer and its readers, stripe by stripe, so that the feature map between is never whole.

A cascade is a layer and all its readers, where these follow it at once and all run on the array. Each works on stripes
of whole rows with all channels, and its weights stay in SRAM while the cascade runs. The stripes of the feature map
between lie in a ring of slots, each until its last reader is done with it, halo rows included: nothing is computed or
loaded twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from accelsim.lowering.ir import Layout, ResidentChannels
from accelsim.lowering.schedule.residents import Cascade, Cost, CostOf, Residency, free_pieces, readers_of, together
from accelsim.lowering.tiling.search import Stripes
from accelsim.network.graph import Network, Node
from accelsim.units import ceil_div

CASCADE_TOLERANCE = 1.1
"""Times what layers take one after the other: as much may be estimated for them fused, where each is estimated alone
and what overlaps between them is not seen."""

STRIPE_TOLERANCE = 1.05
"""Bands of other heights whose estimate is this near to the least count as equally good: fewer bytes decide."""

BandsOf = Callable[[Node, ResidentChannels], Mapping[int, Stripes]]
"""The plans of a layer in stripes, by rows of a band, with these maps on chip."""


@dataclass(frozen=True, slots=True)
class Memories:
    """Bytes of the buffers: of all maps, and of the weights that do not stay."""

    activation: int
    weight: int


def plan_cascades(
    network: Network,
    maps: Layout,
    residency: Residency,
    memories: Memories,
    stripes: BandsOf,
    weight_bytes: Callable[[Node], int],
    cost: CostOf,
    on_array: Callable[[Node], bool],
) -> Residency:
    """What stays, and the layers to fuse beside it: those that save most DRAM bytes first, each layer at most once, and
    none for which the objective is estimated to be more than a tenth worse."""
    layers = len(residency.rooms)
    found: list[tuple[int, Cascade]] = []
    for number, node in enumerate(network.nodes[:layers]):
        if node.name not in residency.stays and on_array(node):
            readers = _fusable_readers(network, maps, number, on_array)
            if readers is None or sum(map(weight_bytes, (node, *readers))) > memories.weight:
                continue
            fusion = _fused(network, maps, residency, memories, stripes, (node, *readers))
            if fusion:
                moved, score = _alone(network, residency, fusion.layers, cost)
                if moved > fusion.taken.dram_bytes and fusion.taken.score <= CASCADE_TOLERANCE * score:
                    found.append((moved - fusion.taken.dram_bytes, fusion))
    taken: set[int] = set()
    for _, fusion in sorted(found, key=lambda each: (-each[0], each[1].first)):
        if taken.isdisjoint(fusion.layers):
            taken.update(fusion.layers)
            residency = residency.fused(fusion, network.nodes[fusion.first].output.channels)
    return residency


def _alone(network: Network, residency: Residency, layers: range, cost: CostOf) -> Cost:
    """What layers take one after the other."""
    stays = residency.channels
    rooms = (high - low for low, high in (residency.rooms[layer] for layer in layers))
    return together(cost(network.nodes[layer], room, stays) for layer, room in zip(layers, rooms, strict=True))


def _fusable_readers(
    network: Network, maps: Layout, number: int, on_array: Callable[[Node], bool]
) -> tuple[Node, ...] | None:
    """The readers of a layer's map, if they are alike and nothing but addresses stands between."""
    node = network.nodes[number]
    names = set(readers_of(network, maps, node.name))
    readers: list[Node] = []
    for other in network.nodes[number + 1 :]:
        if len(readers) == len(names):
            break
        if other.name in names:
            readers.append(other)
        elif not other.op.is_address or maps.copies[other.name]:
            return None
    alike = len({reader.output.height for reader in readers}) == 1 and all(map(on_array, readers))
    whole_bytes = maps.by_name[node.name].tensor.bits % 8 == 0
    return tuple(readers) if alike and whole_bytes and len(readers) == len(names) else None


def _fused(
    network: Network, maps: Layout, residency: Residency, memories: Memories, stripes: BandsOf, nodes: Sequence[Node]
) -> Cascade | None:
    """A layer and its readers in the best stripes that fit, of equal ones the highest; None where none do."""
    numbers = {node.name: number for number, node in enumerate(network.nodes)}
    node, *readers = nodes
    first, last = numbers[node.name], numbers[readers[-1].name]
    pieces = free_pieces(residency, memories.activation, range(first, last + 1))
    if pieces is None:
        return None
    stays = {**residency.channels, node.name: node.output.channels}
    choices = [stripes(each, stays) for each in nodes]
    found: list[Cascade] = []
    for rows in sorted(choices[1], reverse=True):
        turns = ceil_div(readers[0].output.height, rows)
        sizes = (ceil_div(node.output.height, turns), *(rows for _ in readers))
        chosen = [band.get(size) for band, size in zip(choices, sizes, strict=True)]
        if turns == 1 or any(band is None for band in chosen):
            continue
        own = [band for band in chosen if band is not None]
        slot = sizes[0] * node.output.width * node.output.channels * maps.by_name[node.name].tensor.bits // 8
        slots = _slots(node, readers, sizes, network.batch)
        placed = _placed(pieces, slots * slot, sum(band.map_bytes for band in own))
        if placed:
            plans = {each.name: band.tiling for each, band in zip(nodes, own, strict=True)}
            taken = Cost(round(sum(band.dram_bytes for band in own)), sum(band.score for band in own))
            found.append(Cascade(node.name, first, last, placed[0], placed[1], slots, slot, plans, taken))
    least = min((each.taken.score for each in found), default=0.0)
    near = [each for each in found if each.taken.score <= STRIPE_TOLERANCE * least]
    return min(near, key=lambda each: each.taken.dram_bytes, default=None)


def _placed(pieces: Sequence[tuple[int, int]], ring: int, tiles: int) -> tuple[int, tuple[int, int]] | None:
    """Address of the ring, at the top of the smallest piece that holds it, and the largest piece left for tiles."""
    for low, high in sorted(pieces, key=lambda piece: piece[1] - piece[0]):
        if high - low >= ring:
            rest = [(low, high - ring), *(piece for piece in pieces if piece != (low, high))]
            room = max(rest, key=lambda piece: piece[1] - piece[0])
            return (high - ring, room) if room[1] - room[0] >= tiles else None
    return None


def _slots(node: Node, readers: Sequence[Node], rows: Sequence[int], batch: int) -> int:
    """Bands of the map that have to be on chip at once: those of a turn of the readers and those of the next."""
    own = ceil_div(node.output.height, rows[0])
    needed = [
        (image * own + first, image * own + last)
        for image in range(batch)
        for first, last in _needed(node, readers, rows)
    ]
    ahead = (after[1] - before[0] + 1 for before, after in pairwise(needed))
    return max(*ahead, *(last - first + 1 for first, last in needed))


def _needed(node: Node, readers: Sequence[Node], rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The first and last band of the map that each turn of the readers reads."""
    height = readers[0].output.height
    for start in range(0, height, rows[1]):
        windows = [
            reader.window.vertical.taken(start, min(start + rows[1], height), node.output.height) for reader in readers
        ]
        yield min(low for low, _ in windows) // rows[0], (max(high for _, high in windows) - 1) // rows[0]
