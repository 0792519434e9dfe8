"""Counts and power of the chip with every PE at work in every clock, all data in its buffers."""

from __future__ import annotations

from accelsim.config.machine import Machine
from accelsim.dataflows import DATAFLOWS, DEFAULT
from accelsim.dataflows.contract import ArrayShape, FoldShape
from accelsim.dataflows.work import requantised
from accelsim.energy.price import price
from accelsim.records import ActionCounts


def peak_counts(machine: Machine) -> ActionCounts:
    """Actions of one clock in the stream of a fold that fills the array, with `dataflow: auto` of the default one."""
    array = machine.array
    dataflow = DATAFLOWS[DEFAULT if array.dataflow == "auto" else array.dataflow]
    shape, pes = ArrayShape(array.rows, array.cols), array.rows * array.cols
    one, two = (FoldShape(array.rows, array.cols, steps, packed=1, pes=pes) for steps in (1, 2))
    stream = dataflow.phases(one, shape).stream
    written = [more - less for less, more in zip(dataflow.moves(one, shape), dataflow.moves(two, shape), strict=True)]
    bits = array.activation_bits, array.weight_bits, array.psum_bits, array.psum_bits, array.activation_bits
    return ActionCounts(
        macs=pes,
        active_macs=pes,
        multiplier_bit_products=pes * array.weight_bits * array.activation_bits,
        adder_bits=pes * array.psum_bits,
        requantised_results=requantised(stream.ofmap, array.psum_bits, array.activation_bits),
        register_bytes=sum(count * width for count, width in zip(written, bits, strict=True)) // 8,
        sram_read_ifmap_bytes=stream.ifmap * array.activation_bits // 8,
        sram_read_weight_bytes=stream.weight * array.weight_bits // 8,
        sram_write_ofmap_bytes=stream.ofmap * array.activation_bits // 8,
    )


def peak_power_w(machine: Machine) -> float:
    """Power of the chip without DRAM at that rate."""
    return price(peak_counts(machine), 1, machine).on_chip_pj * machine.array.clock_mhz / 1e6


def peak_tops(machine: Machine) -> float:
    """Multiplies and adds of all PEs in 10^12 a second."""
    return 2 * machine.array.rows * machine.array.cols * machine.array.clock_mhz / 1e6
