"""Tile programs of the measured binaries: one layer after the other on the same arrays, so that caches stay warm.

A tile's loads, computes and stores are those of Gemmini's loop units (charleshong3/gemmini-dosa, 67ca2f9,
LoopConv.scala and LoopMatmul.scala): a convolution computes a tile when all of it was asked for, a product block by
block of 64 elements of the sum.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import NamedTuple

from accelsim.config.machine import Machine
from accelsim.config.scheduling import Scheduling
from accelsim.dataflows.contract import Gemm
from accelsim.dataflows.work import ArrayContext, array_work
from accelsim.network.array import array_context
from accelsim.program.commands import Buffer, Command, Compute, Load, Program, Restartable, Store, Work
from accelsim.program.commands import Tile as ProgramTile
from accelsim.program.tensors import Range, Tensor
from accelsim.unit_kinds import ARRAY
from accelsim.units import ceil_div
from tests.gemmini.tiler import Layer, Tile

CAPACITY = 1 << 34
"""Bytes of the buffers: that tiles fit was seen to when they were chosen."""
SLOTS = Scheduling(slots=2)
"""Two tiles under way: LoopConv.scala line 1182."""
BLOCK = 64
"""Elements of the sum of a product that are loaded and computed together."""
ZEROS_BLOCK = 16
"""Channels of a descriptor of zeros for sums, at most: LoopConv.scala line 1170."""
ZEROS_END = 2
"""Clocks from the last zeros of a descriptor to the next where one is in flight: DMACommandTracker.scala, lines 74 and
86. Others begin meanwhile where several are."""
CONVOLUTION_ARRAYS = {"output": 11000 * 2048, "weights": 2048 * 2048, "input": 40 * 40 * 2048}
PRODUCT_ARRAYS = {"output": 10000 * 10000, "weights": 10000 * 10000, "input": 10000 * 10000}
"""Bytes of the static arrays of the measured programs (conv_tilings.c, matmul_tilings.c), in the order that they have
in the program as GCC 12.2 makes it: the last that is declared first. Biases are not used, and left out."""


class HostClocks(NamedTuple):
    """Clocks of the core: before the first tile of a layer, for each tile, more where it has other pixels than the one
    before, where its sums begin and where they end, and where loops within the one that goes on begin anew: for the
    first of them and for each further one."""

    first: int
    tile: int
    moves: int
    begins: int
    ends: int
    loop: int
    loops: int

    def of(self, part: Part) -> int:
        """Clocks for a tile."""
        anew = self.loop + self.loops * (part.loops - 1) if part.loops else 0
        return self.tile + self.moves * part.moves + self.begins * part.first + self.ends * part.last + anew


CONVOLUTION_HOST = HostClocks(first=620, tile=238, moves=12, begins=20, ends=25, loop=45, loops=30)
PRODUCT_HOST = HostClocks(first=565, tile=122, moves=0, begins=3, ends=10, loop=41, loops=29)
"""What the core takes for the programs' tiles.

