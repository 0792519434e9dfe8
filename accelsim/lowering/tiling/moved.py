"""Channels of feature maps that layers move, given which are resident, and the bursts in which these lie."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

import numpy as np

from accelsim.dataflows.work import ArrayContext
from accelsim.lowering.ir import LayerTask, Layout, ResidentChannels
from accelsim.lowering.placement import Beyond, Channels, Placement, whole_burst_bytes
from accelsim.network.graph import Node


class Part(NamedTuple):
    """Channels of each pixel that are moved, and bytes that their bursts have beyond them."""

    channels: int
    beyond: float


NO_PART = Part(0, 0.0)


def plain_beyond(task: LayerTask, array: ArrayContext) -> tuple[float, float]:
    """Bytes of a pixel that bursts have beyond the channels that are loaded, and beyond those that are stored; none
    where the map is coded or channels are stored apart."""
    if task.beyond is None:
        return 0.0, 0.0
    loaded = task.beyond.loaded if array.ifmap_code is None else 0.0
    stored = task.beyond.stored if array.ofmap_code is None and not task.scattered else 0.0
    return loaded, stored


class MovedParts(NamedTuple):
    """The channels that a layer loads of its inputs and of its shortcut, and those that it stores."""

    loaded: Part
    shortcut: Part
    stored: Part

    @property
    def beyond(self) -> Beyond:
        """Bytes of a pixel that bursts have beyond what is moved."""
        return Beyond(*(part.beyond for part in self))


@dataclass(slots=True)
class MovedChannels:
    """The feature maps of a layout by who writes and reads them.

    by_tensor: the maps that lie in each, and which of its channels are written as them. sources: of a map the channels
    of the tensor that it reads, by the map that they are written as. makers: of some maps together. parts: what is
    loaded of some maps with some residents; stored: what a layer stores, by how many of its channels are resident.
    """

    layout: Layout
    nodes: Sequence[Node]
    burst_bytes: int
    by_tensor: dict[str, dict[str, Channels]] = field(default_factory=dict)
    sources: dict[str, dict[str, Channels]] = field(default_factory=dict)
    makers: dict[tuple[str, ...], frozenset[str]] = field(default_factory=dict)
    parts: dict[tuple[tuple[str, ...], tuple[tuple[str, int], ...]], Part] = field(default_factory=dict)
    stored: dict[tuple[str, int], Part] = field(default_factory=dict)

    def __post_init__(self) -> None:
        written = {node.name: self.layout.writes(node) for node in self.nodes if not node.absorbed}
        for name, place in self.layout.by_name.items():
            made = place.channels[written[name]] if name in written else place.channels
            self.by_tensor.setdefault(place.tensor.name, {})[name] = made

    def of(self, node: Node, residents: ResidentChannels) -> MovedParts:
        """All that a layer moves beside these residents."""
        shortcut = self._loaded((node.shortcut,), residents) if node.shortcut else NO_PART
        return MovedParts(self._loaded(self.layout.reads(node), residents), shortcut, self._stored(node, residents))

    def sources_of(self, name: str) -> dict[str, Channels]:
        """Channels of the tensor that a feature map reads, by the layer or input that makes them, seen through
        addresses."""
        if name not in self.sources:
            place = self.layout.by_name[name]
            own = np.zeros(place.tensor.dims[3], dtype=np.bool_)
            own[place.channels] = True
            made = {source: channels[own[channels]] for source, channels in self.by_tensor[place.tensor.name].items()}
            self.sources[name] = {source: channels for source, channels in made.items() if len(channels)}
        return self.sources[name]

    def _loaded(self, names: tuple[str, ...], residents: ResidentChannels) -> Part:
        """The channels of these maps that are loaded."""
        made = self.makers.get(names)
        if made is None:
            made = self.makers[names] = frozenset(chain.from_iterable(self.sources_of(name) for name in names))
        there = tuple((name, residents[name]) for name in sorted(made & residents.keys()))
        found = self.parts.get((names, there))
        if found is None:
            absent = ((name, self._absent(name, dict(there))) for name in names)
            found = self.parts[names, there] = self._part(absent)
        return found

    def _absent(self, name: str, there: ResidentChannels) -> Channels:
        """The channels that a feature map reads, without the leading ones, as many as are there, of each source."""
        absent = np.zeros(self.layout.by_name[name].tensor.dims[3], dtype=np.bool_)
        absent[self.layout.by_name[name].channels] = True
        for source, channels in self.sources_of(name).items():
            absent[channels[: there.get(source, 0)]] = False
        return np.flatnonzero(absent)

    def _stored(self, node: Node, residents: ResidentChannels) -> Part:
        """The channels that a layer stores."""
        key = node.name, residents.get(node.name, 0)
        if key not in self.stored:
            made = self.by_tensor[self.layout.by_name[node.name].tensor.name][node.name]
            self.stored[key] = self._part([(node.name, np.sort(made[key[1] :]))])
        return self.stored[key]

    def _part(self, moved: Iterable[tuple[str, Channels]]) -> Part:
        channels, beyond = 0, 0.0
        for name, each in moved:
            channels += len(each)
            beyond += self._beyond(self.layout.by_name[name], each)
        return Part(channels, beyond)

    def _beyond(self, place: Placement, moved: Channels) -> float:
        """Bytes of a pixel that bursts have beyond some channels; none where all of it is moved."""
        whole, bits = place.tensor.dims[3], place.tensor.bits
        if len(moved) in (0, whole):
            return 0.0
        return whole_burst_bytes(moved, bits, whole, self.burst_bytes) - len(moved) * bits / 8
