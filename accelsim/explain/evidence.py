"""Evidence of one layer of a run: its commands, what each did and when, and what the array waited for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from accelsim.config.machine import Machine
from accelsim.dataflows.contract import Gemm
from accelsim.dataflows.timing import Ratio
from accelsim.dataflows.work import ArrayContext, ArrayWork, EqualFolds, array_work, fold_rows
from accelsim.lowering.ir import LayerTask, PlannedLayer, Tiling, TilingContext
from accelsim.machine.stalls import Segment
from accelsim.network.geometry import gemm_of, line_buffer_ratio
from accelsim.network.graph import Node
from accelsim.program.commands import Command, Compute, Load, Store, Tile
from accelsim.program.link import Linked
from accelsim.records import ActionCounts, LayerRecord
from accelsim.run.simulate import Played


@dataclass(frozen=True)
class Evidence:
    """Evidence of layer `number` of the network; all its inferences together."""

    played: Played
    number: int

    @property
    def machine(self) -> Machine:
        """The machine that the layer ran on."""
        return self.played.run.machine

    @property
    def node(self) -> Node:
        """The layer."""
        return self.played.run.network.nodes[self.number]

    @property
    def lowered_node(self) -> Node:
        """The layer with what is done on the ways to and from the array."""
        return self.played.lowered.network.nodes[self.number]

    @property
    def record(self) -> LayerRecord:
        """Record to be explained."""
        return self.played.run.records[self.number]

    @property
    def layers(self) -> range:
        """Its numbers in the program, one for each inference."""
        return range(self.number, len(self.played.program.layers), len(self.played.run.network.nodes))

    @property
    def plan(self) -> Tiling | None:
        """Its tiles; None where it is only addresses."""
        return None if self._planned is None else self._planned.plan

    @property
    def task(self) -> tuple[LayerTask, TilingContext] | None:
        """Task and context that the plan was chosen for."""
        return None if self._planned is None else (self._planned.task, self._planned.context)

    @property
    def _planned(self) -> PlannedLayer | None:
        return self.played.lowered.layers[self.number]

    @property
    def fused(self) -> bool:
        """True where it takes turns with another layer."""
        return bool(self.record.group)

    @cached_property
    def commands(self) -> list[Linked]:
        """Its commands, with when each was where."""
        return [linked for linked in self.played.history.linked if linked.command.layer in self.layers]

    @cached_property
    def computes(self) -> list[Compute]:
        """Its tile iterations."""
        return [command for command, _ in self.commands if isinstance(command, Compute)]

    @cached_property
    def beside(self) -> list[ActionCounts]:
        """Its actions in tile iterations of other layers, on the ways to or from the array."""
        commands = (linked.command for linked in self.played.history.linked)
        computes = (command for command in commands if isinstance(command, Compute))
        return [actions for compute in computes for number, actions in compute.beside if number in self.layers]

    @cached_property
    def loads(self) -> list[Tile]:
        """Loads, in order."""
        return [command.tile for command, _ in self.commands if isinstance(command, Load)]

    @cached_property
    def stores(self) -> list[Tile]:
        """Stores, in order."""
        return [command.tile for command, _ in self.commands if isinstance(command, Store)]

    @cached_property
    def clocks(self) -> list[Segment]:
        """Segments of the clocks that are given to the layer."""
        return [segment for segment in self.played.history.segments if segment.layer in self.layers]

    def command_of(self, segment: Segment) -> Command:
        """The command in which something went on."""
        return self.played.history.linked[segment.command].command

    def layer_of(self, segment: Segment) -> int:
        """Number of the layer of that command."""
        return self.command_of(segment).layer

    def folds(self) -> Iterator[EqualFolds]:
        """The folds of all its tile iterations on the array."""
        for compute in self.computes:
            if compute.unit.folds:
                gemm, array, reuse = self.product(compute)
                yield from fold_rows(gemm, array, first=compute.work.first, last=compute.work.last, reuse=reuse)

    def array_work(self, compute: Compute) -> ArrayWork:
        """Elements that an iteration on the array moves, in elements."""
        gemm, array, reuse = self.product(compute)
        return array_work(gemm, array, first=compute.work.first, last=compute.work.last, reuse=reuse)

    def product(self, compute: Compute) -> tuple[Gemm, ArrayContext, Ratio]:
        """The matrix product of an iteration, the array as the layer finds it, and what a line buffer lets through."""
        assert self.plan is not None
        assert self.task is not None
        work, dataflow = compute.work, self.plan.dataflow
        node, array = self.lowered_node, replace(self.task[1].array, dataflow=dataflow)
        reuse = line_buffer_ratio(node, work, self.machine.sram.line_buffer, dataflow, array.patch)
        return gemm_of(node, work, array.patch), array, reuse
