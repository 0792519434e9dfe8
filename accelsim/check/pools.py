"""Pools on the way of results: rows under windows that go on wait for those of the next tile."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from accelsim.check.arithmetic import Values
from accelsim.check.operate import CheckError, slide
from accelsim.network.geometry import work_block
from accelsim.network.graph import Node
from accelsim.program.commands import Work
from accelsim.program.tensors import Range

WindowKey = tuple[str, Range, Range, Range]
"""Layer, images, columns of the pool and channels."""


@dataclass(slots=True)
class PooledRows:
    """Results of the array that wait, with their rows."""

    waiting: dict[WindowKey, tuple[Range, Values]] = field(default_factory=dict)

    def outputs(self, host: Node, work: Work, pool: Node, values: Values) -> Values:
        """Outputs of a pool for the results of a piece. Raises CheckError where rows come out of order."""
        images, rows, cols = work_block(host, work)
        key = host.name, images, work.cols, work.channels
        if work.rows.start and key in self.waiting:
            before, results = self.waiting.pop(key)
            if before.stop != rows.start:
                raise CheckError(f"{host.name}: rows {rows.start}:{rows.stop} are pooled behind row {before.stop}")
            rows, values = Range(before.start, rows.stop), np.concatenate((results, values), axis=1)
        if work.rows.stop < pool.output.height:
            window = pool.window.vertical
            first = max(rows.start, work.rows.stop * window.stride - window.pad)
            self.waiting[key] = Range(first, rows.stop), values[:, first - rows.start :]
        return slide(pool, work, (images, rows, cols, work.channels), values)
