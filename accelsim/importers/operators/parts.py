"""Parts of the channels of a map, or of the features of tokens, where they lie."""

from __future__ import annotations

from dataclasses import replace

import onnx

from accelsim.importers.onnx import Importing, UnmodelledError, Value
from accelsim.importers.operators.node import attributes, constants, inputs_of, name_of, operator, viewed


@operator("Split")
def split(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """Channels in parts, each where it lies."""
    source, *rest = inputs_of(importing, node)
    found, count = attributes(node), len(node.output)
    axis = found.get("axis", 0)
    if not -len(source.dims) <= axis < len(source.dims):
        raise UnmodelledError("an axis of the map", axis)
    extent = source.dims[axis]
    size = -(-extent // count)
    equal = [min(size, extent - start) for start in range(0, extent, size)]
    sizes = [int(each) for each in (constants(node, rest)[0].ravel() if rest else found.get("split", equal))]
    if len(sizes) != count or sum(sizes) != extent or min(sizes) < 1:
        raise UnmodelledError(f"{count} parts of {extent}", sizes[:8])
    starts = [sum(sizes[:place]) for place in range(count)]
    name = name_of(node)
    return [
        _sliced(importing, f"{name}_{place}", source, axis, start, size)
        for place, (start, size) in enumerate(zip(starts, sizes, strict=True))
    ]


@operator("Slice")
def slice_(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """Some channels, one beside the other, where they lie."""
    source, *rest = inputs_of(importing, node)
    found = attributes(node)
    given = [[int(each) for each in known.ravel()] for known in constants(node, rest)]
    starts, ends, *more = given or [list(found.get("starts", [])), list(found.get("ends", []))]
    axes = more[0] if more else list(found.get("axes", range(len(starts))))
    if len(starts) != 1 or len(ends) != 1 or len(axes) != 1 or (len(more) > 1 and more[1] != [1]):
        raise UnmodelledError("a part of one axis, in steps of 1", [starts[:8], ends[:8], axes[:8], more[1:]])
    if not -len(source.dims) <= axes[0] < len(source.dims):
        raise UnmodelledError("an axis of the map", axes[0])
    first, end, _ = slice(starts[0], ends[0]).indices(source.dims[axes[0]])
    return [_sliced(importing, name_of(node), source, axes[0], first, end - first)]


@operator("Gather")
def gather(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """One of the parts that features have: queries, keys or values."""
    source, *rest = inputs_of(importing, node)
    (index,) = constants(node, rest)
    axis = attributes(node).get("axis", 0)
    if index.size != 1 or not source.parts or axis != 0:
        raise UnmodelledError("one of the parts of the features of a map", f"{index.size} along axis {axis}")
    made = _sliced(importing, name_of(node), source, 0, int(index.ravel()[0]) % source.parts, 1)
    return [viewed(made, made.dims[1:] if index.ndim == 0 else made.dims)]


def _channel_axis(value: Value) -> int | None:
    """The dimension of a tensor that is that of the channels, or of their parts; None where there is none."""
    if value.parts:
        return 0
    if value.is_tokens:
        return len(value.dims) - 1
    return 1 if value.is_image or (value.is_vector and value.pixels == 1) else None


def _sliced(importing: Importing, name: str, value: Value, axis: int, first: int, count: int) -> Value:
    """Elements [first, first + count) along an axis, which has to be that of the channels. Raises UnmodelledError."""
    rank = len(value.dims)
    channels = _channel_axis(value)
    fits = value.map_dims is not None and not value.shuffled and not value.padded and -rank <= axis < rank
    if not fits or channels is None or axis % rank != channels or value.map_dims is None:
        raise UnmodelledError("a part of the channels or features of a map", f"axis {axis} of {list(value.dims)}")
    if not 0 <= first < first + count <= value.dims[channels]:
        raise UnmodelledError(f"a part of {value.dims[channels]} channels", f"{first} to {first + count}")
    dims = (*value.dims[:channels], count, *value.dims[channels + 1 :])
    if count == value.dims[channels]:
        return replace(value, parts=None) if value.parts == 1 else value
    if value.parts and count > 1:
        raise UnmodelledError(f"one of {value.parts} parts", count)
    height, width, all_channels = value.map_dims
    each = all_channels // value.dims[channels]
    more = {"first": first * each} if first else {}
    made = importing.add(name, "slice", [value], (height, width, count * each), channels=count * each, **more)
    return replace(made, dims=dims, by_token=value.by_token, heads=value.heads)
