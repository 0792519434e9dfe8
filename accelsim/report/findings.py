"""Findings of a run in a few sentences: what it costs, what limits it, which layers, what pays, what is assumed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from accelsim.records import ENERGY_COMPONENTS, LayerRecord
from accelsim.report.columns import LEAST_SAVING, WHAT_IFS
from accelsim.report.completeness import INCOMPLETE, incomplete
from accelsim.report.finished import FinishedRun, run_title
from accelsim.report.naming import short_name
from accelsim.report.ports import overrun
from accelsim.report.quantities import amount_text, digits, share_text

MOST_LAYERS = 3
"""Layers that are named as the longest."""
MOST_NETWORKS = 8
"""Networks of a sweep of which the best points are named."""


def findings(run: FinishedRun, tried: Sequence[str] = ()) -> list[str]:
    """The sentences. tried: those on changes that were tried, or that there was no time for."""
    return [
        *([f"{INCOMPLETE}: {run.left_out}"] if run.left_out is not None else []),
        _headline(run),
        _bottleneck(run.totals),
        _longest(run.records, run.totals),
        _dearest(run.totals),
        *(f"SRAM: {each}." for each in overrun(run.records, run.machine)),
        *tried,
        _assumed(run),
    ]


def _headline(run: FinishedRun) -> str:
    totals = run.totals
    each = f", {amount_text(totals['energy_per_image_pj'], 'pJ')} an image" if totals["images"] > 1 else ""
    return (
        f"{run_title(run)} takes {amount_text(totals['latency_ms'], 'ms')} and "
        f"{amount_text(totals['energy_total_pj'], 'pJ')}{each}: "
        f"{digits(totals['inferences_per_s'])} inferences a second, "
        f"{amount_text(totals['average_power_mw'], 'mW')} with DRAM, utilization {share_text(totals['utilization'])}."
    )


def _bottleneck(totals: Mapping[str, Any]) -> str:
    """The resource of which twice as much saves most."""
    name = totals["bound_by"]
    if name not in WHAT_IFS:
        return (
            f"Nothing limits it alone: twice of any resource saves less than {share_text(LEAST_SAVING)} of the cycles."
        )
    share = share_text(totals[f"saved_by_twice_{name}_cycles"] / totals["total_cycles"])
    return f"It is limited by {name.replace('_', ' ')}: if {WHAT_IFS[name]}, it would save {share} of the cycles."


def _longest(records: Sequence[LayerRecord], totals: Mapping[str, Any]) -> str:
    cycles = max(totals["total_cycles"], 1)
    longest = sorted(records, key=lambda record: -record.total_cycles)[:MOST_LAYERS]
    each = ", ".join(f"{record.layer} {share_text(record.total_cycles / cycles)}" for record in longest)
    return f"The longest layers, by share of the cycles: {each}."


def _dearest(totals: Mapping[str, Any]) -> str:
    parts = {label: totals[f"energy_{name}_pj"] for name, label in ENERGY_COMPONENTS.items()}
    whole = sum(parts.values()) or 1.0
    dearest = sorted(parts, key=lambda label: -parts[label])[:2]
    return "Energy goes to " + " and ".join(f"{label} ({share_text(parts[label] / whole)})" for label in dearest) + "."


def _assumed(run: FinishedRun) -> str:
    """Numbers that rest on no source, or have no price."""
    keys = [key for key, source in run.machine.sources.items() if source.startswith("assumed")]
    words = f"Assumed of the machine: {', '.join(keys)}. " if keys else ""
    return (
        f"{words}Assumed prices make up {share_text(run.totals['assumed_energy_share'])} of the energy; "
        f"not priced: {run.totals['not_priced'] or 'nothing'}."
    )


class Advised(NamedTuple):
    """Recommendation of a search: its sentences, the numbers of its points, and of those outside its budgets."""

    lines: Sequence[str]
    points: Sequence[int]
    outside: Collection[int]


def sweep_findings(
    points: Sequence[Mapping[str, Any]], keys: Sequence[str], advised: Advised | None = None
) -> list[str]:
    """Networks that lack parts of their models; the answer of a search, if there is one; the quickest point of each
    network and that of least energy, for one image, of those within the budgets; and how many have no results.

    keys: that vary.
    """
    failed = sum(1 for point in points if point.get("error") is not None)
    done = [point for point in points if isinstance(point.get("latency_ms"), int | float)]
    allowed = [point for point in done if advised is None or point["point"] not in advised.outside]
    networks = list(dict.fromkeys(point["network"] for point in allowed))
    lines = [
        _best([point for point in allowed if point["network"] == name], name, keys) for name in networks[:MOST_NETWORKS]
    ]
    if len(networks) > MOST_NETWORKS:
        lines.append(f"{len(networks) - MOST_NETWORKS} more networks are in the table.")
    return [
        *incomplete(done),
        *(_recommended(done, advised) if advised else []),
        *lines,
        *([f"{len(done) - len(allowed)} of {len(points)} points are outside the budgets."] if allowed != done else []),
        *([f"{failed} of {len(points)} points have an error instead of results."] if failed else []),
    ]


def _recommended(points: Sequence[Mapping[str, Any]], advised: Advised) -> list[str]:
    """The answer, and what its points are."""
    machine, *rest = advised.lines or [""]
    chosen = [point for point in points if point["point"] in advised.points][:MOST_NETWORKS]
    return [f"Recommended: {machine}.", *map(_costs, chosen), *(f"{line}." for line in rest)]


def _costs(point: Mapping[str, Any]) -> str:
    """Latency, energy with its range, power and area of a point."""
    low, high = point.get("energy_low_pj"), point.get("energy_high_pj")
    span = f" ({amount_text(low, 'pJ')} to {amount_text(high, 'pJ')} by the ranges of prices)" if low and high else ""
    chip = f", {amount_text(point['chip_power_mw'], 'mW')} of it the chip" if point.get("chip_power_mw") else ""
    area = f"; {amount_text(point['area_mm2'], 'mm2')}" if point.get("area_mm2") else ""
    return (
        f"{point['network']}: point {point['point']} takes {amount_text(point['latency_ms'], 'ms')} and "
        f"{amount_text(point['energy_total_pj'], 'pJ')}{span}; {amount_text(point['average_power_mw'], 'mW')} with "
        f"DRAM{chip}{area}."
    )


def _best(points: Sequence[Mapping[str, Any]], network: str, keys: Sequence[str]) -> str:
    several = len({point["machine"] for point in points}) > 1

    def said(point: Mapping[str, Any]) -> str:
        settings = short_name({key: point[key] for key in keys if point.get(key) is not None})
        words = " ".join(filter(None, (point["machine"] if several else "", settings)))
        return f"point {point['point']}{f' ({words})' if words else ''}"

    quickest, least = (
        min(points, key=lambda point: point[name] / _images(point)) for name in ("latency_ms", "energy_total_pj")
    )
    each = " an image" if any(_images(point) > 1 for point in points) else ""
    costs = (
        f"{amount_text(point['latency_ms'] / _images(point), 'ms')} and "
        f"{amount_text(point['energy_total_pj'] / _images(point), 'pJ')}{each}"
        for point in (quickest, least)
    )
    if quickest["point"] == least["point"]:
        return f"{network}: {said(quickest)} is the quickest and takes least energy, {next(costs)}."
    return (
        f"{network}: {said(quickest)} is the quickest, {next(costs)}; {said(least)} takes least energy, {next(costs)}."
    )


def comparison_findings(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The best networks of a comparison, by what an image costs and by accuracy."""
    sides = (
        ("is the quickest", "time_per_image_ms", "ms", min),
        ("takes least energy", "energy_per_image_pj", "pJ", min),
        ("moves fewest bytes through DRAM", "dram_per_image_bytes", "bytes", min),
        ("is the most accurate", "top1_pct", "% top-1", max),
    )
    several = len({row.get("machine") for row in rows}) > 1
    lines = []
    for said, column, unit, pick in sides:
        known = [row for row in rows if isinstance(row.get(column), int | float)]
        if known:
            best = pick(known, key=lambda row: row[column])
            machine = f" on {best['machine']}" if several else ""
            each = " an image" if "_per_image_" in column else ""
            lines.append(f"{best['network']}{machine} {said}: {amount_text(best[column], unit)}{each}.")
    return lines


def _images(point: Mapping[str, Any]) -> int:
    images: int = point.get("batch", 1) * point.get("inferences", 1)
    return max(1, images)
