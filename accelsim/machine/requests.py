"""Memory requests of a DMA engine: descriptors, whose addresses are in bits, as blocks of bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from accelsim.machine.memory.port import Block
from accelsim.program.tensors import Descriptor


def blocks_of(descriptors: Iterable[Descriptor]) -> list[Block]:
    """Blocks whose bursts are those that hold the rows of these descriptors, in their order."""
    return [block for descriptor in descriptors for block in _blocks(descriptor)]


def _blocks(descriptor: Descriptor) -> Iterator[Block]:
    """One block; for packed data whose rows begin at different bits of a byte, one for each row."""
    address, rows, row_bits, stride = descriptor
    if rows == 1 or stride % 8 == 0:
        yield Block(address // 8, rows, _bytes_holding(address, row_bits), stride // 8)
        return
    for start in range(address, address + rows * stride, stride):
        yield Block(start // 8, 1, _bytes_holding(start, row_bits), 0)


def _bytes_holding(start: int, bits: int) -> int:
    return (start + bits - 1) // 8 - start // 8 + 1
