"""Folds of a matrix product in order, and the clocks of all of them, for any dataflow (docs/machine.md 2 and 3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from accelsim.dataflows.contract import ArrayShape, Dataflow, Dimension, FoldShape, Gemm
from accelsim.dataflows.timing import TIMINGS, fold_of
from accelsim.program.folds import Fold, FoldChain, cycles_of, join, repeat, single
from accelsim.units import ceil_div

FoldSequence = tuple[tuple[int, "FoldSequence | FoldShape"], ...]
"""(times, what is repeated), one after the other."""


def pack_size(dataflow: Dataflow, gemm: Gemm, array: ArrayShape) -> int:
    """Groups that share a fold, block-diagonally; 1 where a group fills a fold or more of its own."""
    if not TIMINGS[array.timing].packs_groups:
        return 1
    rows, cols = gemm.extent(dataflow.rows), gemm.extent(dataflow.cols)
    return max(1, min(array.rows // rows, array.cols // cols, gemm.groups))


def fold_sequence(
    dataflow: Dataflow, gemm: Gemm, array: ArrayShape, *, first: bool = True, last: bool = True
) -> FoldSequence:
    """The folds of `gemm` in the order in which the array does them, as nested repetitions.

    first, last: whether the product begins, and ends, its sums over K.
    """
    packed = pack_size(dataflow, gemm, array)
    full, rest = divmod(gemm.groups, packed)
    parts = [(full, _group_folds(dataflow, gemm, array, packed, (first, last)))]
    if rest:
        parts.append((1, _group_folds(dataflow, gemm, array, rest, (first, last))))
    return tuple(parts)


def _group_folds(
    dataflow: Dataflow, gemm: Gemm, array: ArrayShape, packed: int, ends: tuple[bool, bool]
) -> FoldSequence:
    rows, cols = packed * gemm.extent(dataflow.rows), packed * gemm.extent(dataflow.cols)
    steps = gemm.extent(dataflow.streamed)
    line = gemm.line if dataflow.streamed == "m" else 0
    row_tiles = list(_row_tiles(rows, array.rows, ends, sums_over_rows=dataflow.rows == "k"))
    return tuple(
        (
            col_tiles,
            tuple(
                (times, FoldShape(used, used_cols, steps, packed, used * used_cols // packed, first, last, line))
                for times, used, first, last in row_tiles
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


def _row_tiles(
    extent: int, size: int, ends: tuple[bool, bool], *, sums_over_rows: bool
) -> Iterator[tuple[int, int, bool, bool]]:
    """(how many, used rows, first_k, last_k) of the row tiles; without a sum over rows all have both ends."""
    if not sums_over_rows:
        for count, used in _cuts(extent, size):
            yield count, used, *ends
        return
    first, last = ends
    total = ceil_div(extent, size)
    rest = extent - (total - 1) * size
    if total == 1:
        yield 1, rest, first, last
        return
    yield 1, size, first, False
    if total > 2:
        yield total - 2, size, False, False
    yield 1, rest, False, last


def flattened(sequence: FoldSequence, times: int = 1) -> Iterator[tuple[int, FoldShape]]:
    """(how many, what each maps) of the folds of a sequence."""
    for count, part in sequence:
        if isinstance(part, FoldShape):
            yield times * count, part
        else:
            yield from flattened(part, times * count)


def passes(dataflow: Dataflow, gemm: Gemm, array: ArrayShape, dimension: Dimension) -> int:
    """Times that an operand without this dimension is read: once for each array tile that the dimension is cut into."""
    width = dataflow.width(dimension, array)
    return 1 if width is None else ceil_div(gemm.extent(dimension), width)


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
    return cycles_of(chain, overlap=overlap) - gemm.groups * TIMINGS[array.timing].uncounted
