"""What only says where elements lie, or how many bits they have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import prod

import onnx

from accelsim.importers.onnx import Importing, UnmodelledError, Value
from accelsim.importers.onnx_heads import heads_reshaped, heads_transposed
from accelsim.importers.operators.node import (
    attributes,
    constants,
    image,
    inputs_of,
    name_of,
    note_bits,
    operator,
    permutation,
    viewed,
)


@operator("Concat")
def concat(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """Maps side by side, channel after channel."""
    values = inputs_of(importing, node)
    sizes = [image(each) for each in values if each.is_map]
    if len(sizes) != len(values) or attributes(node).get("axis") not in (1, -3):
        raise UnmodelledError("maps along their channels", f"axis {attributes(node).get('axis')}")
    if len(values) == 1:
        return values
    if len({size[:2] for size in sizes}) > 1:
        raise UnmodelledError("maps of equal height and width", [list(size) for size in sizes[:4]])
    total = sum(size[2] for size in sizes)
    return [importing.add(name_of(node), "concat", values, (*sizes[0][:2], total))]


@operator("Identity", "Dropout", "Cast")
def same(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """What does nothing at inference."""
    _forget_reader(importing, node)
    return [inputs_of(importing, node)[0]]


def _forget_reader(importing: Importing, node: onnx.NodeProto) -> None:
    """Who reads the output of a node that does nothing reads its input."""
    importing.readers[node.input[0]] = (
        importing.readers.get(node.input[0], 1) - 1 + importing.readers.get(node.output[0], 0)
    )
    importing.readers[node.output[0]] = importing.readers[node.input[0]]


@operator("QuantizeLinear", "DequantizeLinear")
def quantize(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """Says how many bits the map before has."""
    source = inputs_of(importing, node)[0]
    bits = importing.value(node.input[2]).bits if len(node.input) > 2 and node.input[2] else 8
    note_bits(importing, source, activation_bits=bits)
    _forget_reader(importing, node)
    return [replace(source, bits=bits)]


@operator("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def reshape(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """Another shape of the same elements in the same order; the end of a channel shuffle."""
    source, *rest = inputs_of(importing, node)
    dims = _new_dims(node, source, rest)
    if prod(dims) != prod(source.dims):
        raise UnmodelledError(f"a shape of {prod(source.dims)} elements", list(dims))
    _forget_reader(importing, node)
    if source.heads is not None:
        return [heads_reshaped(source, tuple(dims))]
    if source.shuffled is None:
        return [viewed(source, dims)]
    assert source.map_dims is not None
    height, width, channels = source.map_dims
    if tuple(dims) != (importing.batch, channels, height, width):
        raise UnmodelledError("the map again behind its channel shuffle", list(dims))
    plain = replace(source, shuffled=None, dims=(importing.batch, channels, height, width))
    return [importing.add(name_of(node), "shuffle", [plain], source.map_dims, groups=source.shuffled)]


def _new_dims(node: onnx.NodeProto, source: Value, rest: Sequence[Value]) -> list[int]:
    """The shape that is asked for. Raises UnmodelledError."""
    found, old = attributes(node), list(source.dims)
    if node.op_type == "Flatten":
        axis = found.get("axis", 1)
        if not -len(old) <= axis <= len(old):
            raise UnmodelledError("an axis of the map", axis)
        axis = axis if axis >= 0 else axis + len(old)
        return [prod(old[:axis]), prod(old[axis:])]
    if node.op_type == "Reshape":
        wanted = [int(each) for each in constants(node, rest)[0].ravel()]
        return _completed(wanted, old, keep_zeros=bool(found.get("allowzero")))
    axes = [int(each) for each in (constants(node, rest)[0].ravel() if rest else found.get("axes", []))]
    rank = len(old) + (len(axes) if node.op_type == "Unsqueeze" else 0)
    if any(not -rank <= each < rank for each in axes) or rank > 6:
        raise UnmodelledError("axes of the map", axes[:8])
    places = {each % rank for each in axes}
    if node.op_type == "Squeeze":
        places = places or {place for place, extent in enumerate(old) if extent == 1}
        return [extent for place, extent in enumerate(old) if place not in places]
    remaining = iter(old)
    return [1 if place in places else next(remaining) for place in range(rank)]


def _completed(wanted: list[int], old: list[int], *, keep_zeros: bool) -> list[int]:
    """With -1 and 0 replaced by what they stand for. Raises UnmodelledError."""
    if len(wanted) > 6 or min(wanted, default=0) < -1 or wanted.count(-1) > 1:
        raise UnmodelledError("a shape with one -1 at most", wanted[:8])
    dims = [
        old[place] if extent == 0 and not keep_zeros and place < len(old) else extent
        for place, extent in enumerate(wanted)
    ]
    if -1 in dims:
        others = prod(extent for extent in dims if extent != -1)
        dims[dims.index(-1)] = prod(old) // others if others else 0
    return dims


@operator("Transpose")
def transpose(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """The middle of a channel shuffle, heads of features, or what changes nothing in memory."""
    source = inputs_of(importing, node)[0]
    order = permutation(attributes(node).get("perm"), len(source.dims))
    _forget_reader(importing, node)
    heads = heads_transposed(source, order)
    if heads is not None:
        return [heads]
    moved = [place for place in order if source.dims[place] != 1]
    if all(before < after for before, after in pairwise(moved)):
        return [viewed(source, [source.dims[place] for place in order])]
    if source.map_dims is None or source.shuffled is not None:
        raise UnmodelledError("a transpose that leaves a map, or shuffles its channels", order)
    height, width, channels = source.map_dims
    batch, *rest = source.dims
    groups = rest[0] if rest else 0
    split = batch == importing.batch and groups and channels % groups == 0
    if split and rest == [groups, channels // groups, height, width] and order == [0, 2, 1, 3, 4]:
        return [replace(source, dims=(batch, channels // groups, groups, height, width), shuffled=groups)]
    if split and rest == [groups, channels // groups, height * width] and order == [0, 2, 1, 3]:
        return [replace(source, dims=(batch, channels // groups, groups, height * width), shuffled=groups)]
    if rest == [channels, height * width] and order == [0, 2, 1] and not source.by_token:
        return [replace(source, dims=(batch, height * width, channels), by_token=True)]
    raise UnmodelledError("a transpose that shuffles channels, or makes tokens of pixels", order)


@operator("Pad")
def pad(importing: Importing, node: onnx.NodeProto) -> list[Value]:
    """Zeros round a map, which become the padding of the convolution or pool that reads it."""
    source, *rest = inputs_of(importing, node)
    found = attributes(node)
    image(source)
    amounts = [int(each) for each in (constants(node, rest[:1])[0].ravel() if rest else found.get("pads", []))]
    zero = float(constants(node, rest[1:2])[0].ravel()[0]) if len(rest) > 1 else float(found.get("value", 0.0))
    mode = found.get("mode", b"constant")
    if mode != b"constant" or zero != 0 or len(amounts) != 8 or min(amounts) < 0 or any(amounts[:2] + amounts[4:6]):
        raise UnmodelledError("zeros round height and width", amounts[:8])
    if max(amounts) > 1 << 12:
        raise UnmodelledError("padding of at most 4096", max(amounts))
    top, left, bottom, right = amounts[2], amounts[3], amounts[6], amounts[7]
    return [replace(source, padded=(top, left, bottom, right))]
