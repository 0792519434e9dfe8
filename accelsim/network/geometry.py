"""The part of a layer that a Work is: its matrix product, and the pixels and kernel positions under it."""

from __future__ import annotations

from functools import lru_cache

from accelsim.dataflows import DATAFLOWS, DataflowName
from accelsim.dataflows.contract import Gemm
from accelsim.dataflows.timing import Ratio
from accelsim.network.graph import Node
from accelsim.operators.shapes import Axis, Window
from accelsim.program.commands import Work
from accelsim.program.tensors import Range

Block = tuple[Range, Range, Range]
"""Images, rows and columns of a feature map."""


def window_of(node: Node, taps: Range | None) -> Window:
    """The window of a layer, or of some of its kernel positions."""
    return node.window if taps is None else node.window.part(taps.start, taps.stop)


def gemm_of(node: Node, work: Work) -> Gemm:
    """The matrix product of a part of a layer on the array: of whole groups, or of a part of one."""
    depth = node.output.channels // node.groups
    groups = (work.channels.stop - 1) // depth - work.channels.start // depth + 1
    pixels = work.images.size * work.rows.size * work.cols.size
    return Gemm(groups, pixels, window_of(node, work.taps).elements * work.reduction.size, work.channels.size // groups)


def input_window(node: Node, block: Block, taps: Range | None = None) -> Block:
    """The part of the input map that the outputs of a block read under these kernel positions, halo included."""
    images, rows, cols = block
    window = window_of(node, taps)
    vertical, horizontal = window.vertical, window.horizontal
    return (
        images,
        Range(*vertical.taken(rows.start, rows.stop, node.sizes[0].height)),
        Range(*horizontal.taken(cols.start, cols.stop, node.sizes[0].width)),
    )


def input_pixels(node: Node, work: Work) -> int:
    """Input pixels that a part of a layer reads, each counted once."""
    size, window = node.sizes[0], window_of(node, work.taps)
    high = window.vertical.touched(work.rows.start, work.rows.stop, size.height)
    return work.images.size * high * window.horizontal.touched(work.cols.start, work.cols.stop, size.width)


def kernel_positions(node: Node, work: Work) -> int:
    """(output pixel, kernel position) pairs of a part of a layer that are not on padding."""
    size, window = node.sizes[0], window_of(node, work.taps)
    vertical = _reads(window.vertical, *work.rows[:2], size.height)
    return work.images.size * vertical * _reads(window.horizontal, *work.cols[:2], size.width)


@lru_cache(maxsize=1 << 12)
def _reads(axis: Axis, start: int, stop: int, extent: int) -> int:
    return axis.reads(start, stop, extent)


def line_buffer_ratio(node: Node, work: Work, has_one: bool, dataflow: DataflowName) -> Ratio:
    """The ratio of the ifmap elements under the kernel that pass the port; a stationary one is read once anyway."""
    if not has_one or DATAFLOWS[dataflow].stationary == "ifmap":
        return Ratio()
    positions = kernel_positions(node, work)
    return Ratio(input_pixels(node, work), positions) if positions else Ratio()
