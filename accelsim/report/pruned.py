"""Parts that an array has for pruned weights, which have no price and no size."""

from __future__ import annotations

from accelsim.network.graph import Network


def pruned_parts(network: Network) -> tuple[str, ...]:
    """Their names: what expands weights at the array's edge that lie pruned in SRAM, and what picks the activations
    that weights which are left need."""
    layers = [node for node in network.nodes if node.pruning is not None]
    parts = {
        "expansion of pruned weights": any(node.compression is None for node in layers),
        "choice of activations by weights that are left": any(
            node.pruning.zeros == "skip" for node in layers if node.pruning
        ),
    }
    return tuple(name for name, is_there in parts.items() if is_there)
