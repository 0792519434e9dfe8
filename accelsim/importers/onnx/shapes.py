"""Shapes that nodes ask for, from their attributes and constant inputs."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from accelsim.importers.onnx.attributes import Attributes
from accelsim.importers.onnx.constants import MAX_RANK, checked_shape, integers
from accelsim.importers.onnx.tensors import Tensor, UnmodelledError


def transposed(shape: tuple[int, ...], order: Sequence[int] | None) -> list[int]:
    """The order of dimensions that a Transpose asks for; without one, the reverse. Raises UnmodelledError."""
    found = list(reversed(range(len(shape)))) if order is None else list(order)
    if sorted(found) != list(range(len(shape))):
        raise UnmodelledError(f"an order of {len(shape)} dimensions", found[:MAX_RANK])
    return found


def new_shape(op: str, shape: tuple[int, ...], rest: Sequence[Tensor | None], found: Attributes) -> tuple[int, ...]:
    """The shape that a Reshape, Flatten, Squeeze or Unsqueeze gives. Raises UnmodelledError."""
    given = rest[0] if rest and rest[0] is not None else None
    if op == "Flatten":
        axis = found.integer("axis", 1)
        axis = normalised([axis + len(shape) if axis < 0 else axis], len(shape) + 1)[0]
        return prod(shape[:axis]), prod(shape[axis:])
    if op == "Reshape":
        wanted = integers(given, "a shape") if given is not None else found.integers("shape") or []
        return _completed(wanted, shape, keep_zeros=bool(found.integer("allowzero", 0)))
    axes = integers(given, "axes") if given is not None else found.integers("axes")
    if op == "Squeeze":
        places = normalised(axes, len(shape)) if axes is not None else [i for i, each in enumerate(shape) if each == 1]
        if any(shape[place] != 1 for place in places):
            raise UnmodelledError("axes of one element", list(axes or []))
        return tuple(each for place, each in enumerate(shape) if place not in places)
    places = normalised(axes or [], len(shape) + len(axes or []))
    remaining = iter(shape)
    return tuple(1 if place in places else next(remaining) for place in range(len(shape) + len(places)))


def normalised(axes: Sequence[int], rank: int) -> list[int]:
    """Axes counted from the front, each once. Raises UnmodelledError."""
    found = [each + rank if each < 0 else each for each in axes]
    if any(not 0 <= each < rank for each in found) or len(set(found)) < len(found) or rank > MAX_RANK:
        raise UnmodelledError(f"axes of {rank} dimensions, each once", list(axes)[:MAX_RANK])
    return found


def _completed(wanted: list[int], shape: tuple[int, ...], *, keep_zeros: bool) -> tuple[int, ...]:
    if len(wanted) > MAX_RANK or min(wanted, default=0) < -1 or wanted.count(-1) > 1:
        raise UnmodelledError("a shape with one -1 at most", wanted[:MAX_RANK])
    dims = [
        shape[place] if size == 0 and not keep_zeros and place < len(shape) else size
        for place, size in enumerate(wanted)
    ]
    if -1 in dims:
        others = prod(size for size in dims if size != -1)
        dims[dims.index(-1)] = prod(shape) // others if others else 0
    if prod(dims) != prod(shape):
        raise UnmodelledError(f"a shape of {prod(shape)} elements", dims)
    return checked_shape(dims)


def slices_of(shape: tuple[int, ...], inputs: Sequence[Tensor | None], found: Attributes) -> dict[int, range]:
    """The indices that a Slice takes of each axis that it names. Raises UnmodelledError."""
    given = [None if each is None else integers(each, "a slice") for each in inputs]
    starts, ends, axes, steps = (*given, None, None, None, None)[:4]
    if starts is None and ends is None:
        starts, ends, axes = found.integers("starts"), found.integers("ends"), found.integers("axes")
    starts, ends = starts or [], ends or []
    axes = list(range(len(starts))) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise UnmodelledError("a start, end and step other than 0 for each axis", [len(starts), len(ends), len(axes)])
    places = normalised(axes, len(shape))
    return {
        place: range(*slice(start, end, step).indices(shape[place])) if step > 0 or end >= -shape[place]
        else range(*slice(start, None, step).indices(shape[place]))
        for place, start, end, step in zip(places, starts, ends, steps, strict=True)
    }  # fmt: skip


def split_sizes(extent: int, outputs: int, rest: Sequence[Tensor | None], found: Attributes) -> list[int]:
    """The length of each part of a Split. Raises UnmodelledError."""
    given = integers(rest[0], "sizes") if rest and rest[0] is not None else found.integers("split")
    if outputs < 1:
        raise UnmodelledError("parts of a map", "none")
    size = -(-extent // outputs)
    sizes = (
        given
        if given is not None
        else [min(size, max(0, extent - start)) for start in range(0, size * outputs, size or 1)]
    )
    if len(sizes) != outputs or sum(sizes) != extent or min(sizes, default=0) < 1:
        raise UnmodelledError(f"{outputs} parts of {extent}", sizes[:MAX_RANK])
    return sizes


def reduced_axes(shape: tuple[int, ...], rest: Sequence[Tensor | None], found: Attributes) -> list[int]:
    """The axes that a Reduce names; all, where it names none and does not say that this means none."""
    given = integers(rest[0], "axes") if rest and rest[0] is not None else found.integers("axes")
    if not given:
        return [] if found.integer("noop_with_empty_axes", 0) else list(range(len(shape)))
    return normalised(given, len(shape))
