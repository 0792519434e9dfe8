"""Register bits of a machine, as its configuration implies them (docs/machine.md section 7)."""

from __future__ import annotations

from accelsim.config.machine import Array, Machine


def pe_register_bits(array: Array) -> int:
    """Bits of a PE: a register for each operand and sum, a second one for what `overlap` exchanges behind a stream,
    and the operands in the multiplier's stages. A PE for `dataflow: auto` has what any dataflow needs."""
    second = {"ws": ("weight",), "is": ("activation",), "os": ("psum",), "auto": ("weight", "activation", "psum")}
    widths = {"weight": array.weight_bits, "activation": array.activation_bits, "psum": array.psum_bits}
    twice = second[array.dataflow] if array.overlap else ()
    stages = (array.mac_latency - 1) * (array.weight_bits + array.activation_bits)
    return sum(widths.values()) + sum(widths[name] for name in twice) + stages


def lane_register_bits(array: Array) -> int:
    """Bits of a lane of the vector unit: two operands and a sum."""
    return 2 * array.activation_bits + array.psum_bits


def register_bits(machine: Machine) -> int:
    """Bits of all PEs and lanes."""
    array = machine.array
    return array.rows * array.cols * pe_register_bits(array) + machine.vector.lanes * lane_register_bits(array)
