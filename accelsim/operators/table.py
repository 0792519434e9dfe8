"""Operators, one row each: all that a network, the compiler and the reports know of one (docs/networks.md).

Its arithmetic is the other half, under the same name, in `accelsim.check.arithmetic`; nothing else names an operator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from accelsim.operators import moves
from accelsim.operators.access import (
    FOLDED,
    JOINED,
    PICKED,
    REARRANGED,
    REPEATED,
    SUMMED,
    Access,
)
from accelsim.operators.form import Form
from accelsim.operators.moves import whole_window
from accelsim.operators.shapes import (
    Axis,
    Parameters,
    Shape,
    ShapeError,
    Window,
    concatenated,
    multiplied,
    only,
    outputs,
    scaled,
    window_of,
)

Rule = Callable[[Sequence[Shape], Parameters], Form]
"""Sizes and parameters of a layer, from the sizes of its inputs. Raises ShapeError."""

Count = int | Callable[[Form], int]

GoesTo = Callable[[Form, int], Sequence[int]]
"""The channels of the output that those of an input become, from the input's number."""


class RunsOn(Enum):
    """Unit that an operator runs on: the PE array, the vector unit, or none for those that are addresses alone."""

    ARRAY = "array"
    VECTOR = "vector"
    ADDRESS = "address"


Station = Literal["scale", "function", "add", "max_pool", "avg_pool"]
"""A part of the ways into and out of the array, as machine files name them."""


@dataclass(frozen=True, slots=True, eq=False)
class Operator:
    """All that is known of an operator.

    row: which parameters its row has in a workload file (`accelsim.config.workload`); does: a phrase for the docs.
    operations: of the vector unit for each output element, without an activation behind it. weighted: whether it has
    weights. absorbs: what may be part of it: an `activation`, or one in the same `pass` that is an operation more; the
    `factors` of a batch norm or bias, or one factor for all (`scalar`). maps: inputs of equal size that a piece holds
    at once; factored: whether its second input is one factor for each channel; splits: whether some channels can be
    done without the others; slides: whether its inputs lie under a window that slides; sums_map: whether it sums a
    whole map, part by part; reads_all: whether it reads all channels of its input whichever it writes; access: which
    part of its inputs it reads for a part of its map, where that is neither the same part nor under a window. within:
    whether its map lies in that of its input; goes_to: of addresses, where inputs lie in its map. channels: of its map:
    those of its inputs, its own, their sum, a part of them, those of a product, or fixed by its row. listed: whether
    papers' tables have it as a row. station: part of the ways to and from the array that can do it, too.
    """

    name: str
    row: str
    does: str
    rule: Rule
    unit: RunsOn = RunsOn.VECTOR
    operations: Count = 1
    absorbs: frozenset[str] = frozenset()
    weighted: bool = False
    maps: int = 1
    factored: bool = False
    splits: bool = True
    slides: bool = False
    sums_map: bool = False
    reads_all: bool = False
    within: bool = False
    access: Access | None = None
    goes_to: GoesTo | None = None
    channels: Literal["same", "own", "sum", "part", "product", "fixed"] = "same"
    listed: bool = True
    station: Station | None = None

    @property
    def is_address(self) -> bool:
        """True where it changes nothing but where elements lie."""
        return self.unit is RunsOn.ADDRESS

    @property
    def on_array(self) -> bool:
        """True where it is a matrix product."""
        return self.unit is RunsOn.ARRAY

    @property
    def multiplies_maps(self) -> bool:
        """True where its right operand is a map and not weights."""
        return self.on_array and not self.weighted

    def access_of(self, form: Form) -> Access | None:
        """The way a layer reaches its inputs; None for the same part of each, or what is under a window."""
        return None if self.access is REPEATED and len(set(form.sizes)) == 1 else self.access

    def operations_per_element(self, form: Form) -> int:
        """Operations of the vector unit for one output element, without an activation behind it."""
        return self.operations(form) if callable(self.operations) else self.operations


def _weighted(sizes: Sequence[Shape], parameters: Parameters, window: Window, label: str = "") -> Form:
    """A convolution, or a product with weights. Raises ShapeError."""
    size, channels, groups = only(sizes), parameters["channels"], parameters.get("groups", 1)
    output = Shape(*outputs(size, window), channels)
    if size.channels % groups or channels % groups:
        raise ShapeError("groups", f"a divisor of {size.channels} and {channels} channels", groups, output)
    depthwise = groups == size.channels == channels and groups > 1
    label = label or ("dwconv" if depthwise else "gconv" if groups > 1 else "conv")
    return Form(sizes=(size,), output=output, window=window, groups=groups, label=label)


def _convolution(sizes: Sequence[Shape], parameters: Parameters) -> Form:
    return _weighted(sizes, parameters, window_of(parameters))


def _depthwise(sizes: Sequence[Shape], parameters: Parameters) -> Form:
    channels = only(sizes).channels
    return _weighted(sizes, {**parameters, "channels": channels, "groups": channels}, window_of(parameters))


def _whole_map(sizes: Sequence[Shape], parameters: Parameters) -> Form:
    size = only(sizes)
    return _weighted(sizes, parameters, whole_window(size), "fc")


