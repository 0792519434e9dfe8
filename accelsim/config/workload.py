"""Schema of a workload file: a network as a list of rows, each a layer or a named block of layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Discriminator, Field, Tag

from accelsim.config.schema import Count, Name, Section
from accelsim.config.transforms import Binarize, Compress, Factorize, MapZeros, Prune, Quantize
from accelsim.operators.table import names_with

MAX_EXTENT = 1 << 20
Size = Annotated[int, Field(gt=0, le=MAX_EXTENT)]
Padding = Annotated[int, Field(ge=0, le=1 << 12)]
_NUMBER_OR_LIST = Discriminator(lambda value: "list" if isinstance(value, list) else "number")
Pair = Annotated[
    Annotated[Size, Tag("number")] | Annotated[list[Size], Field(min_length=2, max_length=2), Tag("list")],
    _NUMBER_OR_LIST,
]
Sides = Annotated[
    Annotated[Padding, Tag("number")] | Annotated[list[Padding], Field(min_length=4, max_length=4), Tag("list")],
    _NUMBER_OR_LIST,
]
Activation = Literal["none", "relu", "relu6"]
if TYPE_CHECKING:
    ConvOp: TypeAlias = str
    DepthwiseOp: TypeAlias = str
    DenseOp: TypeAlias = str
    PoolOp: TypeAlias = str
    SimpleOp: TypeAlias = str
    GroupedOp: TypeAlias = str
    ProductOp: TypeAlias = str
    LrnOp: TypeAlias = str
    ShuffleOp: TypeAlias = str
    SliceOp: TypeAlias = str
    SubsampleOp: TypeAlias = str
    CropOp: TypeAlias = str
    ResizeOp: TypeAlias = str
    JoinOp: TypeAlias = str
    FoldOp: TypeAlias = str
    RearrangeOp: TypeAlias = str
else:
    ConvOp = Literal[names_with("conv")]
    DepthwiseOp = Literal[names_with("depthwise")]
    DenseOp = Literal[names_with("dense")]
    PoolOp = Literal[names_with("pool")]
    SimpleOp = Literal[names_with("simple")]
    GroupedOp = Literal[names_with("grouped")]
    ProductOp = Literal[names_with("product")]
    LrnOp = Literal[names_with("lrn")]
    ShuffleOp = Literal[names_with("shuffle")]
    SliceOp = Literal[names_with("slice")]
    SubsampleOp = Literal[names_with("subsample")]
    CropOp = Literal[names_with("crop")]
    ResizeOp = Literal[names_with("resize")]
    JoinOp = Literal[names_with("join")]
    FoldOp = Literal[names_with("fold")]
    RearrangeOp = Literal[names_with("rearrange")]

WidthMultiplier = Annotated[float, Field(gt=0, le=16, allow_inf_nan=False)]
Height = Annotated[Size, Field(description="rows of pixels")]
Width = Annotated[Size, Field(description="columns of pixels")]
Channels = Annotated[Size, Field(description="channels")]
Fused = Annotated[Activation, Field(description="what is done to each result")]
Groups = Annotated[Size, Field(description="groups of channels, each by itself")]


class Input(Section):
    """Size of an input image."""

    height: Height
    width: Width
    channels: Size = Field(description="channels, such as 3 of an image in colour")


class Row(Section):
    """Keys of all rows. `inputs` are names of earlier rows, or `input`; by default the row before."""

    name: Name = Field(description="name of the layer, once in a network")
    stage: Name | None = Field(None, description="group in reports; by default the part of the name before _")
    inputs: Annotated[list[Name], Field(min_length=1, max_length=1000)] | None = Field(
        None, description="earlier rows, or `input`; null: the row before"
    )


class InputRow(Section):
    """Another map that is given, beside the network's input; by default the row behind it reads it."""

    name: Name = Field(description="name of the map")
    op: Literal["input"] = Field(description="kind of the row")
    height: Height
    width: Width
    channels: Channels


class Windowed(Row):
    """A row with a sliding window. Pairs are [height, width], sides [top, left, bottom, right]."""

    kernel: Pair = Field(description="size of the window, pixels")
    stride: Pair = Field(1, description="pixels from one window to the next")
    pad: Sides = Field(0, description="rows and columns of zeros around the map")
    dilation: Pair = Field(1, description="pixels from one tap of the window to the next")


class ConvRow(Windowed):
    """Convolution; `groups` equal to the channels on both sides makes it depthwise."""

    op: ConvOp = Field(description="kind of the row")
    channels: Size = Field(description="output channels")
    groups: Groups = 1
    activation: Fused = "none"


class DepthwiseRow(Windowed):
    """Depthwise convolution: a filter for each channel."""

    op: DepthwiseOp = Field(description="kind of the row")
    activation: Fused = "none"


class DenseRow(Row):
    """`fc` takes the whole map as one vector, `matmul` each of its pixels."""

    op: DenseOp = Field(description="kind of the row")
    channels: Size = Field(description="output channels")
    groups: Groups = 1
    activation: Fused = "none"
    weights: Name | None = Field(None, description="earlier row whose weights these are: loaded again, counted once")


