"""The plan of a layer, and those that were not chosen, with their estimates (docs/machine.md section 5)."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import indent
from typing import Any

from accelsim.explain.evidence import Evidence
from accelsim.lowering.compile import alternatives
from accelsim.lowering.ir import SCORE_TOLERANCE, Alternative, LayerTask, Tiling, loop_turns
from accelsim.network.units import on_array, unit_of
from accelsim.report.tables import fitted, page_of, page_width
from accelsim.unit_kinds import UnitKind

HEADER = ("dataflow", "loops", "img x row x col", "groups", "out", "in", "pieces", "cycles",
          "burst bytes", "varying uJ", "")  # fmt: skip
_SPARE = ("groups", "pieces", "burst bytes", "varying uJ", "in", "out")
"""Columns that a narrow page goes without."""
_INDENT = "  "


def plan_text(evidence: Evidence) -> str:
    """Choice of a plan, its task, and the alternatives."""
    if evidence.plan is None or evidence.task is None:
        return f"plan: none, {_hosts(evidence) or 'the layer is only addresses'}"
    task, context = evidence.task
    unit = unit_of(evidence.node, evidence.machine)
    lines = [_chosen(task, evidence.plan, unit)]
    lines += _places(task)
    if not unit.folds:
        rule = "the tiles that move the fewest bytes" if context.objective == "dram_bytes" else "the largest tiles"
        return "\n".join([*lines, f"  on the {unit.title}: {rule} that fit twice, no alternatives are estimated"])
    if evidence.fused:
        return "\n".join(
            [*lines, "  depth-first: stripes of whole rows, in turns with those of the other layers of its cascade"]
        )
    if evidence.machine.array.dataflow == "auto" and len(context.dataflows) == 1:
        lines.append(f"  dataflow: {context.dataflows[0]} throughout, with which the whole program is quickest")
    fitting, estimated, found = alternatives(task, context)
    lines += [
        f"  objective {context.objective}: {fitting} plans fit, {estimated} were estimated; the best of each dataflow",
        "  and loop order, and the next best with other tiles, by estimate (loops outermost first:",
        "  groups, map, outputs, inputs):",
    ]
    rows = [_cells(each, found[0], context.objective) for each in found]
    with page_of(page_width() - len(_INDENT)):
        text = fitted(HEADER, rows, (0, 1, 10), _SPARE)
    return "\n".join([*lines, indent(text, _INDENT)])


def _hosts(evidence: Evidence) -> str:
    """The layers on the way of whose data the layer is done; empty where it is not."""
    name, nodes = evidence.node.name, evidence.played.lowered.network.nodes
    into = [node.name for node in nodes if any(each.name == name for each in node.before)]
    out = [node.name for node in nodes if any(each.name == name for each in node.after)]
    ways = (("to the array", into), ("from the array", out))
    return "; ".join(f"it is done on the way of data {way}, of {', '.join(names)}" for way, names in ways if names)


def plan_dict(evidence: Evidence) -> dict[str, Any] | None:
    """The same for JSON."""
    if evidence.plan is None or evidence.task is None:
        return None
    task, context = evidence.task
    if not on_array(evidence.node, evidence.machine) or evidence.fused:
        return {"objective": context.objective, "chosen": _plan_dict(evidence.plan)}
    fitting, estimated, found = alternatives(task, context)
    chosen, *rejected = map(_considered_dict, found)
    return {
        "objective": context.objective,
        "fitted": fitting,
        "estimated": estimated,
        "chosen": chosen,
        "rejected": rejected,
    }


def _chosen(task: LayerTask, plan: Tiling, unit: UnitKind) -> str:
    sizes = f"{plan.images} x {plan.rows} x {plan.cols} of {task.batch} x {task.output.height} x {task.output.width}"
    each = f"for each of {task.times} images " if task.times > 1 else ""
    if not unit.folds:
        return f"plan: pieces of {sizes} outputs (images x rows x cols), {plan.out_channels} channels"
    return (
        f"plan: {each}{plan.dataflow}, pieces of {sizes} outputs (images x rows x cols), "
        f"{plan.groups} of {task.groups} groups, of a group {plan.out_channels} of {task.group_outputs} output and "
        f"{plan.in_channels} of {task.group_inputs} input channels{_parts(task, plan)}"
    )


def _parts(task: LayerTask, plan: Tiling) -> str:
    """Kernel positions where a tile has not all, tiles that stay together, and bands."""
    parts = f", {plan.taps} of {task.taps} kernel positions" if plan.taps else ""
    sets = ((plan.ifmap_tiles, "the input"), (plan.weight_tiles, "the weights"))
    staying = [f"{number} tiles of {what}" for number, what in sets if number > 1]
    turns = loop_turns(task, plan)
    bands = f", as the map goes in {turns['bands']} bands of {turns['map']} pieces" if "bands" in turns else ""
    return f"{parts}; {' and '.join(staying)} stay{bands}" if staying else parts


def _places(task: LayerTask) -> Iterator[str]:
    """Sentences on the maps that do not pass through DRAM as a whole."""
    if not task.loaded:
        yield "  its input is on chip"
    elif task.loaded < task.size.channels:
        yield f"  {task.loaded} of {task.size.channels} input channels come from DRAM, the others are on chip"
    if not task.stored:
        yield "  its result stays on chip"
    elif task.stored < task.output.channels:
        yield f"  {task.stored} of {task.output.channels} output channels go to DRAM, the others stay on chip"


def _cells(each: Alternative, chosen: Alternative, objective: str) -> list[str]:
    plan = each.tiling
    return [
        plan.dataflow,
        "".join(loop[0] for loop in plan.order),
        f"{plan.images} x {plan.rows} x {plan.cols}",
        str(plan.groups),
        str(plan.out_channels),
        str(plan.in_channels),
        str(each.iterations),
        f"{each.cycles:.0f}",
        f"{each.burst_bytes:.0f}",
        f"{each.energy_pj / 1e6:.2f}",
        _verdict(each, chosen, objective),
    ]


def _verdict(each: Alternative, chosen: Alternative, objective: str) -> str:
    """The reason why a plan was chosen or not."""
    if each is chosen:
        return "chosen"
    more = f"{each.score / chosen.score - 1:.1%} more {_SCORED[objective]}"
    if each.score > SCORE_TOLERANCE * chosen.score:
        return more
    second, words = ("energy_pj", "energy") if objective == "cycles" else ("cycles", "cycles")
    ratio = getattr(each, second) / getattr(chosen, second)
    if ratio > SCORE_TOLERANCE:
        return f"{ratio - 1:.1%} more {words}"
    if each.missing_slots > chosen.missing_slots:
        return "as good, with fewer places for weights"
    if each.iterations > chosen.iterations:
        return "as good, in more pieces"
    return more if each.score > chosen.score else "equal, tried later"


_SCORED = {"cycles": "cycles", "energy": "energy", "edp": "energy x cycles", "dram_bytes": "bytes"}


def _considered_dict(each: Alternative) -> dict[str, Any]:
    return {
        **_plan_dict(each.tiling),
        "pieces": each.iterations,
        "estimated_cycles": each.cycles,
        "estimated_burst_bytes": each.burst_bytes,
        "estimated_energy_pj": each.energy_pj,
    }


def _plan_dict(plan: Tiling) -> dict[str, Any]:
    return {
        "dataflow": plan.dataflow,
        "order": list(plan.order),
        "results": plan.results,
        "images": plan.images,
        "rows": plan.rows,
        "cols": plan.cols,
        "groups": plan.groups,
        "out_channels": plan.out_channels,
        "in_channels": plan.in_channels,
        "kernel_positions": plan.taps,
        "ifmap_tiles": plan.ifmap_tiles,
        "weight_tiles": plan.weight_tiles,
    }
