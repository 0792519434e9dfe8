"""Area of a machine by part, in mm2: sizes of what it is made of x table (docs/machine.md section 9)."""

from __future__ import annotations

from math import fsum
from typing import NamedTuple

from accelsim.area.curves import interpolated
from accelsim.area.nodes import area_factor
from accelsim.area.registers import channel_register_bits, lane_register_bits, pe_register_bits
from accelsim.config.area_table import AreaTable
from accelsim.config.dram import CommandDevice
from accelsim.config.machine import Machine

SCALE_BITS = 32
"""Bits of the fixed-point factor that a sum is scaled by (Jacob et al., CVPR 2018, section 2.2)."""
NOT_SIZED = ("control", "functions of the output path")
"""Parts of a chip that no table has a size for."""
CHIPS_OVER_MODEL = 1.0, 1.5
"""Area of the parts of Gemmini and, at most, of TPU v1 as published, over what the tables give for them
(docs/validation.md)."""


class Area(NamedTuple):
    """Square millimetres by part. requantisation_mm2: for a result of each column a clock."""

    pe_mm2: float
    requantisation_mm2: float
    vector_mm2: float
    depthwise_mm2: float
    sram_mm2: float
    dma_mm2: float

    @property
    def logic_mm2(self) -> float:
        """PEs, requantisation, vector unit and depthwise engine without its line buffer."""
        return self.pe_mm2 + self.requantisation_mm2 + self.vector_mm2 + self.depthwise_mm2

    @property
    def total_mm2(self) -> float:
        """All parts together."""
        return fsum(self)


def area_of(machine: Machine) -> Area | None:
    """The area of a machine at the node of its table, or that it is scaled to; None where it has no area table."""
    table, array, sram = machine.area, machine.array, machine.sram
    if table is None:
        return None
    in_flight = machine.dma.max_outstanding_bursts * machine.dram.burst_bytes
    buffers = [sram.operand_bytes] if sram.unified else [sram.activation.capacity_bytes, sram.weight.capacity_bytes]
    capacities = [*buffers, sram.accumulator.capacity_bytes]
    if machine.depthwise is not None:
        capacities.append(machine.depthwise.line_buffer_bytes)
    sizes = Area(
        pe_mm2=array.rows * array.cols * pe_mm2(machine, table),
        requantisation_mm2=array.cols * requantiser_mm2(machine, table),
        vector_mm2=machine.vector.lanes * lane_mm2(machine, table),
        depthwise_mm2=engine_mm2(machine, table),
        sram_mm2=fsum(buffer_mm2(table, capacity) for capacity in capacities),
        dma_mm2=(machine.dma.engines_in + machine.dma.engines_out) * buffer_mm2(table, in_flight),
    )
    factor = node_factor(table)
    return Area(*(size * factor for size in sizes))


def interface_mm2(machine: Machine) -> float | None:
    """The interface of the DRAM's data bus, at any node, beside the area of the chip; None without an area table, or of
    a device that does not say how wide its bus is. Buses of HBM have other pads, on an interposer."""
    table, device = machine.area, machine.dram
    if table is None or not isinstance(device, CommandDevice) or device.organisation.pseudo_channels > 1:
        return None
    bits = device.organisation.channels * device.organisation.bus_width_bits
    return bits * table.dram_bit.area_um2 / 1e6


def not_sized(machine: Machine) -> tuple[str, ...]:
    """Parts of a chip without a size."""
    return NOT_SIZED if interface_mm2(machine) is not None else (*NOT_SIZED, "I/O")


def node_factor(table: AreaTable) -> float:
    """Area at the node that the table is scaled to, over that at its own."""
    return area_factor(table.technology_nm, table.scaled_to_nm) if table.scaled_to_nm else 1.0


def node_nm(table: AreaTable) -> float:
    """The node that areas stand for."""
    return table.scaled_to_nm or table.technology_nm


def pe_mm2(machine: Machine, table: AreaTable) -> float:
    """A PE at the table's node: a multiplier of its widths, an adder of a sum's, and registers."""
    array = machine.array
    sign = 1 if array.operands == "either" else 0
    products = (array.weight_bits + sign) * (array.activation_bits + sign)
    return _logic_mm2(table, products, array.psum_bits, pe_register_bits(array))


def requantiser_mm2(machine: Machine, table: AreaTable) -> float:
    """A multiplier of a sum and its factor, and two adders as wide as the product, at the table's node; 0 where sums
    are as narrow as maps."""
    array = machine.array
    if array.psum_bits <= array.activation_bits:
        return 0.0
    return _logic_mm2(table, array.psum_bits * SCALE_BITS, 2 * (array.psum_bits + SCALE_BITS), 0)


def lane_mm2(machine: Machine, table: AreaTable) -> float:
    """A lane of the vector unit at the table's node: a multiplier of activations, an adder of sums, and registers."""
    array = machine.array
    return _logic_mm2(table, array.activation_bits**2, array.psum_bits, lane_register_bits(array))


def engine_mm2(machine: Machine, table: AreaTable) -> float:
    """The depthwise engine without its line buffer at the table's node; 0 where there is none. Adders of the tree are
    as wide as products."""
    array, engine = machine.array, machine.depthwise
    if engine is None:
        return 0.0
    taps, operands = engine.taps_per_clock, array.weight_bits + array.activation_bits
    multipliers = taps * array.weight_bits * array.activation_bits
    adders = (taps - 1) * operands + array.psum_bits
    return engine.channels * _logic_mm2(table, multipliers, adders, channel_register_bits(engine, array))


def _logic_mm2(table: AreaTable, multiplier_bit_products: int, adder_bits: int, register_bits: int) -> float:
    cells_um2 = (
        table.multiplier_8x8.area_um2 * multiplier_bit_products / 64
        + table.adder_32.area_um2 * adder_bits / 32
        + table.register_bit.area_um2 * register_bits
    )
    return cells_um2 / table.cells.share / 1e6


def buffer_mm2(table: AreaTable, capacity_bytes: int) -> float:
    """An SRAM with a read and a write port at the table's node."""
    return interpolated(table.sram.capacity_bytes, table.sram.area_mm2, capacity_bytes)
