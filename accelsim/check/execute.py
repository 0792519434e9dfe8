"""Executes a tile program on numbers, in the order of the machine's events, and compares with a direct computation.

Every Load copies cells from a DRAM image to an SRAM image, every Compute reads its tiles from SRAM, every Store copies
back. Memories start poisoned. A tile is read when its reader begins and again when the machine says that it has been
read for the last time: if it was not there yet, or changed in between, the program or the machine is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from accelsim.check import arithmetic
from accelsim.check.arithmetic import Values
from accelsim.check.images import POISON, Cells, Image, cell_bits_for, decode, encode
from accelsim.check.reference import compute_directly
from accelsim.config.machine import Machine
from accelsim.lowering.lower import Lowered
from accelsim.lowering.placement import copied_channels
from accelsim.machine.machine import Happening, play
from accelsim.network.graph import INPUT, Axis, Network, Node, Op
from accelsim.program.commands import Buffer, Compute, Load, Store, Tile, Work
from accelsim.program.link import Moment, Waits, link
from accelsim.program.tensors import Range, Region, Tensor, descriptors, elements
from accelsim.run.simulate import lower_or_refuse

MOST_FAILURES = 20


class CheckError(Exception):
    """Something read that was not there, overwritten while in use, or written twice."""


def check_network(network: Network, machine: Machine, *, seed: int = 0) -> list[str]:
    """What is wrong with the tile program of a network on a machine; empty where all is right.

    Raises UserError where a layer does not fit the machine.
    """
    lowered = lower_or_refuse(network, machine)
    return check_program(network, machine, lowered, link(lowered.program), seed=seed)


def check_program(
    network: Network, machine: Machine, lowered: Lowered, waits: list[Waits], *, seed: int = 0
) -> list[str]:
    """As `check_network`, for a program that is given."""
    executor = Executor(network, machine, lowered, seed)
    try:
        play(lowered.program, waits, machine, [executor])
    except CheckError as failure:
        return [str(failure)]
    return list(executor.differences())


class Executor:
    """An observer of the machine that moves the numbers."""

    def __init__(self, network: Network, machine: Machine, lowered: Lowered, seed: int) -> None:
        self.network, self.lowered, self.program = network, lowered, lowered.program
        array = machine.array
        self.bits = {"activation": array.activation_bits, "weight": array.weight_bits}
        self.cell_bits = cell_bits_for(array.activation_bits, array.weight_bits)
        tensors = {tile.tensor for tile in self.program.addresses} | set(self.program.given)
        size = max(tensor.address_bytes + tensor.bytes for tensor in tensors)
        self.dram = Image(size + 8, self.cell_bits)
        self.sram = {buffer: Image(self._reached(buffer) + 8, self.cell_bits) for buffer in Buffer}
        self.held: dict[tuple[int, Tile], Cells] = {}
        self.arriving: dict[int, Cells] = {}
        self.sums: dict[tuple[int, Work], Values] = {}
        self.begun: set[Tile] = set()
        self.macs = [0] * len(network.nodes)
        self._give_inputs(np.random.default_rng(seed))

    def _reached(self, buffer: Buffer) -> int:
        """The byte behind the last one of a buffer that the program uses."""
        places = self.program.addresses.items()
        return max((low + tile.bytes for tile, low in places if tile.buffer is buffer), default=0)

    def _give_inputs(self, random: np.random.Generator) -> None:
        self.image = self._random(random, self.lowered.maps.by_name[INPUT].tensor)
        self.weights = {
            tensor.name.removesuffix(".weights"): self._random(random, tensor) for tensor in self.program.given[1:]
        }

    def _random(self, random: np.random.Generator, tensor: Tensor) -> Values:
        half = 1 << (tensor.bits - 1)
        values: Values = random.integers(-half, half, size=tensor.dims, dtype=np.int64)
        for region in _stored_pieces(tensor):
            piece = values[tuple(slice(part.start, part.stop) for part in region)]
            where = self.dram.indices(descriptors(tensor, region))
            self.dram.cells[where] = encode(piece, tensor.bits, self.cell_bits)
        return values

    def happened(self, what: Happening | Moment, index: int, cycle: int) -> None:
        """See `accelsim.machine.machine.Observer`."""
        del cycle
        match self.program.commands[index]:
            case Load(tile=tile):
                self._load(what, index, tile)
            case Store(tile=tile):
                self._store(what, index, tile)
            case Compute() as command:
                self._compute(what, index, command)

    def _load(self, what: Happening | Moment, index: int, tile: Tile) -> None:
        place = self._place(tile)
        if what is Happening.BEGIN:
            self.sram[tile.buffer].cells[place] = POISON
        elif what is Happening.STREAM:
            cells = self.dram.cells[self.dram.indices(descriptors(tile.tensor, tile.region))]
            self._expect(index, tile, not np.any(cells == POISON), "loads what is not in DRAM yet:")
            self.arriving[index] = cells
        elif what is Moment.DONE:
            cells = self.arriving.pop(index)
            self.sram[tile.buffer].cells[place.start : place.start + cells.size] = cells

    def _store(self, what: Happening | Moment, index: int, tile: Tile) -> None:
        if what is Happening.BEGIN:
            self._hold(index, tile)
        elif what is Moment.SRAM_READ:
            self.arriving[index] = self._release(index, tile)
        elif what is Moment.DONE:
            where = self.dram.indices(descriptors(tile.tensor, tile.region))
            self._expect(index, tile, bool(np.all(self.dram.cells[where] == POISON)), "stores a second time:")
            self.dram.cells[where] = self.arriving.pop(index)

    def _compute(self, what: Happening | Moment, index: int, command: Compute) -> None:
        if what is Happening.BEGIN:
            for tile in command.stationary:
                self._hold(index, tile)
        elif what is Happening.STREAM:
            for tile in command.streamed:
                self._hold(index, tile)
            for tile in command.results:
                if tile not in self.begun:
                    self.begun.add(tile)
                    self.sram[tile.buffer].cells[self._place(tile)] = POISON
        elif what is Moment.STATIONARY_READ or what is Moment.STREAM_READ:
            tiles = command.stationary if what is Moment.STATIONARY_READ else command.streamed
            for tile in tiles:
                self.held[index, tile] = self._release(index, tile)
        else:
            self._finish(index, command)

    def _finish(self, index: int, command: Compute) -> None:
        tiles = [*command.stationary, *command.streamed]
        operands = {
            tile: decode(self.held.pop((index, tile)), tile.tensor.bits, self.cell_bits).reshape(
                [part.size for part in tile.region]
            )
            for tile in tiles
        }
        node = self.network.nodes[command.layer]
        if node.op is Op.CONV:
            values = self._sum(index, command, node, operands)
            if values is None:
                return
        else:
            values = _operate(node, command.work, list(operands.items()))
        if node.op not in (Op.CONCAT, Op.SHUFFLE):
            values = arithmetic.activate(values, node.activation)
        self._write(index, command, node, arithmetic.wrap(values, self.bits["activation"]))

    def _sum(self, index: int, command: Compute, node: Node, operands: dict[Tile, Values]) -> Values | None:
        """Partial sums of a convolution; the values once the sum is whole."""
        ((map_tile, image),) = ((tile, data) for tile, data in operands.items() if tile.buffer is Buffer.ACTIVATION)
        ((_, weights),) = ((tile, data) for tile, data in operands.items() if tile.buffer is Buffer.WEIGHT)
        work = command.work
        groups, outputs, inputs, _ = weights.shape
        pixels = work.images.size * work.rows.size * work.cols.size
        self.macs[command.layer] += pixels * weights.size
        total: Values = np.zeros((groups, pixels, outputs), dtype=np.int64)
        for number, tap in enumerate(_taps(node, work, map_tile.region, image, fill=0)):
            moved = tap.reshape(pixels, groups, inputs).transpose(1, 0, 2)
            total += arithmetic.matmul(moved, weights[:, :, :, number].transpose(0, 2, 1), sum(self.bits.values()))
        values = total.transpose(1, 0, 2).reshape(work.images.size, work.rows.size, work.cols.size, groups * outputs)
        key = (command.layer, Work(work.images, work.rows, work.cols, work.channels, Range(0, 0)))
        if not work.first:
            self._expect(index, map_tile, key in self.sums, "goes on with a sum that was not begun:")
            values = values + self.sums.pop(key)
        if work.last:
            return values
        self._expect(index, map_tile, key not in self.sums, "begins a sum a second time:")
        self.sums[key] = values
        return None

    def _write(self, index: int, command: Compute, node: Node, values: Values) -> None:
        """Put results where they belong in the result tiles."""
        work = command.work
        channels = np.arange(work.channels.start, work.channels.stop)
        if node.op in (Op.CONCAT, Op.SHUFFLE):
            channels = copied_channels(node, work.reduction.start)[channels]
        stored = self.lowered.maps.by_name[node.name].channels[channels]
        written = 0
        for tile in command.results:
            where = tile.region[3]
            mine = np.flatnonzero(
                (stored >= where.start) & (stored < where.stop) & ((stored - where.start) % where.step == 0)
            )
            block = tuple(part.start for part in tile.region[:3])
            wanted = (work.images.start, work.rows.start, work.cols.start)
            self._expect(index, tile, block == wanted, "puts its results into another block's tile:")
            data = self.sram[tile.buffer].cells[self._place(tile)]
            shaped = data[: elements(tile.region) * tile.tensor.bits // self.cell_bits].reshape(
                *(part.size for part in tile.region), -1
            )
            target = (slice(None), slice(None), slice(None), (stored[mine] - where.start) // where.step)
            self._expect(index, tile, bool(np.all(shaped[target] == POISON)), "computes a second time:")
            cells = encode(values[..., mine], tile.tensor.bits, self.cell_bits)
            shaped[target] = cells.reshape(*values.shape[:3], mine.size, -1)
            written += mine.size
        self._expect(index, command.results[0], written == stored.size, "leaves out channels of")

    def differences(self) -> Iterator[str]:
        """Where DRAM does not hold what a direct computation gives, and layers with other than their MACs."""
        maps = compute_directly(
            self.network,
            self.image,
            self.weights,
            activation_bits=self.bits["activation"],
            weight_bits=self.bits["weight"],
        )
        failures = 0
        for number, node in enumerate(self.network.nodes):
            for text in (self._wrong_macs(number, node), self._wrong_values(node, maps[node.name])):
                if text and failures < MOST_FAILURES:
                    failures += 1
                    yield text

    def _wrong_macs(self, number: int, node: Node) -> str | None:
        wanted = node.macs * self.network.batch
        done = self.macs[number]
        return None if done == wanted else f"{node.name}: {done} MACs done, {wanted} expected"

    def _wrong_values(self, node: Node, wanted: Values) -> str | None:
        placed = self.lowered.maps.by_name[node.name]
        tensor = placed.tensor
        cells = self.dram.cells[self.dram.indices(descriptors(tensor, tensor.whole))]
        whole = cells.reshape(*tensor.dims, -1)[..., placed.channels, :]
        if np.any(whole == POISON):
            return f"{node.name}: {int(np.any(whole == POISON, axis=-1).sum())} of its outputs were never stored"
        wrong = decode(whole.reshape(-1), tensor.bits, self.cell_bits).reshape(wanted.shape) != wanted
        if not np.any(wrong):
            return None
        first = tuple(int(position) for position in np.argwhere(wrong)[0])
        return f"{node.name}: {int(wrong.sum())} of {wrong.size} outputs differ, the first at {first}"

    def _place(self, tile: Tile) -> slice:
        return self.sram[tile.buffer].span(self.program.addresses[tile], tile.bytes)

    def _read(self, tile: Tile) -> Cells:
        cells = self.sram[tile.buffer].cells[self._place(tile)]
        return cells[: elements(tile.region) * tile.tensor.bits // self.cell_bits].copy()

    def _hold(self, index: int, tile: Tile) -> None:
        cells = self._read(tile)
        self._expect(index, tile, not np.any(cells == POISON), "reads what is not in SRAM yet:")
        self.held[index, tile] = cells

    def _release(self, index: int, tile: Tile) -> Cells:
        """The tile's cells, unchanged since they were first read."""
        before = self.held.pop((index, tile))
        self._expect(index, tile, np.array_equal(before, self._read(tile)), "is overwritten while it reads")
        return before

    def _expect(self, index: int, tile: Tile, holds: bool, otherwise: str) -> None:
        if not holds:
            command = self.program.commands[index]
            name = self.program.layers[command.layer]
            bounds = ", ".join(f"{part.start}:{part.stop}" for part in tile.region)
            raise CheckError(
                f"{name}: {type(command).__name__.lower()} {index} {otherwise} {tile.tensor.name}[{bounds}]"
            )


