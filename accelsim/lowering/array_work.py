"""A piece of a layer on the PE array: its fold timing with SRAM ports, and the actions it takes.

Timing and port stretching are docs/machine.md sections 2, 3 and 5; the actions are those of section 7.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from accelsim.config.machine import Machine
from accelsim.lowering.dataflows import (
    DATAFLOWS,
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
from accelsim.program.folds import Fold, FoldChain
from accelsim.units import ceil_div


@dataclass(frozen=True, slots=True)
class ArrayMachine:
    """What the work of the array depends on: its shape, the widths of its data, and the SRAM ports in bits."""

    dataflow: DataflowName
    shape: ArrayShape
    activation_bits: int
    weight_bits: int
    psum_bits: int
    activation_port_bits: int
    weight_port_bits: int
    accumulator_port_bits: int

    @classmethod
    def of(cls, machine: Machine) -> ArrayMachine:
        """The array of a machine."""
        array, sram = machine.array, machine.sram
        accumulator_port = sram.accumulator.port_bytes_per_cycle
        return cls(
            dataflow=array.dataflow,
            shape=ArrayShape(array.rows, array.cols, array.mac_latency),
            activation_bits=array.activation_bits,
            weight_bits=array.weight_bits,
            psum_bits=array.psum_bits,
            activation_port_bits=8 * sram.activation.port_bytes_per_cycle,
            weight_port_bits=8 * sram.weight.port_bytes_per_cycle,
            accumulator_port_bits=array.cols * array.psum_bits if accumulator_port is None else 8 * accumulator_port,
        )


@dataclass(frozen=True, slots=True)
class ArrayWork:
    """Timing of a piece, and what it moves, in elements.

    unstretched_cycles: its streams if the SRAM ports never limited them; ifmap_passes: how often each ifmap element
    under the kernel is read; hops: elements moved one PE on.
    """

    chain: FoldChain
    unstretched_cycles: int
    ifmap_passes: int
    weight_reads: int
    psum_reads: int
    psum_writes: int
    outputs: int
    activation_hops: int
    weight_hops: int
    psum_hops: int


@dataclass(frozen=True, slots=True)
class Reuse:
    """With a line buffer, of `positions` ifmap elements under the kernel only `pixels` are read from SRAM."""

    pixels: int = 1
    positions: int = 1


@lru_cache(maxsize=1 << 12)
def array_work(
    gemm: Gemm, machine: ArrayMachine, *, first: bool = True, last: bool = True, reuse: Reuse = Reuse()
) -> ArrayWork:
    """The work of one piece; `first` and `last` say whether it begins and ends its sums over K."""
    dataflow = DATAFLOWS[machine.dataflow]
    sequence = fold_sequence(dataflow, gemm, machine.shape)
    chain = chain_of(sequence, lambda shape: _stretched(dataflow, _piece(shape, first, last), machine, reuse))
    totals = [0] * 8
    for times, shape in _folds(sequence):
        for position, amount in enumerate(_moves(dataflow, _piece(shape, first, last), machine.shape)):
            totals[position] += times * amount
    packed = pack_size(dataflow, gemm, machine.shape) > 1
    passes = 1 if packed or dataflow.cols == "m" else ceil_div(gemm.n, machine.shape.cols)
    return ArrayWork(chain, totals[0], passes, *totals[1:])


def _piece(shape: FoldShape, first: bool, last: bool) -> FoldShape:
    """The fold of a piece that may begin or end in the middle of a sum."""
    return FoldShape(shape.rows, shape.cols, shape.steps, shape.packed, shape.first_k and first, shape.last_k and last)


def _folds(sequence: FoldSequence, times: int = 1) -> Iterator[tuple[int, FoldShape]]:
    for count, part in sequence:
        if isinstance(part, FoldShape):
            yield times * count, part
        else:
            yield from _folds(part, times * count)


def _stretched(dataflow: Dataflow, shape: FoldShape, machine: ArrayMachine, reuse: Reuse) -> Fold:
    """Fold timing with T' and r' of docs/machine.md section 5 in the place of T and r; tails are not stretched."""
    fold = fold_of(dataflow, shape, machine.shape)
    pinned = shape.rows * shape.cols // shape.packed
    activation = (machine.activation_bits, machine.activation_port_bits)
    weight = (machine.weight_bits, machine.weight_port_bits)
    load, streams = 0, []
    match dataflow.pinned:
        case "weight":
            load = _port_cycles(pinned, *weight)
            streams.append(_port_cycles(shape.steps * shape.rows, *activation, reuse))
        case "ifmap":
            load = _port_cycles(pinned, *activation)
            streams.append(_port_cycles(shape.steps * shape.rows, *weight))
        case "psum":
            streams.append(_port_cycles(shape.steps * shape.rows, *activation, reuse))
            streams.append(_port_cycles(shape.steps * shape.cols, *weight))
    if dataflow.pinned != "psum":
        outputs = shape.steps * shape.cols
        if shape.last_k:
            streams.append(_port_cycles(outputs, *activation))
        if not (shape.first_k and shape.last_k):
            streams.append(_port_cycles(outputs, machine.psum_bits, machine.accumulator_port_bits))
    drains = shape.last_k or dataflow.pinned != "psum"
    return Fold(
        load=max(fold.load, load),
        stream=max(fold.stream, *streams),
        drain=fold.drain if drains else 0,
        tail=fold.tail if drains else 0,
        skew=fold.skew,
    )


def _port_cycles(count: int, bits: int, port_bits: int, reuse: Reuse = Reuse()) -> int:
    """Clocks in which a port passes `count` elements."""
    return ceil_div(count * bits * reuse.pixels, port_bits * reuse.positions)


def _moves(dataflow: Dataflow, shape: FoldShape, array: ArrayShape) -> tuple[int, ...]:
    """(streamed clocks, weight reads, psum reads, psum writes, outputs, activation, weight and psum hops) of a fold."""
    rows, cols, steps = shape.rows, shape.cols, shape.steps
    own_cols = cols // shape.packed
    pinned = rows * own_cols
    if dataflow.pinned == "psum":
        outputs = pinned if shape.last_k else 0
        drained = own_cols * (rows * array.rows - rows * (rows - 1) // 2) if shape.last_k else 0
        across, down = rows * steps * own_cols, cols * steps * (rows // shape.packed)
        return steps, cols * steps, 0, 0, outputs, across, down, drained
    sums = cols * steps
    reads = 0 if shape.first_k else sums
    writes, outputs = (0, sums) if shape.last_k else (sums, 0)
    across = rows * steps * own_cols
    shifted_in = own_cols * rows * (rows + 1) // 2
    if dataflow.pinned == "weight":
        return steps, pinned, reads, writes, outputs, across, shifted_in, sums * array.rows
    return steps, rows * steps, reads, writes, outputs, shifted_in, across, sums * array.rows
