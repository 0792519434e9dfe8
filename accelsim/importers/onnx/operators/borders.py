"""Padding, and maps of another height and width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from accelsim.errors import shorten
from accelsim.importers.onnx.constants import checked_shape, integers, known
from accelsim.importers.onnx.operators.node import Call, operator
from accelsim.importers.onnx.shapes import normalised
from accelsim.importers.onnx.tensors import (
    Axes,
    Dim,
    FeatureMap,
    Tensor,
    UnmodelledError,
    fresh,
    with_dim,
)


@operator("Pad")
def pad(call: Call) -> list[Tensor]:
    """Elements round a map, which become the padding of the convolution or pool that reads it; cut off, if negative."""
    source = call.map()
    rank = len(source.dims)
    given = call.optional(1)
    amounts = integers(given, "padding") if given is not None else call.attributes.integers("pads") or []
    axes = call.optional(3)
    places = normalised(integers(axes, "axes"), rank) if axes is not None else list(range(rank))
    if len(amounts) != 2 * len(places) or any(abs(each) > 1 << 20 for each in amounts):
        raise UnmodelledError(f"two numbers for each of {len(places)} dimensions", amounts[:8])
    border = {"constant": "zeros", "edge": "edge", "reflect": "reflect"}.get(call.attributes.text("mode", "constant"))
    if border is None:
        raise UnmodelledError("padding that is constant, edge or reflect", shorten(call.attributes.text("mode", "")))
    pads = [(0, 0)] * rank
    for number, place in enumerate(places):
        pads[place] = amounts[number], amounts[number + len(places)]
    if not any(map(any, pads)):
        return [source]
    made = replace(source, pads=tuple(pads), border=border)
    if any(size < 1 for size in made.shape):
        raise UnmodelledError("at least one element of each dimension", list(made.shape))
    reflects = border == "reflect" and any(max(pair) >= size for pair, size in zip(pads, source.shape, strict=True))
    if reflects:
        raise UnmodelledError("reflections of less than the map", list(pads))
    return [made]


@operator("Resize", "Upsample")
def resize(call: Call) -> list[Tensor]:
    """A map of another height and width."""
    source = call.map()
    shape = _resized(call, source)
    changed = [place for place, size in enumerate(shape) if size != source.shape[place]]
    if not changed:
        return [source]
    if len(changed) > 2 or any(source.batch in source.dims[place] for place in changed if source.batch):
        raise UnmodelledError("a resize of two dimensions at most", list(shape))
    two = changed if len(changed) == 2 else _two_dims(source, changed[0])
    mode = call.attributes.text("mode", "nearest")
    modes = {"nearest": "nearest", "linear": "linear", "bilinear": "linear", "cubic": "cubic"}
    if mode not in modes:
        raise UnmodelledError("nearest, linear or cubic", shorten(mode))
    plain = _two_axes(call, source, [source.dims[place] for place in two])
    height, width = (shape[place] for place in two)
    keys: dict[str, Any] = {} if mode == "nearest" else {"mode": modes[mode]}
    for key, place in zip(("rows", "cols"), two, strict=True):
        at = _positions(call, source.shape[place], shape[place], nearest=mode == "nearest")
        usual = (source.shape[place], 0, shape[place]) if mode == "nearest" else None
        if shape[place] != source.shape[place] and at != usual:
            keys[key] = list(at)
        elif shape[place] == source.shape[place]:
            keys[key] = [1, 0, 1]
    row = call.importing.row(
        "resize", [plain.row], (height, width, plain.axes.extents[2]), height=height, width=width, **keys
    )
    rows, cols = fresh(height), fresh(width)
    dims = with_dim(with_dim(plain.dims, two[0], rows), two[1], cols)
    return [FeatureMap(dims, row, Axes(rows, cols, plain.axes.channels), plain.batch, plain.repeated)]


def _two_dims(source: FeatureMap, place: int) -> list[int]:
    """A dimension and another one, of the same map's rows and columns where it can be."""
    for beside in (place + 1, place - 1):
        if 1 <= beside < len(source.dims) and source.dims[beside] in (source.axes.rows, source.axes.cols):
            return sorted((place, beside))
    found = [each for each, dim in enumerate(source.dims) if not dim and each != place]
    if not found:
        raise UnmodelledError("a dimension that is resized beside another one", list(source.shape))
    return sorted((place, found[0]))


def _two_axes(call: Call, source: FeatureMap, dims: Sequence[Dim]) -> FeatureMap:
    rest = tuple(atom for atom in source.axes.all if all(atom not in dim for dim in dims))
    return call.importing.ordered(source, dims[0], dims[1], rest)


def _resized(call: Call, source: FeatureMap) -> tuple[int, ...]:
    """The shape that a Resize asks for, by its scales or sizes. Raises UnmodelledError."""
    sizes = call.optional(3)
    rank = len(source.dims)
    axes = call.attributes.integers("axes")
    places = normalised(axes, rank) if axes is not None else list(range(rank))
    shape = list(source.shape)
    if sizes is not None:
        wanted = integers(sizes, "sizes")
        policy = call.attributes.text("keep_aspect_ratio_policy", "stretch")
        if policy != "stretch" and len(wanted) == len(places):
            ratios = [Fraction(size, shape[place]) for place, size in zip(places, wanted, strict=True)]
            ratio = min(ratios) if policy == "not_larger" else max(ratios)
            wanted = [int(ratio * shape[place] + Fraction(1, 2)) for place in places]
    else:
        old = call.op == "Upsample" or len(call.inputs) == 2
        said = call.attributes.raw("scales")
        given = None if said is not None else call.tensor(1 if old else 2)
        scales = list(said) if given is None else known(given, "scales").ravel().tolist()
        if len(scales) != len(places) or any(not 0 < each < 1 << 12 for each in scales):
            raise UnmodelledError(f"{len(places)} scales above 0", scales[:8])
        wanted = [int(source.shape[place] * scale) for place, scale in zip(places, scales, strict=True)]
    if len(wanted) != len(places) or min(wanted, default=1) < 1:
        raise UnmodelledError(f"{len(places)} sizes of at least 1", wanted[:8])
    for place, size in zip(places, wanted, strict=True):
        shape[place] = size
    return checked_shape(shape)


def _positions(call: Call, size: int, outputs: int, *, nearest: bool) -> tuple[int, int, int]:
    """Step, first and per of the place of outputs on an axis: (output x step + first) / per."""
    old = call.op == "Upsample" or len(call.inputs) <= 2  # without these attributes
    mode = call.attributes.text("coordinate_transformation_mode", "asymmetric" if old else "half_pixel")
    if mode == "align_corners":
        step, first, per = (size - 1, 0, outputs - 1) if outputs > 1 else (0, 0, 1)
    elif mode == "asymmetric" or mode == "tf_half_pixel_for_nn":
        step, first, per = size, 0, outputs
    else:
        step, first, per = 2 * size, size - outputs, 2 * outputs
    if not nearest:
        return step, first, per
    match call.attributes.text("nearest_mode", "floor" if old else "round_prefer_floor"):
        case "floor":
            return step, first, per
        case "ceil":
            return step, first + per - 1, per
        case "round_prefer_ceil":
            return 2 * step, 2 * first + per, 2 * per
    return 2 * step, 2 * first + per - 1, 2 * per
