"""One page of HTML that shows runs and sweeps: nothing is fetched, and what it shows stands in it as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, NamedTuple, Protocol

from accelsim.records import ENERGY_COMPONENTS, STALL_CAUSES
from accelsim.report.columns import COLUMNS, TOTALS, WHAT_IFS, Value, layer_rows, speedup_column
from accelsim.report.compare import numbered
from accelsim.report.completeness import INCOMPLETE
from accelsim.report.findings import findings, sweep_findings
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
    "clocks": "total_cycles",
    "latency": "latency_ms",
    "inferences a second": "inferences_per_s",
    "use of the array": "utilization",
    "energy": "energy_total_pj",
    "of it DRAM": "dram_energy_share",
    "power": "average_power_mw",
    "area (mm2)": "area_mm2",
}
_SHOWN = ("latency_ms", "energy_total_pj", "utilization", "average_power_mw", "area_mm2", "top1_pct")
"""Columns of the table of a sweep beside those that tell its points apart and the axes."""
_DIGITS = 4
"""Of numbers of a sweep in a page; results.csv has all of them."""


class ShownRun(FinishedRun, Protocol):
    """A finished run, with its configuration and its version of accelsim."""

    @property
    def config(self) -> Mapping[str, Any]: ...
    @property
    def config_sha256(self) -> str: ...
    @property
    def version(self) -> str: ...


class ShownSweep(NamedTuple):
    """The results of a sweep as results.csv has them; described: how many columns tell the points apart."""

    name: str
    version: str
    header: Sequence[str]
    rows: Sequence[Sequence[Value | None]]
    described: Sequence[int]


def page_text(runs: Sequence[ShownRun], sweeps: Sequence[ShownSweep] = (), tried: Sequence[Sequence[str]] = ()) -> str:
    """The page. tried: of each run, the changes that were tried and pay, in words."""
    described = {column.name: (column.unit, column.meaning) for column in COLUMNS}
    described |= {name: (unit, meaning) for name, unit, meaning in TOTALS}
    described |= {speedup_column(name): ("", f"if {meaning}") for name, meaning in WHAT_IFS.items()}
    names = list(dict.fromkeys(name for run in runs for name in run.totals))
    described = {name: ("", f"{name.replace('_', ' ')} of a cache") for name in names} | described
    data = {
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
    columns = {name: [_shortened(row[place]) for row in sweep.rows] for place, name in enumerate(sweep.header)}
    columns |= {name: list(map(_as_number, columns[name])) for name in _settings(sweep)}
    same = {name: values[0] for name, values in columns.items() if len(set(map(str, values))) == 1}
    return {
        "name": sweep.name,
        "version": sweep.version,
        "findings": sweep_findings([dict(zip(sweep.header, row, strict=True)) for row in sweep.rows], _settings(sweep)),
        "header": sweep.header,
        "points": len(sweep.rows),
        "same": same,
        "columns": {name: values for name, values in columns.items() if name not in same},
        "described": [sweep.header[place] for place in sweep.described],
        "shown": _SHOWN,
        "units": {name: described[name][0] for name in sweep.header if name in described},
    }


def _settings(sweep: ShownSweep) -> list[str]:
    """The columns of keys that vary."""
    return [name for place in sweep.described if (name := sweep.header[place]) not in ("point", "network", "machine")]


def _as_number(setting: Value | None) -> Value | None:
    """A setting as a whole number if it is one, so that it sorts and is an axis."""
    return int(setting) if isinstance(setting, str) and setting.isascii() and setting.isdecimal() else setting


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
        row["streaming_cycles"] = record.stream_cycles
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
    cycles = {"streaming": "streaming_cycles"} | {cause: f"stall_{cause}_cycles" for cause in STALL_CAUSES}
    causes = [cause for cause in CLOCK_FILLS if cause not in ("streaming", "MACs")]
    lost = {"MACs": "array_macs"} | {cause: f"lost_{cause}_pe_cycles" for cause in causes}
    charts = (
        ("Energy by component", "uJ", 1e6, energy, COMPONENT_FILLS),
        ("Clocks by what the array does or waits for", "1000 clocks", 1e3, cycles, CLOCK_FILLS),
        ("What became of the array's time", "million PE x clocks", 1e6, lost, CLOCK_FILLS),
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
