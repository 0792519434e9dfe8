"""The vector unit: operations per output element, and the clocks they take (docs/machine.md section 4)."""

from __future__ import annotations

from accelsim.config.machine import InputPath, Machine, OutputPath
from accelsim.network.graph import Node
from accelsim.units import ceil_div


def on_vector_unit(node: Node, machine: Machine) -> bool:
    """True where a layer runs on the vector unit: all but convolutions and products of maps, and depthwise ones if so
    configured."""
    return not node.op.on_array or (node.is_depthwise and machine.array.depthwise_on == "vector")


def elements_per_clock(path: InputPath | OutputPath, node: Node) -> int:
    """Elements a clock of an operator on a way to or from the array; 0 if it can't be done there."""
    found: int = getattr(path, node.op.station, 0) if node.op.station else 0
    return found


def ops_per_element(node: Node) -> int:
    """Operations for one output element, those of an activation that the operator does not absorb included."""
    beside = node.activation != "none" and "activation" not in node.op.absorbs
    return node.op.operations_per_element(node) + beside


def vector_cycles(machine: Machine, operations: int, read_bytes: int, written_bytes: int) -> int:
    """Clocks of a piece: its lanes or the SRAM ports, whichever takes longer."""
    port = machine.sram.activation.port_bytes_per_cycle
    return max(ceil_div(operations, machine.vector.lanes), ceil_div(read_bytes, port), ceil_div(written_bytes, port))
