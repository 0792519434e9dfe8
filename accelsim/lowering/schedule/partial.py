"""Partial residents: the leading channels of a feature map stay on chip, the others go through DRAM.

In DRAM the channels of a pixel lie next to each other, so a partial resident saves bursts only where the rest of each
pixel is whole bursts. Feature maps that share their tensor with others (parts of a concat, halves of a slice, inputs of
a shuffle) stay whole or not at all, and so do those of layers in a cascade.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import gcd

from accelsim.errors import LoweringError
from accelsim.lowering.ir import SCORE_TOLERANCE, Layout
from accelsim.lowering.schedule.residents import Cost, CostOf, Residency, Resident, together
from accelsim.network.graph import Node

SHARES = (15, 8)
"""Sixteenths of the free room that a part may take: the rest is for tiles."""


def plan_partial_residents(
    nodes: Sequence[Node],
    residency: Residency,
    found: Iterable[Resident],
    maps: Layout,
    burst_bytes: int,
    costs: Sequence[CostOf],
) -> Residency:
    """What stays, and of the other candidates the parts that do.

    A part stays where its layers then move fewer DRAM bytes by each cost and the objective is nearly as good for all
    layers as without any part: the larger one of two that are tried.
    """
    score = residency.taken(nodes, costs[0]).score
    most = SCORE_TOLERANCE * score
    fused = {layer for fusion in residency.fusions.values() for layer in fusion.layers}
    for stay, step in _divisible(found, maps, burst_bytes):
        if stay.name in residency.stays or not fused.isdisjoint(stay.layers):
            continue
        before = _taken(residency, stay.layers, nodes, costs)
        for part, address in _parts(stay, step, residency):
            other = residency.beside(part, address)
            try:
                after = _taken(other, stay.layers, nodes, costs)
            except LoweringError:
                continue
            fewer = all(new.dram_bytes < old.dram_bytes for new, old in zip(after, before, strict=True))
            then = score + after[0].score - before[0].score
            if fewer and then <= most:
                residency, score = other, then
                break
    return residency


def _divisible(found: Iterable[Resident], maps: Layout, burst_bytes: int) -> Iterator[tuple[Resident, int]]:
    """The maps that may stay in part, and the channels that fill a burst, or several."""
    lying = Counter(place.tensor.name for place in maps.by_name.values())
    for stay in found:
        tensor = maps.by_name[stay.name].tensor
        step = burst_bytes // gcd(burst_bytes, tensor.bits // 8 or 1)
        if lying[tensor.name] == 1 and tensor.bits % 8 == 0 and stay.channels % step == 0:
            yield stay, step


def _parts(stay: Resident, step: int, residency: Residency) -> Iterator[tuple[Resident, int]]:
    """Leading channels of a map and their address, at the top of the room that all its layers have."""
    rooms = [residency.rooms[layer] for layer in stay.layers]
    bottom, top = max(low for low, _ in rooms), min(high for _, high in rooms)
    each = stay.size // stay.channels
    sizes = (max(0, top - bottom) * share // 16 // each // step * step for share in SHARES)
    for channels in dict.fromkeys(min(size, stay.channels - step) for size in sizes):
        if channels:
            yield replace(stay, size=channels * each, channels=channels), top - channels * each


def _taken(residency: Residency, layers: range, nodes: Sequence[Node], costs: Sequence[CostOf]) -> tuple[Cost, ...]:
    """What these layers take by each cost. Raises LoweringError."""
    stays = residency.channels
    rooms = [
        (nodes[layer], high - low)
        for layer, (low, high) in zip(layers, residency.rooms[layers.start : layers.stop], strict=True)
    ]
    return tuple(together(cost(node, room, stays) for node, room in rooms) for cost in costs)
