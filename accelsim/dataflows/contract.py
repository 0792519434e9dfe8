"""The contract of a dataflow: how a matrix product passes through the PE array, fold by fold.

A dataflow says which of M, K and N the rows and the columns of the array carry and which one is streamed. From that
follow the operand that stays in the PEs and those that each edge carries (`operand`). For one fold it then says

- `phases`: the clocks of load, stream, drain and tail, and the elements that pass each SRAM port in them, results
  included;
- `moves`: the registers that a value is written to: of PEs, on its way from one to the next or into a sum that stays,
  and of the triangles at the edges, which let a row of values in askew and line results up again;
- `sums`: the partial sums that leave the PEs for the accumulator buffer.

It promises that these equal an array of registers, clock by clock and move by move, for any fold and array
(`tests/dataflows/test_dataflows.py` runs that over each one registered), and that they hold for numbers as for NumPy
arrays of numbers: the machine plays the folds of a piece one by one, the tiler those of thousands of plans at once. All
else is the same for all dataflows: the order of folds (`folding`), their clocks behind SRAM ports (`timing`), what a
piece reads and writes (`work`) and what the tiler estimates (`average`). See docs/machine.md sections 2, 3, 5 and 7.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Dimension = Literal["m", "k", "n"]
Operand = Literal["ifmap", "weight", "psum"]

Size = Any
"""A number, or an array of numbers."""

_OPERANDS: dict[frozenset[str], Operand] = {
    frozenset("mk"): "ifmap",
    frozenset("kn"): "weight",
    frozenset("mn"): "psum",
}


@dataclass(frozen=True, slots=True)
class Gemm:
    """`groups` independent products A (m x k) * W (k x n).

    line: rows of A that lie in one row of a feature map; 0: all of them.
    """

    groups: int
    m: int
    k: int
    n: int
    line: int = 0

    def extent(self, dimension: Dimension) -> int:
        """M, K or N."""
        return {"m": self.m, "k": self.k, "n": self.n}[dimension]


class Passes(NamedTuple):
    """The passes that the steps of a fold are cut into, each of a row of a feature map.

    longest: steps of a pass at most; shortest: clocks of a pass at least; change: of the last pass before the
    stationary operand changes; in_flight: passes that are in the array at once, at most; leave: clocks from the last
    output of a pass until another may take its place.
    """

    longest: int
    shortest: int
    change: int
    in_flight: int
    leave: int = 0


@dataclass(frozen=True, slots=True)
class ArrayShape:
    """The array: PEs, clocks of a MAC, how the clocks of a fold are counted, and the passes of its stream, if any."""

    rows: int
    cols: int
    mac_latency: int = 1
    timing: str = "systolic"
    passes: Passes | None = None


@dataclass(frozen=True, slots=True)
class FoldShape:
    """One fold: `packed` groups on `rows` x `cols` PEs, `pes` of them at work, and `steps` of the streamed dimension.

    first_k, last_k: whether it begins, or ends, the sum over K of its outputs. line: steps that lie in one row of a
    feature map; 0: all of them.
    """

    rows: Size
    cols: Size
    steps: Size
    packed: Size
    pes: Size
    first_k: bool = True
    last_k: bool = True
    line: Size = 0


NOTHING = 0
"""Elements that pass a port that a phase does not use."""


class Phase(NamedTuple):
    """A part of a fold: the clocks it takes if no port is slower, and the elements that pass each SRAM port in it.

    ifmap, weight: read from their buffers; ofmap: results written to the activation buffer; psum_read, psum_write: of
    the accumulator buffer, each through a port of its own.
    """

    clocks: Size = 0
    ifmap: Size = NOTHING
    weight: Size = NOTHING
    ofmap: Size = NOTHING
    psum_read: Size = NOTHING
    psum_write: Size = NOTHING


class Phases(NamedTuple):
    """A fold: it loads what stays in the PEs, streams, and drains.

    Load port, stream edge and drain chain are three servers in a row (docs/machine.md section 2); results that stay in
    the PEs until the stream has ended leave in `drain`, others in `stream`. vacant: clocks of the drain chain before
    the first result; tail: clocks from the end of the stream to the last output, drain and vacant ones left out.
    """

    load: Phase
    stream: Phase
    drain: Phase = Phase()
    vacant: Size = 0
    tail: Size = 0


class Moves(NamedTuple):
    """Registers that are written.

    ifmap, weight: operands moved one PE on, or one register on in the triangle at their edge; psum: sums moved one PE
    on; latched: sums in the PE where they stay; result: results on their way to be written as a row.
    """

    ifmap: Size = 0
    weight: Size = 0
    psum: Size = 0
    latched: Size = 0
    result: Size = 0


def skewed(values: Size, lanes: Size) -> Size:
    """Registers that values, as many on each of these lanes, pass where lane i, from 0, is delayed by i of them."""
    return values * (lanes - 1) // 2


def lined_up(values: Size, lanes: Size, width: int) -> Size:
    """Registers that values, as many on each of the first lanes, pass where all lanes of `width` wait for the last."""
    return values * (2 * width - lanes - 1) // 2


@dataclass(frozen=True, slots=True)
class Dataflow(ABC):
    """A dataflow: the dimension of the product that rows, columns and stream carry.

    Column tiles are the outer loop of the fold order, row tiles the inner one.
    """

    name: str
    rows: Dimension
    cols: Dimension
    streamed: Dimension

    @abstractmethod
    def phases(self, shape: FoldShape, array: ArrayShape) -> Phases:
        """The clocks of a fold, and the elements that pass the ports."""

    @abstractmethod
    def moves(self, shape: FoldShape, array: ArrayShape) -> Moves:
        """The registers that a fold writes, elements each."""

    def sums(self, shape: FoldShape) -> Size:
        """The partial sums of a fold that meet in the accumulator buffer; none where they stay in the PEs."""
        return 0 if self.sums_stay else shape.cols * shape.steps

    def operand(self, first: Dimension, second: Dimension) -> Operand:
        """The operand that has these two dimensions."""
        return _OPERANDS[frozenset((first, second))]

    @property
    def stationary(self) -> Operand:
        """The operand that stays in the PEs: one that is loaded, or the sums."""
        return self.operand(self.rows, self.cols)

    @property
    def sums_stay(self) -> bool:
        """True where partial sums stay in the PEs."""
        return self.stationary == "psum"

    @property
    def west(self) -> Operand:
        """The operand that enters at the west edge."""
        return self.operand(self.rows, self.streamed)

    @property
    def north(self) -> Operand:
        """The operand that enters at the top."""
        return self.operand(self.cols, self.streamed) if self.sums_stay else self.stationary

    def row_delay(self, mac_latency: int) -> int:
        """Clocks by which each row is later than the one above it."""
        return 1 if self.sums_stay else mac_latency

    def width(self, dimension: Dimension, array: ArrayShape) -> int | None:
        """The PEs that a dimension lies along; None for the one that is streamed."""
        return {self.rows: array.rows, self.cols: array.cols}.get(dimension)
