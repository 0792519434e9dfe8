"""Findings of a run in a few sentences: what it costs, what limits it, which layers, what pays, what is assumed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from accelsim.records import ENERGY_COMPONENTS, LayerRecord
from accelsim.report.columns import LEAST_SAVING, WHAT_IFS
from accelsim.report.completeness import INCOMPLETE
from accelsim.report.finished import FinishedRun, run_title
from accelsim.report.quantities import amount_text, digits, share_text

MOST_LAYERS = 3
"""Layers that are named as the longest."""


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
