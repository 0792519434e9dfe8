"""The plan of a layer: the best of all that fit, by the objective (docs/machine.md section 5)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from accelsim.config.scheduling import Objective
from accelsim.dataflows import DataflowName
from accelsim.errors import LoweringError
from accelsim.lowering.ir import (
    SCORE_TOLERANCE,
    Alternative,
    Alternatives,
    LayerTask,
    Sizes,
    Tiling,
    TilingContext,
)
from accelsim.lowering.prices import NO_PRICES
from accelsim.lowering.tiling.candidates import Candidates, FittingTilings, Floats, gathered, joined
from accelsim.lowering.tiling.cost import Estimate, requested_bytes
from accelsim.lowering.tiling.footprint import weight_bytes
from accelsim.lowering.tiling.moved import plain_beyond
from accelsim.lowering.tiling.nearby import beside, near
from accelsim.lowering.tiling.sizes import Ints
from accelsim.lowering.tiling.space import in_stripes, least_cycles, searched
from accelsim.program.tensors import share_of_plain

MOST_ITERATIONS = 1 << 20
"""Tile iterations of a layer; more would take minutes to simulate and mean that the buffers are too small for it."""

SHORTLISTED = 12
"""Tilings that are estimated by all their different folds: those that are best by the average one, and as many that
move the least of those that are within a factor of it."""

PROMISING = 1600
"""Tilings that are estimated by the average fold, where clocks count."""

SHORTLIST_TOLERANCE = 1.02

ATTAINABLE_TOLERANCES = (1.04, 1.08)
"""The factors of the clocks that seem attainable with the ends of the best tiling, and with the fewest at the ends,
beyond which tilings beside the best ones are tried."""

REFINEMENT_TOLERANCE = 1.02
"""The factor by which one of these has to be better: estimates of unlike tilings err by as much."""

TOLERANCES = {"cycles": SCORE_TOLERANCE, "energy": SCORE_TOLERANCE, "edp": SCORE_TOLERANCE}
"""The factor within which scores are equal: what clocks are part of is estimated, bytes are nearly counted."""

NEXT_BEST = 3
"""Tilings of a dataflow with other tiles that are shown to those who ask for alternatives, beside the best of each loop
order."""


IN_FLIGHT = 3
"""Tiles of weights, one in use, one that is there and one on its way, with which a store or a row miss in the way of a
load does not hold up the array."""


class Planned(NamedTuple):
    """The tiling of a layer, and its costs by estimate.

    activation_bytes: the least buffer that it fits; up to the buffer that it was chosen for it is the tiling.
    burst_bytes: bursts in full. score: the objective's value. cycles: clocks, of which compute_cycles of the layer's
    unit.
    """

    tiling: Tiling
    activation_bytes: int
    burst_bytes: float
    score: float
    cycles: float
    compute_cycles: float


@lru_cache(maxsize=1 << 13)
def planned(task: LayerTask, context: TilingContext) -> Planned | LoweringError:
    """Tile sizes, loop order and dataflow for a layer on the array, and what they take; an error where not even the
    smallest tiles fit."""
    rankings = _rankings(task, context)
    if not rankings:
        return LoweringError("its smallest tile fits no half of the SRAM buffers")
    best = min(rankings, key=lambda each: each.scores[each.chosen])
    chosen, candidates, estimate = best.chosen, best.candidates, best.estimate
    iterations = int(candidates.iterations[chosen])
    if iterations > MOST_ITERATIONS:
        return LoweringError(f"{iterations} pieces of tiles as small as fit, of which {MOST_ITERATIONS} are the most")
    costs = estimate.burst_bytes, best.scores, estimate.cycles, estimate.compute_cycles
    return Planned(
        candidates.plan(chosen, best.dataflow, task.taps),
        int(candidates.activation_bytes[chosen]),
        *(float(each[chosen]) for each in costs),
    )


class Least(NamedTuple):
    """The least that a layer on the array takes, however it is tiled: its clocks with all data on chip, by the average
    fold, and bytes of feature maps and of weights that it moves."""

    cycles: float
    fmap_bytes: float
    weight_bytes: float


def least(task: LayerTask, context: TilingContext) -> Least:
    """The least that a layer takes."""
    array, size = context.array, task.size
    high = task.reach.vertical.touched(0, task.output.height, size.height)
    pixels = task.batch * high * task.reach.horizontal.touched(0, task.output.width, size.width)
    bits, weights = array.loaded_weights
    loaded = 0.0 if context.resident_weights else task.weights * bits / weights / 8
    fmaps = pixels * task.loaded_inputs * array.ifmap_bits / 8 * share_of_plain(array.ifmap_code)
    fmaps += task.pixels * task.stored * array.ofmap_bits / 8 * share_of_plain(array.ofmap_code)
    loaded_beyond, stored_beyond = plain_beyond(task, array)
    fmaps += pixels * loaded_beyond + task.pixels * stored_beyond
    return Least(*(task.times * each for each in (least_cycles(task, context), fmaps, loaded)))


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
        cycles = Estimate(task, context, dataflow, plans, averaged=False).compute_cycles
        for index, (rows, clocks) in enumerate(zip(plans.blocks.rows.tolist(), cycles.tolist(), strict=True)):
            if rows not in found or clocks < found[rows].compute_cycles:
                found[rows] = Stripes(plans.plan(index, dataflow, task.taps), clocks)
    return found


class _Ranked(NamedTuple):
    """Tilings with a dataflow. fitted: how many fit; those of `candidates` came closest, and `chosen` is best."""

    dataflow: DataflowName
    fitted: int
    candidates: Candidates
    estimate: Estimate
    scores: Floats
    chosen: int

    @property
    def cycles(self) -> float:
        """Clocks of the best."""
        return float(self.estimate.cycles[self.chosen])

    def at(self, index: int, task: LayerTask) -> Alternative:
        """One of them."""
        estimate = self.estimate
        numbers = (float(each[index]) for each in (estimate.cycles, estimate.burst_bytes, estimate.energy_pj))
        tiling = self.candidates.plan(index, self.dataflow, task.taps)
        missing = _missing_slots(estimate.context, self.candidates)
        pieces = int(self.candidates.iterations[index]), int(missing[index])
        return Alternative(tiling, float(self.scores[index]), *pieces, *numbers)

    def noteworthy(self) -> list[int]:
        """The one that is chosen, and the best of each loop order that is another one."""
        orders, scores = self.candidates.order, self.scores
        firsts = (np.flatnonzero(orders == order) for order in np.unique(orders) if order != orders[self.chosen])
        others = (int(those[np.argmin(scores[those])]) for those in firsts)
        different = dict[tuple[object, ...], int]()
        for each in (self.chosen, *others):
            different.setdefault(self.candidates.shape_of(each), each)
        return list(different.values())


def alternatives(task: LayerTask, context: TilingContext) -> Alternatives:
    """The chosen tiling, the best of each dataflow and loop order, and the next best with other tiles of each dataflow,
    by score."""
    bests, rest = list[Alternative](), list[Alternative]()
    rankings = _rankings(task, context)
    for ranked in rankings:
        first, *others = (ranked.at(index, task) for index in ranked.noteworthy())
        bests.append(first)
        rest += others
        rest += _with_other_tiles(task, context, ranked.dataflow, {each.tiling.sizes for each in (first, *others)})
    chosen = min(bests, key=lambda each: each.score)
    rest += [each for each in bests if each is not chosen]
    fitted = sum(ranked.fitted for ranked in rankings)
    return Alternatives(fitted, fitted, (chosen, *sorted(rest, key=lambda each: each.score)))


def _with_other_tiles(
    task: LayerTask, context: TilingContext, dataflow: DataflowName, known: Collection[Sizes]
) -> list[Alternative]:
    """The best tilings of which no two have tiles of the same sizes, nor of those that are known."""
    candidates = _promising(task, context, searched(task, context, dataflow))
    estimate = Estimate(task, context, dataflow, candidates, averaged=True)
    best = np.argsort(_scores(context.objective, estimate), kind="stable")
    first = dict[Sizes, int]()
    for index in best.tolist():
        first.setdefault(candidates.plan(index, dataflow, task.taps).sizes, index)
    others = [index for sizes, index in first.items() if sizes not in known][:SHORTLISTED]
    if not others:
        return []
    ranked = _best(estimate.exactly(np.array(others)), len(others))
    return [ranked.at(index, task) for index in np.argsort(ranked.scores, kind="stable")[:NEXT_BEST].tolist()]


def _rankings(task: LayerTask, context: TilingContext) -> list[_Ranked]:
    """The best tilings with each dataflow that has one."""
    found = (_ranked(task, context, dataflow) for dataflow in context.dataflows)
    return [ranked for ranked in found if ranked is not None]


def _ranked(task: LayerTask, context: TilingContext, dataflow: DataflowName) -> _Ranked | None:
    """Plans of a coarse grid, and then of the sizes near the best of each loop order. None where nothing fits."""
    if context.objective == "cycles":
        quickest = _quickest(task, replace(context, prices=NO_PRICES), dataflow)
        return None if quickest is None else _quickest_ranked(quickest, context)
    coarse = searched(task, context, dataflow)
    fitted = _count(coarse)
    if not fitted:
        return None
    closest = _closest(task, context, dataflow, gathered(coarse))
    best = np.unique(closest.order, return_index=True)[1].tolist()
    fine = [near(task, context, closest.plan(index, dataflow, task.taps)) for index in best]
    every = joined([closest, *(_closest(task, context, dataflow, each) for each in fine if len(each))])
    return _best(Estimate(task, context, dataflow, every, averaged=False), fitted + sum(map(len, fine)))


class _Quickest(NamedTuple):
    """The shortlist of tilings with a dataflow by their clocks, whatever energy costs. fitted: how many fit; least:
    clocks of the array or the bus at least."""

    shortlist: Estimate
    fitted: int
    least: float


@lru_cache(maxsize=1 << 12)
def _quickest(task: LayerTask, context: TilingContext, dataflow: DataflowName) -> _Quickest | None:
    """The tilings that come closest; None where nothing fits."""
    coarse = searched(task, context, dataflow)
    fitted = _count(coarse)
    if not fitted:
        return None
    estimate = Estimate(task, context, dataflow, _promising(task, context, coarse), averaged=True)
    bus = estimate.burst_bytes.min() / context.bytes_per_cycle
    least = float(max(estimate.compute_cycles.min(), bus))
    return _Quickest(estimate.exactly(_shortlist(estimate)), fitted, least)


def _quickest_ranked(quickest: _Quickest, context: TilingContext) -> _Ranked:
    """The best of a shortlist, or of the tilings beside it, if there is a map to cut and fewer clocks seem attainable:
    those of array or bus, and those at the ends, which nothing hides."""
    ranked = _best(quickest.shortlist.priced(context), quickest.fitted)
    task, ramps = ranked.estimate.task, ranked.estimate.ramp_cycles
    ends = float(ramps[ranked.chosen]), float(ramps.min())
    attainable = min(
        tolerance * (quickest.least + each) for tolerance, each in zip(ATTAINABLE_TOLERANCES, ends, strict=True)
    )
    far = task.results > task.batch and ranked.cycles > attainable
    return _refined(ranked) if far else ranked


def _refined(ranked: _Ranked) -> _Ranked:
    """The best of these tilings and of those beside them, if any of these promises to be clearly better."""
    task, context, dataflow = ranked.estimate.task, ranked.estimate.context, ranked.dataflow
    bests = [ranked.candidates.plan(index, dataflow, task.taps) for index in ranked.noteworthy()]
    fine = Estimate(task, context, dataflow, beside(task, context, bests), averaged=True)
    ranked = ranked._replace(fitted=ranked.fitted + len(fine.plans))
    if REFINEMENT_TOLERANCE * fine.cycles.min(initial=np.inf) >= ranked.cycles:
        return ranked
    every = joined([ranked.candidates, fine.plans.at(_shortlist(fine))])
    refined = _best(Estimate(task, context, dataflow, every, averaged=False), ranked.fitted)
    return refined if REFINEMENT_TOLERANCE * refined.cycles < ranked.cycles else ranked


def _closest(task: LayerTask, context: TilingContext, dataflow: DataflowName, candidates: Candidates) -> Candidates:
    """The shortlist of these candidates."""
    return candidates.at(_shortlist(Estimate(task, context, dataflow, candidates, averaged=True)))


def _promising(task: LayerTask, context: TilingContext, found: Sequence[FittingTilings]) -> Candidates:
    """The tilings for which array and bus take the fewest clocks, each by itself, where requested bytes tell."""
    if _count(found) <= PROMISING or task.scattered:
        return gathered(found)
    least = [_least_cycles(task, context, each) for each in found]
    chosen = np.sort(np.argpartition(np.concatenate(least), PROMISING)[:PROMISING])
    starts = np.cumsum([0, *map(len, least)])
    parts = np.split(chosen, np.searchsorted(chosen, starts[1:-1]))
    return joined([each.candidates(part - start) for each, part, start in zip(found, parts, starts[:-1], strict=True)])


def _least_cycles(task: LayerTask, context: TilingContext, fits: FittingTilings) -> Floats:
    """Clocks of array and bus, each by itself, whichever are more."""
    least: Floats = np.maximum(requested_bytes(task, context, fits) / context.bytes_per_cycle, fits.compute_cycles)
    return least


def _count(found: Sequence[FittingTilings]) -> int:
    return sum(len(each.number) for each in found)


def _shortlist(estimate: Estimate) -> Ints:
    """Numbers of the tilings that are best by the average fold, of those close to them that move the least, and of the
    best of each loop order."""
    scores, orders = _scores(estimate.context.objective, estimate), estimate.plans.order
    best = np.lexsort((estimate.burst_bytes, scores))
    close = best[: np.searchsorted(scores[best], SHORTLIST_TOLERANCE * scores[best[0]], side="right")]
    frugal = close[np.argsort(estimate.burst_bytes[close], kind="stable")[:SHORTLISTED]]
    by_order = best[np.unique(orders[best], return_index=True)[1]]
    return np.array(list(dict.fromkeys((*best[:SHORTLISTED].tolist(), *frugal.tolist(), *by_order.tolist()))))


def _best(estimate: Estimate, fitted: int) -> _Ranked:
    """The best of tilings that are estimated by all their different folds; of those that are nearly equal, those with
    the least energy, or the quickest where the objective is not clocks; of these the ones whose weights best have a
    place in time, and of these the one with the fewest tile iterations."""
    context, candidates = estimate.context, estimate.plans
    scores = _scores(context.objective, estimate)
    near = np.flatnonzero(scores <= TOLERANCES.get(context.objective, 1.0) * scores.min())
    ties = estimate.energy_pj if context.objective == "cycles" else estimate.cycles
    near = near[ties[near] <= SCORE_TOLERANCE * ties[near].min()]
    last = candidates.iterations, _missing_slots(context, candidates)
    chosen = int(near[np.lexsort([each[near] for each in (scores, ties, *last)])[0]])
    return _Ranked(estimate.dataflow_name, fitted, candidates, estimate, scores, chosen)


def _missing_slots(context: TilingContext, candidates: Candidates) -> Ints:
    """Places that the weight buffer lacks for the tiles of weights in flight."""
    tile = weight_bytes(context, candidates.groups, candidates.outs, candidates.taps * candidates.ins)
    loads = candidates.group_tiles * candidates.in_tiles * candidates.out_tiles * candidates.weight_loads_each
    missing: Ints = np.maximum(0, np.minimum(IN_FLIGHT, loads) - context.weight_bytes // np.maximum(1, tile))
    return missing


def _scores(objective: Objective, estimate: Estimate) -> Floats:
    """The objective's values."""
    match objective:
        case "energy":
            return estimate.energy_pj
        case "edp":
            return estimate.energy_pj * estimate.followed_cycles
        case "dram_bytes":
            return estimate.burst_bytes
        case _:
            return estimate.followed_cycles
