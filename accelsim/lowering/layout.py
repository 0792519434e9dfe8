"""Addresses of feature maps in DRAM (docs/machine.md section 4).

Concat and channel shuffle are addresses: their inputs' producers write straight to where the result lies, unless
something stands against it; then the layer is an explicit copy. A slice always lies within its input.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from accelsim.config.machine import Machine, MapCodec
from accelsim.lowering.ir import Layout, copied_channels
from accelsim.lowering.placement import Channels, Placement
from accelsim.network.graph import Network, Node
from accelsim.network.map_code import map_codes
from accelsim.program.tensors import ALIGNMENT_BYTES, RowCode, Tensor
from accelsim.units import ceil_div


class MapTensors(NamedTuple):
    """Bits of an element of each map and its code, by name, and the first address of their tensors."""

    bits: dict[str, int]
    codes: dict[str, RowCode]
    first_address: int


def map_bits(network: Network, default: int) -> dict[str, int]:
    """Bits of an element of each map, by name."""
    inputs = dict.fromkeys(network.inputs, network.input_bits or default)
    return inputs | {node.name: node.bits.output or default for node in network.nodes}


def layout_of(network: Network, machine: Machine) -> Layout:
    """Each map of the network in its place in the machine's DRAM."""
    bits, dma = machine.array.activation_bits, machine.dma
    first = machine.dram.first_address or 0
    return lay_out(network, bits, scatter=dma.scatter, first_address=first, codec=dma.map_codec)


def lay_out(
    network: Network, default_bits: int, *, scatter: bool, first_address: int = 0, codec: MapCodec | None = None
) -> Layout:
    """Give each map of the network a place; with `scatter` a store may write channels a stride apart.

    default_bits: of an element, where the network says none; first_address: of the first tensor; codec: of the
    engines that load and store them.
    """
    bits = map_bits(network, default_bits)
    nested: dict[str, tuple[str, Channels]] = {}
    copies: dict[str, tuple[str, ...]] = {}
    slices = {node.name: node for node in network.nodes if node.op.within}
    fixed = {*network.inputs, *slices}
    for node in reversed(network.nodes):
        if node.op.within:
            copies[node.name] = ()
        elif node.op.is_address:
            parts = _parts(node)
            same = [name for name in parts if bits[name] == bits[node.name]]
            free = {name for name in same if _may_nest(network, node, name, nested, fixed, scatter)}
            nested.update({name: (node.name, parts[name]) for name in parts if name in free})
            copies[node.name] = tuple(name for name in node.inputs if name not in free)
    tensors = MapTensors(bits, map_codes(network, bits, codec), first_address)
    return _lay_out(network, tensors, nested, slices, copies)


def _parts(node: Node) -> dict[str, Channels]:
    """The channels that each input becomes in the output of a concat or shuffle."""
    return {name: copied_channels(node, position) for position, name in enumerate(node.inputs)}


def _may_nest(
    network: Network,
    node: Node,
    name: str,
    nested: dict[str, tuple[str, Channels]],
    fixed: Collection[str],
    scatter: bool,
) -> bool:
    """True where input `name` of a concat or shuffle can be written where `node` wants it.

    Channels that would lie apart are for one reader, the shuffle. fixed: maps that have their place.
    """
    if name in fixed or name in nested or node.inputs.count(name) > 1:
        return False
    beside = bool(np.all(np.diff(copied_channels(node, node.inputs.index(name))) == 1))
    together = beside and not _lies_apart(node.name, nested)
    return together or ((scatter or beside) and len(network.consumers[name]) == 1)


def _lies_apart(name: str, nested: dict[str, tuple[str, Channels]]) -> bool:
    """True where neighbouring channels of a map do not lie beside each other."""
    while name in nested:
        name, channels = nested[name]
        if np.any(np.diff(channels) != 1):
            return True
    return False


def _lay_out(
    network: Network,
    tensors: MapTensors,
    nested: dict[str, tuple[str, Channels]],
    slices: dict[str, Node],
    copies: dict[str, tuple[str, ...]],
) -> Layout:
    shapes = {**network.inputs} | {node.name: node.output for node in network.nodes if not node.absorbed}
    by_name: dict[str, Placement] = {}
    address = tensors.first_address
    for name, shape in shapes.items():
        if name in nested or name in slices:
            continue
        dims = (network.batch, shape.height, shape.width, shape.channels)
        tensor = Tensor(name, dims, tensors.bits[name], address, code=tensors.codes.get(name))
        by_name[name] = Placement(tensor, np.arange(shape.channels))
        address = aligned(address + tensor.bytes, tensors.first_address)
    for name in reversed(shapes):
        if name in nested:
            outer, channels = nested[name]
            by_name[name] = Placement(by_name[outer].tensor, by_name[outer].channels[channels])
    for name, node in slices.items():
        place = by_name[node.inputs[0]]
        part = slice(node.first_channel, node.first_channel + node.output.channels)
        by_name[name] = Placement(place.tensor, place.channels[part])
    return Layout(by_name, copies, address)


def aligned(address: int, before: int) -> int:
    """The next address at which a tensor may begin, where another one may at address `before`."""
    return before + ceil_div(address - before, ALIGNMENT_BYTES) * ALIGNMENT_BYTES
