"""The tilings that a given plan asks for: which layers it names, and whether it contradicts itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from accelsim.config.machine import Machine
from accelsim.config.plan import LayerPlan, Plan
from accelsim.config.strict_yaml import KeyPath
from accelsim.dataflows import DATAFLOWS
from accelsim.errors import PlanError, suggestion
from accelsim.lowering.given import FREE, GivenTile
from accelsim.lowering.ir import LayerTask, Layout, Tiling, TilingContext
from accelsim.lowering.tiling.candidates import ORDERS
from accelsim.lowering.tiling.footprint import tile_bytes, weight_bytes
from accelsim.network.graph import Network, Node
from accelsim.network.ops import on_array

_SIZES = {
    "images": "images",
    "rows": "rows",
    "columns": "cols",
    "groups": "groups",
    "outputs": "out_channels",
    "inputs": "in_channels",
    "kernel": "taps",
}
"""Keys of tile sizes, and what they are of a `GivenTile`."""

_SETS = {"inputs": "ifmap_tiles", "weights": "weight_tiles"}
"""Keys of sets of tiles, and what they are of a `GivenTile`."""

_ARRAY_ONLY = frozenset({"dataflow", "order", "groups", "in_channels", "taps", *_SETS.values()})


class GivenLayer(NamedTuple):
    """Choices given for a layer, and where the plan says so last."""

    tile: GivenTile
    path: KeyPath


def given_layers(
    plan: Plan | None, network: Network, machine: Machine, layout: Layout, layers: int
) -> Mapping[str, GivenLayer]:
    """Choices given for each of the first layers, by name. Raises PlanError."""
    if plan is None:
        return {}
    present = (node for node in network.nodes[:layers] if not node.absorbed)
    nodes = [node for node in present if layout.copies.get(node.name) or not node.op.is_address]
    for number, entry in enumerate(plan.layers):
        matching = [node for node in nodes if fnmatchcase(node.name, entry.match)]
        if not matching:
            close = suggestion(entry.match, [node.name for node in nodes])
            expected = f"a layer of {network.name} that has tiles, or a pattern of some{close}"
            raise PlanError(("layers", number, "match"), expected, entry.match)
        _refuse(entry, ("layers", number), matching, machine)
    found = {node.name: given_layer(plan, node, network.batch, machine) for node in nodes}
    return {name: given for name, given in found.items() if given is not None}


def given_layer(plan: Plan, node: Node, batch: int, machine: Machine) -> GivenLayer | None:
    """Choices given for a layer, None if there are none. Raises PlanError."""
    found = None
    for number, entry in enumerate(plan.layers):
        if fnmatchcase(node.weights_name, entry.match):
            before = found.tile if found else FREE
            tile = before._replace(**_given(entry, node, batch, on_array=on_array(node, machine)))
            found = GivenLayer(tile, ("layers", number))
            _refuse_part_of_several_groups(node, found)
            _refuse_part_of_a_kernel(node, found)
    return found


def _given(entry: LayerPlan, node: Node, batch: int, *, on_array: bool) -> dict[str, Any]:
    """The keys of an entry that a layer has, sizes at most those of the layer."""
    choices: dict[str, Any] = {"dataflow": entry.dataflow, "order": tuple(entry.order) if entry.order else None}
    most = _extents(node, batch, on_array=on_array)
    choices |= {name: number for key, name in _SETS.items() if (number := getattr(entry.stay, key))}
    choices |= {name: min(size, most[name]) for key, name in _SIZES.items() if (size := getattr(entry.tile, key))}
    return {
        name: choice for name, choice in choices.items() if choice is not None and (on_array or name not in _ARRAY_ONLY)
    }


def _extents(node: Node, batch: int, *, on_array: bool) -> dict[str, int]:
    groups = node.groups if on_array else 1
    return {
        "images": 1 if node.op.multiplies_maps else batch,
        "rows": node.output.height,
        "cols": node.output.width,
        "groups": groups,
        "out_channels": node.output.channels // groups,
        "in_channels": node.sizes[0].channels // groups,
        "taps": node.window.elements,
    }


def _refuse(entry: LayerPlan, path: KeyPath, matching: Sequence[Node], machine: Machine) -> None:
    """Raises PlanError where none of the layers can have what an entry says."""
    arrayed = [node for node in matching if on_array(node, machine)]
    only = {**entry.tile.model_dump(exclude_none=True), "dataflow": entry.dataflow, "order": entry.order}
    for key, value in only.items():
        if value is not None and _SIZES.get(key, key) in _ARRAY_ONLY and not arrayed:
            where = (*path, "tile", key) if key in _SIZES else (*path, key)
            raise PlanError(where, "a layer on the array", f"{matching[0].name}, which does not run there")
    dataflows = tuple(DATAFLOWS) if machine.array.dataflow == "auto" else (machine.array.dataflow,)
    if entry.dataflow not in (None, *dataflows):
        raise PlanError(
            (*path, "dataflow"), f"{' or '.join(dataflows)}, as array.dataflow has it", entry.dataflow or ""
        )
    if entry.order and tuple(entry.order) not in ORDERS:
        known = "; ".join(", ".join(order) for order in ORDERS)
        raise PlanError((*path, "order"), f"one of {known} (others move no less)", ", ".join(entry.order))


def _refuse_part_of_several_groups(node: Node, given: GivenLayer) -> None:
    """Raises PlanError for a tile of several groups that has not all of their channels."""
    tile, path = given
    most = _extents(node, 1, on_array=True)
    for key, name in (("outputs", "out_channels"), ("inputs", "in_channels")):
        size = getattr(tile, name)
        if tile.groups not in (None, 1) and size not in (None, most[name]):
            expected = f"all {most[name]} of {node.name}, as its tile has {tile.groups} groups"
            raise PlanError((*path, "tile", key), expected, str(size))


def _refuse_part_of_a_kernel(node: Node, given: GivenLayer) -> None:
    """Raises PlanError for kernel positions that are neither rows of the kernel nor an equal part of each."""
    taps, (high, wide) = given.tile.taps, (node.window.vertical.kernel, node.window.horizontal.kernel)
    if taps and taps % wide and (taps > wide or (wide % taps and high > 1)):
        raise PlanError((*given.path, "tile", "kernel"), f"rows of {wide} or an equal part of one", str(taps))


def shortage(task: LayerTask, context: TilingContext) -> str:
    """The buffers that are too small for the tile that is given, sizes that are free being one; else the sums are."""
    given = context.given
    images, rows, cols = (size or 1 for size in given.piece)
    groups, outs, ins = (size or 1 for size in (given.groups, given.out_channels, given.in_channels))
    order = given.order or ORDERS[2]
    taps = given.taps if given.taps != task.taps else None
    tiling = Tiling(images, rows, cols, groups, outs, ins, order, context.dataflows[0], taps)
    needed = {
        "sram.activation": (tile_bytes(task, context, tiling), context.activation_bytes),
        "sram.weight": (
            int(weight_bytes(context, groups, outs, (taps or task.taps) * ins)),
            context.weight_bytes,
        ),
    }
    return ", ".join(_short(needed)) or "more partial sums than half of sram.accumulator holds"


def _short(needed: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    for name, (size, room) in needed.items():
        if size > room:
            yield f"{size} bytes where {name} has {room} for it"
