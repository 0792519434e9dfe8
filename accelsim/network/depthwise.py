"""The depthwise engine: what streams through it, and its clocks (docs/machine.md section 4).

A pass takes the pixels of as many channels as the engine has side by side, row by row, each clock a position of the
padded map. Rows above stay in the line buffer until a window is whole; a map too wide for it comes in strips.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from accelsim.config.machine import Depthwise, Machine
from accelsim.dataflows.work import ArrayContext, requantised
from accelsim.network.array import mac_counts
from accelsim.network.geometry import kernel_positions
from accelsim.network.graph import Node
from accelsim.network.pieces import Piece, PieceWork
from accelsim.operators.shapes import Axis
from accelsim.program.commands import Work
from accelsim.program.tensors import Range
from accelsim.records import ActionCounts
from accelsim.units import ceil_div, packed_bytes


class DepthwiseWork(NamedTuple):
    """A piece of a layer on the engine, for each of its channels: positions of the padded map, pixels of them that are
    read, pixels read again from the line buffer, outputs, and steps of an output, in each of which as many taps are
    multiplied as there are multipliers.

    cycles: from the first weight to the last pixel of the last channels.
    """

    positions: int
    pixels: int
    line_reads: int
    outputs: int
    steps: int
    cycles: int


class EnginePiece(NamedTuple):
    """The outputs of a Work of a layer. array: widths of the layer's data; weight_bits: of its channels, as stored."""

    node: Node
    work: Work
    array: ArrayContext
    weight_bits: int


def engine_lacks(node: Node, machine: Machine, bits: int) -> str | None:
    """The reason why the engine can't do a layer whose inputs have these bits: its registers or its line buffer do not
    hold a window. None where it can."""
    engine = _engine(machine)
    if _registers(node) > engine.max_taps:
        return f"its window of {_registers(node)} pixels is larger than depthwise.max_taps"
    if node.window.vertical.reach(1) > 1 and _widest(node, engine, bits) < 1:
        return "the rows of its window do not fit depthwise.line_buffer_bytes"
    return None


def depthwise_work(piece: EnginePiece, machine: Machine) -> DepthwiseWork:
    """A piece on the machine's engine, which can do it."""
    node, work, array, weight_bits = piece
    engine, window, size = _engine(machine), node.window, node.sizes[0]
    strips = _strips(node, work.cols, engine, array.ifmap_bits)
    vertical, horizontal = window.vertical, window.horizontal
    above = range(vertical.dilation, vertical.kernel * vertical.dilation, vertical.dilation)
    positions = pixels = line_reads = 0
    for cols in strips:
        inside = work.images.size * _inside(horizontal, cols, size.width)
        positions += work.images.size * vertical.reach(work.rows.size) * horizontal.reach(cols.size)
        pixels += inside * _inside(vertical, work.rows, size.height)
        line_reads += inside * sum(_inside(vertical, work.rows, size.height, rows) for rows in above)
    outputs = work.images.size * work.rows.size * work.cols.size
    steps = ceil_div(window.elements, engine.taps_per_clock)
    passes = []
    for channels in _passes(work.channels.size, engine.channels):
        moved = max(pixels * array.ifmap_bits, outputs * array.ofmap_bits) * channels
        load = ceil_div(weight_bits * channels, work.channels.size * array.weight_port_bits)
        clocks = max(positions + outputs * (steps - 1), ceil_div(moved, array.activation_port_bits))
        passes.append(_Pass(load, clocks))
    return DepthwiseWork(positions, pixels, line_reads, outputs, steps, _cycles(passes))


def tail_cycles(machine: Machine) -> int:
    """Clocks from the last pixel to the last output: the multipliers, a register behind each level of the adder tree,
    and the sum over the steps."""
    return machine.array.mac_latency + (_engine(machine).taps_per_clock - 1).bit_length() + 1


def engine_counts(piece: EnginePiece, done: DepthwiseWork) -> ActionCounts:
    """The actions of a piece: a pixel is read once for each strip, written to the line buffer, and read from there
    with each row below it that has it under a window; a position moves all registers of the window on."""
    node, work, array, weight_bits = piece
    channels, taps = work.channels.size, node.window.elements
    pixels, results = done.pixels * channels, done.outputs * channels
    zeros_count = node.pruning is None or node.pruning.zeros == "nothing"
    active = kernel_positions(node, work) * channels
    moved_bits = (
        done.positions * channels * _registers(node) * array.ifmap_bits
        + results * (2 * taps - done.steps) * (array.ifmap_bits + array.weight_bits)
        + results * done.steps * array.psum_bits
    )
    return ActionCounts(
        **mac_counts(node, array, results * taps, active if zeros_count else active * node.nonzeros // node.weights),
        register_bytes=packed_bytes(moved_bits, 1),
        requantised_results=requantised(results, array.psum_bits, array.ofmap_bits),
        sram_read_ifmap_bytes=packed_bytes(pixels, array.ifmap_bits),
        sram_read_weight_bytes=packed_bytes(weight_bits, 1),
        sram_read_line_bytes=packed_bytes(done.line_reads * channels, array.ifmap_bits),
        sram_write_line_bytes=packed_bytes(pixels if node.window.vertical.kernel > 1 else 0, array.ifmap_bits),
        sram_write_ofmap_bytes=packed_bytes(results, array.ofmap_bits),
    )


def engine_work(piece: Piece, machine: Machine) -> PieceWork:
    """A piece on the engine, as `accelsim.network.units` asks for it."""
    own = EnginePiece(piece.node, piece.work, piece.array, piece.weight_bits)
    done = depthwise_work(own, machine)
    post_cycles = tail_cycles(machine) + machine.array.post_latency
    return PieceWork(done.cycles, post_cycles, partial(engine_counts, own, done))


class _Pass(NamedTuple):
    """Clocks in which the weights of some channels come in, and their pixels."""

    load: int
    stream: int


def _cycles(passes: list[_Pass]) -> int:
    """Clocks of passes, the weights of each coming in behind the pixels of the one before."""
    behind = (max(each.stream, after.load) for each, after in pairwise(passes))
    return passes[0].load + sum(behind) + passes[-1].stream


def _passes(channels: int, most: int) -> Iterator[int]:
    """Channels of each pass."""
    for start in range(0, channels, most):
        yield min(most, channels - start)


def _engine(machine: Machine) -> Depthwise:
    assert machine.depthwise is not None
    return machine.depthwise


def _strips(node: Node, cols: Range, engine: Depthwise, bits: int) -> list[Range]:
    """Output columns in strips whose rows fit the line buffer."""
    most = cols.size if node.window.vertical.reach(1) == 1 else _widest(node, engine, bits)
    return [Range(start, min(start + most, cols.stop)) for start in range(cols.start, cols.stop, most)]


def _widest(node: Node, engine: Depthwise, bits: int) -> int:
    """Output columns of the widest strip whose rows, all but the last under a window, fit the line buffer."""
    rows, horizontal = node.window.vertical.reach(1) - 1, node.window.horizontal
    width = 8 * engine.line_buffer_bytes // (engine.channels * bits * rows)
    return (width - horizontal.reach(1)) // horizontal.stride + 1


def _inside(axis: Axis, outputs: Range, extent: int, before: int = 0) -> int:
    """Positions under neighbouring outputs that are not on padding, without the last `before`."""
    low = outputs.start * axis.stride - axis.pad
    return max(0, min(low + axis.reach(outputs.size) - before, extent) - max(low, 0))


def _registers(node: Node) -> int:
    """Pixels of a window that are in registers at once: the rows it has taps in."""
    return node.window.vertical.kernel * node.window.horizontal.reach(1)
