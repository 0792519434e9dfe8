"""A network: operations in execution order over NHWC feature maps, each consumed by any number of later ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from math import ceil

from accelsim.operators.form import Form
from accelsim.operators.shapes import Pooled, Shape, Window
from accelsim.operators.table import Operator
from accelsim.unit_kinds import UnitKind
from accelsim.units import ceil_div

INPUT = "input"


@dataclass(frozen=True, slots=True)
class DataBits:
    """Bits of a layer's weights, of the map it writes and of its partial sums; None is whatever the machine has."""

    weight: int | None = None
    output: int | None = None
    psum: int | None = None


class WeightKind(StrEnum):
    """Kind of weights: integers, or signs with (ternary) and without (binary) a zero."""

    INTEGER = "integer"
    BINARY = "binary"
    TERNARY = "ternary"


@dataclass(frozen=True, slots=True)
class Pruning:
    """The share of a layer's weights that is left, their form in memory, and what zeros save (nothing, gate, skip).

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
class Compression:
    """Form in DRAM of weights that are decoded on their way. ratio: of plain bits; None: as pruned."""

    ratio: Fraction | None


@dataclass(frozen=True, slots=True)
class Node(Form):
    """One operation.

    inputs: names of the nodes it reads (`input` is the network's), a shortcut the last; zeros: share of zeros in its
    map; weights_of: of an earlier inference, the layer whose weights these are; again: the layer of this one whose
    weights these are, stored and loaded again. before, after: operators done on the way of its input to the array, and
    of its results from it, in order; absorbed: whether it is done on such a way and has no map of its own; unit: the
    one that was chosen for it, where the machine leaves that open.
    """

    name: str
    op: Operator
    stage: str
    inputs: tuple[str, ...]
    activation: str = "none"
    bits: DataBits = DataBits()
    weight_kind: WeightKind = WeightKind.INTEGER
    pruning: Pruning | None = None
    compression: Compression | None = None
    zeros: float = 0.0
    weights_of: str = ""
    again: str = ""
    before: tuple[Node, ...] = ()
    after: tuple[Node, ...] = ()
    absorbed: bool = False
    unit: UnitKind | None = None

    @property
    def written_as(self) -> str:
        """Name that the network has for the map it writes: of the last operator on its way out, if there is one."""
        return self.after[-1].name if self.after else self.name

    @property
    def pool(self) -> Node | None:
        """The pool on the way of its results, if there is one."""
        return next((node for node in self.after if node.op.slides), None)

    @property
    def pooled(self) -> tuple[Pooled, Pooled]:
        """Rows and columns of the array's results that become outputs on their way."""
        pool = self.pool
        if pool is None:
            return Pooled(self.output.height), Pooled(self.output.width)
        return pool.pools

    @property
    def pools(self) -> tuple[Pooled, Pooled]:
        """Rows and columns that this pool makes outputs of, on the way of the results of another layer."""
        window, size = self.window, self.sizes[0]
        return Pooled.by(window.vertical, size.height), Pooled.by(window.horizontal, size.width)

    @property
    def waits(self) -> bool:
        """True where outputs of a pool on its way wait for results of the next rows or columns."""
        return self.pool is not None and any(each.waits for each in self.pooled)

    @property
    def array_output(self) -> Shape:
        """Results of the array, before any pooling on their way."""
        return self.output if self.pool is None else self.pool.sizes[0]

    @property
    def reach(self) -> Window:
        """The window of an output over the input, behind any pooling."""
        return self.window.of_several(self.pooled)

    @property
    def shortcut(self) -> str | None:
        """Map that is added to its results on their way out; None where none is."""
        return self.inputs[-1] if any(node.op.station == "add" for node in self.after) else None

    @property
    def map_inputs(self) -> tuple[str, ...]:
        """The maps that it works on from the activation buffer: the right one of a product is with the weights, and a
        shortcut with the results."""
        return self.inputs[:1] if self.op.on_array else tuple(dict.fromkeys(self.inputs))

    @property
    def reaches(self) -> tuple[tuple[str, Window], ...]:
        """The maps that it reads, each with the window of an output over it."""
        own = self.inputs if self.shortcut is None else self.inputs[:-1]
        beside = () if self.shortcut is None else ((self.shortcut, Window()),)
        return tuple(dict.fromkeys((*((name, self.reach) for name in own), *beside)))

    @property
    def weights_name(self) -> str:
        """Name of the layer that these weights are called by: of an earlier inference, where there was one."""
        return self.weights_of or self.name

    @property
    def weights(self) -> int:
        """Number of weights, pruned ones included; biases and folded batch norms are not counted."""
        if not self.op.weighted:
            return 0
        return self.window.elements * (self.sizes[0].channels // self.groups) * self.output.channels

    @property
    def own_weights(self) -> int:
        """Number of weights that no other layer has."""
        return 0 if self.again else self.weights

    @property
    def nonzeros(self) -> int:
        """Number of weights that were not pruned."""
        return self.pruning.nonzeros(self.weights) if self.pruning else self.weights

    def stored_weight_bits(self, default_bits: int) -> int:
        """Bits of the weights as stored, indices of pruned ones included; default_bits: where the network says none."""
        bits = self.bits.weight or default_bits
        if self.pruning is None or self.compression is not None:
            return self.weights * bits
        return self.pruning.stored_bits(self.weights, bits)

    def compressed_weight_bits(self, default_bits: int) -> int:
        """Bits of the weights where they lie compressed, which are no more than plain ones."""
        bits, plain = self.bits.weight or default_bits, self.stored_weight_bits(default_bits)
        if self.compression is None:
            return plain
        if self.compression.ratio is not None:
            return ceil(self.compression.ratio * plain)
        assert self.pruning is not None
        return min(plain, self.pruning.stored_bits(self.weights, bits))

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image, zeros of padding and pruned weights included."""
        if self.op.multiplies_maps:
            return self.output.elements * (self.sizes[0].channels // self.groups)
        return self.weights * self.output.height * self.output.width

    @property
    def is_depthwise(self) -> bool:
        """True where each group is one input channel with one filter."""
        return self.op.weighted and self.groups == self.sizes[0].channels == self.output.channels and self.groups > 1

    @property
    def kind(self) -> str:
        """Label and kernel, by which reports group layers."""
        has_kernel = self.label in ("conv", "gconv", "dwconv")
        return (
            f"{self.label} {self.window.vertical.kernel}x{self.window.horizontal.kernel}" if has_kernel else self.label
        )


@dataclass(frozen=True)
class Network:
    """Nodes in execution order.

    inputs: the maps that it reads, by name. input_bits: of their elements; None is whatever the machine has.
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
        """The first of the inputs."""
        return self.inputs[INPUT]

    @property
    def layers(self) -> int:
        """Nodes of one inference."""
        return len(self.nodes) // self.inferences

    @cached_property
    def consumers(self) -> dict[str, list[Node]]:
        """The nodes that read each tensor."""
        found: dict[str, list[Node]] = {name: [] for name in (*self.inputs, *(node.name for node in self.nodes))}
        for node in (node for node in self.nodes if not node.absorbed):
            for name in dict.fromkeys(node.inputs):
                found[name].append(node)
        return found

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image."""
        return sum(node.macs for node in self.nodes)

    @property
    def weights(self) -> int:
        return sum(node.own_weights for node in self.nodes)

    @property
    def nonzeros(self) -> int:
        """Weights that were not pruned."""
        return sum(node.nonzeros for node in self.nodes if not node.again)

    def stored_weight_bytes(self, default_bits: int = 8) -> int:
        """Bytes of all weights as stored, each layer's packed: what an update over the air would ship."""
        own = (node for node in self.nodes if not node.again)
        return sum(ceil_div(node.stored_weight_bits(default_bits), 8) for node in own)
