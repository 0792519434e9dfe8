"""Layers as a group sees them, and the rings that hold their stripes.

Layers of a group are known by their distance from its first, and inputs from before it by a negative one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np

from accelsim.lowering.schedule.stripes import (
    Counts,
    Member,
    Read,
    next_step,
    ring_slots,
    rows_from,
    rows_until,
    stripe_counts,
)
from accelsim.operators.shapes import Axis
from accelsim.program.tensors import Range
from accelsim.unit_kinds import ARRAY, UnitKind
from accelsim.units import ceil_div

KEPT = 1 << 12
"""Groups whose rings are kept for other plans, each in stripes of a few heights."""
FAR = 1 << 20
"""Distance of the inputs of the network, which no layer makes."""


class Source(NamedTuple):
    """Channels of an input that one layer makes: which layer, by its distance, how many, and ranges of the channels of
    the tensor in which they lie."""

    distance: int
    channels: int
    ranges: tuple[Range, ...]


class Fmap(NamedTuple):
    """A feature map in DRAM, or a part of one: rows, columns, channels and their bits, and channels of its tensor.

    ranges: of the channels of the tensor in which those of a part lie; moved_share: of its bytes that DRAM moves, less
    where it is coded.
    """

    height: int
    width: int
    channels: int
    bits: int
    tensor_channels: int
    ranges: tuple[Range, ...] = ()
    moved_share: float = 1.0

    @property
    def has_whole_rows(self) -> bool:
        """True where a row of any channels fills whole bytes."""
        return self.width * self.bits % 8 == 0

    @property
    def row_bytes(self) -> int:
        """Bytes of a row, where it fills whole ones."""
        return self.width * self.channels * self.bits // 8

    def slot_bytes(self, rows: int, channels: int) -> int:
        """Bytes that rows of some channels take, each channel rounded up to bytes, as it may lie in a tile of its
        own."""
        slack = 0 if self.has_whole_rows else 8
        return ceil_div((rows * self.width * self.bits + slack) * channels, 8)


class Input(NamedTuple):
    """An input of a layer: its sources, where it lies, and the window over its rows.

    tensor: distance of the first layer that writes the tensor, by which inputs from the same tensor are known;
    channels: those of the tensor that it reads.
    """

    sources: tuple[Source, ...]
    tensor: int
    channels: Range
    fmap: Fmap
    window: Axis


class RingLayer(NamedTuple):
    """All that a group has to know of a layer; alike for layers that are alike.

    readers: distances of the layers that read its feature map.
    """

    kind: int
    unit: UnitKind
    weight_bytes: int
    output: Fmap
    inputs: tuple[Input, ...]
    readers: tuple[int, ...]

    @property
    def shape(self) -> RingLayer:
        """All of it that rings depend on, the same on any machine."""
        return self._replace(kind=0, unit=ARRAY, weight_bytes=0)


class RingSize(NamedTuple):
    """Slots of a ring, and bytes of each."""

    slots: int
    slot_bytes: int

    @property
    def bytes(self) -> int:
        return self.slots * self.slot_bytes


class Loaded(NamedTuple):
    """Loads of one tensor by a group: its sources with their channels, slots and rows of each, and where."""

    sources: dict[int, int]
    slots: int
    rows: int
    fmap: Fmap

    def ring(self, channels: int) -> RingSize:
        """Its ring, of which some channels are loaded."""
        return RingSize(self.slots, self.fmap.slot_bytes(self.rows, channels))


def distance_from(place: int, distance: int) -> int:
    """The distance from the first layer of a group of what is at a distance from one of its layers."""
    return distance if distance <= -FAR else place + distance


def makers(layer: RingLayer, place: int) -> list[int]:
    """The distances of all that makes inputs of a layer."""
    return [distance_from(place, source.distance) for each in layer.inputs for source in each.sources]


def leaves(layer: RingLayer, place: int, last: int) -> bool:
    """True where a feature map is read behind the group, or by nobody."""
    return not layer.readers or layer.readers[-1] + place > last


class Rings(NamedTuple):
    """Rings of the feature maps of a group that nobody else reads, of the others, and of inputs by tensor."""

    internal: dict[int, RingSize]
    outputs: dict[int, RingSize]
    inputs: dict[int, Loaded]


@dataclass(eq=False)
class Striping:
    """All of a group that no height of its stripes changes, and its rings by the rows of a stripe of each layer.

    places: distances of the layers. shapes: of them.
    """

    places: tuple[int, ...]
    shapes: tuple[RingLayer, ...]
    batch: int
    found: dict[tuple[int, ...], Rings] = field(default_factory=dict, init=False)

    @cached_property
    def reads(self) -> tuple[tuple[Read, ...], ...]:
        """Reads of each layer of others of the group."""
        order = {place: number for number, place in enumerate(self.places)}
        return tuple(
            tuple(_reads_inside(shape, place, order)) for place, shape in zip(self.places, self.shapes, strict=True)
        )

    @cached_property
    def inflows(self) -> dict[int, Inflow]:
        """The inputs from before the group, by tensor."""
        return inflows(self.places, self.shapes)

    def members(self, rows: Iterable[int]) -> tuple[Member, ...]:
        """The layers as members of a cascade, in stripes of these rows."""
        every = zip(rows, self.shapes, self.reads, strict=True)
        return tuple(Member(each, shape.output.height, reads) for each, shape, reads in every)

    def rings(self, rows: tuple[int, ...]) -> Rings:
        """Rings for images after which more of them ask for no more slots: those that the first layer is ahead, and
        some."""
        if rows not in self.found:
            members = self.members(rows)
            counts = stripe_counts(members, min(self.batch, 3 + ceil_div(len(members), members[-1].stripes)))
            internal, outputs = made_rings(self.places, self.shapes, members, counts)
            self.found[rows] = Rings(internal, outputs, loaded_rings(self.inflows, members, counts))
        return self.found[rows]


@lru_cache(maxsize=KEPT)
def striping(places: tuple[int, ...], shapes: tuple[RingLayer, ...], batch: int) -> Striping:
    """Layers of these shapes at these distances; another machine that has them finds them here."""
    return Striping(places, shapes, batch)


def _reads_inside(layer: RingLayer, place: int, order: Mapping[int, int]) -> Iterator[Read]:
    """Reads of a layer inside its group, by the numbers of those read in the order of their places."""
    for each in layer.inputs:
        for source in each.sources:
            if place + source.distance in order:
                yield Read(order[place + source.distance], each.window, each.fmap.height)


def made_rings(
    places: Sequence[int], layers: Sequence[RingLayer], members: Sequence[Member], counts: Sequence[Counts]
) -> tuple[dict[int, RingSize], dict[int, RingSize]]:
    """Rings of the feature maps that stay inside, and of those that leave, for which a step's stripes are on their way
    to DRAM."""
    internal, outputs = dict[int, RingSize](), dict[int, RingSize]()
    slots: dict[int, list[int]] = {}
    for other, reader in enumerate(members):
        for read in reader.reads:
            rows = members[read.producer].rows
            needed = ring_slots(counts[read.producer], rows_from(reader, read, counts[other], rows))
            slots.setdefault(read.producer, []).append(needed)
    for number, (place, layer, member) in enumerate(zip(places, layers, members, strict=True)):
        size = layer.output.slot_bytes(member.rows, layer.output.channels)
        if not leaves(layer, place, places[-1]):
            internal[place] = RingSize(max(slots[number]), size)
        else:
            made = counts[number]
            step = int((made[1:] - made[:-1]).max())
            outputs[place] = RingSize(max(1, *slots.get(number, ()), 0) + step, size)
    return internal, outputs


class Inflow(NamedTuple):
    """One tensor from before a group: its sources with their channels and where these lie, and what reads it, by number
    of the reader."""

    sources: dict[int, int]
    ranges: dict[int, tuple[Range, ...]]
    fmap: Fmap
    reads: list[tuple[int, Read]]


def inflows(places: Sequence[int], layers: Sequence[RingLayer]) -> dict[int, Inflow]:
    """The inputs from before the group, by tensor."""
    parts: dict[int, list[tuple[Range, dict[int, int]]]] = {}
    fmaps: dict[int, Fmap] = {}
    ranges: dict[int, dict[int, tuple[Range, ...]]] = {}
    reads: dict[int, list[tuple[int, Read]]] = {}
    for number, (place, layer) in enumerate(zip(places, layers, strict=True)):
        for each in layer.inputs:
            sources = {distance_from(place, source.distance): source for source in each.sources}
            outside = {distance: source.channels for distance, source in sources.items() if distance not in places}
            if outside:
                tensor = distance_from(place, each.tensor)
                parts.setdefault(tensor, []).append((each.channels, outside))
                fmaps[tensor] = each.fmap
                found = ranges.setdefault(tensor, {})
                for distance in outside:
                    found[distance] = (*found.get(distance, ()), *sources[distance].ranges)
                reads.setdefault(tensor, []).append((number, Read(-1, each.window, each.fmap.height)))
    return {tensor: Inflow(_joined(parts[tensor]), ranges[tensor], fmaps[tensor], reads[tensor]) for tensor in reads}


def loaded_rings(
    inputs: Mapping[int, Inflow], members: Sequence[Member], counts: Sequence[Counts]
) -> dict[int, Loaded]:
    """The inputs from before the group, by tensor, each loaded once for all its readers."""
    found: dict[int, Loaded] = {}
    for tensor, (sources, _, fmap, reads) in inputs.items():
        rows = input_rows((members[number].rows, read) for number, read in reads)
        made = [rows_until(members[number], read, next_step(counts[number]), rows) for number, read in reads]
        kept = [rows_from(members[number], read, counts[number], rows) for number, read in reads]
        slots = ring_slots(np.maximum.reduce(made), np.minimum.reduce(kept))
        found[tensor] = Loaded(sources, slots, rows, fmap)
    return found


def _joined(parts: Sequence[tuple[Range, dict[int, int]]]) -> dict[int, int]:
    """Channels by source of parts of a tensor: those of the part that has all others, or else at most the sum."""
    whole, sources = max(parts, key=lambda part: part[0].size)
    if all(whole.start <= part.start and part.stop <= whole.stop for part, _ in parts):
        return sources
    together = Counter[int]()
    for counts in dict(parts).values():
        together.update(counts)
    return dict(together)


def input_rows(readers: Iterable[tuple[int, Read]]) -> int:
    """Rows in which an input is loaded: as many as the reader with the lowest stripes, of these rows, moves on."""
    return min(min(read.height, rows * read.window.stride) for rows, read in readers)
