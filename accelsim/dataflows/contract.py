"""The dataflows: how a matrix product is cut into folds (docs/machine.md sections 2, 3 and 5).

A dataflow is one entry of `DATAFLOWS`. It says which of M, K, N the rows and columns of the array carry, which one
is streamed, and what an array step moves through the SRAM ports; everything else follows. How the clocks of a fold are
counted is one entry of `TIMINGS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from accelsim.program.folds import Fold, FoldChain, join, repeat, single
from accelsim.units import ceil_div

DataflowName = Literal["ws", "is", "os"]
Dimension = Literal["m", "k", "n"]
TimingName = Literal["systolic", "scalesim-v3"]


@dataclass(frozen=True, slots=True)
class Gemm:
    """`groups` independent products A (m x k) * W (k x n)."""

    groups: int
    m: int
    k: int
    n: int

    def extent(self, dimension: Dimension) -> int:
        """M, K or N."""
        return {"m": self.m, "k": self.k, "n": self.n}[dimension]


@dataclass(frozen=True, slots=True)
class ArrayShape:
    """What fold timing depends on beside the product."""

    rows: int
    cols: int
    mac_latency: int = 1
    timing: TimingName = "systolic"


@dataclass(frozen=True, slots=True)
class FoldShape:
    """What one fold maps: `packed` groups, in all `rows` x `cols` PEs, `steps` of the streamed dimension.

    first_k, last_k: whether it begins, or ends, the sum over K of its outputs.
    """

    rows: int
    cols: int
    steps: int
    packed: int
    first_k: bool
    last_k: bool


@dataclass(frozen=True, slots=True)
class Dataflow:
    """A dataflow, as the roles of M, K and N.

    pinned: the operand held in the PEs; rows, cols, streamed: the dimension of the product that each carries. Column
    tiles are the outer loop of the fold order, row tiles the inner one.
    """

    name: DataflowName
    pinned: Literal["weight", "ifmap", "psum"]
    rows: Dimension
    cols: Dimension
    streamed: Dimension


DATAFLOWS: dict[DataflowName, Dataflow] = {
    "ws": Dataflow("ws", pinned="weight", rows="k", cols="n", streamed="m"),
    "is": Dataflow("is", pinned="ifmap", rows="k", cols="m", streamed="n"),
    "os": Dataflow("os", pinned="psum", rows="m", cols="n", streamed="k"),
}

FoldSequence = tuple[tuple[int, "FoldSequence | FoldShape"], ...]
"""(times, what is done so many times), one after the other."""


def pack_size(dataflow: Dataflow, gemm: Gemm, array: ArrayShape) -> int:
    """Groups that share a fold, block-diagonally; 1 where a group fills a fold or more of its own."""
    if not TIMINGS[array.timing].packs_groups:
        return 1
    rows, cols = gemm.extent(dataflow.rows), gemm.extent(dataflow.cols)
    if rows > array.rows or cols > array.cols:
        return 1
    return min(array.rows // rows, array.cols // cols, gemm.groups)


def fold_sequence(dataflow: Dataflow, gemm: Gemm, array: ArrayShape) -> FoldSequence:
    """The folds of `gemm` in the order in which the array does them, as nested repetitions."""
    packed = pack_size(dataflow, gemm, array)
    full, rest = divmod(gemm.groups, packed)
    parts = [(full, _group_folds(dataflow, gemm, array, packed))]
    if rest:
        parts.append((1, _group_folds(dataflow, gemm, array, rest)))
    return tuple(parts)


def _group_folds(dataflow: Dataflow, gemm: Gemm, array: ArrayShape, packed: int) -> FoldSequence:
    rows, cols = packed * gemm.extent(dataflow.rows), packed * gemm.extent(dataflow.cols)
    steps = gemm.extent(dataflow.streamed)
    return tuple(
        (
            col_tiles,
            tuple(
                (row_tiles, FoldShape(used_rows, used_cols, steps, packed, first_k, last_k))
                for row_tiles, used_rows, first_k, last_k in _row_tiles(rows, array.rows, dataflow.rows == "k")
            ),
        )
        for col_tiles, used_cols in _cuts(cols, array.cols)
    )


def _cuts(extent: int, size: int) -> Iterator[tuple[int, int]]:
    """(how many, how large) tiles of at most `size` cover `extent`."""
    full, rest = divmod(extent, size)
    if full:
        yield full, size
    if rest:
        yield 1, rest


def _row_tiles(extent: int, size: int, sums_over_rows: bool) -> Iterator[tuple[int, int, bool, bool]]:
    """(how many, used rows, first_k, last_k) of the row tiles; without a sum over rows each is first and last."""
    if not sums_over_rows:
        for count, used in _cuts(extent, size):
            yield count, used, True, True
        return
    total = ceil_div(extent, size)
    last = extent - (total - 1) * size
    if total == 1:
        yield 1, last, True, True
        return
    yield 1, size, True, False
    if total > 2:
        yield total - 2, size, False, False
    yield 1, last, False, True


def fold_of(dataflow: Dataflow, shape: FoldShape, array: ArrayShape) -> Fold:
    """Timing of a fold whose operands come as fast as the array takes them."""
    return TIMINGS[array.timing].fold(dataflow, shape, array)


def _systolic(dataflow: Dataflow, shape: FoldShape, array: ArrayShape) -> Fold:
    """What an array of registers takes: only used rows are loaded, only used columns waited for, all rows drained."""
    skew = max(shape.rows, shape.cols) - 1
    if dataflow.pinned == "psum":
        tail = 2 * array.rows + shape.cols - 2 + array.mac_latency - 1
        return Fold(load=0, stream=shape.steps, drain=array.rows, tail=tail, skew=skew)
    tail = array.mac_latency * array.rows + shape.cols - 2
    return Fold(load=shape.rows, stream=shape.steps, drain=0, tail=tail, skew=skew)


def _scalesim_v3(dataflow: Dataflow, shape: FoldShape, array: ArrayShape) -> Fold:
    """What SCALE-Sim 3.0.0 counts: each fold as one of the whole array, and no drain of output-stationary results."""
    load = 0 if dataflow.pinned == "psum" else array.rows
    skew = max(shape.rows, shape.cols) - 1
    return Fold(load=load, stream=shape.steps, drain=0, tail=array.rows + array.cols - 2, skew=skew)


@dataclass(frozen=True, slots=True)
class Timing:
    """How the clocks of folds are counted.

    packs_groups: small groups share a fold; columns_alike: pruned weights are zero in the same rows of all columns;
    uncounted: clocks of each product that `array_cycles` leaves out.
    """

    fold: Callable[[Dataflow, FoldShape, ArrayShape], Fold]
    packs_groups: bool = True
    columns_alike: bool = False
    uncounted: int = 0


TIMINGS: dict[TimingName, Timing] = {
    "systolic": Timing(_systolic),
    "scalesim-v3": Timing(_scalesim_v3, packs_groups=False, columns_alike=True, uncounted=1),
}
"""SCALE-Sim reports the number of its last cycle, the first being 0, and takes groups for layers of their own."""


def chain_of(sequence: FoldSequence, timing: Callable[[FoldShape], Fold]) -> FoldChain:
    """The timing of a fold sequence, in time that grows with its nesting and not with its folds."""
    chain: FoldChain | None = None
    for times, part in sequence:
        inner = single(timing(part)) if isinstance(part, FoldShape) else chain_of(part, timing)
        repeated = repeat(inner, times)
        chain = repeated if chain is None else join(chain, repeated)
    if chain is None:
        raise ValueError("a fold sequence has at least one fold")
    return chain


def array_cycles(dataflow: Dataflow, gemm: Gemm, array: ArrayShape, *, overlap: bool) -> int:
    """Clocks from the first load to the last output, all data on chip, capacity and ports ignored."""
    chain = chain_of(fold_sequence(dataflow, gemm, array), lambda shape: fold_of(dataflow, shape, array))
    cycles = chain.first.load + chain.end if overlap else chain.serial_cycles
    return cycles - gemm.groups * TIMINGS[array.timing].uncounted
