"""Groups of consecutive layers that could run depth-first, and what each of them takes.

A group works on stripes of whole rows with all channels; the weights of its layers stay in SRAM while it runs. Every
feature map that it loads, makes and keeps, or stores has a ring of slots, each for a stripe until its last reader is
done with it, halo rows included: nothing is computed or loaded twice.

Layers of a group are known by their distance from its first, and inputs from before it by a negative one, so that
groups that are alike (the blocks of a residual network) are evaluated once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from math import inf
from typing import Any, NamedTuple

import numpy as np

from accelsim.lowering.placement import ranges_of, whole_burst_bytes
from accelsim.lowering.schedule.effort import NO_EFFORT, Effort
from accelsim.lowering.schedule.group import Group
from accelsim.lowering.schedule.residents import readers_of
from accelsim.lowering.schedule.rings import (
    FAR,
    Fmap,
    Input,
    RingLayer,
    Source,
    Striping,
    distance_from,
    leaves,
    makers,
    striping,
)
from accelsim.lowering.schedule.stripes import Counts, Read, rows_from, stripe_counts
from accelsim.lowering.schedule.weights import WeightResidents
from accelsim.lowering.tiling.cache import TilingCache
from accelsim.network.graph import Network, Node
from accelsim.network.units import PIECE_UNITS, unit_of
from accelsim.operators.shapes import Axis
from accelsim.program.tensors import Range, share_of_plain
from accelsim.unit_kinds import UnitKind
from accelsim.units import ceil_div

MOST_LAYERS = 12
"""Layers of a group at most, which bounds the search."""

MOST_ROWS = 64
"""Rows of a stripe of the highest feature map of a group at most."""


class Span(NamedTuple):
    """The layers of a group.

    places: their distances from the first; alike: a number that spans have in common whose layers are alike; height:
    rows of their highest feature map; leaving: distances of the layers whose feature maps are read behind them;
    touched: of these and of what is made before them and read by them; least: clocks of the busiest unit at least.
    """

    first: int
    places: tuple[int, ...]
    alike: int
    height: int
    leaving: tuple[int, ...]
    touched: frozenset[int]
    least: float

    @property
    def last(self) -> int:
        return self.first + self.places[-1]


@dataclass
class Groups:
    """All groups of a network, those that are alike evaluated once."""

    network: Network
    cache: TilingCache
    weights: WeightResidents
    numbers: dict[str, int] = field(init=False)
    known: list[RingLayer | None] = field(init=False)
    shapes: list[RingLayer | None] = field(init=False)
    looks: list[int] = field(init=False)
    kinds: dict[Any, int] = field(default_factory=dict)
    rows: dict[tuple[int, int], tuple[int, float] | None] = field(default_factory=dict)
    alike: dict[tuple[Any, ...], int] = field(default_factory=dict)
    found: dict[tuple[int, int], Group | None] = field(default_factory=dict)
    quickest: dict[int, float] = field(default_factory=dict)
    floors: dict[tuple[int, frozenset[int]], Effort] = field(default_factory=dict)
    stripings: dict[int, Striping] = field(default_factory=dict)
    moved: dict[tuple[Fmap, tuple[Range, ...]], float] = field(default_factory=dict)
    fmap_bytes: dict[tuple[int, frozenset[int]], float] = field(default_factory=dict)
    gaps: dict[tuple[Group, int, int, int], int] = field(default_factory=dict)
    counts: dict[Group, list[Counts]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.nodes = self.network.nodes[: self.network.layers]
        self.numbers = {node.name: number for number, node in enumerate(self.network.nodes)}
        self.known = [
            self._layer(number, node) if self._joins(node) else None for number, node in enumerate(self.nodes)
        ]
        self.shapes = [layer and layer.shape for layer in self.known]
        looks: dict[RingLayer | None, int] = {}
        apart = (layer and layer._replace(readers=()) for layer in self.known)
        self.looks = [looks.setdefault(layer, len(looks)) for layer in apart]

    def _joins(self, node: Node) -> bool:
        """True where a layer can work on stripes."""
        whole = node.op.is_address or node.op.multiplies_maps or node.op.factored or node.op.access_of(node) is not None
        return not whole and not node.absorbed and node.output.height > 1

    def _layer(self, number: int, node: Node) -> RingLayer:
        layout = self.cache.layout
        inputs = tuple(self._input(number, name, window.vertical) for name, window in node.reaches)
        kind = self.cache.kind(node, self.weights)
        readers = (self.numbers[name] - number for name in readers_of(self.network, layout, node.name))
        return RingLayer(
            self.kinds.setdefault(kind, len(self.kinds)),
            unit_of(node, self.cache.machine),
            self.cache.weight_bytes(node, self.weights),
            self._fmap(node.name, node.output.channels),
            inputs,
            tuple(sorted(readers)),
        )

    def _input(self, number: int, name: str, window: Axis) -> Input:
        place = self.cache.layout.by_name[name]
        moved = self.cache.moved
        sources = tuple(
            Source(self._distance(source, number), len(channels), ranges_of(channels))
            for source, channels in moved.sources_of(name).items()
        )
        writers = (self._distance(other, number) for other in moved.by_tensor[place.tensor.name])
        channels = place.reads(0, len(place.channels))
        return Input(sources, min(writers), channels, self._fmap(name, 1), window)

    def _distance(self, name: str, number: int) -> int:
        return self.numbers[name] - number if name in self.numbers else -FAR - list(self.network.inputs).index(name)

    def input_name(self, distance: int) -> str:
        """The input of the network at a distance from some layer."""
        return list(self.network.inputs)[-FAR - distance]

    def _fmap(self, name: str, channels: int) -> Fmap:
        place = self.cache.layout.by_name[name]
        bits, (_, height, width, whole) = place.tensor.bits, place.tensor.dims
        ranges = ranges_of(place.channels[:channels])
        return Fmap(height, width, channels, bits, whole, ranges, share_of_plain(place.tensor.code))

    def spans(self, first: int) -> Iterator[Span]:
        """All groups that begin with a layer and have a feature map inside."""
        if self.known[first] is None:
            return
        places: list[int] = []
        inside, weights = False, 0
        for last in range(first, self.network.layers):
            layer = self.known[last]
            if layer is None:
                if self.cache.is_idle(self.nodes[last]):
                    continue
                return
            weights += layer.weight_bytes
            if len(places) == MOST_LAYERS or weights > self.weights.room:
                return
            places.append(last - first)
            inside = inside or max(makers(layer, last - first)) >= 0
            if inside:
                yield self.span(first, tuple(places))

    def span(self, first: int, places: tuple[int, ...]) -> Span:
        """The group of a layer and others at these distances from it, all of which can work on stripes."""
        layers = [self._known(first + place) for place in places]
        last = places[-1]
        made = (makers(layer, place) for place, layer in zip(places, layers, strict=True))
        leaving = tuple(place for place, layer in zip(places, layers, strict=True) if leaves(layer, place, last))
        alike = places, tuple(self.looks[first + place] for place in places), leaving
        return Span(
            first,
            places,
            self.alike.setdefault(alike, len(self.alike)),
            max(layer.output.height for layer in layers),
            leaving,
            frozenset((*leaving, *(distance for distances in made for distance in distances if distance < 0))),
            self._least_compute([first + place for place in places]),
        )

    def _least_compute(self, numbers: Sequence[int]) -> float:
        """Clocks of the busiest unit for layers in stripes, however high."""
        clocks: dict[UnitKind, float] = {}
        for number in numbers:
            layer = self._known(number)
            if layer.kind not in self.quickest:
                self.quickest[layer.kind] = self._quickest(layer, self.nodes[number])
            clocks[layer.unit] = clocks.get(layer.unit, 0.0) + self.quickest[layer.kind]
        return max(clocks.values())

    def _quickest(self, layer: RingLayer, node: Node) -> float:
        if not layer.unit.folds:
            by_rows = PIECE_UNITS[layer.unit].by_rows
            return 0.0 if by_rows else self.cache.unit_cycles(node, node.output.height, self.weights)
        table = self.cache.stripes(node, self.weights)
        return min((each.compute_cycles for each in table.values()), default=0.0)

    def least(self, span: Span, residents: frozenset[int]) -> Effort:
        """The effort of a group at least, however high its stripes; none where it has none."""
        key = span.alike, residents
        if key not in self.floors:
            self.floors[key] = self._floor(span, residents)
        return self.floors[key]

    def _floor(self, span: Span, residents: frozenset[int]) -> Effort:
        layers = [(self._known(span.first + place), self.nodes[span.first + place]) for place in span.places]
        if not all(self._rows(layer, node, layer.output.height) for layer, node in layers):
            return NO_EFFORT
        weights = sum(layer.weight_bytes for layer, _ in layers)
        return self._effort(span.least, self.moved_bytes(span, residents), weights)

    def moved_bytes(self, span: Span, residents: frozenset[int]) -> float:
        """DRAM bytes of the feature maps of a group, given which are resident, by their distance."""
        key = span.alike, residents
        if key not in self.fmap_bytes:
            made = (self._known(span.first + place).output for place in span.leaving if place not in residents)
            moved = sum(self._burst_bytes(fmap, fmap.ranges) for fmap in made)
            for each in self._striping(span).inflows.values():
                loaded = (each.ranges[distance] for distance in each.sources if distance not in residents)
                moved += self._burst_bytes(each.fmap, tuple(chain.from_iterable(loaded)))
            self.fmap_bytes[key] = moved
        return self.fmap_bytes[key]

    def _striping(self, span: Span) -> Striping:
        if span.alike not in self.stripings:
            shapes = (self.shapes[span.first + place] for place in span.places)
            self.stripings[span.alike] = striping(span.places, tuple(filter(None, shapes)), self.network.batch)
        return self.stripings[span.alike]

    def group(self, span: Span, rows: int) -> Group | None:
        """The layers with stripes of about this many rows of the highest feature map; None where one has none such."""
        key = span.alike, rows
        if key not in self.found:
            self.found[key] = self._group(span, ceil_div(span.height, rows))
        return self.found[key]

    def row_bytes(self, number: int) -> int | None:
        """Bytes of a row of what a layer in stripes makes; None where it fills no whole ones."""
        output = self._known(number).output
        return output.row_bytes if output.has_whole_rows else None

    def _known(self, number: int) -> RingLayer:
        layer = self.known[number]
        assert layer is not None
        return layer

    def _group(self, span: Span, stripes: int) -> Group | None:
        layers = tuple(self._known(span.first + place) for place in span.places)
        heights: list[int] = []
        compute: dict[UnitKind, float] = {}
        for place, layer in zip(span.places, layers, strict=True):
            found = self._rows(layer, self.nodes[span.first + place], ceil_div(layer.output.height, stripes))
            if found is None:
                return None
            rows, clocks = found
            heights.append(rows)
            compute[layer.unit] = compute.get(layer.unit, 0.0) + clocks
        return Group(self._striping(span), layers, tuple(heights), tuple(compute.values()))

    def _rows(self, layer: RingLayer, node: Node, most: int) -> tuple[int, float] | None:
        """Rows of a stripe, at most this many, and the clocks of the layer's unit in such stripes."""
        key = layer.kind, most
        if key not in self.rows:
            given = self.cache.given[node.name].tile.rows if node.name in self.cache.given else None
            if not layer.unit.folds:
                rows = given or ceil_div(node.output.height, ceil_div(node.output.height, most))
                self.rows[key] = rows, self.cache.unit_cycles(node, rows, self.weights)
            else:
                table = self.cache.stripes(node, self.weights)
                rows = max((rows for rows in table if rows <= (given or most)), default=0)
                self.rows[key] = (rows, table[rows].compute_cycles) if rows else None
        return self.rows[key]

    def ahead(self, span: Span, group: Group, made: int, old: int, rows: int) -> int:
        """Bytes by which a result has to begin before a resident with stripes of this many rows, so that it fills only
        places that the step before the last is done with. made, old: their distances."""
        key = group, made, old, rows
        if key not in self.gaps:
            self.gaps[key] = self._ahead(span, group, made, old, rows)
        return self.gaps[key]

    def _ahead(self, span: Span, group: Group, made: int, old: int, rows: int) -> int:
        counts = self.counts.get(group)
        if counts is None:
            counts = self.counts[group] = stripe_counts(group.members, self.network.batch)
        number, resident = group.places.index(made), self._known(span.first + old).output
        freed = [
            rows_from(member, Read(-1, each.window, resident.height), counts[reader], rows)
            for reader, (place, member) in enumerate(zip(group.places, group.members, strict=True))
            for each in self._known(span.first + place).inputs
            if any(distance_from(place, source.distance) == old for source in each.sources)
        ]
        filled = _stripe_bytes(counts[number], group.members[number].rows, self._known(span.first + made).output)
        left = _stripe_bytes(np.minimum.reduce(freed), rows, resident)
        before = np.concatenate(([0, 0], left))[: len(filled)]
        return int((filled - before).max())

    def effort(self, group: Group, fmap_bytes: float) -> Effort:
        """The effort of a group that moves these bytes of feature maps: its units work at the same time, but for the
        first stripe."""
        return self._effort(group.busy_cycles, fmap_bytes, group.weight_bytes, group.steps)

    def _effort(self, compute: float, fmap_bytes: float, weights: int, steps: float = inf) -> Effort:
        """Computing and moving overlap, but for the first of some steps."""
        base = self.cache.base
        moving, loading = base.dma_cycles(fmap_bytes), base.dma_cycles(weights)
        cycles = loading + max(compute, moving) + 2 * base.latency_cycles + min(compute, moving) / steps
        return Effort(cycles, compute, moving + loading, fmap_bytes + weights, weights, weights)

    def _burst_bytes(self, fmap: Fmap, ranges: tuple[Range, ...]) -> float:
        """DRAM bytes of a whole feature map of which ranges of the channels of each pixel are moved."""
        moved = self.moved.get((fmap, ranges))
        if moved is None:
            moved = self.moved[fmap, ranges] = self._all_bursts(fmap, ranges)
        return moved

    def _all_bursts(self, fmap: Fmap, ranges: tuple[Range, ...]) -> float:
        moves = np.zeros(fmap.tensor_channels, bool)
        for each in ranges:
            moves[slice(*each)] = True
        channels = np.flatnonzero(moves)
        moved = len(channels) * fmap.bits / 8
        if len(channels) not in (0, fmap.tensor_channels):
            moved = whole_burst_bytes(channels, fmap.bits, fmap.tensor_channels, self.cache.base.burst_bytes)
        return self.network.batch * fmap.height * fmap.width * moved * fmap.moved_share


def _stripe_bytes(counts: Counts, rows: int, fmap: Fmap) -> Counts:
    """Bytes of the first stripes of a feature map, over all images."""
    images, stripes = np.divmod(counts, ceil_div(fmap.height, rows))
    found: Counts = (images * fmap.height + np.minimum(stripes * rows, fmap.height)) * fmap.row_bytes
    return found
