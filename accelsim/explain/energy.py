"""The energy of a layer in terms: actions times what the energy table asks for each (docs/machine.md section 7)."""

from __future__ import annotations

from accelsim.energy.price import Part, energy_parts
from accelsim.explain.evidence import Evidence
from accelsim.explain.terms import Term, energy_total

COMPONENTS = {
    "mac": "multiply-accumulates",
    "register": "moves from PE to PE",
    "vector": "operations of the vector unit",
    "sram": "SRAM",
    "dram": "DRAM",
    "static": "leakage",
}


def component(evidence: Evidence, name: str) -> Term:
    """Actions of a component, each with its price and where that is from."""
    record = evidence.record
    parts = energy_parts(record.counts, record.total_cycles, evidence.machine)[f"{name}_pj"]
    return energy_total(COMPONENTS[name], map(_priced, parts))


def _priced(part: Part) -> Term:
    divided = f" / {part.of}" if part.of > 1 else ""
    note = f"{part.times} x {part.each_pj:.6g} pJ{divided}; source: {part.source}"
    return Term(part.action, part.energy_pj, note=note)


def all_energy(evidence: Evidence) -> Term:
    """All components."""
    return energy_total("energy_total_pj", (component(evidence, name) for name in COMPONENTS))


def penalty(evidence: Evidence) -> Term:
    """What DRAM took, less what SRAM would have taken for the same bytes."""
    sram_byte, moved = evidence.machine.energy.sram_byte, evidence.record.counts.dram_burst_bytes
    note = f"{moved} x {sram_byte.energy_pj:.6g} pJ; source: {sram_byte.source}"
    in_sram = Term("less the same burst bytes in the reference SRAM", -moved * sram_byte.energy_pj, note=note)
    return energy_total("dram_penalty_pj", (component(evidence, "dram"), in_sram))
