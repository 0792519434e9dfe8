"""Memory images: DRAM and SRAM buffers as cells that hold bits, or poison where nothing was written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import gcd, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.check.arithmetic import Values
from accelsim.program.tensors import Descriptor, Range, Region, Tensor, descriptors

POISON = -1
PIECE = 1 << 22
"""Cells or values that are written at once: Ctrl-C is heard between two pieces."""

CellValues = NDArray[np.int16]


def cell_bits_for(*bits: int) -> int:
    """The widest cell, at most a byte, of which every one of these widths is a multiple."""
    return gcd(8, *bits)


class Image:
    """A memory of cells of `cell_bits` bits; poisoned at first."""

    def __init__(self, size_bytes: int, cell_bits: int) -> None:
        self.cell_bits = cell_bits
        self.cells: CellValues = np.empty(size_bytes * 8 // cell_bits, dtype=np.int16)
        for piece in _pieces(self.cells):
            piece[:] = POISON

    def span(self, address_bytes: int, size_bytes: int) -> slice:
        """The cells of some bytes."""
        scale = 8 // self.cell_bits
        return slice(address_bytes * scale, (address_bytes + size_bytes) * scale)

    def indices(self, descriptors: tuple[Descriptor, ...]) -> NDArray[np.int64]:
        """The cells that transfers go through, in their order."""
        return np.concatenate([self._rows(descriptor) for descriptor in descriptors])

    def _rows(self, descriptor: Descriptor) -> NDArray[np.int64]:
        starts = descriptor.address_bits + np.arange(descriptor.rows) * descriptor.stride_bits
        inside = np.arange(descriptor.row_bits // self.cell_bits)
        cells = np.add.outer(starts // self.cell_bits, inside).astype(np.int64)
        return cells.reshape(-1)


def random_values(random: np.random.Generator, dims: Sequence[int], bits: int) -> Values:
    """Two's-complement values of so wide a type, each as likely."""
    values: Values = np.empty(prod(dims), dtype=np.int64)
    half = 1 << (bits - 1)
    for piece in _pieces(values):
        piece[:] = random.integers(-half, half, size=piece.size, dtype=np.int64)
    return values.reshape(tuple(dims))


def give(memory: Image, tensor: Tensor, random: np.random.Generator) -> Values:
    """Random values that a tensor has in a memory from the start; of a compressed one, random bits in their place."""
    values = random_values(random, tensor.dims, tensor.bits)
    for region in stored_regions(tensor):
        where = memory.indices(descriptors(tensor, region))
        if tensor.compressed_bits is None:
            memory.cells[where] = encode(values[slices(region)], tensor.bits, memory.cell_bits)
        else:
            memory.cells[where] = random.integers(0, 2, size=where.size)
    return values


def encode(values: Values, bits: int, cell_bits: int) -> CellValues:
    """Values as cells, low bits first."""
    shifts = np.arange(0, bits, cell_bits)
    cells = (values.reshape(-1, 1) >> shifts) & ((1 << cell_bits) - 1)
    return cells.reshape(-1).astype(np.int16)


def decode(cells: CellValues, bits: int, cell_bits: int) -> Values:
    """The two's-complement values in cells."""
    parts = cells.astype(np.int64).reshape(-1, bits // cell_bits)
    raw = (parts << np.arange(0, bits, cell_bits)).sum(axis=1)
    return np.asarray(np.where(raw >> (bits - 1), raw - (1 << bits), raw))


def stored_regions(tensor: Tensor) -> Iterator[Region]:
    """The regions in which a tensor lies in one piece."""
    if tensor.tile is None:
        yield tensor.whole
        return
    grids = [range(0, extent, size) for extent, size in zip(tensor.dims, tensor.tile, strict=True)]
    for corner in np.ndindex(*(len(grid) for grid in grids)):
        yield tuple(
            Range(grid[number], min(grid[number] + size, extent))
            for grid, number, size, extent in zip(grids, corner, tensor.tile, tensor.dims, strict=True)
        )


def channels_within(stored: NDArray[np.int64], where: Range) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The positions of the channels that a tile has, among these and in the tile."""
    mine = np.flatnonzero((stored >= where.start) & (stored < where.stop) & ((stored - where.start) % where.step == 0))
    return mine, (stored[mine] - where.start) // where.step


def slices(region: Region) -> tuple[slice, ...]:
    """The places of a region in an array of its tensor."""
    return tuple(slice(part.start, part.stop) for part in region)


def are_compressed(tensors: Iterable[Tensor]) -> bool:
    """True where one of these tensors lies in DRAM as bits that stand for no values of their own."""
    return any(tensor.compressed_bits is not None for tensor in tensors)


def _pieces(flat: NDArray[Any]) -> Iterator[NDArray[Any]]:
    return (flat[start : start + PIECE] for start in range(0, flat.size, PIECE))
