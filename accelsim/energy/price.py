"""Energy = counts of actions x table (docs/machine.md section 7), in a fixed order of summation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import fsum, sqrt
from types import MappingProxyType
from typing import NamedTuple

from accelsim.area.nodes import energy_factor
from accelsim.area.registers import SCALE_BITS, register_bits
from accelsim.area.sizes import (
    accumulator_port_bytes,
    area_of,
    buffers,
    line_port_bytes,
    memories_of,
    pool_memory,
)
from accelsim.config.dram import CommandDevice
from accelsim.config.energy_table import Action, EnergyTable, Range, SramWord, is_assumed
from accelsim.config.machine import Cache, Machine
from accelsim.energy.sram import word_energy
from accelsim.records import ENERGY_COMPONENTS, ActionCounts, Energy, LayerRecord
from accelsim.units import ceil_div


class EnergyPart(NamedTuple):
    """Energy of some actions: how many of what at how much each, and where that number is from.

    each_pj: of `of` actions; row: of the table, whose range all its parts share.
    """

    energy_pj: float
    action: str
    times: int
    each_pj: float
    source: str
    row: str
    range: Range | None
    of: int = 1

    @property
    def assumed(self) -> bool:
        """True where it rests on a number that is assumed or unverified."""
        return is_assumed(self.source)

    @property
    def low_pj(self) -> float:
        """The least it takes within the range of its price."""
        return self.energy_pj * self.range.low if self.range else self.energy_pj

    @property
    def high_pj(self) -> float:
        """The most."""
        return self.energy_pj * self.range.high if self.range else self.energy_pj


OPTIONAL_ROWS: Mapping[str, str] = {
    "wire_byte_mm": "wires",
    "dma_descriptor": "DMA descriptors",
    "dma_byte": "DMA engines",
    "clock_bit": "clock tree",
    "control_clock": "control",
    "dram_interface_byte": "DRAM interface of the chip",
    "logic_leakage": "leakage of logic",
}
"""Rows that a table may leave out, and what then is not priced."""
SIZED_ROWS = ("wire_byte_mm", "logic_leakage")
"""Rows that price sizes, which an area table knows."""


OFF_CHIP_ROWS = ("dram_byte", "dram_interface_byte")
"""Rows that do not scale with the node of the chip."""


def not_priced(machine: Machine) -> tuple[str, ...]:
    """Names of what the machine has and its table has no price for."""
    rows = (words for row, words in OPTIONAL_ROWS.items() if not _is_priced(row, machine))
    codecs = {"weight decoder": machine.dma.decoder, "map codec": machine.dma.map_codec}
    has_price = machine.energy.codec_byte is not None
    unpriced = (words for words, unit in codecs.items() if unit is not None and not has_price)
    others = {"line buffer of the array": machine.sram.line_buffer, "host": machine.host is not None}
    return (*rows, *unpriced, *(words for words, is_there in others.items() if is_there))


def _is_priced(row: str, machine: Machine) -> bool:
    if row == "wire_byte_mm" and machine.energy.noc_byte is not None:
        return True
    return getattr(machine.energy, row) is not None and not (row in SIZED_ROWS and machine.area is None)


def node_factor(table: EnergyTable) -> float:
    """Factor of prices of logic and SRAM, to be those of the node that the table is scaled to."""
    to = table.scaled_to
    if to is None or table.supply_v is None:
        return 1.0
    return energy_factor(table.technology_nm, table.supply_v, to.node_nm, to.supply_v, to.process)


def _row_factor(row: str, table: EnergyTable) -> float:
    """Factor of a row: DRAM does not scale, and wires do with the square of the voltage alone."""
    if row in OFF_CHIP_ROWS or table.scaled_to is None or table.supply_v is None:
        return 1.0
    if row == "wire_byte_mm":
        return float((table.scaled_to.supply_v / table.supply_v) ** 2)
    return node_factor(table)


def sram_byte_pj(table: EnergyTable) -> float:
    """A byte of the SRAM that DRAM is compared with."""
    return table.sram_byte.energy_pj * node_factor(table)


NOTHING_MET: Mapping[str, int] = MappingProxyType({})


def price(counts: ActionCounts, cycles: int, machine: Machine, met: Mapping[str, int] = NOTHING_MET) -> Energy:
    """The energy of these actions within a number of array clocks. met: what requests met in caches, if any."""
    by_component = energy_parts(counts, cycles, machine, met)
    components = {name: fsum(part.energy_pj for part in found) for name, found in by_component.items()}
    parts = [part for found in by_component.values() for part in found]
    return Energy(
        **components,
        low_pj=fsum(part.low_pj for part in parts),
        high_pj=fsum(part.high_pj for part in parts),
        dram_penalty_pj=components["dram_pj"] - counts.dram_burst_bytes * sram_byte_pj(machine.energy),
        assumed_pj=fsum(part.energy_pj for part in parts if part.assumed),
    )


def energy_parts(
    counts: ActionCounts, cycles: int, machine: Machine, met: Mapping[str, int] = NOTHING_MET
) -> dict[str, list[EnergyPart]]:
    """Parts of each component of `Energy`. met: see `price`."""
    table = machine.energy
    parts = {
        "mac": mac_parts(counts, table),
        "register": _part("register_byte", counts.register_bytes, table),
        "requantisation": requantisation_parts(counts, machine),
        "vector": _part("vector_op", counts.vector_ops, table),
        "sram": sram_parts(counts, machine),
        "cache": cache_parts(counts, met, machine),
        "wire": wire_parts(counts, machine),
        "dma": dma_parts(counts, table),
        "clock": _part("clock_bit", register_bits(machine) * cycles, table),
        "control": _part("control_clock", cycles, table),
        "dram": dram_parts(counts, machine),
        "static": static_parts(cycles, machine),
    }
    return {f"{name}_pj": list(parts[name]) for name in ENERGY_COMPONENTS}


def repriced(records: Iterable[LayerRecord], machine: Machine) -> tuple[LayerRecord, ...]:
    """The same records with the energy that this machine's table gives them."""
    return tuple(
        replace(record, energy=price(record.counts, record.total_cycles, machine, record.caches)) for record in records
    )


