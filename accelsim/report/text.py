"""A run as text for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from accelsim.records import ENERGY_COMPONENTS, ActionCounts, LayerRecord, total_counts
from accelsim.report.columns import WHAT_IFS, Value, bound_by, speedup_column
from accelsim.report.completeness import INCOMPLETE
from accelsim.report.efficiency import area_words
from accelsim.report.groups import group_total, grouped
from accelsim.report.tables import fitted, table
from accelsim.unit_kinds import VECTOR, kinds_for_transfers

COSTLIEST = 5

CellValue = str | int | float


LAYER_HEADER = (
    *("layer", "op", "MMAC", "cycles", "array", "vector", "DMA", "util", "bound by"),
    *("DRAM KiB", "bursts", "SRAM KiB", "energy uJ", "of it DRAM"),
)
"""cycles: given to the layer; array, vector, DMA: clocks of the units; DRAM KiB: moved; bursts: requested of moved."""


LAYER_SPARE = ("of it DRAM", "DMA", "vector", "array", "SRAM KiB", "op", "MMAC", "bursts", "DRAM KiB")
"""Columns that a narrow page goes without."""


def layer_table(records: Sequence[LayerRecord]) -> str:
    """A line for each layer; those that run depth-first together in a bracket, below a line with their totals."""
    return fitted(LAYER_HEADER, [line for group in grouped(records) for line in _group_lines(group)], spare=LAYER_SPARE)


def _group_lines(group: Sequence[LayerRecord]) -> list[list[str]]:
    if not group[0].group:
        return [layer_cells(record) for record in group]
    marks = "/" + "|" * (len(group) - 2) + "\\" * (len(group) > 1)
    members = [layer_cells(record) for record in group]
    lines = [[f"{mark} {own}", *rest] for mark, (own, *rest) in zip(marks, members, strict=True)]
    return [layer_cells(group_total(group)), *lines]


def layer_cells(record: LayerRecord) -> list[str]:
    """The cells of a layer below `LAYER_HEADER`."""
    counts, energy = record.counts, record.energy
    share = energy.dram_pj / energy.total_pj if energy.total_pj else 0.0
    return [
        record.layer,
        record.op,
        f"{counts.macs / 1e6:.2f}",
        str(record.total_cycles),
        str(record.stream_cycles),
        str(record.busy_cycles[VECTOR.name]),
        str(sum(record.busy_cycles[kind.name] for kind in kinds_for_transfers())),
        f"{record.utilization:.1%}",
        bound_by(record),
        f"{counts.dram_burst_bytes / 1024:.1f}",
        _bursts(counts),
        f"{counts.sram_bytes / 1024:.1f}",
        f"{energy.total_pj / 1e6:.2f}",
        f"{share:.0%}",
    ]


def _caches(total: LayerRecord) -> Iterator[str]:
    """Requests of each cache and how many it held, if there are caches."""
    for name in dict.fromkeys(key.rpartition("_hits")[0] for key in total.caches if key.endswith("_hits")):
        hits, misses = total.caches[f"{name}_hits"], total.caches[f"{name}_misses"]
        share = hits / (hits + misses) if hits + misses else 0.0
        yield (
            f"  cache {name}: {hits + misses} requests, {share:.1%} hits,"
            f" {total.caches[f'{name}_write_backs']} lines written back"
        )


def summary(name: str, machine: str, total: LayerRecord, totals: Mapping[str, Any], *, complete: bool = True) -> str:
    """The totals in a few lines; of a model that is not complete each derived number has a mark."""
    counts, energy = total.counts, total.energy
    mark = "" if complete else f" ({INCOMPLETE})"
    parts = {label: getattr(energy, f"{name}_pj") for name, label in ENERGY_COMPONENTS.items()}
    lines = (
        f"{name} on {machine}{mark}",
        f"  {counts.macs / 1e6:.2f} M MACs, {total.weights / 1e6:.3f} M weights{_pruned(total)}{mark}",
        f"  {total.total_cycles} cycles = {totals['latency_ms']:.3f} ms,"
        f" {totals['inferences_per_s']:.1f} inferences/s{mark}",
        f"  of the array's time: {split({'MACs': total.array_macs, **total.lost}) or 'nothing'}",
        f"  bound by {bound_by(total)}: {_helps(total)}",
        f"  DRAM moved {counts.dram_burst_bytes / 2**20:.2f} MiB: {counts.dram_read_burst_bytes / 2**20:.2f} read,"
        f" {counts.dram_write_burst_bytes / 2**20:.2f} written; burst efficiency {counts.burst_efficiency:.1%};"
        f" SRAM {counts.sram_read_bytes / 2**20:.2f} MiB read, {counts.sram_write_bytes / 2**20:.2f} MiB written",
        *_rows(counts),
        *_caches(total),
        f"  {_energy(total, totals)}{mark}, {totals['average_power_mw']:.1f} mW on average with DRAM",
        f"  of it {split(parts) or 'nothing'}; assumed prices make up {totals['assumed_energy_share']:.1%}",
        f"  not priced: {totals['not_priced'] or 'nothing that is counted'}",
        *_chip(totals, mark),
        f"  moving these bytes through DRAM instead of SRAM adds {energy.dram_penalty_pj / 1e6:.1f} uJ",
        f"  DRAM:SRAM energy per byte {_ratio(totals['dram_sram_energy_ratio'])}"
        f" (table: {_ratio(totals['nominal_dram_sram_energy_ratio'])})",
    )
    return "\n".join(lines)


def split(parts: Mapping[str, float]) -> str:
    """Shares that add up to 100.0 % as they are printed; those that round to nothing are left out."""
    whole = sum(parts.values())
    if not whole:
        return ""
    exact = {name: 1000 * amount / whole for name, amount in parts.items()}
    tenths = {name: int(share) for name, share in exact.items()}
    missing = 1000 - sum(tenths.values())
    for name in sorted(exact, key=lambda name: tenths[name] - exact[name])[:missing]:
        tenths[name] += 1
    return ", ".join(f"{name} {share / 10:.1f}%" for name, share in tenths.items() if share)


def _helps(total: LayerRecord) -> str:
    """Quickest with twice of which resources, tiles and schedule as they are."""
    saved = sorted(total.savings.items(), key=lambda each: -each[1])
    clocks = total.total_cycles
    most = [f"{name} {clocks / (clocks - each):.2f}x" for name, each in saved if 0 < each < clocks][:MOST_HELPS]
    return f"twice as much gives {', '.join(most)}" if most else "twice of nothing makes it quicker"


MOST_HELPS = 3
"""Resources that are named, the best first."""


def _energy(total: LayerRecord, totals: Mapping[str, Any]) -> str:
    """Energy of an image and its range, and that of all images where there are several."""
    energy, images = total.energy, totals["images"]
    own, low, high = (each / images / 1e6 for each in (energy.total_pj, energy.low_pj, energy.high_pj))
    priced = f"({low:.1f} to {high:.1f} by the ranges of the prices)"
    if images == 1:
        return f"energy {own:.1f} uJ {priced}"
    return f"energy {own:.1f} uJ an image {priced}, {energy.total_pj / 1e6:.1f} uJ in all"


MOST_WHAT_IF = 5
"""Layers that the table of what-ifs has."""


def what_if(rows: Sequence[Mapping[str, Value | None]], totals: Mapping[str, Value | None]) -> str:
    """Speedups of the run and of its longest layers with twice of each resource, a line for each resource."""
    longest = sorted(rows, key=lambda row: -_clocks(row))[:MOST_WHAT_IF]
    names = [str(row["layer"]) for row in longest]
    cells = [["cycles", *(str(values["total_cycles"]) for values in (totals, *longest))]]
    cells += [
        [name.replace("_", " "), *(_times(values[speedup_column(name)]) for values in (totals, *longest))]
        for name in WHAT_IFS
    ]
    return fitted(("speedup if twice", "the whole run", *names), cells, spare=names[::-1])


NO_DEPTHWISE = "no depthwise layers"
DEPTHWISE_HEADER = ("depthwise layers on", "exposed cycles", "all cycles", "speedup", "energy uJ", "mm2", "settings")


def depthwise(choices: Sequence[Mapping[str, Any]]) -> str:
    """A line for each unit that the depthwise layers may run on, an image each, the run as it is first."""
    if not choices:
        return NO_DEPTHWISE
    return table(DEPTHWISE_HEADER, (_depthwise_line(each, choices[0]["cycles"]) for each in choices), left=(0, 6))


def _depthwise_line(choice: Mapping[str, Any], before: float) -> list[str]:
    area = "-" if choice["area_mm2"] is None else f"{choice['area_mm2']:.2f}"
    settings = " ".join(f"{key}={value}" for key, value in choice["settings"].items())
    if choice["cycles"] is None:
        return [choice["name"], "-", "does not fit", "-", "-", area, settings]
    own, whole = round(choice["depthwise_cycles"]), round(choice["cycles"])
    measures = f"{own}", f"{whole}", f"{before / choice['cycles']:.2f}x", f"{choice['energy_pj'] / 1e6:.1f}"
    return [choice["name"], *measures, area, settings]


def _clocks(row: Mapping[str, Value | None]) -> int:
    cycles = row["total_cycles"]
    assert isinstance(cycles, int)
    return cycles


def _times(value: Value | None) -> str:
    return f"{value:.2f}x" if isinstance(value, float) else "-"


def _chip(totals: Mapping[str, Any], mark: str) -> list[str]:
    """Area, and what the run gets out of it and its power; nothing where no area is known."""
    if totals["area_mm2"] is None:
        return []
    return [
        f"  chip without DRAM: {totals['tops']:.2f} TOPS (peak {totals['peak_tops']:.2f}),"
        f" {totals['tops_per_w']:.2f} TOPS/W (peak {totals['peak_tops_per_w']:.2f}){mark};"
        f" {area_words(totals)}"
    ]


def _ratio(value: float) -> str:
    return f"{value:.1f}:1" if value else "none"


def _rows(counts: ActionCounts) -> list[str]:
    """Hits, misses and conflicts of the rows of a DRAM at command granularity."""
    found = counts.dram_row_accesses
    if not found:
        return []
    return [
        f"  DRAM rows: {counts.dram_row_hits / found:.1%} hits, {counts.dram_activates} activates, "
        f"{counts.dram_turnarounds} turnarounds, {counts.dram_refreshes} refreshes"
    ]


def _pruned(total: LayerRecord) -> str:
    return f", {total.nonzero_weights / 1e6:.3f} M of them not zero" if total.nonzero_weights < total.weights else ""


def costliest(records: Sequence[LayerRecord]) -> str:
    """The layers that take most energy."""
    ranked = sorted(records, key=lambda record: -record.energy.total_pj)[:COSTLIEST]
    return "costliest layers, by energy\n" + fitted(LAYER_HEADER, map(layer_cells, ranked), spare=LAYER_SPARE)


GROUPINGS: dict[str, Callable[[LayerRecord], str]] = {
    "type": lambda record: record.kind,
    "stage": lambda record: record.stage,
    "layer": lambda record: record.layer,
    "group": lambda record: record.group or record.layer,
}


def shares(records: Sequence[LayerRecord], by: str) -> str:
    """Shares of each type, stage, layer or group in MACs, weights, cycles, energy and bytes that DRAM moved, and the
    efficiency of its bursts."""
    groups: dict[str, list[LayerRecord]] = {}
    for record in records:
        groups.setdefault(GROUPINGS[by](record), []).append(record)
    amounts: tuple[tuple[str, Callable[[LayerRecord], float]], ...] = (
        ("MACs", lambda record: record.counts.macs),
        ("weights", lambda record: record.weights),
        ("cycles", lambda record: record.total_cycles),
        ("energy", lambda record: record.energy.total_pj),
        ("DRAM bytes", lambda record: record.counts.dram_burst_bytes),
    )
    totals = [sum(map(amount, records)) for _, amount in amounts]
    rows = [
        [name, str(len(members))]
        + [
            f"{sum(map(amount, members)) / total:.2%}" if total else "-"
            for (_, amount), total in zip(amounts, totals, strict=True)
        ]
        + [_bursts(total_counts(members))]
        for name, members in groups.items()
    ]
    return fitted((by, "layers", *(name for name, _ in amounts), "bursts"), rows)


def _bursts(counts: ActionCounts) -> str:
    """Burst efficiency."""
    return f"{counts.burst_efficiency:.0%}" if counts.dram_burst_bytes else "-"
