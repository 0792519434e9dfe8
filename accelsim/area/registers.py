"""Register bits of a machine, as its configuration implies them (docs/machine.md section 7)."""

from __future__ import annotations

from accelsim.config.machine import Array, Depthwise, Machine
from accelsim.dataflows import DATAFLOWS


def pe_register_bits(array: Array) -> int:
    """Bits of a PE: a register for each operand and sum, a second one for what `overlap` exchanges behind a stream,
    and the operands in the multiplier's stages. A PE for `dataflow: auto` has what any dataflow needs."""
    widths = {"ifmap": array.activation_bits, "weight": array.weight_bits, "psum": array.psum_bits}
    dataflows = DATAFLOWS.values() if array.dataflow == "auto" else (DATAFLOWS[array.dataflow],)
    twice = {dataflow.stationary for dataflow in dataflows} if array.overlap else set()
    stages = (array.mac_latency - 1) * (array.weight_bits + array.activation_bits)
    return sum(widths.values()) + sum(widths[operand] for operand in twice) + stages


def lane_register_bits(array: Array) -> int:
    """Bits of a lane of the vector unit: two operands and a sum."""
    return 2 * array.activation_bits + array.psum_bits


def channel_register_bits(engine: Depthwise, array: Array) -> int:
    """Bits of a channel of the depthwise engine: a window of pixels, its weights twice, the stages of the multipliers,
    their products, a register behind each adder of the tree, and a sum."""
    operands = array.activation_bits + array.weight_bits
    window = engine.max_taps * (array.activation_bits + 2 * array.weight_bits)
    products = (array.mac_latency * engine.taps_per_clock + engine.taps_per_clock - 1) * operands
    return window + products + array.psum_bits


def register_bits(machine: Machine) -> int:
    """Bits of all PEs, lanes and channels of a depthwise engine."""
    array, engine = machine.array, machine.depthwise
    bits = array.rows * array.cols * pe_register_bits(array) + machine.vector.lanes * lane_register_bits(array)
    return bits + (engine.channels * channel_register_bits(engine, array) if engine else 0)
