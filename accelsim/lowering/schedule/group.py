"""A group of layers in stripes of certain heights, and the SRAM that its rings take."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from accelsim.lowering.schedule.rings import Inflow, RingLayer, Rings, input_rows, leaves, rings_of
from accelsim.lowering.schedule.stripes import Member, Read
from accelsim.units import ceil_div


@dataclass(frozen=True, eq=False)
class Group:
    """Layers in stripes of certain heights.

    places: distances of the layers; rows: of a stripe of each; incoming: the inputs from before them; compute: clocks
    of each unit.
    """

    places: tuple[int, ...]
    layers: tuple[RingLayer, ...]
    rows: tuple[int, ...]
    incoming: Collection[Inflow]
    compute: tuple[float, ...]
    batch: int

    @property
    def steps(self) -> int:
        """Stripes of the last layer in an image."""
        return ceil_div(self.layers[-1].output.height, self.rows[-1])

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """The layers as members of a cascade."""
        order = {place: number for number, place in enumerate(self.places)}
        return tuple(
            Member(rows, layer.output.height, tuple(_reads_inside(layer, place, order)))
            for place, layer, rows in zip(self.places, self.layers, self.rows, strict=True)
        )

    @property
    def weight_bytes(self) -> int:
        return sum(layer.weight_bytes for layer in self.layers)

    @cached_property
    def rings(self) -> Rings:
        """Rings of its feature maps and of what it loads."""
        return rings_of(self.places, tuple(layer.shape for layer in self.layers), self.members, self.batch)

    def ring_bytes(self, residents: Collection[int]) -> int:
        """SRAM of its rings, given which feature maps are resident, by their distance."""
        made = sum(ring.bytes for ring in self.rings.internal.values())
        made += sum(ring.bytes for place, ring in self.rings.outputs.items() if place not in residents)
        loaded = ((each, channels_loaded(each.sources, residents)) for each in self.rings.inputs.values())
        return made + sum(each.ring(channels).bytes for each, channels in loaded if channels)

    def most_ring_bytes(self, residents: Collection[int]) -> int:
        """SRAM of its rings at most: each has all stripes of its feature map, and those on their way to DRAM twice."""
        most = 0
        for place, layer, rows in zip(self.places, self.layers, self.rows, strict=True):
            output, leaves_group = layer.output, leaves(layer, place, self.places[-1])
            if not (leaves_group and place in residents):
                size = output.slot_bytes(rows, output.channels)
                most += (1 + leaves_group) * ceil_div(output.height, rows) * size
        for each in self.incoming:
            channels = channels_loaded(each.sources, residents)
            if channels:
                rows = input_rows((self.rows[number], read) for number, read in each.reads)
                most += ceil_div(each.fmap.height, rows) * each.fmap.slot_bytes(rows, channels)
        return most * self.batch


def channels_loaded(sources: Mapping[int, int], residents: Collection[int]) -> int:
    """Channels that come from sources, by distance, that are no residents."""
    return sum(count for source, count in sources.items() if source not in residents)


def _reads_inside(layer: RingLayer, place: int, order: Mapping[int, int]) -> Iterator[Read]:
    """Reads of a layer inside its group, by the numbers of those read in the order of their places."""
    for each in layer.inputs:
        for source in each.sources:
            if place + source.distance in order:
                yield Read(order[place + source.distance], each.window, each.fmap.height)
