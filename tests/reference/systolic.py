"""Systolic arrays register by register: every operand hops from PE to PE one clock at a time.

`StationaryArray` is the weight- and input-stationary array (the same hardware, roles swapped), `OutputArray` the
output-stationary one, with the rows for M and the columns for N or the other way round. Neither knows when a fold may
begin: it is told the clocks at which each fold's load and stream reach its edge, moves the values, and raises
`CollisionError` where two of them want the same register, where one is overwritten while still needed, or where a wrong
sum leaves. `play` runs given clocks; `earliest_schedule` finds the earliest ones by trying.

Cycle 0 is the first clock in which the edge presents a value. A fold has left with the clock at whose end the last
cell of its block is registered out of the bottom row; a fold of packed groups on the output-stationary array drains
as a block, and the off-diagonal sums in it are dropped at the exit.

Each array counts the values that its edges present (`reads`) and the registers of PEs that are written (`moves`); PEs
without work, off the diagonal of packed groups, are clock-gated and count nothing. What stands in front of the array is
found from what came and left: with lane i of an edge delayed by i registers, all values of a step must have been read
in one clock, and with column j delayed to the last one, all results of a row leave in one (`move_through_triangles`).
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Fields = Mapping[int, Ints | int]

FIELDS = VALUE, FOLD, STEP, LEFT, COLS, ROW, PRODUCT = range(7)
"""Tags of a register beside its value. FOLD: whose it is, counted from 1, 0 for an empty register; STEP, LEFT:
steps streamed before it and still to come after it; COLS: columns its fold uses; ROW: the row a stationary value is
for, or the row a sum comes from; PRODUCT: what is to be added to a partial sum."""

DROPPED = -1
"""The destination of a sum that does not leave the array."""


class CollisionError(Exception):
    """The array cannot do what the schedule asks of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """The operands of one fold.

    west: rows x steps, streamed into the west edge; north: what enters at the top, the stationary rows x cols or, on
    the output-stationary array, the streamed steps x cols; product: the sums that leave, steps x cols or rows x cols;
    destination: where in the flat result each of them is added.
    steps_before, steps_after: streamed for the same sums in the folds before and after, on the output-stationary array.
    at_work: rows x cols, the PEs whose products count; not those off the diagonal of packed groups.
    last_k: whether its sums are results, to which no later fold adds.
    """

    west: Ints
    north: Ints
    product: Ints
    destination: Ints
    at_work: NDArray[np.bool_]
    steps_before: int = 0
    steps_after: int = 0
    stationary_ready_cycle: int = 0
    operands_ready_cycle: int = 0
    last_k: bool = True

    @property
    def rows(self) -> int:
        return len(self.west)

    @property
    def steps(self) -> int:
        return len(self.west.T)

    @property
    def cols(self) -> int:
        return len(self.north.T)


class FoldClocks(NamedTuple):
    """The clocks in which a fold's load and its stream begin; without a load, of the stream."""

    load: int
    stream: int


Port = tuple[int, int]
"""Bits of an element, and bits that pass in a clock."""

WIDE: Port = 0, 1
"""Width that no port reaches."""


class Ports(NamedTuple):
    """SRAM ports of an output-stationary array: of the operands at each edge, and of results."""

    west: Port = WIDE
    north: Port = WIDE
    results: Port = WIDE


ALL_WIDE = Ports()


class WritePort:
    """The write port below the drain chains: passes a number of bits a clock.

    The bottom row of the chains waits until its bits have passed but for less than a clock's, which join those of the
    row above it; the last row of a fold until all have.
    """

    def __init__(self, port: Port) -> None:
        self.element_bits, self.port_bits = port
        self.waiting_bits = 0

    def clock(self, arriving: int, last: bool) -> bool:
        """True if the bottom row has passed by the end of this clock, in which `arriving` elements came to it."""
        self.waiting_bits = max(0, self.waiting_bits + arriving * self.element_bits - self.port_bits)
        return self.waiting_bits == 0 if last else self.waiting_bits < self.port_bits