def _part(row: str, count: int, table: EnergyTable, of: int = 1) -> Iterator[EnergyPart]:
    """So many actions, where the row of the table stands for `of` of them; nothing where the table has no such row."""
    action: Action | None = getattr(table, row)
    if action is not None:
        factor = _row_factor(row, table)
        each_pj, source = action.energy_pj * factor, action.source + _scaling_note(table, factor)
        yield EnergyPart(count * each_pj / of, row, count, each_pj, source, row, action.range, of)


def _scaling_note(table: EnergyTable, factor: float) -> str:
    """The scaling of a price to its node, said after its source; empty where the price is the table's own."""
    to = table.scaled_to
    if to is None or factor == 1:
        return ""
    return f"; x {factor:.4g} from {table.technology_nm:g} to {to.node_nm:g} nm by Stillmaker and Baas ({to.source})"


def mac_parts(counts: ActionCounts, table: EnergyTable) -> Iterator[EnergyPart]:
    """Multipliers by the product of their widths, adders by their width, and XNORs."""
    yield from _part("multiply_8x8", counts.multiplier_bit_products, table, of=8 * 8)
    yield from _part("add_32", counts.adder_bits, table, of=32)
    yield from _part("xnor", counts.xnor_ops, table)


def requantisation_parts(counts: ActionCounts, machine: Machine) -> Iterator[EnergyPart]:
    """A sum times a fixed-point factor, rounded, shifted and clamped: a multiply of both widths, and two adds as wide
    as its product."""
    table, sum_bits = machine.energy, machine.array.psum_bits
    results = counts.requantised_results
    yield from _part("multiply_8x8", results * sum_bits * SCALE_BITS, table, of=8 * 8)
    yield from _part("add_32", results * 2 * (sum_bits + SCALE_BITS), table, of=32)


def carried_bytes(counts: ActionCounts) -> int:
    """Bytes between the buffers and the array or vector unit. Partial sums are not: the accumulator is at the array's
    foot; nor is what DMA carries."""
    return counts.sram_read_ifmap_bytes + counts.sram_read_weight_bytes + counts.sram_write_ofmap_bytes


