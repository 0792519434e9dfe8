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

from accelsim.errors import PlanError
from accelsim.lowering.allocate import ByteRange
from accelsim.lowering.ir import Layout
from accelsim.lowering.schedule.given import GivenMap
from accelsim.lowering.schedule.residents import Cost, CostOf, Residency, Resident, together
from accelsim.network.graph import Node

SHARES = (15, 8)
"""Sixteenths of the free room that a part may take: the rest is for tiles."""


def plan_partial_residents(
    nodes: Sequence[Node],
    residency: Residency,
    found: Iterable[Resident],
    layout: Layout,
    burst_bytes: int,
    alone: CostOf,
) -> Residency:
    """The schedule with the leading channels of further feature maps on chip, where there is room and they help.

    The larger one of two parts is taken with which the layers move fewer DRAM bytes and the objective is no worse.
    """
    in_cascades = {layer for cascade in residency.cascades for layer in cascade.span}
    for resident, step in _divisible(found, layout, burst_bytes):
        if resident.name in residency.stays or not in_cascades.isdisjoint(resident.layers):
            continue
        before = _cost(residency, resident.layers, nodes, alone)
        for part, address in _parts(resident, step, residency):
            other = residency.beside(part, address)
            after = _cost(other, resident.layers, nodes, alone)
            if before and after and after.dram_bytes < before.dram_bytes and after.score <= before.score:
                residency = other
                break
    return residency


def place_given_parts(
    residency: Residency, parts: Iterable[GivenMap], layout: Layout, burst_bytes: int
) -> Residency | PlanError:
    """The schedule with leading channels of feature maps on chip as they are given; an error where one may not or has
    no room."""
    in_cascades = {layer for cascade in residency.cascades for layer in cascade.span}
    for part, address, path in parts:
        steps = [step for _, step in _divisible([part], layout, burst_bytes)]
        if not steps or not in_cascades.isdisjoint(part.layers):
            step = burst_bytes // gcd(burst_bytes, layout.by_name[part.name].tensor.bits // 8 or 1)
            expected = f"a multiple of {step} channels of a map that has its tensor alone and that no group touches"
            return PlanError((*path, "channels"), expected, f"{part.channels} of {part.name}")
        bottom, top = _common_room(part, residency)
        low = top - part.size if address is None else address
        if not bottom <= low <= top - part.size:
            expected = f"room for the {part.size} bytes of {part.channels} channels of {part.name}"
            return PlanError(path, expected, f"free bytes from {bottom} to {top}")
        residency = residency.beside(part, low)
    return residency


def _common_room(resident: Resident, residency: Residency) -> ByteRange:
    """The room that all layers have while a feature map stays."""
    rooms = [residency.rooms[layer] for layer in resident.layers]
    return max(low for low, _ in rooms), min(high for _, high in rooms)


def _divisible(found: Iterable[Resident], layout: Layout, burst_bytes: int) -> Iterator[tuple[Resident, int]]:
    """The feature maps that may stay in part, and the channels that fill a burst, or several."""
    lying = Counter(place.tensor.name for place in layout.by_name.values())
    for resident in found:
        tensor = layout.by_name[resident.name].tensor
        step = burst_bytes // gcd(burst_bytes, tensor.bits // 8 or 1)
        if lying[tensor.name] == 1 and tensor.bits % 8 == 0 and resident.channels % step == 0:
            yield resident, step


def _parts(resident: Resident, step: int, residency: Residency) -> Iterator[tuple[Resident, int]]:
    """Leading channels of a feature map and their address, at the top of the room that all its layers have."""
    bottom, top = _common_room(resident, residency)
    each = resident.size // resident.channels
    sizes = (max(0, top - bottom) * share // 16 // each // step * step for share in SHARES)
    for channels in dict.fromkeys(min(size, resident.channels - step) for size in sizes):
        if channels:
            yield replace(resident, size=channels * each, channels=channels), top - channels * each


def _cost(residency: Residency, layers: range, nodes: Sequence[Node], alone: CostOf) -> Cost | None:
    """The cost of these layers; None where one does not fit."""
    stays, rooms = residency.channels, residency.rooms[layers.start : layers.stop]
    return together(alone(nodes[layer], high - low, stays) for layer, (low, high) in zip(layers, rooms, strict=True))
