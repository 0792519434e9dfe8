"""The clocks of folds: as an array of registers takes them or as SCALE-Sim counts them, and as SRAM ports let them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from accelsim.dataflows.contract import (
    NOTHING,
    ArrayShape,
    Dataflow,
    FoldShape,
    Passes,
    Phase,
    Phases,
    Size,
)
from accelsim.program.folds import Fold
from accelsim.units import ceil_div


class Ratio(NamedTuple):
    """`part` for each `whole`."""

    part: Size = 1
    whole: Size = 1

    def of(self, other: Ratio) -> Ratio:
        """A share of a share."""
        return Ratio(self.part * other.part, self.whole * other.whole)


def slower(first: Ratio, second: Ratio) -> Ratio:
    """The larger of two ratios."""
    return first if first.part * second.whole >= second.part * first.whole else second


class Ports(NamedTuple):
    """Bits that pass an SRAM port for an element of a fold, over the bits that it passes a clock."""

    ifmap: Ratio
    weight: Ratio
    ofmap: Ratio
    psum_read: Ratio
    psum_write: Ratio


class Arithmetic(NamedTuple):
    """The larger of two clocks, and a number of bits over those that pass in a clock."""

    larger: Callable[[Size, Size], Size]
    quotient: Callable[[Size, Size], Size]


EXACT = Arithmetic(max, ceil_div)
"""Arithmetic of whole clocks."""


@dataclass(frozen=True, slots=True)
class FoldCount:
    """A way to count the clocks of folds.

    packs_groups: small groups share a fold; columns_alike: pruned weights are zero in the same rows of all columns;
    uncounted: clocks of each product that `array_cycles` leaves out.
    """

    phases: Callable[[Dataflow, FoldShape, ArrayShape], Phases]
    packs_groups: bool = True
    columns_alike: bool = False
    uncounted: int = 0


def _systolic(dataflow: Dataflow, shape: FoldShape, array: ArrayShape) -> Phases:
    """An array of registers: only used rows are loaded, only used columns waited for, all rows drained."""
    return dataflow.phases(shape, array)


def _scalesim_v3(dataflow: Dataflow, shape: FoldShape, array: ArrayShape) -> Phases:
    """SCALE-Sim 3.0.0: each fold as one of the whole array, and no drain of output-stationary results but its port."""
    phases = dataflow.phases(shape, array)
    if dataflow.sums_stay and not shape.last_k:
        return phases
    load = phases.load._replace(clocks=0 if dataflow.sums_stay else array.rows)
    return phases._replace(load=load, vacant=0, tail=array.rows + array.cols - 2 - phases.drain.clocks)


TIMINGS: dict[str, FoldCount] = {
    "systolic": FoldCount(_systolic),
    "scalesim-v3": FoldCount(_scalesim_v3, packs_groups=False, columns_alike=True, uncounted=1),
}
"""SCALE-Sim reports the number of its last cycle, the first being 0, and takes groups for layers of their own."""
if TYPE_CHECKING:
    TimingName: TypeAlias = str
else:
    TimingName = Literal[tuple(TIMINGS)]


def fold_of(
    dataflow: Dataflow,
    shape: FoldShape,
    array: ArrayShape,
    ports: Ports | None = None,
    arithmetic: Arithmetic = EXACT,
) -> Fold:
    """Timing of a fold: each phase as long as the slowest port needs (docs/machine.md section 5), tails as they are.

    Without ports, of one whose operands come and whose results leave as fast as the array lets them.
    """
    phases = TIMINGS[array.timing].phases(dataflow, shape, array)
    if array.passes is not None:
        leaves = phases.tail + array.cols - shape.cols  # a pass leaves as a whole, as late as the last column would
        clocks = pass_clocks(shape, leaves, array.passes, arithmetic)
        phases = phases._replace(stream=phases.stream._replace(clocks=clocks))
    load, stream, drain = (_clocks(phase, ports, arithmetic) for phase in phases[:3])
    return Fold(
        load=load,
        stream=stream,
        drain=phases.vacant + drain,
        tail=phases.tail + phases.vacant + drain,
        skew=arithmetic.larger(shape.rows, shape.cols) - 1,
    )


def pass_clocks(shape: FoldShape, tail: Size, passes: Passes, arithmetic: Arithmetic = EXACT) -> Size:
    """Clocks of the stream of a fold that is cut into passes (docs/machine.md section 2).

    Passes follow each other, and none begins before the one `in_flight` places before it has left. A fold takes the
    longest of: its passes without such waits; all of them leaving `in_flight` at a time, fold behind fold; its last
    pass behind the others, of which whole steps of `in_flight` leave and the rest take an average each, counted with
    and without the last; and, line by line, the whole passes leaving in such steps before what is left of the line.
    """
    larger, quotient, leaving = arithmetic.larger, arithmetic.quotient, tail + passes.leave
    line = larger(shape.line, shape.steps * (shape.line == 0))
    lines, full, rest = quotient(shape.steps, line), line // passes.longest, line % passes.longest
    whole, ragged = larger(passes.longest, passes.shortest), larger(rest, passes.shortest) * (rest > 0)
    of_line = full + (rest > 0)
    count = lines * of_line
    each = lines * (full * whole + ragged)
    least = ragged + whole * (rest == 0)
    last = larger(least, passes.change)
    alone = each - least + last
    share = quotient(alone + count * leaving, passes.in_flight)
    steps, left = (count - 1) // passes.in_flight, (count - 1) % passes.in_flight
    behind = steps * leaving + quotient((steps + left) * each, count)
    steps, left = count // passes.in_flight, count % passes.in_flight
    from_it = steps * leaving + quotient((steps + left - 1) * each, count)
    by_line = lines * (of_line // passes.in_flight * (whole + leaving) + of_line % passes.in_flight * ragged)
    return larger(larger(alone, share), larger(last + larger(behind, from_it), by_line * (full > 0)))


def _clocks(phase: Phase, ports: Ports | None, arithmetic: Arithmetic) -> Size:
    """Clocks of a phase: of the array, or of the port that is slowest."""
    clocks = phase.clocks
    if ports is not None:
        passing = ((count, port) for count, port in zip(phase[1:], ports, strict=True) if count is not NOTHING)
        for count, port in passing:
            clocks = arithmetic.larger(clocks, arithmetic.quotient(count * port.part, port.whole))
    return clocks
