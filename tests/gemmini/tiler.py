"""The tile sizes that Gemmini's software chooses for a layer by itself.

What `tiled_conv_auto` and `tiled_matmul_auto` of gemmini-rocc-tests do (include/gemmini.h of its branch `dosa`,
959b23f, lines 2707 and 1291), in words of its own. A tile takes half of the scratchpad and of the accumulator, which
the header that the measured programs were compiled with puts at 16384 and 1024 rows (include/gemmini_params.h).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isqrt
from typing import NamedTuple

from accelsim.units import ceil_div

DIM = 16
"""Rows and columns of the array, and elements of a scratchpad row."""
SPAD_ROWS, ACC_ROWS = 16384 // 2, 1024 // 2
"""Rows that a tile may take."""


class Layer(NamedTuple):
    """A square convolution or, where one side of its map is 1, a product: channels in and out, map, kernel, stride."""

    inputs: int
    outputs: int
    rows: int
    cols: int
    kernel: int
    stride: int

    @property
    def is_product(self) -> bool:
        """True where the measured program ran it as a matrix product."""
        return self.cols == 1 and self.kernel == 1

    @property
    def size(self) -> int:
        """Rows, and columns, of the input map."""
        return self.rows * self.stride


class Tile(NamedTuple):
    """Sizes of a tile of the output map, its channels, kernel positions and input channels."""

    rows: int
    cols: int
    outputs: int
    kernel_rows: int
    kernel_cols: int
    inputs: int


def spad_rows(layer: Layer, tile: Tile) -> int:
    """Scratchpad rows of a tile's inputs and weights; the last rows and columns of a stride count as read."""
    rows = tile.rows * layer.stride + tile.kernel_rows - 1
    cols = tile.cols * layer.stride + tile.kernel_cols - 1
    taps = tile.kernel_rows * tile.kernel_cols
    return ceil_div(tile.inputs, DIM) * rows * cols + ceil_div(tile.outputs, DIM) * taps * tile.inputs


def fits(layer: Layer, tile: Tile) -> bool:
    """True where a tile takes no more than its half of both memories."""
    sums = ceil_div(tile.outputs, DIM) * tile.rows * tile.cols
    return spad_rows(layer, tile) <= SPAD_ROWS and sums <= ACC_ROWS


def default_tile(layer: Layer) -> Tile:
    """The tile of a layer: of a product, rows are those of its left matrix."""
    return product_tile(layer) if layer.is_product else convolution_tile(layer)


def convolution_tile(layer: Layer) -> Tile:
    """Start with the whole layer, shrink the largest extent until it fits, then grow what can be."""
    whole = Tile(layer.rows, layer.cols, layer.outputs, layer.kernel, layer.kernel, layer.inputs)
    tile = whole
    while not fits(layer, tile):
        tile = _shrunk(tile)
    while tile.cols < whole.cols and fits(layer, larger := tile._replace(cols=tile.cols + 1)):
        tile = larger
    grows = True
    while grows:
        grows = False
        for name in Tile._fields:
            larger = tile._replace(**{name: getattr(tile, name) + 1})
            if getattr(larger, name) <= getattr(whole, name) and fits(layer, larger):
                tile, grows = larger, True
    return tile


def _shrunk(tile: Tile) -> Tile:
    """The first of the largest extents made smaller: channels by a whole row; columns only while they fill a row."""
    names = [name for name in Tile._fields if not (name == "cols" and tile.cols <= DIM and tile.rows > 1)]
    name = max(names, key=lambda each: getattr(tile, each))
    extent = getattr(tile, name)
    smaller = max(1, (extent - 1) // DIM * DIM) if name in ("outputs", "inputs") else extent - 1
    return tile._replace(**{name: smaller})


def product_tile(layer: Layer) -> Tile:
    """Square blocks of results and what of the sum fits, then each grown by a block in turn."""
    whole = [ceil_div(extent, DIM) for extent in (layer.rows, layer.outputs, layer.inputs)]
    side = isqrt(ACC_ROWS // DIM)
    depth = SPAD_ROWS // 2 // DIM // side
    i, j, k = min(whole[0], side), min(whole[1], side), min(whole[2], depth)
    grows = True
    while grows:
        before = i, j, k
        if j < whole[1] and _product_fits(i, j + 1, k):
            j += 1
        if i < whole[0] and _product_fits(i + 1, j, k):
            i += 1
        if k < whole[2] and _product_fits(i, j, k + 1):
            k += 1
        grows = (i, j, k) != before
    return Tile(i * DIM, 1, j * DIM, 1, 1, k * DIM)


def _product_fits(i: int, j: int, k: int) -> bool:
    return (i + j) * k * DIM <= SPAD_ROWS and i * j * DIM <= ACC_ROWS


def layers_of(rows: list[dict[str, str]]) -> Iterator[Layer]:
    """Layers of a table of measured ones."""
    for row in rows:
        stride = row.get("stride_h") or row["stride"]
        yield Layer(*(int(row[name]) for name in ("C", "K", "P", "Q", "R")), int(stride))
