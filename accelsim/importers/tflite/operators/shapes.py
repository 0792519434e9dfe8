"""Operators that change shapes, pick parts or reduce dimensions."""

from __future__ import annotations

import numpy as np
import tflite

from accelsim.importers.tflite.operators.call import Call, UntranslatedError, activated, translates


@translates("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "BITCAST")
def reshape(call: Call) -> str:
    """To the shape that the output has."""
    return call.add("Reshape", call.value(0), call.write.numbers(call.result().shape))


@translates("TRANSPOSE")
def transpose(call: Call) -> str:
    """Dimensions in another order."""
    return call.add("Transpose", call.value(0), perm=call.integers(1))


@translates("CONCATENATION")
def concatenation(call: Call) -> str:
    """Along a dimension, an activation behind it."""
    found = call.options(tflite.ConcatenationOptions)
    return activated(call, call.add("Concat", *call.values, axis=found.Axis()), found.FusedActivationFunction())


@translates("PACK")
def pack(call: Call) -> str:
    """Along a new dimension."""
    axis = call.options(tflite.PackOptions).Axis()
    shape = list(call.result().shape)
    axis %= len(shape)
    one = call.write.numbers([*shape[:axis], 1, *shape[axis + 1 :]])
    each = [call.add("Reshape", value, one) for value in call.values]
    return call.add("Concat", *each, axis=axis)


@translates("UNPACK")
def unpack(call: Call) -> list[str]:
    """Each part of a dimension, without it."""
    axis = call.options(tflite.UnpackOptions).Axis() % max(1, len(call.tensor(0).shape))
    count = len(call.operator.outputs)
    parts = call.write.several("Split", call.value(0), outputs=count, axis=axis, num_outputs=count)
    shape = call.write.numbers(call.result().shape)
    return [call.add("Reshape", part, shape) for part in parts]


@translates("SPLIT", "SPLIT_V")
def split(call: Call) -> list[str]:
    """Parts along a dimension: it and the map, or the map, the sizes and it."""
    equal = call.operator.name == "SPLIT"
    (axis,), source = (call.integers(0), call.value(1)) if equal else (call.integers(2), call.value(0))
    axis %= len(call.tensor(1 if equal else 0).shape)
    sizes = [call.result(place).shape[axis] for place in range(len(call.operator.outputs))]
    return call.write.several("Split", source, call.write.numbers(sizes), outputs=len(sizes), axis=axis)


@translates("SLICE")
def part(call: Call) -> str:
    """From a place on, of a size; -1 for all of the rest."""
    begin, size, shape = call.integers(1), call.integers(2), call.tensor(0).shape
    end = [whole if each < 0 else start + each for start, each, whole in zip(begin, size, shape, strict=True)]
    numbers = call.write.numbers
    return call.add("Slice", call.value(0), numbers(begin), numbers(end), numbers(range(len(shape))))


@translates("STRIDED_SLICE")
def strided_slice(call: Call) -> str:
    """From places to places in steps, some of them open, and some dimensions left out behind it."""
    found = call.options(tflite.StridedSliceOptions)
    if found.EllipsisMask() or found.NewAxisMask():
        raise UntranslatedError
    places, shape = range(len(call.integers(1))), call.tensor(0).shape
    begin, end, step = (call.integers(place) for place in (1, 2, 3))
    for place in places:
        one = found.ShrinkAxisMask() >> place & 1
        if one:
            begin[place] %= shape[place]
            end[place], step[place] = begin[place] + 1, 1
            continue
        far = 1 << 31
        if found.BeginMask() >> place & 1:
            begin[place] = 0 if step[place] > 0 else far
        if found.EndMask() >> place & 1:
            end[place] = far if step[place] > 0 else -far
    numbers = call.write.numbers
    made = call.add("Slice", call.value(0), numbers(begin), numbers(end), numbers(list(places)), numbers(step))
    return call.add("Reshape", made, numbers(call.result().shape)) if found.ShrinkAxisMask() else made


@translates("GATHER")
def gather(call: Call) -> str:
    """Parts of a dimension by numbers."""
    found = call.options(tflite.GatherOptions)
    if found.BatchDims():
        raise UntranslatedError
    return call.add("Gather", call.value(0), call.value(1), axis=found.Axis())


@translates("PAD", "PADV2", "MIRROR_PAD")
def pad(call: Call) -> str:
    """Before and behind each dimension."""
    both = np.array(call.integers(1)).reshape(-1, 2)
    mode = "constant"
    if call.operator.name == "MIRROR_PAD":
        if call.options(tflite.MirrorPadOptions).Mode() != tflite.MirrorPadMode.REFLECT:
            raise UntranslatedError
        mode = "reflect"
    return call.add("Pad", call.value(0), call.write.numbers([*both[:, 0], *both[:, 1]]), mode=mode)


@translates("TILE")
def tile(call: Call) -> str:
    """Repeated along each dimension."""
    return call.add("Tile", call.value(0), call.write.numbers(call.integers(1)))


@translates("BROADCAST_TO")
def broadcast(call: Call) -> str:
    """Repeated to a shape."""
    return call.add("Expand", call.value(0), call.write.numbers(call.result().shape))


@translates("SHAPE")
def shape_of(call: Call) -> str:
    """The shape of a tensor, which is known."""
    return call.write.numbers(call.tensor(0).shape)


_REDUCTIONS = {
    "MEAN": "ReduceMean", "SUM": "ReduceSum", "REDUCE_MAX": "ReduceMax", "REDUCE_MIN": "ReduceMin",
    "REDUCE_PROD": "ReduceProd",
}  # fmt: skip


@translates(*_REDUCTIONS)
def reduction(call: Call) -> str:
    """Over some dimensions."""
    keeps = int(call.options(tflite.ReducerOptions).KeepDims())
    axes = call.write.numbers(call.integers(1))
    return call.add(_REDUCTIONS[call.operator.name], call.value(0), axes, keepdims=keeps)


@translates("ARG_MAX", "ARG_MIN")
def place_of(call: Call) -> str:
    """The index of the largest element, or of the smallest."""
    (axis,) = call.integers(1)
    return call.add("ArgMax" if call.operator.name == "ARG_MAX" else "ArgMin", call.value(0), axis=axis, keepdims=0)
