"""Programs and runs as a whole, for tests: what otherwise flows and is forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hypothesis import assume

from accelsim.config.machine import Machine
from accelsim.config.scheduling import Arbitration, Scheduling
from accelsim.errors import LoweringError
from accelsim.lowering.compile import Lowered, lower
from accelsim.machine.accounting import moved
from accelsim.machine.machine import Outcome, play
from accelsim.network.graph import Network
from accelsim.program.commands import NO_ACTIONS, Command, Compute, Load, Program, Tile, kind_of
from accelsim.program.link import Linked, link
from accelsim.records import ActionCounts


def lowered_or_skip(network: Network, machine: Machine, scheduling: Scheduling) -> Lowered:
    """A random network as its program; where a layer does not fit the machine, the case is left out."""
    try:
        return lower(network, machine, scheduling)
    except LoweringError:
        assume(False)
        raise


def settled(lowered: Lowered) -> tuple[Lowered, tuple[Command, ...]]:
    """The program with its commands made once, so that they and their tiles can be changed, and these commands."""
    commands = tuple(lowered.program.commands)
    return replace(lowered, program=replace(lowered.program, commands=commands)), commands


def history(program: Program, machine: Machine, arbitration: Arbitration = "arrival") -> tuple[list[Linked], Outcome]:
    """All commands with when each was where, and what the machine made of them."""
    linked = list(link(program))
    return linked, play(program, linked, machine, arbitration=arbitration)


def dma_counts(program: Program, burst_bytes: int) -> list[ActionCounts]:
    """Actions of the DMA engines for each layer, in DRAM and in SRAM."""
    counts = [NO_ACTIONS] * len(program.layers)
    for command in program.commands:
        if not isinstance(command, Compute):
            parts = command.tile.descriptors
            requested = sum(part.requested_bytes for part in parts)
            bursts = sum(part.bursts(burst_bytes) for part in parts) * burst_bytes
            coded = command.tile.bytes if command.tile.tensor.decoded else 0
            amounts = requested, bursts, len(parts), coded or requested, coded
            counts[command.layer] += moved(kind_of(command), command.tile.buffer, *amounts)
    return counts


def tiles_on_chip(program: Program) -> Iterator[Tile]:
    """Tiles that a program puts on chip, in order."""
    found: dict[Tile, None] = {}
    for command in program.commands:
        found.update(dict.fromkeys(command.results if isinstance(command, Compute) else ()))
        if isinstance(command, Load):
            found[command.tile] = None
    yield from found
