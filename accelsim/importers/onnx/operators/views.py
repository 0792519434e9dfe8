"""Other shapes of the same elements, and other orders of dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from accelsim.importers.onnx.constants import checked_shape, integers
from accelsim.importers.onnx.operators.node import Call, images_of, operator
from accelsim.importers.onnx.shapes import new_shape, transposed
from accelsim.importers.onnx.tensors import (
    Atom,
    Axes,
    Constant,
    FeatureMap,
    Tensor,
    UnmodelledError,
    extent,
    fresh,
    split_to,
)


@operator("Identity", "Dropout", "Cast", "CastLike", "BitCast")
def same(call: Call) -> list[Tensor]:
    """Operators that do nothing at inference."""
    return [call.raw_map()]


@operator("RandomNormalLike", "RandomUniformLike", "EyeLike")
def made_up(call: Call) -> list[Tensor]:
    """Numbers that do not depend on the map, read as a constant of its shape is."""
    return [Constant(call.map().shape)]


@operator("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def reshape(call: Call) -> list[Tensor]:
    """Another shape of the same elements in the same order."""
    if call.op == "Unsqueeze" and not call.attributes.integers("axes") and call.optional(1) is None:
        raise UnmodelledError("axes", "none")
    source = call.map()
    return [reshaped(call, source, new_shape(call.op, source.shape, call.inputs[1:], call.attributes))]


def reshaped(call: Call, source: FeatureMap, shape: Sequence[int]) -> FeatureMap:
    """The same elements in another shape; moved, where the shape cuts across the map's. Raises UnmodelledError."""
    atoms = [atom for dim in source.dims for atom in dim]
    try:
        dims, parts = split_to(atoms, shape, source.batch)
    except ValueError:
        if source.batch is not None and (not atoms or atoms[0] is not source.batch):
            raise UnmodelledError("a shape that leaves the images apart", list(shape)) from None
        flat = call.importing.ordered(source, (), (), tuple(atom for atom in atoms if atom is not source.batch))
        one = fresh(prod(flat.axes.extents))
        whole = (*call.importing.batch_dim, *one)
        try:
            dims, parts = split_to(whole, shape, source.batch)
        except ValueError:
            raise UnmodelledError("a shape that leaves the images apart", list(shape)) from None
        source = replace(flat, dims=(whole,), axes=Axes((), (), one))
    return replace(source.swapped(parts), dims=tuple(dims))


@operator("Transpose")
def transpose(call: Call) -> list[Tensor]:
    """Dimensions in another order."""
    source = call.raw_map()
    order = transposed(source.shape, call.attributes.integers("perm"))
    pads = tuple(source.pads[each] for each in order) if source.pads else ()
    return [replace(source, dims=tuple(source.dims[each] for each in order), pads=pads)]


@operator("DepthToSpace")
def depth_to_space(call: Call) -> list[Tensor]:
    """Channels as rows and columns."""
    source, block = images_of(call, call.map()), call.attributes.integer("blocksize", 1)
    mode = call.attributes.text("mode", "DCR")
    if len(source.dims) != 4 or block < 1 or extent(source.dims[1]) % block**2:
        raise UnmodelledError(f"a multiple of {block} x {block} channels", list(source.shape))
    images, channels, height, width = source.shape
    each = channels // block**2
    inner = (block, block, each) if mode == "DCR" else (each, block, block)
    apart = reshaped(call, source, (images, *inner, height, width))
    order = [0, 3, 4, 1, 5, 2] if mode == "DCR" else [0, 1, 4, 2, 5, 3]
    moved = replace(apart, dims=tuple(apart.dims[place] for place in order))
    return [reshaped(call, moved, (images, each, height * block, width * block))]


@operator("SpaceToDepth")
def space_to_depth(call: Call) -> list[Tensor]:
    """Rows and columns as channels."""
    source, block = images_of(call, call.map()), call.attributes.integer("blocksize", 1)
    if len(source.dims) != 4 or block < 1 or any(size % block for size in source.shape[2:]):
        raise UnmodelledError(f"height and width that {block} divides", list(source.shape))
    images, channels, height, width = source.shape
    apart = reshaped(call, source, (images, channels, height // block, block, width // block, block))
    moved = replace(apart, dims=tuple(apart.dims[place] for place in (0, 3, 5, 1, 2, 4)))
    return [reshaped(call, moved, (images, channels * block**2, height // block, width // block))]


def _tiled(source: FeatureMap, times: Sequence[int]) -> FeatureMap:
    """Each dimension as often as it says, one behind the other."""
    if len(times) != len(source.dims) or min(times) < 1:
        raise UnmodelledError(f"{len(source.dims)} numbers of at least 1", list(times)[:8])
    checked_shape([each * size for each, size in zip(times, source.shape, strict=True)])
    outer = [fresh(each) for each in times]
    dims = tuple((*new, *dim) for new, dim in zip(outer, source.dims, strict=True))
    return replace(source, dims=dims, repeated=source.repeated.union(*outer))


@operator("Expand", "Tile")
def expand(call: Call) -> list[Tensor]:
    """A map whose elements are meant several times."""
    source, wanted = call.map(), integers(call.tensor(1), "a shape")
    if call.op == "Tile":
        return [_tiled(source, wanted)]
    wanted = [1] * (len(source.dims) - len(wanted)) + wanted
    source = replace(source, dims=(*((),) * (len(wanted) - len(source.dims)), *source.dims))
    checked_shape(wanted)
    dims, added = list(source.dims), set[Atom]()
    for place, size in enumerate(wanted):
        if size not in (1, extent(dims[place])):
            if extent(dims[place]) > 1 or size < 1:
                raise UnmodelledError(f"a shape that {list(source.shape)} can be repeated to", wanted[:8])
            dims[place] = fresh(size)
            added.update(dims[place])
    return [replace(source, dims=tuple(dims), repeated=source.repeated | added)]
