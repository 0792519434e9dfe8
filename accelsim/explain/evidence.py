"""What is known of one layer of a run: its commands, what each did and when, and what the array waited for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from accelsim.config.machine import Machine
from accelsim.dataflows.contract import Gemm
from accelsim.dataflows.geometry import gemm_of, line_buffer_ratio
from accelsim.dataflows.work import ArrayContext, ArrayWork, FoldRow, Ratio, array_work, fold_rows
from accelsim.lowering.ir import LayerTask, Tiling, TilingContext
from accelsim.machine.stalls import Segment, layer_ends, layer_windows, segments, shared_out
from accelsim.network.graph import Node
from accelsim.program.commands import Command, Compute, Load, Store, Tile, Unit
from accelsim.records import ActionCounts, LayerRecord
from accelsim.run.simulate import Played


@dataclass(frozen=True)
class Evidence:
    """Of layer `number` of the network; all its inferences together."""

    played: Played
    number: int

    @property
    def machine(self) -> Machine:
        """Where it ran."""
        return self.played.run.machine

    @property
    def node(self) -> Node:
        """The layer."""
        return self.played.run.network.nodes[self.number]

    @property
    def record(self) -> LayerRecord:
        """What is to be explained."""
        return self.played.run.records[self.number]

    @property
    def layers(self) -> range:
        """Its numbers in the program, one for each inference."""
        return range(self.number, len(self.played.program.layers), len(self.played.run.network.nodes))

    @property
    def plan(self) -> Tiling | None:
        """Its tiles; None where it is only addresses."""
        return self.played.lowered.plans[self.number]

    @property
    def task(self) -> tuple[LayerTask, TilingContext] | None:
        """What the plan was chosen for."""
        return self.played.lowered.tasks[self.number]

    @property
    def fused(self) -> bool:
        """Whether it takes turns with another layer."""
        return self.node.name in self.played.lowered.fused

    @cached_property
    def commands(self) -> list[tuple[int, Command]]:
        """Its commands with their indices."""
        found = enumerate(self.played.program.commands)
        return [(index, command) for index, command in found if command.layer in self.layers]

    @cached_property
    def pieces(self) -> list[tuple[Compute, ActionCounts]]:
        """Its Computes, and the actions that each of them took."""
        counted = {layer: iter(self.played.lowered.command_counts[layer]) for layer in self.layers}
        computes = (command for _, command in self.commands if isinstance(command, Compute))
        return [(command, next(counted[command.layer])) for command in computes]

    @cached_property
    def loads(self) -> list[Tile]:
        """What it loads, in order."""
        return [command.tile for _, command in self.commands if isinstance(command, Load)]

    @cached_property
    def stores(self) -> list[Tile]:
        """What it stores, in order."""
        return [command.tile for _, command in self.commands if isinstance(command, Store)]

    @cached_property
    def windows(self) -> list[tuple[int, int]]:
        """The clocks that are counted as each layer's of the program."""
        program = self.played.program
        return layer_windows(len(program.layers), layer_ends(program, self.played.timeline))

    @cached_property
    def clocks(self) -> list[Segment]:
        """What went on in the clocks that are counted as the layer's."""
        return [segment for number, segment in self._all_clocks if number in self.layers]

    @cached_property
    def streams_elsewhere(self) -> list[tuple[int, Segment]]:
        """(layer whose clocks they are in, its own streams there)."""
        return [
            (number, segment)
            for number, segment in self._all_clocks
            if segment.cause is None and number not in self.layers and self._is_mine(segment)
        ]

    def _is_mine(self, segment: Segment) -> bool:
        return self.played.program.commands[segment.command].layer in self.layers

    @cached_property
    def _all_clocks(self) -> list[tuple[int, Segment]]:
        played = self.played
        return list(shared_out(self.windows, segments(played.program, played.waits, played.timeline)))

    def folds(self) -> Iterator[FoldRow]:
        """The folds of all its pieces on the array."""
        for compute, _ in self.pieces:
            if compute.unit is Unit.ARRAY:
                gemm, array, reuse = self.product(compute)
                yield from fold_rows(gemm, array, first=compute.work.first, last=compute.work.last, reuse=reuse)

    def array_work(self, compute: Compute) -> ArrayWork:
        """What a piece on the array moves, in elements."""
        gemm, array, reuse = self.product(compute)
        return array_work(gemm, array, first=compute.work.first, last=compute.work.last, reuse=reuse)

    def product(self, compute: Compute) -> tuple[Gemm, ArrayContext, Ratio]:
        """The matrix product of a piece, the array as the layer finds it, and what a line buffer lets through."""
        assert self.plan is not None
        assert self.task is not None
        work, dataflow = compute.work, self.plan.dataflow
        reuse = line_buffer_ratio(self.node, work, self.machine.sram.line_buffer, dataflow)
        return gemm_of(self.node, work), replace(self.task[1].array, dataflow=dataflow), reuse
