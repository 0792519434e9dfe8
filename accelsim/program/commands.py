"""The contract between software and hardware: a stream of Load, Compute and Store over tiles.

A tile is a region of a tensor while it is on chip. Commands stand in an order in which each depends on earlier ones
only; the machine serves each unit's commands in that order and lets the units run as far apart as data and space
allow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from accelsim.program.folds import FoldChain
from accelsim.program.tensors import Descriptor, Range, Region, Tensor, region_bytes, transfers
from accelsim.records import ActionCounts
from accelsim.unit_kinds import DMA_IN, DMA_OUT, UnitKind

NO_ACTIONS = ActionCounts()


class Buffer(StrEnum):
    """SRAM buffers that tiles live in."""

    ACTIVATION = "activation"
    WEIGHT = "weight"


UNPLACED = -1
"""Address of a tile that has no place yet."""


@dataclass(slots=True, eq=False)
class Tile:
    """A region of a tensor that lives in a buffer, from its Load or Compute to its last use. Each is its own.

    resident: a result that later Computes read where it is, and that is not stored; read_on_chip: one that is stored,
    and that Computes read where it is as well. address: of its first byte in the
    buffer, set before a command that fills the tile is in the stream; place_bytes: bytes kept for it there; bytes:
    those that it has, packed.
    """

    tensor: Tensor
    region: Region
    buffer: Buffer
    resident: bool = False
    address: int = UNPLACED
    place_bytes: int = 0
    read_on_chip: bool = False
    bytes: int = field(init=False)

    def __post_init__(self) -> None:
        self.bytes = region_bytes(self.tensor, self.region)
        self.place_bytes = self.place_bytes or self.bytes

    @property
    def descriptors(self) -> tuple[Descriptor, ...]:
        """Transfers that load or store it."""
        return transfers(self.tensor, self.region)


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
    """DRAM to SRAM.

    host_cycles: clocks that the host takes to issue the tile iteration that it begins; fill_cycles: clocks in which the
    DMA engine writes zeros before it.
    """

    layer: int
    tile: Tile
    host_cycles: int = 0
    fill_cycles: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Compute:
    """A tile iteration of a layer on the array or on a unit that works on pieces.

    stationary: tiles that the first load of the fold chain reads; streamed: tiles read from the start of the first
    stream on; added: tiles that are added to the results on their way; results: tiles it fills, empty while sums go
    on. `chain` of folds for the array, `unit_cycles` for the other units. post_cycles: from the unit's last output to
    its being in SRAM. actions: of the unit and the SRAM ports; stretched_cycles: clocks by which SRAM ports lengthen
    the streams; beside: actions of operators on the ways to and from the array, by number of the layer; fill_cycles:
    clocks in which a DMA engine writes the zeros that it needs.
    What later commands have no use for, so that none of them need be known: released, tiles that none reads; complete,
    results that none fills; unread, tensors that none loads from DRAM. slots: by buffer, where several tiles of its
    layer stay at once, places of equal size that the loads share, from the bottom of the room, but for tiles in pieces;
    results and what is added to them then come from its top.
    reads: tiles that it reads, each once; stored: results that Stores take to DRAM right after it.
    """

    layer: int
    unit: UnitKind
    work: Work
    stationary: tuple[Tile, ...]
    streamed: tuple[Tile, ...]
    results: tuple[Tile, ...]
    complete: tuple[Tile, ...] = ()
    actions: ActionCounts = NO_ACTIONS
    chain: FoldChain | None = None
    unit_cycles: int = 0
    post_cycles: int = 0
    stretched_cycles: int = 0
    beside: tuple[tuple[int, ActionCounts], ...] = ()
    fill_cycles: int = 0
    added: tuple[Tile, ...] = ()
    released: tuple[Tile, ...] = ()
    unread: tuple[Tensor, ...] = ()
    slots: Mapping[Buffer, int] = field(default_factory=dict)
    reads: tuple[Tile, ...] = field(init=False)
    stored: tuple[Tile, ...] = field(init=False)

    def __post_init__(self) -> None:
        reads = tuple(dict.fromkeys((*self.stationary, *self.streamed, *self.added)))
        object.__setattr__(self, "reads", reads)
        stored = tuple([tile for tile in self.complete if not tile.resident]) if self.complete else ()
        object.__setattr__(self, "stored", stored)

    @property
    def vacated(self) -> tuple[Tile, ...]:
        """Tiles that nothing needs any more once it and the Stores of its results are over."""
        return (*self.released, *(tile for tile in self.stored if not tile.read_on_chip))


@dataclass(frozen=True, slots=True, eq=False)
class Store:
    """SRAM to DRAM."""

    layer: int
    tile: Tile


Command = Load | Compute | Store


def clocks_before(command: Command) -> tuple[int, int]:
    """Clocks of the host, and of zeros that are written, before a transfer."""
    return (command.host_cycles, command.fill_cycles) if isinstance(command, Load) else (0, 0)


@dataclass(frozen=True, slots=True)
class Restartable:
    """Commands that are made anew each time they are gone through."""

    make: Callable[[], Iterator[Command]]

    def __iter__(self) -> Iterator[Command]:
        return self.make()


@dataclass(frozen=True, slots=True)
class Program:
    """A stream of commands, and what they are about.

    layers: names, by the number that commands have; preloaded: tensors that are in DRAM from the start; commands: in
    order, made anew each time they are gone through; capacities: bytes of the buffers; reloaded: tensors that are
    stored and loaded again.
    """

    layers: tuple[str, ...]
    preloaded: tuple[Tensor, ...]
    commands: Iterable[Command]
    capacities: Mapping[Buffer, int]
    reloaded: frozenset[Tensor] = frozenset()


def kind_of(command: Command) -> UnitKind:
    """The kind of unit that executes a command."""
    match command:
        case Load():
            return DMA_IN
        case Store():
            return DMA_OUT
        case Compute():
            return command.unit
