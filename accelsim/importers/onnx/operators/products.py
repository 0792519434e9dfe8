"""Matrix products, with weights and of two maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

from accelsim.errors import shorten
from accelsim.importers.onnx.operators.elementwise import folded_up
from accelsim.importers.onnx.operators.node import Call, listed, note_bits, operator
from accelsim.importers.onnx.operators.reductions import reduced
from accelsim.importers.onnx.tensors import (
    Atom,
    Axes,
    Constant,
    Dim,
    FeatureMap,
    Tensor,
    UnmodelledError,
    aligned,
    extent,
    fresh,
    with_dim,
)


@operator("Gemm")
def gemm(call: Call) -> list[Tensor]:
    """A product of two dimensions, either of which may be turned first."""
    left, right = call.tensor(0), call.tensor(1)
    if call.attributes.integer("transA", 0):
        left = turned(left)
    if call.attributes.integer("transB", 0):
        right = turned(right)
    if len(left.shape) != 2 or len(right.shape) != 2:
        raise UnmodelledError("two matrices", f"{list(left.shape)} by {list(right.shape)}")
    beside = call.optional(2)
    if isinstance(left, Constant) and isinstance(right, Constant):
        return [folded_up(call, "add", [Constant((left.shape[0], right.shape[1])), call.map(2)])]
    made = matrix_product(call, left, right)
    return [folded_up(call, "add", [made, beside]) if isinstance(beside, FeatureMap) else made]


def turned(value: Tensor) -> Tensor:
    """With the last two dimensions exchanged."""
    if isinstance(value, Constant):
        return Constant((*value.shape[:-2], *value.shape[:-3:-1]), None, value.bits)
    return replace(value, dims=(*value.dims[:-2], *value.dims[:-3:-1]))


@operator("MatMul", "MatMulInteger")
def matmul(call: Call) -> list[Tensor]:
    """A product of a map with constant weights, or of two maps."""
    return [matrix_product(call, call.tensor(0), call.tensor(1))]


def matrix_product(call: Call, left: Tensor, right: Tensor) -> FeatureMap:
    """Product over the last dimension of one and the last but one of the other. Raises UnmodelledError."""
    if len(left.shape) == 1 or len(right.shape) == 1:
        return _with_vector(call, left, right)
    if left.shape[-1] != right.shape[-2]:
        raise UnmodelledError("matrices that fit each other", f"{list(left.shape)} by {list(right.shape)}")
    if isinstance(left, FeatureMap) and isinstance(right, FeatureMap):
        return two_maps(call, left, right)
    if isinstance(left, FeatureMap) and isinstance(right, Constant):
        return with_weights(call, left, right)
    made = matrix_product(call, turned(right), turned(left))
    return replace(made, dims=(*made.dims[:-2], *made.dims[:-3:-1]))


def _with_vector(call: Call, left: Tensor, right: Tensor) -> FeatureMap:
    """A vector is a matrix of one row, or of one column, and that dimension is none of the result."""
    first, second = _as_matrix(left, 0), _as_matrix(right, 1)
    made = matrix_product(call, first, second)
    dims = list(made.dims)
    if len(right.shape) == 1:
        del dims[-1]
    if len(left.shape) == 1:
        del dims[-1 if len(right.shape) == 1 else -2]
    return replace(made, dims=tuple(dims))


def _as_matrix(value: Tensor, place: int) -> Tensor:
    if len(value.shape) != 1:
        return value
    if isinstance(value, Constant):
        shape = (1, *value.shape) if place == 0 else (*value.shape, 1)
        return Constant(shape, None, value.bits)
    return replace(value, dims=((), *value.dims) if place == 0 else (*value.dims, ()))


def with_weights(call: Call, source: FeatureMap, weights: Constant) -> FeatureMap:
    """A map times constant weights, those of each matrix by themselves where there are several."""
    if min(weights.shape) < 1:
        raise UnmodelledError("weights of at least one element", list(weights.shape))
    outputs, leading = weights.shape[-1], weights.shape[:-2]
    if prod(leading) > 1:
        return _matrices_of_weights(call, source, weights)
    inner, importing = source.without_batch(source.dims[-1]), call.importing
    if inner != source.dims[-1]:
        raise UnmodelledError("a sum over features, not over images", list(source.shape))
    others = tuple(atom for dim in source.dims[:-1] for atom in source.without_batch(dim))
    if not others and not source.repeated:
        return _whole(call, source, outputs, weights)
    if source.axes.channels != inner:
        source = importing.ordered(source, others, (), inner)
    channels = fresh(outputs)
    axes = replace(source.axes, channels=channels)
    row = importing.row("matmul", [source.row], axes.extents, channels=outputs)
    note_bits(importing, row, weight_bits=weights.bits)
    return FeatureMap((*source.dims[:-1], channels), row, axes, source.batch, source.repeated)


def _whole(call: Call, source: FeatureMap, outputs: int, weights: Constant) -> FeatureMap:
    """Weights for all elements of an image, in whatever order they lie."""
    channels = fresh(outputs)
    row = call.importing.row("fc", [source.row], (1, 1, outputs), channels=outputs)
    note_bits(call.importing, row, weight_bits=weights.bits)
    return FeatureMap((*source.dims[:-1], channels), row, Axes((), (), channels), source.batch)


def _matrices_of_weights(call: Call, source: FeatureMap, weights: Constant) -> FeatureMap:
    """A matrix of weights for each group of a map: groups of channels."""
    leading, outputs = weights.shape[:-2], weights.shape[-1]
    rank = max(len(source.dims), len(weights.shape))
    source = replace(source, dims=(*((),) * (rank - len(source.dims)), *source.dims))
    shape = (*(1,) * (rank - 2 - len(leading)), *leading)
    groups: list[Atom] = []
    dims = list(source.dims)
    for place, size in enumerate(shape):
        dim = dims[place]
        if size > 1 and source.batch in dim and source.batch is not None:
            raise UnmodelledError("the same weights for all images", list(weights.shape))
        if size > 1 and extent(dim) == 1:
            dims[place] = dim = fresh(size)
            source = replace(source, dims=tuple(dims), repeated=source.repeated | set(dim))
        if size > 1:
            groups += dim
    pixels = tuple(
        atom for place, dim in enumerate(dims[:-1]) for atom in source.without_batch(dim) if atom not in groups
    )
    source = call.importing.ordered(source, pixels, (), (*groups, *dims[-1]))
    last = fresh(outputs)
    axes = replace(source.axes, channels=(*groups, *last))
    count = extent(groups)
    row = call.importing.row("matmul", [source.row], axes.extents, channels=count * outputs, groups=count)
    note_bits(call.importing, row, weight_bits=weights.bits)
    return FeatureMap((*dims[:-1], last), row, axes, source.batch)


def two_maps(call: Call, left: FeatureMap, right: FeatureMap) -> FeatureMap:
    """The product of two maps: what is outside of both matrices is groups of channels. Raises UnmodelledError."""
    importing = call.importing
    rank = max(len(left.dims), len(right.dims))
    left, right = (replace(each, dims=(*((),) * (rank - len(each.dims)), *each.dims)) for each in (left, right))
    left, right = _same_outside(left, right)
    inner = aligned(left.dims[-1], right.dims[-2])
    if inner is None:
        raise UnmodelledError("sums over dimensions that are made alike", f"{list(left.shape)} by {list(right.shape)}")
    left, right = left.swapped(inner[0]), right.swapped(inner[1])
    groups = tuple(atom for dim in left.dims[:-2] for atom in left.without_batch(dim))
    others = tuple(atom for dim in right.dims[:-2] for atom in right.without_batch(dim))
    if any(atom is left.batch for atom in (*left.dims[-1], *left.dims[-2])):
        raise UnmodelledError("products of each image", list(left.shape))
    tokens, each = left.dims[-2], left.dims[-1]
    depth, outputs = right.dims[-2], right.dims[-1]
    if left.axes.channels != (*groups, *each) or set(left.axes.pixels) != set(tokens):
        left = importing.ordered(left, tokens, (), (*groups, *each))
    transposed = _turns(right, others, depth, outputs)
    wanted = (outputs, depth) if transposed else (depth, outputs)
    if right.axes.channels != (*others, *wanted[1]) or right.axes.pixels != wanted[0]:
        right = importing.ordered(right, wanted[0], (), (*others, *wanted[1]))
    last = _renewed(outputs)
    axes = replace(left.axes, channels=(*groups, *last))
    keys: dict[str, Any] = {"transposed": True} if transposed else {}
    row = importing.row("product", [left.row, right.row], axes.extents, **listed(groups=extent(groups)), **keys)
    return FeatureMap((*left.dims[:-1], last), row, axes, left.batch)


def _renewed(dim: Dim) -> Dim:
    return tuple(Atom(atom.extent) for atom in dim)


def _turns(right: FeatureMap, groups: Dim, depth: Dim, outputs: Dim) -> bool:
    """True where the right map lies with the outputs as its pixels."""
    plain = right.axes.channels == (*groups, *outputs) and right.axes.pixels == depth
    return not plain and right.axes.channels[len(right.axes.channels) - len(depth) :] == depth


def _same_outside(left: FeatureMap, right: FeatureMap) -> tuple[FeatureMap, FeatureMap]:
    """Two maps of the same dimensions outside of the matrices, repeated where one has only one."""
    for place in range(len(left.dims) - 2):
        sizes = extent(left.dims[place]), extent(right.dims[place])
        if sizes[0] != sizes[1] and 1 not in sizes:
            raise UnmodelledError("matrices that fit each other", f"{list(left.shape)} by {list(right.shape)}")
        if sizes[0] == sizes[1]:
            parts = aligned(left.dims[place], right.dims[place])
            if parts is None:
                raise UnmodelledError("dimensions that are made alike", f"{list(left.shape)} by {list(right.shape)}")
            left, right = left.swapped(parts[0]), right.swapped(parts[1])
        elif sizes[0] == 1:
            left = repeated_as(left, place, right.dims[place], right.batch)
        else:
            right = repeated_as(right, place, left.dims[place], left.batch)
    return left, right


def repeated_as(source: FeatureMap, place: int, dim: Sequence[Atom], batch: Atom | None) -> FeatureMap:
    """A map with a dimension of one element meant as often as another has them."""
    if batch is not None and batch in dim:
        raise UnmodelledError("a map for each image", list(source.shape))
    own = _renewed(tuple(dim))
    return replace(source, dims=with_dim(source.dims, place, own), repeated=source.repeated | set(own))


@operator("Einsum")
def einsum(call: Call) -> list[Tensor]:
    """A product of two tensors by the letters of their dimensions. Raises UnmodelledError."""
    equation = call.attributes.text("equation", "").replace(" ", "")
    sources, _, result = equation.partition("->")
    letters = sources.split(",")
    if len(letters) == 1 and result and "." not in equation:
        return [_of_letters(call, letters[0], result)]
    if len(letters) != 2 or not result or "." in equation or any(len(set(each)) < len(each) for each in letters):
        raise UnmodelledError("two tensors, each letter once, and a result", shorten(equation))
    first, second = call.tensor(0), call.tensor(1)
    if [len(each.shape) for each in (first, second)] != [len(each) for each in letters]:
        raise UnmodelledError("as many letters as dimensions", shorten(equation))
    both = [each for each in letters[0] if each in letters[1] and each in result]
    summed = [each for each in letters[0] if each in letters[1] and each not in result]
    own = [[each for each in mine if each not in other] for mine, other in (letters, letters[::-1])]
    if any(each not in result for each in own[0] + own[1]) or set(result) - set("".join(letters)):
        raise UnmodelledError("sums over what both tensors have", shorten(equation))
    left = _merged(first, letters[0], [*([each] for each in both), own[0], summed])
    right = _merged(second, letters[1], [*([each] for each in both), summed, own[1]])
    made = matrix_product(call, left, right)
    sizes = dict(zip(letters[0], first.shape, strict=True)) | dict(zip(letters[1], second.shape, strict=True))
    from accelsim.importers.onnx.operators.views import reshaped

    order = [*both, *own[0], *own[1]]
    apart = reshaped(call, made, tuple(sizes[each] for each in order))
    return [replace(apart, dims=tuple(apart.dims[order.index(each)] for each in result))]


def _of_letters(call: Call, letters: str, result: str) -> FeatureMap:
    """A map with its dimensions in another order, summed over those not named again. Raises UnmodelledError."""
    source = call.map()
    once = len(set(letters)) == len(letters) == len(source.dims) and len(set(result)) == len(result)
    if not once or not set(result) <= set(letters):
        raise UnmodelledError("each letter once, and a result of these", shorten(f"{letters}->{result}"))
    gone = [place for place, each in enumerate(letters) if each not in result]
    made = reduced(call, source, gone, keep=True, largest=False) if gone else source
    return replace(made, dims=tuple(made.dims[letters.index(each)] for each in result))


def _merged(value: Tensor, letters: str, wanted: Sequence[Sequence[str]]) -> Tensor:
    """A tensor with its dimensions in another order, several perhaps as one."""
    if isinstance(value, Constant):
        sizes = dict(zip(letters, value.shape, strict=True))
        return Constant(tuple(prod(sizes[each] for each in part) for part in wanted), None, value.bits)
    dims = dict(zip(letters, value.dims, strict=True))
    return replace(value, dims=tuple(tuple(atom for each in part for atom in dims[each]) for part in wanted))