class Edge:
    """One side of the array: what each of its lanes presents in each clock."""

    def __init__(self, lanes: int, horizon_cycles: int) -> None:
        self.tokens: Ints = np.zeros((horizon_cycles, len(FIELDS), lanes), dtype=np.int64)
        self.idle_from_cycle = 0

    def present(self, clock: Ints, lane: Ints, fields: Fields) -> None:
        """Each value of `fields` in its clock and lane."""
        if clock.min() < 0 or self.tokens[clock, FOLD, lane].any():
            raise CollisionError("two values at one lane of the edge in one clock")
        for name, value in fields.items():
            self.tokens[clock, name, lane] = value
        self.idle_from_cycle = max(self.idle_from_cycle, int(clock.max()) + 1)


def _indices(shape: tuple[int, ...]) -> tuple[Ints, ...]:
    """The row and the column of each element."""
    return tuple(np.indices(shape, dtype=np.int64))


def _east(registers: Ints, edge: Ints) -> Ints:
    """Every register's value one column further east."""
    moved = np.empty_like(registers)
    moved[:, :, 0] = edge
    moved[:, :, 1:] = registers[:, :, :-1]
    return moved


def _south(registers: Ints, edge: Ints | int) -> Ints:
    """Every register's value one row further down."""
    moved = np.empty_like(registers)
    moved[:, 0] = edge
    moved[:, 1:] = registers[:, :-1]
    return moved


