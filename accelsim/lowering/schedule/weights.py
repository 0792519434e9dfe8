"""Weights that stay on chip from one inference to the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from accelsim.errors import PlanError, PlanFaults, suggestion
from accelsim.network.graph import Network, Node
from accelsim.units import ceil_div

SHARES = (0, 2, 4, 6, 7, 8)
"""Eighths of the weight buffer that are tried for weights that stay; all of it only where all weights fit."""

MOST_TILES = 1024
"""Tiles of a layer's weights, where they stay and each tile is rounded up."""

BytesOf = Callable[[Node, "WeightResidents"], int | None]
"""DRAM bytes of a layer in one inference, with these weights resident; None where it does not fit."""


@dataclass(frozen=True, slots=True)
class WeightResidents:
    """Names of the layers whose weights stay, and the bytes of the buffer that others have."""

    names: frozenset[str]
    room: int


def no_resident_weights(capacity: int) -> WeightResidents:
    """All weights are loaded for each inference."""
    return WeightResidents(frozenset(), capacity)


def plan_resident_weights(
    network: Network, sizes: Sequence[tuple[Node, int]], capacity: int, cost: BytesOf
) -> tuple[WeightResidents, ...]:
    """None, the smallest weights, and the largest that fit: as many as make all inferences together move the fewest
    DRAM bytes.

    Each resident byte saves the same, once an inference. The small ones leave the fewest layers with little room; the
    large ones fill more of the buffer where a layer has most of the weights, and are the longest to wait for. sizes: of
    the layers with weights, in bytes.
    """
    nothing = no_resident_weights(capacity)
    if network.inferences == 1:
        return (nothing,)
    ranked = sorted(sizes, key=lambda each: each[1])
    return tuple(
        dict.fromkeys((nothing, *(_most_saving(network, each, capacity, cost) for each in (ranked, ranked[::-1]))))
    )


def _most_saving(network: Network, ranked: Sequence[tuple[Node, int]], capacity: int, cost: BytesOf) -> WeightResidents:
    """The first of some weights that fit, as many as make all inferences together move the fewest DRAM bytes."""
    inferences = network.inferences
    tried = dict.fromkeys(_filled(ranked, capacity * share // 8, capacity) for share in SHARES)
    best, least = no_resident_weights(capacity), float("inf")
    layers = network.nodes[: network.layers]
    for residents in tried:
        if residents.room == 0 and len(residents.names) < len(ranked):
            continue
        once = [cost(node, residents) for node in layers]
        moved = inferences * sum(each or 0 for each in once) + capacity - residents.room
        if None not in once and moved < least:
            best, least = residents, moved
    return best


def given_resident_weights(
    network: Network, sizes: Sequence[tuple[Node, int]], capacity: int, patterns: Sequence[str]
) -> WeightResidents | PlanError:
    """The weights that a given plan keeps; an error with all that is wrong."""
    names, room, faults = set[str](), capacity, PlanFaults()
    for number, pattern in enumerate(patterns):
        path = "keep_weights", number
        found = {node.name: size for node, size in sizes if fnmatchcase(node.name, pattern)}
        with faults:
            if network.inferences == 1:
                raise PlanError(path, "more inferences than one, for weights to stay between them", pattern)
            if not found:
                close = suggestion(pattern, [node.name for node, _ in sizes])
                raise PlanError(path, f"a layer with weights, or a pattern of some{close}", pattern)
            room -= sum(size for name, size in found.items() if name not in names)
            names |= found.keys()
            if room < 0:
                raise PlanError(path, f"weights of at most {capacity} bytes with those before", f"{capacity - room}")
    return faults.error if faults.found else WeightResidents(frozenset(names), room)


def _filled(ranked: Sequence[tuple[Node, int]], most: int, capacity: int) -> WeightResidents:
    """The first of the layers that fit beside those before them."""
    names, size = [], 0
    for node, own in ranked:
        if size + own <= most:
            names.append(node.weights_name)
            size += own
    return WeightResidents(frozenset(names), capacity - size)


def stored_bytes(node: Node, default_bits: int) -> int:
    """Bytes that a layer's weights may take on chip: each of its tiles is rounded up to bytes."""
    bits = node.stored_weight_bits(default_bits)
    whole_bytes = (node.bits.weight or default_bits) % 8 == 0 and node.pruning is None
    slack = 0 if whole_bytes else min(node.weights, MOST_TILES)
    return ceil_div(bits, 8) + slack
