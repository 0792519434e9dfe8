"""Elements and blocks of a map by the numbers of their places: taken, or replaced by others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np

from accelsim.importers.onnx.operators.joins import as_map, joined
from accelsim.importers.onnx.operators.node import PLACES, Call, operator
from accelsim.importers.onnx.operators.parts import MOST_PARTS, numbers_of, runs_of, taken_part
from accelsim.importers.onnx.operators.views import reshaped
from accelsim.importers.onnx.tensors import (
    MAX_KNOWN,
    Constant,
    FeatureMap,
    Tensor,
    UnmodelledError,
    Values,
)


@operator("GatherND")
def gather_blocks(call: Call) -> list[Tensor]:
    """Blocks of a map by the numbers of their first dimensions."""
    source = call.map()
    if call.attributes.integer("batch_dims", 0):
        raise UnmodelledError("numbers of the first dimensions", "of those behind some")
    index = _known_places(call)
    outer, rest = _outer(source, index), source.shape[index.shape[-1] :]
    numbers = _flat(list(np.moveaxis(index, -1, 0)), outer)
    blocks = _taken(call, reshaped(call, source, (prod(outer), *rest)), numbers)
    return [reshaped(call, blocks, (*index.shape[:-1], *rest))]


@operator("GatherElements")
def gather_elements(call: Call) -> list[Tensor]:
    """An element for each number of its place along an axis; of a table by the numbers of a map, read from DRAM."""
    table = call.tensor(0)
    if isinstance(table, Constant):
        index = call.map(1)
        return [call.importing.given(replace(table, shape=index.shape), index.dims, index.axes, "_table")]
    source, numbers = call.map(), _known_places(call)
    axis = call.axis(0, len(source.dims))
    elements = _flat_elements(source, numbers, axis)
    along = np.moveaxis(numbers, axis, 0).reshape(numbers.shape[axis], -1)
    if np.all(along == along[:, :1]):
        for place, size in enumerate(numbers.shape):
            source = taken_part(call, source, place, range(size)) if place != axis else source
        return [_taken(call, source, numbers_of(along[:, 0], source.shape[axis]), axis)]
    flat = reshaped(call, source, (prod(source.shape),))
    return [reshaped(call, _taken(call, flat, elements), numbers.shape)]


@operator("ScatterND")
def replace_blocks(call: Call) -> list[Tensor]:
    """A map with some blocks replaced, by the numbers of their first dimensions."""
    data, index, blocks = call.tensor(0), _known_places(call), call.tensor(2)
    outer, rest = _outer(data, index), data.shape[index.shape[-1] :]
    return [_replaced(call, data, blocks, _flat(list(np.moveaxis(index, -1, 0)), outer), (prod(outer), *rest))]


@operator("ScatterElements")
def replace_elements(call: Call) -> list[Tensor]:
    """A map with some elements replaced, by the numbers of their places along an axis."""
    data, index, elements = call.tensor(0), _known_places(call), call.tensor(2)
    numbers = _flat_elements(data, index, call.axis(0, len(data.shape)))
    return [_replaced(call, data, elements, numbers, (prod(data.shape),))]


def _known_places(call: Call) -> Values:
    """The numbers of places. Raises UnmodelledError where they are computed, or not known."""
    index = call.tensor(1)
    if not isinstance(index, Constant):
        raise UnmodelledError(PLACES, f"a map of {list(index.shape)} that says where")
    if index.values is None or index.values.dtype.kind not in "iu" or not index.values.size or not index.shape:
        raise UnmodelledError(f"numbers of places in the file, {MAX_KNOWN} at most", list(index.shape))
    return index.values.astype(np.int64)


def _outer(data: Tensor, index: Values) -> tuple[int, ...]:
    """The dimensions that blocks are numbered by. Raises UnmodelledError."""
    if not 1 <= index.shape[-1] <= len(data.shape):
        raise UnmodelledError("numbers of the first dimensions", list(index.shape))
    return data.shape[: index.shape[-1]]


def _flat(numbers: Sequence[Values], shape: Sequence[int]) -> list[int]:
    """Numbers of each dimension as those of elements, in order. Raises UnmodelledError."""
    places = [np.asarray(numbers_of(each, size)) for each, size in zip(numbers, shape, strict=True)]
    return [int(each) for each in np.ravel_multi_index(tuple(places), tuple(shape)).ravel()]


def _flat_elements(data: Tensor, index: Values, axis: int) -> list[int]:
    """Numbers along an axis as those of elements, in order. Raises UnmodelledError."""
    if index.ndim != len(data.shape):
        raise UnmodelledError(f"numbers of {len(data.shape)} dimensions", list(index.shape))
    numbers: list[Values] = list(np.indices(index.shape))
    numbers[axis] = index
    return _flat(numbers, data.shape)


def _taken(call: Call, source: FeatureMap, numbers: Sequence[int], axis: int = 0) -> FeatureMap:
    """Elements of a dimension by their numbers."""
    return joined(call, [taken_part(call, source, axis, part) for part in runs_of(numbers)], axis)


def _replaced(call: Call, data: Tensor, others: Tensor, numbers: Sequence[int], shape: tuple[int, ...]) -> FeatureMap:
    """Blocks of a tensor, some of them others, as a tensor of its shape. Raises UnmodelledError.

    shape: of the blocks side by side; numbers: of those that are replaced, in the order of the others.
    """
    if call.attributes.text("reduction", "none") != "none" or len(set(numbers)) < len(numbers):
        raise UnmodelledError("places that are written once, and not added to", "others")
    found = _blocks(call, data, shape), _blocks(call, others, (len(numbers), *shape[1:]))
    like = next(each for each in found if isinstance(each, FeatureMap))
    whole, new = (as_map(call, each, like, 0) for each in found)
    parts, start = list[FeatureMap](), 0
    for first, run in _in_order(numbers):
        if start < first:
            parts.append(taken_part(call, whole, 0, range(start, first)))
        parts.append(taken_part(call, new, 0, run))
        start = first + len(run)
    if start < shape[0]:
        parts.append(taken_part(call, whole, 0, range(start, shape[0])))
    return reshaped(call, joined(call, parts, 0), data.shape)


def _blocks(call: Call, value: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A tensor as blocks. Raises UnmodelledError where they are not as many."""
    if prod(value.shape) != prod(shape):
        raise UnmodelledError(f"blocks of {list(shape)}", list(value.shape))
    return reshaped(call, value, shape) if isinstance(value, FeatureMap) else replace(value, shape=shape)


def _in_order(numbers: Sequence[int]) -> list[tuple[int, range]]:
    """Places that stand together, in order: the first, and which of the numbers they are. Raises UnmodelledError."""
    runs: list[tuple[int, range]] = []
    for place in sorted(range(len(numbers)), key=numbers.__getitem__):
        first, run = runs[-1] if runs else (0, range(0))
        if run and place == run.stop and numbers[place] == first + len(run):
            runs[-1] = (first, range(run.start, run.stop + 1))
        else:
            runs.append((numbers[place], range(place, place + 1)))
    if len(runs) > MOST_PARTS:
        raise UnmodelledError(f"places in at most {MOST_PARTS} runs", len(runs))
    return runs