class SystolicArray(ABC):
    """Edges, clock and bookkeeping of an array of rows x cols PEs through which `folds` pass in order."""

    def __init__(self, rows: int, cols: int, mac_latency: int, overlap: bool, folds: Sequence[Fold]) -> None:
        self.rows, self.cols, self.mac_latency, self.overlap, self.folds = rows, cols, mac_latency, overlap, folds
        one_by_one = sum(fold.rows + fold.steps + 2 * (mac_latency + 1) * (rows + cols) for fold in folds)
        latest_ready = max(max(fold.stationary_ready_cycle, fold.operands_ready_cycle) for fold in folds)
        self.horizon_cycles = 2 * (one_by_one + latest_ready)
        self.clock = 0
        self.west_edge, self.north_edge = Edge(rows, self.horizon_cycles), Edge(cols, self.horizon_cycles)
        self.entries: dict[int, int] = {}
        self.last_stream_clock = -1
        self.owed = np.zeros(len(folds), dtype=np.int64)
        self.left_cycle = np.zeros(len(folds), dtype=np.int64)
        self.result = np.zeros(1 + max(int(fold.destination.max()) for fold in folds), dtype=np.int64)
        self.row = np.arange(rows)[:, None]
        self.col = np.arange(cols)[None, :]
        self.reads = {"west": 0, "north": 0}
        self.moves = {"west": 0, "north": 0, "sum": 0, "latched": 0, "result": 0}
        self.results: list[tuple[int, int, int, int]] = []
        self.at_work = np.zeros((len(folds) + 1, rows, cols), dtype=np.bool_)
        for number, fold in enumerate(folds, start=1):
            self.at_work[number, : fold.rows, : fold.cols] = fold.at_work

    def registers(self) -> Ints:
        """One empty register in each PE."""
        return np.zeros((len(FIELDS), self.rows, self.cols), dtype=np.int64)

    def delay(self) -> deque[Ints]:
        """mac_latency - 1 free-running registers in each PE."""
        return deque(self.registers() for _ in range(self.mac_latency - 1))

    def count(self, what: str, fold: Ints, row: Ints | None = None) -> None:
        """Registers that are written with values of these folds, those in PEs at work or bound for `row` of them."""
        self.moves[what] += int(self.at_work[fold, self.row if row is None else row, self.col].sum())

    @property
    @abstractmethod
    def row_delay(self) -> int:
        """Clocks from a row of operands to the next."""

    @abstractmethod
    def load(self, index: int, clock: int) -> None:
        """The stationary values of a fold reach the top from `clock` on."""

    @abstractmethod
    def stream(self, index: int, clock: int) -> None:
        """The operands of a fold reach the edges from `clock` on."""

    @abstractmethod
    def move(self) -> None:
        """Advance every register by one clock."""

    def in_flight(self) -> bool:
        """True if a value is on its way that no output is owed for."""
        return False

    def enter(self, index: int, clock: int) -> None:
        """A fold's first value reaches the edge at `clock`."""
        if clock < self.clock:
            raise CollisionError("a clock that has passed")
        self.entries[clock] = index

    def owe(self, index: int, clock: int) -> None:
        """The outputs of a fold are due once its stream begins, at `clock`."""
        if clock <= self.last_stream_clock:
            raise CollisionError("streams out of order")
        if clock < self.folds[index].operands_ready_cycle:
            raise CollisionError("operands that are not on chip yet")
        self.last_stream_clock = clock
        if not self.folds[index].steps_after:
            self.owed[index] = self.folds[index].product.size

    def step(self) -> None:
        """One clock."""
        entering = self.entries.get(self.clock)
        if entering is not None and not self.overlap and self.owed[:entering].any():
            raise CollisionError("the fold before has not drained")
        self.move()
        self.clock += 1

    def leave(self, bottom: Ints, place: int) -> None:
        """The sums registered out of the bottom row in this clock; `place` is the field with their row of `product`."""
        for col in bottom[FOLD].nonzero()[0]:
            index, row = bottom[FOLD, col] - 1, bottom[place, col]
            fold = self.folds[index]
            if bottom[VALUE, col] != fold.product[row, col]:
                raise CollisionError("a wrong sum")
            if fold.destination[row, col] != DROPPED:
                self.result[fold.destination[row, col]] += bottom[VALUE, col]
                if fold.last_k:
                    self.results.append((self.clock, col, index, row))
            self.owed[index] -= 1
            self.left_cycle[index] = self.clock + 1

    def run_out(self) -> None:
        """Clocks until nothing moves any more."""
        edges_idle_cycle = max(self.west_edge.idle_from_cycle, self.north_edge.idle_from_cycle)
        while self.clock < edges_idle_cycle or self.owed.any() or self.in_flight():
            if self.clock >= self.horizon_cycles:
                raise CollisionError("outputs that never leave")
            self.step()

    def move_through_triangles(self) -> None:
        """Registers in front of rows and columns, and behind columns, that all values passed.

        Raises CollisionError where these do not let values in, or results out, a row at a time.
        """
        for what, edge, delay in ("west", self.west_edge, self.row_delay), ("north", self.north_edge, 1):
            clock, lane = edge.tokens[:, FOLD].nonzero()
            fold, step, row = (edge.tokens[clock, name, lane] for name in (FOLD, STEP, ROW))
            _assert_in_line(clock - delay * lane, np.stack([fold, step, self.row_of(what, row)]))
            self.moves[what] += int((delay * lane)[self.passes(what, fold, row, lane)].sum())
        clock, lane, index, row = np.array(self.results, dtype=np.int64).reshape(-1, 4).T
        delays = self.cols - 1 - lane
        _assert_in_line(clock + delays, np.stack([index, row]))
        self.moves["result"] += int(delays.sum())

    def row_of(self, what: str, row: Ints) -> Ints:
        """Marks that tell values of one edge apart that are read in different clocks, beside their step."""
        return 0 * row

    def passes(self, what: str, fold: Ints, row: Ints, lane: Ints) -> NDArray[np.bool_]:
        """True for values of an edge that are read, and are not zeros that it makes itself."""
        return fold != 0

    def fork(self) -> SystolicArray:
        """An array in the same state, to try something with."""
        twin: SystolicArray = _copied(self)
        return twin


def _copied(value: Any) -> Any:
    """A copy that shares no register with `value`."""
    if isinstance(value, np.ndarray | dict):
        return value.copy()
    if isinstance(value, deque | list):
        return type(value)(map(_copied, value))
    if not isinstance(value, SystolicArray | Edge | WritePort):
        return value
    twin = copy.copy(value)
    vars(twin).update((name, _copied(part)) for name, part in vars(value).items())
    return twin


def _assert_in_line(clock: Ints, steps: Ints) -> None:
    """All values of a step pass in one clock, and no others in that."""
    together = np.unique(np.vstack([clock, steps]), axis=1)
    alike = (len(np.unique(together[0])), len(np.unique(together[1:], axis=1).T))
    if alike != (len(together.T), len(together.T)):
        raise CollisionError("values of a step that the triangle does not line up")


