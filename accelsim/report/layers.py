"""A network as a table of layers: what is counted, before anything is simulated."""

from __future__ import annotations

from accelsim.network.graph import Network, Node
from accelsim.report.columns import Value
from accelsim.units import ceil_div


def layer_table(network: Network) -> list[dict[str, Value]]:
    """A row for each layer, in execution order; stage as reports group layers, pad that of the top, fc reads a vector.

    Normalisations and activations are simulated where they can't be fused, but are no rows of a paper's table, unless
    there is nothing else.

    A network whose weights are pruned, or have bits of their own, has columns that say so.
    """
    shown = [node for node in network.nodes if node.op.listed] or list(network.nodes)
    rows = [_row(node) for node in shown]
    if any(node.pruning or node.bits.weight for node in shown):
        rows = [row | _weight_cells(node) for row, node in zip(rows, shown, strict=True)]
    return rows


def _row(node: Node) -> dict[str, Value]:
    size, vertical, horizontal = node.sizes[0], node.window.vertical, node.window.horizontal
    flat = node.label == "fc"
    channels = sum(each.channels for each in node.sizes) if node.op.channels == "sum" else size.channels
    return {
        "name": node.name,
        "stage": node.stage,
        "type": node.label,
        "in_h": 1 if flat else size.height,
        "in_w": 1 if flat else size.width,
        "in_c": size.elements if flat else channels,
        "out_h": node.output.height,
        "out_w": node.output.width,
        "out_c": node.output.channels,
        "kh": 1 if flat else vertical.kernel,
        "kw": 1 if flat else horizontal.kernel,
        "stride": vertical.stride,
        "pad": vertical.pad,
        "groups": node.groups,
        "macs": node.macs,
        "params": node.own_weights,
    }


def _weight_cells(node: Node) -> dict[str, Value]:
    """Cells on the storage of a layer's weights; empty where it has none.

    params_after_pruning counts a bias for each output channel too; effective_macs are those of weights that are left;
    stored_bytes takes 8 bits where the network says none.
    """
    has_weights = node.op.weighted
    pixels = node.output.height * node.output.width
    values: dict[str, Value] = {
        "density_count": float(node.pruning.density) if node.pruning else 1.0,
        "bits": node.bits.weight or "",
        "nnz_weights": node.nonzeros,
        "params_after_pruning": node.nonzeros + node.output.channels,
        "effective_macs": node.nonzeros * pixels,
        "stored_bytes": ceil_div(node.stored_weight_bits(8), 8),
    }
    return values if has_weights else dict.fromkeys(values, "")
