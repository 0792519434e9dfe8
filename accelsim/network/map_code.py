"""Codes of feature maps in DRAM: runs of zeros and values (Chen et al., JSSC 52(1), 2017, figure 8)."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

from accelsim.config.machine import MapCodec
from accelsim.network.graph import Network, Node
from accelsim.program.tensors import RowCode
from accelsim.units import times

STEPS = 1 << 20
"""Steps that a share of plain bits is rounded up to."""


def map_codes(network: Network, bits: dict[str, int], codec: MapCodec | None) -> dict[str, RowCode]:
    """Codes of the maps that are shorter for it, by name; bits: of an element of each map."""
    if codec is None:
        return {}
    codes = {name: row_code(zeros, bits[name], codec) for name, zeros in zero_shares(network).items()}
    return {name: code for name, code in codes.items() if code is not None}


def zero_shares(network: Network) -> dict[str, float]:
    """Zeros of each map over its elements. A concat or shuffle without a share of its own has that of its inputs."""
    shares = dict.fromkeys(network.inputs, 0.0)
    for node in network.nodes:
        own = (node.after[-1] if node.after else node).zeros
        shares[node.name] = _mean(node, shares) if node.op.is_address and not own else own
    return shares


def _mean(node: Node, shares: dict[str, float]) -> float:
    channels = [size.channels for size in node.sizes]
    found = zip(node.inputs, channels, strict=True)
    return float(sum(times(count, shares[name]) for name, count in found) / sum(channels))


def row_code(zeros: float, bits: int, codec: MapCodec) -> RowCode | None:
    """Code of maps with this share of zeros, which lie anywhere; None where they are no shorter.

    A pair is a run of up to 2^run_bits - 1 zeros and the next value, a zero where the run is full, so that it stands
    for (1 - zeros^(2^run_bits)) / (1 - zeros) values on average. A word has whole pairs beside its last bit.
    """
    pairs = (codec.word_bits - 1) // (codec.run_bits + bits)
    if not pairs:
        return None
    values = (1 - zeros ** (1 << codec.run_bits)) / (1 - zeros)
    share = Fraction(codec.word_bits, pairs * bits) / Fraction(values)
    return RowCode(ceil(share * STEPS), STEPS, codec.word_bits) if share < 1 else None
