"""Operators that the array's ways in and out can do are no layers of their own (docs/machine.md section 4).

A batch norm in front of a convolution is done to the elements on their way to the array, one behind it, or another
function, to the results on their way from it. Such an operator has no commands and no map; it keeps its place among the
nodes, and its operations are counted as its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from accelsim.config.machine import InputPath, Machine, OutputPath
from accelsim.lowering.layout import map_bits
from accelsim.network.graph import Network, Node
from accelsim.network.ops import elements_per_clock, on_array
from accelsim.operators.shapes import Axis
from accelsim.units import ceil_div, packed_bytes


def rewrite(network: Network, machine: Machine) -> Network:
    """The network with operators on the ways into and out of the array, where the machine can do them there."""
    bits = map_bits(network, machine.array.activation_bits)
    return _with_ways_in(_with_ways_out(network, machine, bits), machine, bits)


def _with_ways_out(network: Network, machine: Machine, bits: Mapping[str, int]) -> Network:
    """Move to the way out what is done to results of a layer that nobody else reads."""
    hosts = (node for node in network.nodes if on_array(node, machine))
    ways = {node.name: tuple(_behind(node, network, machine, bits)) for node in hosts}
    writers = {node.name: host for host, way in ways.items() for node in way}
    nodes = (
        replace(
            node,
            inputs=tuple(writers.get(name, name) for name in node.inputs),
            after=ways.get(node.name, ()),
            output=ways[node.name][-1].output if ways.get(node.name) else node.output,
            absorbed=node.name in writers,
        )
        for node in network.nodes
    )
    return replace(network, nodes=tuple(nodes))


def _behind(host: Node, network: Network, machine: Machine, bits: Mapping[str, int]) -> Iterator[Node]:
    """The operators behind a layer that its way out does, each part of the way once."""
    stations, node = set[str](), host
    while len(readers := network.consumers[node.name]) == 1:
        (reader,) = readers
        if reader.op.station in stations or not _is_done_on(machine.output_path, reader, bits):
            return
        if reader.op.slides and not _pools(reader, host, machine, bits[reader.name]):
            return
        stations.add(str(reader.op.station))
        yield reader
        node = reader


def _pools(pool: Node, host: Node, machine: Machine, bits: int) -> bool:
    """True where a pool takes each result once, its buffer holds a row, and the activation buffer two rows of outputs
    with their inputs."""
    axes = (pool.window.vertical, pool.window.horizontal)
    size, output = pool.sizes[0], pool.output
    extents = ((size.height, output.height), (size.width, output.width))
    apart = all(
        axis == Axis(axis.stride, axis.stride) and extent == outputs * axis.stride
        for axis, (extent, outputs) in zip(axes, extents, strict=True)
    )
    each = ceil_div(bits + (pool.window.elements - 1).bit_length() * (pool.op.station == "avg_pool"), 8)
    row = output.width * min(output.channels, machine.array.cols) * each
    rows = host.window.vertical.of_several(pool.window.vertical.kernel).kernel
    read = rows * host.sizes[0].width * host.sizes[0].channels
    held = packed_bytes(2 * (read + output.width * output.channels), bits)
    return apart and row <= machine.output_path.pool_buffer_bytes and held <= machine.sram.activation.capacity_bytes


def _with_ways_in(network: Network, machine: Machine, bits: Mapping[str, int]) -> Network:
    """Move to the way in what all readers of a map do to it first on the array."""
    ways = {
        node.name: node
        for node in network.nodes
        if not node.absorbed
        and _is_done_on(machine.input_path, node, bits)
        and _is_read_on_array(network.consumers[node.name], machine)
    }
    return replace(network, nodes=tuple(_behind_way(node, ways) for node in network.nodes))


def _behind_way(node: Node, ways: Mapping[str, Node]) -> Node:
    if node.name in ways:
        return replace(node, absorbed=True)
    way = ways.get(node.inputs[0])
    return node if way is None or node.absorbed else replace(node, inputs=way.inputs, before=(way,))


def _is_read_on_array(readers: list[Node], machine: Machine) -> bool:
    return bool(readers) and all(node.op.weighted and on_array(node, machine) for node in readers)


def _is_done_on(path: InputPath | OutputPath, node: Node, bits: Mapping[str, int]) -> bool:
    """True where a way does an operator; elements are as wide before it as behind it."""
    return bool(elements_per_clock(path, node)) and len({bits[node.name], *(bits[name] for name in node.inputs)}) == 1
