"""Clocks of steps that follow one another: a step's weights are loaded while the step before still computes."""

from __future__ import annotations

from typing import NamedTuple

from accelsim.lowering.ir import TilingContext


class Effort(NamedTuple):
    """All that a step asks of the machine.

    cycles: its clocks if nothing was loaded ahead; compute: of these, clocks of its units; transfers: clocks in which
    DRAM moves its data; weights: bytes of them; held: bytes of the weight buffer that it keeps until it ends.
    """

    cycles: float
    compute: float
    transfers: float
    dram_bytes: float
    weights: int
    held: int


NO_EFFORT = Effort(0.0, 0.0, 0.0, 0.0, 0, 0)
"""The effort of a layer that is only addresses."""


class Pace(NamedTuple):
    """The end of a step: clocks in which DRAM was idle, and bytes of the weight buffer that were kept."""

    idle: float
    held: int


def elapsed(before: Pace, effort: Effort, room: int, context: TilingContext) -> tuple[float, Pace]:
    """Clocks of a step behind another, and its own end. room: bytes of the weight buffer."""
    ahead = min(effort.weights, max(0, room - before.held), before.idle * context.bytes_per_cycle)
    saved = context.dma_cycles(ahead)
    cycles = max(effort.compute, effort.cycles - saved)
    return cycles, Pace(max(0.0, cycles - effort.transfers + saved), effort.held)
