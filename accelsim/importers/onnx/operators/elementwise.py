"""Functions of each element, and tensors combined element by element."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from accelsim.importers.onnx.constants import known
from accelsim.importers.onnx.importing import Importing
from accelsim.importers.onnx.operators.joins import apart, shared
from accelsim.importers.onnx.operators.node import OPERATORS, Call, Translation, operator
from accelsim.importers.onnx.tensors import (
    Atom,
    Axes,
    Constant,
    Dim,
    FeatureMap,
    Tensor,
    UnmodelledError,
    extent,
    fresh,
    with_dim,
)
from accelsim.operators.table import OPERATORS as ROWS


@operator("Relu", "Clip")
def relu(call: Call) -> list[Tensor]:
    """Part of the row before where nothing else reads that; else a row. A Clip with an upper bound is a ReLU6."""
    low, high = _limits(call)
    if call.op == "Clip" and low is None and high is None:
        return [call.raw_map()]
    return [activated(call, call.map(), "relu" if high is None else "relu6")]


def _limits(call: Call) -> tuple[float | None, float | None]:
    found: list[float | None] = []
    for place, name in ((1, "min"), (2, "max")):
        given = call.optional(place)
        if isinstance(given, Constant) and given.values is None and not given.shape:
            found.append(0.0)
            continue
        if given is None:
            found.append(call.attributes.number(name, 0.0) if name in call.attributes else None)
            continue
        values = known(given, "bounds").ravel()
        found.append(float(values[0]) if values.size else None)
    return found[0], found[1]


def activated(call: Call, source: FeatureMap, kind: str) -> FeatureMap:
    """A map behind a ReLU."""
    importing, reads = call.importing, call.node.input[0]
    row = importing.absorbs(source, "activation", reads) or importing.absorbs(source, "pass", reads)
    if row is not None:
        row["activation"] = kind
        return source
    row = importing.rows.get(source.row)
    alone = importing.readers.get(reads, 0) == 1
    if kind == "relu" and row is not None and row["op"] == "concat" and alone and _into_parts(importing, row):
        return source
    return importing.made("relu", source)


def _into_parts(importing: Importing, concat: dict[str, Any]) -> bool:
    """True where a ReLU behind a concatenation becomes part of its parts, or changes nothing in them."""
    parts = [importing.rows[name] for name in importing.inputs_of(concat) if name in importing.rows]
    if len(parts) < len(importing.inputs_of(concat)) or not all(_takes_relu(importing, part) for part in parts):
        return False
    for part in parts:
        if not is_positive(importing, part):
            part["activation"] = "relu"
    return True


def _takes_relu(importing: Importing, row: dict[str, Any]) -> bool:
    free = "activation" in ROWS[row["op"]].absorbs if row["op"] in ROWS else False
    alone = importing.readers.get(importing.latest.get(row["name"], ""), 0) == 1
    return is_positive(importing, row) or (alone and free and "activation" not in row)


def is_positive(importing: Importing, row: dict[str, Any]) -> bool:
    """True where a map has no negative values: behind a ReLU, perhaps pooled some times."""
    for _ in range(MOST_POOLS):
        if row["op"] not in ("maxpool", "avgpool", "gap", "shuffle"):
            break
        before = importing.inputs_of(row)
        if before[0] not in importing.rows:
            return False
        row = importing.rows[before[0]]
    return row.get("activation") == "relu" or row["op"] == "relu"


MOST_CLASSES = 1 << 16
MOST_POOLS = 16
"""Pools that are looked through for a ReLU."""
FUNCTIONS = {
    "sigmoid": ("Sigmoid",),
    "tanh": ("Tanh",),
    "hardsigmoid": ("HardSigmoid",),
    "hardswish": ("HardSwish",),
    "gelu": ("Gelu", "com.microsoft.Gelu", "com.microsoft.FastGelu", "com.microsoft.BiasGelu"),
    "silu": ("Swish", "com.microsoft.QuickGelu"),
    "elu": ("Elu", "Selu", "Celu"),
    "prelu": ("LeakyRelu", "ThresholdedRelu"),
    "function": (
        "Erf", "Exp", "Log", "Sqrt", "Reciprocal", "Sin", "Cos", "Tan", "Atan", "Asin", "Acos", "Sinh", "Cosh",
        "Asinh", "Acosh", "Atanh", "Softplus", "Softsign", "Mish",
    ),
    "step": ("Abs", "Neg", "Sign", "Floor", "Ceil", "Round", "Not", "IsNaN", "IsInf", "Shrink", "BitwiseNot", "Trilu"),
}  # fmt: skip
"""Operators of ONNX that are a row of this name, on each element of one map."""


def _function(op: str) -> Translation:
    def function(call: Call) -> list[Tensor]:
        return [call.importing.made(op, call.map())]

    return function


for _row in ("gelu", "silu", "hardswish", "hardsigmoid"):
    OPERATORS[f"recognised.{FUNCTIONS[_row][0]}"] = _function(_row)
for _row, _names in FUNCTIONS.items():
    OPERATORS.update(dict.fromkeys(_names, _function(_row)))


@operator("PRelu")
def prelu(call: Call) -> list[Tensor]:
    """A slope for what is below 0: one, or one for each channel, or a map of them."""
    source, slope = call.map(), call.tensor(1)
    if (
        isinstance(slope, Constant)
        and _spans(source, slope) <= set(source.axes.channels)
        and not _enlarges(source, slope)
    ):
        return [call.importing.made("prelu", source)]
    return [combined(call, "max", [source, combined(call, "mul", [source, slope])])]


@operator("BatchNormalization")
def batch_norm(call: Call) -> list[Tensor]:
    """Part of the row before where that has weights and nothing else reads it; else a row."""
    source = call.map()
    if len(source.dims) < 2 or any(call.tensor(place).shape != source.shape[1:2] for place in range(1, 5)):
        raise UnmodelledError("a number for each channel", f"{list(call.tensor(1).shape)} for {list(source.shape)}")
    if call.importing.absorbs(source, "factors", call.node.input[0]) is not None:
        return [source]
    if not set(source.dims[1]) <= set(source.axes.channels):
        pixels = tuple(atom for atom in source.axes.all if atom not in source.dims[1])
        source = call.importing.ordered(source, pixels, (), source.dims[1])
    return [call.importing.made("bn", source)]


TWO_MAPS = {
    "add": ("Add", "Sum", "Mean"),
    "sub": ("Sub",),
    "mul": ("Mul",),
    "div": ("Div",),
    "max": ("Max",),
    "min": ("Min",),
    "pow": ("Pow",),
    "compare": (
        "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or", "Xor", "Mod", "BitwiseAnd",
        "BitwiseOr", "BitwiseXor", "BitShift",
    ),
}  # fmt: skip
"""Operators of ONNX that are a row of this name, on two tensors."""


def _two(op: str) -> Translation:
    def function(call: Call) -> list[Tensor]:
        there = [each for each in call.inputs if each is not None]
        if call.importing.opset < 7 and "axis" in call.attributes:
            there[1] = _from_axis(call, there[0], there[1])
        return [folded_up(call, op, there)]

    return function


for _row, _names in TWO_MAPS.items():
    OPERATORS.update(dict.fromkeys(_names, _two(_row)))


def _from_axis(call: Call, first: Tensor, second: Tensor) -> Tensor:
    """A constant whose first dimension is this one of a map, as old opsets have it."""
    rank, axis = len(first.shape), call.axis(0, len(first.shape))
    if not isinstance(second, Constant) or axis + len(second.shape) > rank:
        raise UnmodelledError("a constant that lies along dimensions of the map", list(second.shape))
    return replace(second, shape=(*second.shape, *(1,) * (rank - axis - len(second.shape))))


def folded_up(call: Call, op: str, tensors: Sequence[Tensor]) -> FeatureMap:
    """Tensors combined one after the other, those that are maps first where the order is all the same."""
    given = [call.importing.padded(each) if isinstance(each, FeatureMap) and each.pads else each for each in tensors]
    if op in ("add", "mul", "max", "min"):
        given.sort(key=lambda each: isinstance(each, Constant))
    if all(isinstance(each, Constant) for each in given):
        raise UnmodelledError("a map among the inputs", "constants")
    made, *others = given
    if not others and isinstance(made, FeatureMap):
        return made
    for other in others:
        made = _combined(call, op, made, other)
    assert isinstance(made, FeatureMap)
    return made


def _combined(call: Call, op: str, first: Tensor, second: Tensor) -> FeatureMap:
    if isinstance(first, Constant):
        return _with_constant(call, op, _map(second), first, turned=True)
    if isinstance(second, Constant):
        return _with_constant(call, op, first, second)
    if op == "mul" and first.row == second.row and first.dims == second.dims:
        return call.importing.made("function", first)
    return combined(call, op, [first, second])


def _with_constant(call: Call, op: str, source: FeatureMap, number: Constant, *, turned: bool = False) -> FeatureMap:
    """A bias or factor: nothing beside the layer before it, or as an unfolded batch norm; larger ones are read."""
    importing = call.importing
    if _enlarges(source, number) or not _spans(source, number) <= set(source.axes.channels):
        return combined(call, op, [number, source] if turned else [source, number])
    linear = op in ("add", "sub", "mul") or (op == "div" and not turned)
    reads = next(
        name
        for name in call.node.input
        if importing.values.get(name) is not None and isinstance(importing.values[name], FeatureMap)
    )
    one = int(np.prod(number.shape, dtype=np.int64)) == 1
    what = "scalar" if one and op in ("mul", "div") else "factors"
    if linear and importing.absorbs(source, what, reads) is not None:
        return source
    if linear:
        return importing.made("bn", source)
    return importing.made("function" if op in ("pow", "div") else "step", source)


def _enlarges(source: FeatureMap, number: Constant) -> bool:
    """True where a constant has more elements along a dimension than the map."""
    rank = max(len(source.dims), len(number.shape))
    own = (*(1,) * (rank - len(source.dims)), *source.shape)
    other = (*(1,) * (rank - len(number.shape)), *number.shape)
    if any(b not in (1, a) and a != 1 for a, b in zip(own, other, strict=True)):
        raise UnmodelledError(
            "tensors of equal size, or of one element where they differ",
            f"{list(source.shape)} and {list(number.shape)}",
        )
    return any(b > a for a, b in zip(own, other, strict=True)) or rank > len(source.dims)


def _spans(source: FeatureMap, number: Constant) -> set[Atom]:
    """The factors along which a constant has more than one element."""
    dims = source.dims[len(source.dims) - len(number.shape) :] if len(number.shape) <= len(source.dims) else ()
    return {atom for dim, size in zip(dims, number.shape, strict=False) if size > 1 for atom in dim}


@operator("OneHot")
def one_hot(call: Call) -> list[Tensor]:
    """Each number of a map compared with those from 0 on, along a dimension of their own."""
    source, depth = call.map(), int(known(call.tensor(1), "a depth").ravel()[0])
    rank = len(source.dims) + 1
    axis = call.axis(-1, rank)
    if not 1 <= depth <= MOST_CLASSES:
        raise UnmodelledError(f"a depth from 1 to {MOST_CLASSES}", depth)
    apart_ = replace(source, dims=(*source.dims[:axis], (), *source.dims[axis:]))
    classes = Constant((depth, *(1,) * (rank - 1 - axis)))
    return [combined(call, "compare", [apart_, classes])]


@operator("Where")
def where(call: Call) -> list[Tensor]:
    """A choice between two tensors by a third."""
    return [combined(call, "select", [call.tensor(0), call.tensor(1), call.tensor(2)])]


def combined(call: Call, op: str, tensors: Sequence[Tensor]) -> FeatureMap:
    """A row that combines tensors element by element, those of one element along a dimension being repeated.

    The largest map stays as it lies; others are brought into that order, constants read in it. Raises UnmodelledError.
    """
    importing = call.importing
    rank = max(len(each.shape) for each in tensors)
    found = [_of_rank(each, rank) for each in tensors]
    try:
        shape = np.broadcast_shapes(*(each.shape for each in found))
    except ValueError:
        got = " and ".join(str(list(each.shape)) for each in tensors)
        raise UnmodelledError("tensors of equal size, or of one element where they differ", got) from None
    maps = [place for place, each in enumerate(found) if isinstance(each, FeatureMap)]
    main = max(maps, key=lambda place: extent(_map(found[place]).axes.all))
    for place in maps:
        if place != main:
            found[main], found[place] = _matched(_map(found[main]), _map(found[place]))
    base = _whole_shape(importing, _map(found[main]), shape)
    needed = {atom for place in maps if place != main for atom in _map(found[place]).axes.all}
    needed |= {atom for each in found if isinstance(each, Constant) for atom in _spans(base, each)}
    base = _with_room(importing, base, tuple(atom for dim in base.dims for atom in dim if atom in needed))
    sources = []
    for place, each in enumerate(found):
        if place == main:
            sources.append(base.row)
        elif isinstance(each, FeatureMap):
            sources.append(_in_order(importing, each, base).row)
        else:
            sources.append(_read_constant(importing, each, base))
    axes = base.axes
    if op == "mul" and _are_map_and_factor(importing, sources, axes):
        op, sources = "scale", sorted(sources, key=lambda name: importing.extents[name] != axes.extents)
    row = importing.row(op, sources, axes.extents)
    return FeatureMap(base.dims, row, axes, base.batch, base.repeated)


def _are_map_and_factor(importing: Importing, sources: Sequence[str], axes: Axes) -> bool:
    sizes = [importing.extents[each] for each in sources]
    return axes.extents[:2] != (1, 1) and sorted(sizes) == sorted([axes.extents, (1, 1, axes.extents[2])])


def _map(value: Tensor) -> FeatureMap:
    assert isinstance(value, FeatureMap)
    return value


def _of_rank(value: Tensor, rank: int) -> Tensor:
    if isinstance(value, Constant):
        return replace(value, shape=(*(1,) * (rank - len(value.shape)), *value.shape))
    return replace(value, dims=(*((),) * (rank - len(value.dims)), *value.dims))


def _matched(main: FeatureMap, other: FeatureMap) -> tuple[FeatureMap, FeatureMap]:
    """Two maps with the very same factors where both have more than one element; the first with those of the other
    where it has one. Factors that are only repeated are none."""
    other = apart(main, other)
    for place in range(len(main.dims)):
        if extent(main.dims[place]) == extent(other.dims[place]):
            main, other = shared(main, other, place)
        elif extent(main.dims[place]) == 1:
            if other.batch is not None and other.batch in other.dims[place]:
                main = replace(main, dims=with_dim(main.dims, place, other.dims[place]))
                continue
            dim = other.dims[place]
            main = replace(main, dims=with_dim(main.dims, place, dim), repeated=main.repeated | set(dim))
    return main, other


def _whole_shape(importing: Importing, main: FeatureMap, shape: tuple[int, ...]) -> FeatureMap:
    """With a factor for each dimension that a constant makes larger."""
    for place, size in enumerate(shape):
        if extent(main.dims[place]) != size:
            if place == 0 and importing.batch is not None and size == importing.images:
                raise UnmodelledError("constants that are the same for all images", list(shape))
            own = fresh(size)
            main = replace(main, dims=with_dim(main.dims, place, own), repeated=main.repeated | set(own))
    return main


def _with_room(importing: Importing, main: FeatureMap, needed: Dim) -> FeatureMap:
    """With an axis of its map for factors that another tensor has and this one repeats: an empty one, or elements
    repeated in memory."""
    missing = tuple(atom for atom in needed if atom in main.repeated)
    if not missing:
        return main
    axes = main.axes
    by_dim = [tuple(atom for atom in dim if atom in missing) for dim in main.dims]
    apart = [each for each in by_dim if each]
    if len(apart) > 1 and not axes.pixels:
        rest = tuple(atom for each in apart[1:] for atom in each)
        return replace(main, axes=replace(axes, rows=apart[0], cols=rest), repeated=main.repeated - set(missing))
    for name in ("cols", "rows", "channels"):
        if not getattr(axes, name):
            return replace(main, axes=replace(axes, **{name: missing}), repeated=main.repeated - set(missing))
    return importing.ordered(main, axes.rows, axes.cols, (*missing, *axes.channels))


def _in_order(importing: Importing, other: FeatureMap, base: FeatureMap) -> FeatureMap:
    """A map in another's order, each axis whole or of one element."""
    own = set(other.axes.all)
    axes = [axis if own & set(axis) else () for axis in (base.axes.rows, base.axes.cols, base.axes.channels)]
    absent = {atom for axis in axes for atom in axis} - own
    if absent:
        places = {atom: place for place, dim in enumerate(base.dims) for atom in dim}
        dims = list(other.dims)
        for atom in absent:
            if atom not in dims[places[atom]]:
                dims[places[atom]] = base.dims[places[atom]]
        other = replace(other, dims=tuple(dims), repeated=other.repeated | absent)
    return importing.ordered(other, *axes)


def _read_constant(importing: Importing, value: Constant, base: FeatureMap) -> str:
    """The row of a constant that is read as a map, in another's order."""
    own = _spans(base, value)
    rows, cols, channels = (
        axis if own & set(axis) else () for axis in (base.axes.rows, base.axes.cols, base.axes.channels)
    )
    return importing.given(value, base.dims, Axes(rows, cols, channels)).row