class StationaryArray(SystolicArray):
    """Weight- or input-stationary: stationary values and partial sums move down, streamed operands east.

    The load chain goes through one stationary register of each PE and mac_latency - 1 link registers below it; the
    deepest row's value enters first. With overlap a PE has a second register, which takes the loaded value when the
    first operand of its stream comes by; without, the loaded value stays until the last has.
    """

    def __init__(self, rows: int, cols: int, mac_latency: int, overlap: bool, folds: Sequence[Fold]) -> None:
        super().__init__(rows, cols, mac_latency, overlap, folds)
        self.operand, self.loaded, self.active, self.psum = (self.registers() for _ in range(4))
        self.links, self.mac_stages = self.delay(), self.delay()

    @property
    def row_delay(self) -> int:
        return self.mac_latency

    def row_of(self, what: str, row: Ints) -> Ints:
        return row

    def passes(self, what: str, fold: Ints, row: Ints, lane: Ints) -> NDArray[np.bool_]:
        """Zeros off the diagonal of packed groups are made at the top."""
        return self.at_work[fold, row, lane] if what == "north" else super().passes(what, fold, row, lane)

    def load(self, index: int, clock: int) -> None:
        fold = self.folds[index]
        if clock < fold.stationary_ready_cycle:
            raise CollisionError("stationary values that are not on chip yet")
        self.enter(index, clock)
        row, col = _indices((fold.rows, fold.cols))
        when = clock + (fold.rows - 1 - row) + col
        self.north_edge.present(when, col, {VALUE: fold.north, FOLD: index + 1, ROW: row})
        self.reads["north"] += int(fold.at_work.sum())

    def stream(self, index: int, clock: int) -> None:
        fold = self.folds[index]
        self.owe(index, clock)
        row, step = _indices((fold.rows, fold.steps))
        fields: Fields = {
            VALUE: fold.west,
            FOLD: index + 1,
            STEP: step,
            LEFT: fold.steps - 1 - step,
            COLS: fold.cols,
        }
        self.west_edge.present(clock + step + row * self.mac_latency, row, fields)
        self.reads["west"] += fold.west.size

    def move(self) -> None:
        self.operand = operand = _east(self.operand, self.west_edge.tokens[self.clock])
        live = (operand[FOLD] != 0) & (self.col < operand[COLS])
        self.count("west", operand[FOLD])
        psum = _south(self.psum, operand[:, 0] * live[0])
        psum[VALUE, 0] = 0
        if (live & ((psum[FOLD] != operand[FOLD]) | (psum[STEP] != operand[STEP]))).any():
            raise CollisionError("a partial sum meets the operand of another")
        psum[PRODUCT] = operand[VALUE] * self._stationary(operand, live) * live
        self.mac_stages.appendleft(psum)
        self.psum = self.mac_stages.pop()
        self.psum[VALUE] += self.psum[PRODUCT]
        self.moves["sum"] += int((self.psum[FOLD] != 0).sum())
        self.leave(self.psum[:, -1], place=STEP)
        self._move_load()

    def _stationary(self, operand: Ints, live: NDArray[np.bool_]) -> Ints:
        """The stationary value that each live operand meets."""
        if self.overlap:
            first = live & (operand[STEP] == 0)
            self.active[:, first] = self.loaded[:, first]
            self.loaded[:, first] = 0
        registers = self.active if self.overlap else self.loaded
        if (live & ((registers[FOLD] != operand[FOLD]) | (registers[ROW] != self.row))).any():
            raise CollisionError("an operand meets a PE that does not hold its stationary value")
        values: Ints = registers[VALUE].copy()
        if not self.overlap:
            self.loaded[:, live & (operand[LEFT] == 0)] = 0
        return values

    def _move_load(self) -> None:
        passing = self._passing()
        self.links.appendleft(self.loaded * passing)
        staying, arriving = self.loaded * ~passing, _south(self.links.pop(), self.north_edge.tokens[self.clock])
        if ((staying[FOLD] != 0) & (arriving[FOLD] != 0)).any():
            raise CollisionError("a stationary value is overwritten while it is needed")
        self.count("north", arriving[FOLD], arriving[ROW])
        self.loaded = staying + arriving

    def _passing(self) -> NDArray[np.bool_]:
        passing: NDArray[np.bool_] = self.loaded[ROW] > self.row
        return passing

    def in_flight(self) -> bool:
        return bool(self._passing().any()) or any(link[FOLD].any() for link in self.links)


