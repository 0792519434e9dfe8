"""The plan of a layer: the best of all that fit, by the objective (docs/machine.md section 5)."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from accelsim.config.scheduling import Objective
from accelsim.dataflows import DataflowName
from accelsim.errors import LoweringError
from accelsim.lowering.ir import SCORE_TOLERANCE, Alternative, Alternatives, LayerTask, Tiling, TilingContext
from accelsim.lowering.tiling.cost import Estimate, Floats, requested_bytes
from accelsim.lowering.tiling.space import Candidates, activation_bytes, fitting, in_stripes
from accelsim.lowering.tiling.traffic import traffic

MOST_ITERATIONS = 1 << 20
"""Tile iterations of a layer; more would take minutes to simulate and mean that the buffers are too small for it."""

MOST_ESTIMATED = 512
"""Of plans of all sizes; for objectives other than clocks those with the fewest bytes are estimated."""

NEXT_BEST = 3
"""Plans of a dataflow beside the best of each loop order that are shown to those who ask for alternatives."""

MOST_COUNTED = 64
"""Plans with the fewest bytes whose packed rows are counted where elements are not whole bytes."""


class Planned(NamedTuple):
    """The tiling of a layer, and its costs by estimate.

    activation_bytes: the least buffer that it fits; up to the buffer that it was chosen for it is the tiling.
    burst_bytes: bursts in full.
    cycles: clocks, of which compute_cycles of the layer's unit.
    """

    tiling: Tiling
    activation_bytes: int
    burst_bytes: float
    cycles: float
    compute_cycles: float


@lru_cache(maxsize=1 << 13)
def planned(task: LayerTask, context: TilingContext) -> Planned:
    """Tile sizes, loop order and dataflow for a layer on the array, and what they take.

    Raises LoweringError where not even the smallest tiles fit.
    """
    found = [best for dataflow in context.dataflows if (best := _best(task, context, dataflow))]
    if not found:
        raise LoweringError("its smallest tile fits no half of the SRAM buffers")
    _, iterations, chosen = min(found, key=lambda each: each[0])
    if iterations > MOST_ITERATIONS:
        raise LoweringError(f"{iterations} pieces of tiles as small as fit, of which {MOST_ITERATIONS} are the most")
    return chosen


class Stripes(NamedTuple):
    """A tiling in stripes of whole rows and all channels, and clocks of the array for the whole layer."""

    tiling: Tiling
    compute_cycles: float


@lru_cache(maxsize=1 << 12)
def stripes(task: LayerTask, context: TilingContext) -> dict[int, Stripes]:
    """The tiling with the fewest clocks on the array, by rows of a stripe; weights are loaded once."""
    found = dict[int, Stripes]()
    for dataflow in context.dataflows:
        plans = in_stripes(task, context, dataflow)
        cycles = Estimate(task, context, dataflow, plans).compute_cycles
        for index, (rows, clocks) in enumerate(zip(plans.blocks.rows.tolist(), cycles.tolist(), strict=True)):
            if rows not in found or clocks < found[rows].compute_cycles:
                found[rows] = Stripes(plans.plan(index, dataflow), clocks)
    return found


class _Ranked(NamedTuple):
    """Plans with a dataflow. fitted: how many there are; those of `plans` were estimated and scored, `chosen` is best.

    least: the fewest bytes that one asks for, where these are the objective.
    """

    fitted: int
    plans: Candidates
    estimate: Estimate
    score: Floats
    chosen: int
    least: float | None

    def at(self, index: int, dataflow: DataflowName) -> Alternative:
        """One of them."""
        estimate = self.estimate
        score = (*(() if self.least is None else (self.least,)), float(self.score[index]))
        numbers = (float(each[index]) for each in (estimate.cycles, estimate.burst_bytes, estimate.energy_pj))
        return Alternative(self.plans.plan(index, dataflow), score, int(self.plans.iterations[index]), *numbers)

    def noteworthy(self) -> list[int]:
        """The one that is chosen, the best of each loop order, and the next best of all sizes."""
        orders = self.plans.order
        firsts = (np.flatnonzero(orders == order) for order in np.unique(orders))
        best = [int(those[np.argmin(self.score[those])]) for those in firsts]
        others = [index for index in best if orders[index] != orders[self.chosen]]
        next_best = np.argsort(self.score, kind="stable")[:NEXT_BEST].tolist()
        return list(dict.fromkeys([self.chosen, *others, *next_best]))


def alternatives(task: LayerTask, context: TilingContext) -> Alternatives:
    """The chosen tiling, the best of each dataflow and loop order and the next best of each dataflow, by score."""
    by_dataflow = {dataflow: _ranked(task, context, dataflow) for dataflow in context.dataflows}
    rankings = {dataflow: ranked for dataflow, ranked in by_dataflow.items() if ranked is not None}
    fitted = sum(ranked.fitted for ranked in rankings.values())
    estimated = sum(len(ranked.score) for ranked in rankings.values())
    bests, rest = list[Alternative](), list[Alternative]()
    for dataflow, ranked in rankings.items():
        best, *others = (ranked.at(index, dataflow) for index in ranked.noteworthy())
        bests.append(best)
        rest += others
    chosen = min(bests, key=lambda each: each.score)
    rest += [each for each in bests if each is not chosen]
    return Alternatives(fitted, estimated, (chosen, *sorted(rest, key=lambda each: each.score)))


def _best(
    task: LayerTask, context: TilingContext, dataflow: DataflowName
) -> tuple[tuple[float, ...], int, Planned] | None:
    """(what is to be small, pieces, plan) of the best with a dataflow."""
    ranked = _ranked(task, context, dataflow)
    if ranked is None:
        return None
    chosen, plans = ranked.chosen, ranked.plans
    score = (float(ranked.score[chosen]),)
    found = score if ranked.least is None else (ranked.least, *score)
    only = plans.at(np.array([chosen]))
    best = Planned(
        plans.plan(chosen, dataflow),
        int(activation_bytes(task, context, only)[0]),
        float(ranked.estimate.burst_bytes[chosen]),
        float(ranked.estimate.cycles[chosen]),
        float(ranked.estimate.compute_cycles[chosen]),
    )
    return found, int(plans.iterations[chosen]), best


def _ranked(task: LayerTask, context: TilingContext, dataflow: DataflowName) -> _Ranked | None:
    """None where nothing fits."""
    objective = context.objective
    plans = fitting(task, context, dataflow, all_sizes=objective != "cycles")
    fitted, least = len(plans.ins), None
    if not fitted:
        return None
    if objective == "dram_bytes":
        least, plans = _least(task, context, dataflow, plans)
    elif objective != "cycles":
        plans = plans.at(np.argsort(requested_bytes(task, context, plans), kind="stable")[:MOST_ESTIMATED])
    estimate = Estimate(task, context, dataflow, plans)
    score = _score(objective, estimate)
    near = np.flatnonzero(score <= SCORE_TOLERANCE * score.min())
    chosen = int(near[np.lexsort((score[near], plans.iterations[near], estimate.burst_bytes[near]))[0]])
    return _Ranked(fitted, plans, estimate, score, chosen, least)


def _least(
    task: LayerTask, context: TilingContext, dataflow: DataflowName, plans: Candidates
) -> tuple[float, Candidates]:
    """The fewest bytes, and the plans that ask for no more."""
    requested = requested_bytes(task, context, plans)
    array = context.array
    if array.ifmap_bits % 8 or array.ofmap_bits % 8 or array.stored_weights.part % (8 * array.stored_weights.whole):
        plans = plans.at(np.argsort(requested, kind="stable")[:MOST_COUNTED])
        counted = [traffic(task, plans.plan(index, dataflow), array).bytes for index in range(len(plans.ins))]
        requested = np.array(counted, dtype=np.float64)
    least = requested.min()
    return float(least), plans.at(np.flatnonzero(requested == least))


def _score(objective: Objective, estimate: Estimate) -> Floats:
    """What is to be small; among plans that all ask for the fewest bytes, clocks."""
    match objective:
        case "energy":
            return estimate.energy_pj
        case "edp":
            return estimate.energy_pj * estimate.cycles
        case _:
            return estimate.cycles
