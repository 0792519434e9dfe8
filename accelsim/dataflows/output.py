"""Output-stationary: sums stay in the PEs, operands stream by, maps from one edge and weights from the other.

The operand with the dimension of the rows enters at the west edge, the one with that of the columns at the top. One
clock after its bottom row's last MAC a column latches its sums into a drain chain, which moves down one row a clock,
or waits: a row stays at the bottom until the write port of the activation buffer has passed it.
"""

from __future__ import annotations

from dataclasses import dataclass

from accelsim.dataflows.contract import ArrayShape, Dataflow, FoldShape, Moves, Phase, Phases, lined_up, skewed


@dataclass(frozen=True, slots=True)
class OutputStationary(Dataflow):
    """Output-stationary, with the rows for M and the columns for N or the other way round."""

    def phases(self, shape: FoldShape, array: ArrayShape) -> Phases:
        """Nothing is loaded; results leave in the drain, after the rows that the fold leaves vacant."""
        operands = {self.west: shape.steps * shape.rows, self.north: shape.steps * shape.cols}
        stream = Phase(shape.steps, **operands)
        if not shape.last_k:
            return Phases(Phase(), stream)
        return Phases(
            Phase(),
            stream,
            drain=Phase(shape.rows, ofmap=shape.pes),
            vacant=array.rows - shape.rows,
            tail=array.rows + shape.cols - 2 + array.mac_latency - 1,
        )

    def moves(self, shape: FoldShape, array: ArrayShape) -> Moves:
        """Operands cross the columns and rows of their group, behind the triangles; each step adds to each sum; that of
        row i, from 0, takes R - i moves down and out."""
        macs = shape.pes * shape.steps
        operands = {
            self.west: macs + skewed(shape.steps * shape.rows, shape.rows),
            self.north: macs + skewed(shape.steps * shape.cols, shape.cols),
        }
        if not shape.last_k:
            return Moves(latched=macs, **operands)
        drained = shape.pes * (2 * array.rows - shape.rows + 1) // 2
        written = lined_up(shape.pes, shape.cols, array.cols)
        return Moves(psum=drained, latched=macs, result=written, **operands)


OUTPUT_STATIONARY = OutputStationary("os", rows="m", cols="n", streamed="k")
