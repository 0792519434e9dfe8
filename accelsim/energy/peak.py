"""Counts and power of the chip with every PE at work in every clock, all data in its buffers."""

from __future__ import annotations

from accelsim.config.machine import Machine
from accelsim.energy.price import price
from accelsim.records import ActionCounts


def peak_counts(machine: Machine) -> ActionCounts:
    """Actions of one clock: a MAC in each PE, operands that hop and sums that are latched, an operand read for each row
    (OS: and column) and, but for OS, a result written for each column. `dataflow: auto` is taken as WS."""
    array = machine.array
    pes = array.rows * array.cols
    hops = {"is": array.weight_bits, "os": array.activation_bits + array.weight_bits}
    hop_bits = hops.get(array.dataflow, array.activation_bits)
    weights = {"is": array.rows, "os": array.cols}.get(array.dataflow, 0)
    return ActionCounts(
        macs=pes,
        active_macs=pes,
        multiplier_bit_products=pes * array.weight_bits * array.activation_bits,
        adder_bits=pes * array.psum_bits,
        register_bytes=pes * (hop_bits + array.psum_bits) // 8,
        sram_read_ifmap_bytes=0 if array.dataflow == "is" else array.rows * array.activation_bits // 8,
        sram_read_weight_bytes=weights * array.weight_bits // 8,
        sram_write_ofmap_bytes=0 if array.dataflow == "os" else array.cols * array.activation_bits // 8,
    )


def peak_power_w(machine: Machine) -> float:
    """Power of the chip without DRAM at that rate."""
    return price(peak_counts(machine), 1, machine).on_chip_pj * machine.array.clock_mhz / 1e6


def peak_tops(machine: Machine) -> float:
    """Multiplies and adds of all PEs in 10^12 a second."""
    return 2 * machine.array.rows * machine.array.cols * machine.array.clock_mhz / 1e6
