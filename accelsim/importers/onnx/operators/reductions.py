"""Operators over some dimensions: sums and the like, softmax, norms."""

from __future__ import annotations

from dataclasses import replace

from accelsim.importers.onnx.constants import integers
from accelsim.importers.onnx.operators.elementwise import combined
from accelsim.importers.onnx.operators.node import Call, listed, operator
from accelsim.importers.onnx.operators.parts import taken_part
from accelsim.importers.onnx.shapes import normalised, reduced_axes
from accelsim.importers.onnx.tensors import Atom, Dim, FeatureMap, Tensor, UnmodelledError, extent

LARGEST = ("ReduceMax", "ReduceMin")


@operator(
    "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum",
    "ReduceLogSumExp", "ReduceProd",
)  # fmt: skip
def reduce(call: Call) -> list[Tensor]:
    """The mean, sum, largest or the like over some dimensions."""
    source = call.map()
    axes = reduced_axes(source.shape, call.inputs[1:], call.attributes)
    keep = bool(call.attributes.integer("keepdims", 1))
    return [reduced(call, source, axes, keep=keep, largest=call.op in LARGEST)]


@operator("ArgMax", "ArgMin")
def arg_max(call: Call) -> list[Tensor]:
    """The place of the largest along a dimension."""
    source = call.map()
    axis = call.axis(0, len(source.dims))
    return [reduced(call, source, [axis], keep=bool(call.attributes.integer("keepdims", 1)), largest=True)]


def reduced(call: Call, source: FeatureMap, axes: list[int], *, keep: bool, largest: bool) -> FeatureMap:
    """A row, or two, that leave one element of these dimensions. Raises UnmodelledError."""
    gone = tuple(atom for place in axes for atom in source.dims[place])
    if source.batch is not None and source.batch in gone:
        raise UnmodelledError("a sum over a map, not over images", axes)
    there = [atom for atom in gone if atom not in source.repeated]
    dims = tuple(() if place in axes else dim for place, dim in enumerate(source.dims) if keep or place not in axes)
    made = source
    if there:
        made = _without(call, source, set(there), largest=largest)
    return replace(made, dims=dims, repeated=made.repeated - set(gone), bits=None)


def _without(call: Call, source: FeatureMap, gone: set[Atom], *, largest: bool) -> FeatureMap:
    """Rows and columns first, as a pool does; then channels of groups. Neither is moved to the other."""
    axes = source.axes
    if not all(set(axis) <= gone or not set(axis) & gone for axis in (axes.rows, axes.cols)):
        over, beside = (tuple(atom for atom in axes.pixels if (atom in gone) is which) for which in (True, False))
        source = call.importing.ordered(source, over, beside, axes.channels)
    if set(axes.pixels) & gone:
        source = _over_pixels(call, source, gone, largest=largest)
    axes = source.axes
    kept, over = (tuple(atom for atom in axes.channels if (atom in gone) is which) for which in (False, True))
    if not over:
        return source
    if axes.channels[: len(kept)] != kept:
        source = call.importing.ordered(source, axes.rows, axes.cols, (*kept, *over))
    after = replace(axes, channels=kept)
    op = "reduce_max" if largest else "reduce_sum"
    row = call.importing.row(op, [source.row], after.extents, **listed(groups=extent(kept)))
    return replace(source, row=row, axes=after)


def _over_pixels(call: Call, source: FeatureMap, gone: set[Atom], *, largest: bool) -> FeatureMap:
    axes = source.axes
    rows = () if set(axes.rows) <= gone else axes.rows
    cols = () if set(axes.cols) <= gone else axes.cols
    after = replace(axes, rows=rows, cols=cols)
    if not rows and not cols and not largest:
        return replace(source, row=call.importing.row("gap", [source.row], after.extents), axes=after)
    kernel = [extent(axes.rows) if not rows else 1, extent(axes.cols) if not cols else 1]
    op = "maxpool" if largest else "avgpool"
    row = call.importing.row(op, [source.row], after.extents, **listed(kernel=kernel))
    return replace(source, row=row, axes=after)


@operator("Softmax", "LogSoftmax", "Hardmax")
def softmax(call: Call) -> list[Tensor]:
    """Over one dimension; before opset 13 over it and all behind it."""
    source, old = call.map(), call.importing.opset < 13
    axis = call.axis(1 if old else -1, len(source.dims))
    dims = source.dims[axis:] if old else (source.dims[axis],)
    return [over(call, source, tuple(atom for dim in dims for atom in dim), "softmax")]


