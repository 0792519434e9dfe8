"""A plugin of pytest that says what the unit of `one_more_kind` does, as a row of `PIECE_UNITS` would."""

from accelsim.config.machine import Machine
from accelsim.network.graph import Node
from accelsim.network.pieces import Piece, PieceWork
from accelsim.network.units import PIECE_UNITS, PieceUnit
from accelsim.records import ActionCounts
from accelsim.units import ceil_div
from tests.machine.units.one_more_kind import ADDER


def _adds(node: Node, machine: Machine) -> bool:
    return node.op.name == "add"


def _sums(piece: Piece, machine: Machine) -> PieceWork:
    """Four sums a clock, each two clocks later in SRAM."""
    counts = ActionCounts(sram_read_ifmap_bytes=piece.read_bytes, sram_write_ofmap_bytes=piece.written_bytes)
    return PieceWork(ceil_div(piece.written_bytes, 4), 2, lambda: counts)


PIECE_UNITS[ADDER] = PieceUnit(_adds, _sums)
