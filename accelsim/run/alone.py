"""A layer on the array alone: all data on chip, SRAM capacity and ports ignored (docs/machine.md sections 2 and 3)."""

from __future__ import annotations

from dataclasses import replace

from accelsim.config.machine import Machine
from accelsim.dataflows import DATAFLOWS, DataflowName
from accelsim.dataflows.contract import ArrayShape, Dataflow, Gemm
from accelsim.dataflows.folding import FoldSequence, array_cycles, fold_sequence
from accelsim.dataflows.work import ArrayContext, without_zeros
from accelsim.network.array import layer_product
from accelsim.network.graph import Node
from accelsim.network.units import on_array


def alone_on_array(node: Node, batch: int, machine: Machine) -> int:
    """Clocks of a layer; with `dataflow: auto` of the quickest of all. 0 where it is none of the array's."""
    if not on_array(node, machine):
        return 0
    return quickest(*layer_product(node, batch, machine), machine)[1]


def folds_alone(node: Node, batch: int, machine: Machine) -> tuple[Dataflow, ArrayShape, FoldSequence]:
    """The dataflow, and the folds that `alone_on_array` counts for a layer on the array."""
    product, array = layer_product(node, batch, machine)
    name = quickest(product, array, machine)[0]
    shorter = without_zeros(product, replace(array, dataflow=name))
    return DATAFLOWS[name], array.shape, fold_sequence(DATAFLOWS[name], shorter, array.shape)


def quickest(product: Gemm, array: ArrayContext, machine: Machine) -> tuple[DataflowName, int]:
    """The machine's dataflow, or of `auto` the quickest, and the clocks it takes."""
    dataflow = machine.array.dataflow
    cycles = {
        name: array_cycles(
            DATAFLOWS[name],
            without_zeros(product, replace(array, dataflow=name)),
            array.shape,
            overlap=machine.array.overlap,
        )
        for name in (DATAFLOWS if dataflow == "auto" else (dataflow,))
    }
    name = min(cycles, key=lambda each: cycles[each])
    return name, cycles[name]