def _each_pixel(sizes: Sequence[Shape], parameters: Parameters) -> Form:
    return _weighted(sizes, parameters, Window(), "matmul")


def _product(sizes: Sequence[Shape], parameters: Parameters) -> Form:
    groups, transposed = parameters.get("groups", 1), parameters.get("transposed", False)
    output = multiplied(sizes, groups, transposed=transposed)
    return Form(sizes=tuple(sizes), output=output, groups=groups, transposed=transposed)


def _pool(sizes: Sequence[Shape], parameters: Parameters) -> Form:
    size, window = only(sizes), window_of(parameters)
    output = Shape(*outputs(size, window, ceil=parameters.get("ceil", False)), size.channels)
    return Form(sizes=(size,), output=output, window=window)


def _global_pool(sizes: Sequence[Shape], parameters: Parameters) -> Form:
    del parameters
    size = only(sizes)
    return Form(sizes=(size,), output=Shape(1, 1, size.channels), window=whole_window(size))


def _each_alone(sizes: Sequence[Shape], parameters: Parameters) -> Form:
    del parameters
    return Form(sizes=(only(sizes),), output=only(sizes))


def _factored(sizes: Sequence[Shape], parameters: Parameters) -> Form:
    del parameters
    return Form(sizes=tuple(sizes), output=scaled(sizes))


def _concat(sizes: Sequence[Shape], parameters: Parameters) -> Form:
    if parameters.get("activation", "none") != "none":
        raise ShapeError("activation", "none: a concat is only addresses", parameters["activation"])
    return Form(sizes=tuple(sizes), output=concatenated(sizes))


def _in_groups(sizes: Sequence[Shape], parameters: Parameters) -> Form:
    size, groups = only(sizes), parameters.get("groups", 1)
    if size.channels % groups:
        raise ShapeError("groups", f"a divisor of {size.channels} channels", groups, size)
    return Form(sizes=(size,), output=size, groups=groups)


def _slice(sizes: Sequence[Shape], parameters: Parameters) -> Form:
    size, first, channels = only(sizes), parameters.get("first", 0), parameters["channels"]
    output = Shape(size.height, size.width, channels)
    if first + channels > size.channels:
        expected = f"at most {size.channels}, those of the input, from the first one on"
        raise ShapeError("channels", expected, first + channels, output)
    return Form(sizes=(size,), output=output, first_channel=first)


def _subsample_pad(sizes: Sequence[Shape], parameters: Parameters) -> Form:
    size, channels = only(sizes), parameters["channels"]
    if channels < size.channels:
        raise ShapeError("channels", f"at least the {size.channels} of the input", channels)
    step = Axis(stride=parameters.get("stride", 1))
    output = Shape(*outputs(size, Window(step, step)), channels)
    return Form(sizes=(size,), output=output, window=Window(step, step))


def _lrn(sizes: Sequence[Shape], parameters: Parameters) -> Form:
    return Form(sizes=(only(sizes),), output=only(sizes), channel_window=parameters.get("size", 5))


def _one_after_the_other(form: Form, position: int) -> Sequence[int]:
    offset = sum(size.channels for size in form.sizes[:position])
    return range(offset, offset + form.sizes[position].channels)


def _interleaved(form: Form, position: int) -> Sequence[int]:
    """The places that a channel shuffle puts channels in: i*n + j goes to j*groups + i."""
    del position
    each = form.output.channels // form.groups
    return [place * form.groups + group for group in range(form.groups) for place in range(each)]


def _window_elements(form: Form) -> int:
    return form.window.elements


LRN_OPS_BESIDE_WINDOW = 3
"""Scale, power, multiply (assumed), beside a square-and-add for each channel of the window."""


def _lrn_operations(form: Form) -> int:
    return form.channel_window + LRN_OPS_BESIDE_WINDOW


_LAYER = frozenset({"activation", "factors", "scalar"})
_SUM = frozenset({"activation"})
_PRODUCT = frozenset({"activation", "scalar"})
_NORM = frozenset({"pass", "factors", "scalar"})


def _with_weights(name: str, row: str, does: str, rule: Rule) -> Operator:
    return Operator(
        name, row, does, rule, RunsOn.ARRAY, _window_elements, _LAYER, weighted=True, slides=True, channels="own"
    )


def _pooling(name: str, does: str, station: Station) -> Operator:
    return Operator(name, "pool", does, _pool, operations=_window_elements, slides=True, station=station)


def _two_maps(name: str, does: str, operations: Count) -> Operator:
    return Operator(name, "simple", does, moves.repeated, operations=operations, maps=2, access=REPEATED)


def _moves(name: str, does: str, rule: Rule, access: Access, operations: Count = 1, row: str = "") -> Operator:
    return Operator(name, row or name, does, rule, operations=operations, access=access, channels="fixed")


def _function(name: str, does: str, operations: Count, station: Station = "function") -> Operator:
    return Operator(name, "simple", does, _each_alone, operations=operations, listed=False, station=station)


def _over_channels(name: str, row: str, does: str, operations: Count, rule: Rule) -> Operator:
    return Operator(name, row, does, rule, operations=operations, splits=False, listed=False)


