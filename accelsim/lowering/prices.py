"""Prices that the tiler puts on bytes and clocks, by the machine's energy table."""

from __future__ import annotations

from typing import NamedTuple

from accelsim.config.machine import Machine
from accelsim.energy.price import price
from accelsim.records import ActionCounts
from accelsim.units import ceil_div


class Prices(NamedTuple):
    """Picojoules of the actions that depend on the tiling, and of a clock.

    dram_byte: of a burst that is read, with what it takes on its way; ifmap_byte, weight_byte: read by the array, with
    the way there; sum_byte: of a partial sum written and read back; ifmap_fill_byte, weight_fill_byte: written by a
    load; result_byte: written by the array, with the way; store_byte: read by a store.
    """

    dram_byte: float
    ifmap_byte: float
    weight_byte: float
    sum_byte: float
    ifmap_fill_byte: float
    weight_fill_byte: float
    result_byte: float
    store_byte: float
    register_byte: float
    cycle: float

    @classmethod
    def of(cls, machine: Machine) -> Prices:
        """Prices of bytes in words of their port."""
        sram, burst_bytes = machine.sram, machine.dram.burst_bytes
        burst = ActionCounts(dram_read_burst_bytes=burst_bytes, dram_read_commands=1)
        sums = sram.accumulator.port_bytes_per_cycle or ceil_div(machine.array.cols * machine.array.psum_bits, 8)
        fmap, weight = sram.activation.port_bytes_per_cycle, sram.weight.port_bytes_per_cycle

        def byte_pj(word_bytes: int, *names: str) -> float:
            counts = ActionCounts(**dict.fromkeys(names, word_bytes))
            return price(counts, 0, machine).total_pj / word_bytes

        return cls(
            price(burst, 0, machine).total_pj / burst_bytes,
            byte_pj(fmap, "sram_read_ifmap_bytes"),
            byte_pj(weight, "sram_read_weight_bytes"),
            byte_pj(sums, "sram_write_psum_bytes", "sram_read_psum_bytes"),
            byte_pj(fmap, "sram_write_ifmap_bytes"),
            byte_pj(weight, "sram_write_weight_bytes"),
            byte_pj(fmap, "sram_write_ofmap_bytes"),
            byte_pj(fmap, "sram_read_ofmap_bytes"),
            byte_pj(1, "register_bytes"),
            price(ActionCounts(), 1, machine).total_pj,
        )


NO_PRICES = Prices(*[0.0] * len(Prices._fields))
"""Prices for what no energy depends on, by which it is the same for all."""
