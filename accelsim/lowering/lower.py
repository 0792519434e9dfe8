"""From a network and a machine to a tile program: place the maps, tile each layer, schedule it all."""

from __future__ import annotations

from dataclasses import dataclass

from accelsim.config.machine import Machine
from accelsim.lowering.layers import Lowerer
from accelsim.lowering.placement import Maps, place_maps
from accelsim.lowering.schedule import schedule
from accelsim.lowering.tiling import Limits, Plan
from accelsim.network.graph import INPUT, Network
from accelsim.program.commands import Buffer, Program
from accelsim.records import ActionCounts


@dataclass(frozen=True, slots=True)
class Lowered:
    """A program, and what is known of each layer before it runs.

    counts: actions of array, vector unit and SRAM ports (DMA's come with the program); stretched_cycles: clocks by
    which SRAM ports lengthen the streams; plans: the tile sizes chosen, None for layers that are only addresses.
    """

    program: Program
    maps: Maps
    counts: tuple[ActionCounts, ...]
    stretched_cycles: tuple[int, ...]
    plans: tuple[Plan | None, ...]


def lower(network: Network, machine: Machine) -> Lowered:
    """The tile program of a network on a machine.

    Raises LoweringError, naming the layer, where a layer's smallest tile does not fit the SRAM.
    """
    maps = place_maps(network, machine.array.activation_bits, scatter=machine.dma.scatter)
    lowerer = Lowerer(machine, Limits.of(machine), network.batch, maps, maps.next_address)
    computes = [command for index, node in enumerate(network.nodes) for command in lowerer.layer(index, node)]
    capacities = {
        Buffer.ACTIVATION: machine.sram.activation.capacity_bytes,
        Buffer.WEIGHT: machine.sram.weight.capacity_bytes,
    }
    given = (maps.by_name[INPUT].tensor, *lowerer.weights)
    program = schedule(tuple(node.name for node in network.nodes), computes, given, capacities)
    return Lowered(program, maps, tuple(lowerer.counts), tuple(lowerer.stretched), tuple(lowerer.plans))
