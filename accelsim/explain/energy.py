"""The energy of a layer in terms: actions times what the energy table asks for each (docs/machine.md section 7)."""

from __future__ import annotations

from accelsim.energy.price import EnergyPart, energy_parts, sram_byte_pj
from accelsim.explain.evidence import Evidence
from accelsim.explain.terms import Term, energy_total

COMPONENTS = {
    "mac": "multiply-accumulates",
    "register": "registers of the PEs",
    "requantisation": "requantisation of sums",
    "vector": "operations of the vector unit",
    "sram": "SRAM",
    "cache": "caches",
    "wire": "wires",
    "dma": "DMA engines",
    "clock": "clock tree",
    "control": "control",
    "dram": "DRAM",
    "static": "leakage",
}


def component(evidence: Evidence, name: str) -> Term:
    """Actions of a component, each with its price and where that is from."""
    return energy_total(COMPONENTS[name], map(_priced, _parts(evidence)[f"{name}_pj"]))


def _parts(evidence: Evidence) -> dict[str, list[EnergyPart]]:
    record = evidence.record
    return energy_parts(record.counts, record.total_cycles, evidence.machine, record.caches)


def _priced(part: EnergyPart) -> Term:
    divided = f" / {part.of}" if part.of > 1 else ""
    note = f"{part.times} x {part.each_pj:.6g} pJ{divided}; source: {part.source}"
    return Term(part.action, part.energy_pj, note=note)


def all_energy(evidence: Evidence) -> Term:
    """All components."""
    return energy_total("energy_total_pj", (component(evidence, name) for name in COMPONENTS))


def bound(evidence: Evidence, end: str) -> Term:
    """All parts at one end, low or high, of the ranges of their prices."""
    parts = (part for found in _parts(evidence).values() for part in found)
    return energy_total(f"energy_{end}_pj", (_at(part, end) for part in parts))


def _at(part: EnergyPart, end: str) -> Term:
    factor = getattr(part.range, end) if part.range else 1
    source = part.range.source if part.range else "taken as exact"
    return Term(part.action, getattr(part, f"{end}_pj"), note=f"{part.energy_pj:.6g} pJ x {factor:g}; source: {source}")


def penalty(evidence: Evidence) -> Term:
    """Energy of DRAM, less that of SRAM for the same bytes."""
    table, moved = evidence.machine.energy, evidence.record.counts.dram_burst_bytes
    each_pj = sram_byte_pj(table)
    note = f"{moved} x {each_pj:.6g} pJ; source: {table.sram_byte.source}"
    in_sram = Term("less the same burst bytes in the reference SRAM", -moved * each_pj, note=note)
    return energy_total("dram_penalty_pj", (component(evidence, "dram"), in_sram))