The functions of gemmini.h (branch `dosa`, 959b23f, `tiled_matmul_outer`, `tiled_conv`) as GCC 12.2 compiles them with
the flags of its Makefile, each instruction with the clocks of Rocket (rocket-chip f5ebf26: RocketCore.scala,
Multiplier.scala, DCache.scala, BTB.scala), gave `gemmini_host_loops.csv`, of which these are the simplest sum."""


def host_of(layer: Layer) -> HostClocks:
    """Clocks of the core that issues the tiles of a layer."""
    return PRODUCT_HOST if layer.is_product else CONVOLUTION_HOST


class Run(NamedTuple):
    """A layer as a program runs it: its tile, and the loops over tiles, innermost first."""

    layer: Layer
    tile: Tile
    order: str


@dataclass(frozen=True, slots=True)
class Part:
    """A tile of a layer's output and of its sums: first index and size of each dimension; whether sums begin or end.

    moves: whether the tile before had other pixels; loops: how many of the program's loops begin anew with it, the
    innermost first; 0 for the first tile.
    """

    rows: Range
    cols: Range
    outputs: Range
    kernel_rows: Range
    kernel_cols: Range
    inputs: Range
    first: bool
    last: bool
    moves: bool
    loops: int


def clocks(ends: Sequence[int]) -> list[int]:
    """Clocks of each run, from when they were done: one begins when the one before has ended."""
    return [end - before for before, end in pairwise((0, *ends))]


def as_run(layer: Layer) -> Layer:
    """The layer that the program ran: it knows P alone and makes square maps of it (extract_data_csv.py), one larger
    for even kernels, as it pads both sides by half of them (conv_tilings.c)."""
    if layer.is_product:
        return layer
    size = layer.rows + (layer.kernel % 2 == 0)
    return layer._replace(rows=size, cols=size)


def program(runs: Sequence[Run], machine: Machine, offset: int, *, zeros: bool = True) -> Program:
    """The runs one after the other, all of one kind.

    offset: of the static arrays from a multiple of 64 bytes; zeros: whether the DMA writes them.
    """
    arrays = PRODUCT_ARRAYS if runs[0].layer.is_product else CONVOLUTION_ARRAYS
    addresses: dict[str, int] = {}
    at = (1 << 31) + offset
    for name, size in arrays.items():
        addresses[name] = at
        at += size
    array = array_context(machine)
    ends = ZEROS_END if machine.dma.descriptors_in_flight == 1 else 0
    makers = [_Maker(number, run, array, addresses, ends if zeros else None) for number, run in enumerate(runs)]
    return Program(
        tuple(f"{number}" for number in range(len(runs))),
        tuple(tensor for maker in makers for tensor in (maker.input, maker.weights)),
        Restartable(lambda: (command for maker in makers for command in maker.commands())),
        dict.fromkeys(Buffer, CAPACITY),
    )


def within(low: int, high: int, size: int) -> Range:
    """The part of a range that lies within 0 and a size, or the index next to it."""
    start = min(max(0, low), size - 1)
    return Range(start, max(start + 1, min(size, high)))


def parts_of(run: Run) -> Iterator[Part]:
    """Tiles in the order of the loops."""
    layer, tile = run.layer, run.tile
    kernel = layer.kernel
    extents = {"Q": layer.rows, "P": layer.cols, "K": layer.outputs, "S": kernel, "R": kernel, "C": layer.inputs}
    sizes = dict(zip("QPKSRC", tile, strict=True))
    if layer.is_product:
        extents |= {"P": layer.rows, "Q": 1}
        sizes |= {"P": tile.rows, "Q": 1}
    names = [name for name in reversed(run.order) if name != "N"]
    cuts = [
        [Range(low, min(low + sizes[name], extents[name])) for low in range(0, extents[name], sizes[name])]
        for name in names
    ]
    before: tuple[Range, Range] | None = None
    for combination in product(*cuts):
        at = dict(zip(names, combination, strict=True))
        sums = [at[name] for name in "SRC"]
        first = all(each.start == 0 for each in sums)
        last = all(at[name].stop == extents[name] for name in "SRC")
        pixels = (at["P"], at["Q"]) if layer.is_product else (at["Q"], at["P"])
        moves, loops = pixels != before, loops_anew(run.order, at) if before else 0
        yield Part(*pixels, at["K"], *sums, first, last, moves, loops)
        before = pixels


def loops_anew(order: str, at: Mapping[str, Range]) -> int:
    """How many of the loops, innermost first, are at their begin before one that is not; batches are one."""
    return next((place for place, name in enumerate(order) if name != "N" and at[name].start), len(order))


class _Maker:
    """The commands of one run.

    zeros_end: clocks from the last zeros of a descriptor to the next descriptor; None: the DMA writes none.
    """

    def __init__(
        self, number: int, run: Run, array: ArrayContext, addresses: dict[str, int], zeros_end: int | None
    ) -> None:
        self.number, self.run, self.array, self.zeros_end = number, run, array, zeros_end
        self.host = host_of(run.layer)
        layer = run.layer
        rows, cols = (layer.rows, 1) if layer.is_product else (layer.size, layer.size)
        names = [f"{number}.{name}" for name in ("input", "weights", "output")]
        self.input = Tensor(names[0], (1, rows, cols, layer.inputs), 8, addresses["input"])
        kernel = (layer.kernel, layer.kernel, layer.inputs, layer.outputs)
        self.weights = Tensor(names[1], kernel, 8, addresses["weights"])
        self.output = Tensor(names[2], (1, layer.rows, layer.cols, layer.outputs), 8, addresses["output"])
        self.place = 0

    def commands(self) -> Iterator[Command]:
        """Two tiles are under way: the loads of one come behind the stores of the last but one."""
        waiting: list[tuple[list[list[Load]], Part]] = []
        for position, part in enumerate(parts_of(self.run)):
            loads = self.loads(part)
            if position == 0:
                first, *others = loads[0]
                waits = self.host.first + self.host.of(part)
                loads[0] = [replace(first, fill_cycles=first.fill_cycles + waits), *others]
            yield from (load for block in loads for load in block)
            waiting.append((loads, part))
            if len(waiting) == 2:
                before, its = waiting.pop(0)
                yield from self.computed(before, its, self.clash(its, part))
        for each in waiting:
            yield from self.computed(*each)

    # Loads.

    def loads(self, part: Part) -> list[list[Load]]:
        """The loads of a tile, by the block of its sum that needs them."""
        if self.run.layer.is_product:
            blocks = [
                replace(part, inputs=Range(low, min(low + BLOCK, part.inputs.stop)))
                for low in range(part.inputs.start, part.inputs.stop, BLOCK)
            ]
            found = [self.block_loads(block, 0) for block in blocks]
        else:
            found = [self.block_loads(part, 0 if self.zeros_end is None else self.zeros(part, self.zeros_end))]
        first, *others = found[0]
        found[0] = [replace(first, host_cycles=self.host.of(part)), *others]
        return found

    def block_loads(self, part: Part, zeros: int) -> list[Load]:
        rows, cols = self.input_window(part)
        ranges = part.kernel_rows, part.kernel_cols, part.inputs, part.outputs
        tiles = (
            self.new_tile(self.input, (Range(0, 1), rows, cols, part.inputs), Buffer.ACTIVATION),
            self.new_tile(self.weights, ranges, Buffer.WEIGHT),
        )
        first, second = (Load(self.number, tile) for tile in tiles)
        return [replace(first, fill_cycles=zeros), second]

    def new_tile(self, tensor: Tensor, region: tuple[Range, ...], buffer: Buffer) -> ProgramTile:
        """A tile at a place of its own."""
        tile = ProgramTile(tensor, region, buffer)
        if self.place + tile.bytes > CAPACITY:
            self.place = 0
        tile.address = self.place
        self.place += tile.bytes
        return tile

    def input_window(self, part: Part) -> tuple[Range, Range]:
        """Rows and columns of the input that a tile reads; padding is not read, but for one in its place where a tile
        is nothing else."""
        layer = self.run.layer
        if layer.is_product:
            return part.rows, Range(0, 1)
        axes = ((part.rows, part.kernel_rows), (part.cols, part.kernel_cols))
        rows, cols = (within(*self.span(*axis), layer.size) for axis in axes)
        return rows, cols

    def span(self, outputs: Range, kernel: Range) -> tuple[int, int]:
        """Where the inputs of some outputs begin and end, padding included, the rest of the last stride as well."""
        layer = self.run.layer
        low = outputs.start * layer.stride + kernel.start - layer.kernel // 2
        return low, low + outputs.size * layer.stride + kernel.size - 1

    def zeros(self, part: Part, end: int) -> int:
        """Clocks in which the DMA fills padding, and sums that begin, with zeros: a row of the scratchpad or of the
        accumulator each, and `end` for each descriptor.

        Those of padding lie left and right of a row of the map, or over its width above and below.
        """
        rows, cols = self.input_window(part)
        top, bottom = self.span(part.rows, part.kernel_rows)
        left, right = self.span(part.cols, part.kernel_cols)
        side = self.array.shape.cols
        above = bottom - top - rows.size
        beside = sum(ceil_div(size, side) for size in (cols.start - left, right - cols.stop) if size > 0)
        descriptors = rows.size * beside + above * (beside + ceil_div(cols.size, side))
        descriptors *= ceil_div(part.inputs.size, max(side, BLOCK))
        clocks = (bottom - top) * (right - left) - rows.size * cols.size
        clocks *= ceil_div(part.inputs.size, side)
        if part.first:
            sums = part.rows.size * ceil_div(part.outputs.size, side)
            clocks += sums * part.cols.size
            descriptors += sums * ceil_div(part.cols.size, side)
        return clocks + end * descriptors

    # What is computed and stored.

    def clash(self, part: Part, after: Part) -> int:
        """Clocks by which the computes of a tile wait for zeros of the next one.

        Sums turn to the other half of the accumulator where results leave. Where they do not, zeros and computes share
        a half. Each that is in the reservation station waits for those before it that touch a row between its first
        and its last; a descriptor of zeros over several blocks of channels has nearly all rows between, so that the
        two take turns.
        """
        side = self.array.shape.cols
        several = side < ZEROS_BLOCK and side < after.outputs.size
        if self.zeros_end is None or part.last or not after.first or not several:
            return 0
        return after.rows.size * after.cols.size * ceil_div(after.outputs.size, side)

    def computed(self, loads: list[list[Load]], part: Part, waits: int = 0) -> Iterator[Command]:
        """The computes of a tile and the store of its results. waits: clocks in which the computes wait."""
        results: tuple[ProgramTile, ...] = ()
        if part.last:
            results = (
                self.new_tile(self.output, (Range(0, 1), part.rows, part.cols, part.outputs), Buffer.ACTIVATION),
            )
        for number, block in enumerate(loads):
            is_last = number == len(loads) - 1
            tiles = [load.tile for load in block]
            inputs = tiles[0].region[3]
            begins, ends = part.first and number == 0, part.last and is_last
            work = array_work(self.gemm(part, inputs), self.array, first=begins, last=ends)
            yield Compute(
                self.number,
                ARRAY,
                Work(Range(0, 1), part.rows, part.cols, part.outputs, inputs, begins, ends),
                (tiles[1],),
                (tiles[0],),
                results if ends else (),
                results if ends else (),
                chain=replace(work.chain, span=work.chain.span + waits, end=work.chain.end + waits),
                post_cycles=4 if ends else 0,
                released=tuple(tiles),
            )
        yield from (Store(self.number, tile) for tile in results)

    def gemm(self, part: Part, inputs: Range) -> Gemm:
        """The product of a block: each kernel position takes array rows of its own."""
        taps = part.kernel_rows.size * part.kernel_cols.size
        side = self.array.shape.rows
        depth = inputs.size if taps == 1 else taps * side * ceil_div(inputs.size, side)
        line = 0 if self.run.layer.is_product else part.cols.size
        return Gemm(1, part.rows.size * part.cols.size, depth, part.outputs.size, line)
