"""Arrays in which an operand stays and the sums move: the hardware that weight- and input-stationary share.

Stationary values enter at the top and are shifted down, one row a clock; the other operand enters at the west edge
and moves east; sums start as zeros in the top row, move down through all rows of the array, used or not, and leave at
its bottom, where the accumulator buffer adds those of other k-tiles. So the rows carry K.
"""

from __future__ import annotations

from dataclasses import dataclass

from accelsim.dataflows.contract import NOTHING, ArrayShape, Dataflow, FoldShape, Moves, Phase, Phases, lined_up, skewed


@dataclass(frozen=True, slots=True)
class MovingSums(Dataflow):
    """Weight- or input-stationary. Raises ValueError where the rows do not carry K: the sums would move east."""

    def __post_init__(self) -> None:
        if self.rows != "k":
            raise ValueError(f"{self.name}: rows carry k, as sums move down the columns; got {self.rows}")

    def phases(self, shape: FoldShape, array: ArrayShape) -> Phases:
        """Load takes a row a clock, tail all rows of the array; sums and results leave with the stream."""
        sums = self.sums(shape)
        stream = Phase(
            shape.steps,
            ofmap=sums if shape.last_k else NOTHING,
            psum_read=NOTHING if shape.first_k else sums,
            psum_write=NOTHING if shape.last_k else sums,
        )
        return Phases(
            load=Phase(shape.rows, **{self.stationary: shape.pes}),
            stream=stream._replace(**{self.west: shape.steps * shape.rows}),
            tail=array.mac_latency * array.rows + shape.cols - 2,
        )

    def moves(self, shape: FoldShape, array: ArrayShape) -> Moves:
        """The value of row i, from 0, is shifted in i + 1 times; operands cross their columns, sums all rows. Both
        operands pass a triangle before, and results one behind; sums that go on do not, as each column has its part of
        the accumulator."""
        shifted_in = shape.pes * (shape.rows + 1) // 2 + skewed(shape.pes, shape.cols)
        triangle = self.row_delay(array.mac_latency) * skewed(shape.steps * shape.rows, shape.rows)
        return Moves(
            psum=self.sums(shape) * array.rows,
            result=lined_up(self.sums(shape), shape.cols, array.cols) if shape.last_k else 0,
            **{self.north: shifted_in, self.west: shape.pes * shape.steps + triangle},
        )
