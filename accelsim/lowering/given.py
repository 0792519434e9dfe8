"""Choices of a layer's tiling that a given plan has made."""

from __future__ import annotations

from typing import NamedTuple

from accelsim.config.plan import Order
from accelsim.dataflows import DataflowName

GivenPiece = tuple[int | None, int | None, int | None]
"""Images, rows and columns of a piece of the output map; None for those that are free."""

ANY_PIECE: GivenPiece = (None, None, None)


class GivenTile(NamedTuple):
    """Choices of a layer's tiling that a plan has made (docs/mapping.md); None for those that are free.

    orders: those that are the same but for loops of one iteration and when results leave; gathers: see `Tiling`.
    """

    dataflow: DataflowName | None = None
    orders: tuple[Order, ...] | None = None
    gathers: bool | None = None
    images: int | None = None
    rows: int | None = None
    cols: int | None = None
    groups: int | None = None
    out_channels: int | None = None
    in_channels: int | None = None
    taps: int | None = None
    ifmap_tiles: int | None = None
    weight_tiles: int | None = None

    @property
    def piece(self) -> GivenPiece:
        """The part that is given of a piece of the output map."""
        return self.images, self.rows, self.cols


FREE = GivenTile()
