"""Estimate of the time and memory of a run or a check, said before a long one starts."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from math import gcd, inf

from accelsim.config.machine import Machine
from accelsim.errors import ARGUMENTS, Mistake, UserError
from accelsim.lowering.compile import Lowered
from accelsim.machine.memory.dram import kernels
from accelsim.network.graph import Network

LOGGER = logging.getLogger("accelsim")

WORTH_SAYING_S = 60
MOST_S = 7 * 24 * 3600
"""Time of a run that is refused: who means a week and not a mistake can cut the network in parts."""
_ITERATION_S = 450e-6
_BURST_S = 1e-6 if kernels.is_compiled() else 30e-6
"""Processor time of a tile iteration with its commands, and of a DRAM burst, on one core of a 2.5 GHz Xeon."""

NODE_S = 0.0095
"""Rough work of planning a layer: measured on `edge`."""

WORTH_SAYING_BYTES = 2 << 30
_KEPT_BYTES = 8 << 10
"""Memory of a tile iteration whose commands are all kept, for a trace or an explanation, as measured."""
_APART_BYTES = 4 << 10
"""Memory of a tile iteration whose results are loaded again, as measured: who waits for them is told of its store."""
_ELEMENT_BYTES = 32
"""Memory that a check takes for an element of a map or a weight, as measured: values, cells, and those in between."""
_CELL_BYTES = 2
"""Memory that a check takes for a cell of an SRAM buffer."""
_TAP_S, _STEP_S, _ELEMENT_S = 30e-6, 3e-9, 175e-9
"""Processor time of a check for a kernel position of a tile iteration, for a MAC or an element under a window, and for
an element of a map or a weight, as measured."""
_UNITS = ((24 * 3600, "days"), (3600, "hours"), (60, "minutes"))


def announce_run(lowered: Lowered, machine: Machine, inferences: int, *, checks: bool = False) -> None:
    """Say how long a program takes to play, where that is over a minute, and how much memory, where that is over 2 GiB.
    checks: on numbers, too. Raises UserError where it is over a week, or more memory than there is."""
    bursts = sum(lowered.least_dram_bytes) * inferences // machine.dram.burst_bytes
    seconds = lowered.iterations * _ITERATION_S + bursts * _BURST_S + (check_seconds(lowered) if checks else 0)
    work = f"about {lowered.iterations:.2g} tile iterations and {bursts:.2g} DRAM bursts, {duration(seconds)}"
    if seconds > MOST_S:
        raise UserError([Mistake(ARGUMENTS, 0, "network", "one that is simulated within 7 days", work)])
    if seconds >= WORTH_SAYING_S:
        LOGGER.warning(f"{lowered.network.name} on {machine.name} takes {work}")
    _announce_memory(lowered.iterations_apart * _APART_BYTES, f"to simulate {lowered.network.name}", "simulated")


def announce_history(lowered: Lowered) -> None:
    """Say how much memory it takes to keep all commands of a program, where that is over 2 GiB. Raises UserError where
    it is more than there is."""
    name = lowered.network.name
    _announce_memory(lowered.iterations * _KEPT_BYTES, f"to keep all that happens in {name}", "traced or explained")


def announce_planning(network: Network) -> None:
    """Say how long it takes to plan a network, where that is over a minute."""
    seconds = NODE_S * len(network.nodes)
    if seconds >= WORTH_SAYING_S:
        LOGGER.warning(f"to plan {network.name} takes {duration(seconds)} at most")


def announce_comparison(networks: Sequence[Network]) -> None:
    """Say how long it takes to plan networks one after the other, where that is over a minute."""
    seconds = NODE_S * sum(len(network.nodes) for network in networks)
    if seconds >= WORTH_SAYING_S and len(networks) > 1:
        LOGGER.warning(f"{len(networks)} networks take {duration(seconds)}")


def announce_sweep(points: int, networks: Sequence[tuple[Network, int]]) -> None:
    """Say how much processor time points take, where that is over a minute. networks: some of theirs, each with the
    number of its points."""
    layers = sum(len(network.nodes) * count for network, count in networks)
    seconds = NODE_S * layers * points / max(1, sum(count for _, count in networks))
    if seconds >= WORTH_SAYING_S:
        LOGGER.warning(f"{points} points take {duration(seconds)} of processor time")


def announce_check(network: Network, machine: Machine, inferences: int) -> None:
    """Say how much memory a check takes, where that is over 2 GiB. Raises UserError where it is more than there is."""
    cells = machine.sram.operand_bytes * 8 // gcd(8, machine.array.weight_bits, machine.array.activation_bits)
    needed = _checked_elements(network) * inferences * _ELEMENT_BYTES + cells * _CELL_BYTES
    _announce_memory(needed, f"to check {network.name}", "checked")


def _checked_elements(network: Network) -> int:
    """Elements of all maps and weights."""
    maps = [*network.inputs.values(), *(node.output for node in network.nodes)]
    return sum(each.elements for each in maps) * network.batch + network.weights


def check_seconds(lowered: Lowered) -> float:
    """Processor time of a check beside that of the run: of its program, and of the direct computation."""
    steps = sum(max(node.macs, node.window.elements * node.output.elements) for node in lowered.source.nodes)
    elements = _checked_elements(lowered.source)
    return lowered.kernel_positions * _TAP_S + steps * lowered.source.batch * _STEP_S + elements * _ELEMENT_S


def _announce_memory(needed: int, what: str, done: str) -> None:
    there = _memory_bytes()
    if needed > there:
        expected = f"one that is {done} in the {there / 2**30:.1f} GiB of this machine"
        raise UserError([Mistake(ARGUMENTS, 0, "network", expected, f"about {needed / 2**30:,.0f} GiB")])
    if needed > WORTH_SAYING_BYTES:
        LOGGER.warning(f"{what} takes about {needed / 2**30:.1f} GiB of memory")


def _memory_bytes() -> float:
    """Memory of this machine; without bound where the system does not tell, as on Windows."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return inf


def duration(seconds: float) -> str:
    """A time in the largest unit that there is one of."""
    size, unit = next((each for each in _UNITS if seconds >= 1.5 * each[0]), (1, "seconds"))
    return f"about {seconds / size:.0f} {unit}"
