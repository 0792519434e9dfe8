"""Which columns can be taken apart, and by what."""

from __future__ import annotations

from collections.abc import Callable

from accelsim.explain import counts, cycles, energy
from accelsim.explain.evidence import Evidence
from accelsim.explain.terms import Term, total
from accelsim.records import COUNT_NAMES, STALL_CAUSES
from accelsim.report.columns import COLUMNS

UNIT = {column.name: column.unit for column in COLUMNS}
SUMMARY = ("total_cycles", "dram_read_bytes", "dram_write_bytes", "energy_total_pj")
"""What is explained where no column is asked for."""


def _counted(name: str) -> Callable[[Evidence], Term]:
    match name:
        case "dram_read_ifmap_bytes" | "dram_read_weight_bytes":
            return lambda evidence: counts.loaded_bytes(evidence, name.split("_")[2])
        case "dram_write_ofmap_bytes":
            return counts.stored_bytes
        case "dram_read_burst_bytes" | "dram_write_burst_bytes":
            return lambda evidence: counts.burst_bytes(evidence, write="write" in name)
        case "dma_descriptors":
            return counts.descriptors
        case _ if name.startswith("dram_"):
            return lambda evidence: counts.shared(evidence, name)
        case _ if name.startswith("sram_"):
            return lambda evidence: counts.of_operand(evidence, name)
        case _:
            return lambda evidence: counts.of_pieces(evidence, name)


EXPLAINED: dict[str, Callable[[Evidence], Term]] = {
    "total_cycles": cycles.total_cycles,
    "latency_cycles": cycles.latency_cycles,
    "array_busy_cycles": cycles.array_busy_cycles,
    "vector_cycles": cycles.vector_unit_cycles,
    **{f"stall_{cause}_cycles": lambda evidence, cause=cause: cycles.stall_cycles(evidence, cause)
       for cause in STALL_CAUSES},
    "overlap_cycles": cycles.overlap_cycles,
    **{f"lost_{cause}_pe_cycles": lambda evidence, cause=cause: cycles.lost_pe_cycles(evidence, cause)
       for cause in ("mapping", "sram_port", "overlap", *STALL_CAUSES)},
    "dram_read_bytes": counts.read_bytes,
    "dram_write_bytes": lambda evidence: total("dram_write_bytes", (counts.stored_bytes(evidence),)),
    "sram_read_bytes": lambda evidence: counts.of_sram(evidence, "read"),
    "sram_write_bytes": lambda evidence: counts.of_sram(evidence, "write"),
    **{name: _counted(name) for name in COUNT_NAMES},
    **{f"energy_{name}_pj": lambda evidence, name=name: energy.component(evidence, name) for name in energy.COMPONENTS},
    "energy_total_pj": energy.all_energy,
    "dram_penalty_pj": energy.penalty,
}  # fmt: skip
"""By column: all clocks, bytes, other actions and energies."""
