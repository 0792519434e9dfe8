"""The ways to shrink a network, as keys that any network file takes; `accelsim.network.transforms` applies them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from accelsim.config.schema import Bits, Name, Section

Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Density = Annotated[float, Field(ge=1e-6, le=1, allow_inf_nan=False)]
PsumBits = Annotated[int, Field(ge=8, le=64)]


class DataBits(Section):
    """Bits of values; what is left out is as the machine's `array.*_bits` say."""

    weight_bits: Bits | None = Field(default=None, description="bits of a weight")
    activation_bits: Bits | None = Field(default=None, description="bits of an element of the map that a layer writes")
    psum_bits: PsumBits | None = Field(default=None, description="bits of a partial sum")


class Quantize(DataBits):
    """Bits of the whole network, and of layers by name; `input` is the network's input map."""

    layers: dict[Name, DataBits] = Field(default_factory=dict, description="other bits of some layers, by name")


class Prune(Section):
    """Weights that are zero, and what comes of it."""

    density: Density = Field(1.0, description="share of the weights that is left, in layers not named below")
    layers: dict[Name, Density] = Field(default_factory=dict, description="share that is left, by layer")
    format: Literal["relative_index", "bitmap"] = Field(
        "relative_index", description="what is stored beside the values that are left"
    )
    index_bits: Annotated[int, Field(ge=1, le=16)] = Field(4, description="bits of a relative index")
    zeros: Literal["nothing", "gate", "skip"] = Field(
        "nothing", description="what zeros save on the array: nothing, the energy of their MACs, or their cycles too"
    )


class Compress(Section):
    """Weights that are stored losslessly compressed, for a DMA engine that decodes them on their way."""

    ratio: Share | None = Field(
        None, description="stored bits over plain ones, in layers not named below; null: those of the pruned form"
    )
    layers: dict[Name, Share] = Field(default_factory=dict, description="ratio, by layer")


Zeros = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]


class MapZeros(Section):
    """Zeros of feature maps, for a DMA engine that encodes them."""

    share: Zeros = Field(
        0.0, description="share of zeros in maps behind a ReLU, or a maximum of such, of layers not named below"
    )
    layers: dict[Name, Zeros] = Field(default_factory=dict, description="share of zeros in the map a layer writes")


class Binarize(Section):
    """Weights of one bit (+1, -1) or two (+1, 0, -1): a MAC only adds, or is an XNOR where maps have one bit too."""

    weights: Literal["binary", "ternary"] = Field(description="one bit, or two with a zero")
    keep_ends: bool = Field(True, description="the first and the last layer with weights stay as they are")


class Factors(Section):
    """Layers with weights, each replaced by two smaller ones."""

    dense: Literal["none", "low_rank"] | None = Field(default=None, description="fully connected and 1x1 layers")
    kernels: Literal["none", "spatial", "channel", "separable"] | None = Field(default=None, description="k x k layers")
    rank: Share | None = Field(
        default=None, description="channels in between, as a share of the smaller of input and output"
    )


class Factorize(Factors):
    """Factors of the whole network, and of layers by name. Without a rank it is 0.5."""

    layers: dict[Name, Factors] = Field(default_factory=dict, description="other factors of some layers, by name")
