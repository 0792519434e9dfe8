"""Constants of which elements are taken, joined, moved or filled up."""

from __future__ import annotations

import numpy as np

from accelsim.importers.onnx.attributes import Attributes
from accelsim.importers.onnx.constants import checked_shape, integers
from accelsim.importers.onnx.results import ConstantFold, Inputs, first_of, result
from accelsim.importers.onnx.shapes import new_shape, normalised, slices_of, split_sizes, transposed
from accelsim.importers.onnx.tensors import MAX_KNOWN, Constant, Values


def turned(inputs: Inputs, found: Attributes, outputs: int) -> list[Constant]:
    """Dimensions in another order."""
    del outputs
    shape = first_of(inputs).shape
    order = transposed(shape, found.integers("perm"))
    return result([shape[each] for each in order], inputs, lambda values: values[0].transpose(order))


def reshaped(op: str) -> ConstantFold:
    """Another shape of the same elements: by a Reshape, Flatten, Squeeze or Unsqueeze."""

    def fold(inputs: Inputs, found: Attributes, outputs: int) -> list[Constant]:
        del outputs
        shape = new_shape(op, first_of(inputs).shape, inputs[1:], found)
        return result(shape, inputs[:1], lambda values: values[0].reshape(shape))

    return fold


def joined(inputs: Inputs, found: Attributes, outputs: int) -> list[Constant]:
    """Tensors side by side along a dimension."""
    del outputs
    shapes = [each.shape for each in inputs if each is not None]
    axis = normalised([found.integer("axis", 0)], len(shapes[0]))[0]
    if any(shape[:axis] + shape[axis + 1 :] != shapes[0][:axis] + shapes[0][axis + 1 :] for shape in shapes):
        raise ValueError
    shape = (*shapes[0][:axis], sum(each[axis] for each in shapes), *shapes[0][axis + 1 :])
    return result(shape, inputs, lambda values: np.concatenate(values, axis))


def sliced(inputs: Inputs, found: Attributes, outputs: int) -> list[Constant]:
    """A part of each axis, in steps."""
    del outputs
    shape = first_of(inputs).shape
    taken = slices_of(shape, inputs[1:], found)
    dims = [len(taken[place]) if place in taken else size for place, size in enumerate(shape)]

    def compute(values: list[Values]) -> Values:
        made = values[0]
        for place, indices in taken.items():
            made = made.take(list(indices), axis=place)
        return made

    return result(dims, inputs[:1], compute)


def gathered(inputs: Inputs, found: Attributes, outputs: int) -> list[Constant]:
    """Elements of an axis by their numbers."""
    del outputs
    data, index = first_of(inputs), inputs[1] or Constant(())
    axis = normalised([found.integer("axis", 0)], len(data.shape))[0]
    shape = (*data.shape[:axis], *index.shape, *data.shape[axis + 1 :])
    return result(shape, [data, index], lambda values: values[0].take(values[1].astype(np.int64), axis))


def gathered_blocks(inputs: Inputs, found: Attributes, outputs: int) -> list[Constant]:
    """Blocks of a tensor by the numbers of their first dimensions."""
    del outputs
    data, index = first_of(inputs), inputs[1] or Constant(())
    alike = found.integer("batch_dims", 0)
    if not index.shape or not 0 <= alike < min(len(index.shape), len(data.shape)):
        raise ValueError
    shape = (*index.shape[:-1], *data.shape[alike + index.shape[-1] :])
    return [Constant(shape)] if alike else result(shape, [data, index], lambda values: values[0][_places(values[1])])


def scattered_blocks(inputs: Inputs, found: Attributes, outputs: int) -> list[Constant]:
    """A tensor with some blocks replaced."""
    del outputs

    def compute(values: list[Values]) -> Values:
        made = values[0].copy()
        made[_places(values[1])] = values[2]
        return made

    data = first_of(inputs)
    plain = found.text("reduction", "none") == "none"
    return result(data.shape, inputs, compute) if plain else [Constant(data.shape)]


def _places(index: Values) -> tuple[Values, ...]:
    return tuple(np.moveaxis(index.astype(np.int64), -1, 0))


def triangle(inputs: Inputs, found: Attributes, outputs: int) -> list[Constant]:
    """A matrix with zeros above or below a diagonal."""
    del outputs
    data, shift = first_of(inputs), inputs[1] if len(inputs) > 1 else Constant((), np.zeros((), np.int64))
    if len(data.shape) < 2 or shift is None or shift.values is None:
        return [Constant(data.shape)]
    cut, by = (np.triu if found.integer("upper", 1) else np.tril), int(shift.values.ravel()[0])
    return result(data.shape, [data], lambda values: cut(values[0], min(max(by, -MAX_KNOWN), MAX_KNOWN)))


def padded(inputs: Inputs, found: Attributes, outputs: int) -> list[Constant]:
    """A tensor with elements round it; cut off, where their count is negative."""
    del outputs
    data = first_of(inputs)
    given = found.integers("pads") if len(inputs) < 2 else integers(inputs[1] or Constant(()), "padding")
    axes = inputs[3] if len(inputs) > 3 else None
    rank = len(data.shape)
    places = list(range(rank)) if axes is None else normalised(integers(axes, "axes"), rank)
    amounts = given or []
    if len(amounts) != 2 * len(places):
        raise ValueError
    pads = [(0, 0)] * rank
    for number, place in enumerate(places):
        pads[place] = amounts[number], amounts[number + len(places)]
    shape = checked_shape([size + sum(pad) for size, pad in zip(data.shape, pads, strict=True)])
    plain = found.text("mode", "constant") == "constant" and min(map(min, pads), default=0) >= 0
    fill = inputs[2].values if len(inputs) > 2 and inputs[2] is not None else np.zeros(1)
    if not plain or fill is None:
        return [Constant(shape, bits=data.bits)]
    return result(shape, [data], lambda values: np.pad(values[0], pads, constant_values=fill.ravel()[0]))


def one_for_each_index(inputs: Inputs, found: Attributes, outputs: int) -> list[Constant]:
    """An element for each number of another tensor."""
    del found, outputs
    return [Constant((inputs[1] or Constant(())).shape)]


def expanded(inputs: Inputs, found: Attributes, outputs: int) -> list[Constant]:
    """A tensor repeated to a shape."""
    del found, outputs
    wanted = checked_shape(integers(inputs[1] or Constant(()), "a shape"))
    shape = np.broadcast_shapes(first_of(inputs).shape, wanted)
    return result(shape, inputs[:1], lambda values: np.broadcast_to(values[0], shape))


def tiled(inputs: Inputs, found: Attributes, outputs: int) -> list[Constant]:
    """A tensor side by side with itself."""
    del found, outputs
    times = integers(inputs[1] or Constant(()), "repetitions")
    shape = checked_shape([a * b for a, b in zip(first_of(inputs).shape, times, strict=True)])
    return result(shape, inputs[:1], lambda values: np.tile(values[0], times))


def parted(inputs: Inputs, found: Attributes, outputs: int) -> list[Constant]:
    """Parts of an axis, one behind the other."""
    data = first_of(inputs)
    axis = normalised([found.integer("axis", 0)], len(data.shape))[0]
    sizes = split_sizes(data.shape[axis], outputs, inputs[1:], found)
    made, start = list[Constant](), 0
    for size in sizes:
        made += _part(data, axis, range(start, start + size))
        start += size
    return made


def _part(data: Constant, axis: int, part: range) -> list[Constant]:
    """Some elements of a dimension."""
    shape = (*data.shape[:axis], len(part), *data.shape[axis + 1 :])
    return result(shape, [data], lambda values: values[0].take(part, axis))
