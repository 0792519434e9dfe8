"""The choice of a unit for each depthwise layer, where the machine leaves it open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

from accelsim.config.machine import Machine
from accelsim.config.scheduling import Objective
from accelsim.dataflows import DATAFLOWS
from accelsim.dataflows.work import ONE_OUTPUT, ArrayContext, array_work, requantised
from accelsim.energy.price import price
from accelsim.network.array import layer_product, mac_counts, work_counts
from accelsim.network.depthwise import EnginePiece, depthwise_work, engine_counts, engine_lacks, tail_cycles
from accelsim.network.geometry import (
    input_pixels,
    kernel_positions,
    line_buffer_ratio,
    pixels_under,
    whole_layer,
)
from accelsim.network.graph import Network, Node
from accelsim.network.ops import ops_per_element, vector_cycles
from accelsim.program.folds import cycles_of
from accelsim.records import ActionCounts
from accelsim.unit_kinds import ARRAY, DEPTHWISE, VECTOR, UnitKind
from accelsim.units import packed_bytes


class _UnitEffort(NamedTuple):
    """Clocks of a layer on a unit with all data on chip, and the energy of what the unit then does."""

    cycles: int
    energy_pj: float


def placed(network: Network, machine: Machine, objective: Objective) -> Network:
    """The network with a unit for each depthwise layer that the machine file sends to `auto`.

    The layers' maps pass the same memories on every unit, so what is compared is the unit: its clocks; or its energy,
    leakage included; or both multiplied.
    """
    if machine.array.depthwise_on != "auto":
        return network
    nodes = (
        replace(node, unit=_best(node, network.batch, machine, objective)) if node.is_depthwise else node
        for node in network.nodes
    )
    return replace(network, nodes=tuple(nodes))


def unplaced(network: Network) -> Network:
    """The network with the unit of each layer open again, for another machine."""
    return replace(network, nodes=tuple(replace(node, unit=None) for node in network.nodes))


def _best(node: Node, batch: int, machine: Machine, objective: Objective) -> UnitKind:
    efforts = dict(_efforts(node, batch, machine))
    return min(efforts, key=lambda unit: _SCORES[objective](efforts[unit]))


_SCORES: dict[Objective, Callable[[_UnitEffort], tuple[float, float]]] = {
    "cycles": lambda effort: (effort.cycles, effort.energy_pj),
    "dram_bytes": lambda effort: (effort.cycles, effort.energy_pj),
    "energy": lambda effort: (effort.energy_pj, effort.cycles),
    "edp": lambda effort: (effort.energy_pj * effort.cycles, effort.cycles),
}


def _efforts(node: Node, batch: int, machine: Machine) -> Iterator[tuple[UnitKind, _UnitEffort]]:
    """The effort on each unit that can do the layer."""
    yield ARRAY, _on_array(node, batch, machine)
    yield VECTOR, _on_vector_unit(node, batch, machine)
    if machine.depthwise is not None:
        array = layer_product(node, batch, machine)[1]
        if engine_lacks(node, machine, array.ifmap_bits) is None:
            yield DEPTHWISE, _on_engine(node, batch, machine, array)


def _effort(cycles: int, counts: ActionCounts, machine: Machine) -> _UnitEffort:
    return _UnitEffort(cycles, price(counts, cycles, machine).total_pj)


def _on_array(node: Node, batch: int, machine: Machine) -> _UnitEffort:
    """Effort with the machine's dataflow, or of `auto` the one that takes the fewest clocks."""
    product, array = layer_product(node, batch, machine)
    work, outputs = whole_layer(node, batch), batch * node.output.elements
    positions, under = (node.groups * pixels_under(node, work, patch) for patch in (ONE_OUTPUT, array.patch))
    weight_bytes = packed_bytes(node.stored_weight_bits(machine.array.weight_bits), 1)
    found = []
    for name in DATAFLOWS if machine.array.dataflow == "auto" else (machine.array.dataflow,):
        reuse = line_buffer_ratio(node, work, machine.sram.line_buffer, name, array.patch)
        done = array_work(product, replace(array, dataflow=name), reuse=reuse)
        read = done.ifmap_passes * under * reuse.part // reuse.whole
        counts = ActionCounts(
            **mac_counts(node, array, batch * node.macs, positions),
            **work_counts(done, array, read, weight_bytes, outputs, outputs),
        )
        found.append(_effort(cycles_of(done.chain, overlap=machine.array.overlap), counts, machine))
    return min(found)


def _on_vector_unit(node: Node, batch: int, machine: Machine) -> _UnitEffort:
    work, bits = whole_layer(node, batch), machine.array.activation_bits
    outputs = batch * node.output.elements
    pixels = (input_pixels if machine.sram.line_buffer else kernel_positions)(node, work)
    counts = ActionCounts(
        requantised_results=requantised(outputs, machine.array.psum_bits, bits),
        vector_ops=outputs * ops_per_element(node),
        sram_read_ifmap_bytes=packed_bytes(pixels * node.output.channels, bits),
        sram_read_weight_bytes=packed_bytes(node.stored_weight_bits(machine.array.weight_bits), 1),
        sram_write_ofmap_bytes=packed_bytes(outputs, bits),
    )
    return _effort(
        vector_cycles(machine, counts.vector_ops, counts.sram_read_ifmap_bytes, counts.sram_write_ofmap_bytes),
        counts,
        machine,
    )


def _on_engine(node: Node, batch: int, machine: Machine, array: ArrayContext) -> _UnitEffort:
    """Effort on the depthwise engine, which can do the layer."""
    piece = EnginePiece(node, whole_layer(node, batch), array, node.stored_weight_bits(machine.array.weight_bits))
    done = depthwise_work(piece, machine)
    return _effort(done.cycles + tail_cycles(machine), engine_counts(piece, done), machine)
