"""The vector unit: what a piece of a layer takes of its lanes and of the SRAM ports (docs/machine.md section 4)."""

from __future__ import annotations

from accelsim.config.machine import Machine
from accelsim.dataflows.work import requantised
from accelsim.network.ops import ops_per_output, vector_cycles
from accelsim.network.pieces import Piece, PieceWork
from accelsim.program.tensors import elements
from accelsim.records import ActionCounts
from accelsim.units import packed_bytes


def vector_work(piece: Piece, machine: Machine) -> PieceWork:
    """A piece on the vector unit, whose results are in SRAM when its last element is through; sums that go on wait in
    the accumulator."""
    node, work = piece.node, piece.work
    outputs = elements((work.images, work.rows, work.cols)) * work.channels.size
    operations = outputs * ops_per_output(node, work)
    sum_bytes = packed_bytes(outputs, machine.array.psum_bits)
    sums = requantised(outputs, machine.array.psum_bits, piece.array.ofmap_bits) if node.op.weighted else 0

    def actions() -> ActionCounts:
        return ActionCounts(
            macs=operations if node.op.weighted else 0,
            requantised_results=sums,
            vector_ops=operations,
            sram_read_ifmap_bytes=piece.read_bytes,
            sram_read_weight_bytes=piece.weight_bits // 8,
            sram_read_psum_bytes=sum_bytes * (not work.first),
            sram_write_psum_bytes=sum_bytes * (not work.last),
            sram_write_ofmap_bytes=piece.written_bytes,
        )

    return PieceWork(vector_cycles(machine, operations, piece.read_bytes, piece.written_bytes), 0, actions)
