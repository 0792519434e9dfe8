"""A network: operations in execution order over NHWC feature maps, each consumed by any number of later ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from math import ceil

from accelsim.units import ceil_div

INPUT = "input"


class Op(StrEnum):
    """Operations.

    What runs on the PE array is `CONV`, fully connected layers being convolutions over the whole map, and `PRODUCT`, a
    matrix product of two maps.
    """

    CONV = "conv"
    PRODUCT = "product"
    MAX_POOL = "maxpool"
    AVG_POOL = "avgpool"
    GLOBAL_POOL = "gap"
    ADD = "add"
    MUL = "mul"
    CONCAT = "concat"
    SHUFFLE = "shuffle"
    SLICE = "slice"
    SCALE = "scale"
    SIGMOID = "sigmoid"
    HARD_SWISH = "hardswish"
    GELU = "gelu"
    SOFTMAX = "softmax"
    LAYER_NORM = "layernorm"
    LRN = "lrn"
    RELU = "relu"
    SUBSAMPLE_PAD = "subsample_pad"
    BATCH_NORM = "bn"


ADDRESSES = frozenset({Op.CONCAT, Op.SHUFFLE, Op.SLICE})
"""Operations that change nothing but where elements lie."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A feature map of one image."""

    height: int
    width: int
    channels: int

    @property
    def elements(self) -> int:
        return self.height * self.width * self.channels