def _stored_pieces(tensor: Tensor) -> Iterator[Region]:
    """The regions in which a tensor lies in one piece."""
    if tensor.tile is None:
        yield tensor.whole
        return
    grids = [range(0, extent, size) for extent, size in zip(tensor.dims, tensor.tile, strict=True)]
    for corner in np.ndindex(*(len(grid) for grid in grids)):
        yield tuple(
            Range(grid[number], min(grid[number] + size, extent))
            for grid, number, size, extent in zip(grids, corner, tensor.tile, tensor.dims, strict=True)
        )


def _taps(node: Node, work: Work, region: Region, image: Values, fill: int) -> Iterator[Values]:
    """The tile under each kernel position of the outputs of `work`; `fill` where that is padding.

    Raises CheckError where an output needs what is not in the tile.
    """
    down, right = node.window.vertical, node.window.horizontal
    size = node.sizes[0]
    for row in range(down.kernel):
        rows, rows_inside = _under(down, row, work.rows, region[1], size.height)
        for col in range(right.kernel):
            cols, cols_inside = _under(right, col, work.cols, region[2], size.width)
            tap = image[:, rows[:, None], cols[None, :], :]
            inside = rows_inside[:, None] & cols_inside[None, :]
            yield np.where(inside[None, :, :, None], tap, fill)


