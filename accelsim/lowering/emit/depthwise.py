"""Layers on the depthwise engine: tiled as those of the vector unit, with the engine's clocks and actions."""

from __future__ import annotations

from dataclasses import dataclass

from accelsim.lowering.emit.layer import Iteration
from accelsim.lowering.emit.vector import VectorEmission
from accelsim.network.depthwise import EnginePiece, depthwise_work, engine_counts, tail_cycles
from accelsim.program.commands import Buffer, Tile, UnitKind, Work


@dataclass(slots=True)
class DepthwiseEmission(VectorEmission):
    """A depthwise layer on the engine in one pass."""

    def iteration(self, work: Work, streamed: tuple[Tile, ...], results: tuple[Tile, ...]) -> Iteration:
        """See `VectorEmission`."""
        machine = self.shared.machine
        weight_bytes = sum(tile.bytes for tile in streamed if tile.buffer is Buffer.WEIGHT)
        piece = EnginePiece(self.layer.node, work, self.layer.context.array, 8 * weight_bytes)
        done = depthwise_work(piece, machine)
        return Iteration(
            UnitKind.DEPTHWISE,
            work,
            (),
            streamed,
            results,
            results,
            engine_counts(piece, done),
            unit_cycles=done.cycles,
            post_cycles=tail_cycles(machine) + machine.array.post_latency,
        )
