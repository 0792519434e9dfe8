"""Tensors side by side."""

from __future__ import annotations

from collections.abc import Sequence

from accelsim.importers.onnx.importing import Importing
from accelsim.importers.onnx.operators.node import Call, operator
from accelsim.importers.onnx.tensors import (
    Atom,
    Axes,
    FeatureMap,
    Tensor,
    UnmodelledError,
    aligned,
    extent,
    fresh,
    with_dim,
)


@operator("Concat")
def concat(call: Call) -> list[Tensor]:
    """Tensors side by side along a dimension."""
    there = [each for each in call.inputs if each is not None]
    maps = [each for each in there if isinstance(each, FeatureMap)]
    axis = call.axis(0, len(maps[0].dims))
    there = [each for each in there if each.shape[axis : axis + 1] != (0,)]
    like = maps[0]
    if like.repeated and len(maps) < len(there):
        like = call.importing.expanded(like, [atom for dim in like.dims for atom in dim if atom in like.repeated])
    parts = [as_map(call, each, like, axis) for each in there]
    return [joined(call, parts, axis)]


def as_map(call: Call, value: Tensor, like: FeatureMap, axis: int) -> FeatureMap:
    """A tensor as a map; a constant is read as one that lies like another, but for an axis. Raises UnmodelledError."""
    if isinstance(value, FeatureMap):
        return call.importing.padded(value) if value.pads else value
    if len(value.shape) != len(like.dims):
        raise UnmodelledError(f"tensors of {len(like.dims)} dimensions", list(value.shape))
    dims = tuple(
        fresh(size) if place == axis else tuple(Atom(each.extent) for each in like.without_batch(like.dims[place]))
        for place, size in enumerate(value.shape)
    )
    outside = [place for place in range(len(dims)) if place != axis]
    sizes_fit = all(value.shape[place] in (extent(dims[place]), 1) for place in outside)
    if not sizes_fit or (like.batch is not None and like.batch in like.dims[axis]):
        raise UnmodelledError("tensors that differ in one dimension", f"{list(value.shape)} beside {list(like.shape)}")
    lies = {
        old: new
        for place in outside
        for old, new in zip(like.without_batch(like.dims[place]), dims[place], strict=True)
    }
    own = set(like.dims[axis])
    found = [
        tuple(dims[axis] if atom in own else (lies[atom],) for atom in each) for each in
        (like.axes.rows, like.axes.cols, like.axes.channels)
    ]  # fmt: skip
    placed = False
    axes = []
    for each in found:
        atoms: list[Atom] = []
        for part in each:
            if part == dims[axis] and placed:
                continue
            placed = placed or part == dims[axis]
            atoms += part
        axes.append(tuple(atoms))
    if not placed and dims[axis]:
        axes[2] = (*dims[axis], *axes[2])
    with_images = tuple(
        (*call.importing.batch_dim, *dim)
        if like.batch is not None and like.batch in like.dims[place] and place != axis
        else dim
        for place, dim in enumerate(dims)
    )
    return call.importing.given(value, with_images, Axes(*axes))


def joined(call: Call, parts: Sequence[FeatureMap], axis: int) -> FeatureMap:
    """Maps side by side: channels by their addresses, rows or columns by moving them. Raises UnmodelledError.

    One alone is as it was.
    """
    first, importing = parts[0], call.importing
    if len(parts) == 1:
        return first
    if first.batch is not None and first.batch in first.dims[axis]:
        raise UnmodelledError("maps side by side, not images", list(first.shape))
    parts = _in_memory(importing, _alike(parts, axis), axis)
    first = parts[0]
    rest = [atom for atom in first.axes.all if atom not in first.dims[axis]]
    where = _joins_along(parts, axis)
    if where is None:
        pixels = any(set(each.dims[axis]) & set(each.axes.pixels) for each in parts)
        channels = tuple(atom for atom in first.axes.channels if atom in rest)
        others = tuple(atom for atom in first.axes.pixels if atom in rest)
        if pixels:
            parts = [importing.ordered(each, each.dims[axis], others, channels) for each in parts]
        else:
            parts = [importing.ordered(each, others, (), (*each.dims[axis], *channels)) for each in parts]
        where = 0 if pixels else 2
        first = parts[0]
    sizes = [list(each.axes.extents) for each in parts]
    extents = list(sizes[0])
    extents[where] = sum(size[where] for size in sizes)
    height, width, channels_ = extents
    sources = [each.row for each in parts]
    if where == 2:
        row = importing.row("concat", importing.grown(sources), (height, width, channels_))
        importing.concats[tuple(sources)] = row
    else:
        row = importing.row("join", sources, (height, width, channels_), axis=("height", "width")[where])
    total = fresh(sum(extent(each.dims[axis]) for each in parts))
    axes = [first.axes.rows, first.axes.cols, first.axes.channels]
    axes[where] = (*total, *(atom for atom in axes[where] if atom not in first.dims[axis]))
    return FeatureMap(with_dim(first.dims, axis, total), row, Axes(*axes), first.batch, first.repeated)


