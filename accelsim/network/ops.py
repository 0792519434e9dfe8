"""The vector unit: operations per output element, and the clocks they take (docs/machine.md section 4)."""

from __future__ import annotations

from accelsim.config.machine import Machine
from accelsim.network.graph import Node, Op
from accelsim.units import ceil_div

OPS_PER_ELEMENT = {
    Op.ADD: 1,
    Op.MUL: 1,
    Op.SCALE: 1,
    Op.RELU: 1,
    Op.BATCH_NORM: 2,
    Op.CONCAT: 1,
    Op.SHUFFLE: 1,
    Op.SUBSAMPLE_PAD: 1,
    Op.SIGMOID: 4,
    Op.HARD_SWISH: 4,
    Op.GELU: 5,
    Op.SOFTMAX: 5,
    Op.LAYER_NORM: 5,
}
"""Multiply-and-add for a batch norm; a copy passes each element once. The activation functions are assumed: sigmoid
a piecewise polynomial of second order (two multiply-adds, range check, select), softmax a maximum, that exponential
and a sum; hard swish an add, a clamp and two multiplies; GELU such a polynomial and a multiply; layer normalisation a
sum, a difference, its square, a factor, and a factor with an offset."""

LRN_OPS_BESIDE_WINDOW = 3
"""Scale, power, multiply (assumed), beside a square-and-add for each channel of the window."""


def on_vector_unit(node: Node, machine: Machine) -> bool:
    """Whether a layer runs on the vector unit: all but convolutions and products of maps, and depthwise ones if so
    configured."""
    return node.op not in (Op.CONV, Op.PRODUCT) or (node.is_depthwise and machine.array.depthwise_on == "vector")


def ops_per_element(node: Node) -> int:
    """Operations for one output element; pools and depthwise convolutions take one per window element."""
    if node.op in (Op.MAX_POOL, Op.AVG_POOL, Op.GLOBAL_POOL) or node.is_depthwise:
        return node.window.elements
    if node.op is Op.LRN:
        return node.channel_window + LRN_OPS_BESIDE_WINDOW
    return OPS_PER_ELEMENT[node.op] + (1 if node.activation != "none" and node.op is not Op.ADD else 0)


def vector_cycles(machine: Machine, operations: int, read_bytes: int, written_bytes: int) -> int:
    """Clocks of a piece: its lanes or the SRAM ports, whichever takes longer."""
    port = machine.sram.activation.port_bytes_per_cycle
    return max(ceil_div(operations, machine.vector.lanes), ceil_div(read_bytes, port), ceil_div(written_bytes, port))
