"""Finds what each command of a stream waits for, and refuses programs that would compute something else.

Going through the commands in order, the contents of SRAM and DRAM are followed symbolically: a command that reads a
tile which is not there, or fills a place from which something is still to be read, is an error here and not a wrong
number later. What is kept is what is on chip, and the stores to tensors that are still to be loaded.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

from accelsim.errors import ProgramError
from accelsim.program.commands import Buffer, Command, Compute, Load, Program, Store, Tile, kind_of
from accelsim.program.stored import StoredRegions
from accelsim.program.tensors import Tensor, elements
from accelsim.unit_kinds import UnitKind

NEVER = -1


class Moment(IntEnum):
    """Points in the life of a command that others wait for.

    DONE: its data is where it goes; STATIONARY_READ, STREAM_READ: a Compute has read its stationary, or streamed,
    tiles for the last time; SRAM_READ: a Store has read its tile.
    """

    DONE = 0
    STATIONARY_READ = 1
    STREAM_READ = 2
    SRAM_READ = 3


class _Awaited(IntEnum):
    """The wait of a Compute on the array for what is in a place, if one did wait."""

    NEVER = 0
    TO_STREAM = 1
    TO_BEGIN = 2


class Role(NamedTuple):
    """Layer and clocks that a command is counted for. post_cycles: those of requantisation."""

    layer: int
    unit: UnitKind
    buffer: Buffer
    post_cycles: int


@dataclass(slots=True, eq=False)
class Task:
    """A command as the machine knows it: what it waits for, and when it was where, in array clocks.

    begin_waits: before it begins; stream_waits: before the first stream of a Compute on the array starts. The machine
    notes the rest. instance: the unit that served it; begin: that took it on; stream: its first stream starts, or its
    transfer is handed to DRAM; stream_end: its last stream ends, or its last data is on the bus; free: its unit turns
    to the next; moments: clock of each `Moment`, as soon as it is known; numbers: of their events, for those that have
    one; led_by: what it waited for last; issued: the host has issued its transfer; bursts: of that; lines,
    dram: read for caches meanwhile, and clocks of it in which some were, NEVER without caches; doubled: when it was
    where with each resource of the machine twice as good.
    """

    index: int
    role: Role
    instance: str = ""
    begin_waits: tuple[Wait, ...] = ()
    stream_waits: tuple[Wait, ...] = ()
    begin: int = NEVER
    stream: int = NEVER
    stream_end: int = NEVER
    free: int = NEVER
    moments: list[int] = field(default_factory=lambda: [NEVER] * len(Moment))
    numbers: list[int] = field(default_factory=lambda: [NEVER] * len(Moment))
    led_by: Wait | None = None
    issued: int = NEVER
    bursts: int = 0
    lines: int = 0
    dram: int = NEVER
    doubled: list[tuple[float, ...]] = field(default_factory=list)

    @property
    def done(self) -> int:
        """The clock at which its data was where it goes."""
        return self.moments[Moment.DONE]


Wait = tuple[Task, Moment]
"""A moment of an earlier command."""


class Linked(NamedTuple):
    """A command, and the task that it is to the machine."""

    command: Command
    task: Task


def link(
    program: Program,
    *,
    side_by_side: Collection[UnitKind] = (),
    in_slots: bool = False,
    after_loads: bool = False,
) -> Iterator[Linked]:
    """The commands with what they wait for.

    side_by_side: kinds of which there are several units, so that a command may end before an earlier one of its kind.
    in_slots: whether a Load takes the slot of the last Compute before it, and waits until that and its Stores are done.
    after_loads: whether a Compute on the array waits for all its operands before it begins, and not for stationary
    ones alone.
    Raises ProgramError, as it comes to it: a tile read that is not in SRAM, a place filled while it is still to be
    read, a region loaded from DRAM that was not stored, a tile outside its buffer, or results that are never stored.
    """
    linker = _Linker(program, frozenset(side_by_side), in_slots, after_loads)
    for index, command in enumerate(program.commands):
        task = Task(index, _role(command))
        linker.link(task, command)
        yield Linked(command, task)
    linker.finish()


def _role(command: Command) -> Role:
    if isinstance(command, Compute):
        return _shared_role(command.layer, command.unit, Buffer.ACTIVATION, command.post_cycles)
    return _shared_role(command.layer, kind_of(command), command.tile.buffer, 0)


_shared_role = lru_cache(maxsize=1 << 10)(Role)


@dataclass(slots=True)
class _Occupied:
    """A place in SRAM: who filled it, and who read it so far: of each unit and moment the last, and those before it
    that may come to it later, having a longer tail (see `_tail`).

    to_read: whether somebody still reads it; awaited: by a Compute on the array.
    """

    tile: Tile
    low: int
    high: int
    filled_by: list[tuple[Task, int]]
    to_read: bool = True
    readers: dict[tuple[UnitKind, Moment], list[tuple[Task, int]]] = field(default_factory=dict)
    awaited: _Awaited = _Awaited.NEVER

    def filled(self) -> list[Wait]:
        """Commands that have to be over before it may be read."""
        return [(task, Moment.DONE) for task, _ in self.filled_by]

    def filled_for_array(self, when: _Awaited) -> Sequence[Wait]:
        """The same for a Compute on the array, which serves them in order: later ones that wait as late need not."""
        self.awaited = when
        return self.filled()

    def vacated(self) -> list[Wait]:
        """Commands that have to be over before another tile may take the place."""
        if not self.readers:
            return self.filled()
        return [(task, moment) for (_, moment), readers in self.readers.items() for task, _ in reversed(readers)]

    def fill(self, task: Task, tail: int) -> None:
        """Note that a command fills it until it is done."""
        filled = self.filled_by
        while filled and filled[-1][1] <= tail and filled[-1][0].role.unit is task.role.unit:
            filled.pop()
        filled.append((task, tail))
        self.awaited = _Awaited.NEVER

    def read(self, until: tuple[UnitKind, Moment], reader: tuple[Task, int]) -> None:
        """Note that a command with this tail reads it until then."""
        readers = self.readers.get(until)
        if readers is None:
            self.readers[until] = [reader]
            return
        tail = reader[1]
        while readers and readers[-1][1] <= tail:
            readers.pop()
        readers.append(reader)


class _Linker:
    def __init__(self, program: Program, side_by_side: frozenset[UnitKind], in_slots: bool, after_loads: bool) -> None:
        self.program = program
        self.in_slots, self.after_loads = in_slots, after_loads
        self.slot: tuple[Wait, ...] = ()
        self.preloaded = frozenset(program.preloaded)
        self.side_by_side = side_by_side
        self.stores_end_in_order = not any(kind.stores for kind in side_by_side)
        self.places: dict[Buffer, list[_Occupied]] = {buffer: [] for buffer in Buffer}
        self.place_of: dict[Tile, _Occupied] = {}
        self.stored: dict[Tensor, StoredRegions[Task]] = {}

    def link(self, task: Task, command: Command) -> None:
        """Note what a command waits for, and what it changes."""
        match command:
            case Load(tile=tile):
                if tile in self.place_of:
                    raise ProgramError(f"{self._say(task, command)}: loads {_name(tile)} again")
                space = self._fill(task, command, tile)
                task.begin_waits = (*space, *self._data_waits(task, command, tile), *self.slot)
            case Store(tile=tile):
                task.begin_waits = tuple(self._operands(task, command, (tile,), Moment.SRAM_READ))
                if not tile.read_on_chip:
                    self._release(tile)
                if tile.tensor in self.program.reloaded:
                    if tile.tensor not in self.stored:
                        self.stored[tile.tensor] = StoredRegions(tile.tensor)
                    self.stored[tile.tensor].add(task, tile.region)
                if self.in_slots:
                    self.slot = (*self.slot, (task, Moment.DONE))
            case Compute():
                self._link_compute(task, command)
                if self.in_slots:
                    self.slot = ((task, Moment.DONE),)

    def _link_compute(self, task: Task, command: Compute) -> None:
        on_array = command.unit.folds
        begin, stream = (_Awaited.TO_BEGIN, _Awaited.TO_STREAM) if on_array else (None, None)
        stationary = self._operands(task, command, command.stationary, Moment.STATIONARY_READ, begin)
        streamed = self._operands(
            task, command, command.streamed, Moment.STREAM_READ, begin if self.after_loads else stream
        )
        added = self._operands(task, command, command.added, Moment.DONE, stream)
        space = [wait for tile in command.results for wait in self._fill(task, command, tile)]
        if on_array:
            before = [*stationary, *streamed] if self.after_loads else stationary
            task.begin_waits, task.stream_waits = _unique(before), _unique([*streamed, *added, *space])
        else:
            task.begin_waits = _unique([*stationary, *streamed, *space])
        for tile in command.released:
            self._release(tile)
        for tensor in command.unread:
            self.stored.pop(tensor, None)

    def _data_waits(self, task: Task, command: Command, tile: Tile) -> list[Wait]:
        """Stores of the region of a Load; none for what is in DRAM from the start. Raises ProgramError."""
        if tile.tensor in self.preloaded:
            return []
        stored = self.stored.get(tile.tensor)
        there, wanted = stored.elements(tile.region) if stored else 0, elements(tile.region)
        if there != wanted:
            held = f"{there} of {wanted} are in DRAM"
            raise ProgramError(f"{self._say(task, command)}: loads {_name(tile)}, of which {held}")
        writers = stored.writers(tile.region) if stored else []
        return [(writer, Moment.DONE) for writer in (writers[-1:] if self.stores_end_in_order else writers)]

    def _fill(self, task: Task, command: Command, tile: Tile) -> list[Wait]:
        """`tile` takes its place, unless it has it already; what it has to wait for there."""
        if tile in self.place_of:
            self.place_of[tile].fill(task, self._tail(task, command, Moment.DONE))
            return []
        low = tile.address
        high = low + tile.bytes
        if low < 0 or high > self.program.capacities[tile.buffer]:
            raise ProgramError(
                f"{self._say(task, command)}: bytes {low} to {high} are outside of the {tile.buffer} buffer"
            )
        places = self.places[tile.buffer]
        first = bisect_right(places, low, key=attrgetter("high"))
        last = bisect_left(places, high, key=attrgetter("low"))
        waits: list[Wait] = []
        kept: list[_Occupied] = []
        for place in places[first:last]:
            if place.to_read:
                over = f"overwrites {_name(place.tile)}, which is still to be read"
                raise ProgramError(f"{self._say(task, command)}: {over}")
            waits.extend(place.vacated())
            kept.extend(_remains(place, low, high))
        mine = _Occupied(tile, low, high, [(task, self._tail(task, command, Moment.DONE))])
        places[first:last] = sorted([*kept, mine], key=attrgetter("low"))
        self.place_of[tile] = mine
        return waits

    def _operands(
        self, task: Task, command: Command, tiles: Sequence[Tile], moment: Moment, on_array: _Awaited | None = None
    ) -> list[Wait]:
        """A command reads tiles until a moment of it; what it waits for. on_array: when, if that is on the array."""
        waits: list[Wait] = []
        if not tiles:
            return waits
        until, reader, place_of = (task.role.unit, moment), (task, self._tail(task, command, moment)), self.place_of
        for tile in tiles:
            place = place_of.get(tile)
            if place is None:
                raise ProgramError(f"{self._say(task, command)}: reads {_name(tile)}, which is not in SRAM")
            place.read(until, reader)
            if on_array is None:
                waits += place.filled()
            elif place.awaited < on_array:
                waits += place.filled_for_array(on_array)
        return waits

    def _tail(self, task: Task, command: Command, moment: Moment) -> int:
        """The tail of a command; side by side with others, it may end before those that began earlier."""
        return -task.index if task.role.unit in self.side_by_side else _tail(command, moment)

    def _release(self, tile: Tile) -> None:
        self.place_of.pop(tile).to_read = False

    def finish(self) -> None:
        """Check that at the end nothing is left to be read, and no result was lost."""
        for tile, place in self.place_of.items():
            if place.readers:
                raise ProgramError(f"{_name(tile)} is still to be read when the program ends")
            by = self.program.layers[place.filled_by[-1][0].role.layer]
            raise ProgramError(f"{_name(tile)}, which {by} puts on chip, is never used")

    def _say(self, task: Task, command: Command) -> str:
        return f"command {task.index} ({type(command).__name__} of {self.program.layers[command.layer]})"


def _tail(command: Command, moment: Moment) -> int:
    """Clocks from the last stream of a command on the array until a moment of it, which a narrower command behind it
    may come to first. Of other units, each moment of a command comes before that of the next one."""
    if not isinstance(command, Compute) or command.chain is None:
        return 0
    chain = command.chain
    if moment is not Moment.DONE:
        return chain.last.skew
    return max(chain.last.skew, chain.end - chain.span - chain.last.stream + command.post_cycles)


def _remains(place: _Occupied, low: int, high: int) -> Sequence[_Occupied]:
    """The parts of a vacated place that a new tile at [low, high) leaves, still to be waited for by later ones."""
    parts = []
    for part_low, part_high in ((place.low, min(place.high, low)), (max(place.low, high), place.high)):
        if part_low < part_high:
            parts.append(_Occupied(place.tile, part_low, part_high, place.filled_by, False, place.readers))
    return parts


def _unique(waits: list[Wait]) -> tuple[Wait, ...]:
    return tuple(dict.fromkeys(waits)) if len(waits) > 1 else tuple(waits)


def _name(tile: Tile) -> str:
    bounds = ", ".join(f"{part.start}:{part.stop}" for part in tile.region)
    return f"{tile.tensor.name}[{bounds}]"
