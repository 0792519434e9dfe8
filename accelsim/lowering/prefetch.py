"""Puts Compute commands, the Loads they need and the Stores they cause in one order, and tiles at addresses.

Computes keep their order. A Load goes as far ahead of its Compute as there is free space and its data is already
stored; while weights wait for space, the maps of their compute are loaded. While the next maps wait for data or space,
the weights of what comes after are loaded, as far as the bus is idle: none keeps maps that are wanted sooner, or
stores, waiting. A step's tiles and results get their space together, so a step that was begun can always be finished.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import Enum, auto
from itertools import islice
from sys import maxsize
from typing import NamedTuple

from accelsim.errors import LoweringError
from accelsim.lowering.allocate import Arena, ByteRange
from accelsim.lowering.emit.iterations import overlap
from accelsim.lowering.ir import TilingContext
from accelsim.lowering.timeline import Timeline
from accelsim.program.commands import UNPLACED, Buffer, Command, Compute, Load, Store, Tile
from accelsim.program.stored import StoredRegions
from accelsim.program.tensors import Tensor, elements

LOOK_AHEAD = 256
"""Computes in which the next maps that have to be loaded are looked for."""

WEIGHTS_AHEAD = 1 << 12
"""Computes by which weights may be ahead of maps, so that a long layer without any is never held as a whole."""


class _MapWait(NamedTuple):
    """The next compute that loads maps, and the one whose results it has to wait for, by their numbers."""

    number: int
    behind: int


_NO_WAIT = _MapWait(maxsize, 0)
"""No map is to be loaded any more."""


class _Attempt(Enum):
    PLACED = auto()
    NO_SPACE = auto()
    NO_DATA = auto()


def prefetch(
    computes: Iterable[Compute],
    preloaded: Collection[Tensor],
    reloaded: Collection[Tensor],
    capacities: Mapping[Buffer, int],
    rooms: Mapping[Buffer, Sequence[ByteRange]],
    weight_room: int,
    context: TilingContext,
    slots: int | None = None,
    host_cycles: int = 0,
) -> Iterator[Command]:
    """The commands of these computes.

    reloaded: tensors that are stored and loaded again; rooms: of each buffer the piece that tiles without an address
    have, by layer; weight_room: bytes of the weight buffer for tiles that do not fit there when they are next; slots:
    computes that tiles are loaded for at once, None for as many as there is space; host_cycles: clocks that the host
    takes to issue those of one compute.
    Raises LoweringError, as it comes to it, where the tiles of one iteration do not fit together.
    """
    ahead = capacities, rooms, weight_room, Timeline(context), slots, host_cycles
    prefetcher = _Prefetcher(iter(computes), frozenset(preloaded), frozenset(reloaded), *ahead)
    while prefetcher.compute_at(prefetcher.done) is not None:
        yield from prefetcher.next_commands()


class _Prefetcher:
    """Computes from the next one to be emitted (number `done`) to the furthest that anything was placed for.

    placed: the first compute whose tiles have no place yet, by buffer; full: the one for which there was no space, and
    the state that the buffer had.
    """

    def __init__(
        self,
        computes: Iterator[Compute],
        preloaded: frozenset[Tensor],
        reloaded: frozenset[Tensor],
        capacities: Mapping[Buffer, int],
        rooms: Mapping[Buffer, Sequence[ByteRange]],
        weight_room: int,
        timeline: Timeline,
        slots: int | None,
        host_cycles: int,
    ) -> None:
        self.computes = computes
        self.timeline = timeline
        self.waiting: _MapWait | None = None
        self.slots = slots
        self.host_cycles = host_cycles
        self.started = 0
        self.ahead: deque[Compute] = deque()
        self.done = 0
        self.placed = {Buffer.WEIGHT: 0, Buffer.ACTIVATION: 0}
        self.full: dict[Buffer, tuple[int, tuple[int, int, int]]] = {}
        self.preloaded = preloaded
        self.reloaded = reloaded
        self.rooms = {buffer: list(pieces) for buffer, pieces in rooms.items()}
        self.weight_room = weight_room
        self.arenas = {buffer: Arena(capacity) for buffer, capacity in capacities.items()}
        self.on_chip: set[Tile] = set()
        self.stored: dict[Tensor, StoredRegions[None]] = {}
        self.commands: list[Command] = []

    def seen(self, number: int) -> Compute | None:
        """The compute of a number; None behind the last, or where all slots are taken by those before it."""
        return self.compute_at(number) if self.slots is None or number < self.done + self.slots else None

    def compute_at(self, number: int) -> Compute | None:
        """The compute of a number, from `done` on; None behind the last."""
        while len(self.ahead) <= number - self.done:
            compute = next(self.computes, None)
            if compute is None:
                return None
            self.ahead.append(compute)
        return self.ahead[number - self.done]

    def next_commands(self) -> list[Command]:
        """The next compute with what it needs before and causes after it."""
        self.commands = []
        compute = self.ahead[0]
        for buffer, placed in self.placed.items():
            if placed <= self.done and not self._placed_now(compute, buffer):
                raise LoweringError(f"the tiles of a step of layer {compute.layer} do not fit the {buffer} buffer")
        self._run_ahead()
        self.commands.append(compute)
        self.timeline.compute(compute)
        for tile in compute.stored:
            self.commands.append(Store(compute.layer, tile))
            if tile.tensor in self.reloaded:
                if tile.tensor not in self.stored:
                    self.stored[tile.tensor] = StoredRegions(tile.tensor)
                self.stored[tile.tensor].add(None, tile.region)
        for tile in compute.vacated:
            self.on_chip.remove(tile)
            self.arenas[tile.buffer].give(tile.address, tile.place_bytes)
        for tensor in compute.unread:
            self.stored.pop(tensor, None)
        self.ahead.popleft()
        self.done += 1
        return self.commands

    def _placed_now(self, compute: Compute, buffer: Buffer) -> bool:
        """Place a compute that is next: where the circle goes on, or else from its beginning, so that a place that is
        large enough for its tiles together is not cut in two by the first of them; weights at last beside no others."""
        if self._place(compute, buffer) is _Attempt.PLACED:
            return True
        self.arenas[buffer].next = 0
        if self._place(compute, buffer) is _Attempt.PLACED:
            return True
        if buffer is Buffer.ACTIVATION:
            return False
        self.rooms[buffer][compute.layer] = 0, self.weight_room
        self.full.clear()
        return self._place(compute, buffer) is _Attempt.PLACED

    def _run_ahead(self) -> None:
        """Place what has space. Maps of the first compute whose weights have none are loaded before these."""
        maps, weights, outcome = Buffer.ACTIVATION, Buffer.WEIGHT, _Attempt.PLACED
        if self.placed[weights] < self.placed[maps]:
            self._place_next(weights)
        while outcome is _Attempt.PLACED and self.placed[maps] <= self.placed[weights]:
            if self.placed[maps] == self.placed[weights]:
                self._place_next(weights)
            outcome = self._place_next(maps)
        furthest = self.placed[Buffer.ACTIVATION] + WEIGHTS_AHEAD
        while self.placed[Buffer.WEIGHT] < furthest and (compute := self.seen(self.placed[Buffer.WEIGHT])):
            if not self._has_time(compute, outcome) or self._place(compute, Buffer.WEIGHT) is not _Attempt.PLACED:
                break

    def _place_next(self, buffer: Buffer) -> _Attempt:
        """Place the first compute whose tiles have no place yet, if it is seen."""
        compute = self.seen(self.placed[buffer])
        return self._place(compute, buffer) if compute else _Attempt.NO_SPACE

    def _has_time(self, compute: Compute, outcome: _Attempt) -> bool:
        """True where the bus can load the weights of a compute before the next maps or stores want it.

        Where the next maps wait for space, half of the buffer is left to the weights that are in use.
        """
        tiles = [tile for tile in compute.reads if tile.buffer is Buffer.WEIGHT and tile not in self.on_chip]
        if not tiles:
            return True
        if outcome is not _Attempt.NO_DATA and 2 * self.arenas[Buffer.WEIGHT].free < self.weight_room:
            return False
        if self.waiting is None or self.waiting.number < self.placed[Buffer.ACTIVATION]:
            self.waiting = self._next_wait()
        if self.waiting is _NO_WAIT:
            return True
        last = self.waiting.behind if outcome is _Attempt.NO_DATA else max(self.waiting.behind, self.done)
        return self.timeline.is_idle_for(tiles, islice(self.ahead, max(0, last + 1 - self.done)))

    def _next_wait(self) -> _MapWait:
        """The next maps to be loaded."""
        made = set[Tile]()
        first = self.placed[Buffer.ACTIVATION]
        for number in range(first, first + LOOK_AHEAD):
            compute = self.compute_at(number)
            if compute is None:
                return _NO_WAIT
            reads = (tile for tile in compute.reads if tile not in self.on_chip and tile not in made)
            loads = [tile for tile in reads if tile.buffer is Buffer.ACTIVATION or not self._is_stored(tile)]
            if loads:
                missing = [tile for tile in loads if not self._is_stored(tile)]
                return _MapWait(number, self._writer(missing, number))
            made.update(compute.results)
        return _MapWait(first + LOOK_AHEAD, 0)

    def _writer(self, missing: Sequence[Tile], before: int) -> int:
        """Number of the last compute before another whose results are among tiles that are to be loaded; 0 if none."""
        for number in range(before - 1, self.done - 1, -1):
            for tile in self.ahead[number - self.done].stored:
                if any(tile.tensor is each.tensor and overlap(tile.region, each.region) for each in missing):
                    return number
        return 0

    def _place(self, compute: Compute, buffer: Buffer) -> _Attempt:
        """Give the new tiles of a compute in one buffer their space, and emit their Loads; all of them or none."""
        arena, on_chip = self.arenas[buffer], self.on_chip
        if self.full.get(buffer) == (self.placed[buffer], arena.state):
            return _Attempt.NO_SPACE
        loads = [tile for tile in compute.reads if tile.buffer is buffer and tile not in on_chip]
        results = [tile for tile in dict.fromkeys(compute.results) if tile.buffer is buffer and tile not in on_chip]
        if not loads and not results:
            self.placed[buffer] += 1
            return _Attempt.PLACED
        if not all(map(self._is_stored, loads)):
            return _Attempt.NO_DATA
        found: list[tuple[Tile, int]] = []
        in_pieces = sum(tile not in compute.added for tile in loads) > 1
        before, last = arena.next, arena.last
        for tile in (*loads, *results):
            address = self._address(arena, compute, tile, in_pieces=in_pieces)
            if address is None:
                for taken, low in found:
                    arena.give(low, taken.place_bytes)
                arena.next = before
                if arena.last == last:
                    self.full[buffer] = self.placed[buffer], arena.state
                return _Attempt.NO_SPACE
            found.append((tile, address))
        for tile, address in found:
            tile.address = address
            self.on_chip.add(tile)
        self._load(compute, loads, self.placed[buffer])
        self.timeline.load(loads)
        self.placed[buffer] += 1
        return _Attempt.PLACED

    def _load(self, compute: Compute, tiles: Sequence[Tile], number: int) -> None:
        """Emit the loads of a compute; the first one waits for the host and for zeros."""
        for tile in tiles:
            is_first = number >= self.started
            extra = (self.host_cycles, compute.fill_cycles) if is_first else ()
            self.commands.append(Load(compute.layer, tile, *extra))
            self.started = max(self.started, number + 1)

    def _is_stored(self, tile: Tile) -> bool:
        """True where commands so far have brought all of a tile to DRAM."""
        if tile.tensor in self.preloaded:
            return True
        stored = self.stored.get(tile.tensor)
        return stored is not None and stored.elements(tile.region) == elements(tile.region)

    def _address(self, arena: Arena, compute: Compute, tile: Tile, *, in_pieces: bool) -> int | None:
        """A place for a tile, or None where there is none yet. in_pieces: whether it is loaded with others."""
        size = tile.place_bytes
        if tile.address != UNPLACED:
            return tile.address if arena.take_at(tile.address, size) else None
        room = self.rooms[tile.buffer][compute.layer]
        slots = compute.slots.get(tile.buffer, 0)
        if size and slots and (tile in compute.results or tile in compute.added):
            return arena.take_top(size, room, 2 * (len(compute.results) + len(compute.added)))
        if not size or not slots or in_pieces:
            return arena.take(size, room)
        return arena.take_slot(size, room, slots)
