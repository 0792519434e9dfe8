"""A model as a graph of ONNX, operator by operator."""

from __future__ import annotations

import onnx
from onnx import helper

from accelsim.importers.tflite.model import BROKEN, LiteModel, LiteOperator, MalformedError
from accelsim.importers.tflite.operators import TRANSLATIONS, Call, UntranslatedError
from accelsim.importers.tflite.writer import Writer


def translated(model: LiteModel) -> tuple[onnx.GraphProto, dict[str, int]]:
    """A model as a graph of ONNX, and the bits of its quantised maps, by value. Raises MalformedError."""
    write = Writer(model)
    constant = _constants(model)
    for number in model.inputs:
        if number not in constant:
            write.names[number] = f"{number}"
    for operator in model.operators:
        _write(write, operator)
    bits = {}
    for number, tensor in enumerate(model.tensors):
        if tensor.bits is not None and number in write.names:
            bits[write.names[number]] = tensor.bits
    return _graph(write), bits


def _constants(model: LiteModel) -> set[int]:
    made = {number for operator in model.operators for number in operator.outputs}
    return set(range(len(model.tensors))) - made - set(model.inputs)


def _write(write: Writer, operator: LiteOperator) -> None:
    """One operator as nodes. Raises MalformedError."""
    if not operator.outputs or any(number < 0 for number in operator.outputs):
        raise MalformedError(f"{operator.name} without outputs")
    write.label = write.tensor(operator.outputs[0]).name
    first = len(write.nodes)
    function = TRANSLATIONS.get(operator.name)
    try:
        found = None if function is None else function(Call(write, operator))
    except UntranslatedError:
        found = None
    except BROKEN:
        raise MalformedError(f"{operator.name} with inputs or options that it does not have") from None
    if found is None:
        del write.nodes[first:]
        found = write.unknown(operator)
    write.finish(first, operator, [found] if isinstance(found, str) else found)


def _graph(write: Writer) -> onnx.GraphProto:
    """All that is written, with the shape of every tensor as the file says."""
    model = write.model
    kind = onnx.TensorProto.FLOAT

    def info(number: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(write.names[number], kind, write.tensor(number).shape)

    inputs = [info(number) for number in model.inputs if write.names.get(number) == f"{number}"]
    outputs = [info(number) for number in model.outputs if number in write.names]
    graph = helper.make_graph(write.nodes, "main", inputs, outputs, write.constants)
    given = {each.name for each in (*inputs, *outputs)} | {each.name for each in write.constants}
    for number, name in write.names.items():
        if name not in given and write.tensor(number).shape:
            graph.value_info.append(info(number))
            given.add(name)
    return graph
