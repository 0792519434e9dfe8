"""Units as the compiler sees them: which one does a layer, and what a piece of a layer takes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from accelsim.config.machine import Machine
from accelsim.network.depthwise import engine_lacks, engine_work
from accelsim.network.graph import Node
from accelsim.network.pieces import Piece, PieceWork
from accelsim.network.vector import vector_work
from accelsim.unit_kinds import ARRAY, DEPTHWISE, VECTOR, UnitKind

DEPTHWISE_UNITS = {"array": ARRAY, "vector": VECTOR, "engine": DEPTHWISE}
"""Units that can do depthwise convolutions, by their names in machine files."""


@dataclass(frozen=True, slots=True)
class PieceUnit:
    """A kind of unit that works on pieces.

    does: whether a layer runs on it, on this machine; work: what a piece takes; by_rows: whether the clocks of a layer
    depend on the rows of its pieces; lacks: why the unit can't do a layer whose inputs have these bits, if it can't.
    """

    does: Callable[[Node, Machine], bool]
    work: Callable[[Piece, Machine], PieceWork]
    by_rows: bool = False
    lacks: Callable[[Node, Machine, int], str | None] | None = None


def _on_vector_unit(node: Node, machine: Machine) -> bool:
    return not node.op.on_array or (node.is_depthwise and _depthwise_unit(node, machine) is VECTOR)


def _on_engine(node: Node, machine: Machine) -> bool:
    return node.op.on_array and node.is_depthwise and _depthwise_unit(node, machine) is DEPTHWISE


def _depthwise_unit(node: Node, machine: Machine) -> UnitKind:
    """The unit of a depthwise layer. Where the machine leaves that open, `placed` has to have chosen it."""
    return node.unit or DEPTHWISE_UNITS[machine.array.depthwise_on]


PIECE_UNITS: dict[UnitKind, PieceUnit] = {
    VECTOR: PieceUnit(_on_vector_unit, vector_work),
    DEPTHWISE: PieceUnit(_on_engine, engine_work, by_rows=True, lacks=engine_lacks),
}
"""The units that work on pieces. Of several that do a layer the last has it; the array has what none of them does."""


def unit_of(node: Node, machine: Machine) -> UnitKind:
    """The unit that does a layer."""
    for kind in reversed(PIECE_UNITS):
        if PIECE_UNITS[kind].does(node, machine):
            return kind
    return ARRAY


def lacking(node: Node, machine: Machine, bits: int) -> str | None:
    """The reason why the unit of a layer whose inputs have these bits can't do it; None where it can."""
    unit = PIECE_UNITS.get(unit_of(node, machine))
    return unit.lacks(node, machine, bits) if unit is not None and unit.lacks is not None else None


def on_array(node: Node, machine: Machine) -> bool:
    """True where a layer runs on the array."""
    return unit_of(node, machine).folds
