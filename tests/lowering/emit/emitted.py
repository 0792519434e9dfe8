"""Computes as the layers of a network emit them, before loads and stores stand between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from accelsim.config.plan import Plan
from accelsim.config.scheduling import Scheduling
from accelsim.lowering.compile import Lowered, lower
from accelsim.lowering.emit.planned import working
from accelsim.lowering.emit.residents import ResidentPlan
from accelsim.lowering.emit.stream import ComputeStream
from accelsim.lowering.ir import PlannedLayer
from accelsim.network.graph import Network
from accelsim.program.commands import Compute, Tile
from tests.strategies import machine_of


@dataclass(frozen=True, slots=True)
class Emitted:
    """A network on a machine with fixed buffers, and the Computes of one pass over its stream."""

    lowered: Lowered
    stream: ComputeStream
    computes: tuple[Compute, ...]

    def layer(self, name: str) -> PlannedLayer:
        """A layer that has commands."""
        return next(layer for layer in working(self.lowered.layers) if layer.node.name == name)

    def of(self, name: str) -> list[Compute]:
        """The Computes of a layer."""
        number = self.layer(name).index
        return [compute for compute in self.computes if compute.layer == number]

    @property
    def names(self) -> list[str]:
        """The layer of each Compute."""
        return [self.lowered.program.layers[compute.layer] for compute in self.computes]

    def spans(self) -> dict[Tile, tuple[int, int]]:
        """Numbers of the Computes between which each tile is on chip: from the first to the last that fills or reads
        it."""
        found: dict[Tile, tuple[int, int]] = {}
        for number, compute in enumerate(self.computes):
            for tile in (*compute.reads, *compute.results):
                found[tile] = found.get(tile, (number, number))[0], number
        return found


def emitted(network: Network, plan: dict[str, Any] | None = None, *, inferences: int = 1, **machine: Any) -> Emitted:
    """A network as a plan has it; nothing else stays on chip, or runs depth-first."""
    chip = machine_of(**{"output_path__add": 0, "output_path__max_pool": 0, **machine})
    given = Plan.model_validate({"images": network.batch, **(plan or {})})
    scheduling = Scheduling(keep_activations="never", fusion="never", inferences=inferences, plan=given)
    lowered = lower(network, chip, scheduling)
    planned, batch = list(working(lowered.layers)), lowered.network.batch
    residency = lowered.residency.repeated(lowered.network.inferences, lowered.network.layers)
    residents = ResidentPlan.of(planned, lowered.maps, batch, residency, lowered.weights)
    stream = ComputeStream(chip, lowered.maps, batch, lowered.layers, residents)
    return Emitted(lowered, stream, tuple(stream))


def convolution(name: str, kernel: int = 1, channels: int = 8, **keys: Any) -> dict[str, Any]:
    """One that leaves the size of the map."""
    return {"name": name, "op": "conv", "kernel": kernel, "channels": channels, "pad": kernel // 2, **keys}


def added(name: str, *inputs: str) -> dict[str, Any]:
    """A sum of two maps."""
    return {"name": name, "op": "add", "inputs": list(inputs)}


def tiles(spans: dict[Tile, tuple[int, int]], name: str) -> Iterator[Tile]:
    """Those of a tensor."""
    return (tile for tile in spans if tile.tensor.name == name)
