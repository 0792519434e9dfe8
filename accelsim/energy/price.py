"""Energy = counts of actions x table (docs/machine.md section 7), in a fixed order of summation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import fsum
from typing import NamedTuple

from accelsim.config.dram import CommandDevice
from accelsim.config.energy_table import Action, EnergyTable, is_assumed
from accelsim.config.machine import Machine
from accelsim.energy.sram import word_energy
from accelsim.records import ActionCounts, Energy, LayerRecord
from accelsim.units import ceil_div


class Part(NamedTuple):
    """Energy of some actions, and whether it rests on a number that is assumed or unverified."""

    energy_pj: float
    assumed: bool


def price(counts: ActionCounts, cycles: int, machine: Machine) -> Energy:
    """The energy of these actions within so many array clocks."""
    table = machine.energy
    parts = {
        "mac_pj": list(mac_parts(counts, table)),
        "register_pj": [_part(counts.register_bytes, table.register_byte)],
        "vector_pj": [_part(counts.vector_ops, table.vector_op)],
        "sram_pj": list(sram_parts(counts, machine)),
        "dram_pj": list(dram_parts(counts, machine)),
        "static_pj": [static_part(cycles, machine)],
    }
    components = {name: fsum(part.energy_pj for part in found) for name, found in parts.items()}
    return Energy(
        **components,
        dram_penalty_pj=components["dram_pj"] - counts.dram_burst_bytes * table.sram_byte.energy_pj,
        assumed_pj=fsum(part.energy_pj for found in parts.values() for part in found if part.assumed),
    )


def repriced(records: Iterable[LayerRecord], machine: Machine) -> tuple[LayerRecord, ...]:
    """The same records with the energy that this machine's table gives them."""
    return tuple(replace(record, energy=price(record.counts, record.total_cycles, machine)) for record in records)


def _part(count: int, action: Action, of: int = 1) -> Part:
    """So many actions, where the row of the table stands for `of` of them."""
    return Part(count * action.energy_pj / of, is_assumed(action.source))


def mac_parts(counts: ActionCounts, table: EnergyTable) -> Iterator[Part]:
    """Multipliers by the product of their widths, adders by their width, and XNORs."""
    yield _part(counts.multiplier_bit_products, table.multiply_8x8, of=8 * 8)
    yield _part(counts.adder_bits, table.add_32, of=32)
    yield _part(counts.xnor_ops, table.xnor)


def sram_parts(counts: ActionCounts, machine: Machine) -> Iterator[Part]:
    """By bytes; or, where the table knows words, by the words of each buffer's port, a part of one counting in full."""
    table = machine.energy
    if table.sram_word is None:
        yield _part(counts.sram_read_bytes + counts.sram_write_bytes, table.sram_byte)
        return
    assumed = is_assumed(table.sram_word.source)
    for buffer in _accesses(counts, machine):
        word = word_energy(table.sram_word, buffer.capacity_bytes, buffer.port_bytes)
        yield Part(ceil_div(buffer.read_bytes, buffer.port_bytes) * word.read_pj, assumed)
        yield Part(ceil_div(buffer.written_bytes, buffer.port_bytes) * word.write_pj, assumed)


class _Accesses(NamedTuple):
    """What passed the ports of a buffer."""

    capacity_bytes: int
    port_bytes: int
    read_bytes: int
    written_bytes: int


def _accesses(counts: ActionCounts, machine: Machine) -> Sequence[_Accesses]:
    activation, weight, accumulator = machine.sram.activation, machine.sram.weight, machine.sram.accumulator
    return (
        _Accesses(
            activation.capacity_bytes,
            activation.port_bytes_per_cycle,
            counts.sram_read_ifmap_bytes + counts.sram_read_ofmap_bytes,
            counts.sram_write_ifmap_bytes + counts.sram_write_ofmap_bytes,
        ),
        _Accesses(
            weight.capacity_bytes,
            weight.port_bytes_per_cycle,
            counts.sram_read_weight_bytes,
            counts.sram_write_weight_bytes,
        ),
        _Accesses(
            accumulator.capacity_bytes,
            accumulator.port_bytes_per_cycle or ceil_div(machine.array.cols * machine.array.psum_bits, 8),
            counts.sram_read_psum_bytes,
            counts.sram_write_psum_bytes,
        ),
    )


def dram_parts(counts: ActionCounts, machine: Machine) -> Iterator[Part]:
    """All that DRAM takes: the bytes of its bursts; or its commands, and the time in between."""
    device = machine.dram
    if machine.energy.dram_by == "byte" or not isinstance(device, CommandDevice):
        yield _part(counts.dram_burst_bytes, machine.energy.dram_byte)
        return
    assumed = is_assumed(device.sources.get("energy", "assumed"))
    done = _Commands(
        counts.dram_activates,
        counts.dram_read_commands,
        counts.dram_write_commands,
        counts.dram_refreshes,
        counts.dram_active_clocks,
        counts.dram_rank_clocks,
    )
    for energy_pj in device.energy.parts_pj(done, device.clock_mhz).values():
        yield Part(energy_pj, assumed)


class _Commands(NamedTuple):
    """What a DRAM did, as its device prices it."""

    activates: int
    reads: int
    writes: int
    refreshes: int
    active_clocks: int
    rank_clocks: int


def static_part(cycles: int, machine: Machine) -> Part:
    """Leakage over so many clocks."""
    return Part(static_mw(machine) * 1e3 * cycles / machine.array.clock_mhz, is_assumed(machine.energy.static.source))


def nominal_ratio(table: EnergyTable) -> float:
    """What a DRAM byte costs in bytes of the reference SRAM; 0 where that is free."""
    return table.dram_byte.energy_pj / table.sram_byte.energy_pj if table.sram_byte.energy_pj else 0.0


def static_mw(machine: Machine) -> float:
    """Static power of the chip."""
    sram = machine.sram
    capacity = sram.activation.capacity_bytes + sram.weight.capacity_bytes + sram.accumulator.capacity_bytes
    return machine.energy.static.power_mw_per_kib * capacity / 1024
