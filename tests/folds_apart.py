"""Cycles of SCALE-Sim's layers to the register, taken apart by what registers do and its count does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from accelsim.dataflows import DATAFLOWS
from accelsim.dataflows.contract import ArrayShape, Gemm
from accelsim.dataflows.folding import flattened, fold_sequence
from accelsim.dataflows.timing import fold_of
from tests.importers.scalesim.test_scalesim import GOLDENS
from tests.validation import clocks_alone

KINDS = {
    "conv": "convolution",
    "dw": "depthwise",
    "dw 1ch": "depthwise, one channel",
    "pw": "1x1 convolution",
    "fc": "fully connected",
    "": "product",
}
"""Kinds of layers, by how their names begin and whether they are of one channel."""


class Layer(NamedTuple):
    """A layer: clocks that SCALE-Sim counts, those of registers, and the parts of what registers take more."""

    kind: str
    dataflow: str
    theirs: int
    ours: int
    rows: int
    columns: int
    drain: int
    last: int = 1

    @property
    def error(self) -> float:
        """Clocks of registers over theirs, less 1."""
        return self.ours / self.theirs - 1


def layers() -> Iterator[Layer]:
    """All layers that were measured with SCALE-Sim."""
    for row in GOLDENS:
        begin = next(begin for begin in ("conv", "dw", "pw", "fc", "") if row["layer"].startswith(begin))
        kind = KINDS[f"{begin} 1ch" if "_1ch" in row["layer"] else begin]
        clocks = int(row["compute_cycles"]), clocks_alone(row, "systolic")
        yield Layer(kind, row["dataflow"], *clocks, *_parts(row))


def _parts(row: Mapping[str, str]) -> tuple[int, int, int]:
    """Clocks of rows and columns that no fold uses, which registers do not take, and of drains, which they do."""
    m, k, n, rows, cols = (int(row[name]) for name in ("M", "K", "N", "rows", "cols"))
    dataflow = DATAFLOWS[row["dataflow"]]
    array, gemm = ArrayShape(rows, cols), Gemm(1, m, k, n)
    by_row = by_column = drained = 0
    for times, shape in flattened(fold_sequence(dataflow, gemm, array)):
        by_row -= times * (rows - fold_of(dataflow, shape, array).load) * (not dataflow.sums_stay)
        by_column -= times * (cols - shape.cols)
        drained += times * rows * dataflow.sums_stay
    return by_row, by_column, drained


PARTS = ("unused rows", "unused columns", "drain", "last cycle")


def means(some: Sequence[Layer]) -> list[str]:
    """The mean error of layers and the mean of each part, as shares of SCALE-Sim's count."""
    parts = ([each.ours - each.theirs, each.rows, each.columns, each.drain, each.last] for each in some)
    shares = ([part / each.theirs for part in found] for each, found in zip(some, parts, strict=True))
    return [f"{fmean(column):+.1%}" for column in zip(*shares, strict=True)]
