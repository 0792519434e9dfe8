"""The tilings that a given plan asks for: which layers it names, and whether it contradicts itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from accelsim.config.machine import Machine
from accelsim.config.plan import LayerPlan, Loop, Order, Plan
from accelsim.config.strict_yaml import KeyPath
from accelsim.dataflows import DATAFLOWS
from accelsim.errors import PlanError, PlanFaults, suggestion
from accelsim.lowering.given import FREE, GivenTile
from accelsim.lowering.ir import Layout
from accelsim.lowering.rewrite import done_on_ways
from accelsim.lowering.tiling.candidates import GATHERING, ORDERS
from accelsim.network.graph import Network, Node
from accelsim.network.units import on_array

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

_LOOPS: Mapping[Loop, tuple[str, ...]] = {
    "groups": ("groups",),
    "map": ("images", "rows", "cols"),
    "outputs": ("out_channels",),
    "inputs": ("in_channels", "taps"),
}
"""The sizes of a `GivenTile` that each loop goes over."""

_ARRAY_ONLY = frozenset(
    {"dataflow", "order", "orders", "results", "gathers", "groups", "in_channels", "taps", *_SETS.values()}
)
"""Keys of an entry, and what they are of a `GivenTile`, that layers on the array alone have."""


class GivenLayer(NamedTuple):
    """Choices given for a layer, and the last entries of the plan to say so, and to give an order."""

    tile: GivenTile
    path: KeyPath
    order_path: KeyPath


def given_layers(
    plan: Plan | None, network: Network, machine: Machine, layout: Layout, faults: PlanFaults
) -> Mapping[str, GivenLayer]:
    """Choices given for each layer of one inference, by name, those with faults left out."""
    if plan is None:
        return {}
    present = (node for node in network.nodes[: network.layers] if not node.absorbed)
    nodes = [node for node in present if layout.copies.get(node.name) or not node.op.is_address]
    found, wrong = dict[str, GivenLayer](), set[str]()
    for number, entry in enumerate(plan.layers):
        path, before = ("layers", number), len(faults.found)
        matching = [node for node in nodes if fnmatchcase(node.name, entry.match)]
        with faults:
            if not matching:
                raise _unmatched(entry.match, path, network, nodes)
            _refuse(entry, path, matching, machine)
        wrong |= {node.name for node in matching} if len(faults.found) > before else set()
    for node in nodes:
        with faults:
            given = _given_layer(plan, node, network.batch, machine)
            if given is not None and node.name not in wrong:
                found[node.name] = given
    return found


def _unmatched(pattern: str, path: KeyPath, network: Network, nodes: Sequence[Node]) -> PlanError:
    close = suggestion(pattern, [node.name for node in nodes])
    expected = f"a layer of {network.name} that has tiles, or a pattern of some{close}"
    return PlanError((*path, "match"), expected, named_on_ways(pattern, network))


def named_on_ways(pattern: str, network: Network) -> str:
    """A name that a plan gives, and if it is that of an operator without a layer of its own where that is done."""
    ways = done_on_ways(network)
    found = next((node for node in network.nodes if node.name in ways and fnmatchcase(node.name, pattern)), None)
    return pattern if found is None else f"{found.name} ({found.label}), which is done in {ways[found.name]}"


def _given_layer(plan: Plan, node: Node, batch: int, machine: Machine) -> GivenLayer | None:
    """Choices given for a layer, None if there are none. Raises PlanError."""
    found = None
    for number, entry in enumerate(plan.layers):
        if fnmatchcase(node.weights_name, entry.match):
            path: KeyPath = "layers", number
            before = found or GivenLayer(FREE, path, path)
            tile = before.tile._replace(**_given(entry, node, batch, on_array=on_array(node, machine)))
            found = GivenLayer(tile, path, path if entry.order else before.order_path)
            _refuse_part_of_several_groups(node, found)
            _refuse_part_of_a_kernel(node, found)
            _refuse_part_of_a_pool(node, found)
    if found is None or found.tile.orders is None:
        return found
    orders = _orders(node, batch, found.tile.orders[0], found)
    return found._replace(tile=found.tile._replace(orders=orders))


def _orders(node: Node, batch: int, order: Order, given: GivenLayer) -> tuple[Order, ...]:
    """The orders of those known that are the same as one that is given, loops of one iteration aside: one for results
    that leave together and one for those that leave apart, where these are free. Raises PlanError."""
    whole = {key for key, extent in _extents(node, batch, on_array=True).items() if _is_whole(given.tile, key, extent)}
    once = {loop for loop, keys in _LOOPS.items() if whole.issuperset(keys)}
    several = [loop for loop in order if loop not in once]
    found: dict[bool, Order] = {}
    for known in (order, *ORDERS):
        if known in ORDERS and [loop for loop in known if loop not in once] == several:
            found.setdefault(ORDERS.index(known) <= GATHERING, known)
    if given.tile.gathers in (None, *found) and found:
        return tuple(found.values())
    expected = "groups outside of outputs and inputs, and inputs inside of map or of outputs"
    if given.tile.gathers is not None:
        expected += f", with {'map' if given.tile.gathers else 'groups'} outermost, as results have it"
    got = f"{', '.join(several)} in {node.name} (loops of one iteration left out)"
    raise PlanError((*given.order_path, "order"), expected, got)


def _is_whole(tile: GivenTile, key: str, extent: int) -> bool:
    """True where a tile has all of an extent."""
    return extent == 1 or getattr(tile, key) == extent


def _given(entry: LayerPlan, node: Node, batch: int, *, on_array: bool) -> dict[str, Any]:
    """The keys of an entry that a layer has, sizes at most those of the layer."""
    choices: dict[str, Any] = {
        "dataflow": entry.dataflow,
        "orders": (tuple(entry.order),) if entry.order else None,
        "gathers": entry.results == "together" if entry.results else None,
    }
    most = _extents(node, batch, on_array=on_array)
    choices |= {name: number for key, name in _SETS.items() if (number := getattr(entry.stay, key))}
    choices |= {name: min(size, most[name]) for key, name in _SIZES.items() if (size := getattr(entry.tile, key))}
    none = () if on_array else _ARRAY_ONLY - _not_on_array(node)
    return {name: choice for name, choice in choices.items() if choice is not None and name not in none}


def _not_on_array(node: Node) -> set[str]:
    """Keys of layers on the array that a layer on another unit has, too: a map that is summed is cut like a kernel."""
    return {"taps"} if node.op.sums_map else set()


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
    others = set[str]().union(*map(_not_on_array, matching))
    only = {**entry.tile.model_dump(exclude_none=True), "dataflow": entry.dataflow, "order": entry.order}
    only |= {"results": entry.results}
    for key, value in only.items():
        if value is not None and _SIZES.get(key, key) in _ARRAY_ONLY - others and not arrayed:
            where = (*path, "tile", key) if key in _SIZES else (*path, key)
            raise PlanError(where, "a layer on the array", f"{matching[0].name}, which does not run there")
    dataflows = tuple(DATAFLOWS) if machine.array.dataflow == "auto" else (machine.array.dataflow,)
    if entry.dataflow not in (None, *dataflows):
        expected = f"{' or '.join(dataflows)}, as array.dataflow has it (array.dataflow=auto has all)"
        raise PlanError((*path, "dataflow"), expected, entry.dataflow or "")


def _refuse_part_of_several_groups(node: Node, given: GivenLayer) -> None:
    """Raises PlanError for a tile of several groups that has not all of their channels."""
    tile, path, _ = given
    most = _extents(node, 1, on_array=True)
    for key, name in (("outputs", "out_channels"), ("inputs", "in_channels")):
        size = getattr(tile, name)
        if tile.groups not in (None, 1) and size not in (None, most[name]):
            expected = f"all {most[name]} of {node.name}, as its tile has {tile.groups} groups"
            raise PlanError((*path, "tile", key), expected, str(size))


def _refuse_part_of_a_kernel(node: Node, given: GivenLayer) -> None:
    """Raises PlanError for kernel positions that are neither rows of the kernel nor an equal part of each."""
    if given.tile.taps is None:
        return
    high, wide = node.window.vertical.kernel, node.window.horizontal.kernel
    known = {*range(wide, high * wide + 1, wide), *(part for part in range(1, wide) if high == 1 or wide % part == 0)}
    if given.tile.taps not in known:
        some = ", ".join(map(str, sorted(known, reverse=True)))
        expected = f"one of {some}, rows of the {high} x {wide} kernel of {node.name} or an equal part of each"
        raise PlanError((*given.path, "tile", "kernel"), expected, str(given.tile.taps))


def _refuse_part_of_a_pool(node: Node, given: GivenLayer) -> None:
    """Raises PlanError for parts of rows, or of several images, where outputs of a pool wait for the next piece."""
    tile, output = given.tile, node.output
    pool = node.pool
    if pool is None or not node.waits:
        return
    several = tile.images not in (None, 1)
    wrong = {"columns": (tile.cols, output.width), "rows": (tile.rows if several else None, output.height)}
    for key, (size, most) in wrong.items():
        if size not in (None, most):
            expected = f"all {most} of {node.name}, behind which {pool.name} has windows that overlap"
            raise PlanError((*given.path, "tile", key), expected, str(size))


def unstriped(node: Node, tile: GivenTile, *, on_array: bool) -> str:
    """Sizes of a tile that are no stripes of whole rows of one image with all channels; empty where they are."""
    most = _extents(node, 1, on_array=on_array)
    wrong = {key: getattr(tile, name) for key, name in _SIZES.items() if getattr(tile, name) not in (None, most[name])}
    wrong.pop("rows", None)
    if on_array and tile.rows == node.output.height:
        wrong["rows"] = tile.rows
    return ", ".join(f"{key}: {size}" for key, size in wrong.items())
