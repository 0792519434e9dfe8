"""The plan of a layer: the best of all that fit, by the objective (docs/machine.md section 5)."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from accelsim.config.machine import Objective
from accelsim.dataflows.contract import DataflowName
from accelsim.errors import LoweringError
from accelsim.lowering.ir import (
    LayerTask,
    Tiling,
    TilingContext,
    piece_bytes,
    plan_for_overlap,
    splits_channels,
    vector_bytes,
)
from accelsim.lowering.tiling.cost import Estimate, Floats, requested_bytes
from accelsim.lowering.tiling.space import (
    AxisTiles,
    Candidates,
    activation_bytes,
    axis_tiles,
    block_keys,
    blocks_of,
    fitting,
    in_stripes,
    sizes_of,
    up,
)
from accelsim.lowering.tiling.traffic import traffic
from accelsim.network.graph import Node

MOST_PIECES = 1 << 20
"""Of a layer; more would take minutes to simulate and mean that the buffers are too small for it."""

SCORE_TOLERANCE = 1.02
"""Plans whose estimated clocks are this near to the least count as equally quick: fewer bytes decide."""

MOST_ESTIMATED = 512
"""Of plans of all sizes; for objectives other than clocks those with the fewest bytes are estimated."""

NEXT_BEST = 3
"""Plans of a dataflow beside the best of each loop order that are shown to those who ask for alternatives."""

MOST_COUNTED = 64
"""Plans with the fewest bytes whose packed rows are counted where elements are not whole bytes."""


class Planned(NamedTuple):
    """The plan of a layer. activation_bytes: the least buffer that it fits; none that needs more is chosen for less, so
    up to the buffer that it was chosen for it is the plan. burst_bytes: bursts in full, by the estimate; asked_bytes:
    exact where elements are whole bytes. score: what was to be small."""

    plan: Tiling
    activation_bytes: int
    burst_bytes: float
    asked_bytes: float
    score: float


@lru_cache(maxsize=1 << 13)
def planned(shape: LayerTask, limits: TilingContext) -> Planned:
    """Tile sizes, loop order and dataflow for a layer on the array, and what they take.

    Raises LoweringError where not even the smallest tiles fit.
    """
    found = [best for dataflow in limits.dataflows if (best := _best(shape, limits, dataflow))]
    if not found:
        raise LoweringError("its smallest tile fits no half of the SRAM buffers")
    _, pieces, chosen = min(found, key=lambda each: each[0])
    if pieces > MOST_PIECES:
        raise LoweringError(f"{pieces} pieces of tiles as small as fit, of which {MOST_PIECES} are the most")
    return chosen


class Stripes(NamedTuple):
    """A plan in stripes of whole rows: its tiles of maps, twice each, in bytes, and the DRAM bytes it asks for.

    score: what is to be small."""

    plan: Tiling
    map_bytes: int
    dram_bytes: float
    score: float


@lru_cache(maxsize=1 << 12)
def stripes(shape: LayerTask, limits: TilingContext) -> dict[int, Stripes]:
    """The best plan with stripes of so many rows and all channels, by rows; weights are loaded once."""
    array, found = limits.array, dict[int, Stripes]()
    for dataflow in limits.dataflows:
        plans = in_stripes(shape, limits, dataflow)
        estimate, asked = Estimate(shape, limits, dataflow, plans), requested_bytes(shape, limits, plans)
        loaded = up(plans.blocks.taken * shape.loaded_inputs * array.ifmap_bits, 8)
        stored = up(plans.blocks.pixels * shape.stored * array.ofmap_bits, 8)
        scores = asked if limits.objective == "dram_bytes" else _score(limits.objective, estimate)
        for index, (rows, score) in enumerate(zip(plans.blocks.rows.tolist(), scores.tolist(), strict=True)):
            if rows not in found or score < found[rows].score:
                maps, moved = 2 * int(loaded[index] + stored[index]), float(asked[index])
                found[rows] = Stripes(plans.plan(index, dataflow), maps, moved, score)
    return found


def plan_vector(node: Node, shape: LayerTask, limits: TilingContext) -> Planned:
    """Tile sizes for a layer on the vector unit, for the fewest bytes or for loads, work and stores to overlap.

    Raises LoweringError where one output of one channel does not fit.
    """
    fewest = _fewest_vector_bytes(node, shape, limits) if limits.objective == "dram_bytes" else None
    plan, least = fewest or plan_for_overlap(node, shape, limits)
    moved = vector_dram_bytes(node, shape, limits, plan.rows, plan.cols)
    return Planned(plan, least, moved, moved, moving_score(moved, limits))


def moving_score(moved: float, limits: TilingContext) -> float:
    """Of so many DRAM bytes alone, what is to be small: all that differs for a layer on the vector unit."""
    cycles = moved / limits.bytes_per_cycle
    energy = moved * limits.prices.dram_byte + cycles * limits.prices.cycle
    return {"dram_bytes": moved, "cycles": cycles, "energy": energy, "edp": energy * cycles}[limits.objective]


def least_vector_room(node: Node, shape: LayerTask, limits: TilingContext) -> int | None:
    """The activation buffer from which on a layer on the vector unit moves the same; None if its tiles share halos."""
    down, across = (axis_tiles(*key) for key in block_keys(shape)[1:])
    if len(set(down.totals.tolist())) + len(set(across.totals.tolist())) > 2:
        return None
    return 2 * piece_bytes(node, shape, limits, 1 if splits_channels(node) else shape.output.channels, (1, 1, 1))[0]


def _fewest_vector_bytes(node: Node, shape: LayerTask, limits: TilingContext) -> tuple[Tiling, int] | None:
    """And the least activation buffer for which they are chosen."""
    blocks = blocks_of(*block_keys(shape))
    found: list[tuple[int, int, Tiling, int]] = []
    for channels in sizes_of(shape.output.channels) if splits_channels(node) else (shape.output.channels,):
        taken, given = blocks.taken * channels, blocks.pixels * channels
        maps, weights = vector_bytes(node, shape, limits, channels, blocks.images, taken, given)
        fits = np.flatnonzero(maps <= limits.activation_half)
        if len(fits) and weights <= limits.weight_half:
            best = fits[np.lexsort((blocks.count[fits], blocks.taken_total[fits]))[0]]
            images, rows, cols = (int(each[best]) for each in (blocks.images, blocks.rows, blocks.cols))
            plan = Tiling(images, rows, cols, 1, channels, channels)
            found.append(
                (
                    int(blocks.taken_total[best]),
                    len(found),
                    plan,
                    2 * int(np.broadcast_to(maps, blocks.images.shape)[best]),
                )
            )
    return min(found)[2:] if found else None


def vector_dram_bytes(node: Node, shape: LayerTask, limits: TilingContext, rows: int, cols: int) -> float:
    """DRAM bytes of a layer on the vector unit in pieces of so many rows and columns, halos included."""
    array, output, size, window = limits.array, shape.output, shape.size, shape.window
    down = axis_tiles(window.vertical, output.height, size.height)
    across = axis_tiles(window.horizontal, output.width, size.width)
    pixels = _total(down, rows) * _total(across, cols)
    given = output.height * output.width * shape.stored * array.ofmap_bits
    weights = node.stored_weight_bits(array.weight_bits) / 8 if node.is_depthwise and not limits.pinned else 0.0
    return shape.batch * (pixels * shape.loaded * array.ifmap_bits + given) / 8 + weights


def _total(tiles: AxisTiles, size: int) -> int:
    """Input rows, or columns, that tiles of this size read, halos counted as often."""
    return int(tiles.totals[np.flatnonzero(tiles.sizes <= size)[0]])


class Considered(NamedTuple):
    """A plan that was estimated. pieces: steps of the layer; DRAM bytes are whole bursts.

    score: what was to be small; with the fewest bytes as the objective these, and then clocks.
    """

    plan: Tiling
    score: tuple[float, ...]
    pieces: int
    cycles: float
    burst_bytes: float
    energy_pj: float


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

    def at(self, index: int, dataflow: DataflowName) -> Considered:
        """One of them."""
        estimate = self.estimate
        score = (*(() if self.least is None else (self.least,)), float(self.score[index]))
        numbers = (float(each[index]) for each in (estimate.cycles, estimate.burst_bytes, estimate.energy_pj))
        return Considered(self.plans.plan(index, dataflow), score, int(self.plans.pieces[index]), *numbers)

    def noteworthy(self) -> list[int]:
        """The one that is chosen, the best of each loop order, and the next best of all sizes."""
        orders = self.plans.order
        firsts = (np.flatnonzero(orders == order) for order in np.unique(orders))
        best = [int(those[np.argmin(self.score[those])]) for those in firsts]
        others = [index for index in best if orders[index] != orders[self.chosen]]
        next_best = np.argsort(self.score, kind="stable")[:NEXT_BEST].tolist()
        return list(dict.fromkeys([self.chosen, *others, *next_best]))


def considered(shape: LayerTask, limits: TilingContext) -> tuple[int, int, list[Considered]]:
    """How many plans fit, how many were estimated, and the chosen one, the best of each dataflow and loop order and the
    next best of each dataflow, after the first by what was to be small."""
    by_dataflow = {dataflow: _ranked(shape, limits, dataflow) for dataflow in limits.dataflows}
    rankings = {dataflow: ranked for dataflow, ranked in by_dataflow.items() if ranked is not None}
    fitted = sum(ranked.fitted for ranked in rankings.values())
    estimated = sum(len(ranked.score) for ranked in rankings.values())
    bests, rest = list[Considered](), list[Considered]()
    for dataflow, ranked in rankings.items():
        best, *others = (ranked.at(index, dataflow) for index in ranked.noteworthy())
        bests.append(best)
        rest += others
    chosen = min(bests, key=lambda each: each.score)
    rest += [each for each in bests if each is not chosen]
    return fitted, estimated, [chosen, *sorted(rest, key=lambda each: each.score)]


def _best(
    shape: LayerTask, limits: TilingContext, dataflow: DataflowName
) -> tuple[tuple[float, ...], int, Planned] | None:
    """(what is to be small, pieces, plan) of the best with a dataflow."""
    ranked = _ranked(shape, limits, dataflow)
    if ranked is None:
        return None
    chosen, plans = ranked.chosen, ranked.plans
    score = (float(ranked.score[chosen]),)
    found = score if ranked.least is None else (ranked.least, *score)
    only = plans.at(np.array([chosen]))
    best = Planned(
        plans.plan(chosen, dataflow),
        int(activation_bytes(shape, limits, only)[0]),
        float(ranked.estimate.burst_bytes[chosen]),
        float(requested_bytes(shape, limits, only)[0]),
        found[0],
    )
    return found, int(plans.pieces[chosen]), best


def _ranked(shape: LayerTask, limits: TilingContext, dataflow: DataflowName) -> _Ranked | None:
    """None where nothing fits."""
    objective = limits.objective
    plans = fitting(shape, limits, dataflow, all_sizes=objective != "cycles")
    fitted, least = len(plans.ins), None
    if not fitted:
        return None
    if objective == "dram_bytes":
        least, plans = _least(shape, limits, dataflow, plans)
    elif objective != "cycles":
        plans = plans.at(np.argsort(requested_bytes(shape, limits, plans), kind="stable")[:MOST_ESTIMATED])
    estimate = Estimate(shape, limits, dataflow, plans)
    score = _score(objective, estimate)
    near = np.flatnonzero(score <= SCORE_TOLERANCE * score.min())
    chosen = int(near[np.lexsort((score[near], plans.pieces[near], estimate.burst_bytes[near]))[0]])
    return _Ranked(fitted, plans, estimate, score, chosen, least)


def _least(
    shape: LayerTask, limits: TilingContext, dataflow: DataflowName, plans: Candidates
) -> tuple[float, Candidates]:
    """The fewest bytes, and the plans that ask for no more."""
    asked = requested_bytes(shape, limits, plans)
    array = limits.array
    if array.ifmap_bits % 8 or array.ofmap_bits % 8 or array.stored_weights.part % (8 * array.stored_weights.whole):
        plans = plans.at(np.argsort(asked, kind="stable")[:MOST_COUNTED])
        counted = [traffic(shape, plans.plan(index, dataflow), array).bytes for index in range(len(plans.ins))]
        asked = np.array(counted, dtype=np.float64)
    least = asked.min()
    return float(least), plans.at(np.flatnonzero(asked == least))


def _score(objective: Objective, estimate: Estimate) -> Floats:
    """What is to be small; among plans that all ask for the fewest bytes, clocks."""
    match objective:
        case "energy":
            return estimate.energy_pj
        case "edp":
            return estimate.energy_pj * estimate.cycles
        case _:
            return estimate.cycles