class PoolRow(Windowed):
    """Pooling; `ceil` keeps a last, partial window."""

    op: PoolOp = Field(description="kind of the row")
    ceil: bool = Field(False, description="a last, partial window counts")


class SimpleRow(Row):
    """Operations without parameters of their own."""

    op: SimpleOp = Field(description="kind of the row")
    activation: Fused = "none"


class GroupedRow(Row):
    """A softmax, norm or sum over the channels of each pixel, those of each group by themselves."""

    op: GroupedOp = Field(description="kind of the row")
    groups: Groups = 1


class ProductRow(Row):
    """Matrix product of two maps in each group of channels (the heads of attention), pixels in row order being tokens.

    The left map is M tokens of `groups` x K channels. The right one is K tokens of `groups` x N channels or, where
    `transposed`, N tokens of `groups` x K; the result is M tokens of `groups` x N channels.
    """

    op: ProductOp = Field(description="kind of the row")
    groups: Size = Field(1, description="products side by side, such as heads of attention")
    transposed: bool = Field(False, description="the right map is taken transposed")
    activation: Fused = "none"


class LrnRow(Row):
    """Local response normalisation over `size` neighbouring channels."""

    op: LrnOp = Field(description="kind of the row")
    size: Size = Field(5, description="channels of the window")


class ShuffleRow(Row):
    """Channel shuffle: channel i*n + j of `groups` x n goes to j*groups + i."""

    op: ShuffleOp = Field(description="kind of the row")
    groups: Groups


class SliceRow(Row):
    """Some channels of a map, where they lie: nothing is moved."""

    op: SliceOp = Field(description="kind of the row")
    first: Annotated[int, Field(ge=0, le=MAX_EXTENT)] = Field(0, description="channel that becomes number 0")
    channels: Channels


class SubsampleRow(Row):
    """Every `stride`-th pixel, with zeros in the channels that the input does not have (ResNet's option A)."""

    op: SubsampleOp = Field(description="kind of the row")
    channels: Size = Field(description="output channels")
    stride: Size = Field(1, description="pixels from one that is taken to the next")


Offset = Annotated[int, Field(ge=-MAX_EXTENT, le=MAX_EXTENT)]
Offsets = Annotated[list[Offset], Field(min_length=3, max_length=3)]
Position = Annotated[list[Annotated[int, Field(ge=-(1 << 42), le=1 << 42)]], Field(min_length=3, max_length=3)]
Factors = Annotated[list[Size], Field(min_length=1, max_length=32)]


class CropRow(Row):
    """A part of a map: output (row, column, channel) x `step` + `first`.

    Beyond the edges there are zeros, or what the border says: the edge itself, or what is as far inside.
    """

    op: CropOp = Field(description="kind of the row")
    height: Height
    width: Width
    channels: Channels
    first: Offsets = Field(default_factory=lambda: [0, 0, 0], description="row, column and channel")
    step: Offsets = Field(default_factory=lambda: [1, 1, 1], description="rows, columns and channels")
    border: Literal["zeros", "edge", "reflect"] = Field("zeros", description="what lies beyond the edges")


class ResizeRow(Row):
    """A map of another size, of the nearest elements or of 2 x 2, or 4 x 4, mixed.

    `rows` and `cols` are [step, first, per]: an output lies at (output x step + first) / per. By default pixels are
    squares side by side.
    """

    op: ResizeOp = Field(description="kind of the row")
    height: Height
    width: Width
    mode: Literal["nearest", "linear", "cubic"] = Field(
        "nearest", description="one element, a mean of 2 x 2, or one of 4 x 4"
    )
    rows: Position | None = Field(None, description="[step, first, per] of rows; null: evenly")
    cols: Position | None = Field(None, description="[step, first, per] of columns; null: evenly")


class JoinRow(Row):
    """Maps one behind the other; elements are moved."""

    op: JoinOp = Field(description="kind of the row")
    axis: Literal["height", "width", "channels"] = Field("height", description="direction in which maps are joined")


class FoldRow(Windowed):
    """Patches of `kernel` laid over each other, `stride` apart, and added up; `pad` is cut off.

    Channel c of the output has channels c x taps and on of the input. Behind a 1x1 convolution it is a transposed one.
    """

    op: FoldOp = Field(description="kind of the row")
    output_padding: Annotated[list[Padding], Field(min_length=2, max_length=2)] | Padding = Field(
        0, description="rows and columns added at the bottom and on the right"
    )


class RearrangeRow(Row):
    """The same elements in another order: height, width and channels in factors, these exchanged, and joined again."""

    op: RearrangeOp = Field(description="kind of the row")
    split: Factors = Field(description="factors of the input's extents, outermost first")
    order: Annotated[list[Annotated[int, Field(ge=0, le=31)]], Field(min_length=1, max_length=32)] = Field(
        description="numbers of factors, as they are in the output"
    )
    height: Height
    width: Width
    channels: Channels


