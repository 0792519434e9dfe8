"""Works out what each command of a program waits for, and refuses programs that would compute something else.

Reading the program in order, the contents of SRAM and DRAM are followed symbolically: a command that reads a tile
which is not there, or fills a place from which something is still to be read, is an error here and not a wrong number
later.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from operator import attrgetter

from accelsim.errors import ProgramError
from accelsim.program.commands import Buffer, Command, Compute, Load, Program, Store, Tile, Unit
from accelsim.program.overlaps import Access, sources
from accelsim.program.tensors import Region, Tensor, elements


class Moment(IntEnum):
    """Points in the life of a command that others wait for.

    DONE: its data is where it goes; STATIONARY_READ, STREAM_READ: a Compute has read its stationary, or streamed,
    tiles for the last time; SRAM_READ: a Store has read its tile.
    """

    DONE = 0
    STATIONARY_READ = 1
    STREAM_READ = 2
    SRAM_READ = 3


Wait = tuple[int, Moment]
"""(index of a command, moment of it)."""


@dataclass(frozen=True, slots=True)
class Waits:
    """What a command waits for before it begins, and (a Compute on the array) before its first stream starts."""

    begin: tuple[Wait, ...]
    stream: tuple[Wait, ...] = ()


def link(program: Program) -> list[Waits]:
    """The waits of each command, by index.

    Raises ProgramError: a tile read that is not in SRAM, a place filled while it is still to be read, a region loaded
    from DRAM that was not stored, a tile outside its buffer, or results that are never stored.
    """
    linker = _Linker(program)
    waits = [linker.command(index, command) for index, command in enumerate(program.commands)]
    linker.finish()
    return waits


@dataclass(slots=True)
class _Resident:
    """A tile in SRAM: who filled it, and who read it so far (the last of each unit and moment)."""

    tile: Tile
    low: int
    high: int
    filled_by: list[int]
    reads_left: int
    readers: dict[tuple[Unit, Moment], int] = field(default_factory=dict)

    def filled(self) -> list[Wait]:
        """What has to be over before it may be read."""
        return [(index, Moment.DONE) for index in self.filled_by]

    def vacated(self) -> list[Wait]:
        """What has to be over before another tile may take the place."""
        if not self.readers:
            return self.filled()
        return [(index, moment) for (_, moment), index in self.readers.items()]


def _data_waits(program: Program) -> dict[int, Wait]:
    """What stores the region of each Load; nothing for what is in DRAM from the start. Raises ProgramError."""
    writes: dict[Tensor, list[Access]] = {}
    reads: dict[Tensor, list[Access]] = {}
    for index, command in enumerate(program.commands):
        match command:
            case Store(tile=tile):
                writes.setdefault(tile.tensor, []).append(Access(index, tile.region))
            case Load(tile=tile) if tile.tensor not in program.given:
                reads.setdefault(tile.tensor, []).append(Access(index, tile.region))
    waits: dict[int, Wait] = {}
    for tensor, loads in reads.items():
        for load, source in zip(loads, sources(writes.get(tensor, []), loads, in_order=True), strict=True):
            if source.elements != elements(load.region):
                held = f"{source.elements} of {elements(load.region)} are in DRAM"
                raise ProgramError(f"{_say(program, load.who)}: loads {_bounds(tensor, load.region)}, of which {held}")
            waits[load.who] = source.last, Moment.DONE
    return waits


class _Linker:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.residents: dict[Buffer, list[_Resident]] = {buffer: [] for buffer in Buffer}
        self.place: dict[Tile, _Resident] = {}
        self.data = _data_waits(program)
        self.uses = _uses(program.commands)

    def command(self, index: int, command: Command) -> Waits:
        match command:
            case Load(tile=tile):
                if tile in self.place:
                    raise ProgramError(f"{self._say(index)}: loads {_name(tile)} again")
                space = self._fill(index, tile)
                return Waits((*space, self.data[index]) if index in self.data else tuple(space))
            case Store(tile=tile):
                return Waits(tuple(self._read(index, tile, Unit.DMA_OUT, Moment.SRAM_READ)))
            case Compute():
                return self._compute(index, command)

    def _compute(self, index: int, command: Compute) -> Waits:
        unit = command.unit
        stationary = [
            wait for tile in command.stationary for wait in self._read(index, tile, unit, Moment.STATIONARY_READ)
        ]
        streamed = [wait for tile in command.streamed for wait in self._read(index, tile, unit, Moment.STREAM_READ)]
        space = [wait for tile in command.results for wait in self._fill(index, tile)]
        if unit is Unit.ARRAY:
            return Waits(_unique(stationary), _unique([*streamed, *space]))
        return Waits(_unique([*stationary, *streamed, *space]))

    def _fill(self, index: int, tile: Tile) -> list[Wait]:
        """`tile` takes its place, unless it has it already; what it has to wait for there."""
        if tile in self.place:
            self.place[tile].filled_by.append(index)
            return []
        low = self.program.addresses[tile]
        high = low + tile.bytes
        if low < 0 or high > self.program.capacities[tile.buffer]:
            raise ProgramError(f"{self._say(index)}: bytes {low} to {high} are outside of the {tile.buffer} buffer")
        residents = self.residents[tile.buffer]
        first = bisect_right(residents, low, key=attrgetter("high"))
        last = bisect_left(residents, high, key=attrgetter("low"))
        waits, kept = [], []
        for resident in residents[first:last]:
            if resident.reads_left:
                raise ProgramError(f"{self._say(index)}: overwrites {_name(resident.tile)}, which is still to be read")
            waits.extend(resident.vacated())
            kept.extend(_remains(resident, low, high))
        mine = _Resident(tile, low, high, [index], self.uses.get(tile, 0))
        residents[first:last] = sorted([*kept, mine], key=attrgetter("low"))
        self.place[tile] = mine
        return waits

    def _read(self, index: int, tile: Tile, unit: Unit, moment: Moment) -> list[Wait]:
        resident = self.place.get(tile)
        if resident is None:
            raise ProgramError(f"{self._say(index)}: reads {_name(tile)}, which is not in SRAM")
        resident.readers[unit, moment] = index
        resident.reads_left -= 1
        return resident.filled()

    def finish(self) -> None:
        """At the end nothing is left to be read, and no result was lost."""
        for tile, resident in self.place.items():
            if resident.reads_left:
                raise ProgramError(f"{_name(tile)} is still to be read when the program ends")
        for index, command in enumerate(self.program.commands):
            for tile in command.results if isinstance(command, Compute) else ():
                if tile not in self.uses and not tile.stays:
                    raise ProgramError(f"{self._say(index)}: its result {_name(tile)} is never used")

    def _say(self, index: int) -> str:
        return _say(self.program, index)


def _uses(commands: Sequence[Command]) -> dict[Tile, int]:
    """How often each tile is read."""
    uses: dict[Tile, int] = {}
    for command in commands:
        match command:
            case Compute():
                tiles: Iterable[Tile] = (*command.stationary, *command.streamed)
            case Store(tile=tile):
                tiles = (tile,)
            case Load():
                tiles = ()
        for read in tiles:
            uses[read] = uses.get(read, 0) + 1
    return uses


def _remains(resident: _Resident, low: int, high: int) -> list[_Resident]:
    """The parts of a vacated place that a new tile at [low, high) leaves, still to be waited for by later ones."""
    parts = []
    for part_low, part_high in ((resident.low, min(resident.high, low)), (max(resident.low, high), resident.high)):
        if part_low < part_high:
            parts.append(_Resident(resident.tile, part_low, part_high, resident.filled_by, 0, dict(resident.readers)))
    return parts


def _unique(waits: list[Wait]) -> tuple[Wait, ...]:
    return tuple(dict.fromkeys(waits))


def _say(program: Program, index: int) -> str:
    command = program.commands[index]
    return f"command {index} ({type(command).__name__} of {program.layers[command.layer]})"


def _name(tile: Tile) -> str:
    return _bounds(tile.tensor, tile.region)


def _bounds(tensor: Tensor, region: Region) -> str:
    bounds = ", ".join(f"{part.start}:{part.stop}" for part in region)
    return f"{tensor.name}[{bounds}]"
