"""The array's work on tilings by all their different folds, found once for a layer wherever its data lie."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from accelsim.dataflows import DATAFLOWS, DataflowName
from accelsim.dataflows.average import array_moves
from accelsim.lowering.ir import LayerTask, TilingContext
from accelsim.lowering.tiling.candidates import Candidates, Floats
from accelsim.lowering.tiling.space import anywhere, clocks_of, folds_of

TileKey = tuple[int, ...]
"""Images, rows, columns, groups, output channels, kernel positions and input channels of a tile."""


class TiledWork(NamedTuple):
    """The array's work on each of some tilings.

    cycles: clocks of all folds, data on chip; end_cycles: of the first load and the last tail; m_tiles, n_tiles,
    k_tiles: array tiles that each extent of the product is cut into; moved_bits: written to registers.
    """

    cycles: Floats
    end_cycles: Floats
    m_tiles: Floats
    n_tiles: Floats
    k_tiles: Floats
    moved_bits: Floats


def tiled_work(
    task: LayerTask, context: TilingContext, name: DataflowName, plans: Candidates, *, averaged: bool
) -> TiledWork:
    """The array's work by the average fold, or by all different ones."""
    dataflow, array = DATAFLOWS[name], context.array
    sizes = plans.groups, plans.outs, plans.taps, plans.ins
    folds = folds_of(task, context, dataflow, plans.blocks, sizes, averaged=averaged)
    cycles, ends = clocks_of(task, context, dataflow, folds)
    moves = array_moves(dataflow, folds, array.shape)
    bits = sum(count * width for count, width in zip(moves, array.move_bits(), strict=True))
    tiles = (folds.tiles[dimension] for dimension in ("m", "n", "k"))
    return TiledWork(*(np.broadcast_to(each * 1.0, len(plans)) for each in (cycles, ends, *tiles, bits)))


def known_work(task: LayerTask, context: TilingContext, name: DataflowName, plans: Candidates) -> TiledWork:
    """The array's work by all different folds."""
    return _works(*anywhere(task, context), name).of(plans)


@dataclass(frozen=True, slots=True)
class _Works:
    """The array's work on a layer with a dataflow, by the sizes of its tiles."""

    task: LayerTask
    context: TilingContext
    name: DataflowName
    known: dict[TileKey, Floats] = field(default_factory=dict)

    def of(self, plans: Candidates) -> TiledWork:
        """The work on these tilings."""
        blocks = plans.blocks
        columns = blocks.images, blocks.rows, blocks.cols, plans.groups, plans.outs, plans.taps, plans.ins
        sizes: list[TileKey] = list(zip(*(each.tolist() for each in columns), strict=True))
        missing = {each: index for index, each in enumerate(sizes) if each not in self.known}
        if missing:
            some = plans.at(np.array([*missing.values()]))
            found = tiled_work(self.task, self.context, self.name, some, averaged=False)
            self.known.update(zip(missing, np.stack(found, axis=1), strict=True))
        rows = np.array([self.known[each] for each in sizes])
        return TiledWork(*rows.reshape(-1, len(TiledWork._fields)).T)


@lru_cache(maxsize=1 << 10)
def _works(task: LayerTask, context: TilingContext, name: DataflowName) -> _Works:
    return _Works(task, context, name)
