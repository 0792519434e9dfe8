"""The part of a layer that a Work is: its matrix product, and the pixels and kernel positions under it."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from accelsim.dataflows import DATAFLOWS, DataflowName
from accelsim.dataflows.contract import Gemm
from accelsim.dataflows.timing import Ratio
from accelsim.dataflows.work import ONE_OUTPUT, Patch
from accelsim.network.graph import Node
from accelsim.network.patches import patch_pixels, patch_reads
from accelsim.operators.shapes import Axis, Window
from accelsim.program.commands import Work
from accelsim.program.tensors import Range, elements
from accelsim.units import ceil_div

MapBlock = tuple[Range, Range, Range]
"""Images, rows and columns of a feature map."""


def window_of(node: Node, taps: Range | None) -> Window:
    """The window of a layer, or of some of its kernel positions."""
    return node.window if taps is None else node.window.part(taps.start, taps.stop)


def array_block(node: Node, block: MapBlock) -> MapBlock:
    """The results of the array that the outputs of a block are made of."""
    if node.pool is None:
        return block
    (images, rows, cols), (down, across) = block, node.pooled
    return images, Range(*down.results(*rows[:2])), Range(*across.results(*cols[:2]))


def work_block(node: Node, work: Work) -> MapBlock:
    """The results of the array that a part of a layer makes."""
    return array_block(node, (work.images, work.rows, work.cols))


def whole_layer(node: Node, batch: int) -> Work:
    """All outputs of a layer, of all its inputs."""
    size = node.output
    pixels = Range(0, batch), Range(0, size.height), Range(0, size.width)
    return Work(*pixels, Range(0, size.channels), Range(0, node.sizes[0].channels // node.groups))


def gemm_of(node: Node, work: Work, patch: Patch = ONE_OUTPUT) -> Gemm:
    """The matrix product of a part of a layer on the array: of whole groups, or of a part of one; or of patches."""
    block = work_block(node, work)
    if patch != ONE_OUTPUT and work.taps is None:
        return _patched(node, block, work.channels.size, patch)
    depth = node.output.channels // node.groups
    groups = (work.channels.stop - 1) // depth - work.channels.start // depth + 1
    depths = window_of(node, work.taps).elements * work.reduction.size
    line = block[2].size if node.output.width > 1 else 0
    return Gemm(groups, elements(block), depths, work.channels.size // groups, line)


def layer_gemm(node: Node, batch: int, patch: Patch = ONE_OUTPUT) -> Gemm:
    """The matrix product of a layer. Images share weights; in a product of two maps each image is a product of its
    own."""
    apart = batch if node.op.multiplies_maps else 1
    product = gemm_of(node, whole_layer(node, batch // apart), patch)
    return replace(product, groups=apart * product.groups)


def _patched(node: Node, block: MapBlock, groups: int, patch: Patch) -> Gemm:
    """The product of a depthwise layer in patches of outputs: of the pixels under each and the taps among zeros."""
    images, rows, cols = block
    steps = images.size * ceil_div(rows.size, patch.rows) * ceil_div(cols.size, patch.cols)
    return Gemm(groups, steps, patch_pixels(node.window, patch), patch.outputs)


def pixels_under(node: Node, work: Work, patch: Patch) -> int:
    """Pixels not on padding that the rows of folds carry for each input channel: under each output, or each patch."""
    if patch == ONE_OUTPUT or work.taps is not None:
        return kernel_positions(node, work)
    size, (images, rows, cols) = node.sizes[0], work_block(node, work)
    down = patch_reads(node.window.vertical, *rows[:2], patch.rows, size.height)
    return images.size * down * patch_reads(node.window.horizontal, *cols[:2], patch.cols, size.width)


def input_window(node: Node, block: MapBlock, taps: Range | None = None) -> MapBlock:
    """The part of the input map that the outputs of a block read under these kernel positions, halo included."""
    images, rows, cols = array_block(node, block)
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
    images, rows, cols = work_block(node, work)
    high = window.vertical.touched(rows.start, rows.stop, size.height)
    return images.size * high * window.horizontal.touched(cols.start, cols.stop, size.width)


def kernel_positions(node: Node, work: Work) -> int:
    """(output pixel, kernel position) pairs of a part of a layer that are not on padding."""
    size, window = node.sizes[0], window_of(node, work.taps)
    images, rows, cols = work_block(node, work)
    vertical = _reads(window.vertical, *rows[:2], size.height)
    return images.size * vertical * _reads(window.horizontal, *cols[:2], size.width)


@lru_cache(maxsize=1 << 12)
def _reads(axis: Axis, start: int, stop: int, extent: int) -> int:
    return axis.reads(start, stop, extent)


def line_buffer_ratio(
    node: Node, work: Work, has_one: bool, dataflow: DataflowName, patch: Patch = ONE_OUTPUT
) -> Ratio:
    """The ratio of the ifmap elements under the kernel that pass the port; a stationary one is read once anyway."""
    if not has_one or DATAFLOWS[dataflow].stationary == "ifmap":
        return Ratio()
    positions = pixels_under(node, work, patch)
    return Ratio(input_pixels(node, work), positions) if positions else Ratio()