def wire_parts(counts: ActionCounts, machine: Machine) -> Iterator[EnergyPart]:
    """Parts of the transport, over a network by the byte and over wires by half the side of the chip."""
    table = machine.energy
    area = area_of(machine) if table.wire_byte_mm is not None else None
    yield from _part("noc_byte", carried_bytes(counts), table)
    if area is not None:
        millimetres = sqrt(area.total_mm2) / 2
        for part in _part("wire_byte_mm", carried_bytes(counts), table):
            each_pj, words = part.each_pj * millimetres, f"{part.action} over {millimetres:.3g} mm"
            yield part._replace(action=words, each_pj=each_pj, energy_pj=part.times * each_pj)


def dma_parts(counts: ActionCounts, table: EnergyTable) -> Iterator[EnergyPart]:
    """Descriptors, the bytes that pass, and those that are coded on their way."""
    yield from _part("dma_descriptor", counts.dma_descriptors, table)
    yield from _part("dma_byte", counts.dram_burst_bytes, table)
    yield from _part("codec_byte", counts.coded_bytes, table)


def sram_parts(counts: ActionCounts, machine: Machine) -> Iterator[EnergyPart]:
    """By bytes; or, where the table knows words, by the words of each buffer's port, a part of one counting in full."""
    table = machine.energy
    if table.sram_word is None:
        yield from _part("sram_byte", counts.sram_bytes, table)
        return
    yield from _words(table.sram_word, _accesses(counts, machine), table)


def cache_parts(counts: ActionCounts, met: Mapping[str, int], machine: Machine) -> Iterator[EnergyPart]:
    """Bytes of requests through the port of each cache, and of lines that misses fill and that are written back; and
    the tags of a set, that each request reads and a miss writes. All are priced as SRAMs of their capacity. Without
    bytes and misses, nothing."""
    table, caches = machine.energy, list(_cache_accesses(counts, met, machine))
    if table.sram_word is not None:
        yield from _words(table.sram_word, caches, table)
        return
    for cache in caches:
        for part in _part("sram_byte", cache.read_bytes + cache.written_bytes, table):
            yield part._replace(action=f"{part.action} in {cache.name}")


def _cache_accesses(counts: ActionCounts, met: Mapping[str, int], machine: Machine) -> Iterator[_Accesses]:
    """Accesses of each cache: what is above it reads and writes, and every miss fills its line."""
    if not met:
        return
    read, written = counts.dram_read_bytes, counts.dram_write_bytes
    for cache in machine.caches or ():
        filled, left = (cache.line_bytes * met.get(f"{cache.name}_{what}", 0) for what in ("misses", "write_backs"))
        port = cache.port_bytes_per_cycle
        yield _Accesses(cache.name, cache.capacity_bytes, port, read + left, written + filled)
        yield _tag_accesses(cache, met)
        read, written = filled, left if cache.writes == "back" else written


def _tag_accesses(cache: Cache, met: Mapping[str, int]) -> _Accesses:
    """A word of the tag memory has the tags of a set."""
    _, tags = memories_of(cache)
    hits, misses = (met.get(f"{cache.name}_{what}", 0) for what in ("hits", "misses"))
    reads = (hits + misses) * tags.port_bytes
    return _Accesses(f"tags of {cache.name}", *tags, reads, misses * tags.port_bytes)


def _words(sram: SramWord, buffers: Iterable[_Accesses], table: EnergyTable) -> Iterator[EnergyPart]:
    factor = node_factor(table)
    source = sram.source + _scaling_note(table, factor)
    for buffer in buffers:
        word = word_energy(sram, buffer.capacity_bytes, buffer.port_bytes)
        for verb, passed, word_pj in (
            ("read", buffer.read_bytes, word.read_pj),
            ("written", buffer.written_bytes, word.write_pj),
        ):
            words = ceil_div(passed, buffer.port_bytes)
            each_pj = word_pj * factor
            action = f"sram_word of {buffer.port_bytes} bytes {verb} in {buffer.name}"
            yield EnergyPart(words * each_pj, action, words, each_pj, source, "sram_word", sram.range)