class OutputArray(SystolicArray):
    """Output-stationary: operands move east and south, the sums stay and leave through a drain chain in each column.

    The first operands of a sum turn a PE to its other accumulator, if it has two. The clock after the last MAC in the
    bottom row of a column, all its accumulators move over to the drain chain, which moves down one row a clock; its
    bottom cell is the output register, and stays as it is, with the chain above it, until the write port has passed the
    row. A column does what the one west of it did a clock before. Below the array, the triangle lines the columns up
    again for the port, which so sees rows; that delay is the same for all and not counted.
    A step enters when the read ports have passed its operands.
    """

    def __init__(
        self,
        rows: int,
        cols: int,
        mac_latency: int,
        overlap: bool,
        folds: Sequence[Fold],
        ports: Ports = ALL_WIDE,
    ) -> None:
        super().__init__(rows, cols, mac_latency, overlap, folds)
        self.ports, self.write_port = ports, WritePort(ports.results)
        self.passed = np.ones(cols, dtype=np.bool_)
        self.port_free_cycle = 0
        moved = sum(fold.west.size + fold.north.size + fold.product.size for fold in folds)
        self.horizon_cycles += int(2 * moved * max(bits / width for bits, width in ports))
        self.west_edge, self.north_edge = Edge(rows, self.horizon_cycles), Edge(cols, self.horizon_cycles)
        self.west, self.north, self.drain = (self.registers() for _ in range(3))
        self.mac_stages = self.delay()
        self.accumulators = [self.registers() for _ in range(2 if overlap else 1)]
        self.turn: Ints = np.zeros((rows, cols), dtype=np.int64)
        self.latching: Ints = np.zeros(cols, dtype=np.int64)

    @property
    def row_delay(self) -> int:
        return 1

    def load(self, index: int, clock: int) -> None:
        """Nothing is stationary but the sums."""

    def stream(self, index: int, clock: int) -> None:
        fold = self.folds[index]
        if not fold.steps_before:
            self.enter(index, clock)
        self.owe(index, clock)
        if clock < self.port_free_cycle:
            raise CollisionError("a read port still passes the operands of the fold before")
        last_piece = next(i for i in range(index, len(self.folds)) if not self.folds[i].steps_after)
        enters = self._clocks_of_steps(fold)
        self.port_free_cycle = clock + int(enters[-1]) + 1
        for edge, operands in (self.west_edge, fold.west), (self.north_edge, fold.north.T):
            lane, step = _indices(operands.shape)
            left = fold.steps + fold.steps_after - 1 - step
            fields: Fields = {VALUE: operands, FOLD: last_piece + 1, STEP: fold.steps_before + step, LEFT: left}
            edge.present(clock + enters[step] + lane, lane, fields)
        self.reads["west"] += fold.west.size
        self.reads["north"] += fold.north.size

    def _clocks_of_steps(self, fold: Fold) -> Ints:
        """The clocks, from the stream's begin, in which the steps enter: each when its last bit has passed."""
        clock, enters = 0, []
        lanes = (fold.rows, *self.ports.west), (fold.cols, *self.ports.north)
        for steps in range(1, fold.steps + 1):
            while any(steps * count * bits > (clock + 1) * width for count, bits, width in lanes):
                clock += 1
            enters.append(clock)
            clock += 1
        return np.array(enters)

    def move(self) -> None:
        self._move_drain()
        self.west = west = _east(self.west, self.west_edge.tokens[self.clock])
        self.north = north = _south(self.north, self.north_edge.tokens[self.clock])
        self.count("west", west[FOLD])
        self.count("north", north[FOLD])
        met = (west[FOLD] != 0) & (north[FOLD] != 0)
        if (met & ((west[FOLD] != north[FOLD]) | (west[STEP] != north[STEP]))).any():
            raise CollisionError("operands of different steps meet")
        stage = north.copy()
        stage[PRODUCT] = west[VALUE] * north[VALUE]
        stage[ROW] = np.where(met, self.row, DROPPED)
        self.mac_stages.appendleft(stage)
        done = self.mac_stages.pop()
        self._accumulate(done, (done[FOLD] != 0) & (done[ROW] != DROPPED))
        self.latching = done[FOLD, -1] * (done[LEFT, -1] == 0)

    def _accumulate(self, done: Ints, live: NDArray[np.bool_]) -> None:
        self.count("latched", done[FOLD] * live)
        first = live & (done[STEP] == 0)
        self.turn = (self.turn + first) % len(self.accumulators)
        for number, accumulator in enumerate(self.accumulators):
            here, begun = live & (self.turn == number), first & (self.turn == number)
            if accumulator[FOLD, begun].any():
                raise CollisionError("an accumulator is used again before it was latched")
            accumulator[FOLD, begun] = done[FOLD, begun]
            if (accumulator[FOLD] != done[FOLD])[here].any():
                raise CollisionError("a product meets the accumulator of another sum")
            accumulator[VALUE, begun] = 0
            accumulator[VALUE, here] += done[PRODUCT, here]

    def _move_drain(self) -> None:
        moved = np.where(self.passed, _south(self.drain, 0), self.drain)
        arriving = self.passed.copy()
        latched = self.latching != 0
        if moved[FOLD][:, latched].any():
            raise CollisionError("a column latches into a drain chain that is not empty")
        for accumulator in self.accumulators:
            held = latched & (accumulator[FOLD] == self.latching)
            moved[:, held] = accumulator[:, held]
            accumulator[:, held] = 0
        moved[ROW] = np.where(latched, self.row, moved[ROW])
        self.drain = moved
        self.count("sum", moved[FOLD] * (arriving | latched), moved[ROW])
        self.passed[1:] = self.passed[:-1]
        self.passed[0] = self._bottom_passes(moved[:, -1, 0], arriving[0] or latched[0])
        self.leave(moved[:, -1] * self.passed, place=ROW)

    def _bottom_passes(self, bottom: Ints, arrived: bool) -> bool:
        """True if the row at the bottom of the first column passes the write port by the end of this clock."""
        if not bottom[FOLD]:
            return True
        fold = self.folds[bottom[FOLD] - 1]
        results = int((fold.destination[bottom[ROW]] != DROPPED).sum())
        return self.write_port.clock(results if arrived else 0, last=bool(bottom[ROW] == 0))