_ROWS = (
    _with_weights("conv", "conv", "a convolution", _convolution),
    _with_weights("dwconv", "depthwise", "a filter for each channel", _depthwise),
    _with_weights("fc", "dense", "weights for the whole map as one vector", _whole_map),
    _with_weights("matmul", "dense", "weights for each pixel", _each_pixel),
    Operator(
        "product", "product", "a matrix product of two maps", _product, RunsOn.ARRAY, absorbs=_PRODUCT,
        channels="product",
    ),
    _pooling("maxpool", "the largest under a window", "max_pool"),
    _pooling("avgpool", "the mean under a window", "avg_pool"),
    Operator("gap", "simple", "the mean of each channel", _global_pool, operations=_window_elements, sums_map=True),
    Operator("add", "simple", "two maps added", moves.repeated, absorbs=_SUM, maps=2, access=REPEATED, station="add"),
    _two_maps("mul", "two maps multiplied", 1),
    Operator(
        "concat", "simple", "maps side by side, channel after channel", _concat, RunsOn.ADDRESS,
        goes_to=_one_after_the_other, channels="sum",
    ),
    Operator("shuffle", "shuffle", "channels of groups interleaved", _in_groups, RunsOn.ADDRESS, goes_to=_interleaved),
    Operator("slice", "slice", "some channels, where they lie", _slice, RunsOn.ADDRESS, within=True, channels="part"),
    Operator("scale", "simple", "a map times one factor for each channel", _factored, factored=True),
    _function("sigmoid", "a sigmoid", 4),
    _function("hardswish", "a hard swish", 4),
    _function("gelu", "a GELU", 5),
    _over_channels("softmax", "grouped", "a softmax over the channels of each group", 5, _in_groups),
    _over_channels("layernorm", "grouped", "a layer norm over the channels of each group", 5, _in_groups),
    _over_channels("running_sum", "grouped", "sums of the channels of each group, from the first on", 1, _in_groups),
    _over_channels("sort", "grouped", "the channels of each group in order", moves.comparisons, _in_groups),
    _over_channels("lrn", "lrn", "local response normalisation", _lrn_operations, _lrn),
    Operator(
        "bn", "simple", "a factor and an offset for each channel", _each_alone, operations=2, absorbs=_NORM,
        listed=False, station="scale",
    ),
    _function("relu", "a ReLU on its own", 1, "scale"),
    _function("prelu", "a ReLU with a slope for what is below 0", 2, "scale"),
    _function("tanh", "a hyperbolic tangent", 4),
    _function("hardsigmoid", "a line between two bounds", 3),
    _function("silu", "a map times its sigmoid", 5),
    _function("elu", "an exponential below 0", 5),
    _function("function", "another function of each element: exponential, logarithm, root, power", 4),
    _function("step", "a cheap function of each element: sign, magnitude, rounding, bounds", 1),
    _two_maps("sub", "one map less another", 1),
    _two_maps("div", "one map over another", 4),
    _two_maps("max", "the larger of two maps", 1),
    _two_maps("min", "the smaller of two maps", 1),
    _two_maps("pow", "one map to the power of another", 5),
    _two_maps("compare", "two maps compared", 1),
    Operator("select", "simple", "two maps chosen from by a third", moves.three_repeated, maps=3, access=REPEATED),
    _moves("reduce_sum", "the sum, or mean, of the channels of each group", moves.summed, SUMMED,
           moves.group_elements, "grouped"),
    _moves("reduce_max", "the largest, or smallest, of the channels of each group", moves.summed, SUMMED,
           moves.group_elements, "grouped"),
    _moves("crop", "a part of a map in steps, beyond its edges zeros or what is inside", moves.cropped, PICKED),
    _moves("resize", "a map of another height and width", moves.resized, PICKED, moves.mixed_elements),
    _moves("join", "maps one behind the other, as tokens", moves.joined, JOINED),
    _moves("fold", "patches laid over each other and added up", moves.folded, FOLDED, moves.overlapping_patches),
    _moves("rearrange", "elements in another order", moves.rearranged, REARRANGED),
    Operator(
        "subsample_pad", "subsample", "every `stride`-th pixel, channels filled up with zeros", _subsample_pad,
        splits=False, reads_all=True, channels="own",
    ),
)  # fmt: skip

OPERATORS: dict[str, Operator] = {row.name: row for row in _ROWS}
"""By name.

Operations of the vector unit: a batch norm multiplies and adds; a copy passes each element once. Those of functions are
assumed: sigmoid a piecewise polynomial of second order (two multiply-adds, range check, select), softmax a maximum,
that exponential and a sum; hard swish an add, a clamp and two multiplies; GELU such a polynomial and a multiply; layer
normalisation a sum, a difference, its square, a factor, and a factor with an offset. A sort compares each element as
often as merging does (Knuth, The Art of Computer Programming 3, section 5.2.4), whatever is then left out.
"""


def names_with(row: str) -> tuple[str, ...]:
    """The operators whose rows have these parameters."""
    return tuple(name for name, operator in OPERATORS.items() if operator.row == row)
