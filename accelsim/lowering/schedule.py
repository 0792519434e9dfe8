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

    taken: (low, high) of the places taken, sorted; none of them lies across `next`.
    """

    capacity: int
    next: int = 0
    free: int = field(init=False)
    taken: list[tuple[int, int]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.free = self.capacity

    def take(self, size: int) -> int | None:
        """The address of `size` free bytes, the next ones if they are free, or None."""
        if size > self.free:
            return None
        middle = bisect_left(self.taken, (self.next, 0))
        low = self._gap(size, self.next, middle, len(self.taken))
        if low is None:
            low = self._gap(size, 0, 0, len(self.taken))
        if low is not None:
            insort(self.taken, (low, low + size))
            self.next = low + size
            self.free -= size
        return low

    def _gap(self, size: int, low: int, start: int, stop: int) -> int | None:
        """The first free place from `low` on, among the places taken number `start` to `stop`."""
        for number in range(start, stop):
            taken_low, taken_high = self.taken[number]
            if taken_low - low >= size:
                return low
            low = taken_high
        return low if self.capacity - low >= size else None

    def give(self, low: int, size: int) -> None:
        """Free a place."""
        del self.taken[bisect_left(self.taken, (low, low + size))]
        self.free += size


class _Outcome(Enum):
    PLACED = auto()
    NO_SPACE = auto()
    NO_DATA = auto()


def schedule(
    layers: tuple[str, ...], computes: Sequence[Compute], given: tuple[Tensor, ...], capacities: dict[Buffer, int]
) -> Program:
    """The program of these computes.

    Raises LoweringError where the tiles of one step do not fit together.
    """
    scheduler = _Scheduler(computes, given, capacities)
    for step in range(len(computes)):
        scheduler.run(step)
    return Program(layers, given, tuple(scheduler.commands), scheduler.addresses, capacities)


class _Scheduler:
    def __init__(self, computes: Sequence[Compute], given: tuple[Tensor, ...], capacities: dict[Buffer, int]) -> None:
        self.computes = computes
        self.arenas = {buffer: Arena(capacity) for buffer, capacity in capacities.items()}
        self.commands: list[Command] = []
        self.addresses: dict[Tile, int] = {}
        self.last_use = {tile: step for step, compute in enumerate(computes) for tile in _reads(compute)}
        self.last_fill = {tile: step for step, compute in enumerate(computes) for tile in compute.results}
        self.needs = _needed_steps(computes, frozenset(given))
        self.done = 0
        self.placed = {Buffer.WEIGHT: 0, Buffer.ACTIVATION: 0}

    def run(self, step: int) -> None:
        """Emit a Compute with what it needs before and causes after it."""
        compute = self.computes[step]
        for buffer, placed in self.placed.items():
            if placed <= step and self._place(step, buffer) is not _Outcome.PLACED:
                raise LoweringError(f"the tiles of a step of layer {compute.layer} do not fit the {buffer} buffer")
        self._run_ahead()
        self.commands.append(compute)
        full = [tile for tile in compute.results if self.last_fill[tile] == step]
        self.commands.extend(Store(compute.layer, tile) for tile in full)
        self.done = step + 1
        over = [tile for tile in dict.fromkeys(_reads(compute)) if self.last_use[tile] == step]
        for tile in (*over, *full):
            self.arenas[tile.buffer].give(self.addresses[tile], tile.bytes)

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
            address = arena.take(tile.bytes)
            if address is None:
                for taken, low in found:
                    arena.give(low, taken.bytes)
                arena.next = before
                return _Outcome.NO_SPACE
            found.append((tile, address))
        self.addresses.update(found)
        self.commands.extend(Load(compute.layer, tile) for tile in loads)
        self.placed[buffer] = step + 1
        return _Outcome.PLACED


def _reads(compute: Compute) -> tuple[Tile, ...]:
    return (*compute.stationary, *compute.streamed)


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
            else:
                reads.setdefault(tile.tensor, []).append((tile, Access(step, tile.region)))
    for tensor, found in reads.items():
        held = sources(writes[tensor], [access for _, access in found], in_order=False)
        needs.update((tile, source.last) for (tile, _), source in zip(found, held, strict=True))
    return needs
