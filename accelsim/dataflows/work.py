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

from accelsim.config.machine import Machine
from accelsim.dataflows.contract import (
    DATAFLOWS,
    TIMINGS,
    ArrayShape,
    Dataflow,
    DataflowName,
    FoldSequence,
    FoldShape,
    Gemm,
    chain_of,
    fold_of,
    fold_sequence,
    pack_size,
)
from accelsim.network.graph import Node
from accelsim.program.folds import Fold, FoldChain
from accelsim.units import ceil_div

ROUNDING = 1e-9
"""What sums of probabilities may be off by, before a number of clocks is rounded up."""


class Ratio(NamedTuple):
    """`part` for each `whole`."""

    part: int = 1
    whole: int = 1

    def of(self, other: Ratio) -> Ratio:
        """A share of a share."""
        return Ratio(self.part * other.part, self.whole * other.whole)


@dataclass(frozen=True, slots=True)
class ArrayContext:
    """What the work of a layer on the array depends on: its shape, the widths of its data, and the SRAM ports in bits.

    stored_weights: how the layer's weights pass their port, as so many bits for so many weights. skipped: (nonzeros,
    weights) of a layer whose zeros take no clocks.
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

    @classmethod
    def of(cls, machine: Machine) -> ArrayContext:
        """The array of a machine, for layers whose data has the machine's widths; of `auto` as yet with the first."""
        array, sram = machine.array, machine.sram
        return cls(
            dataflow="ws" if array.dataflow == "auto" else array.dataflow,
            shape=ArrayShape(array.rows, array.cols, array.mac_latency, array.timing),
            ifmap_bits=array.activation_bits,
            ofmap_bits=array.activation_bits,
            weight_bits=array.weight_bits,
            psum_bits=array.psum_bits,
            activation_port_bits=8 * sram.activation.port_bytes_per_cycle,
            weight_port_bits=8 * sram.weight.port_bytes_per_cycle,
            accumulator_port_bits=_accumulator_port_bits(machine, array.psum_bits),
            stored_weights=Ratio(array.weight_bits, 1),
        )

    def for_layer(self, node: Node, machine: Machine, ifmap_bits: int, ofmap_bits: int) -> ArrayContext:
        """The same for a layer that has widths of its own, or pruned weights."""
        weight_bits = node.bits.weight or self.weight_bits
        psum_bits = node.bits.psum or self.psum_bits
        stored = Ratio(weight_bits, 1)
        if node.pruning is not None:
            stored = Ratio(node.stored_weight_bits(self.weight_bits), node.weights)
        skips = node.pruning is not None and node.pruning.zeros == "skip"
        return replace(
            self,
            ifmap_bits=ifmap_bits,
            ofmap_bits=ofmap_bits,
            weight_bits=weight_bits,
            psum_bits=psum_bits,
            accumulator_port_bits=_accumulator_port_bits(machine, psum_bits),
            stored_weights=stored,
            skipped=Ratio(node.nonzeros, node.weights) if skips else None,
        )


def _accumulator_port_bits(machine: Machine, psum_bits: int) -> int:
    port = machine.sram.accumulator.port_bytes_per_cycle
    return machine.array.cols * psum_bits if port is None else 8 * port


@dataclass(frozen=True, slots=True)
class ArrayWork:
    """Timing of a piece, and what it moves, in elements.

    unstretched_cycles: its streams if the SRAM ports never limited them; ifmap_passes, weight_passes: how often each
    ifmap element under the kernel, and each weight, is read; hops: elements moved one PE on;
    psum_hops has the sums of OS too, each latched where it stays.
    """

    chain: FoldChain
    unstretched_cycles: int
    ifmap_passes: int
    weight_passes: int
    psum_reads: int
    psum_writes: int
    outputs: int
    activation_hops: int
    weight_hops: int
    psum_hops: int


