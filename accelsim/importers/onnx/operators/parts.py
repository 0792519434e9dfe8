"""Parts of a map: channels where they lie, pixels cropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from math import prod
from typing import Any

from accelsim.importers.onnx.constants import known
from accelsim.importers.onnx.operators.joins import joined
from accelsim.importers.onnx.operators.node import OPERATORS, Call, operator
from accelsim.importers.onnx.shapes import slices_of, split_sizes
from accelsim.importers.onnx.tensors import (
    Atom,
    Axes,
    Constant,
    FeatureMap,
    Tensor,
    UnmodelledError,
    Values,
    extent,
    fresh,
    split_to,
    with_dim,
)

MOST_PARTS = 64
"""Rows that one node of indices becomes."""


@operator("Slice")
def slice_(call: Call) -> list[Tensor]:
    """A part of each axis, in steps."""
    source = call.raw_map()
    taken = slices_of(source.shape, call.inputs[1:], call.attributes)
    taken = {place: part for place, part in taken.items() if part != range(source.shape[place])}
    if taken and source.pads:
        source = call.importing.padded(source)
    for place, part in taken.items():
        source = taken_part(call, source, place, part)
    return [source]


@operator("Split")
def split(call: Call) -> list[Tensor]:
    """Parts of an axis, one behind the other."""
    source = call.map()
    axis = call.axis(0, len(source.dims))
    made, start, wanted = list[Tensor](), 0, call.importing.wanted
    for number, size in enumerate(
        split_sizes(source.shape[axis], len(call.node.output), call.inputs[1:], call.attributes)
    ):
        call.importing.wanted = f"{wanted}_{number}"
        made.append(taken_part(call, source, axis, range(start, start + size)))
        start += size
    return made


@operator("SplitToSequence")
def split_to_list(call: Call) -> list[Tensor]:
    """A list of the parts of an axis, of one element where it names no sizes."""
    source = call.map()
    axis, given = call.axis(0, len(source.dims)), call.optional(1)
    size = source.shape[axis]
    wanted = [1] if given is None else known(given, "sizes").ravel().tolist()
    if given is None or not given.shape:
        step = max(1, int(wanted[0]))
        wanted = [min(step, size - start) for start in range(0, size, step)]
    if sum(wanted) != size or min(wanted) < 1 or len(wanted) > MOST_PARTS:
        raise UnmodelledError(f"at most {MOST_PARTS} parts of {size}", wanted[:8])
    ends = list(accumulate(wanted))
    parts = [taken_part(call, source, axis, range(end - each, end)) for end, each in zip(ends, wanted, strict=True)]
    if given is None and not call.attributes.integer("keepdims", 1):
        parts = [replace(each, dims=(*each.dims[:axis], *each.dims[axis + 1 :])) for each in parts]
    call.importing.lists[call.node.output[0]] = parts
    return []


@operator("SequenceConstruct")
def as_list(call: Call) -> list[Tensor]:
    """A list of tensors."""
    call.importing.lists[call.node.output[0]] = [call.tensor(place) for place in range(len(call.inputs))]
    return []


def _listed(call: Call) -> Sequence[Tensor]:
    name = call.node.input[0]
    if name not in call.importing.lists:
        raise UnmodelledError("a list of tensors", "a tensor")
    return call.importing.lists[name]


@operator("SequenceAt")
def of_list(call: Call) -> list[Tensor]:
    """A tensor of a list."""
    tensors, place = _listed(call), int(known(call.tensor(1), "a place").ravel()[0])
    if not -len(tensors) <= place < len(tensors):
        raise UnmodelledError(f"a place among {len(tensors)}", place)
    _read_as_list(call, tensors[place])
    return [tensors[place]]


def _read_as_list(call: Call, taken: Tensor) -> None:
    """Count among the readers of a tensor of a list those of the list, and of the map itself."""
    readers, (name, *_) = call.importing.readers, call.node.output
    before = [call.node.input[0]]
    if isinstance(taken, FeatureMap):
        before.append(call.importing.latest.get(taken.row, ""))
    readers[name] = readers.get(name, 0) + sum(max(0, readers.get(each, 0) - 1) for each in before)


@operator("ConcatFromSequence")
def joined_list(call: Call) -> list[Tensor]:
    """The tensors of a list side by side."""
    if call.attributes.integer("new_axis", 0):
        raise UnmodelledError("tensors side by side along a dimension that they have", "a new one")
    return list(OPERATORS["Concat"](replace(call, inputs=_listed(call))))


@operator("Gather")
def gather(call: Call) -> list[Tensor]:
    """Elements of an axis by their numbers; rows of a table by the numbers in a map.

    Numbers that are in another file are taken as those from the first element on.
    """
    index = call.tensor(1)
    if isinstance(index, FeatureMap):
        return [embedded(call, index)]
    source = call.map()
    axis = call.axis(0, len(source.dims))
    runs = (
        runs_of(numbers_of(known(index, "indices"), source.shape[axis]))
        if index.values is not None
        else _any(index, source.shape[axis])
    )
    made = joined(call, [taken_part(call, source, axis, part) for part in runs], axis)
    dims = split_to(made.dims[axis], index.shape, None)
    made = made.swapped(dims[1])
    return [replace(made, dims=(*made.dims[:axis], *dims[0], *made.dims[axis + 1 :]))]


def numbers_of(index: Values, size: int) -> list[int]:
    """Numbers of elements, counted from the front. Raises UnmodelledError."""
    places = [int(each) + size * (each < 0) for each in index.ravel()]
    if not places or any(not 0 <= each < size for each in places):
        raise UnmodelledError(f"numbers of {size} elements", places[:8])
    return places


def _any(index: Constant, size: int) -> list[range]:
    """Elements in order, one for each number, from the front again where they are fewer. Raises UnmodelledError."""
    whole, rest = divmod(prod(index.shape), max(size, 1))
    if not 0 < whole + bool(rest) <= MOST_PARTS:
        raise UnmodelledError(f"numbers of {size} elements", list(index.shape))
    return [range(size)] * whole + [range(rest)] * bool(rest)


def runs_of(places: Sequence[int]) -> list[range]:
    """Numbers as few runs of equal steps. Raises UnmodelledError where they are many."""
    runs: list[range] = []
    start = 0
    while start < len(places):
        step = places[start + 1] - places[start] if start + 1 < len(places) else 1
        end = start + 1
        while end < len(places) and step and places[end] - places[end - 1] == step:
            end += 1
        runs.append(range(places[start], places[start] + (step or 1) * (end - start), step or 1))
        start = end
        if len(runs) > MOST_PARTS:
            raise UnmodelledError(f"indices in at most {MOST_PARTS} runs", "more")
    return runs


def embedded(call: Call, index: FeatureMap) -> FeatureMap:
    """A row of a table for each number of a map: read from DRAM, wherever it lies. Raises UnmodelledError."""
    table = call.constant(0, "a table that is constant, or numbers that are")
    if not table.shape or call.axis(0, len(table.shape)) != 0:
        raise UnmodelledError("rows of a table", f"elements along another axis of {list(table.shape)}")
    pixels = tuple(atom for dim in index.dims for atom in index.without_batch(dim))
    rest = [fresh(size) for size in table.shape[1:]]
    channels = tuple(atom for dim in rest for atom in dim)
    return call.importing.given(table, (*index.dims, *rest), Axes(pixels, (), channels), "_table")


def taken_part(call: Call, source: FeatureMap, place: int, part: range) -> FeatureMap:
    """Some elements of a dimension. Raises UnmodelledError where they are images, or none."""
    dim = source.dims[place]
    if part == range(extent(dim)):
        return source
    if len(part) < 1 or (source.batch is not None and source.batch in dim):
        raise UnmodelledError("a part of a map, not of the images", f"{len(part)} of {list(source.shape)}")
    if source.repeated & set(dim):
        rest = tuple(atom for atom in dim if atom not in source.repeated)
        if not rest:
            own = fresh(len(part))
            return replace(
                source, dims=with_dim(source.dims, place, own), repeated=source.repeated - set(dim) | set(own)
            )
        source = call.importing.ordered(source, source.axes.rows, source.axes.cols, (*dim, *(
            atom for atom in source.axes.channels if atom not in dim
        )))  # fmt: skip
    outer, inner = dim[0], extent(dim[1:])
    if len(dim) > 1 and part.step == 1 and part.start % inner == 0 and len(part) % inner == 0:
        whole = range(part.start // inner, (part.start + len(part)) // inner)
        return _part_of_atom(call, source, outer, whole)
    if len(dim) > 1:
        source = _as_one(call, source, place)
    return _part_of_atom(call, source, source.dims[place][0], part)


def _as_one(call: Call, source: FeatureMap, place: int) -> FeatureMap:
    """With a dimension as a factor of its own, neighbours in the map being joined. Raises UnmodelledError."""
    dim = source.dims[place]
    axes = [source.axes.rows, source.axes.cols, source.axes.channels]
    one = fresh(extent(dim))
    for number, axis in enumerate(axes):
        for start in range(len(axis) - len(dim) + 1):
            if axis[start : start + len(dim)] == dim:
                axes[number] = (*axis[:start], *one, *axis[start + len(dim) :])
                return replace(source, dims=with_dim(source.dims, place, one), axes=Axes(*axes))
    own = set(dim)
    pixels = tuple(atom for atom in source.axes.pixels if atom not in own)
    channels = tuple(atom for atom in source.axes.channels if atom not in own)
    if own & set(source.axes.pixels):
        source = call.importing.ordered(source, dim, pixels, channels)
    else:
        source = call.importing.ordered(source, source.axes.rows, source.axes.cols, (*dim, *channels))
    return _as_one(call, source, place)


def _part_of_atom(call: Call, source: FeatureMap, atom: Atom, part: range) -> FeatureMap:
    """Some elements of a factor: channels where they lie, or a crop."""
    axes = [source.axes.rows, source.axes.cols, source.axes.channels]
    axis = next(number for number, each in enumerate(axes) if atom in each)
    inner = extent(axes[axis][axes[axis].index(atom) + 1 :])
    if axes[axis][0] is not atom or (inner > 1 and part.step != 1):
        rest = tuple(each for each in axes[axis] if each is not atom)
        if axis < 2 and not axes[1 - axis]:
            source = call.importing.ordered(source, (atom,), rest, source.axes.channels)
        elif axis == 2 and part.step == 1:
            source = call.importing.ordered(source, axes[0], axes[1], (atom, *rest))
        else:
            source = call.importing.ordered(
                source, (atom,), (), tuple(each for each in source.axes.all if each is not atom)
            )
        return _part_of_atom(call, source, atom, part)
    new = fresh(len(part))
    extents = list(source.axes.extents)
    extents[axis] = len(part) * inner
    height, width, channels = extents
    if axis == 2 and part.step == 1:
        keys: dict[str, Any] = {"first": part.start * inner} if part.start else {}
        row = call.importing.row("slice", [source.row], (height, width, channels), channels=channels, **keys)
    else:
        first, step = [0, 0, 0], [1, 1, 1]
        first[axis], step[axis] = part.start * inner, part.step
        row = call.importing.row(
            "crop", [source.row], (height, width, channels),
            height=height, width=width, channels=channels, first=first, step=step,
        )  # fmt: skip
    made = source.swapped({atom: new})
    return replace(made, row=row, bits=None)
