"""Operators that the array's ways in and out can do are no layers of their own (docs/machine.md section 4).

A batch norm in front of a convolution is done to the elements on their way to the array, one behind it, or another
function, to the results on their way from it. Such an operator has no commands and no map; it keeps its place among the
nodes, and its operations are counted as its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from accelsim.area.sizes import pool_memory
from accelsim.config.machine import InputPath, Machine, OutputPath
from accelsim.lowering.layout import map_bits
from accelsim.network.graph import Network, Node
from accelsim.network.ops import bytes_under_way, elements_per_clock
from accelsim.network.units import on_array
from accelsim.operators.shapes import Pooled
from accelsim.units import packed_bytes

POOLS = {"max_pool", "avg_pool"}
"""Parts of the way out that make one output of several results."""


def rewrite(network: Network, machine: Machine) -> Network:
    """The network with operators on the ways into and out of the array, where the machine can do them there."""
    bits = map_bits(network, machine.array.activation_bits)
    return _with_ways_in(_with_ways_out(network, machine, bits), machine, bits)


def done_on_ways(network: Network) -> dict[str, str]:
    """Operators of a rewritten network that are no layers of their own, by name: the way that does each."""
    inward, outward = dict[str, list[str]](), dict[str, str]()
    for node in network.nodes:
        outward |= {each.name: f"the output path of {node.name}" for each in node.after}
        for each in node.before:
            inward.setdefault(each.name, []).append(node.name)
    return {name: f"the input path of {', '.join(hosts)}" for name, hosts in inward.items()} | outward


def _with_ways_out(network: Network, machine: Machine, bits: Mapping[str, int]) -> Network:
    """Move to the way out what is done to results of a layer that nobody else reads; pools of an inference take the
    places of those of the one before."""
    ways, writers = dict[str, tuple[Node, ...]](), dict[str, str]()
    made = {node.name: number for number, node in enumerate(network.nodes)}
    room, layers = 0, network.layers
    for number, node in enumerate(network.nodes):
        if number % layers == 0:
            room = pool_memory(machine).capacity_bytes
        if on_array(node, machine):
            ways[node.name] = way = tuple(_behind(node, network, machine, bits, made, room))
            writers |= {each.name: node.name for each in way}
            made |= {each.name: number for each in way}
            room -= sum(_waiting_bytes(each, bits[each.name]) for each in way if each.op.slides)
    return replace(network, nodes=tuple(_with_way(node, ways.get(node.name, ()), writers) for node in network.nodes))


def _with_way(node: Node, way: Sequence[Node], writers: Mapping[str, str]) -> Node:
    """A layer with what its way out does; a map that is added there is an input of its own."""
    behind, shortcuts = node.name, list[str]()
    for each in way:
        shortcuts += [name for name in each.inputs if name != behind]
        behind = each.name
    return replace(
        node,
        inputs=tuple(writers.get(name, name) for name in (*node.inputs, *shortcuts)),
        sizes=(*node.sizes, *(node.output for _ in shortcuts)),
        after=tuple(way),
        output=way[-1].output if way else node.output,
        absorbed=node.name in writers,
    )


def _behind(
    host: Node, network: Network, machine: Machine, bits: Mapping[str, int], made: Mapping[str, int], room: int
) -> Iterator[Node]:
    """The operators behind a layer that its way out does, each part of the way once, one pool, and no add beside it.

    made: number of the layer that makes a map; room: bytes that are left of the pools' buffer.
    """
    stations, node = set[str](), host
    while len(readers := network.consumers[node.name]) == 1:
        (reader,) = readers
        if reader.op.station in stations or not _is_done_on(machine.output_path, reader, bits):
            return
        if reader.op.slides and (stations & {"add", *POOLS} or not _pools(reader, host, machine, bits, room)):
            return
        if reader.op.station == "add" and (stations & POOLS or not _adds(reader, node, host, made)):
            return
        stations.add(str(reader.op.station))
        yield reader
        node = reader


def _adds(add: Node, node: Node, host: Node, made: Mapping[str, int]) -> bool:
    """True where the other map of an add has the same size and is made before the layer is done."""
    others = [name for name in add.inputs if name != node.name]
    before = all(made.get(name, -1) < made[host.name] for name in others)
    return host.op.weighted and len(others) == 1 and len(set(add.sizes)) == 1 and before


def _pools(pool: Node, host: Node, machine: Machine, bits: Mapping[str, int], room: int) -> bool:
    """True where a pool can take results as they come, its buffer has room for what is under way, the activation buffer
    for two rows of outputs with their inputs, and, where windows overlap, the accumulator for all sums of a row."""
    output, each = pool.output, bits[pool.name]
    overlaps = any(axis.waits for axis in pool.pools)
    if overlaps and not (_may_overlap(machine) and _row_sums(pool, machine) <= _sums(host, machine)):
        return False
    row = _under_way_bytes(pool, min(output.channels, machine.array.cols), each)
    rows = host.window.vertical.reach(pool.window.vertical.kernel)
    read = rows * host.sizes[0].width * host.sizes[0].channels
    held = packed_bytes(2 * (read + output.width * output.channels), each)
    fits = row + _waiting_bytes(pool, each) <= room and held <= machine.sram.activation.capacity_bytes
    return fits and all(map(_takes_all, pool.pools, (output.height, output.width)))


def _takes_all(pooled: Pooled, outputs: int) -> bool:
    """True where a pool takes all results along an axis, some of its own for each output."""
    _, each, lead, _ = pooled
    return lead >= 0 and (outputs - 1) * each + lead < pooled.extent <= outputs * each + lead


def _may_overlap(machine: Machine) -> bool:
    """True where maxima or sums can wait for the next tile: in a buffer, not in the accumulator with sums of others."""
    return machine.output_path.pool_overlaps and machine.output_path.pool_in == "buffer"


def _under_way_bytes(pool: Node, channels: int, bits: int) -> int:
    """Bytes of the maxima or sums of a row of outputs."""
    return pool.output.width * channels * bytes_under_way(pool, bits)


def _waiting_bytes(pool: Node, bits: int) -> int:
    """Bytes of the rows of outputs that wait for results of the next tile."""
    return pool.pools[0].waits * _under_way_bytes(pool, pool.output.channels, bits)


def _row_sums(pool: Node, machine: Machine) -> int:
    """Sums that a row of outputs is made of, in the columns of the array."""
    down, across = pool.pools
    _, first = down.results(0, 1)
    return first * across.extent * min(pool.output.channels, machine.array.cols)


def _sums(host: Node, machine: Machine) -> int:
    """Sums that half of the accumulator has room for."""
    return machine.sram.accumulator.capacity_bytes // 2 * 8 // (host.bits.psum or machine.array.psum_bits)


def _with_ways_in(network: Network, machine: Machine, bits: Mapping[str, int]) -> Network:
    """Move to the way in what all readers of a map do to it first on the array."""
    ways = {
        node.name: node
        for node in network.nodes
        if not node.absorbed
        and _is_done_on(machine.input_path, node, bits)
        and _is_read_on_array(node.name, network, machine)
    }
    return replace(network, nodes=tuple(_behind_way(node, ways) for node in network.nodes))


def _behind_way(node: Node, ways: Mapping[str, Node]) -> Node:
    if node.name in ways:
        return replace(node, absorbed=True)
    way = ways.get(node.inputs[0])
    if way is None or node.absorbed:
        return node
    return replace(node, inputs=(*way.inputs, *node.inputs[1:]), before=(way,))


def _is_read_on_array(name: str, network: Network, machine: Machine) -> bool:
    """True where convolutions are all that read a map; none adds it to its results."""
    readers = network.consumers[name]
    return bool(readers) and all(
        node.op.weighted and on_array(node, machine) and node.shortcut != name for node in readers
    )


def _is_done_on(path: InputPath | OutputPath, node: Node, bits: Mapping[str, int]) -> bool:
    """True where a way does an operator; elements are as wide before it as behind it."""
    return bool(elements_per_clock(path, node)) and len({bits[node.name], *(bits[name] for name in node.inputs)}) == 1
