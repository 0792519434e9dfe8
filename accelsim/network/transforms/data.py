"""Fewer bits and fewer weights: the shapes stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from accelsim.config.transforms import Binarize, Compress, MapZeros, Prune, Quantize
from accelsim.config.transforms import DataBits as BitsSection
from accelsim.network.graph import INPUT, Compression, DataBits, Network, Node, Pruning, WeightKind
from accelsim.network.transforms.rewrite import TransformError, Wrong, rewrite, unknown_layers, with_weights
from accelsim.units import times

RECTIFIERS = ("relu", "relu6")
"""Functions that make zeros of all negative values."""

BITS = {WeightKind.BINARY: 1, WeightKind.TERNARY: 2}


def quantized(network: Network, section: Quantize) -> Network:
    """Bits of all layers, and of those named. A concat or shuffle without bits of its own has those of its inputs.

    Raises TransformError for unknown names, and for bits of weights that a layer does not have.
    """
    weighted = with_weights(network)
    wrong = unknown_layers(section.layers, [INPUT, *(node.name for node in network.nodes)], "or input")
    wrong += _without_weights(section, {node.name for node in network.nodes if node.name not in weighted} | {INPUT})
    slices = {node.name for node in network.nodes if node.op.within}
    wrong += [
        (
            ("layers", name, "activation_bits"),
            "a layer that writes a map, which a slice does not",
            repr(name),
        )
        for name, own in section.layers.items()
        if name in slices and own.activation_bits is not None
    ]
    if wrong:
        raise TransformError(wrong)
    input_bits = section.layers.get(INPUT, BitsSection()).activation_bits or section.activation_bits
    outputs: dict[str, int | None] = dict.fromkeys(network.inputs, input_bits)

    def step(_: Node, node: Node) -> Sequence[Node]:
        own = section.layers.get(node.name, BitsSection())
        output = own.activation_bits
        if output is None and node.op.is_address:
            found = {outputs[name] for name in node.inputs}
            output = found.pop() if len(found) == 1 else None
        outputs[node.name] = output or section.activation_bits
        if node.op.within:
            outputs[node.name] = outputs[node.inputs[0]]
        bits = DataBits(None, outputs[node.name], None)
        if node.op.weighted:
            bits = DataBits(
                own.weight_bits or section.weight_bits, outputs[node.name], own.psum_bits or section.psum_bits
            )
        elif node.op.multiplies_maps:
            bits = replace(bits, psum=section.psum_bits)
        return [replace(node, bits=bits)]

    return replace(rewrite(network, step), input_bits=input_bits)


def _without_weights(section: Quantize, names: set[str]) -> list[Wrong]:
    """Bits of weights or partial sums of layers that have none."""
    return [
        (("layers", name, key), "a layer with weights", repr(name))
        for name, own in section.layers.items()
        if name in names
        for key in ("weight_bits", "psum_bits")
        if getattr(own, key) is not None
    ]


def binarized(network: Network, section: Binarize) -> Network:
    """Binary (Courbariaux et al., NIPS 2015, arXiv 1511.00363) or ternary (Li et al., arXiv 1605.04711) weights."""
    kind = WeightKind(section.weights)
    weighted = with_weights(network)
    kept = {*weighted[:1], *weighted[-1:]} if section.keep_ends else set[str]()

    def step(_: Node, node: Node) -> Sequence[Node]:
        if not node.op.weighted or node.name in kept:
            return [node]
        return [replace(node, weight_kind=kind, bits=replace(node.bits, weight=BITS[kind]))]

    return rewrite(network, step)


def pruned(network: Network, section: Prune) -> Network:
    """The share of each layer's weights that is left; a layer that keeps all is stored as it was.

    Raises TransformError for names of no layers with weights.
    """
    wrong = unknown_layers(section.layers, with_weights(network), "with weights")
    if wrong:
        raise TransformError(wrong)
    index_bits = section.index_bits if section.format == "relative_index" else None

    def step(_: Node, node: Node) -> Sequence[Node]:
        density: Fraction = times(1, section.layers.get(node.name, section.density))
        if not node.op.weighted or density == 1:
            return [node]
        return [replace(node, pruning=Pruning(density, index_bits, section.zeros))]

    return rewrite(network, step)


def compressed(network: Network, section: Compress) -> Network:
    """Weights that lie compressed in DRAM; those of a layer without a ratio as they were pruned.

    Raises TransformError for names of no layers with weights.
    """
    wrong = unknown_layers(section.layers, with_weights(network), "with weights")
    if wrong:
        raise TransformError(wrong)

    def step(_: Node, node: Node) -> Sequence[Node]:
        ratio = section.layers.get(node.name, section.ratio)
        if not node.op.weighted or ratio == 1 or (ratio is None and node.pruning is None):
            return [node]
        return [replace(node, compression=Compression(None if ratio is None else times(1, ratio)))]

    return rewrite(network, step)


def with_map_zeros(network: Network, section: MapZeros) -> Network:
    """Share of zeros in the maps that layers write: of those named, and of those that end in a ReLU or, behind one,
    in a maximum.

    Raises TransformError for names of no layers, and of slices, which write no map.
    """
    names = [node.name for node in network.nodes if not node.op.within]
    wrong = unknown_layers(section.layers, names, "that writes a map")
    if wrong:
        raise TransformError(wrong)

    rectified: set[str] = set()

    def step(_: Node, node: Node) -> Sequence[Node]:
        keeps = (node.op.is_address or node.op.name == "maxpool") and rectified.issuperset(node.inputs)
        if keeps or node.activation in RECTIFIERS or node.op.name in RECTIFIERS:
            rectified.add(node.name)
        share = section.share if node.name in rectified and not node.op.is_address else 0.0
        return [replace(node, zeros=section.layers.get(node.name, share))]

    return rewrite(network, step)
