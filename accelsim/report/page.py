"""One page of HTML that shows runs and sweeps: nothing is fetched, and what it shows stands in it as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, NamedTuple, Protocol

from accelsim.config.machine import Machine
from accelsim.config.quantities import written_out
from accelsim.records import ENERGY_COMPONENTS
from accelsim.report import compare as comparison
from accelsim.report.columns import COLUMNS, TOTALS, WHAT_IFS, Value, layer_rows, speedup_column
from accelsim.report.compare import numbered
from accelsim.report.completeness import INCOMPLETE
from accelsim.report.findings import Advised, comparison_findings, findings, sweep_findings
from accelsim.report.finished import FinishedRun, run_title
from accelsim.report.groups import group_totals
from accelsim.report.palette import CLOCK_FILLS, COMPONENT_FILLS, SERIES, Fill

BESIDE = ("total_cycles", "energy_total_pj")
"""Columns in which layers of several runs stand side by side."""
_TEXT = {"layer", "op", "stage", "group", "bound_by"}
_LISTED = (
    "layer",
    "op",
    "stage",
    "group",
    "macs",
    "weights",
    "total_cycles",
    "utilization",
    "bound_by",
    "dram_burst_bytes",
    "dram_burst_efficiency",
    "dram_traffic_vs_bound",
    "sram_read_bytes",
    "sram_write_bytes",
    "energy_mac_pj",
    "energy_sram_pj",
    "energy_dram_pj",
    "energy_total_pj",
)
"""Columns of the table of layers."""
_HEADLINE = {
    "cycles": "total_cycles",
    "latency": "latency_ms",
    "inferences a second": "inferences_per_s",
    "utilization": "utilization",
    "energy": "energy_total_pj",
    "of it DRAM": "dram_energy_share",
    "power with DRAM": "average_power_mw",
    "area (mm2)": "area_mm2",
    "TOPS/W without DRAM": "tops_per_w",
}
_SHOWN = ("latency_ms", "energy_total_pj", "utilization", "average_power_mw", "area_mm2", "tops_per_w", "top1_pct")
"""Columns of the table of a sweep beside those that tell its points apart and the axes."""
_COMPARED = ("top1_pct", "weight_bytes", "time_per_image_ms", "energy_per_image_pj", "dram_per_image_bytes")
"""Columns of a comparison."""
_AXES = ("total_cycles", "energy_total_pj"), ("energy_per_image_pj", "top1_pct")
"""Columns against each other at first, of a sweep and of a comparison."""
_CURVES = ("latency_ms", "energy_total_pj", "dram_burst_bytes", "dram_energy_share")
"""Columns against a setting."""
TITLE = "accelsim report"
_DIGITS = 4
"""Digits of a sweep's numbers in a page; results.csv has all of them."""


class ShownRun(FinishedRun, Protocol):
    """A finished run, with its configuration and its version of accelsim."""

    @property
    def config(self) -> Mapping[str, Any]: ...
    @property
    def config_sha256(self) -> str: ...
    @property
    def version(self) -> str: ...


class ShownSweep(NamedTuple):
    """The results of a sweep as results.csv has them, or those of a comparison, by number.

    described: places of the columns that tell the points apart. advised: what a search recommended.
    """

    name: str
    version: str
    header: Sequence[str]
    rows: Sequence[Sequence[Value | None]]
    described: Sequence[int]
    advised: Advised | None = None
    is_comparison: bool = False


def page_text(
    runs: Sequence[ShownRun],
    sweeps: Sequence[ShownSweep] = (),
    tried: Sequence[Sequence[str]] = (),
    title: str = TITLE,
) -> str:
    """The page. tried: of each run, sentences on changes that were tried, or that there was no time for."""
    described = {column.name: (column.unit, column.meaning) for column in comparison.COLUMNS}
    described |= {column.name: (column.unit, column.meaning) for column in COLUMNS}
    described |= {name: (unit, meaning) for name, unit, meaning in TOTALS}
    described |= {speedup_column(name): ("", f"if {meaning}") for name, meaning in WHAT_IFS.items()}
    names = list(dict.fromkeys(name for run in runs for name in run.totals))
    described = {name: ("", f"{name.replace('_', ' ')} of a cache") for name in names} | described
    data = {
        "title": title,
        "runs": [
            {**_run(run, name, names, described), "findings": findings(run, said)}
            for run, name, said in zip(runs, _names(runs), tried or [()] * len(runs), strict=True)
        ],
        "sweeps": [_sweep(sweep, described) for sweep in sweeps],
        "totals": [_column(name, *described[name]) for name in names],
        "columns": [{**_column(name, *described[name]), "text": name in _TEXT} for name in _LISTED],
        "beside": BESIDE,
        "charts": _charts(),
        "series": SERIES,
    }
    template = files("accelsim.report").joinpath("page.html").read_text(encoding="utf-8")
    return template.replace("@DATA@", _embedded(data))


