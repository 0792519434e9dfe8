"""Layers with their tile sizes and the place of their weights in DRAM, before anything is emitted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod

from accelsim.config.machine import Machine
from accelsim.errors import LoweringError
from accelsim.lowering.emit.iterations import blocks_in, tap_cuts
from accelsim.lowering.ir import Layout, PlannedLayer, ResidentChannels, Tiling, TilingContext, tile_counts
from accelsim.lowering.layout import aligned
from accelsim.lowering.schedule.residents import Residency
from accelsim.lowering.schedule.weights import WeightResidents
from accelsim.lowering.tiling.cache import TilingCache
from accelsim.network.graph import Network, Node
from accelsim.network.ops import decodes, dram_weight_bits
from accelsim.network.units import unit_of
from accelsim.program.tensors import Tensor
from accelsim.units import ceil_div


def plan_layers(
    network: Network, cache: TilingCache, residency: Residency, weights: WeightResidents
) -> list[PlannedLayer | None] | LoweringError:
    """All layers with their tile sizes, None for those that are only addresses; an error where one does not fit."""
    unread = _unread_after(network, cache, residency)
    tensors: dict[str, Tensor] = {}
    address = cache.layout.next_address
    striped = {name: tiling for cascade in residency.cascades for name, tiling in cascade.tilings.items()}
    layers: list[PlannedLayer | None] = []
    stays = residency.channels
    numbers = {node.name: index for index, node in enumerate(network.nodes) if node.absorbed}
    for index, node in enumerate(network.nodes):
        if cache.is_idle(node):
            layers.append(None)
            continue
        unit = unit_of(node, cache.machine)
        on_array = unit.folds
        low, high = residency.rooms[index]
        context = cache.context(node, high - low, weights)
        found = _tiling(node, cache, stays, weights, context, striped.get(node.name), on_array=on_array)
        if isinstance(found, LoweringError):
            return found
        plan, context = found
        tile = _weight_tile(node, plan, on_array=on_array)
        if tile and node.weights_name not in tensors:
            axes = _weight_axes(plan) if on_array else (0, 1, 2, 3)
            tensor = tensors[node.name] = _weight_tensor(node, tile, axes, cache.machine, address)
            address = aligned(address + tensor.bytes, address)
        task = cache.task(node, stays)
        own = tensors[node.weights_name] if tile else None
        ways = (tuple((numbers[each.name], each) for each in way) for way in (node.before, node.after))
        layers.append(PlannedLayer(index, node, unit, plan, task, context, own, unread.get(index, ()), *ways))
    return layers


def _tiling(
    node: Node,
    cache: TilingCache,
    stays: ResidentChannels,
    weights: WeightResidents,
    context: TilingContext,
    striped: Tiling | None,
    *,
    on_array: bool,
) -> tuple[Tiling, TilingContext] | LoweringError:
    if striped is not None:
        return striped, context
    if not on_array:
        tiling = cache.vector_tiling(node, context.activation_bytes, stays, weights)
        return tiling if isinstance(tiling, LoweringError) else (tiling, context)
    cost = cache.cost(node, context.activation_bytes, stays, weights)
    if isinstance(cost, LoweringError):
        return cost
    assert cost.tiling is not None
    return cost.tiling, replace(context, activation_bytes=cost.most)


def _weight_tile(node: Node, plan: Tiling, *, on_array: bool) -> tuple[int, int, int, int] | None:
    """Groups, output and input channels and kernel positions of a tile of the weights, if there are any."""
    taps = node.window.elements
    if not on_array:
        return (plan.out_channels, 1, 1, taps) if node.is_depthwise else None
    return (plan.groups, plan.out_channels, plan.in_channels, plan.taps or taps) if node.op.weighted else None


def _weight_axes(plan: Tiling) -> tuple[int, ...]:
    """Axes of the weights in the order of the loops over them, the outermost first."""
    axes = {"groups": (0,), "outputs": (1,), "inputs": (3, 2)}
    return tuple(axis for loop in plan.order for axis in axes.get(loop, ()))


def _weight_tensor(
    node: Node, tile: tuple[int, int, int, int], axes: tuple[int, ...], machine: Machine, address: int
) -> Tensor:
    channels = node.output.channels // node.groups, node.sizes[0].channels // node.groups
    decoded = decodes(node, machine)
    compressed = dram_weight_bits(node, machine) if decoded or (node.pruning and not node.compression) else None
    dims = (node.groups, *channels, node.window.elements)
    bits = node.bits.weight or machine.array.weight_bits
    return Tensor(f"{node.name}.weights", dims, bits, address, tile, axes, compressed, decoded)


def _unread_after(network: Network, cache: TilingCache, residency: Residency) -> dict[int, tuple[Tensor, ...]]:
    """For layers, the tensors of feature maps that no later one reads."""
    ends = {layer: cascade.layers[-1] for cascade in residency.cascades for layer in cascade.layers}
    last: dict[Tensor, int] = {}
    for index, node in enumerate(network.nodes):
        if not cache.is_idle(node):
            for name in _read_maps(node, cache):
                last[cache.layout.by_name[name].tensor] = ends.get(index, index)
    unread: dict[int, tuple[Tensor, ...]] = {}
    for tensor, index in last.items():
        unread[index] = (*unread.get(index, ()), tensor)
    return unread


def _read_maps(node: Node, cache: TilingCache) -> Sequence[str]:
    return cache.layout.copies[node.name] if node.op.is_address else node.inputs


def working(layers: Sequence[PlannedLayer | None]) -> Iterator[PlannedLayer]:
    """Layers that have commands."""
    return (layer for layer in layers if layer is not None)


def iteration_count(layer: PlannedLayer, layout: Layout, batch: int) -> int:
    """Tile iterations of a layer."""
    node, plan = layer.node, layer.plan
    if layer.on_array:
        return layer.task.times * prod(tile_counts(layer.task, plan).values())
    if node.op.is_address:
        copied = (size for name, size in zip(node.inputs, node.sizes, strict=True) if name in layout.copies[node.name])
        parts = sum(ceil_div(size.channels, plan.out_channels) for size in copied)
    else:
        parts = ceil_div(node.output.channels, plan.out_channels) * len(tap_cuts(node, plan))
    return parts * blocks_in(node, batch, plan)
