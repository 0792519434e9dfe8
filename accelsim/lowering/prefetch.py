"""Puts Compute commands, the Loads they need and the Stores they cause in one order, and tiles at addresses.

Computes keep their order. A Load goes as far ahead of its Compute as there is free space and its data is already
stored; while the next maps wait for data, the weights of what comes after are fetched. A step's tiles and results get
their space together, so a step that was begun can always be finished.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from accelsim.errors import LoweringError
from accelsim.program.commands import Buffer, Command, Compute, Load, Program, Store, Tile
from accelsim.program.overlaps import Access, sources
from accelsim.program.tensors import Tensor


@dataclass(slots=True)
class Arena:
    """Space of one buffer: places are taken in a circle, round what still stands.

    taken: (low, high) of the places taken, sorted.
    """

    capacity: int
    next: int = 0
    free: int = field(init=False)
    taken: list[tuple[int, int]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.free = self.capacity

    def take(self, size: int, room: tuple[int, int] | None = None) -> int | None:
        """The address of `size` free bytes, the next ones if they are free, or None; in a room [low, high) if given."""
        if size > self.free:
            return None
        bottom, top = room or (0, self.capacity)
        begin = self.next if bottom <= self.next <= top else bottom
        low = self._gap(size, begin, top)
        if low is None:
            low = self._gap(size, bottom, top)
        if low is not None:
            insort(self.taken, (low, low + size))
            self.next = low + size
            self.free -= size
        return low

    def _gap(self, size: int, low: int, top: int) -> int | None:
        """The first free place from `low` up to `top`."""
        start = bisect_left(self.taken, (low, 0))
        if start and self.taken[start - 1][1] > low:
            low = self.taken[start - 1][1]
        for number in range(start, len(self.taken)):
            taken_low, taken_high = self.taken[number]
            if taken_low - low >= size or taken_low >= top:
                break
            low = taken_high
        return low if top - low >= size else None

    def take_at(self, low: int, size: int) -> bool:
        """Take this place, if it is free; those taken in a circle go on from where they were."""
        number = bisect_left(self.taken, (low, 0))
        before = number and self.taken[number - 1][1] > low
        if before or (number < len(self.taken) and self.taken[number][0] < low + size):
            return False
        insort(self.taken, (low, low + size))
        self.free -= size
        return True

    def give(self, low: int, size: int) -> None:
        """Free a place."""
        del self.taken[bisect_left(self.taken, (low, low + size))]
        self.free += size


class _Outcome(Enum):
    PLACED = auto()
    NO_SPACE = auto()
    NO_DATA = auto()


@dataclass(frozen=True, slots=True)
class Places:
    """Addresses of the tiles that stay, and the room [low, high) of the buffers for the others.

    rooms: in the activation buffer, by layer; weights: in the weight buffer.
    """

    fixed: dict[Tile, int]
    rooms: tuple[tuple[int, int], ...]
    weights: tuple[int, int]


def schedule(
    layers: tuple[str, ...],
    computes: Sequence[Compute],
    given: tuple[Tensor, ...],
    capacities: dict[Buffer, int],
    places: Places,
) -> Program:
    """The program of these computes.

    Raises LoweringError where the tiles of one step do not fit together.
    """
    scheduler = _Scheduler(computes, given, capacities, places)
    for step in range(len(computes)):
        scheduler.run(step)
    return Program(layers, given, tuple(scheduler.commands), scheduler.addresses, capacities)


class _Scheduler:
    def __init__(
        self,
        computes: Sequence[Compute],
        given: tuple[Tensor, ...],
        capacities: dict[Buffer, int],
        places: Places,
    ) -> None:
        self.computes = computes
        self.places = places
        self.arenas = {buffer: Arena(capacity) for buffer, capacity in capacities.items()}
        self.commands: list[Command] = []
        self.addresses: dict[Tile, int] = {}
        self.last_use = {tile: step for step, compute in enumerate(computes) for tile in _reads(compute)}
        self.last_fill = {tile: step for step, compute in enumerate(computes) for tile in compute.results}
        self.needs = _needed_steps(computes, frozenset(given))
        self.space = _spaces(computes) | {tile: tile.bytes for tile in places.fixed}
        self.done = 0
        self.placed = {Buffer.WEIGHT: 0, Buffer.ACTIVATION: 0}

    def run(self, step: int) -> None:
        """Emit a Compute with what it needs before and causes after it."""
        compute = self.computes[step]
        for buffer, placed in self.placed.items():
            if placed <= step and not self._placed_now(step, buffer):
                raise LoweringError(f"the tiles of a step of layer {compute.layer} do not fit the {buffer} buffer")
        self._run_ahead()
        self.commands.append(compute)
        full = [tile for tile in compute.results if self.last_fill[tile] == step]
        self.commands.extend(Store(compute.layer, tile) for tile in full if not tile.stays)
        full = [tile for tile in full if tile not in self.last_use]
        self.done = step + 1
        over = [tile for tile in dict.fromkeys(_reads(compute)) if self.last_use[tile] == step]
        for tile in (*over, *full):
            self.arenas[tile.buffer].give(self.addresses[tile], self.space[tile])

    def _placed_now(self, step: int, buffer: Buffer) -> bool:
        """Place a step whose turn it is: where the circle goes on, or else from its beginning, so that a place that is
        large enough for its tiles together is not cut in two by the first of them."""
        if self._place(step, buffer) is _Outcome.PLACED:
            return True
        self.arenas[buffer].next = 0
        return self._place(step, buffer) is _Outcome.PLACED

    def _run_ahead(self) -> None:
        outcome = _Outcome.PLACED
        while outcome is _Outcome.PLACED and self.placed[Buffer.ACTIVATION] < len(self.computes):
            step = self.placed[Buffer.ACTIVATION]
            if self.placed[Buffer.WEIGHT] <= step:
                outcome = self._place(step, Buffer.WEIGHT)
            if outcome is _Outcome.PLACED:
                outcome = self._place(step, Buffer.ACTIVATION)
        while outcome is _Outcome.NO_DATA and self.placed[Buffer.WEIGHT] < len(self.computes):
            if self._place(self.placed[Buffer.WEIGHT], Buffer.WEIGHT) is not _Outcome.PLACED:
                break

    def _address(self, arena: Arena, layer: int, tile: Tile) -> int | None:
        """A place for a tile, or None where there is none yet."""
        low = self.places.fixed.get(tile)
        if low is not None:
            return low if arena.take_at(low, self.space[tile]) else None
        return arena.take(
            self.space[tile], self.places.rooms[layer] if tile.buffer is Buffer.ACTIVATION else self.places.weights
        )

    def _place(self, step: int, buffer: Buffer) -> _Outcome:
        """Give the new tiles of a step in one buffer their space, and emit their Loads; all of them or none."""
        compute = self.computes[step]
        loads, results = (
            [tile for tile in dict.fromkeys(tiles) if tile.buffer is buffer and tile not in self.addresses]
            for tiles in (_reads(compute), compute.results)
        )
        if any(self.needs[tile] >= self.done for tile in loads):
            return _Outcome.NO_DATA
        arena = self.arenas[buffer]
        found: list[tuple[Tile, int]] = []
        before = arena.next
        for tile in (*loads, *results):
            address = self._address(arena, compute.layer, tile)
            if address is None:
                for taken, low in found:
                    arena.give(low, self.space[taken])
                arena.next = before
                return _Outcome.NO_SPACE
            found.append((tile, address))
        self.addresses.update(found)
        self.commands.extend(Load(compute.layer, tile) for tile in loads)
        self.placed[buffer] = step + 1
        return _Outcome.PLACED


def _reads(compute: Compute) -> tuple[Tile, ...]:
    return (*compute.stationary, *compute.streamed)


def _spaces(computes: Sequence[Compute]) -> dict[Tile, int]:
    """Bytes reserved for each tile: those of the largest one of its layer and tensor, so that tiles of unequal size
    take turns in the same places and leave no gaps. What comes in several ranges of channels has its own."""
    largest: dict[tuple[int, Tensor, Buffer, bool], int] = {}
    keys: dict[Tile, tuple[int, Tensor, Buffer, bool]] = {}
    for compute in computes:
        stored = [tile for tile in compute.results if not tile.stays]
        alone = stored if len(stored) == 1 else []
        loaded = [tile for tile in _reads(compute) if not tile.stays]
        places = [(tile.tensor, tile.buffer) for tile in loaded]
        single = [tile for tile in loaded if places.count((tile.tensor, tile.buffer)) == 1]
        for tiles, result in ((single, False), (alone, True)):
            for tile in tiles:
                key = keys[tile] = compute.layer, tile.tensor, tile.buffer, result
                largest[key] = max(largest.get(key, 0), tile.bytes)
    return {tile: largest[keys[tile]] if tile in keys else tile.bytes for step in computes for tile in _all(step)}


def _all(compute: Compute) -> tuple[Tile, ...]:
    return (*_reads(compute), *compute.results)


def _needed_steps(computes: Sequence[Compute], given: frozenset[Tensor]) -> dict[Tile, int]:
    """The step whose results are the last that each loaded tile holds; -1 for what is in DRAM from the start."""
    writes: dict[Tensor, list[Access]] = {}
    reads: dict[Tensor, list[tuple[Tile, Access]]] = {}
    needs: dict[Tile, int] = {}
    for step, compute in enumerate(computes):
        for tile in compute.results:
            writes.setdefault(tile.tensor, []).append(Access(step, tile.region))
        for tile in _reads(compute):
            if tile.tensor in given:
                needs[tile] = -1
            elif not tile.stays:
                reads.setdefault(tile.tensor, []).append((tile, Access(step, tile.region)))
    for tensor, found in reads.items():
        held = sources(writes.get(tensor, []), [access for _, access in found], in_order=False)
        needs.update((tile, source.last) for (tile, _), source in zip(found, held, strict=True))
    return needs
