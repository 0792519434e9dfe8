"""Schema of a given plan: choices that the compiler is not free to make (docs/mapping.md)."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, PrivateAttr

from accelsim.config.schema import Count, Positive, Section
from accelsim.config.strict_yaml import Document, KeyPath, Origin
from accelsim.dataflows import DataflowName
from accelsim.errors import ARGUMENTS, Mistake

Loop = Literal["groups", "map", "outputs", "inputs"]
"""A loop over the tiles of a layer; the map is that of the output, inputs are input channels."""

Order = tuple[Loop, Loop, Loop, Loop]
"""Loops over the tiles of a layer, outermost first."""

Results = Literal["together", "apart"]
"""Time at which results of a piece of the map leave: all channels at once, or each tile by itself."""

MOST_ENTRIES = 4096
"""Entries of a list of a plan."""

_Pattern = Annotated[str, Field(min_length=1, max_length=200)]


class TileSizes(Section):
    """Sizes of the tiles of a layer; of a smaller extent all of it. Those left out are the compiler's."""

    images: Positive | None = Field(default=None, description="output images")
    rows: Positive | None = Field(default=None, description="output rows")
    columns: Positive | None = Field(default=None, description="output columns")
    groups: Positive | None = Field(default=None, description="groups of a grouped convolution")
    outputs: Positive | None = Field(default=None, description="output channels of a group")
    inputs: Positive | None = Field(default=None, description="input channels of a group")
    kernel: Positive | None = Field(
        default=None, description="kernel positions: whole rows of the kernel, or an equal part of each row"
    )


class TileSets(Section):
    """Tiles of an operand that stay on chip at once, at most; where the inner loops go through more, one stays, or as
    many of the map as make a band."""

    inputs: Positive | None = Field(
        default=None,
        description="tiles of the input map; with `map` inside of `outputs`, those of a band of its pieces stay while "
        "all weights pass, and then those of the next",
    )
    weights: Positive | None = Field(default=None, description="tiles of the weights")


def _each_once(order: list[Loop]) -> list[Loop]:
    if sorted(order) != sorted(get_args(Loop)):
        raise ValueError(f"each of {', '.join(get_args(Loop))} once, got {', '.join(order) or 'none'}")
    return order


class LayerPlan(Section):
    """Tiling of the layers of a name, or of a pattern of names. Where several match, the last to have a key has
    it."""

    match: _Pattern = Field(description="a layer, or a pattern of names with `*`, `?` and `[abc]`")
    dataflow: DataflowName | None = Field(default=None, description="on the array")
    tile: TileSizes = Field(TileSizes(), description="sizes of the tiles")
    order: Annotated[list[Loop], AfterValidator(_each_once)] | None = Field(
        default=None,
        description="loops over the tiles, outermost first: `groups`, `map`, `outputs`, `inputs`, in six orders",
    )
    results: Results | None = Field(
        default=None,
        description="results of a piece of the map leave `together`, those of all channels at once, or `apart`, tile "
        "by tile",
    )
    stay: TileSets = Field(
        TileSets(),
        description="tiles of an operand on chip at once at most; where the inner loops have more, one stays or a band",
    )


class KeptMap(Section):
    """Feature maps that stay on chip, from the layer that makes them to the last one that reads them."""

    match: _Pattern = Field(description="the layer that makes it, or a pattern of names")
    channels: Positive | None = Field(default=None, description="the leading channels only, in whole bursts of a pixel")
    address: Count | None = Field(default=None, description="in the activation buffer; the compiler's where left out")


class Plan(Section):
    """A plan, or part of one: what it leaves open the compiler chooses."""

    images: Positive | None = Field(
        default=None, description="images of the batch that run through the network together, before the next ones"
    )
    activation_bytes: Positive | None = Field(
        default=None, description="part of a unified memory that is for feature maps; the rest is for weights"
    )
    scatter: bool | None = Field(
        default=None, description="stores write the channels of a shuffle apart; false: shuffles are copies"
    )
    layers: Annotated[list[LayerPlan], Field(max_length=MOST_ENTRIES)] = Field(
        default=[], description="tile sizes, loop order and dataflow"
    )
    groups: Annotated[list[Annotated[list[_Pattern], Field(min_length=2)]], Field(max_length=MOST_ENTRIES)] = Field(
        default=[], description="layers that run depth-first together, by name; `fusion: never` for no others"
    )
    keep: Annotated[list[KeptMap], Field(max_length=MOST_ENTRIES)] = Field(
        default=[], description="feature maps that stay on chip; `keep_activations: never` for no others"
    )
    keep_weights: Annotated[list[_Pattern], Field(max_length=MOST_ENTRIES)] | None = Field(
        default=None, description="layers whose weights stay from one inference to the next, and no others"
    )
    _document: Document = PrivateAttr(Document({}, {(): Origin(ARGUMENTS, 0, ("scheduling",))}))
    _path: KeyPath = PrivateAttr(("plan",))

    def written_in(self, document: Document, path: KeyPath) -> None:
        """Note the document that has the plan at a path, for messages."""
        self._document, self._path = document, path

    def mistake(self, path: KeyPath, expected: str, got: str) -> Mistake:
        """A mistake at a key of the plan."""
        return self._document.mistake((*self._path, *path), expected, got)
