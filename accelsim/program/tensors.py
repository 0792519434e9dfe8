"""Tensors in DRAM, regions of them, and the DMA descriptors that move a region (docs/machine.md section 6).

Addresses are counted in bits until a descriptor is made, so that packed sub-byte data needs no special case.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import gcd, prod
from typing import Any, NamedTuple, overload

from accelsim.units import ceil_div, packed_bytes

ALIGNMENT_BYTES = 64


class Range(NamedTuple):
    """Indices start, start + step, ... below stop along one dimension."""

    start: int
    stop: int
    step: int = 1

    @property
    def size(self) -> int:
        length = self.stop - self.start
        return length if self.step == 1 else ceil_div(length, self.step)


Region = tuple[Range, ...]
"""A Range for each dimension; only the last may have a step above 1."""


class RowCode(NamedTuple):
    """Code of the rows of a feature map in DRAM: `part` for each `whole` of their plain bits, in whole words.

    Each row that a descriptor moves is a stream of its own, at the place of its plain bits and never longer.
    """

    part: int
    whole: int
    word_bits: int

    @overload
    def bits(self, plain: int) -> int: ...
    @overload
    def bits(self, plain: Any) -> Any: ...
    def bits(self, plain: Any) -> Any:
        """Bits of a row with this number of plain ones; for an integer or an array of them."""
        words = ceil_div(plain * self.part, self.whole * self.word_bits)
        beyond = words * self.word_bits - plain
        return plain + beyond * (beyond < 0)


def share_of_plain(code: RowCode | None) -> float:
    """The least that long rows are of their plain bits."""
    return 1.0 if code is None else code.part / code.whole


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """An array in DRAM: a feature map (images, rows, columns, channels) or the weights of a layer.

    tile: None for row-major order (NHWC); else the tensor is stored tile by tile of these sizes. axes: numbers of the
    dimensions in the order of the loops over such tiles, the outermost first: the order in which a layer loads its
    weights. compressed_bits: bits of the whole where it is stored in
    another form than its elements one by one; each tile then has its share. decoded: whether it is expanded on its way,
    and takes its plain bytes on chip. code: of the rows of a feature map; None where they are plain.
    """

    name: str
    dims: tuple[int, ...]
    bits: int
    address_bytes: int
    tile: tuple[int, ...] | None = None
    axes: tuple[int, ...] = (0, 1, 2, 3)
    compressed_bits: int | None = None
    decoded: bool = False
    code: RowCode | None = None

    @property
    def elements(self) -> int:
        return prod(self.dims)

    @property
    def stored_bits(self) -> int:
        """Bits of the whole tensor."""
        return self.elements * self.bits if self.compressed_bits is None else self.compressed_bits

    @property
    def bytes(self) -> int:
        """Bytes of the whole tensor."""
        return packed_bytes(self.stored_bits, 1)

    @property
    def whole(self) -> Region:
        return tuple(Range(0, extent) for extent in self.dims)


class Descriptor(NamedTuple):
    """A two-dimensional transfer: `rows` rows of `row_bits`, each `stride_bits` after the one before."""

    address_bits: int
    rows: int
    row_bits: int
    stride_bits: int

    @property
    def requested_bytes(self) -> int:
        """Bytes asked for; sub-byte data is rounded up once a row."""
        return self.rows * packed_bytes(self.row_bits, 1)

    def bursts(self, burst_bytes: int) -> int:
        """Bursts that hold the rows; rows do not share one, even where their bytes are neighbours."""
        return bursts_of_rows(self.address_bits % (8 * burst_bytes), *self[1:], 8 * burst_bytes)


@lru_cache(maxsize=1 << 14)
def bursts_of_rows(offset: int, rows: int, row: int, stride: int, burst: int) -> int:
    """Number of bursts that hold `rows` rows, the first `offset` into its burst; all sizes in bits, or all in bytes.

    Offsets repeat, so few are looked at.
    """
    period = burst // gcd(stride, burst) if stride else 1
    whole, rest = divmod(rows, period)
    counts = [((offset + place * stride) % burst + row - 1) // burst + 1 for place in range(period if whole else rest)]
    return whole * sum(counts) + sum(counts[:rest])


def elements(region: Region) -> int:
    """Number of elements of a region."""
    return prod(part.size for part in region)


def region_bytes(tensor: Tensor, region: Region) -> int:
    """Bytes of a region, packed, as it lies in SRAM."""
    if tensor.compressed_bits is not None and not tensor.decoded:
        return packed_bytes(_stored_bits(tensor, region), 1)
    return packed_bytes(elements(region), tensor.bits)


def _stored_bits(tensor: Tensor, region: Region) -> int:
    """Bits of a tile of a tiled tensor: at least one."""
    return max(1, share_of_tile(tensor, region, tensor.stored_bits))


def share_of_tile(tensor: Tensor, region: Region, total: int) -> int:
    """Part of a tile in `total` bits or values that are spread evenly over a tiled tensor; tiles add up to it."""
    start = tiled_offset(tensor, region)
    return _share_until(tensor, start + elements(region), total) - _share_until(tensor, start, total)


def _share_until(tensor: Tensor, offset: int, total: int) -> int:
    return total * offset // tensor.elements


def transfers(
    tensor: Tensor, region: Region, *, by_pixel: bool = False, by_row: bool = False
) -> tuple[Descriptor, ...]:
    """The transfers that move `region` between DRAM and SRAM, encoded where the tensor is. See `descriptors`."""
    plain, code = descriptors(tensor, region, by_pixel=by_pixel, by_row=by_row), tensor.code
    return plain if code is None else tuple(each._replace(row_bits=code.bits(each.row_bits)) for each in plain)


def descriptors(
    tensor: Tensor, region: Region, *, by_pixel: bool = False, by_row: bool = False
) -> tuple[Descriptor, ...]:
    """The bytes of DRAM that hold the elements of `region`, those of a coded tensor as if it were plain.

    by_pixel: each row of theirs is one of the last dimension, even where neighbours lie one behind the other.
    by_row: the rows of one lie along one dimension, the innermost that is left: pixels of a row of a map.

    Raises ValueError where a region of a tiled tensor is not one of its tiles.
    """
    if tensor.tile is not None:
        start = _share_until(tensor, tiled_offset(tensor, region), tensor.stored_bits)
        return (Descriptor(8 * tensor.address_bytes + start, 1, _stored_bits(tensor, region), 0),)
    return tuple(_rows(tensor, region, by_pixel=by_pixel, by_row=by_row))


def tiled_offset(tensor: Tensor, region: Region) -> int:
    """Elements stored before this tile of a tiled tensor. Raises ValueError."""
    assert tensor.tile is not None
    offset = 0
    behind = tensor.elements
    sizes = 1
    for axis in tensor.axes:
        part, extent, size = region[axis], tensor.dims[axis], tensor.tile[axis]
        if part.step != 1 or part.start % size or part.stop != min(part.start + size, extent):
            raise ValueError(f"{region} is not a tile of {tensor.name}")
        behind //= extent
        offset += sizes * part.start * behind
        sizes *= part.size
    return offset


def row_major_offset(tensor: Tensor, index: tuple[int, ...]) -> int:
    """Elements stored before this one of a row-major tensor."""
    offset = 0
    for position, extent in zip(index, tensor.dims, strict=True):
        offset = offset * extent + position
    return offset


def _rows(tensor: Tensor, region: Region, *, by_pixel: bool, by_row: bool) -> Iterator[Descriptor]:
    """The region as descriptors: a run of contiguous elements, its innermost repetition, and a loop over the rest."""
    run, outer = _contiguous(tensor, region)
    last = len(region) - 1
    if by_pixel and outer < last:
        run, outer = region[last].size, last
    start = 8 * tensor.address_bytes + tensor.bits * row_major_offset(tensor, tuple(part.start for part in region))
    strides = [tensor.bits * prod(tensor.dims[axis + 1 :]) for axis in range(len(region))]
    loops = [(part.size, strides[axis] * part.step) for axis, part in enumerate(region[:outer])]
    along = max((axis for axis in range(outer) if tensor.dims[axis] > 1), default=0) if by_row else 0
    around, inner = _merged(loops[:along]), _merged(loops[along:])
    rows, stride = inner.pop() if inner else (1, 0)
    for offset in _offsets([*around, *inner]):
        yield Descriptor(start + offset, rows, run * tensor.bits, stride)


def _contiguous(tensor: Tensor, region: Region) -> tuple[int, int]:
    """(elements in one run, number of leading dimensions that are looped over)."""
    run = 1
    for axis in range(len(region) - 1, -1, -1):
        if region[axis].step != 1:
            return run, axis + 1
        run *= region[axis].size
        if region[axis].size != tensor.dims[axis]:
            return run, axis
    return run, 0


def _offsets(loops: list[tuple[int, int]]) -> Iterator[int]:
    if not loops:
        yield 0
        return
    (count, stride), *inner = loops
    for index in range(count):
        for offset in _offsets(inner):
            yield index * stride + offset


def _merged(loops: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """(count, stride) loops, outermost first, without those of one pass; neighbours in step become one."""
    merged: list[tuple[int, int]] = []
    for count, stride in loops:
        if count == 1:
            continue
        if merged and merged[-1][1] == count * stride:
            merged[-1] = (merged[-1][0] * count, stride)
        else:
            merged.append((count, stride))
    return merged
