"""The layers of a network as one stream of Compute commands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from accelsim.config.machine import Machine
from accelsim.lowering.emit.array import ArrayEmission
from accelsim.lowering.emit.cascade import CascadeTiles
from accelsim.lowering.emit.layer import Emission, LayerEmission
from accelsim.lowering.emit.pieces import PieceEmission
from accelsim.lowering.emit.planned import iteration_count, working
from accelsim.lowering.emit.residents import ResidentPlan, ResidentTiles
from accelsim.lowering.ir import Layout, PlannedLayer
from accelsim.lowering.schedule.residents import Cascade
from accelsim.lowering.schedule.stripes import in_order
from accelsim.program.commands import Compute


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
        cascades = {cascade.layers[0]: cascade for cascade in self.residents.residency.cascades}
        index = 0
        while index < len(self.layers):
            cascade, layer = cascades.get(index), self.layers[index]
            if cascade is not None:
                yield from self._depth_first(emission, cascade)
            elif layer is not None:
                yield from self._emission(emission, layer).computes()
            index = index + 1 if cascade is None else cascade.span.stop

    def _emission(self, emission: Emission, layer: PlannedLayer, cascade: CascadeTiles | None = None) -> LayerEmission:
        kind = ArrayEmission if layer.on_array else PieceEmission
        return kind(emission, layer, cascade)

    def _depth_first(self, emission: Emission, cascade: Cascade) -> Iterator[Compute]:
        """The layers of a cascade, stripe by stripe."""
        layers = list(working([self.layers[number] for number in cascade.layers]))
        tiles = CascadeTiles(cascade, layers, emission.residents, self.maps, self.batch)
        computes = [self._emission(emission, layer, tiles).computes() for layer in layers]
        iterations = [
            iteration_count(layer, self.maps, self.batch) // (self.batch * member.stripes)
            for layer, member in zip(layers, cascade.members, strict=True)
        ]
        for number, _ in in_order(cascade.members, self.batch):
            yield from islice(computes[number], iterations[number])
