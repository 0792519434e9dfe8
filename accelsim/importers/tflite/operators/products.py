"""Products with weights or of two tensors."""

from __future__ import annotations

import tflite

from accelsim.importers.tflite.operators.call import Call, activated, translates


@translates("FULLY_CONNECTED")
def fully_connected(call: Call) -> str:
    """Weights are (outputs, inputs); all of an image is one vector, but where the dimensions are to stay."""
    found, write = call.options(tflite.FullyConnectedOptions), call.write
    inputs = call.tensor(1).shape[-1]
    source = call.value(0)
    weights = write.transposed(call.value(1), (1, 0))
    if not found.KeepNumDims() and len(call.tensor(0).shape) != 2:
        source = write.add("Reshape", source, write.numbers([-1, inputs]))
    made = write.add("MatMul", source, weights)
    if call.given(2):
        made = write.add("Add", made, call.value(2))
    return activated(call, made, found.FusedActivationFunction())


@translates("BATCH_MATMUL")
def batch_matmul(call: Call) -> str:
    """Product of two tensors, either perhaps turned."""
    found = call.options(tflite.BatchMatMulOptions)
    sides = []
    for place, turned in ((0, found.AdjX()), (1, found.AdjY())):
        rank = len(call.tensor(place).shape)
        value = call.value(place)
        order = [*range(rank - 2), rank - 1, rank - 2]
        sides.append(call.write.transposed(value, order) if turned else value)
    return call.add("MatMul", *sides)


@translates("UNIDIRECTIONAL_SEQUENCE_LSTM")
def lstm(call: Call) -> str:
    """Weights of the input, forget, cell and output gate from inputs, then from the state, each on its own."""
    found, write = call.options(tflite.UnidirectionalSequenceLSTMOptions), call.write
    units, inputs = call.tensor(2).shape
    source = call.value(0) if found.TimeMajor() else write.transposed(call.value(0), (1, 0, 2))
    like = call.tensor(2)
    gates = [write.shaped(like, (1, 4 * units, width)) for width in (inputs, call.tensor(6).shape[1])]
    made = write.add("LSTM", source, *gates, hidden_size=units)
    made = write.add("Squeeze", made, write.numbers([1]))
    return made if found.TimeMajor() else write.transposed(made, (1, 0, 2))


@translates("EMBEDDING_LOOKUP")
def embedding(call: Call) -> str:
    """Rows of a table by numbers."""
    return call.add("Gather", call.value(1), call.value(0))