def _embedded(data: Mapping[str, Any]) -> str:
    """JSON that can stand in a script element: nothing in it ends the element or begins a comment."""
    return json.dumps(data, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")


def _names(runs: Sequence[ShownRun]) -> list[str]:
    """Name of each run; numbered where two would be called the same."""
    return numbered([run_title(run) for run in runs])


def _sweep(sweep: ShownSweep, described: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """A sweep by columns, in fewer digits; those that are the same everywhere once."""
    settings = _settings(sweep)
    columns = {name: [_shortened(row[place]) for row in sweep.rows] for place, name in enumerate(sweep.header)}
    columns |= {name: [_plain(name, value) for value in columns[name]] for name in settings}
    same = {name: values[0] for name, values in columns.items() if len(set(map(str, values))) == 1}
    units = {name: described[name][0] for name in sweep.header if name in described}
    return {
        "title": f"{'Comparison' if sweep.is_comparison else 'Sweep'}: {sweep.name}",
        "version": sweep.version,
        "is_comparison": sweep.is_comparison,
        "findings": _findings(sweep),
        "header": sweep.header,
        "points": len(sweep.rows),
        "same": same,
        "columns": {name: values for name, values in columns.items() if name not in same},
        "described": [sweep.header[place] for place in sweep.described],
        "settings": settings,
        "shown": _COMPARED if sweep.is_comparison else _SHOWN,
        "axes": _AXES[sweep.is_comparison],
        "curves": [name for name in _CURVES if name in sweep.header],
        "recommended": sweep.advised.points if sweep.advised else [],
        "outside": sorted(sweep.advised.outside) if sweep.advised else [],
        "units": units | {name: "bytes" for name in settings if _is_size(name)},
    }


def _findings(sweep: ShownSweep) -> list[str]:
    points = [dict(zip(sweep.header, row, strict=True)) for row in sweep.rows]
    return (
        comparison_findings(points) if sweep.is_comparison else sweep_findings(points, _settings(sweep), sweep.advised)
    )


def _settings(sweep: ShownSweep) -> list[str]:
    """The columns of keys that vary."""
    return [name for place in sweep.described if (name := sweep.header[place]) not in ("point", "network", "machine")]


def _plain(key: str, setting: Value | None) -> Value | None:
    """A setting as a number if it is one or has a unit, so that it sorts and is an axis."""
    if isinstance(setting, str) and setting.isascii() and setting.isdecimal():
        return int(setting)
    try:
        value: Value | None = written_out(tuple(key.split(".")), setting, Machine)[1]
    except ValueError:
        return setting
    return value


def _is_size(key: str) -> bool:
    """True for a key of the machine that is in bytes."""
    try:
        return str(written_out(tuple(key.split(".")), "1 B", Machine)[0][-1]).endswith("_bytes")
    except ValueError:
        return False


def _shortened(value: Value | None) -> Value | None:
    if not isinstance(value, float):
        return value
    short = float(f"{value:.{_DIGITS}g}")
    return int(short) if short.is_integer() else short


def _run(run: ShownRun, name: str, totals: Sequence[str], described: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """A run with these totals, null where it has not one."""
    headline = [[title, run.totals[column], described[column][0]] for title, column in _HEADLINE.items()]
    headline += [["accelsim", run.version, ""], ["config SHA-256", run.config_sha256[:12], ""]]
    headline += [["not modelled", each, ""] for each in run.workload.unmodelled]
    if run.left_out is not None:
        headline.insert(0, [INCOMPLETE, str(run.left_out), ""])
    rows = layer_rows(run.records)
    for row, record in zip(rows, run.records, strict=True):
        row["streaming_cycles"] = record.streaming_cycles
        row |= {f"lost_{cause}_cycles": clocks for cause, clocks in record.lost_cycles.items()}
        row["array_macs"] = record.array_macs
    wanted = {*_LISTED, *BESIDE, *(part["column"] for chart in _charts() for part in chart["parts"])}
    rows, groups = (
        [{column: value for column, value in row.items() if column in wanted} for row in each]
        for each in (rows, layer_rows(group_totals(run.records)))
    )
    shown = {total: run.totals.get(total) for total in totals}
    return {
        "name": name,
        "headline": headline,
        "totals": shown,
        "layers": _packed(rows),
        "groups": _packed(groups),
        "config": run.config,
    }


def _packed(rows: Sequence[Mapping[str, Value | None]]) -> dict[str, Any]:
    """Rows of the same columns, whose names stand once."""
    return {"names": list(rows[0]) if rows else [], "rows": [list(row.values()) for row in rows]}


def _column(name: str, unit: str, meaning: str) -> dict[str, str]:
    return {"name": name, "unit": unit, "meaning": meaning}


def _charts() -> list[dict[str, Any]]:
    """Stacked bars: the columns of their parts, and what divides them."""
    energy = {label: f"energy_{name}_pj" for name, label in ENERGY_COMPONENTS.items()}
    causes = [cause for cause in CLOCK_FILLS if cause not in ("streaming", "MACs")]
    cycles = {"streaming": "streaming_cycles"} | {
        cause: f"lost_{cause}_cycles" for cause in causes if cause != "mapping"
    }
    lost = {"MACs": "array_macs"} | {cause: f"lost_{cause}_pe_cycles" for cause in causes}
    charts = (
        ("Energy by component", "uJ", 1e6, energy, COMPONENT_FILLS),
        ("Cycles: streaming, and others by cause", "1000 cycles", 1e3, cycles, CLOCK_FILLS),
        ("Array time: MACs, idle PEs and stalls", "million PE x cycles", 1e6, lost, CLOCK_FILLS),
    )
    return [
        {
            "title": title,
            "unit": unit,
            "per": per,
            "parts": [{"name": name, "column": column, **_filled(fills[name])} for name, column in parts.items()],
        }
        for title, unit, per, parts, fills in charts
    ]


def _filled(fill: Fill) -> dict[str, str]:
    """The colour, and the letter of the hatch."""
    return {"colour": fill.colour, "hatch": fill.hatch[:1]}