@lru_cache(maxsize=1 << 12)
def array_work(
    gemm: Gemm, machine: ArrayContext, *, first: bool = True, last: bool = True, reuse: Ratio = Ratio()
) -> ArrayWork:
    """The work of one piece; `first` and `last` say whether it begins and ends its sums over K.

    reuse: which share of the ifmap elements under the kernel is read from SRAM (a line buffer reads each pixel once).
    """
    dataflow = DATAFLOWS[machine.dataflow]
    shorter, sequence, ports = _as_folds(gemm, machine, reuse)
    chain = chain_of(sequence, lambda shape: _stretched(dataflow, _piece(shape, first, last), machine.shape, ports))
    totals = [0] * 8
    for times, shape in flattened(sequence):
        for position, amount in enumerate(_moves(dataflow, _piece(shape, first, last), machine.shape)):
            totals[position] += times * amount
    packed = pack_size(dataflow, shorter, machine.shape) > 1
    passes = 1 if packed or dataflow.cols == "m" else ceil_div(gemm.n, machine.shape.cols)
    streamed, weight_reads, *moved = totals
    return ArrayWork(chain, streamed, passes, weight_reads // (shorter.groups * shorter.k * shorter.n), *moved)


class FoldRow(NamedTuple):
    """Equal folds: how many, what each maps, its timing, and the clocks of its stream if no port limited it."""

    times: int
    shape: FoldShape
    fold: Fold
    unstretched_cycles: int


def fold_rows(gemm: Gemm, machine: ArrayContext, *, first: bool, last: bool, reuse: Ratio) -> Iterator[FoldRow]:
    """The folds of a piece, for `array_work`'s arguments."""
    dataflow = DATAFLOWS[machine.dataflow]
    _, sequence, ports = _as_folds(gemm, machine, reuse)
    for times, shape in flattened(sequence):
        piece = _piece(shape, first, last)
        yield FoldRow(times, piece, _stretched(dataflow, piece, machine.shape, ports), piece.steps)


def _as_folds(gemm: Gemm, machine: ArrayContext, reuse: Ratio) -> tuple[Gemm, FoldSequence, _Ports]:
    """The product without its zeros, its folds, and what passes the ports for each element of them."""
    shorter = without_zeros(gemm, machine)
    longer = Ratio(gemm.k, shorter.k)
    ports = _Ports.of(machine, reuse.of(longer), machine.stored_weights.of(longer))
    return shorter, fold_sequence(DATAFLOWS[machine.dataflow], shorter, machine.shape), ports


def without_zeros(gemm: Gemm, machine: ArrayContext) -> Gemm:
    """The product with its sums as long as the array works on them, where zeros are skipped.

    Each column picks the operands of its own nonzero weights (as in Cambricon-S, Zhou et al., MICRO 2018), and a fold
    goes on until the fullest of the columns that advance together is through.
    """
    if machine.skipped is None:
        return gemm
    if TIMINGS[machine.shape.timing].columns_alike:
        return replace(gemm, k=ceil_div(gemm.k * machine.skipped.part, machine.skipped.whole))
    together = gemm.n if machine.dataflow == "is" else min(gemm.n, machine.shape.cols)
    return replace(gemm, k=fullest(gemm.k, machine.skipped, together))


@lru_cache(maxsize=1 << 12)
def fullest(length: int, density: Ratio, columns: int) -> int:
    """How many nonzeros the fullest of so many columns of `length` weights is expected to have, at least 1.

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


def _piece(shape: FoldShape, first: bool, last: bool) -> FoldShape:
    """The fold of a piece that may begin or end in the middle of a sum."""
    return FoldShape(shape.rows, shape.cols, shape.steps, shape.packed, shape.first_k and first, shape.last_k and last)


def flattened(sequence: FoldSequence, times: int = 1) -> Iterator[tuple[int, FoldShape]]:
    """(how many, what each maps) of the folds of a sequence."""
    for count, part in sequence:
        if isinstance(part, FoldShape):
            yield times * count, part
        else:
            yield from flattened(part, times * count)


@dataclass(frozen=True, slots=True)
class _Ports:
    """Bits that pass each SRAM port for an element of a fold, over the bits that it passes a clock."""

    ifmap: Ratio
    weight: Ratio
    ofmap: Ratio
    psum: Ratio

    @classmethod
    def of(cls, machine: ArrayContext, ifmap: Ratio, weight: Ratio) -> _Ports:
        """ifmap: elements read for each one of a fold; weight: bits read for each one."""
        return cls(
            ifmap=ifmap.of(Ratio(machine.ifmap_bits, machine.activation_port_bits)),
            weight=weight.of(Ratio(1, machine.weight_port_bits)),
            ofmap=Ratio(machine.ofmap_bits, machine.activation_port_bits),
            psum=Ratio(machine.psum_bits, machine.accumulator_port_bits),
        )


def _stretched(dataflow: Dataflow, shape: FoldShape, array: ArrayShape, ports: _Ports) -> Fold:
    """Fold timing with T' and r' of docs/machine.md section 5 in the place of T and r; tails are not stretched."""
    fold = fold_of(dataflow, shape, array)
    pinned = shape.rows * shape.cols // shape.packed
    across, down = shape.steps * shape.rows, shape.steps * shape.cols
    load, streams = 0, []
    match dataflow.pinned:
        case "weight":
            load = _port_cycles(pinned, ports.weight)
            streams.append(_port_cycles(across, ports.ifmap))
        case "ifmap":
            load = _port_cycles(pinned, ports.ifmap)
            streams.append(_port_cycles(across, ports.weight))
        case "psum":
            streams.append(_port_cycles(across, ports.ifmap))
            streams.append(_port_cycles(down, ports.weight))
    if dataflow.pinned != "psum":
        if shape.last_k:
            streams.append(_port_cycles(down, ports.ofmap))
        if not (shape.first_k and shape.last_k):
            streams.append(_port_cycles(down, ports.psum))
    drains = shape.last_k or dataflow.pinned != "psum"
    return Fold(
        load=max(fold.load, load),
        stream=max(fold.stream, *streams),
        drain=fold.drain if drains else 0,
        tail=fold.tail if drains else 0,
        skew=fold.skew,
    )


def _port_cycles(count: int, port: Ratio) -> int:
    """Clocks in which a port passes `count` elements."""
    return ceil_div(count * port.part, port.whole)


def _moves(dataflow: Dataflow, shape: FoldShape, array: ArrayShape) -> tuple[int, ...]:
    """(streamed clocks, weight reads, psum reads, psum writes, outputs, activation, weight and psum hops) of a fold."""
    rows, cols, steps = shape.rows, shape.cols, shape.steps
    own_cols = cols // shape.packed
    pinned = rows * own_cols
    if dataflow.pinned == "psum":
        outputs = pinned if shape.last_k else 0
        drained = own_cols * (rows * array.rows - rows * (rows - 1) // 2) if shape.last_k else 0
        across, down = rows * steps * own_cols, cols * steps * (rows // shape.packed)
        return steps, cols * steps, 0, 0, outputs, across, down, pinned * steps + drained
    sums = cols * steps
    reads = 0 if shape.first_k else sums
    writes, outputs = (0, sums) if shape.last_k else (sums, 0)
    across = rows * steps * own_cols
    shifted_in = own_cols * rows * (rows + 1) // 2
    if dataflow.pinned == "weight":
        return steps, pinned, reads, writes, outputs, across, shifted_in, sums * array.rows
    return steps, rows * steps, reads, writes, outputs, shifted_in, across, sums * array.rows
