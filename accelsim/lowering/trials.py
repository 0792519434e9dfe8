"""Trials of a whole network: blocks of images that a batch runs in, splits of a unified memory, and plans for other
objectives; and the best of the plans that they give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, product
from math import isqrt

from accelsim.config.machine import Machine
from accelsim.config.plan import Plan
from accelsim.config.scheduling import Objective, Scheduling
from accelsim.errors import PlanError
from accelsim.lowering.ir import PlannedLayer
from accelsim.lowering.schedule.costs import value_of
from accelsim.lowering.schedule.residents import Residency
from accelsim.lowering.schedule.weights import WeightResidents
from accelsim.lowering.tiling.cache import TilingCache
from accelsim.lowering.tiling.search import TOLERANCES
from accelsim.network.graph import Network
from accelsim.network.stream import stream
from accelsim.units import ceil_div

MOST_BLOCKS = 64
"""Blocks of a batch, which bounds the program."""

NO_WORSE = 1.01
"""Ratio of clocks, and of DRAM bytes, to those of the first plan that others may have: those with other blocks, another
split, or weights that stay."""


OBJECTIVES: Mapping[Objective, tuple[Objective, ...]] = {
    "cycles": ("cycles",),
    "dram_bytes": ("dram_bytes",),
    "energy": ("energy", "dram_bytes", "cycles"),
    "edp": ("edp", "cycles", "dram_bytes"),
}
"""The objectives that plans are made for, by the one that the best of them is chosen by: energy and its product with
clocks are sums over a schedule by approximation only."""

EIGHTHS = (2, 4, 6, 7)
"""Eighths of a unified memory for feature maps that are tried beside the part that the machine file has."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A stream of blocks of images, on a machine with its memory split, for an objective."""

    source: Network
    machine: Machine
    objective: Objective

    @property
    def copying(self) -> Trial:
        """The same with shuffles as copies."""
        dma = self.machine.dma.model_copy(update={"scatter": False})
        return replace(self, machine=self.machine.model_copy(update={"dma": dma}))


def trials(network: Network, machine: Machine, scheduling: Scheduling, objective: Objective) -> Iterator[Trial]:
    """A trial for each split of a unified memory and each size of blocks, from single images up. Raises PlanError where
    the split or the size that is given can't be."""
    plan = scheduling.plan
    for split, images in product(memory_splits(machine, plan), block_sizes(network.batch, plan)):
        source = stream(replace(network, batch=images), scheduling.inferences * (network.batch // images))
        trial = Trial(source, split, objective)
        yield trial.copying if plan is not None and plan.scatter is False else trial


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """A plan of a trial. network: as rewritten; weights: those that stay."""

    source: Network
    network: Network
    cache: TilingCache
    layers: tuple[PlannedLayer | None, ...]
    residency: Residency
    weights: WeightResidents

    @property
    def shreds(self) -> bool:
        """True where stores to DRAM write channels apart."""
        return any(layer.shreds for layer in self.layers if layer is not None)

    @property
    def effort(self) -> tuple[float, float]:
        """Clocks and DRAM bytes of the whole stream, by estimate."""
        times = self.network.inferences
        return times * self.residency.cycles, times * self.residency.dram_bytes


def block_sizes(batch: int, plan: Plan | None) -> tuple[int, ...]:
    """Images of a block that are tried, smallest first: one image, as near the square root as there is, all; at least
    those of a tile that is given, or those that are given. Raises PlanError."""
    if plan is not None and plan.images is not None:
        if batch % plan.images or batch // plan.images > MOST_BLOCKS:
            expected = f"a divisor of the batch, {batch}, for at most {MOST_BLOCKS} blocks"
            raise PlanError(("images",), expected, str(plan.images))
        return (plan.images,)
    tiles = [entry.tile.images or 1 for entry in plan.layers] if plan is not None else []
    least = max(ceil_div(batch, MOST_BLOCKS), min(batch, max(tiles, default=1)))
    sizes = [size for size in range(least, batch + 1) if batch % size == 0]
    middle = min(sizes, key=lambda size: abs(size - isqrt(batch)))
    return tuple(dict.fromkeys((sizes[0], middle, batch)))


def memory_splits(machine: Machine, plan: Plan | None) -> Iterator[Machine]:
    """The machine, and with a unified memory those with other splits of it; or that with the split that is given.

    Raises PlanError.
    """
    sram = machine.sram
    given = plan.activation_bytes if plan is not None else None
    if given is not None and not (sram.unified and given < sram.operand_bytes):
        most = f"less than {sram.operand_bytes}, the bytes of a unified memory" if sram.unified else "sram.unified"
        raise PlanError(("activation_bytes",), most, str(given))
    if given is None:
        yield machine
    if sram.unified:
        shares = (sram.operand_bytes * eighths // 8 for eighths in EIGHTHS)
        for size in (given,) if given is not None else shares:
            yield machine.model_copy(update={"sram": sram.split(size)})


def best_plan(plans: Mapping[Objective, Sequence[BlockPlan]]) -> BlockPlan:
    """The best plan by the first of some objectives, of those that were made for each of them; the first, where none is
    better by more than an estimate tells.

    Where clocks are the objective, those plans count that are no worse than the first in clocks and in DRAM bytes.
    """
    objective, (first, *_) = next(iter(plans.items()))
    value = value_of(first.cache, first.weights, first.network.nodes)
    every = chain.from_iterable(plans.values())
    best = min(_no_worse(plans["cycles"]) if objective == "cycles" else every, key=lambda plan: value(*plan.effort))
    return best if TOLERANCES.get(objective, 1.0) * value(*best.effort) < value(*first.effort) else first


def _no_worse(plans: Sequence[BlockPlan]) -> Iterator[BlockPlan]:
    """The first plan, and those that are no worse."""
    cycles, moved = (NO_WORSE * each for each in plans[0].effort)
    yield plans[0]
    yield from (plan for plan in plans[1:] if plan.effort[0] <= cycles and plan.effort[1] <= moved)
