"""A group of layers in stripes of certain heights, and the SRAM that its rings take."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from accelsim.lowering.schedule.rings import RingLayer, Rings, Striping, input_rows, leaves
from accelsim.lowering.schedule.stripes import Member
from accelsim.units import ceil_div


@dataclass(frozen=True, eq=False)
class Group:
    """Layers in stripes of certain heights.

    rows: of a stripe of each; compute: clocks of each unit.
    """

    striping: Striping
    layers: tuple[RingLayer, ...]
    rows: tuple[int, ...]
    compute: tuple[float, ...]

    @property
    def places(self) -> tuple[int, ...]:
        """Distances of the layers."""
        return self.striping.places

    @cached_property
    def steps(self) -> int:
        """Stripes of the last layer in an image."""
        return ceil_div(self.layers[-1].output.height, self.rows[-1])

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """The layers as members of a cascade."""
        return self.striping.members(self.rows)

    @cached_property
    def busy_cycles(self) -> float:
        """Clocks of the busiest unit, and of the others with the first stripe."""
        busiest = max(self.compute)
        return busiest + (sum(self.compute) - busiest) / self.steps

    @cached_property
    def weight_bytes(self) -> int:
        return sum(layer.weight_bytes for layer in self.layers)

    @cached_property
    def rings(self) -> Rings:
        """Rings of its feature maps and of what it loads."""
        return self.striping.rings(self.rows)

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
        for each in self.striping.inflows.values():
            channels = channels_loaded(each.sources, residents)
            if channels:
                rows = input_rows((self.rows[number], read) for number, read in each.reads)
                most += ceil_div(each.fmap.height, rows) * each.fmap.slot_bytes(rows, channels)
        return most * self.striping.batch


def channels_loaded(sources: Mapping[int, int], residents: Collection[int]) -> int:
    """Channels that come from sources, by distance, that are no residents."""
    return sum(count for source, count in sources.items() if source not in residents)
