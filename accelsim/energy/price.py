"""Energy = counts of actions x table (docs/machine.md section 7), in a fixed order of summation."""

from __future__ import annotations

from accelsim.config.energy_table import EnergyTable
from accelsim.config.machine import Array, Machine
from accelsim.records import ActionCounts, Energy


def price(counts: ActionCounts, cycles: int, machine: Machine) -> Energy:
    """The energy of these actions within so many array clocks."""
    table = machine.energy
    dram_bytes = counts.dram_burst_bytes
    return Energy(
        mac_pj=counts.active_macs * mac_pj(table, machine.array),
        register_pj=counts.register_bytes * table.register_byte.energy_pj,
        vector_pj=counts.vector_ops * table.vector_op.energy_pj,
        sram_pj=(counts.sram_read_bytes + counts.sram_write_bytes) * table.sram_byte.energy_pj,
        dram_pj=dram_bytes * table.dram_byte.energy_pj,
        static_pj=static_mw(machine) * 1e3 * cycles / machine.array.clock_mhz,
        dram_penalty_pj=dram_bytes * (table.dram_byte.energy_pj - table.sram_byte.energy_pj),
    )


def mac_pj(table: EnergyTable, array: Array) -> float:
    """A multiply of the operand widths and an add of the partial sum's."""
    multiply = table.multiply_8x8.energy_pj * array.weight_bits * array.activation_bits / 64
    return multiply + table.add_32.energy_pj * array.psum_bits / 32


def static_mw(machine: Machine) -> float:
    """Static power of the chip."""
    sram = machine.sram
    capacity = sram.activation.capacity_bytes + sram.weight.capacity_bytes + sram.accumulator.capacity_bytes
    return machine.energy.static.power_mw_per_kib * capacity / 1024
