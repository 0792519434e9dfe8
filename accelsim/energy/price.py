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
    """Energy of some actions: how many of what at how much each, and where that number is from.

    each_pj: of `of` actions.
    """

    energy_pj: float
    action: str
    times: int
    each_pj: float
    source: str
    of: int = 1

    @property
    def assumed(self) -> bool:
        """Whether it rests on a number that is assumed or unverified."""
        return is_assumed(self.source)


def price(counts: ActionCounts, cycles: int, machine: Machine) -> Energy:
    """The energy of these actions within so many array clocks."""
    parts = energy_parts(counts, cycles, machine)
    components = {name: fsum(part.energy_pj for part in found) for name, found in parts.items()}
    return Energy(
        **components,
        dram_penalty_pj=components["dram_pj"] - counts.dram_burst_bytes * machine.energy.sram_byte.energy_pj,
        assumed_pj=fsum(part.energy_pj for found in parts.values() for part in found if part.assumed),
    )


def energy_parts(counts: ActionCounts, cycles: int, machine: Machine) -> dict[str, list[Part]]:
    """What each component of `Energy` is made of."""
    table = machine.energy
    return {
        "mac_pj": list(mac_parts(counts, table)),
        "register_pj": [_part("register_byte", counts.register_bytes, table.register_byte)],
        "vector_pj": [_part("vector_op", counts.vector_ops, table.vector_op)],
        "sram_pj": list(sram_parts(counts, machine)),
        "dram_pj": list(dram_parts(counts, machine)),
        "static_pj": [static_part(cycles, machine)],
    }


def repriced(records: Iterable[LayerRecord], machine: Machine) -> tuple[LayerRecord, ...]:
    """The same records with the energy that this machine's table gives them."""
    return tuple(replace(record, energy=price(record.counts, record.total_cycles, machine)) for record in records)


def _part(name: str, count: int, action: Action, of: int = 1) -> Part:
    """So many actions, where the row of the table stands for `of` of them."""
    return Part(count * action.energy_pj / of, name, count, action.energy_pj, action.source, of)


def mac_parts(counts: ActionCounts, table: EnergyTable) -> Iterator[Part]:
    """Multipliers by the product of their widths, adders by their width, and XNORs."""
    yield _part("multiply_8x8", counts.multiplier_bit_products, table.multiply_8x8, of=8 * 8)
    yield _part("add_32", counts.adder_bits, table.add_32, of=32)
    yield _part("xnor", counts.xnor_ops, table.xnor)


def sram_parts(counts: ActionCounts, machine: Machine) -> Iterator[Part]:
    """By bytes; or, where the table knows words, by the words of each buffer's port, a part of one counting in full."""
    table = machine.energy
    if table.sram_word is None:
        yield _part("sram_byte", counts.sram_read_bytes + counts.sram_write_bytes, table.sram_byte)
        return
    for buffer in _accesses(counts, machine):
        word = word_energy(table.sram_word, buffer.capacity_bytes, buffer.port_bytes)
        for verb, passed, each_pj in (
            ("read", buffer.read_bytes, word.read_pj),
            ("written", buffer.written_bytes, word.write_pj),
        ):
            words = ceil_div(passed, buffer.port_bytes)
            action = f"sram_word of {buffer.port_bytes} bytes {verb} in {buffer.name}"
            yield Part(words * each_pj, action, words, each_pj, table.sram_word.source)


class _Accesses(NamedTuple):
    """What passed the ports of a buffer."""

    name: str
    capacity_bytes: int
    port_bytes: int
    read_bytes: int
    written_bytes: int


def _accesses(counts: ActionCounts, machine: Machine) -> Sequence[_Accesses]:
    activation, weight, accumulator = machine.sram.activation, machine.sram.weight, machine.sram.accumulator
    return (
        _Accesses(
            "activation",
            activation.capacity_bytes,
            activation.port_bytes_per_cycle,
            counts.sram_read_ifmap_bytes + counts.sram_read_ofmap_bytes,
            counts.sram_write_ifmap_bytes + counts.sram_write_ofmap_bytes,
        ),
        _Accesses(
            "weight",
            weight.capacity_bytes,
            weight.port_bytes_per_cycle,
            counts.sram_read_weight_bytes,
            counts.sram_write_weight_bytes,
        ),
        _Accesses(
            "accumulator",
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
        yield _part("dram_byte", counts.dram_burst_bytes, machine.energy.dram_byte)
        return
    source = device.sources.get("energy", "assumed")
    done = _Commands(
        counts.dram_activates,
        counts.dram_read_commands,
        counts.dram_write_commands,
        counts.dram_refreshes,
        counts.dram_active_clocks,
        counts.dram_rank_clocks,
    )
    times = {
        "activate": done.activates,
        "read": done.reads,
        "write": done.writes,
        "refresh": done.refreshes,
        "background": done.rank_clocks,
    }
    for name, energy_pj in device.energy.parts_pj(done, device.clock_mhz).items():
        count = times[name]
        yield Part(energy_pj, f"{name} of {device.device}", count, energy_pj / count if count else 0.0, source)


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
    energy_pj = static_mw(machine) * 1e3 * cycles / machine.array.clock_mhz
    each_pj = static_mw(machine) * 1e3 / machine.array.clock_mhz
    return Part(energy_pj, "leakage of a clock", cycles, each_pj, machine.energy.static.source)


def nominal_ratio(table: EnergyTable) -> float:
    """What a DRAM byte costs in bytes of the reference SRAM; 0 where that is free."""
    return table.dram_byte.energy_pj / table.sram_byte.energy_pj if table.sram_byte.energy_pj else 0.0


def static_mw(machine: Machine) -> float:
    """Static power of the chip."""
    sram = machine.sram
    capacity = sram.activation.capacity_bytes + sram.weight.capacity_bytes + sram.accumulator.capacity_bytes
    return machine.energy.static.power_mw_per_kib * capacity / 1024
