"""TensorFlow Lite files for tests, written with the schema package."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import tflite

from accelsim.network.graph import INPUT, Network, Node

FLOAT, INT8, INT16, INT32 = (getattr(tflite.TensorType, name) for name in ("FLOAT32", "INT8", "INT16", "INT32"))
FUSED = {"none": 0, "relu": 1, "relu6": 3}
SAME, VALID = tflite.Padding.SAME, tflite.Padding.VALID


@dataclass
class Lite:
    """A model under way: tensors by number, and operators."""

    kind: int = FLOAT
    tensors: list[tuple[str, tuple[int, ...], int, np.ndarray[Any, Any] | None, int]] = field(default_factory=list)
    operators: list[tuple[str, list[int], list[int], str, dict[str, int | float | bool]]] = field(default_factory=list)

    def tensor(self, name: str, *shape: int, kind: int | None = None, channels: int = 1) -> int:
        """A tensor; quantised, with a scale for each of `channels`, where its elements are 8 or 16 bits wide."""
        self.tensors.append((name, shape, self.kind if kind is None else kind, None, channels))
        return len(self.tensors) - 1

    def numbers(self, *values: int, shape: Sequence[int] | None = None) -> int:
        """A constant of whole numbers."""
        array = np.array(values, dtype=np.int32).reshape(shape if shape is not None else len(values))
        self.tensors.append(("numbers", array.shape, INT32, array, 0))
        return len(self.tensors) - 1

    def add(
        self, op: str, inputs: Sequence[int], *outputs: int, options: str = "", **fields: int | float | bool
    ) -> int:
        """An operator; the number of its first output. options: the kind of its options, without the word."""
        self.operators.append((op, list(inputs), list(outputs), options, fields))
        return outputs[0]

    def bytes(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """The file."""
        builder = flatbuffers.Builder(1024)
        codes = list(dict.fromkeys(op for op, *_ in self.operators))
        made_codes = [_code(builder, op) for op in codes]
        buffers = [_buffer(builder, None)]
        tensors = []
        for each in self.tensors:
            if each[3] is not None:
                buffers.append(_buffer(builder, each[3]))
            tensors.append(_tensor(builder, each, len(buffers) - 1 if each[3] is not None else 0))
        operators = [_operator(builder, codes.index(each[0]), each) for each in self.operators]
        parts = [
            _vector(builder, tensors),
            _vector(builder, operators),
            *(builder.CreateNumpyVector(np.array(each, dtype=np.int32)) for each in (inputs, outputs)),
        ]
        graph = _table(builder, "SubGraph", Tensors=parts[0], Operators=parts[1], Inputs=parts[2], Outputs=parts[3])
        lists = [_vector(builder, each) for each in (made_codes, [graph], buffers)]
        model = _table(builder, "Model", Version=3, OperatorCodes=lists[0], Subgraphs=lists[1], Buffers=lists[2])
        builder.Finish(model, b"TFL3")
        return bytes(builder.Output())


def _table(builder: flatbuffers.Builder, name: str, **fields: Any) -> int:
    getattr(tflite, f"{name}Start")(builder)
    for key, value in fields.items():
        getattr(tflite, f"{name}Add{key}")(builder, value)
    return int(getattr(tflite, f"{name}End")(builder))


def _vector(builder: flatbuffers.Builder, items: Sequence[int]) -> int:
    builder.StartVector(4, len(items), 4)
    for each in reversed(items):
        builder.PrependUOffsetTRelative(each)
    return int(builder.EndVector())


def _code(builder: flatbuffers.Builder, op: str) -> int:
    number = getattr(tflite.BuiltinOperator, op, tflite.BuiltinOperator.CUSTOM)
    custom = {"CustomCode": builder.CreateString(op)} if number == tflite.BuiltinOperator.CUSTOM else {}
    return _table(
        builder, "OperatorCode", DeprecatedBuiltinCode=min(number, 127), BuiltinCode=number, Version=1, **custom
    )


def _buffer(builder: flatbuffers.Builder, values: np.ndarray[Any, Any] | None) -> int:
    data = {} if values is None else {"Data": builder.CreateByteVector(values.tobytes())}
    return _table(builder, "Buffer", **data)


def _tensor(builder: flatbuffers.Builder, tensor: Sequence[Any], buffer: int) -> int:
    name, shape, kind, _, channels = tensor
    fields = {"Name": builder.CreateString(name)}
    if kind in (INT8, INT16):
        scales = {"Scale": builder.CreateNumpyVector(np.ones(channels, dtype=np.float32))}
        zeros = builder.CreateNumpyVector(np.zeros(channels, dtype=np.int64))
        fields["Quantization"] = _table(builder, "QuantizationParameters", **scales, ZeroPoint=zeros)
    fields["Shape"] = builder.CreateNumpyVector(np.array(shape, dtype=np.int32))
    return _table(builder, "Tensor", **fields, Type=kind, Buffer=buffer)


def _operator(builder: flatbuffers.Builder, code: int, operator: Sequence[Any]) -> int:
    _, inputs, outputs, options, given = operator
    fields = {"OpcodeIndex": code}
    if options:
        fields["BuiltinOptions"] = _table(builder, f"{options}Options", **given)
        fields["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, f"{options}Options")
    lists = [builder.CreateNumpyVector(np.array(each, dtype=np.int32)) for each in (inputs, outputs)]
    return _table(builder, "Operator", **fields, Inputs=lists[0], Outputs=lists[1])


def lite_of(network: Network, kind: int) -> bytes:
    """A network as a converter would write it, its weights left out."""
    lite = Lite(kind)
    size = network.input
    numbers = {INPUT: lite.tensor("input", 1, size.height, size.width, size.channels)}
    first = numbers[INPUT]
    for node in network.nodes:
        numbers[node.name] = _node(lite, node, [numbers[name] for name in node.inputs])
    return lite.bytes([first], [numbers[network.nodes[-1].name]])


def _node(lite: Lite, node: Node, inputs: list[int]) -> int:
    shape = (1, node.output.height, node.output.width, node.output.channels)
    return WRITTEN[node.label](lite, node, inputs, lite.tensor(f"net/{node.name}/{node.label}", *shape))


def _window(node: Node) -> dict[str, int]:
    window = node.window
    padded = window.vertical.pad or window.vertical.pad_end
    return {
        "StrideH": window.vertical.stride,
        "StrideW": window.horizontal.stride,
        "Padding": SAME if padded else VALID,
    }


def _conv(lite: Lite, node: Node, inputs: list[int], output: int) -> int:
    kernel = (node.window.vertical.kernel, node.window.horizontal.kernel)
    channels = node.output.channels
    deep = node.label == "dwconv"
    shape = (1, *kernel, channels) if deep else (channels, *kernel, node.sizes[0].channels // node.groups)
    weights = lite.tensor(f"net/{node.name}/weights", *shape, channels=channels)
    bias = lite.tensor(f"net/{node.name}/bias", channels, kind=INT32)
    op, options = ("DEPTHWISE_CONV_2D", "DepthwiseConv2D") if deep else ("CONV_2D", "Conv2D")
    more = {"DilationHFactor": 1, "DilationWFactor": 1, "FusedActivationFunction": FUSED[node.activation]}
    return lite.add(op, [*inputs, weights, bias], output, options=options, **_window(node), **more)


def _fc(lite: Lite, node: Node, inputs: list[int], output: int) -> int:
    weights = lite.tensor("weights", node.output.channels, node.sizes[0].elements, channels=node.output.channels)
    flat = lite.tensor(f"{node.name}/MatMul", 1, node.output.channels)
    fused = {"FusedActivationFunction": FUSED[node.activation]}
    lite.add("FULLY_CONNECTED", [*inputs, weights, -1], flat, options="FullyConnected", **fused)
    return lite.add("RESHAPE", [flat, lite.numbers(1, 1, 1, node.output.channels)], output)


def _mean(lite: Lite, node: Node, inputs: list[int], output: int) -> int:
    return lite.add("MEAN", [*inputs, lite.numbers(1, 2)], output, options="Reducer", KeepDims=True)


def _pool(lite: Lite, node: Node, inputs: list[int], output: int) -> int:
    op = {"maxpool": "MAX_POOL_2D", "avgpool": "AVERAGE_POOL_2D"}[node.label]
    kernel = {"FilterHeight": node.window.vertical.kernel, "FilterWidth": node.window.horizontal.kernel}
    return lite.add(op, inputs, output, options="Pool2D", **kernel, **_window(node))


def _two(op: str, options: str) -> Callable[[Lite, Node, list[int], int], int]:
    def write(lite: Lite, node: Node, inputs: list[int], output: int) -> int:
        fused = {"FusedActivationFunction": FUSED[node.activation]}
        return lite.add(op, inputs, output, options=options, **fused)

    return write


def _one(op: str, options: str = "") -> Callable[[Lite, Node, list[int], int], int]:
    return lambda lite, node, inputs, output: lite.add(op, inputs, output, options=options)


def _concat(lite: Lite, node: Node, inputs: list[int], output: int) -> int:
    return lite.add("CONCATENATION", inputs, output, options="Concatenation", Axis=3)


def _hard_sigmoid(lite: Lite, node: Node, inputs: list[int], output: int) -> int:
    """Keras' hard sigmoid: x + 3, clipped, by 6."""
    shape = (1, node.output.height, node.output.width, node.output.channels)
    three, sixth = (lite.tensor(name, kind=lite.kind) for name in ("three", "sixth"))
    added = lite.add("ADD", [*inputs, three], lite.tensor("added", *shape), options="Add", FusedActivationFunction=3)
    return lite.add("MUL", [added, sixth], output, options="Mul")


WRITTEN: dict[str, Callable[[Lite, Node, list[int], int], int]] = {
    **dict.fromkeys(("conv", "gconv", "dwconv"), _conv),
    "fc": _fc,
    "gap": _mean,
    **dict.fromkeys(("maxpool", "avgpool"), _pool),
    "add": _two("ADD", "Add"),
    "scale": _two("MUL", "Mul"),
    "concat": _concat,
    "sigmoid": _one("LOGISTIC"),
    "hardswish": _one("HARD_SWISH"),
    "hardsigmoid": _hard_sigmoid,
    "softmax": _one("SOFTMAX", "Softmax"),
    "relu": _one("RELU"),
}
"""Writers of the layers of a network, by what tables call them."""


def saved(folder: Path, lite: Lite, inputs: Sequence[int], outputs: Sequence[int]) -> Path:
    """A model in a folder."""
    path = folder / "model.tflite"
    path.write_bytes(lite.bytes(inputs, outputs))
    return path