def over(call: Call, source: FeatureMap, atoms: Dim, op: str) -> FeatureMap:
    """A row that works on channels by groups, these factors being the innermost channels. Raises UnmodelledError."""
    if source.batch is not None and source.batch in atoms:
        raise UnmodelledError("a norm of each image", list(source.shape))
    channels = source.axes.channels
    outside = tuple(atom for atom in channels if atom not in atoms)
    if set(atoms) <= set(channels):
        if channels[: len(outside)] != outside:
            source = call.importing.ordered(source, source.axes.rows, source.axes.cols, (*outside, *atoms))
    else:
        pixels = tuple(atom for dim in source.dims for atom in dim if atom not in atoms and atom is not source.batch)
        outside = ()
        source = call.importing.ordered(source, pixels, (), atoms)
    return call.importing.made(op, source, **listed(groups=extent(outside)))


@operator(
    "LayerNormalization",
    "RMSNormalization",
    "SimplifiedLayerNormalization",
    "com.microsoft.SimplifiedLayerNormalization",
)
def layer_norm(call: Call) -> list[Tensor]:
    """Over a dimension and all behind it."""
    source = call.map()
    axis = call.axis(-1, len(source.dims))
    return [over(call, source, tuple(atom for dim in source.dims[axis:] for atom in dim), "layernorm")]


@operator("recognised.LayerNormalization", "recognised.Softmax")
def recognised(call: Call) -> list[Tensor]:
    """A norm or softmax that an exporter wrote as several nodes, over the dimensions of its mean or sum."""
    source = call.map()
    axes = reduced_axes(source.shape, call.inputs[1:], call.attributes)
    atoms = tuple(atom for place in sorted(axes) for atom in source.without_batch(source.dims[place]))
    return [over(call, source, atoms, "softmax" if call.op == "Softmax" else "layernorm")]


@operator("com.microsoft.SkipLayerNormalization", "com.microsoft.SkipSimplifiedLayerNormalization")
def skip_layer_norm(call: Call) -> list[Tensor]:
    """A sum of two maps, and its norm."""
    added = combined(call, "add", [call.map(0), call.map(1)])
    made = over(call, added, added.dims[-1], "layernorm")
    return [made, made, made, added]


@operator("InstanceNormalization", "GroupNormalization")
def instance_norm(call: Call) -> list[Tensor]:
    """Over all pixels of a channel, or of a group of channels."""
    from accelsim.importers.onnx.operators.views import reshaped

    source = call.map()
    groups = source.shape[1] if call.op == "InstanceNormalization" else call.attributes.integer("num_groups", 1)
    if len(source.dims) < 3 or groups < 1 or source.shape[1] % groups:
        raise UnmodelledError("groups that divide the channels", f"{groups} of {list(source.shape)}")
    apart = reshaped(call, source, (source.shape[0], groups, source.shape[1] // groups, *source.shape[2:]))
    made = over(call, apart, tuple(atom for dim in apart.dims[2:] for atom in dim), "layernorm")
    return [reshaped(call, made, source.shape)]


@operator("CumSum", "CumProd")
def running_sum(call: Call) -> list[Tensor]:
    """Sums, or products, of all elements up to each, along a dimension."""
    source, (axis,) = call.map(), integers(call.tensor(1), "an axis")
    return [over(call, source, source.dims[normalised([axis], len(source.dims))[0]], "running_sum")]


@operator("TopK")
def largest(call: Call) -> list[Tensor]:
    """The first ones of a dimension that is sorted, and their numbers."""
    source = call.map()
    axis = call.axis(-1, len(source.dims))
    given = call.optional(1)
    (count,) = integers(given, "a count") if given is not None else [call.attributes.integer("k", 1)]
    if not 1 <= count <= source.shape[axis]:
        raise UnmodelledError(f"a count of at most {source.shape[axis]}", count)
    ordered = over(call, source, source.dims[axis], "sort")
    made = taken_part(call, ordered, axis, range(count))
    return [made, made]


@operator("LpNormalization", "MeanVarianceNormalization")
def other_norms(call: Call) -> list[Tensor]:
    """Over one dimension, or over those that are named."""
    source = call.map()
    if call.op == "LpNormalization":
        axes = [call.axis(-1, len(source.dims))]
    else:
        axes = [each % len(source.dims) for each in call.attributes.integers("axes") or [0, 2, 3]]
    atoms = tuple(atom for place in axes for atom in source.without_batch(source.dims[place]))
    return [over(call, source, atoms, "layernorm")]
