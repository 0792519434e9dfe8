"""A piece of a layer on the PE array: its fold timing with SRAM ports, and the actions it takes.

Timing and port stretching are docs/machine.md sections 2, 3 and 5; the actions are those of section 7.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from accelsim.dataflows import DATAFLOWS, DataflowName
from accelsim.dataflows.contract import ArrayShape, FoldShape, Gemm, Moves
from accelsim.dataflows.folding import FoldSequence, chain_of, flattened, fold_sequence, passes
from accelsim.dataflows.timing import TIMINGS, Ports, Ratio, fold_of, slower
from accelsim.program.folds import Fold, FoldChain
from accelsim.program.tensors import RowCode
from accelsim.units import ceil_div

ROUNDING = 1e-9
"""Sums of probabilities may be off by this much, before a number of clocks is rounded up."""

NO_CLOCKS = Ratio(0)
"""Clocks of what takes none, for any number of elements."""


class Patch(NamedTuple):
    """Outputs of a channel, down and across, that a step of a fold makes of the pixels under them."""

    rows: int
    cols: int

    @property
    def outputs(self) -> int:
        return self.rows * self.cols


ONE_OUTPUT = Patch(1, 1)


@dataclass(frozen=True, slots=True)
class ArrayContext:
    """The array as a layer finds it: dataflow, shape, the widths of its data, and the SRAM ports in bits.

    stored_weights: bits of the layer's weights that pass their port, for a number of weights. skipped: (nonzeros,
    weights) of a layer whose zeros take no clocks. way_in, way_out: clocks of what is done to an element on its way to
    the array, and from it; pooled: results that become one on it. patch: of a depthwise layer's outputs.
    dram_weights: bits of the weights in DRAM, for a number of them, where they are decoded on their way; ifmap_code,
    shortcut_code, ofmap_code: of rows of maps in DRAM, where these are coded.
    """

    dataflow: DataflowName
    shape: ArrayShape
    ifmap_bits: int
    ofmap_bits: int
    weight_bits: int
    psum_bits: int
    activation_port_bits: int
    weight_port_bits: int
    accumulator_port_bits: int
    stored_weights: Ratio
    skipped: Ratio | None = None
    way_in: Ratio = NO_CLOCKS
    way_out: Ratio = NO_CLOCKS
    pooled: int = 1
    patch: Patch = ONE_OUTPUT
    dram_weights: Ratio | None = None
    ifmap_code: RowCode | None = None
    shortcut_code: RowCode | None = None
    ofmap_code: RowCode | None = None

    def ports(self, ifmap: Ratio, weight: Ratio) -> Ports:
        """The SRAM ports, with the ways to and from the array behind them.

        ifmap: elements read for each one of a fold; weight: bits read for each one.
        """
        psum = Ratio(self.psum_bits, self.accumulator_port_bits)
        return Ports(
            ifmap=ifmap.of(slower(Ratio(self.ifmap_bits, self.activation_port_bits), self.way_in)),
            weight=weight.of(Ratio(1, self.weight_port_bits)),
            ofmap=slower(Ratio(self.ofmap_bits, self.activation_port_bits * self.pooled), self.way_out),
            psum_read=psum,
            psum_write=psum,
        )

    @property
    def loaded_weights(self) -> Ratio:
        """Bits of the weights that come from DRAM, for a number of them."""
        return self.dram_weights or self.stored_weights

    def move_bits(self) -> Moves:
        """Bits of a register of each kind of move."""
        return Moves(self.ifmap_bits, self.weight_bits, self.psum_bits, self.psum_bits, self.ofmap_bits)


@dataclass(frozen=True, slots=True)
class ArrayWork:
    """Timing of a piece, and what it moves, in elements.

    unstretched_cycles: its streams if the SRAM ports never limited them; ifmap_passes, weight_passes: how often each
    ifmap element under the kernel, and each weight, is read; moves: registers that are written.
    """

    chain: FoldChain
    unstretched_cycles: int
    ifmap_passes: int
    weight_passes: int
    psum_reads: int
    psum_writes: int
    outputs: int
    moves: Moves


class EqualFolds(NamedTuple):
    """Equal folds: how many, what each maps, its timing, and the clocks of its stream if no port limited it."""

    times: int
    shape: FoldShape
    fold: Fold
    unstretched_cycles: int


@lru_cache(maxsize=1 << 12)
def array_work(
    gemm: Gemm, array: ArrayContext, *, first: bool = True, last: bool = True, reuse: Ratio = Ratio()
) -> ArrayWork:
    """The work of one piece; `first` and `last` say whether it begins and ends its sums over K.

    reuse: the share of the ifmap elements under the kernel that is read from SRAM (a line buffer reads a pixel once).
    """
    dataflow = DATAFLOWS[array.dataflow]
    shorter, sequence, ports = _as_folds(gemm, array, first=first, last=last, reuse=reuse)
    totals, moves = [0] * 4, [0] * len(Moves._fields)
    for times, shape in flattened(sequence):
        _, stream, drain = dataflow.phases(shape, array.shape)[:3]
        plain = fold_of(dataflow, shape, array.shape).stream
        amounts = (plain, stream.psum_read, stream.psum_write, stream.ofmap + drain.ofmap)
        totals = [total + times * amount for total, amount in zip(totals, amounts, strict=True)]
        moved = dataflow.moves(shape, array.shape)
        moves = [total + times * amount for total, amount in zip(moves, moved, strict=True)]
    streamed, reads, writes, outputs = totals
    return ArrayWork(
        chain_of(sequence, lambda shape: fold_of(dataflow, shape, array.shape, ports)),
        streamed,
        passes(dataflow, shorter, array.shape, "n"),
        passes(dataflow, shorter, array.shape, "m"),
        reads,
        writes,
        outputs,
        Moves(*moves),
    )


def fold_rows(gemm: Gemm, array: ArrayContext, *, first: bool, last: bool, reuse: Ratio) -> Iterator[EqualFolds]:
    """The folds of a piece, for `array_work`'s arguments."""
    dataflow = DATAFLOWS[array.dataflow]
    _, sequence, ports = _as_folds(gemm, array, first=first, last=last, reuse=reuse)
    for times, shape in flattened(sequence):
        plain = fold_of(dataflow, shape, array.shape).stream
        yield EqualFolds(times, shape, fold_of(dataflow, shape, array.shape, ports), plain)


