"""The layers of a network as one stream of Compute commands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, pairwise

from accelsim.config.machine import Machine
from accelsim.lowering.emit.array import ArrayEmission
from accelsim.lowering.emit.iterations import blocks, blocks_in, tap_cuts
from accelsim.lowering.emit.layer import Emission
from accelsim.lowering.emit.planned import working
from accelsim.lowering.emit.residents import ResidentPlan, ResidentTiles
from accelsim.lowering.emit.vector import VectorEmission
from accelsim.lowering.ir import Layout, PlannedLayer
from accelsim.lowering.schedule.residents import Cascade
from accelsim.network.geometry import input_window
from accelsim.program.commands import Compute
from accelsim.units import ceil_div


@dataclass(frozen=True, slots=True)
class ComputeStream:
    """The Computes of all layers in order, layer after layer but for those of a cascade; made anew each time.

    layers: None for those that are only addresses.
    """

    machine: Machine
    maps: Layout
    batch: int
    layers: Sequence[PlannedLayer | None]
    residents: ResidentPlan

    def __iter__(self) -> Iterator[Compute]:
        emission = Emission(self.machine, self.maps, self.batch, ResidentTiles(self.residents))
        cascades = {cascade.first: cascade for cascade in self.residents.residency.fusions.values()}
        index = 0
        while index < len(self.layers):
            cascade, layer = cascades.get(index), self.layers[index]
            if cascade is not None:
                yield from self._interleaved(emission, cascade)
            elif layer is not None:
                yield from self._computes(emission, layer)
            index = index + 1 if cascade is None else cascade.last + 1

    def _computes(self, emission: Emission, layer: PlannedLayer) -> Iterator[Compute]:
        kind = ArrayEmission if layer.on_array else VectorEmission
        return kind(emission, layer).computes()

    def _interleaved(self, emission: Emission, cascade: Cascade) -> Iterator[Compute]:
        """A layer and its readers, stripe by stripe: the stripes that an iteration of the readers reads stand before
        the iteration before it, so that the array has work while they leave it."""
        first, *others = working(self.layers[cascade.first : cascade.last + 1])
        producer = self._computes(emission, first)
        readers = [self._computes(emission, layer) for layer in others]
        reached = 0
        for wanted in pairwise(chain(_wanted(first, others, self.batch), (0,))):
            until = max(reached, *wanted)
            yield from islice(producer, until - reached)
            yield from map(next, readers)
            reached = until
        yield from producer


def _wanted(producer: PlannedLayer, readers: Sequence[PlannedLayer], batch: int) -> Iterator[int]:
    """How many iterations of the producer have to be there for each iteration of the readers."""
    node, plan = producer.node, producer.plan
    across, down = ceil_div(node.output.width, plan.cols), ceil_div(node.output.height, plan.rows)
    of_block = _iterations(producer, batch) // blocks_in(node, batch, plan)
    for each in zip(*(blocks(layer.node, batch, layer.plan) for layer in readers), strict=True):
        windows = (input_window(layer.node, block) for layer, block in zip(readers, each, strict=True))
        last = max((images.stop - 1, rows.stop - 1) for images, rows, _ in windows)
        stripe = last[0] // plan.images * down + last[1] // plan.rows
        yield (stripe + 1) * across * of_block


def _iterations(layer: PlannedLayer, batch: int) -> int:
    """Iterations of a convolution."""
    node, plan = layer.node, layer.plan
    outs, ins = node.output.channels // node.groups, node.sizes[0].channels // node.groups
    parts = ceil_div(node.groups, plan.groups) * ceil_div(outs, plan.out_channels) * ceil_div(ins, plan.in_channels)
    return parts * len(tap_cuts(node, plan)) * blocks_in(node, batch, plan)
