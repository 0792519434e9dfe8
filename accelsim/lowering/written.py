"""A compiled network's plan as a given plan has it (docs/mapping.md): played again, it leads to the same program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from accelsim.lowering.ir import PlannedLayer
from accelsim.lowering.schedule.residents import Residency
from accelsim.lowering.schedule.weights import WeightResidents
from accelsim.network.graph import Network


def written_plan(
    network: Network, batch: int, layers: Sequence[PlannedLayer | None], residency: Residency, weights: WeightResidents
) -> dict[str, Any]:
    """The keys of `accelsim.config.plan.Plan`. batch: images of all blocks; layers: of the first block."""
    grouped = {network.nodes[number].name for cascade in residency.cascades for number in cascade.layers}
    plan: dict[str, Any] = {
        "layers": [
            _striped(layer) if layer.node.name in grouped else _layer(layer, network.batch)
            for layer in layers
            if layer is not None
        ],
        "groups": [[network.nodes[number].name for number in cascade.layers] for cascade in residency.cascades],
        "keep": list(_kept(network, residency)),
    }
    if batch > 1:
        plan = {"images": network.batch, **plan}
    if network.inferences > 1:
        plan["keep_weights"] = sorted(weights.names)
    return plan


def _striped(layer: PlannedLayer) -> dict[str, Any]:
    """A layer of a group: a group goes stripe by stripe, in no order of its own, with all weights on chip."""
    dataflow = {"dataflow": layer.plan.dataflow} if layer.on_array else {}
    return {"match": layer.node.name, **dataflow, "tile": {"rows": layer.plan.rows}}


def _layer(layer: PlannedLayer, batch: int) -> dict[str, Any]:
    plan = layer.plan
    tile = {"images": min(plan.images, batch), "rows": plan.rows, "columns": plan.cols}
    if not layer.on_array:
        kernel = {"kernel": plan.taps or layer.task.taps} if layer.node.op.sums_map else {}
        return {"match": layer.node.name, "tile": {**tile, "outputs": plan.out_channels, **kernel}}
    tile |= {"groups": plan.groups, "outputs": plan.out_channels, "inputs": plan.in_channels}
    tile |= {"kernel": plan.taps or layer.task.taps}
    stay = {"inputs": plan.ifmap_tiles, "weights": plan.weight_tiles}
    given = {"dataflow": plan.dataflow, "tile": tile, "order": list(plan.order), "results": plan.results, "stay": stay}
    return {"match": layer.node.name, **given}


def _kept(network: Network, residency: Residency) -> Iterator[dict[str, Any]]:
    """Feature maps at their addresses; parts of some behind all that stay whole, as they are placed."""
    channels = {node.name: node.output.channels for node in network.nodes}
    stays = [residency.stays[name] for name in residency.addresses]
    for resident in sorted(stays, key=lambda each: each.channels < channels[each.name]):
        part = {"channels": resident.channels} if resident.channels < channels[resident.name] else {}
        yield {"match": resident.name, **part, "address": residency.addresses[resident.name]}