def _as_folds(
    gemm: Gemm, array: ArrayContext, *, first: bool, last: bool, reuse: Ratio
) -> tuple[Gemm, FoldSequence, Ports]:
    """The product without its zeros, its folds, and what passes the ports for each element of them."""
    shorter = without_zeros(gemm, array)
    longer = Ratio(gemm.k, shorter.k)
    ports = array.ports(reuse.of(longer), array.stored_weights.of(longer))
    return shorter, fold_sequence(DATAFLOWS[array.dataflow], shorter, array.shape, first=first, last=last), ports


def without_zeros(gemm: Gemm, array: ArrayContext) -> Gemm:
    """The product with its sums as long as the array works on them, where zeros are skipped.

    Each output channel picks the operands of its own nonzero weights (as in Cambricon-S, Zhou et al., MICRO 2018), and
    a fold goes on until the fullest of the channels that advance together is through.
    """
    if array.skipped is None:
        return gemm
    if TIMINGS[array.shape.timing].columns_alike:
        return replace(gemm, k=ceil_div(gemm.k * array.skipped.part, array.skipped.whole))
    width = DATAFLOWS[array.dataflow].width("n", array.shape)
    return replace(gemm, k=fullest(gemm.k, array.skipped, gemm.n if width is None else min(gemm.n, width)))


@lru_cache(maxsize=1 << 12)
def fullest(length: int, density: Ratio, columns: int) -> int:
    """Expected nonzeros of the fullest of several columns of `length` weights, at least 1.

    The expected maximum of binomial variables, zeros being anywhere: the sum over k of 1 - P(X <= k)^columns.
    """
    kept = density.part / density.whole
    if density.part == density.whole:
        return length
    steps = np.arange(1, length + 1)
    ratios = np.log((length - steps + 1) / steps) + math.log(kept / (1 - kept))
    log_probabilities = length * math.log1p(-kept) + np.concatenate(([0.0], np.cumsum(ratios)))
    at_most = np.minimum(np.cumsum(np.exp(log_probabilities)), 1.0)[:length]
    return max(1, min(length, math.ceil(float(np.sum(1 - at_most**columns)) - ROUNDING)))


def requantised(results: int, psum_bits: int, ofmap_bits: int) -> int:
    """Results whose sums are wider than maps, so that they are scaled and rounded."""
    return results if psum_bits > ofmap_bits else 0
