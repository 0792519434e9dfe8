"""The right map of a product, which is in the place of weights."""

from __future__ import annotations

from dataclasses import dataclass

from accelsim.config.plan import Loop
from accelsim.network.graph import Node
from accelsim.program.tensors import Tensor


@dataclass(frozen=True, slots=True)
class RightMap:
    """The right map of a product: pixels, channels of its tensor, and the loop over its pixels."""

    pixels: int
    channels: int
    pixels_are: Loop

    @classmethod
    def of(cls, node: Node, tensor: Tensor) -> RightMap:
        """The right map of a node that multiplies two maps, in the tensor that it lies in."""
        size = node.sizes[1]
        over: Loop = "outputs" if node.transposed else "inputs"
        return cls(size.height * size.width, tensor.dims[3], over)