def _under(axis: Axis, tap: int, outputs: Range, part: Range, extent: int) -> tuple[Values, NDArray[np.bool_]]:
    """Indices into a tile of the inputs under one tap, and which of them are not padding."""
    wanted = np.arange(outputs.start, outputs.stop) * axis.stride - axis.pad + tap * axis.dilation
    inside = (wanted >= 0) & (wanted < extent)
    held = (wanted >= part.start) & (wanted < part.stop)
    if np.any(inside & ~held):
        raise CheckError("an output needs inputs that are not in its tile")
    return np.where(inside, wanted - part.start, 0), inside


def _operate(node: Node, work: Work, operands: list[tuple[Tile, Values]]) -> Values:
    """What the vector unit does with the tiles of a piece."""
    tile, first = operands[0]
    simple: dict[Op, Callable[[], Values]] = {
        Op.MAX_POOL: lambda: np.max(list(_taps(node, work, tile.region, first, int(np.iinfo(np.int64).min))), axis=0),
        Op.AVG_POOL: lambda: _average(node, work, tile, first),
        Op.GLOBAL_POOL: lambda: _average(node, work, tile, first),
        Op.ADD: lambda: first + operands[-1][1],
        Op.SCALE: lambda: first * operands[-1][1],
        Op.CONCAT: lambda: first,
        Op.SHUFFLE: lambda: first,
        Op.SIGMOID: lambda: arithmetic.sigmoid(first),
        Op.SOFTMAX: lambda: arithmetic.softmax(first),
        Op.LRN: lambda: arithmetic.lrn(first, node.channel_window),
        Op.BATCH_NORM: lambda: arithmetic.batch_norm(first, np.arange(work.channels.start, work.channels.stop)),
        Op.RELU: lambda: np.maximum(first, 0),
        Op.SUBSAMPLE_PAD: lambda: _subsampled(node, work, tile, first),
    }
    return simple[node.op]()


def _subsampled(node: Node, work: Work, tile: Tile, image: Values) -> Values:
    (tap,) = _taps(node, work, tile.region, image, fill=0)
    return np.pad(tap, ((0, 0), (0, 0), (0, 0), (0, node.output.channels - tap.shape[-1])))


def _average(node: Node, work: Work, tile: Tile, image: Values) -> Values:
    return np.asarray(np.sum(list(_taps(node, work, tile.region, image, fill=0)), axis=0) // node.window.elements)
