"""A piece of a layer on a unit that works on one after the other: what it is, and what it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from accelsim.dataflows.work import ArrayContext
from accelsim.network.graph import Node
from accelsim.program.commands import Work
from accelsim.records import ActionCounts


class Piece(NamedTuple):
    """The outputs of a Work of a layer.

    array: widths of the layer's data; weight_bits: of its channels, as stored; read_bytes, written_bytes: of feature
    maps, through the ports of the activation buffer.
    """

    node: Node
    work: Work
    array: ArrayContext
    weight_bits: int
    read_bytes: int
    written_bytes: int


class PieceWork(NamedTuple):
    """Clocks of a unit for a piece, from its first element to its last; post_cycles: from then until the results are in
    SRAM; actions: gives those of the unit and the SRAM ports."""

    cycles: int
    post_cycles: int
    actions: Callable[[], ActionCounts]
