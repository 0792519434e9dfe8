"""The record of a layer, from what it is, what it did and how long that took."""

from __future__ import annotations

from collections.abc import Mapping

from accelsim.config.machine import Machine
from accelsim.energy.price import price
from accelsim.network.graph import Node
from accelsim.network.units import on_array
from accelsim.records import BUSY, ActionCounts, LayerRecord
from accelsim.run.alone import alone_on_array


def layer_record(
    node: Node,
    batch: int,
    machine: Machine,
    inferences: int,
    group: str,
    counts: ActionCounts,
    measures: Mapping[str, int],
    stalls: Mapping[str, int],
    savings: Mapping[str, int],
    caches: Mapping[str, int],
) -> LayerRecord:
    """The record, priced.

    group: name of the layers it runs depth-first with, or none; measures: by `MEASURES`; stalls: by `STALL_CAUSES`;
    savings: by `RESOURCES`; caches: what requests met in the caches of the machine, if it has any.
    """
    busy = {name: f"{name}_cycles" for name in BUSY}
    return LayerRecord(
        layer=node.name,
        op=node.label,
        kind=node.kind,
        stage=node.stage,
        group=group,
        weights=node.own_weights,
        nonzero_weights=node.nonzeros,
        counts=counts,
        energy=price(counts, measures["total_cycles"], machine, caches),
        pes=machine.array.rows * machine.array.cols,
        array_macs=counts.macs if on_array(node, machine) else 0,
        array_clocks=inferences * alone_on_array(node, batch, machine),
        **{name: amount for name, amount in measures.items() if name not in busy.values()},
        busy_cycles={name: measures[measure] for name, measure in busy.items()},
        stalls=dict(stalls),
        savings=dict(savings),
        caches=dict(caches),
    )