class ShuffleNetUnitRow(Row):
    """`repeat` ShuffleNet units (Zhang et al. 2018, Fig. 2); those of stride 2 pool and concatenate, the others add."""

    op: Literal["shufflenet_unit"] = Field(description="kind of the row")
    channels: Size = Field(description="output channels")
    stride: Literal[1, 2] = Field(description="stride of the first unit's depthwise layer")
    groups: Groups
    repeat: Size = Field(1, description="units one behind the other")
    first: Size = Field(1, description="number of the first unit, for names")
    group_entry: bool = Field(True, description="whether the first 1x1 convolution is grouped")
    shuffle: bool = Field(True, description="whether channels are shuffled")
    se: bool = Field(False, description="squeeze-and-excitation on the unit's branch, or on its concatenation")


class RepeatedRow(Row):
    """Rows that are repeated; the names of the layers are those of this row, a number, and those of its rows.

    Among them the name of a row means that of the same repetition, and `above` the map that enters it.
    """

    layers: Annotated[list[AnyRow], Field(min_length=1, max_length=1000)] = Field(description="rows that are repeated")


class BlockRow(RepeatedRow):
    """Repetitions one behind the other: each enters the next."""

    op: Literal["block"] = Field(description="kind of the row")
    times: Size = Field(1, description="repetitions")


class PathsRow(RepeatedRow):
    """Repetitions side by side, which the same map enters; what leaves them is added up, or concatenated in order.

    The result has the name of this row.
    """

    op: Literal["paths"] = Field(description="kind of the row")
    times: Annotated[Size, Field(ge=2)] = Field(description="repetitions")
    join: Literal["add", "concat"] = Field(description="how the results are joined")


AnyRow = Annotated[
    ConvRow
    | DepthwiseRow
    | DenseRow
    | PoolRow
    | SimpleRow
    | GroupedRow
    | ProductRow
    | LrnRow
    | ShuffleRow
    | SliceRow
    | SubsampleRow
    | CropRow
    | ResizeRow
    | JoinRow
    | FoldRow
    | RearrangeRow
    | ShuffleNetUnitRow
    | BlockRow
    | PathsRow,
    Field(discriminator="op"),
]


class Expectation(Section):
    """Cost of the network for one image, as its source says; loading checks it."""

    macs: Count = Field(description="multiply-accumulates of an image")
    weights: Count = Field(description="weights, without biases")
    source: str = Field(description="where the figures are from")


Percent = Annotated[float, Field(ge=0, le=100)]


def _visible_text(text: str) -> str:
    if not text.strip():
        raise ValueError("some text")
    return text


Text = Annotated[str, Field(max_length=1000), AfterValidator(_visible_text)]


class Accuracy(Section):
    """Accuracy of the trained network: a figure from elsewhere, nothing is computed from it.

    kind: how it was measured, such as `single crop`.
    """

    top1_pct: Percent = Field(description="images whose first guess is right")
    top5_pct: Percent | None = Field(None, description="images with the right class among five guesses")
    kind: Text = Field(description="how it was measured, such as `single crop`")
    source: Text = Field(description="where the figures are from")


class NetworkFile(Section):
    """Keys of every network file. The ways to shrink a network are applied in the order of their keys.

    width: multiplier of all channels but those of the input and of the last layer with weights.
    """

    name: Name = Field(description="name in tables and pictures")
    description: str = Field("", description="a sentence for readers")
    source: str = Field(description="where the network is from")
    batch: Annotated[int, Field(gt=0, le=1 << 16)] = Field(1, description="images that run together")
    expect: Expectation | None = Field(None, description="cost by the source; loading checks it")
    accuracy: Accuracy | None = Field(None, description="published accuracy")
    width: WidthMultiplier = Field(1.0, description="multiplier of channels, but the input's and the last layer's")
    factorize: Factorize | None = Field(None, description="layers replaced by two smaller ones")
    quantize: Quantize | None = Field(None, description="bits of weights and maps")
    binarize: Binarize | None = Field(None, description="weights of one or two bits")
    prune: Prune | None = Field(None, description="weights that are zero")
    compress: Compress | None = Field(None, description="weights compressed losslessly in DRAM")
    map_zeros: MapZeros | None = Field(None, description="zeros of feature maps")
    unmodelled: Annotated[list[Text], Field(max_length=20_000)] = Field(
        default_factory=list, description="operations of an imported model that are left out of all figures"
    )


class Workload(NetworkFile):
    """A network as a list of rows. resolution: side of a square input, in the place of the input's own size."""

    resolution: Size | None = Field(None, description="side of a square input; null: as `input` says")
    input: Input = Field(description="size of an input image")
    layers: Annotated[
        list[Annotated[InputRow | AnyRow, Field(discriminator="op")]], Field(min_length=1, max_length=10_000)
    ] = Field(description="rows, in order")
