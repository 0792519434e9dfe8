"""The result columns: name, unit, meaning and where each comes from, in one place.

A column is added here and appears in `layers.csv`, `--json`, the frame and `accelsim columns`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from accelsim.config.machine import Machine
from accelsim.energy.price import nominal_ratio, not_priced
from accelsim.records import RESOURCES, LayerRecord
from accelsim.report.efficiency import COLUMNS as EFFICIENCY
from accelsim.report.efficiency import efficiency

Value = str | int | float


@dataclass(frozen=True, slots=True)
class Column:
    """A result column. `of_layers_only` columns are left out of the totals."""

    name: str
    unit: str
    meaning: str
    value: Callable[[LayerRecord], Value]
    of_layers_only: bool = False


WHAT_IFS: dict[str, str] = {
    "array_rows": "the array had twice the rows",
    "array_columns": "the array had twice the columns, and the accumulator their partial sums",
    "dram_bandwidth": "the DRAM had twice the channels, or moved twice the bytes a clock",
    "dma_issue": "each DMA engine issued twice the bursts a clock",
    "dma_outstanding": "each DMA engine had twice the bursts, and requests to caches, in flight",
    "dma_setup": "descriptors were set up in half the clocks",
    "sram_ports": "the ports of all SRAM buffers were twice as wide",
    "vector_lanes": "the vector unit had twice the lanes",
    "depthwise_channels": "the depthwise engine had twice the channels side by side, and the line buffer for them",
    "output_path": "results took half the clocks on their way out",
    "caches": "caches took half the clocks, through ports twice as wide, with twice the misses in flight",
    "host": "the host issued tiles in half the clocks",
}
"""Each of `RESOURCES` twice as good, by `--what-if`, and what that means."""


def _count(name: str, unit: str, meaning: str) -> Column:
    return Column(name, unit, meaning, lambda record: getattr(record.counts, name))


def _plain(name: str, unit: str, meaning: str) -> Column:
    return Column(name, unit, meaning, lambda record: getattr(record, name))


def _energy(component: str, meaning: str) -> Column:
    return Column(f"energy_{component}_pj", "pJ", meaning, lambda record: getattr(record.energy, f"{component}_pj"))


def _stall(cause: str, meaning: str) -> Column:
    return Column(f"stall_{cause}_cycles", "array clocks", meaning, lambda record: record.stalls[cause])


def _saving(resource: str) -> Column:
    meaning = f"taken off total_cycles if {WHAT_IFS[resource]}, tiles and schedule as they are"
    return Column(f"saved_by_twice_{resource}_cycles", "array clocks", meaning, lambda record: record.savings[resource])


def _lost(cause: str, meaning: str) -> Column:
    return Column(f"lost_{cause}_pe_cycles", "PE x clocks", meaning, lambda record: record.lost[cause])


LEAST_SAVING = 0.01
"""Share of the clocks that twice a resource has to save to be what they are bound by."""


def bound_by(record: LayerRecord) -> str:
    """The resource of which twice as much saves most; no_resource if none does, hidden behind others, or no_work."""
    if not record.total_cycles:
        return "hidden" if record.latency_cycles else "no_work"
    best = max(record.savings, key=lambda name: record.savings[name])
    return best if record.savings[best] > LEAST_SAVING * record.total_cycles else "no_resource"


def dram_sram_ratio(record: LayerRecord) -> float:
    """Energy of a DRAM byte over that of an SRAM byte, as spent; 0 where there is nothing to divide."""
    counts, energy = record.counts, record.energy
    if not (counts.dram_burst_bytes and energy.sram_pj):
        return 0.0
    return (energy.dram_pj / counts.dram_burst_bytes) / (energy.sram_pj / counts.sram_bytes)


COLUMNS: tuple[Column, ...] = (
    Column("layer", "", "name of the layer", lambda record: record.layer, of_layers_only=True),
    Column("op", "", "kind of operation", lambda record: record.op, of_layers_only=True),
    Column("stage", "", "part of the network the layer belongs to", lambda record: record.stage, of_layers_only=True),
    Column("group", "", "layers that run depth-first together", lambda record: record.group, of_layers_only=True),
    _count("macs", "", "multiply-accumulates of the batch, zeros of the padding included; skipped ones are not"),
    _plain("weights", "", "weights, pruned ones included, biases and folded batch norms not counted"),
    _plain("nonzero_weights", "", "weights that were not pruned"),
    _plain("total_cycles", "array clocks", "clocks of the run given to the layer, each to one; they sum to the run"),
    _plain("latency_cycles", "array clocks", "from the layer's first command to its last; layers overlap"),
    _plain("array_busy_cycles", "array clocks", "the array streams, or loads and drains with nothing else to wait for"),
    _plain("stream_cycles", "array clocks", "the array streams"),
    Column(
        "array_cycles",
        "array clocks",
        "the array alone, as `accelsim gemm` has it: all data on chip, capacity and ports ignored",
        lambda record: record.array_clocks,
    ),
    _plain("vector_cycles", "array clocks", "the vector unit works, whatever the array does"),
    _plain("depthwise_cycles", "array clocks", "the depthwise engine works, whatever the array does"),
    _plain(
        "dma_in_cycles", "array clocks", "engines that load set up, issue, or wait with all bursts in flight; summed"
    ),
    _plain("dma_out_cycles", "array clocks", "engines that store do so"),
    _plain("utilization", "0..1", "MACs on the array / (PEs x total_cycles)"),
    Column(
        "bound_by",
        "",
        f"resource of which twice as much saves most ({', '.join(RESOURCES)}); no_resource: none saves 1 %; hidden:"
        " all its work lies behind that of others; no_work: it has none",
        bound_by,
    ),
    *(_saving(name) for name in RESOURCES),
    _stall("dram_ifmap", "array idle: feature maps on the DRAM bus"),
    _stall("dram_weight", "array idle: weights on the DRAM bus"),
    _stall("store", "array idle: results on the DRAM bus"),
    _stall("cache", "array idle: caches serve a transfer, DRAM below them does not"),
    _stall("dma_issue", "array idle: DMA engines issue bursts"),
    _stall("dma_outstanding", "array idle: DMA engines have all bursts in flight that may be"),
    _stall("dma_setup", "array idle: DMA descriptors, and zeros that DMA engines write"),
    _stall("host", "array idle: the host issues tiles"),
    _stall("latency", "array idle: the way back from DRAM, requantisation"),
    _stall("vector", "array idle: the vector unit works"),
    _stall("depthwise", "array idle: the depthwise engine works"),
    _stall("dependency", "array idle: anything else that had to come first"),
    _stall("fill_drain", "array not streaming: its own loads, drains and tails (part of array_busy_cycles)"),
    _lost("mapping", "PEs without work while folds stream"),
    _lost("fill_drain", "loads, drains, tails, and bubbles where a load takes longer than a stream"),
    _lost("sram_port", "streams lengthened by SRAM ports"),
    _lost("dram_ifmap", "stall_dram_ifmap_cycles x PEs"),
    _lost("dram_weight", "stall_dram_weight_cycles x PEs"),
    _lost("store", "stall_store_cycles x PEs"),
    _lost("cache", "stall_cache_cycles x PEs"),
    _lost("dma_issue", "stall_dma_issue_cycles x PEs"),
    _lost("dma_outstanding", "stall_dma_outstanding_cycles x PEs"),
    _lost("dma_setup", "stall_dma_setup_cycles x PEs"),
    _lost("host", "stall_host_cycles x PEs"),
    _lost("latency", "stall_latency_cycles x PEs"),
    _lost("vector", "stall_vector_cycles x PEs"),
    _lost("depthwise", "stall_depthwise_cycles x PEs"),
    _lost("dependency", "stall_dependency_cycles x PEs"),
    Column("dram_read_bytes", "bytes", "asked for by loads", lambda record: record.counts.dram_read_bytes),
    Column("dram_write_bytes", "bytes", "asked for by stores", lambda record: record.counts.dram_write_bytes),
    Column("dram_burst_bytes", "bytes", "moved by DRAM, whole bursts", lambda record: record.counts.dram_burst_bytes),
    Column(
        "dram_burst_efficiency",
        "0..1",
        "dram_read_bytes + dram_write_bytes over dram_burst_bytes; 1 where nothing moved",
        lambda record: record.counts.burst_efficiency,
    ),
    _plain("dram_traffic_vs_bound", "1", "dram_burst_bytes / the least for each layer on its own; 0 where that is 0"),
    _count("dram_read_ifmap_bytes", "bytes", "feature maps loaded"),
    _count("dram_read_weight_bytes", "bytes", "weights loaded"),
    _count("dram_write_ofmap_bytes", "bytes", "results stored"),
    _count("dram_read_burst_bytes", "bytes", "moved by read bursts, whole bursts counted"),
    _count("dram_write_burst_bytes", "bytes", "moved by write bursts, whole bursts counted"),
    Column("sram_read_bytes", "bytes", "read from all SRAM buffers", lambda record: record.counts.sram_read_bytes),
    Column("sram_write_bytes", "bytes", "written to all SRAM buffers", lambda record: record.counts.sram_write_bytes),
    _count("sram_read_ifmap_bytes", "bytes", "feature maps read by array, vector unit and depthwise engine"),
    _count("sram_read_weight_bytes", "bytes", "weights read by array, vector unit and depthwise engine"),
    _count("sram_read_psum_bytes", "bytes", "partial sums read from the accumulator"),
    _count("sram_read_ofmap_bytes", "bytes", "results read by stores"),
    _count("sram_read_line_bytes", "bytes", "pixels read from the depthwise engine's line buffer"),
    _count("sram_write_ifmap_bytes", "bytes", "feature maps written by loads"),
    _count("sram_write_weight_bytes", "bytes", "weights written by loads"),
    _count("sram_write_psum_bytes", "bytes", "partial sums written to the accumulator"),
    _count("sram_write_ofmap_bytes", "bytes", "results written by array, vector unit and depthwise engine"),
    _count("sram_write_line_bytes", "bytes", "pixels written to the depthwise engine's line buffer"),
    _count("active_macs", "", "MACs that take energy: none on zeros of the padding, or of pruned weights where gated"),
    _count("multiplier_bit_products", "bits^2", "weight bits x ifmap bits of active MACs that multiply"),
    _count("adder_bits", "bits", "partial sum bits of active MACs"),
    _count("xnor_ops", "", "active MACs whose product is that of two signs"),
    _count("register_bytes", "bytes", "moved from one PE to the next, or within the depthwise engine"),
    _count("vector_ops", "", "operations of the vector unit"),
    _count("dma_descriptors", "", "descriptors set up"),
    _count("dram_read_commands", "", "RD of a DRAM at command granularity; this and those below by share of the run"),
    _count("dram_write_commands", "", "WR of it"),
    _count("dram_activates", "", "ACT, each with its PRE"),
    _count("dram_refreshes", "", "REF of it"),
    _count("dram_turnarounds", "", "changes of the data bus between reads and writes"),
    _count("dram_row_hits", "", "bursts that found their row open"),
    _count("dram_row_misses", "", "bursts that found their bank closed"),
    _count("dram_row_conflicts", "", "bursts that found another row open"),
    _count("dram_active_clocks", "DRAM clocks", "of each rank with a row open"),
    _count("dram_rank_clocks", "DRAM clocks", "of each rank"),
    _energy("mac", "multiply-accumulates on the array"),
    _energy("register", "operands and partial sums moved from PE to PE, and sums latched where they stay"),
    _energy("vector", "operations of the vector unit"),
    _energy("sram", "SRAM reads and writes"),
    _energy("cache", "requests to caches, lines that misses fill and that are written back"),
    _energy("wire", "maps and weights between the buffers and the array or vector unit"),
    _energy("dma", "DMA descriptors and what passes the engines"),
    _energy("clock", "clock tree over total_cycles"),
    _energy("control", "sequencers over total_cycles"),
    _energy("dram", "DRAM bursts; or commands, refreshes and background"),
    _energy("static", "leakage over total_cycles"),
    Column("energy_total_pj", "pJ", "the components together", lambda record: record.energy.total_pj),
    _energy("low", "energy_total_pj with every price at the lower end of its range"),
    _energy("high", "energy_total_pj with every price at the upper end of its range"),
    Column(
        "dram_penalty_pj",
        "pJ",
        "what the DRAM bytes cost more than the same bytes of the table's reference SRAM",
        lambda record: record.energy.dram_penalty_pj,
    ),
    Column(
        "dram_sram_energy_ratio",
        "",
        "energy_dram_pj a burst byte over energy_sram_pj a byte read or written; 0 where either is nothing",
        dram_sram_ratio,
    ),
)

TOTALS: tuple[tuple[str, str, str], ...] = (
    ("latency_ms", "ms", "total_cycles over the array clock"),
    ("inferences", "", "how often the network was run, one after the other"),
    ("images", "", "batch times the inferences"),
    ("first_inference_ms", "ms", "until the first inference was done"),
    ("interval_ms", "ms", "from the end of the last inference but one to that of the last; of one, its latency"),
    ("inferences_per_s", "1/s", "batch over interval_ms"),
    ("energy_per_inference_pj", "pJ", "energy_total_pj over the inferences"),
    ("energy_per_image_pj", "pJ", "energy_total_pj over the images"),
    ("average_power_mw", "mW", "energy_total_pj over latency"),
    ("dram_energy_share", "0..1", "energy_dram_pj over energy_total_pj"),
    ("assumed_energy_share", "0..1", "what rests on numbers that are assumed or unverified, over energy_total_pj"),
    ("not_priced", "", "what the energy table has no price for"),
    ("nominal_dram_sram_energy_ratio", "", "dram_byte of the energy table over its sram_byte; 0 where that is free"),
    *EFFICIENCY,
)
"""(name, unit, meaning) of the values that only a whole run has."""


def layer_rows(
    records: Sequence[LayerRecord], doubled_cycles: Mapping[str, Sequence[int]] = MappingProxyType({})
) -> list[dict[str, Value | None]]:
    """A row for each layer. doubled_cycles: their clocks with a resource twice as good, by `WHAT_IFS`."""
    rows: list[dict[str, Value | None]] = []
    for place, record in enumerate(records):
        doubled = {name: cycles[place] for name, cycles in doubled_cycles.items()}
        plain = {column.name: column.value(record) for column in COLUMNS} | record.caches
        rows.append({**plain, **speedups(record.total_cycles, doubled)})
    return rows


def speedups(cycles: int, doubled_cycles: Mapping[str, int]) -> dict[str, float | None]:
    """How many times quicker with each resource twice as good; None where nothing is left."""
    return {speedup_column(name): cycles / twice if twice else None for name, twice in doubled_cycles.items()}


def speedup_column(resource: str) -> str:
    """The column of a resource of `WHAT_IFS`."""
    return f"speedup_if_twice_{resource}"


def total_values(total: LayerRecord, batch: int, machine: Machine, ends: Sequence[int]) -> dict[str, Any]:
    """The columns of the whole run, then its latency, throughput, power, and what its energy is made of.

    ends: array clock at which each inference was done.
    """
    values: dict[str, Any] = {column.name: column.value(total) for column in COLUMNS if not column.of_layers_only}
    values |= total.caches
    latency_ms = total.total_cycles / machine.array.clock_mhz / 1e3
    energy_pj = total.energy.total_pj
    values["latency_ms"] = latency_ms
    interval = ends[-1] - ends[-2] if len(ends) > 1 else ends[-1]
    interval_ms = interval / machine.array.clock_mhz / 1e3
    values["inferences"] = len(ends)
    values["images"] = batch * len(ends)
    values["first_inference_ms"] = ends[0] / machine.array.clock_mhz / 1e3
    values["interval_ms"] = interval_ms
    values["inferences_per_s"] = batch / interval_ms * 1e3 if interval_ms else 0.0
    values["energy_per_inference_pj"] = energy_pj / len(ends)
    values["energy_per_image_pj"] = energy_pj / (batch * len(ends))
    values["average_power_mw"] = energy_pj / latency_ms / 1e6 if latency_ms else 0.0
    values["dram_energy_share"] = total.energy.dram_pj / energy_pj if energy_pj else 0.0
    values["assumed_energy_share"] = min(total.energy.assumed_pj / energy_pj, 1.0) if energy_pj else 0.0
    values["not_priced"] = ", ".join(not_priced(machine))
    values["nominal_dram_sram_energy_ratio"] = nominal_ratio(machine.energy)
    return {**values, **efficiency(total, batch * len(ends), machine)}
