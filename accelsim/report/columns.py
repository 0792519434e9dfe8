"""The result columns: name, unit, meaning and where each comes from, in one place.

A column is added here and appears in `layers.csv`, JSON, the frame and `accelsim columns`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from accelsim.config.machine import Machine
from accelsim.energy.price import nominal_ratio, not_priced
from accelsim.network.graph import Network
from accelsim.records import BUSY, RESOURCES, STALL_CAUSES, LayerRecord
from accelsim.report.efficiency import COLUMNS as EFFICIENCY
from accelsim.report.efficiency import efficiency
from accelsim.report.pruned import pruned_parts
from accelsim.unit_kinds import UNIT_KINDS, kinds_for_pieces

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
    "dram_bandwidth": "the DRAM had twice the channels, or moved twice the bytes a cycle",
    "dma_issue": "each DMA engine issued twice the bursts a cycle",
    "dma_outstanding": "each DMA engine had twice the bursts and cache requests in flight",
    "dma_setup": "descriptors were set up in half the cycles",
    "sram_ports": "the ports of all SRAM buffers were twice as wide",
    "vector_lanes": "the vector unit had twice the lanes",
    "depthwise_channels": "the depthwise engine had twice the channels side by side, and the line buffer for them",
    "output_path": "the output path took half the cycles",
    "caches": "caches took half the cycles, with ports twice as wide and twice the misses in flight",
    "host": "the host issued tiles in half the cycles",
}
"""Each of `RESOURCES` twice as good, and what that means."""


def _of_layer(name: str, meaning: str) -> Column:
    return Column(name, "", meaning, lambda record: getattr(record, name), of_layers_only=True)


def _count(name: str, unit: str, meaning: str) -> Column:
    return Column(name, unit, meaning, lambda record: getattr(record.counts, name))


def _plain(name: str, unit: str, meaning: str) -> Column:
    return Column(name, unit, meaning, lambda record: getattr(record, name))


def _busy(name: str) -> Column:
    kind = UNIT_KINDS[name]
    meaning = kind.busy or f"the {kind.title} works, whether or not the array does"
    return Column(f"{name}_cycles", "cycles", meaning, lambda record: record.busy_cycles[name])


def _energy(component: str, meaning: str) -> Column:
    return Column(f"energy_{component}_pj", "pJ", meaning, lambda record: getattr(record.energy, f"{component}_pj"))


def _stall(cause: str, meaning: str) -> Column:
    return Column(f"stall_{cause}_cycles", "cycles", meaning, lambda record: record.stalls[cause])


def _saving(resource: str) -> Column:
    meaning = f"total_cycles saved if {WHAT_IFS[resource]}, with the same tiles and schedule"
    return Column(f"saved_by_twice_{resource}_cycles", "cycles", meaning, lambda record: record.savings[resource])


def _lost(cause: str, meaning: str) -> Column:
    return Column(f"lost_{cause}_pe_cycles", "PE x cycles", meaning, lambda record: record.lost[cause])


LEAST_SAVING = 0.01
"""Share of the clocks that twice a resource has to save to be what they are bound by."""


def bound_by(record: LayerRecord) -> str:
    """The resource of which twice as much saves most; no_resource if none does, hidden behind others, or no_work."""
    if not record.total_cycles:
        return "hidden" if record.latency_cycles else "no_work"
    best = max(record.savings, key=lambda name: record.savings[name])
    return best if record.savings[best] > LEAST_SAVING * record.total_cycles else "no_resource"


def dram_sram_ratio(record: LayerRecord) -> float:
    """Energy of a DRAM byte over that of an SRAM byte, as moved; 0 where there is nothing to divide."""
    counts, energy = record.counts, record.energy
    if not (counts.dram_burst_bytes and energy.sram_pj):
        return 0.0
    return (energy.dram_pj / counts.dram_burst_bytes) / (energy.sram_pj / counts.sram_bytes)


COLUMNS: tuple[Column, ...] = (
    _of_layer("layer", "name of the layer"),
    _of_layer("op", "kind of operation"),
    _of_layer("stage", "part of the network that the layer belongs to"),
    _of_layer("group", "depth-first group of the layer"),
    _count("macs", "", "multiply-accumulates of the batch; those on padding included, skipped ones not"),
    _plain("weights", "", "weights, pruned ones included; biases and folded batch norms are not counted"),
    _plain("nonzero_weights", "", "weights that are not pruned"),
    _plain(
        "total_cycles",
        "cycles",
        "cycles of the run that count for this layer; each cycle counts for one layer, so they sum to the run",
    ),
    _plain("latency_cycles", "cycles", "from the first command of the layer to its last; layers overlap"),
    _plain("array_busy_cycles", "cycles", "the array streams, or loads or drains while nothing else holds it up"),
    _plain("stream_cycles", "cycles", "the array streams"),
    Column(
        "array_cycles",
        "cycles",
        "the array alone, with all data on chip and no limit of capacity or ports, as `accelsim gemm` prints it",
        lambda record: record.array_clocks,
    ),
    *map(_busy, BUSY),
    _plain("utilization", "0..1", "MACs on the array / (PEs x total_cycles)"),
    Column(
        "bound_by",
        "",
        f"resource of which twice as much saves most ({', '.join(RESOURCES)}); no_resource: none saves 1 %; hidden:"
        " all its work is hidden behind other layers; no_work: it has none",
        bound_by,
    ),
    *(_saving(name) for name in RESOURCES),
    _stall("dram_ifmap", "array idle: waits for feature maps from DRAM"),
    _stall("dram_weight", "array idle: waits for weights from DRAM"),
    _stall("store", "array idle: waits for stores to DRAM"),
    _stall("cache", "array idle: waits for caches, and not for the DRAM below them"),
    _stall("dma_issue", "array idle: waits for DMA engines to issue bursts"),
    _stall("dma_outstanding", "array idle: DMA engines have their most bursts in flight"),
    _stall("dma_setup", "array idle: waits for DMA descriptors, or zeros that DMA engines write"),
    _stall("host", "array idle: waits for the host to issue tiles"),
    _stall("latency", "array idle: waits for the latency of DRAM or of requantisation"),
    *(_stall(kind.name, f"array idle: waits for the {kind.title}") for kind in kinds_for_pieces()),
    _stall("dependency", "array idle: waits for anything else that has to come first"),
    _stall("fill_drain", "the array loads or drains and does not stream; part of array_busy_cycles"),
    _lost("mapping", "PEs without work while folds stream"),
    _lost("fill_drain", "loads and drains, and bubbles where a load takes longer than a stream"),
    _lost("sram_port", "streams that SRAM ports lengthen"),
    *(_lost(cause, f"stall_{cause}_cycles x PEs") for cause in STALL_CAUSES if cause != "fill_drain"),
    _count("dram_read_bytes", "bytes", "bytes that loads request"),
    _count("dram_write_bytes", "bytes", "bytes that stores request"),
    _count("dram_burst_bytes", "bytes", "bytes that DRAM moves, in whole bursts"),
    Column(
        "dram_burst_efficiency",
        "0..1",
        "(dram_read_bytes + dram_write_bytes) / dram_burst_bytes; 1 if nothing moves",
        lambda record: record.counts.burst_efficiency,
    ),
    _plain(
        "dram_traffic_vs_bound", "1", "dram_burst_bytes / the least traffic of each layer on its own; 0 if that is 0"
    ),
    _count("dram_read_ifmap_bytes", "bytes", "feature maps loaded"),
    _count("dram_read_weight_bytes", "bytes", "weights loaded"),
    _count("dram_write_ofmap_bytes", "bytes", "results stored"),
    _count("dram_read_burst_bytes", "bytes", "bytes of read bursts, each counted in full"),
    _count("dram_write_burst_bytes", "bytes", "bytes of write bursts, each counted in full"),
    _count("sram_read_bytes", "bytes", "bytes read from all SRAM buffers"),
    _count("sram_write_bytes", "bytes", "bytes written to all SRAM buffers"),
    _count("sram_read_ifmap_bytes", "bytes", "feature maps read by array, vector unit and depthwise engine"),
    _count("sram_read_weight_bytes", "bytes", "weights read by array, vector unit and depthwise engine"),
    _count("sram_read_psum_bytes", "bytes", "partial sums read from the accumulator"),
    _count("sram_read_ofmap_bytes", "bytes", "results read by stores"),
    _count("sram_read_line_bytes", "bytes", "pixels read from the depthwise engine's line buffer"),
    _count("sram_read_pool_bytes", "bytes", "maxima or sums that a pool on the output path goes on with"),
    _count("sram_write_ifmap_bytes", "bytes", "feature maps written by loads"),
    _count("sram_write_weight_bytes", "bytes", "weights written by loads"),
    _count("sram_write_psum_bytes", "bytes", "partial sums written to the accumulator"),
    _count("sram_write_ofmap_bytes", "bytes", "results written by array, vector unit and depthwise engine"),
    _count("sram_write_line_bytes", "bytes", "pixels written to the depthwise engine's line buffer"),
    _count("sram_write_pool_bytes", "bytes", "maxima or sums that a pool on the output path leaves for its next row"),
    _count("active_macs", "", "MACs that take energy; those on padding, or on gated pruned weights, take none"),
    _count(
        "multiplier_bit_products", "bits^2", "weight bits x feature map bits, summed over active MACs that multiply"
    ),
    _count("adder_bits", "bits", "partial sum bits, summed over active MACs"),
    _count("xnor_ops", "", "active MACs that multiply two signs"),
    _count(
        "register_bytes",
        "bytes",
        "bytes moved from one PE to the next, through the skew at the array's edges, or within the depthwise engine",
    ),
    _count("requantised_results", "", "sums scaled and rounded to the width of feature maps"),
    _count("vector_ops", "", "operations of the vector unit"),
    _count("dma_descriptors", "", "descriptors set up"),
    _count("coded_bytes", "bytes", "bytes that decoders and codecs of DMA engines expand or encode, as on chip"),
    _count(
        "dram_read_commands",
        "",
        "RD commands of a `kind: command` DRAM; this column and those below by share of the run",
    ),
    _count("dram_write_commands", "", "WR commands"),
    _count("dram_activates", "", "ACT commands, each with its PRE"),
    _count("dram_refreshes", "", "REF commands"),
    _count("dram_turnarounds", "", "changes of the data bus between reading and writing"),
    _count("dram_row_hits", "", "bursts that found their row open"),
    _count("dram_row_misses", "", "bursts that found their bank closed"),
    _count("dram_row_conflicts", "", "bursts that found another row open"),
    _count("dram_active_clocks", "DRAM clocks", "DRAM clocks with a row open, summed over ranks"),
    _count("dram_rank_clocks", "DRAM clocks", "DRAM clocks of the run, summed over ranks"),
    _energy("mac", "multiply-accumulates on the array"),
    _energy("register", "operands and partial sums moved from PE to PE, and partial sums latched in place"),
    _energy("requantisation", "sums scaled and rounded to the width of feature maps"),
    _energy("vector", "operations of the vector unit"),
    _energy("sram", "SRAM reads and writes"),
    _energy("cache", "cache requests, line fills and write-backs"),
    _energy("wire", "feature maps and weights on wires between the buffers and the array or vector unit"),
    _energy("dma", "DMA descriptors and bytes through the DMA engines, their decoders and codecs"),
    _energy("clock", "clock tree over total_cycles"),
    _energy("control", "control over total_cycles"),
    _energy("dram", "DRAM bursts; or DRAM commands, refreshes and background"),
    _energy("static", "leakage over total_cycles"),
    _energy("total", "sum of the components"),
    _energy("low", "energy_total_pj with every price at the lower end of its range"),
    _energy("high", "energy_total_pj with every price at the upper end of its range"),
    Column(
        "dram_penalty_pj",
        "pJ",
        "energy that moving these bytes through DRAM adds to moving them through the reference SRAM of the table",
        lambda record: record.energy.dram_penalty_pj,
    ),
    Column(
        "dram_sram_energy_ratio",
        "",
        "energy_dram_pj per burst byte / energy_sram_pj per byte read or written; 0 if either has no bytes",
        dram_sram_ratio,
    ),
)

TOTALS: tuple[tuple[str, str, str], ...] = (
    ("latency_ms", "ms", "total_cycles / clock of the array"),
    ("inferences", "", "inferences, one after the other"),
    ("images", "", "batch x inferences"),
    ("first_inference_ms", "ms", "end of the first inference"),
    ("interval_ms", "ms", "time between the ends of the last two inferences; of a single one, its latency"),
    ("inferences_per_s", "1/s", "batch / interval_ms"),
    ("energy_per_inference_pj", "pJ", "energy_total_pj / inferences"),
    ("energy_per_image_pj", "pJ", "energy_total_pj / images"),
    ("average_power_mw", "mW", "energy_total_pj / latency_ms, DRAM included"),
    ("dram_energy_share", "0..1", "energy_dram_pj / energy_total_pj"),
    ("assumed_energy_share", "0..1", "energy by assumed or unverified prices / energy_total_pj"),
    ("not_priced", "", "actions without a price in the energy table"),
    ("nominal_dram_sram_energy_ratio", "", "dram_byte / sram_byte of the energy table; 0 if SRAM is free"),
    *EFFICIENCY,
)
"""(name, unit, meaning) of the values that only a whole run has."""

UNITS = {**{column.name: column.unit for column in COLUMNS}, **{name: unit for name, unit, _ in TOTALS}}
"""Units of all columns, by name."""


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
    """Speedups with each resource twice as good; None where nothing is left."""
    return {speedup_column(name): cycles / twice if twice else None for name, twice in doubled_cycles.items()}


def speedup_column(resource: str) -> str:
    """The column of a resource of `WHAT_IFS`."""
    return f"speedup_if_twice_{resource}"


def total_values(total: LayerRecord, network: Network, machine: Machine, ends: Sequence[int]) -> dict[str, Any]:
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
    batch, unpriced = network.batch, pruned_parts(network)
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
    values["not_priced"] = ", ".join((*not_priced(machine), *unpriced))
    values["nominal_dram_sram_energy_ratio"] = nominal_ratio(machine.energy)
    return {**values, **efficiency(total, batch * len(ends), machine, unpriced)}
