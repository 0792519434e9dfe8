"""Residents and cascades: which feature maps stay on chip, whole, in part or stripe by stripe, and where."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from accelsim.lowering.allocate import ByteRange
from accelsim.lowering.ir import Layout, ResidentChannels, Tiling
from accelsim.lowering.schedule.stripes import Member
from accelsim.network.graph import Network, Node
from accelsim.network.stream import numbered
from accelsim.units import packed_bytes


class Cost(NamedTuple):
    """DRAM bytes in whole bursts of a layer, or of several, and the objective's value, both by estimate."""

    dram_bytes: int
    score: float


CostOf = Callable[[Node, int, ResidentChannels], Cost | None]
"""The cost of a layer by itself, given the bytes of activation buffer for its tiles and the residents; None where it
does not fit."""


def together(found: Iterable[Cost | None]) -> Cost | None:
    """The cost of several layers; None where one of them does not fit."""
    moved, score = 0, 0.0
    for cost in found:
        if cost is None:
            return None
        moved, score = moved + cost.dram_bytes, score + cost.score
    return Cost(moved, score)


@dataclass(frozen=True, slots=True)
class Resident:
    """A feature map, or its leading channels, that stays on chip from layer `first` to layer `last`, and its bytes."""

    name: str
    first: int
    last: int
    size: int
    channels: int

    @property
    def layers(self) -> range:
        return range(self.first, self.last + 1)

    def numbered(self, number: int, layers: int) -> Resident:
        """The same in one of several inferences of a number of layers each."""
        shift = (number - 1) * layers
        return replace(self, name=numbered(self.name, number), first=self.first + shift, last=self.last + shift)


class Ring(NamedTuple):
    """Slots of the activation buffer that the stripes of a feature map take in turn."""

    address: int
    slots: int
    slot_bytes: int

    def place(self, stripe: int) -> int:
        """Address of a stripe."""
        return self.address + stripe % self.slots * self.slot_bytes


@dataclass(frozen=True, slots=True)
class Cascade:
    """Layers that run depth-first, stripe by stripe.

    layers: numbers of the layers with commands, by which `members` go; rings: of the feature maps that they make and
    that do not stay whole, by name; inputs: of what they load, by tensor; internal: channels of the feature maps that
    only they read; room: piece of the activation buffer that all rings lie in; weights: address of their weights in the
    weight buffer; tilings: of the layers, by name.
    """

    layers: tuple[int, ...]
    members: tuple[Member, ...]
    rings: dict[str, Ring]
    inputs: dict[str, Ring]
    internal: dict[str, int]
    room: ByteRange
    weights: int
    tilings: dict[str, Tiling]

    @property
    def span(self) -> range:
        """The layers from the first to the last, those between that are only addresses included."""
        return range(self.layers[0], self.layers[-1] + 1)

    def numbered(self, number: int, layers: int) -> Cascade:
        """The same in one of several inferences of a number of layers each."""
        shift = (number - 1) * layers
        return replace(
            self,
            layers=tuple(layer + shift for layer in self.layers),
            rings={numbered(name, number): ring for name, ring in self.rings.items()},
            inputs={numbered(name, number): ring for name, ring in self.inputs.items()},
            internal={numbered(name, number): channels for name, channels in self.internal.items()},
            tilings={numbered(name, number): tiling for name, tiling in self.tilings.items()},
        )


@dataclass(frozen=True, slots=True)
class Residency:
    """The schedule of all layers.

    stays: residents, and the feature maps inside of cascades, by name; addresses: of residents; rooms: piece of the
    activation buffer for the tiles of each layer, or for the rings of its cascade; cycles, dram_bytes: by estimate,
    without parts that stay.
    """

    stays: dict[str, Resident]
    addresses: dict[str, int]
    rooms: tuple[ByteRange, ...]
    cascades: tuple[Cascade, ...] = ()
    cycles: float = field(default=0.0, compare=False)
    dram_bytes: float = field(default=0.0, compare=False)

    @property
    def channels(self) -> ResidentChannels:
        """Channels that stay, by the name of the feature map."""
        return {name: resident.channels for name, resident in self.stays.items()}

    def beside(self, part: Resident, low: int) -> Residency:
        """The same and a resident at this address in the room of its layers, which keep the larger piece."""
        rooms = list(self.rooms)
        for layer in part.layers:
            bottom, top = rooms[layer]
            rooms[layer] = max((bottom, low), (low + part.size, top), key=lambda room: room[1] - room[0])
        return replace(
            self,
            stays={**self.stays, part.name: part},
            addresses={**self.addresses, part.name: low},
            rooms=tuple(rooms),
        )

    def repeated(self, inferences: int, layers: int) -> Residency:
        """The same for each of a number of inferences of a number of layers each."""
        every = range(1, inferences + 1)
        stays = [each.numbered(number, layers) for number in every for each in self.stays.values()]
        return Residency(
            {each.name: each for each in stays},
            {numbered(name, number): low for number in every for name, low in self.addresses.items()},
            self.rooms * inferences,
            tuple(each.numbered(number, layers) for number in every for each in self.cascades),
        )


def candidates(network: Network, layout: Layout) -> Iterator[Resident]:
    """All feature maps of one inference that a layer writes and later ones read, none of which is an output.

    Of a concat that copies some of its inputs these channels, if they are the leading ones. Tiles of sub-byte data are
    rounded up to bytes, at most once a pixel.
    """
    numbers = {node.name: number for number, node in enumerate(network.nodes)}
    for number, node in enumerate(network.nodes[: network.layers]):
        channels = 0 if node.absorbed else layout.written(node)
        readers = readers_of(network, layout, node.name) if channels else []
        if readers and layout.writes(node)[-1] == channels - 1:
            pixels, bits = network.batch * node.output.height * node.output.width, layout.by_name[node.name].tensor.bits
            size = packed_bytes(pixels * channels, bits)
            slack = 0 if bits % 8 == 0 else pixels
            yield Resident(node.name, number, max(numbers[reader] for reader in readers), size + slack, channels)


def readers_of(network: Network, layout: Layout, name: str) -> list[str]:
    """The layers that read a feature map, through layers that are only addresses; none if it is an output, or the
    right map of a product, which is read from DRAM as weights are."""
    found: list[str] = []
    for node in network.consumers[name]:
        if node.op.is_address and name not in layout.copies[node.name]:
            further = readers_of(network, layout, node.name)
            if not further:
                return []
            found += further
        elif node.op.multiplies_maps and node.inputs[1] == name:
            return []
        else:
            found.append(node.name)
    return found
