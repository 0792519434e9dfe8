"""Layers on units that work on pieces, and copies of feature maps that could not be left to addresses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, pairwise, product, starmap
from typing import NamedTuple

from accelsim.lowering.emit.iterations import (
    blocks,
    cuts,
    input_windows,
    once_each,
    operand_positions,
    operand_region,
    tap_cuts,
    vector_reads,
)
from accelsim.lowering.emit.layer import Iteration, LayerEmission, TilePlaces, all_channels, block_elements, largest
from accelsim.lowering.emit.planned import iteration_count
from accelsim.lowering.ir import copied_channels
from accelsim.lowering.placement import Placement
from accelsim.network.geometry import input_window
from accelsim.network.pieces import Piece
from accelsim.network.units import PIECE_UNITS
from accelsim.program.commands import Buffer, Tile, Work
from accelsim.program.tensors import Range, Region, region_bytes
from accelsim.units import packed_bytes


class _VectorOperand(NamedTuple):
    """An input of a layer. is_factor: one element for all pixels of an image."""

    place: Placement
    is_factor: bool


@dataclass(slots=True)
class PieceEmission(LayerEmission):
    """A layer on the vector unit, or another unit that works on pieces, in one pass."""

    def measure(self) -> None:
        """See `LayerEmission`."""
        node, plan = self.layer.node, self.layer.plan
        images = min(plan.images, self.shared.batch)
        rows, cols = (tuple(cuts(*each)) for each in ((node.output.height, plan.rows), (node.output.width, plan.cols)))
        outputs = images * largest(rows) * largest(cols)
        if node.op.is_address:
            self._measure_copies(outputs)
            return
        windows = (input_windows(node, rows, cols, taps) for taps in tap_cuts(node, plan))
        pixels = images * max(starmap(_most_pixels, windows))
        for channels in cuts(node.output.channels, plan.out_channels):
            work = Work(Range(0, 1), Range(0, 1), Range(0, 1), channels, Range(0, 1))
            if node.op.access_of(node) is None:
                self._measure_windows(work, images, pixels)
            if self.layer.weights is not None:
                size = region_bytes(self.layer.weights, self._weight_region(channels))
                self.note_loads([(TilePlaces(self.layer.weights, Buffer.WEIGHT), size)])
            self.note_stores(outputs, all_channels(work))
        if node.op.access_of(node) is not None:
            self._measure_parts()

    def _measure_windows(self, work: Work, images: int, pixels: int) -> None:
        found: dict[tuple[TilePlaces, Range], int] = {}
        for operand, wanted in self._operands(work):
            tensor = operand.place.tensor
            for part in self.loaded_channels(tensor, wanted):
                elements = (images if operand.is_factor else pixels) * part.size
                found[TilePlaces(tensor, Buffer.ACTIVATION), part] = packed_bytes(elements, tensor.bits)
        self.note_loads((place, size) for (place, _), size in found.items())

    def _measure_parts(self) -> None:
        """Measure all iterations: what they read of inputs that are not under a window differs from one to the next."""
        node, plan = self.layer.node, self.layer.plan
        for channels, block in product(
            cuts(node.output.channels, plan.out_channels), blocks(node, self.shared.batch, plan)
        ):
            work = Work(*block, channels, Range(0, 1))
            found: dict[tuple[TilePlaces, Region], int] = {}
            for place, region in self._parts(work):
                if region is None:
                    continue
                for part in self.loaded_channels(place.tensor, region[3]):
                    own = (*region[:3], part)
                    found[TilePlaces(place.tensor, Buffer.ACTIVATION), own] = region_bytes(place.tensor, own)
            self.note_loads((each, size) for (each, _), size in found.items())

    def _measure_copies(self, pixels: int) -> None:
        for position, place, channels in self._copies():
            tensor = place.tensor
            parts = self.loaded_channels(tensor, place.reads(*channels[:2]))
            self.note_loads(
                (TilePlaces(tensor, Buffer.ACTIVATION), packed_bytes(pixels * part.size, tensor.bits)) for part in parts
            )
            self.note_stores(pixels, copied_channels(self.layer.node, position)[channels.start : channels.stop])

    def iterations(self) -> Iterator[Iteration]:
        """See `LayerEmission`. Tiles go on to the next iteration or to none."""
        if self.cascade is not None:
            yield from self._striped()
            return
        ahead = self._copied() if self.layer.node.op.is_address else self._operated()
        for iteration, after in pairwise(chain(ahead, (None,))):
            assert iteration is not None
            again = after.streamed if after else ()
            released = tuple(tile for tile in self.loaded(iteration.streamed) if tile not in again)
            yield iteration._replace(released=released)

    def _striped(self) -> Iterator[Iteration]:
        """Iterations of a cascade, whose stripes are in rings; weights stay until the last of them."""
        left = iteration_count(self.layer, self.shared.maps, self.shared.batch)
        for iteration in self._operated():
            left -= 1
            weights = () if left else self.loaded(tile for tile in iteration.streamed if tile.buffer is Buffer.WEIGHT)
            yield iteration._replace(released=tuple(weights))

    def _operated(self) -> Iterator[Iteration]:
        node, plan, batch = self.layer.node, self.layer.plan, self.shared.batch
        for channels in cuts(node.output.channels, plan.out_channels):
            for block, taps in product(blocks(node, batch, plan), tap_cuts(node, plan)):
                first, last = taps is None or taps.start == 0, taps is None or taps.stop == node.window.elements
                work = Work(*block, channels, Range(0, 1), first, last, taps)
                streamed = once_each(self._operand_tiles(work))
                if self.layer.weights is not None:
                    streamed = (*streamed, *self.weight_tiles(self._weight_region(channels)))
                self.reserve(streamed)
                yield self.iteration(work, streamed, self.results(work, all_channels(work)) if last else ())

    def _weight_region(self, channels: Range) -> Region:
        assert self.layer.weights is not None
        return channels, Range(0, 1), Range(0, 1), Range(0, self.layer.weights.dims[3])

    def _operands(self, work: Work) -> Iterator[tuple[_VectorOperand, Range]]:
        """The inputs that an iteration reads, and which channels of their tensors."""
        node = self.layer.node
        wanted = work.channels if not node.op.reads_all else Range(0, node.sizes[0].channels)
        for position, name in enumerate(node.inputs):
            place = self.shared.maps.by_name[name]
            yield _VectorOperand(place, node.op.factored and position == 1), place.reads(*wanted[:2])

    def _parts(self, work: Work) -> Iterator[tuple[Placement, Region | None]]:
        """The inputs that are not under a window, and what an iteration reads of them; None where nothing."""
        node = self.layer.node
        for position, name in enumerate(node.inputs):
            place, region = self.shared.maps.by_name[name], operand_region(node, position, work)
            yield place, None if region is None else (*region[:3], place.reads(*region[3][:2]))

    def _operand_tiles(self, work: Work) -> Iterator[Tile]:
        node = self.layer.node
        if node.op.access_of(node) is not None:
            for position, (place, region) in enumerate(self._parts(work)):
                yield from self.reuse.operand_tiles(self.map_tiles, place, region, position)
            return
        window = input_window(node, (work.images, work.rows, work.cols), work.taps)
        for operand, channels in self._operands(work):
            if operand.is_factor:
                own = (work.images, Range(0, 1), Range(0, 1), channels)
                yield from self.reuse.factor_tiles(self.map_tiles, operand.place, own)
            else:
                yield from self.map_tiles(operand.place, (*window, channels))

    def _copies(self) -> Iterator[tuple[int, Placement, Range]]:
        """The inputs of a concat or shuffle that are moved to where they belong, and their channels tile by tile."""
        node = self.layer.node
        for position, name in enumerate(node.inputs):
            if name in self.shared.maps.copies[node.name]:
                for channels in cuts(node.sizes[position].channels, self.layer.plan.out_channels):
                    yield position, self.shared.maps.by_name[name], channels

    def _copied(self) -> Iterator[Iteration]:
        """Copies; channels of the work are those of the input."""
        node = self.layer.node
        for position, place, channels in self._copies():
            goes_to = copied_channels(node, position)[channels.start : channels.stop]
            for block in blocks(node, self.shared.batch, self.layer.plan):
                work = Work(*block, channels, Range(position, position + 1))
                sources = self.map_tiles(place, (*block, place.reads(*channels[:2])))
                self.reserve(sources)
                yield self.iteration(work, sources, self.results(work, goes_to))

    def iteration(self, work: Work, streamed: tuple[Tile, ...], results: tuple[Tile, ...]) -> Iteration:
        """The clocks and actions of an iteration on these tiles."""
        node, machine = self.layer.node, self.shared.machine
        outputs = block_elements(work) * work.channels.size
        read = sum(
            vector_reads(node, position, work, once=machine.sram.line_buffer) * self._bits(name)
            for position, name in operand_positions(node, work)
        )
        written = outputs * self._bits(node.name) * work.last
        weights = 8 * sum(tile.bytes for tile in streamed if tile.buffer is Buffer.WEIGHT)
        array, unit = self.layer.context.array, self.layer.unit
        piece = Piece(node, work, array, weights, packed_bytes(read, 1), packed_bytes(written, 1))
        done = PIECE_UNITS[unit].work(piece, machine)
        own = unit, work, (), streamed, results, results, done.actions()
        return Iteration(*own, unit_cycles=done.cycles, post_cycles=done.post_cycles)

    def _bits(self, name: str) -> int:
        return self.shared.maps.by_name[name].tensor.bits


def _most_pixels(rows: tuple[Range, ...], cols: tuple[Range, ...]) -> int:
    """Pixels of the largest part of a map of these rows and columns."""
    return largest(rows) * largest(cols)