@dataclass(frozen=True, slots=True)
class Axis:
    """A sliding window along one axis, with `pad` zeros before the map and `pad_end` behind it."""

    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    pad: int = 0
    pad_end: int = 0

    def taken(self, start: int, stop: int, extent: int) -> tuple[int, int]:
        """The part [low, high) of a map of `extent` that outputs [start, stop) read: at least one element of it."""
        low = start * self.stride - self.pad
        high = (stop - 1) * self.stride - self.pad + (self.kernel - 1) * self.dilation + 1
        low = min(max(low, 0), extent - 1)
        return low, max(min(high, extent), low + 1)

    def touched(self, start: int, stop: int, extent: int) -> int:
        """How many elements of a map of `extent` outputs [start, stop) read, each counted once."""
        first = range(start * self.stride - self.pad, stop * self.stride - self.pad, self.stride)
        wanted = {low + tap * self.dilation for low in first for tap in range(self.kernel)}
        return sum(0 <= position < extent for position in wanted)

    def reads(self, start: int, stop: int, extent: int) -> int:
        """How many of the kernel positions of outputs [start, stop) fall inside a map of `extent`, not on padding."""
        total = 0
        for tap in range(self.kernel):
            offset = tap * self.dilation - self.pad
            first = max(start, -(offset // self.stride))
            last = min(stop - 1, (extent - 1 - offset) // self.stride)
            total += max(0, last - first + 1)
        return total


@dataclass(frozen=True, slots=True)
class Window:
    """A sliding window over a map."""

    vertical: Axis = Axis()
    horizontal: Axis = Axis()

    @property
    def elements(self) -> int:
        return self.vertical.kernel * self.horizontal.kernel


@dataclass(frozen=True, slots=True)
class DataBits:
    """Bits of a layer's weights, of the map it writes and of its partial sums; None is whatever the machine has."""

    weight: int | None = None
    output: int | None = None
    psum: int | None = None


class WeightKind(StrEnum):
    """What weights are: integers, or signs with (ternary) and without (binary) a zero."""

    INTEGER = "integer"
    BINARY = "binary"
    TERNARY = "ternary"


@dataclass(frozen=True, slots=True)
class Pruning:
    """Which share of a layer's weights is left, how it is stored, and what the zeros save (nothing, gate, skip).

    index_bits: of a relative index beside each value; None for a bitmap of one bit a position.
    """

    density: Fraction
    index_bits: int | None
    zeros: str

    def nonzeros(self, weights: int) -> int:
        """Weights that are left: a layer's share is rounded up (the SqueezeNet paper's Table 1)."""
        return ceil(self.density * weights)

    def stored_bits(self, weights: int, bits: int) -> int:
        """Bits of the stored form, fillers included.

        A relative index counts the positions from one stored value to the next; where they are more than it can hold,
        a zero is stored between (Han et al., ICLR 2016, arXiv 1510.00149, section 2). With zeros anywhere the
        distance exceeds g with probability (1 - density)^g, which gives the expected number of fillers.
        """
        nonzeros = self.nonzeros(weights)
        if self.index_bits is None:
            return weights + nonzeros * bits
        beyond = float(1 - self.density) ** (1 << self.index_bits)
        fillers = ceil(nonzeros * beyond / (1 - beyond))
        return (nonzeros + fillers) * (bits + self.index_bits)


@dataclass(frozen=True, slots=True)
class Node:
    """One operation.

    inputs: names of the nodes it reads (`input` is the network's); sizes: their shapes; label: what the layer is
    called in tables (`conv`, `gconv`, `dwconv`, `fc`, `maxpool`, ...); channel_window: channels an LRN looks at;
    groups: of a softmax, ranges of channels that are normalised by themselves; transposed: of a product, its right map;
    first_channel: of its input that a slice has.
    """

    name: str
    op: Op
    label: str
    stage: str
    inputs: tuple[str, ...]
    sizes: tuple[Shape, ...]
    output: Shape
    window: Window = Window()
    groups: int = 1
    activation: str = "none"
    channel_window: int = 1
    transposed: bool = False
    first_channel: int = 0
    bits: DataBits = DataBits()
    weight_kind: WeightKind = WeightKind.INTEGER
    pruning: Pruning | None = None
    weights_of: str = ""

    @property
    def weights_name(self) -> str:
        """Name of the layer that these weights are called by: of an earlier inference, where there was one."""
        return self.weights_of or self.name

    @property
    def weights(self) -> int:
        """Number of weights, pruned ones included; biases and folded batch norms are not counted."""
        if self.op is not Op.CONV:
            return 0
        return self.window.elements * (self.sizes[0].channels // self.groups) * self.output.channels

    @property
    def nonzeros(self) -> int:
        """Number of weights that were not pruned."""
        return self.pruning.nonzeros(self.weights) if self.pruning else self.weights

    def stored_weight_bits(self, default_bits: int) -> int:
        """Bits of the weights as stored, indices of pruned ones included; default_bits: where the network says none."""
        bits = self.bits.weight or default_bits
        return self.pruning.stored_bits(self.weights, bits) if self.pruning else self.weights * bits

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image, zeros of padding and pruned weights included."""
        if self.op is Op.PRODUCT:
            return self.output.elements * (self.sizes[0].channels // self.groups)
        return self.weights * self.output.height * self.output.width

    @property
    def is_depthwise(self) -> bool:
        """Whether each group is one input channel with one filter."""
        return self.op is Op.CONV and self.groups == self.sizes[0].channels == self.output.channels and self.groups > 1

    @property
    def kind(self) -> str:
        """Label and kernel, as `--by type` groups layers."""
        has_kernel = self.label in ("conv", "gconv", "dwconv")
        return (
            f"{self.label} {self.window.vertical.kernel}x{self.window.horizontal.kernel}" if has_kernel else self.label
        )


@dataclass(frozen=True)
class Network:
    """Nodes in execution order.

    inputs: the maps that are given, by name. input_bits: of their elements; None is whatever the machine has.
    inferences: how many times over these nodes are the network, with inputs for each.
    """

    name: str
    source: str
    batch: int
    inputs: Mapping[str, Shape]
    nodes: tuple[Node, ...]
    input_bits: int | None = None
    inferences: int = 1

    @property
    def input(self) -> Shape:
        """The first of the maps that are given."""
        return self.inputs[INPUT]

    @cached_property
    def consumers(self) -> dict[str, list[Node]]:
        """The nodes that read each tensor."""
        found: dict[str, list[Node]] = {name: [] for name in (*self.inputs, *(node.name for node in self.nodes))}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                found[name].append(node)
        return found

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image."""
        return sum(node.macs for node in self.nodes)

    @property
    def weights(self) -> int:
        return sum(node.weights for node in self.nodes)

    @property
    def nonzeros(self) -> int:
        """Weights that were not pruned."""
        return sum(node.nonzeros for node in self.nodes)

    def stored_weight_bytes(self, default_bits: int = 8) -> int:
        """Bytes of all weights as stored, each layer's packed: what an update over the air would ship."""
        return sum(ceil_div(node.stored_weight_bits(default_bits), 8) for node in self.nodes)
