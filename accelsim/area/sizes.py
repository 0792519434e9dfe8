"""Area of a machine by part, in mm2: sizes of what it is made of x table (docs/machine.md section 9)."""

from __future__ import annotations

from math import ceil, fsum
from typing import NamedTuple

from accelsim.area.curves import interpolated
from accelsim.area.nodes import area_factor
from accelsim.area.registers import (
    SCALE_BITS,
    channel_register_bits,
    lane_register_bits,
    pe_register_bits,
    requantiser_register_bits,
    skew_register_bits,
    way_elements,
)
from accelsim.config.area_table import AreaTable
from accelsim.config.dram import CommandDevice
from accelsim.config.machine import Array, Cache, Depthwise, Machine
from accelsim.kept import kept
from accelsim.units import ceil_div

TAG_BYTES = 4
"""Assumed bytes of a cache line's address and state."""
MOST_ENTRIES = 512
"""Entries of a function's table, between which wider elements are interpolated (TensorFlow Lite, 16-bit kernels)."""
CODEC_MACS = 3.5
"""Size of an encoder or decoder of a byte a clock, in 8-bit MACs: both of EBPC are less than seven (Cavigelli et al.,
JETCAS 9(4), 2019)."""
CHIPS_OVER_MODEL = 1.0, 1.4
"""Area of the parts of Gemmini and, at most, of TPU v1 as published, over what the tables give for them
(docs/validation.md)."""


class Area(NamedTuple):
    """Square millimetres by part. skew_mm2: triangles of registers at the array's edges; requantisation_mm2: for a
    result of each column a clock."""

    pe_mm2: float
    skew_mm2: float
    requantisation_mm2: float
    vector_mm2: float
    way_mm2: float
    depthwise_mm2: float
    sram_mm2: float
    cache_mm2: float
    dma_mm2: float

    @property
    def logic_mm2(self) -> float:
        """All but memories and DMA engines; the tables of functions count as logic."""
        array_mm2 = self.pe_mm2 + self.skew_mm2 + self.requantisation_mm2
        return array_mm2 + self.vector_mm2 + self.way_mm2 + self.depthwise_mm2

    @property
    def total_mm2(self) -> float:
        """All parts together."""
        return fsum(self)


class SizedMemory(NamedTuple):
    """An SRAM, and the width of its ports."""

    capacity_bytes: int
    port_bytes: int


