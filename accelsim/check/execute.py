"""Executes a tile program on numbers, in the order of the machine's events, and compares with a direct computation.

Every Load copies cells from a DRAM image to an SRAM image, every Compute reads its tiles from SRAM, every Store copies
back. Memories start poisoned. A tile is read when its reader begins and again when the machine says that it has been
read for the last time: if it was not there yet, or changed in between, the program or the machine is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from accelsim.check import arithmetic
from accelsim.check.arithmetic import ELEMENTS, FINISHED, Values
from accelsim.check.images import (
    POISON,
    CellValues,
    Image,
    are_compressed,
    cell_bits_for,
    channels_within,
    decode,
    encode,
    give,
    slices,
)  # fmt: skip
from accelsim.check.operate import ABSENT, CheckError, InputValues, multiplied, on_way, operate, summed, under_block
from accelsim.check.pools import PooledRows
from accelsim.check.reference import compute_directly, differing
from accelsim.check.sums import WaitingSums
from accelsim.config.machine import Machine
from accelsim.config.scheduling import Arbitration, Scheduling
from accelsim.lowering.compile import Lowered
from accelsim.lowering.ir import copied_channels
from accelsim.machine.clock import CommandEvent
from accelsim.machine.machine import link_for, play
from accelsim.network.geometry import work_block
from accelsim.network.graph import Network, Node
from accelsim.program.commands import Buffer, Compute, Load, Store, Tile
from accelsim.program.link import Linked, Moment
from accelsim.program.tensors import Range, Region, Tensor, descriptors, elements
from accelsim.run.outlook import announce_check, announce_planning, announce_run
from accelsim.run.play import lower_or_refuse, refusing

MOST_FAILURES = 20


def check_network(
    network: Network, machine: Machine, scheduling: Scheduling = Scheduling(), *, seed: int = 0
) -> list[str]:
    """Defects of the tile program of a network on a machine; none where all is right.

    Raises UserError where a layer does not fit the machine, or the network the memory of this one.
    """
    announce_check(network, machine, scheduling.inferences)
    announce_planning(network)
    lowered, order = lower_or_refuse(network, machine, scheduling), scheduling.arbitration
    announce_run(lowered, machine, scheduling.inferences, checks=True)
    with refusing(machine, scheduling):
        return check_program(machine, lowered, link_for(lowered.program, machine, scheduling), order, seed=seed)


def check_program(
    machine: Machine,
    lowered: Lowered,
    linked: Iterable[Linked],
    arbitration: Arbitration = "arrival",
    *,
    seed: int = 0,
) -> list[str]:
    """Defects of a program that is given."""
    executor = Executor(lowered, seed)
    try:
        play(lowered.program, linked, machine, [executor], arbitration)
    except CheckError as failure:
        return [str(failure)]
    return list(executor.differences())


class Executor:
    """An observer of the machine that moves the numbers. linked, index: the command that something happens to."""

    linked: Linked
    index: int

    def __init__(self, lowered: Lowered, seed: int) -> None:
        self.network, self.lowered, self.program = lowered.network, lowered, lowered.program
        tensors = {place.tensor for place in lowered.maps.by_name.values()} | set(self.program.preloaded)
        self.map_bits = lowered.map_bits
        weights = self.program.preloaded[len(self.network.inputs) :]
        self.weight_bits = max((tensor.bits for tensor in weights), default=1)
        self.cell_bits = 1 if are_compressed(tensors) else cell_bits_for(*(tensor.bits for tensor in tensors))
        size = max(tensor.address_bytes + tensor.bytes for tensor in tensors)
        self.dram = Image(size + 8, self.cell_bits)
        self.sram = {buffer: Image(self.program.capacities[buffer] + 8, self.cell_bits) for buffer in Buffer}
        self.held: dict[tuple[int, Tile], CellValues] = {}
        self.arriving: dict[int, CellValues] = {}
        self.sums = WaitingSums()
        self.pools = PooledRows()
        self.begun: set[Tile] = set()
        self.kept: dict[Tensor, Values] = {}
        self.macs = [0] * len(self.network.nodes)
        self._give_inputs(np.random.default_rng(seed))

    def _give_inputs(self, random: np.random.Generator) -> None:
        inputs = self.network.inputs
        self.images = {name: give(self.dram, self.lowered.maps.by_name[name].tensor, random) for name in inputs}
        weights = self.program.preloaded[len(inputs) :]
        self.weights = {tensor.name.removesuffix(".weights"): give(self.dram, tensor, random) for tensor in weights}

    def happened(self, what: CommandEvent | Moment, linked: Linked, cycle: int) -> None:
        """See `accelsim.machine.clock.Observer`."""
        del cycle
        self.linked, self.index = linked, linked.task.index
        match linked.command:
            case Load(tile=tile):
                self._load(what, tile)
            case Store(tile=tile):
                self._store(what, tile)
            case Compute() as command:
                self._compute(what, command)

    def _load(self, what: CommandEvent | Moment, tile: Tile) -> None:
        place = self._place(tile)
        if what is CommandEvent.BEGIN:
            self.sram[tile.buffer].cells[place] = POISON
        elif what is CommandEvent.STREAM:
            cells = self.dram.cells[self.dram.indices(descriptors(tile.tensor, tile.region))]
            self._expect(tile, not np.any(cells == POISON), "loads what is not in DRAM yet:")
            self.arriving[self.index] = cells
        elif what is Moment.DONE:
            cells = self.arriving.pop(self.index)
            self.sram[tile.buffer].cells[place.start : place.start + cells.size] = cells

    def _store(self, what: CommandEvent | Moment, tile: Tile) -> None:
        if what is CommandEvent.BEGIN:
            self._hold(tile)
        elif what is Moment.SRAM_READ:
            self.arriving[self.index] = self._release(tile)
        elif what is Moment.DONE:
            where = self.dram.indices(descriptors(tile.tensor, tile.region))
            self._expect(tile, bool(np.all(self.dram.cells[where] == POISON)), "stores a second time:")
            self.dram.cells[where] = self.arriving.pop(self.index)

    def _compute(self, what: CommandEvent | Moment, command: Compute) -> None:
        if what is CommandEvent.BEGIN:
            for tile in command.stationary:
                self._hold(tile)
        elif what is CommandEvent.STREAM:
            for tile in (*command.streamed, *command.added):
                self._hold(tile)
            for tile in command.results:
                if tile not in self.begun:
                    self.begun.add(tile)
                    self.sram[tile.buffer].cells[self._place(tile)] = POISON
        elif what is Moment.STATIONARY_READ or what is Moment.STREAM_READ:
            tiles = command.stationary if what is Moment.STATIONARY_READ else command.streamed
            for tile in tiles:
                self.held[self.index, tile] = self._release(tile)
        else:
            self._finish(command)

    def _finish(self, command: Compute) -> None:
        for tile in command.added:
            self.held[self.index, tile] = self._release(tile)
        operands = {tile: self._values(tile) for tile in command.reads}
        node = self.network.nodes[command.layer]
        values = self._results(command, node, operands)
        if values is None:
            return
        if not node.op.is_address:
            values = arithmetic.activate(values, node.activation)
        values = arithmetic.wrap(values, self.map_bits[node.name])
        shortcut = self._shortcut(command, node, operands) if node.shortcut else None
        channels, pool = command.work.channels, partial(self.pools.outputs, node, command.work)
        self._write(command, node, on_way(node.after, values, channels, self.map_bits, pool=pool, shortcut=shortcut))

    def _results(self, command: Compute, node: Node, operands: dict[Tile, Values]) -> Values | None:
        """Results of a piece; None where its sums are not whole."""
        if node.op.on_array:
            return self._sum(command, node, operands)
        if node.op.sums_map:
            return self._sum_of_map(command, node, operands)
        return operate(node, command.work, self._inputs(command, node, operands))

    def _values(self, tile: Tile) -> Values:
        """Values of a tile. A compressed one is opaque: if its bits arrived whole, it stands for the values it had."""
        cells = self.held.pop((self.index, tile))
        tensor = tile.tensor
        if tensor.compressed_bits is None:
            return decode(cells, tensor.bits, self.cell_bits).reshape([part.size for part in tile.region])
        stored = self.dram.cells[self.dram.indices(descriptors(tensor, tile.region))]
        self._expect(tile, np.array_equal(cells, stored), "reads other bits than were stored of")
        return self.weights[tensor.name.removesuffix(".weights")][slices(tile.region)]

    def _sum(self, command: Compute, node: Node, operands: dict[Tile, Values]) -> Values | None:
        """Partial sums of a convolution or product; the values once the sum is whole."""
        work = command.work
        left, right = ({tile: data for tile, data in operands.items() if tile.buffer is each} for each in Buffer)
        tile, weights = next(iter(right.items()))
        if node.op.multiplies_maps:
            weights = self._right(command, node, right)
        groups = weights.shape[0]
        each = node.sizes[0].channels // node.groups
        first = work.channels.start // (node.output.channels // node.groups)
        channels = Range(first * each + work.reduction.start, (first + groups - 1) * each + work.reduction.stop)
        region, image = self._input(command, 0, node, left, channels)
        image = on_way(node.before, image, channels, self.map_bits)
        self.macs[command.layer] += elements(work_block(node, work)) * weights.size
        operand_bits = self.map_bits[node.inputs[0]]
        operand_bits += self.weight_bits if node.op.weighted else self.map_bits[node.inputs[1]]
        values = multiplied(node, work, region, image, weights, operand_bits)
        return self._added_up(command, tile, values)

    def _sum_of_map(self, command: Compute, node: Node, operands: dict[Tile, Values]) -> Values | None:
        """Sums of a part of a map; the values once they are those of the whole map."""
        own = self._input(command, 0, node, operands, command.work.channels)
        sums = self._added_up(command, next(iter(operands)), summed(node, command.work, *own))
        return None if sums is None else FINISHED[node.op.name](node, sums)

    def _added_up(self, command: Compute, tile: Tile, values: Values) -> Values | None:
        """Sums that a piece adds to, once they are whole. tile: one that it reads."""
        fault = self.sums.fault(command.layer, command.work)
        self._expect(tile, not fault, fault)
        return self.sums.added(command.layer, command.work, values)

    def _right(self, command: Compute, node: Node, operands: dict[Tile, Values]) -> Values:
        """Right map of a product as far as a piece reads it, as weights: (groups, outputs, inputs, 1)."""
        work, size = command.work, node.sizes[1]
        depth = node.output.channels // node.groups
        groups = range(work.channels.start // depth, (work.channels.stop - 1) // depth + 1)
        outs = Range(work.channels.start - groups[0] * depth, work.channels.stop - groups[-1] * depth)
        tokens, each = (outs, work.reduction) if node.transposed else (work.reduction, outs)
        own = size.channels // node.groups
        channels = Range(groups[0] * own + each.start, groups[-1] * own + each.stop)
        (images, rows, cols), image = self._input(command, 1, node, operands, channels)
        row, col = np.divmod(np.arange(tokens.start, tokens.stop), size.width)
        found = image[work.images.start - images.start, row - rows.start, col - cols.start]
        if np.any(found == ABSENT):
            raise CheckError(f"{node.name}: compute {self.index} needs of its right map what is not in its tiles")
        heads = found.reshape(tokens.size, len(groups), each.size)
        return np.asarray(heads.transpose((1, 0, 2) if node.transposed else (1, 2, 0))[..., np.newaxis])

    def _shortcut(self, command: Compute, node: Node, operands: dict[Tile, Values]) -> Values:
        """Part of the map that is added to the results of a piece."""
        added = {tile: operands[tile] for tile in command.added}
        region, image = self._input(command, len(node.inputs) - 1, node, added, command.work.channels)
        return under_block(command.work, region, image, node.output)

    def _inputs(self, command: Compute, node: Node, operands: dict[Tile, Values]) -> InputValues:
        """Inputs of a piece on the vector unit as far as it reads them, each as `_input` gives it."""
        work = command.work
        if node.op.is_address:
            return [self._input(command, work.reduction.start, node, operands, work.channels)]
        wanted = Range(0, node.sizes[0].channels) if node.op.reads_all else work.channels
        if node.op.access_of(node) is not None:
            return [self._part(command, node, operands, position) for position in range(len(node.inputs))]
        return [self._input(command, position, node, operands, wanted) for position in range(len(node.inputs))]

    def _part(
        self, command: Compute, node: Node, operands: dict[Tile, Values], position: int
    ) -> tuple[Region, Values] | None:
        """Part of an input, not under a window, that a piece reads; None where no tile of its is there."""
        if all(tile.tensor is not self.lowered.maps.by_name[node.inputs[position]].tensor for tile in operands):
            return None
        whole = Range(0, node.sizes[position].channels)
        bounds, image = self._input(command, position, node, operands, whole)
        if node.op.name in ELEMENTS and whole.size > 1:
            image = image[..., command.work.channels.start : command.work.channels.stop]
        return (*bounds, whole), image

    def _input(
        self, command: Compute, position: int, node: Node, operands: dict[Tile, Values], channels: Range
    ) -> tuple[Region, Values]:
        """The bounds of an input's tiles, and their values there for some of its channels; ABSENT where there are none.

        operands: the tiles of the piece; those of other inputs in the same tensor do no harm.
        """
        place = self.lowered.maps.by_name[node.inputs[position]]
        stored = place.channels[channels.start : channels.stop]
        tiles = [tile for tile in operands if tile.tensor is place.tensor]
        self._expect(command.results[0] if command.results else tiles[0], bool(tiles), "has no input for")
        bounds = tuple(
            Range(min(tile.region[axis].start for tile in tiles), max(tile.region[axis].stop for tile in tiles))
            for axis in range(3)
        )
        found: Values = np.full((*(part.size for part in bounds), stored.size), ABSENT, dtype=np.int64)
        for tile in tiles:
            mine, within = channels_within(stored, tile.region[3])
            inside = tuple(
                slice(part.start - bound.start, part.stop - bound.start)
                for part, bound in zip(tile.region, bounds, strict=False)
            )
            found[inside][..., mine] = operands[tile][..., within]
        return bounds, found

    def _write(self, command: Compute, node: Node, values: Values) -> None:
        """Put results where they belong in the result tiles."""
        work = command.work
        channels = np.arange(work.channels.start, work.channels.stop)
        if node.op.is_address:
            channels = copied_channels(node, work.reduction.start)[channels]
        stored = self.lowered.maps.by_name[node.name].channels[channels]
        written = 0
        for tile in command.results:
            mine, within = channels_within(stored, tile.region[3])
            block = tuple(part.start for part in tile.region[:3])
            wanted = (work.images.start, work.rows.start, work.cols.start)
            self._expect(tile, block == wanted, "puts its results into another block's tile:")
            data = self.sram[tile.buffer].cells[self._place(tile)]
            shaped = data[: elements(tile.region) * tile.tensor.bits // self.cell_bits].reshape(
                *(part.size for part in tile.region), -1
            )
            target = (slice(None), slice(None), slice(None), within)
            self._expect(tile, bool(np.all(shaped[target] == POISON)), "computes a second time:")
            cells = encode(values[..., mine], tile.tensor.bits, self.cell_bits)
            shaped[target] = cells.reshape(*values.shape[:3], mine.size, shaped.shape[-1])
            if tile.resident:
                self._keep(tile, stored[mine], values[..., mine])
            written += mine.size
        self._expect(command.results[0], written == stored.size, "leaves out channels of")

    def _keep(self, tile: Tile, channels: NDArray[np.int64], values: Values) -> None:
        """Remember what was written to a map that is never stored, to be compared at the end."""
        tensor = tile.tensor
        if tensor not in self.kept:
            self.kept[tensor] = np.full(tensor.dims, ABSENT, dtype=np.int64)
        self.kept[tensor][slices(tile.region[:3])][..., channels] = values

    def differences(self) -> Iterator[str]:
        """Layers whose values in DRAM are not those of a direct computation, or that do other than their MACs."""
        maps = compute_directly(
            self.lowered.source, self.images, self.weights, map_bits=self.map_bits, weight_bits=self.weight_bits
        )
        failures = 0
        for number, node in enumerate(self.network.nodes):
            if node.absorbed:
                continue
            for text in (self._wrong_macs(number, node), self._wrong_values(node, maps[node.written_as])):
                if text and failures < MOST_FAILURES:
                    failures += 1
                    yield text

    def _wrong_macs(self, number: int, node: Node) -> str | None:
        done, wanted = self.macs[number], self.lowered.source.nodes[number].macs * self.network.batch
        return None if done == wanted else f"{node.name}: {done} MACs done, {wanted} expected"

    def _wrong_values(self, node: Node, wanted: Values) -> str | None:
        placed = self.lowered.maps.by_name[node.name]
        tensor = placed.tensor
        cells = self.dram.cells[self.dram.indices(descriptors(tensor, tensor.whole))]
        stored = cells.reshape(*tensor.dims, -1)
        found = decode(stored.reshape(-1), tensor.bits, self.cell_bits).reshape(tensor.dims)
        missing = np.any(stored == POISON, axis=-1)
        if tensor in self.kept:
            stays = self.kept[tensor] != ABSENT
            found, missing = np.where(stays, self.kept[tensor], found), missing & ~stays
        lost = int(missing[..., placed.channels].sum())
        if lost:
            return f"{node.name}: {lost} of its outputs were never stored"
        return differing(node, found[..., placed.channels], wanted)

    def _place(self, tile: Tile) -> slice:
        return self.sram[tile.buffer].span(tile.address, tile.bytes)

    def _read(self, tile: Tile) -> CellValues:
        cells = self.sram[tile.buffer].cells[self._place(tile)]
        tensor = tile.tensor
        bits = elements(tile.region) * tensor.bits
        if tensor.compressed_bits is not None:
            bits = descriptors(tensor, tile.region)[0].row_bits
        return cells[: bits // self.cell_bits].copy()

    def _hold(self, tile: Tile) -> None:
        cells = self.held[self.index, tile] = self._read(tile)
        self._expect(tile, not np.any(cells == POISON), "reads what is not in SRAM yet:")

    def _release(self, tile: Tile) -> CellValues:
        """The tile's cells, unchanged since they were first read."""
        before = self.held.pop((self.index, tile))
        self._expect(tile, np.array_equal(before, self._read(tile)), "is overwritten while it reads")
        return before

    def _expect(self, tile: Tile, holds: bool, otherwise: str) -> None:
        if not holds:
            bounds = ", ".join(f"{part.start}:{part.stop}" for part in tile.region)
            command = self.linked.command
            what = f"{type(command).__name__.lower()} {self.index}"
            raise CheckError(f"{self.program.layers[command.layer]}: {what} {otherwise} {tile.tensor.name}[{bounds}]")
