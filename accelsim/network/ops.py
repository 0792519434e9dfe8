"""Operations of layers: those of the vector unit and its clocks, and what is done on the ways to and from the array."""

from __future__ import annotations

from accelsim.config.machine import InputPath, Machine, OutputPath
from accelsim.network.graph import Node
from accelsim.program.commands import Work
from accelsim.units import ceil_div


def elements_per_clock(path: InputPath | OutputPath, node: Node) -> int:
    """Elements a clock of an operator on a way to or from the array; 0 if it can't be done there."""
    found: int = getattr(path, node.op.station, 0) if node.op.station else 0
    return found


def bytes_under_way(pool: Node, bits: int) -> int:
    """Bytes of a maximum, or of a sum of the whole window, of a pool. bits: of its map."""
    return ceil_div(bits + (pool.window.elements - 1).bit_length() * (pool.op.station == "avg_pool"), 8)


def dram_weight_bits(node: Node, machine: Machine) -> int:
    """Bits of a layer's weights in DRAM: compressed where the machine decodes them on their way."""
    bits = machine.array.weight_bits
    return node.stored_weight_bits(bits) if machine.dma.decoder is None else node.compressed_weight_bits(bits)


def decodes(node: Node, machine: Machine) -> bool:
    """True where a layer's weights are decoded on their way."""
    return dram_weight_bits(node, machine) < node.stored_weight_bits(machine.array.weight_bits)


def ops_per_element(node: Node) -> int:
    """Operations for one output element, those of an activation that the operator does not absorb included."""
    beside = node.activation != "none" and "activation" not in node.op.absorbs
    return node.op.operations_per_element(node) + beside


def ops_per_output(node: Node, work: Work) -> int:
    """Operations of a piece for one output element: those of all its window, or of some of its positions, behind the
    last of which comes the activation."""
    if work.taps is None:
        return ops_per_element(node)
    return work.taps.size + (ops_per_element(node) - node.op.operations_per_element(node)) * work.last


def vector_cycles(machine: Machine, operations: int, read_bytes: int, written_bytes: int) -> int:
    """Clocks of a piece: its lanes or the SRAM ports, whichever takes longer."""
    port = machine.sram.activation.port_bytes_per_cycle
    return max(ceil_div(operations, machine.vector.lanes), ceil_div(read_bytes, port), ceil_div(written_bytes, port))
