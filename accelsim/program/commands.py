"""The contract between software and hardware: a program of Load, Compute and Store over tiles.

A tile is a region of a tensor while it is on chip. Commands stand in an order in which each depends on earlier ones
only; the machine serves each unit's commands in that order and lets the units run as far apart as data and space
allow.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from accelsim.program.folds import FoldChain
from accelsim.program.tensors import Descriptor, Range, Region, Tensor, descriptors, region_bytes


class Buffer(StrEnum):
    """SRAM buffers that tiles live in."""

    ACTIVATION = "activation"
    WEIGHT = "weight"


class Unit(StrEnum):
    """Serial resources that execute commands."""

    DMA_IN = "dma_in"
    ARRAY = "array"
    VECTOR = "vector"
    DMA_OUT = "dma_out"


@dataclass(frozen=True, eq=False)
class Tile:
    """A region of a tensor that lives in a buffer, from its Load or Compute to its last use. Each is its own.

    stays: a result that later Computes read where it is, and that is not stored.
    """

    tensor: Tensor
    region: Region
    buffer: Buffer
    stays: bool = False

    @cached_property
    def bytes(self) -> int:
        """Bytes it takes in SRAM."""
        return region_bytes(self.tensor, self.region)

    @cached_property
    def descriptors(self) -> tuple[Descriptor, ...]:
        """The transfers that load or store it."""
        return descriptors(self.tensor, self.region)


@dataclass(frozen=True, slots=True)
class Work:
    """The outputs of its layer that a Compute works on, summed over these input channels of each group.

    first, last: whether it begins, or ends, the sums of its outputs. taps: the kernel positions, row by row, that it
    sums over, whole rows of the kernel or part of one; None for all.
    """

    images: Range
    rows: Range
    cols: Range
    channels: Range
    reduction: Range
    first: bool = True
    last: bool = True
    taps: Range | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Load:
    """DRAM to SRAM."""

    layer: int
    tile: Tile


@dataclass(frozen=True, slots=True, eq=False)
class Compute:
    """A piece of a layer on the array or the vector unit.

    stationary: tiles that the first load of the fold chain reads; streamed: tiles read from the start of the first
    stream on; results: tiles it fills, empty while sums go on. `chain` for the array, `vector_cycles` for the vector
    unit. post_cycles: from the unit's last output to its being in SRAM.
    """

    layer: int
    unit: Unit
    work: Work
    stationary: tuple[Tile, ...]
    streamed: tuple[Tile, ...]
    results: tuple[Tile, ...]
    chain: FoldChain | None = None
    vector_cycles: int = 0
    post_cycles: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Store:
    """SRAM to DRAM."""

    layer: int
    tile: Tile


Command = Load | Compute | Store


@dataclass(frozen=True, slots=True)
class Program:
    """Commands in order, where their tiles lie in SRAM (byte addresses), and how large the buffers are.

    given: tensors that are in DRAM from the start.
    """

    layers: tuple[str, ...]
    given: tuple[Tensor, ...]
    commands: tuple[Command, ...]
    addresses: dict[Tile, int]
    capacities: dict[Buffer, int]


def unit_of(command: Command) -> Unit:
    """The unit that executes a command."""
    match command:
        case Load():
            return Unit.DMA_IN
        case Store():
            return Unit.DMA_OUT
        case Compute():
            return command.unit
