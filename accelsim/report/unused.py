"""Compression that a network or a machine asks for and that does nothing, and why."""

from __future__ import annotations

from collections.abc import Iterator

from accelsim.config.machine import Machine
from accelsim.config.workload import NetworkFile
from accelsim.network.graph import Network
from accelsim.network.map_code import row_code


def unused(workload: NetworkFile, network: Network, machine: Machine) -> Iterator[str]:
    """A line for each such thing."""
    codec, bits = machine.dma.map_codec, machine.array.activation_bits
    is_compressed = any(node.compression for node in network.nodes)
    if workload.compress is not None and not is_compressed:
        yield "network.compress does nothing: it has no ratio below 1, and no weights are pruned"
    elif machine.dma.decoder is None and is_compressed:
        yield "network.compress does nothing: the machine has no dma.decoder"
    elif machine.dma.decoder is not None and not is_compressed:
        yield "dma.decoder does nothing: no weights are compressed (network.compress)"
    maps = [(node.zeros, node.bits.output or bits) for node in network.nodes if node.zeros]
    if codec is None and maps:
        yield "network.map_zeros does nothing: the machine has no dma.map_codec"
    if codec is not None and not any(row_code(zeros, width, codec) for zeros, width in maps):
        most = max((zeros for zeros, _ in maps), default=0.0)
        zeros = f"at most {most:.0%} are (network.map_zeros)"
        yield f"dma.map_codec does nothing: no map is shorter as runs of zeros, {zeros}"
