"""Costs of layers by themselves, and the objective as a sum over layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from accelsim.errors import LoweringError
from accelsim.lowering.ir import NO_RESIDENTS, ResidentChannels, TilingContext
from accelsim.lowering.schedule.effort import Effort
from accelsim.lowering.schedule.residents import Cost
from accelsim.lowering.schedule.weights import WeightResidents
from accelsim.lowering.tiling.cache import NOTHING, TilingCache
from accelsim.network.graph import Node
from accelsim.network.units import on_array

BUS_SHARE = 1.2
"""Clocks that a clock of the bus at its full speed is worth beside the clocks of a layer, where clocks are the
objective: what a layer does not move, its neighbours can, and plans of equal clocks differ in energy by what they move.
Refreshes are no part of that speed; row misses and turnarounds take about a sixth of it (assumed)."""

BYTES_PER_CLOCK = 1e-3
"""DRAM bytes that a clock is worth where bytes are the objective: of plans that move the same the quicker is chosen."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Costs of layers by themselves. value: of clocks and DRAM bytes to the objective; the least sum is best."""

    cache: TilingCache
    weights: WeightResidents
    value: Callable[[float, float], float]

    def least(self, node: Node, residents: ResidentChannels) -> Effort:
        """The effort of a layer by itself at least, whatever its room: loads and stores share the bus alone."""
        cycles, fmap_bytes, weight_bytes = self.cache.least(node, residents, self.weights)
        moved = fmap_bytes + weight_bytes
        transfers = moved / self.cache.base.bytes_per_cycle
        weights = self.cache.weight_bytes(node, self.weights)
        return Effort(max(cycles, transfers), cycles, transfers, moved, weights, 0)

    def alone(self, node: Node, room: int, residents: ResidentChannels) -> Effort | LoweringError:
        """The effort of a layer by itself with a room for its tiles; an error where it does not fit."""
        cost = self.cache.cost(node, room, residents, self.weights)
        if isinstance(cost, LoweringError):
            return cost
        compute = cost.compute_cycles
        if not on_array(node, self.cache.machine) and cost is not NOTHING:
            compute = self.cache.unit_cycles(
                node, cost.tiling.rows if cost.tiling else node.output.height, self.weights
            )
        weights = self.cache.weight_bytes(node, self.weights)
        transfers = self.cache.base.dma_cycles(cost.burst_bytes)
        held = min(weights, self.weights.room // 2)
        return Effort(max(compute, cost.cycles), compute, transfers, cost.burst_bytes, weights, held)

    def cost(self, node: Node, room: int, residents: ResidentChannels) -> Cost | None:
        """The cost of a layer by itself, nothing loaded ahead; None where it does not fit."""
        effort = self.alone(node, room, residents)
        if isinstance(effort, LoweringError):
            return None
        return Cost(round(effort.dram_bytes), self.value(effort.cycles, effort.dram_bytes))


def value_of(cache: TilingCache, weights: WeightResidents, nodes: Iterable[Node]) -> Callable[[float, float], float]:
    """The objective as a sum over layers, of their clocks and DRAM bytes.

    A product of energy and clocks is no such sum: relative changes of both are added in its place.
    """
    context = cache.base
    match cache.objective:
        case "cycles":
            return lambda cycles, moved: cycles + BUS_SHARE * moved / context.bytes_per_cycle
        case "dram_bytes":
            return lambda cycles, moved: moved + BYTES_PER_CLOCK * cycles
        case "energy":
            return lambda cycles, moved: _energy_pj(context, cycles, moved)
        case "edp":
            all_cycles, all_energy = _layer_by_layer(cache, weights, nodes)
            return lambda cycles, moved: cycles / all_cycles + _energy_pj(context, cycles, moved) / all_energy


def _energy_pj(context: TilingContext, cycles: float, moved: float) -> float:
    """Energy that differs from schedule to schedule: DRAM and leakage."""
    return moved * context.prices.dram_byte + cycles * context.prices.cycle


def _layer_by_layer(cache: TilingCache, weights: WeightResidents, nodes: Iterable[Node]) -> tuple[float, float]:
    """Clocks and varying energy of all layers one by one, without residents; layers that don't fit left out."""
    room = cache.machine.sram.activation.capacity_bytes
    cycles = energy = 0.0
    for node in nodes:
        cost = cache.cost(node, room, NO_RESIDENTS, weights)
        if not isinstance(cost, LoweringError):
            cycles += cost.cycles
            energy += _energy_pj(cache.base, cost.cycles, cost.burst_bytes)
    return cycles or 1.0, energy or 1.0
