"""Findings of a run in a few sentences: what it costs, what limits it, which layers, what pays, what is assumed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from accelsim.records import ENERGY_COMPONENTS, LayerRecord
from accelsim.report.columns import LEAST_SAVING, WHAT_IFS
from accelsim.report.completeness import INCOMPLETE, incomplete
from accelsim.report.finished import FinishedRun, run_title
from accelsim.report.naming import short_name
from accelsim.report.quantities import amount_text, digits, share_text

MOST_LAYERS = 3
"""Layers that are named as the longest."""
MOST_NETWORKS = 8
"""Networks of a sweep of which the best points are named."""


def findings(run: FinishedRun, tried: Sequence[str] = ()) -> list[str]:
    """The sentences. tried: changes that were tried and pay."""
    return [
        *([f"{INCOMPLETE}: {run.left_out}"] if run.left_out is not None else []),
        _headline(run),
        _bottleneck(run.totals),
        _longest(run.records, run.totals),
        _dearest(run.totals),
        *(f"Tried, and worth it: {each}." for each in tried),
        _assumed(run),
    ]


def _headline(run: FinishedRun) -> str:
    totals = run.totals
    each = f", {amount_text(totals['energy_per_image_pj'], 'pJ')} an image" if totals["images"] > 1 else ""
    return (
        f"{run_title(run)} takes {amount_text(totals['latency_ms'], 'ms')} and "
        f"{amount_text(totals['energy_total_pj'], 'pJ')}{each}: "
        f"{digits(totals['inferences_per_s'])} inferences a second, "
        f"{amount_text(totals['average_power_mw'], 'mW')}, with {share_text(totals['utilization'])} of the array used."
    )


def _bottleneck(totals: Mapping[str, Any]) -> str:
    """The resource of which twice as much saves most."""
    name = totals["bound_by"]
    if name not in WHAT_IFS:
        return (
            f"Nothing limits it alone: twice of any resource saves less than {share_text(LEAST_SAVING)} of the clocks."
        )
    share = share_text(totals[f"saved_by_twice_{name}_cycles"] / totals["total_cycles"])
    return f"It is limited by {name.replace('_', ' ')}: if {WHAT_IFS[name]}, {share} of the clocks would go."


def _longest(records: Sequence[LayerRecord], totals: Mapping[str, Any]) -> str:
    cycles = max(totals["total_cycles"], 1)
    longest = sorted(records, key=lambda record: -record.total_cycles)[:MOST_LAYERS]
    each = ", ".join(f"{record.layer} {share_text(record.total_cycles / cycles)}" for record in longest)
    return f"The longest layers by their share of the clocks: {each}."


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


def sweep_findings(points: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> list[str]:
    """The quickest point of each network and that of least energy, for one image, and how many have no results; first
    networks that lack parts of their models. keys: that vary."""
    failed = sum(1 for point in points if point.get("error") is not None)
    done = [point for point in points if isinstance(point.get("latency_ms"), int | float)]
    networks = list(dict.fromkeys(point["network"] for point in done))
    lines = [
        _best([point for point in done if point["network"] == name], name, keys) for name in networks[:MOST_NETWORKS]
    ]
    if len(networks) > MOST_NETWORKS:
        lines.append(f"{len(networks) - MOST_NETWORKS} more networks are in the table.")
    return [
        *incomplete(done),
        *lines,
        *([f"{failed} of {len(points)} points have an error instead of results."] if failed else []),
    ]


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


def _images(point: Mapping[str, Any]) -> int:
    images: int = point.get("batch", 1) * point.get("inferences", 1)
    return max(1, images)