class _Accesses(NamedTuple):
    """Accesses through the ports of a buffer."""

    name: str
    capacity_bytes: int
    port_bytes: int
    read_bytes: int
    written_bytes: int


def _accesses(counts: ActionCounts, machine: Machine) -> Iterator[_Accesses]:
    yield from _buffers(counts, machine)
    if machine.depthwise is not None:
        yield _Accesses(
            "line",
            machine.depthwise.line_buffer_bytes,
            line_port_bytes(machine.depthwise, machine.array),
            counts.sram_read_line_bytes,
            counts.sram_write_line_bytes,
        )
    pool, passed = pool_memory(machine), (counts.sram_read_pool_bytes, counts.sram_write_pool_bytes)
    if pool.capacity_bytes and any(passed):
        yield _Accesses("pool", *pool, *passed)


def _buffers(counts: ActionCounts, machine: Machine) -> Sequence[_Accesses]:
    activation, weight, accumulator = machine.sram.activation, machine.sram.weight, machine.sram.accumulator
    return (
        _Accesses(
            "activation",
            machine.sram.memory_bytes(activation),
            activation.port_bytes_per_cycle,
            counts.sram_read_ifmap_bytes + counts.sram_read_ofmap_bytes,
            counts.sram_write_ifmap_bytes + counts.sram_write_ofmap_bytes,
        ),
        _Accesses(
            "weight",
            machine.sram.memory_bytes(weight),
            weight.port_bytes_per_cycle,
            counts.sram_read_weight_bytes,
            counts.sram_write_weight_bytes,
        ),
        _Accesses(
            "accumulator",
            accumulator.capacity_bytes,
            accumulator_port_bytes(machine),
            counts.sram_read_psum_bytes,
            counts.sram_write_psum_bytes,
        ),
    )


def dram_parts(counts: ActionCounts, machine: Machine) -> Iterator[EnergyPart]:
    """All that DRAM takes: the bytes of its bursts; or its commands, and the time in between."""
    device = machine.dram
    table = machine.energy
    yield from _part("dram_interface_byte", counts.dram_burst_bytes, table)
    if table.dram_by == "byte" or not isinstance(device, CommandDevice):
        yield from _part("dram_byte", counts.dram_burst_bytes, table)
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
        each_pj = energy_pj / count if count else 0.0
        yield EnergyPart(energy_pj, f"{name} of {device.device}", count, each_pj, source, "dram", device.energy.range)


class _Commands(NamedTuple):
    """Work of a DRAM, as its device prices it."""

    activates: int
    reads: int
    writes: int
    refreshes: int
    active_clocks: int
    rank_clocks: int


def static_parts(cycles: int, machine: Machine) -> Iterator[EnergyPart]:
    """Leakage over a number of clocks."""
    static = machine.energy.static
    each_pj = static_mw(machine) * 1e3 / machine.array.clock_mhz
    energy_pj = static_mw(machine) * 1e3 * cycles / machine.array.clock_mhz
    yield EnergyPart(
        energy_pj, "leakage of the SRAM in a clock", cycles, each_pj, static.source, "static", static.range
    )
    logic = machine.energy.logic_leakage
    area = area_of(machine) if logic is not None else None
    if logic is not None and area is not None:
        each_pj = logic.power_mw_per_mm2 * area.logic_mm2 * 1e3 / machine.array.clock_mhz
        words = "leakage of the logic in a clock"
        yield EnergyPart(cycles * each_pj, words, cycles, each_pj, logic.source, "logic_leakage", logic.range)


def nominal_ratio(table: EnergyTable) -> float:
    """Cost of a DRAM byte in bytes of the reference SRAM; 0 where that is free."""
    sram_pj = sram_byte_pj(table)
    return table.dram_byte.energy_pj / sram_pj if sram_pj else 0.0


def static_mw(machine: Machine) -> float:
    """Leakage of the SRAM, caches included."""
    caches = (memory for cache in machine.caches or () for memory in memories_of(cache))
    capacity_bytes = sum(memory.capacity_bytes for memory in (*buffers(machine), *caches))
    return machine.energy.static.power_mw_per_kib * capacity_bytes / 1024