class Roles(NamedTuple):
    """The dimension of the product that rows, columns and stream of the array carry: m, k or n each."""

    rows: str
    cols: str
    streamed: str

    @property
    def sums_stay(self) -> bool:
        """True if a sum over K stays in its PE while its operands come by."""
        return self.streamed == "k"


def array_of(
    roles: Roles,
    rows: int,
    cols: int,
    mac_latency: int,
    overlap: bool,
    folds: Sequence[Fold],
    ports: Ports = ALL_WIDE,
) -> SystolicArray:
    """The array whose rows, columns and stream carry these dimensions, before its first clock."""
    if roles.sums_stay:
        return OutputArray(rows, cols, mac_latency, overlap, folds, ports)
    assert roles.rows == "k", "sums move down"
    assert ports == ALL_WIDE
    return StationaryArray(rows, cols, mac_latency, overlap, folds)


def play(array: SystolicArray, schedule: Sequence[FoldClocks]) -> SystolicArray:
    """The array after its folds have begun at the clocks of `schedule` and all has left."""
    for index, clocks in enumerate(schedule):
        array.load(index, clocks.load)
        array.stream(index, clocks.stream)
    array.run_out()
    array.move_through_triangles()
    return array


def earliest_schedule(array: SystolicArray) -> list[FoldClocks]:
    """Each load, then each stream, in order, at the first clock at which the array lets the folds so far through.

    Where there are loads, `array` stays at the clock of the last one: the next may begin before its stream does.
    """
    schedule: list[FoldClocks] = []
    for index in range(len(array.folds)):
        array = _first_clock(array, type(array).load, index)
        streaming = _first_clock(array.fork(), type(array).stream, index, array.last_stream_clock + 1)
        schedule.append(FoldClocks(array.clock, streaming.clock))
        if isinstance(array, OutputArray):
            array = streaming
        else:
            array.stream(index, streaming.clock)
    return schedule


