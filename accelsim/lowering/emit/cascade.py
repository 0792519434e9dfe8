"""Tiles of a cascade: stripes in rings, each until the last layer of the cascade that reads it is done with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from accelsim.lowering.emit.iterations import overlap
from accelsim.lowering.emit.readers import Reader, readers
from accelsim.lowering.emit.residents import ResidentTiles
from accelsim.lowering.ir import Layout, PlannedLayer
from accelsim.lowering.placement import Placement, ranges_of
from accelsim.lowering.schedule.residents import Cascade, Ring
from accelsim.lowering.schedule.rings import input_rows
from accelsim.lowering.schedule.stripes import Read
from accelsim.network.graph import Node
from accelsim.program.commands import Buffer, Tile
from accelsim.program.tensors import Range, Region, Tensor
from accelsim.units import ceil_div


@dataclass(slots=True)
class StripeLoads:
    """Loads of a tensor by a cascade: rows of a stripe, ranges of channels, and the tiles by number of the stripe."""

    ring: Ring
    rows: int
    channels: tuple[Range, ...]
    tiles: dict[int, tuple[Tile, ...]] = field(default_factory=dict)


class CascadeTiles:
    """Stripes of a cascade that are emitted and still to be read.

    made: those that are stored and read inside as well, by tensor; loaded: those from DRAM, by tensor.
    """

    def __init__(
        self, cascade: Cascade, layers: Sequence[PlannedLayer], residents: ResidentTiles, layout: Layout, batch: int
    ) -> None:
        self.cascade, self.residents, self.layout = cascade, residents, layout
        self.members = dict(zip(cascade.layers, cascade.members, strict=True))
        self.nodes = [layer.node for layer in layers]
        self.readers: dict[Tensor, list[Reader]] = {}
        for layer in layers:
            for tensor, reader in readers(layer, layout, batch):
                self.readers.setdefault(tensor, []).append(reader)
        self.made: dict[Tensor, dict[Tile, None]] = {}
        self.loaded = {
            tensor: self._loaded(tensor, cascade.inputs[tensor.name])
            for tensor in self.readers
            if tensor.name in cascade.inputs
        }

    def results(self, layer: int, node: Node, parts: Sequence[tuple[Region, bool]]) -> tuple[Tile, ...]:
        """Tiles of a stripe that a layer makes, one behind the other. parts: regions, and whether each stays."""
        ring, member = self.cascade.rings.get(node.name), self.members[layer]
        tensor = self.layout.by_name[node.name].tensor
        if ring is None:
            return tuple(self.residents.new_tile(node.name, tensor, region) for region, _ in parts)
        images, rows = parts[0][0][:2]
        address = ring.place(images.start * member.stripes + rows.start // member.rows)
        tiles = []
        for region, stays in parts:
            tiles.append(self._result(node, tensor, region, address, stays=stays))
            address += tiles[-1].bytes
        return tuple(tiles)

    def _result(self, node: Node, tensor: Tensor, region: Region, address: int, *, stays: bool) -> Tile:
        if stays:
            return self.residents.new_tile(node.name, tensor, region, address)
        reads = self._reads_of(tensor, region)
        tile = Tile(tensor, region, Buffer.ACTIVATION, address=address, read_on_chip=reads > 0)
        if reads:
            self.made.setdefault(tensor, {})[tile] = None
            self.residents.expect(tile, reads)
        return tile

    def _reads_of(self, tensor: Tensor, region: Region) -> int:
        return sum(reader.reads_of(region) for reader in self.readers.get(tensor, ()))

    def tiles(self, place: Placement, region: Region) -> tuple[Tile, ...]:
        """The tiles that hold a region of an input."""
        tensor = place.tensor
        loaded = self._stripes(tensor, region) if tensor in self.loaded else ()
        made = self.made.get(tensor, {})
        for tile in [tile for tile in made if not self.residents.is_expected(tile)]:
            del made[tile]
        inside = (tile for tile in (*loaded, *made) if overlap(tile.region, region))
        return (*inside, *self.residents.overlapping(tensor, region))

    def _stripes(self, tensor: Tensor, region: Region) -> Iterator[Tile]:
        """The stripes of a tensor that are loaded and have rows of a region."""
        loaded = self.loaded[tensor]
        height, width = tensor.dims[1:3]
        images, rows = region[0], region[1]
        each = ceil_div(height, loaded.rows)
        first, last = rows.start // loaded.rows, ceil_div(rows.stop, loaded.rows)
        for number in range(images.start * each + first, images.start * each + last):
            if number not in loaded.tiles:
                start = number % each * loaded.rows
                part = (images, Range(start, min(start + loaded.rows, height)), Range(0, width))
                loaded.tiles[number] = tuple(self._load(tensor, loaded, number, part))
            yield from loaded.tiles[number]

    def _load(self, tensor: Tensor, loaded: StripeLoads, number: int, part: tuple[Range, ...]) -> Iterator[Tile]:
        """The tiles of a stripe, those that nobody reads left out."""
        for old in [old for old, tiles in loaded.tiles.items() if not any(map(self.residents.is_expected, tiles))]:
            del loaded.tiles[old]
        address = loaded.ring.place(number)
        for channels in loaded.channels:
            tile = Tile(tensor, (*part, channels), Buffer.ACTIVATION, address=address)
            address += tile.bytes
            reads = self._reads_of(tensor, tile.region)
            if reads:
                self.residents.expect(tile, reads)
                yield tile

    def _loaded(self, tensor: Tensor, ring: Ring) -> StripeLoads:
        wanted = np.zeros(tensor.dims[3], dtype=np.bool_)
        reads: list[tuple[int, Read]] = []
        for node, member in zip(self.nodes, self.cascade.members, strict=True):
            for name, window in node.reaches:
                place = self.layout.by_name[name]
                if place.tensor is tensor:
                    wanted[place.channels] = True
                    reads.append((member.rows, Read(-1, window.vertical, tensor.dims[1])))
        stay = self.residents.resident_channels(tensor)
        if stay is not None:
            wanted &= ~stay
        for place in (self.layout.by_name[node.name] for node in self.nodes):
            if place.tensor is tensor:
                wanted[place.channels] = False
        return StripeLoads(ring, input_rows(reads), ranges_of(np.flatnonzero(wanted)))
