"""An operator as a layer has it: the maps it reads, the one it writes, and its parameters."""

from __future__ import annotations

from dataclasses import dataclass

from accelsim.operators.shapes import Shape, Window

ONE_PIXEL = Window()


@dataclass(frozen=True, slots=True)
class Pick:
    """The elements of an axis that an output takes: the first is (output x step + first) / per, rounded down."""

    step: int = 1
    first: int = 0
    per: int = 1
    taps: int = 1

    def at(self, output: int) -> int:
        """The first of them."""
        return (output * self.step + self.first) // self.per


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """Sizes and parameters.

    label: what the layer is called in tables where the operator's name says less (`gconv`); channel_window: channels an
    LRN looks at; groups: of a softmax, ranges of channels that are normalised by themselves; transposed: of a product,
    its right map; first_channel: of its input that a slice has; picks, border: which elements a crop or resize takes,
    and what is beyond the edges; split, order: factors of the extents that a rearrangement exchanges; axis: along which
    maps are joined.
    """

    sizes: tuple[Shape, ...]
    output: Shape
    window: Window = ONE_PIXEL
    groups: int = 1
    label: str = ""
    channel_window: int = 1
    transposed: bool = False
    first_channel: int = 0
    picks: tuple[Pick, ...] = ()
    border: str = "zeros"
    split: tuple[int, ...] = ()
    order: tuple[int, ...] = ()
    axis: int = 0