def _in_memory(importing: Importing, parts: Sequence[FeatureMap], axis: int) -> list[FeatureMap]:
    """Maps whose elements are repeated in memory where not all of them only mean it."""
    meant = set.intersection(*(set(each.repeated) for each in parts)) - {
        atom for each in parts for atom in each.dims[axis]
    }
    found = []
    for each in parts:
        missing = [atom for dim in each.dims for atom in dim if atom in each.repeated and atom not in meant]
        found.append(importing.expanded(each, missing) if missing else each)
    return found


def _alike(parts: Sequence[FeatureMap], axis: int) -> list[FeatureMap]:
    """Maps whose dimensions, but the one that is joined, have the very same factors. Raises UnmodelledError."""
    found = list(parts)
    for place in range(len(parts[0].dims)):
        if place == axis:
            continue
        for number in range(1, len(found)):
            both = shared(found[0], found[number], place)
            if both[0] is not found[0]:
                found[0] = both[0]
                return _alike(found, axis)
            found[number] = both[1]
    return found


def apart(first: FeatureMap, second: FeatureMap) -> FeatureMap:
    """The second of two maps, with factors of its own where it has those of the first in other dimensions."""
    places = {atom: place for place, dim in enumerate(first.dims) for atom in dim}
    if all(places.get(atom, place) == place for place, dim in enumerate(second.dims) for atom in dim):
        return second
    own = {atom for dim in second.dims for atom in dim} | set(second.axes.all)
    return second.swapped({atom: (Atom(atom.extent),) for atom in own if atom is not second.batch})


def shared(first: FeatureMap, second: FeatureMap, place: int) -> tuple[FeatureMap, FeatureMap]:
    """Two maps with a dimension of the very same factors."""
    second = apart(first, second)
    if len(first.dims) != len(second.dims) or extent(first.dims[place]) != extent(second.dims[place]):
        raise UnmodelledError("maps that differ in one dimension", f"{list(first.shape)} beside {list(second.shape)}")
    parts = aligned(first.dims[place], second.dims[place])
    if parts is None or (
        first.batch is not None and (first.batch in first.dims[place]) != (first.batch in second.dims[place])
    ):
        raise UnmodelledError("dimensions that are made alike", f"{list(first.shape)} beside {list(second.shape)}")
    if parts[0]:
        first = first.swapped(parts[0])
    second = second.swapped(parts[1])
    names = dict(zip(second.dims[place], first.dims[place], strict=True))
    second = second.swapped({old: (new,) for old, new in names.items() if old is not new})
    return first, second


def _joins_along(parts: Sequence[FeatureMap], axis: int) -> int | None:
    """The axis of the maps along which they can be joined as they lie; None where there is none."""
    for where in (2, 0, 1):
        fits = True
        others = None
        for each in parts:
            axes = [each.axes.rows, each.axes.cols, each.axes.channels]
            dim, own = each.dims[axis], axes[where]
            rest = (*(axes[other] for other in range(3) if other != where), own[len(dim) :])
            fits = fits and own[: len(dim)] == dim and (others is None or rest == others)
            others = rest
        if fits:
            unit = any(not each.dims[axis] for each in parts)
            if not unit or _unit_fits(parts, axis, where):
                return where
    return None


def _unit_fits(parts: Sequence[FeatureMap], axis: int, where: int) -> bool:
    """True where parts of one element may stand beside others along this axis."""
    larger = [each for each in parts if each.dims[axis]]
    if larger:
        return True
    axes = (parts[0].axes.rows, parts[0].axes.cols, parts[0].axes.channels)
    return where == 2 or not axes[where]
