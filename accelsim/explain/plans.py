"""The plan of a whole network as one table: tiles, loops, dataflow, groups, residents, estimate and simulation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from accelsim.lowering.compile import estimate
from accelsim.lowering.ir import PlannedLayer
from accelsim.records import LayerRecord
from accelsim.report.finished import run_title
from accelsim.report.quantities import bytes_text
from accelsim.report.tables import fitted
from accelsim.run.simulate import Played

HEADER = ("layer", "unit", "img x row x col", "groups", "out", "in", "loops", "group", "on chip", "estimate", "cycles",
          "moved", "bound")  # fmt: skip
_LEFT = (0, 1, 6, 7, 8)
_SPARE = ("groups", "on chip", "unit", "loops", "in", "out", "group")
"""Columns that a narrow page goes without."""
LEGEND = (
    "tiles: output images x rows x columns; groups; output and input channels of a",
    "  group. loops, outermost first: map, groups, outputs, inputs",
    "estimate: cycles of a layer that is on the array alone, in no group; cycles: as",
    "  simulated; moved: bytes of DRAM bursts; bound: the least of these for a layer",
    "  by itself, however it is tiled",
)


def plans_text(played: Played) -> str:
    """A line for each layer of one inference that has commands, and what the letters stand for."""
    groups: dict[str, str] = {}
    rows = [list(map(str, _cells(each, groups))) for each in plans(played)]
    run = played.run
    named = [f"  {letter}: {group}" for group, letter in groups.items()]
    head = f"{run_title(run)}, objective {run.scheduling.objective}"
    depth_first = ["groups of layers that run depth-first, stripe by stripe:", *named] if named else []
    absorbed = list(_absorbed(played))
    inside = ["operators that another layer does on the way of its data:", *absorbed] if absorbed else []
    return "\n".join([head, fitted(HEADER, rows, _LEFT, _SPARE), *LEGEND, *depth_first, *inside])


def _absorbed(played: Played) -> Iterator[str]:
    """The operators of one inference that are no layers of their own, and where each is done."""
    labels = {node.name: node.label for node in played.lowered.network.nodes}
    return (f"  {name} ({labels[name]}): {way}" for name, way in played.lowered.done_on_ways.items())


def plans(played: Played) -> list[dict[str, Any]]:
    """The plan of each layer of one inference that has commands, by name."""
    records = {record.layer: record for record in played.run.records}
    first = played.lowered.layers[: len(played.run.network.nodes)]
    return [_plan(layer, records[layer.node.name], played.run.network.batch) for layer in first if layer is not None]


def _plan(layer: PlannedLayer, record: LayerRecord, batch: int) -> dict[str, Any]:
    plan, task = layer.plan, layer.task
    found: dict[str, Any] = {
        "layer": layer.node.name,
        "unit": plan.dataflow if layer.on_array else layer.unit.name,
        "images": min(plan.images, batch),
        "rows": plan.rows,
        "columns": plan.cols,
        "groups": plan.groups if layer.on_array else None,
        "outputs": plan.out_channels,
        "inputs": plan.in_channels if layer.on_array else None,
        "order": list(plan.order) if layer.on_array and not record.group else None,
        "group": record.group or None,
        "loaded_channels": task.loaded,
        "input_channels": task.size.channels,
        "stored_channels": task.stored,
        "output_channels": task.output.channels,
        "estimated_cycles": None,
        "total_cycles": record.total_cycles,
        "dram_burst_bytes": record.counts.dram_burst_bytes,
        "dram_bound_bytes": record.dram_bound_bytes,
    }
    if layer.on_array and not record.group:
        found["estimated_cycles"] = round(estimate(task, layer.context).cycles)
    return found


def _cells(plan: dict[str, Any], groups: dict[str, str]) -> Iterator[Any]:
    yield plan["layer"]
    yield plan["unit"]
    yield f"{plan['images']} x {plan['rows']} x {plan['columns']}"
    yield from ("-" if plan[key] is None else plan[key] for key in ("groups", "outputs", "inputs"))
    yield "".join(loop[0] for loop in plan["order"]) if plan["order"] else "-"
    yield groups.setdefault(plan["group"], _letter(len(groups))) if plan["group"] else "-"
    yield _on_chip(plan)
    yield "-" if plan["estimated_cycles"] is None else plan["estimated_cycles"]
    yield plan["total_cycles"]
    yield bytes_text(plan["dram_burst_bytes"])
    yield bytes_text(plan["dram_bound_bytes"])


def _letter(number: int) -> str:
    """A to Z, then AA and so on."""
    before, place = divmod(number, 26)
    return (_letter(before - 1) if before else "") + chr(ord("A") + place)


def _on_chip(plan: dict[str, Any]) -> str:
    """The sides of a layer whose maps, or how many of their channels, are on chip."""
    sides = (("in", "loaded_channels", "input_channels"), ("out", "stored_channels", "output_channels"))
    found = []
    for name, moved, of in sides:
        stays = plan[of] - plan[moved]
        if stays > 0:
            found.append(name if stays == plan[of] else f"{name} {stays}/{plan[of]}")
    return ", ".join(found) or "-"
