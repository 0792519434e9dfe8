"""The columns that can be taken apart, and the functions that do it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from accelsim.explain import counts, cycles, energy
from accelsim.explain.evidence import Evidence
from accelsim.explain.terms import Term
from accelsim.records import COUNT_NAMES, RESOURCES, STALL_CAUSES
from accelsim.report.columns import COLUMNS
from accelsim.unit_kinds import kinds_for_pieces, kinds_for_transfers

LOST = ("mapping", "sram_port", *STALL_CAUSES)
UNIT = {column.name: column.unit for column in COLUMNS}
SUMMARY = ("total_cycles", "dram_burst_bytes", "energy_total_pj")
"""Columns that are explained where none is asked for."""


def _counted(name: str) -> Callable[[Evidence], Term]:
    match name:
        case "dram_read_ifmap_bytes" | "dram_read_weight_bytes":
            return partial(counts.loaded_bytes, operand=name.split("_")[2])
        case "dram_write_ofmap_bytes":
            return counts.stored_bytes
        case "dram_read_burst_bytes" | "dram_write_burst_bytes":
            return partial(counts.burst_bytes, write="write" in name)
        case "dma_descriptors":
            return counts.descriptors
        case "coded_bytes":
            return counts.coded_bytes
        case _ if name.startswith("dram_"):
            return partial(counts.shared, name=name)
        case _ if name.startswith("sram_"):
            return partial(counts.of_operand, name=name)
        case _:
            return partial(counts.of_pieces, name=name)


EXPLAINED: dict[str, Callable[[Evidence], Term]] = {
    "total_cycles": cycles.total_cycles,
    "latency_cycles": cycles.latency_cycles,
    "array_busy_cycles": cycles.array_busy_cycles,
    "array_cycles": cycles.array_cycles,
    "stream_cycles": cycles.stream_cycles,
    **{f"{kind.name}_cycles": partial(cycles.piece_cycles, unit=kind) for kind in kinds_for_pieces()},
    **{f"{kind.name}_cycles": partial(cycles.dma_cycles, unit=kind) for kind in kinds_for_transfers()},
    **{f"stall_{cause}_cycles": partial(cycles.stall_cycles, cause=cause) for cause in STALL_CAUSES},
    **{f"saved_by_twice_{name}_cycles": partial(cycles.saved_cycles, resource=name) for name in RESOURCES},
    **{f"lost_{cause}_pe_cycles": partial(cycles.lost_pe_cycles, cause=cause) for cause in LOST},
    "dram_read_bytes": counts.read_bytes,
    "dram_write_bytes": counts.write_bytes,
    "dram_burst_bytes": counts.all_burst_bytes,
    "sram_read_bytes": partial(counts.of_sram, direction="read"),
    "sram_write_bytes": partial(counts.of_sram, direction="write"),
    **{name: _counted(name) for name in COUNT_NAMES},
    **{f"energy_{name}_pj": partial(energy.component, name=name) for name in energy.COMPONENTS},
    "energy_total_pj": energy.all_energy,
    "energy_low_pj": partial(energy.bound, end="low"),
    "energy_high_pj": partial(energy.bound, end="high"),
    "dram_penalty_pj": energy.penalty,
}
"""By column: all clocks, bytes, other actions and energies."""