@kept
def area_of(machine: Machine) -> Area | None:
    """The area of a machine at the node of its table, or that it is scaled to; None where it has no area table."""
    table, array = machine.area, machine.array
    if table is None:
        return None
    sizes = Area(
        pe_mm2=array.rows * array.cols * pe_mm2(machine, table),
        skew_mm2=_logic_mm2(table, 0, 0, skew_register_bits(array)),
        requantisation_mm2=array.cols * requantiser_mm2(machine, table),
        vector_mm2=machine.vector.lanes * (lane_mm2(machine, table) + function_mm2(machine, table)),
        way_mm2=ways_mm2(machine, table),
        depthwise_mm2=engine_mm2(machine, table),
        sram_mm2=fsum(buffer_mm2(table, *memory) for memory in buffers(machine)),
        cache_mm2=fsum(buffer_mm2(table, *memory) for cache in machine.caches or () for memory in memories_of(cache)),
        dma_mm2=engines_mm2(machine, table),
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
    parts = {
        "control": True,
        "line buffer of the array": machine.sram.line_buffer,
        "host": machine.host is not None,
        "I/O": interface_mm2(machine) is None,
    }
    return tuple(name for name, is_there in parts.items() if is_there)


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
    """A multiplier of a sum and its factor, two adders as wide as the product, and registers, at the table's node; 0
    where sums are as narrow as maps."""
    array = machine.array
    registers = requantiser_register_bits(array)
    if not registers:
        return 0.0
    return _logic_mm2(table, array.psum_bits * SCALE_BITS, 2 * (array.psum_bits + SCALE_BITS), registers)


def lane_mm2(machine: Machine, table: AreaTable) -> float:
    """A lane of the vector unit, or an element a cycle of a way, at the table's node: a multiplier of activations, an
    adder of sums, and registers."""
    array = machine.array
    return _logic_mm2(table, array.activation_bits**2, array.psum_bits, lane_register_bits(array))


def function_mm2(machine: Machine, table: AreaTable) -> float:
    """A table for an element of a function, at the area table's node: all values, or `MOST_ENTRIES` of them."""
    bits = machine.array.activation_bits
    return buffer_mm2(table, ceil_div(min(2**bits, MOST_ENTRIES) * bits, 8), ceil_div(bits, 8))


def ways_mm2(machine: Machine, table: AreaTable) -> float:
    """The ways to and from the array without the pool's buffer at the table's node: a lane for each element a cycle of
    each part, and a table for each of functions."""
    functions = machine.output_path.function * function_mm2(machine, table)
    return way_elements(machine) * lane_mm2(machine, table) + functions


def engines_mm2(machine: Machine, table: AreaTable) -> float:
    """The DMA engines at the table's node: a buffer for bursts in flight each, and decoders or codecs."""
    dma = machine.dma
    engines = dma.engines_in + dma.engines_out
    coded = dma.decoder.bytes_per_clock * dma.engines_in if dma.decoder else 0
    coded += dma.map_codec.bytes_per_clock * engines if dma.map_codec else 0
    in_flight = buffer_mm2(table, bytes_in_flight(machine))
    return engines * in_flight + coded * CODEC_MACS * _logic_mm2(table, 8 * 8, 32, 0)


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


def bytes_in_flight(machine: Machine) -> int:
    """Bytes of the bursts that an engine may have in flight; an ideal DRAM has no more than those of a round trip."""
    dram, asked = machine.dram, machine.dma.max_outstanding_bursts
    if dram.kind == "ideal":
        asked = min(asked, 1 + ceil(dram.latency_clocks * dram.bytes_per_clock / dram.burst_bytes))
    return asked * dram.burst_bytes


def buffers(machine: Machine) -> tuple[SizedMemory, ...]:
    """The buffers of a machine, with the depthwise engine's and the pool's."""
    sram, engine = machine.sram, machine.depthwise
    operands = [sram.activation, sram.weight]
    ports = [buffer.port_bytes_per_cycle for buffer in operands]
    if sram.unified:
        found = [SizedMemory(sram.operand_bytes, sum(ports))]
    else:
        found = [SizedMemory(buffer.capacity_bytes, port) for buffer, port in zip(operands, ports, strict=True)]
    found.append(SizedMemory(sram.accumulator.capacity_bytes, accumulator_port_bytes(machine)))
    if engine is not None:
        found.append(SizedMemory(engine.line_buffer_bytes, line_port_bytes(engine, machine.array)))
    if machine.output_path.pool_in == "buffer" and machine.output_path.pool_buffer_bytes:
        found.append(pool_memory(machine))
    return tuple(found)


def pool_memory(machine: Machine) -> SizedMemory:
    """The memory of maxima or sums under way: a buffer, or the accumulator. Sums are taken as twice as wide as maps."""
    path = machine.output_path
    if path.pool_in == "accumulator":
        return SizedMemory(machine.sram.accumulator.capacity_bytes, accumulator_port_bytes(machine))
    elements = max(path.max_pool, 2 * path.avg_pool, 1)
    return SizedMemory(path.pool_buffer_bytes, ceil_div(elements * machine.array.activation_bits, 8))


def accumulator_port_bytes(machine: Machine) -> int:
    """Width of the accumulator's ports."""
    port = machine.sram.accumulator.port_bytes_per_cycle
    return port or ceil_div(machine.array.cols * machine.array.psum_bits, 8)


def line_port_bytes(engine: Depthwise, array: Array) -> int:
    """Width of a line buffer's ports: a pixel of each channel."""
    return ceil_div(engine.channels * array.activation_bits, 8)


def memories_of(cache: Cache) -> tuple[SizedMemory, SizedMemory]:
    """Data and tags of a cache; a word of tags is that of a set."""
    lines = cache.capacity_bytes // cache.line_bytes
    data = SizedMemory(cache.capacity_bytes, cache.port_bytes_per_cycle)
    return data, SizedMemory(TAG_BYTES * lines, TAG_BYTES * cache.ways)


def buffer_mm2(table: AreaTable, capacity_bytes: int, port_bytes: int = 1) -> float:
    """An SRAM with a read and a write port at the table's node: as many memories side by side as the ports are wide."""
    side_by_side = ceil_div(port_bytes, table.sram.port_bytes)
    each_bytes = ceil_div(capacity_bytes, side_by_side)
    return side_by_side * interpolated(table.sram.capacity_bytes, table.sram.area_mm2, each_bytes)