def _first_clock(
    array: SystolicArray, begin: Callable[[SystolicArray, int, int], None], index: int, from_clock: int = 0
) -> SystolicArray:
    """The array at the first clock, from where it stands, at which `begin` does no harm, with it begun."""
    while array.clock < from_clock:
        array.step()
    while array.clock < array.horizon_cycles:
        begun = array.fork()
        try:
            begin(begun, index, begun.clock)
            begun.fork().run_out()
            return begun
        except CollisionError:
            array.step()
    raise AssertionError("a fold for which the array is never free")


def cut(roles: Roles, a: Ints, w: Ints, rows: int, cols: int, base: int = 0) -> Iterator[Fold]:
    """The folds of a (groups x m x k) times w (groups x k x n), whose result begins at `base` of the flat result."""
    place = base + np.arange(a.shape[0] * a.shape[1] * w.shape[2]).reshape(a.shape[0], a.shape[1], w.shape[2])
    if roles.cols == "m":
        a, w, place = w.swapaxes(1, 2), a.swapaxes(1, 2), place.swapaxes(1, 2)
    group_rows, group_cols = (a if roles.sums_stay else w).shape[1], w.shape[2]
    packed = max(1, min(rows // group_rows, cols // group_cols))
    for group in range(0, a.shape[0], packed):
        pack = slice(group, group + packed)
        if roles.sums_stay:
            yield from _cut_output(
                np.vstack(list(a[pack])), np.hstack(list(w[pack])), _diagonal(place[pack], DROPPED), rows, cols
            )
        else:
            at_work = _diagonal(np.ones_like(w[pack]), 0) != 0
            yield from _cut_stationary(
                np.hstack(list(a[pack])), _diagonal(w[pack], 0), np.hstack(list(place[pack])), at_work, rows, cols
            )


def _diagonal(blocks: Ints, elsewhere: int) -> Ints:
    count, rows, cols = blocks.shape
    whole = np.full((count, rows, count, cols), elsewhere, dtype=np.int64)
    whole[np.arange(count), :, np.arange(count), :] = blocks
    return whole.reshape(count * rows, count * cols)


def _cut_stationary(
    streamed: Ints, stationary: Ints, place: Ints, at_work: NDArray[np.bool_], rows: int, cols: int
) -> Iterator[Fold]:
    for left in range(0, stationary.shape[1], cols):
        for top in range(0, stationary.shape[0], rows):
            block = slice(top, top + rows), slice(left, left + cols)
            west, north = streamed[:, block[0]], stationary[block]
            last_k = top + rows >= stationary.shape[0]
            yield Fold(west.T, north, west @ north, place[:, block[1]], at_work[block], last_k=last_k)


def _cut_output(west: Ints, north: Ints, place: Ints, rows: int, cols: int) -> Iterator[Fold]:
    for left in range(0, north.shape[1], cols):
        for top in range(0, west.shape[0], rows):
            rows_in, cols_in = west[top : top + rows], north[:, left : left + cols]
            destination = place[top : top + rows, left : left + cols]
            yield Fold(rows_in, cols_in, rows_in @ cols_in, destination, destination != DROPPED)


def split_steps(fold: Fold, pieces: Sequence[int]) -> Iterator[Fold]:
    """An output-stationary fold as consecutive folds of `pieces` steps, whose sums stay in the accumulators."""
    before = 0
    for steps in pieces:
        after = fold.steps - before - steps
        west, north = fold.west[:, before : before + steps], fold.north[before : before + steps]
        yield replace(fold, west=west, north=north, steps_before=before, steps_after=after)
        before += steps
