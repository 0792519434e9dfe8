"""Operators on integers, with scales and zeros beside each tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from accelsim.importers.onnx.folding import folded
from accelsim.importers.onnx.operators.elementwise import folded_up
from accelsim.importers.onnx.operators.node import OPERATORS, Call, Translation, note_bits, operator, spatial
from accelsim.importers.onnx.operators.products import matrix_product, turned
from accelsim.importers.onnx.operators.windows import convolved, whole_pool
from accelsim.importers.onnx.tensors import Constant, FeatureMap, Tensor, UnmodelledError


@operator(
    "QuantizeLinear", "DequantizeLinear", "com.microsoft.QuantizeLinear", "com.microsoft.DequantizeLinear",
)  # fmt: skip
def quantize(call: Call) -> list[Tensor]:
    """Says how many bits the map before has; weights have those that they are stored in."""
    if isinstance(call.tensor(0), Constant):
        return folded(call.node, call.inputs, call.importing) or []
    source, zero = call.raw_map(), call.optional(2)
    bits = zero.bits if zero is not None else source.bits if call.op == "DequantizeLinear" else 8
    note_bits(call.importing, source.row, activation_bits=bits)
    return [replace(source, bits=bits)]


@operator("onnx.brevitas.Quant", "qonnx.custom_op.general.Quant", "qonnx.custom_op.general.IntQuant")
def fake_quantize(call: Call) -> list[Tensor]:
    """Says how many bits the map before has, or weights have, by a number."""
    return [_of_bits(call, _number(call.optional(3)))]


@operator("onnx.brevitas.Trunc", "qonnx.custom_op.general.Trunc")
def truncate(call: Call) -> list[Tensor]:
    """Says how many bits are left, by the number behind that of those before."""
    return [_of_bits(call, _number(call.optional(4)))]


@operator("onnx.brevitas.BipolarQuant", "qonnx.custom_op.general.BipolarQuant")
def binarise(call: Call) -> list[Tensor]:
    """Says that there is one bit."""
    return [_of_bits(call, 1)]


def _number(value: Tensor | None) -> int:
    """A number of bits; 8 where it is not known."""
    found = value.values if isinstance(value, Constant) else None
    return 8 if found is None or not found.size else min(max(int(found.ravel()[0]), 1), 32)


def _of_bits(call: Call, bits: int) -> Tensor:
    """The first input, its elements being of some bits."""
    if isinstance(source := call.tensor(0), Constant):
        return Constant(source.shape, None, bits)
    source = call.raw_map()
    note_bits(call.importing, source.row, activation_bits=bits)
    return source


@operator("DynamicQuantizeLinear")
def dynamic_quantize(call: Call) -> list[Tensor]:
    """A map of 8 bits, scaled by its own range; the scale and zero are one number each."""
    made = call.importing.made("step", call.map())
    return [made, Constant(()), Constant((), None, 8)]


@operator("QLinearConv")
def conv(call: Call) -> list[Tensor]:
    """x, its scale and zero, w, its scale and zero, those of y, bias."""
    weights = call.tensor(3)
    if not isinstance(weights, Constant):
        raise UnmodelledError("constant weights", f"a map of {list(weights.shape)}")
    return [_with_output(call, convolved(call, spatial(call), weights), 7)]


@operator("QLinearMatMul")
def matmul(call: Call) -> list[Tensor]:
    """a, its scale and zero, b, its scale and zero, those of y."""
    return [_with_output(call, matrix_product(call, call.tensor(0), call.tensor(3)), 7)]


@operator("com.microsoft.QGemm")
def gemm(call: Call) -> list[Tensor]:
    """A, its scale and zero, B, its scale and zero, C, those of Y."""
    left, right = call.tensor(0), call.tensor(3)
    left = turned(left) if call.attributes.integer("transA", 0) else left
    right = turned(right) if call.attributes.integer("transB", 0) else right
    return [matrix_product(call, left, right)]


def _with_output(call: Call, made: FeatureMap, zero: int) -> FeatureMap:
    given = call.optional(zero)
    note_bits(call.importing, made.row, activation_bits=given.bits if given is not None else None)
    return made


@operator("com.microsoft.QLinearAdd", "com.microsoft.QLinearMul")
def two_maps(call: Call) -> list[Tensor]:
    """A, its scale and zero, B, its scale and zero, those of C."""
    op = "add" if call.op == "QLinearAdd" else "mul"
    return [folded_up(call, op, [call.tensor(0), call.tensor(3)])]


@operator("com.microsoft.QLinearGlobalAveragePool")
def global_pool(call: Call) -> list[Tensor]:
    """The mean of each channel."""
    if call.attributes.integer("channels_last", 0):
        raise UnmodelledError("channels behind the images", "channels_last")
    return [whole_pool(call, spatial(replace(call, inputs=(call.map(),))), "gap")]


def _as(op: str, places: Sequence[int]) -> Translation:
    """Treat it as the operator of floats, on these inputs."""

    def function(call: Call) -> Sequence[Tensor]:
        return OPERATORS[op](replace(call, inputs=[call.optional(place) for place in places]))

    return function


OPERATORS["com.microsoft.QLinearSigmoid"] = _as("Sigmoid", (0,))
OPERATORS["com.microsoft.QLinearLeakyRelu"] = _as("LeakyRelu", (0,))
OPERATORS["com.microsoft.QLinearAveragePool"] = _as("AveragePool", (0,))
OPERATORS["com.microsoft.QLinearSoftmax"] = _as("Softmax", (0,))
OPERATORS["com.microsoft.QLinearReduceMean"] = _as("ReduceMean", (0,))


@operator("com.microsoft.QLinearConcat")
def concat(call: Call) -> Sequence[Tensor]:
    """Scale and zero of y, then each map with its own."""
    return OPERATORS["Concat"](replace(call, inputs=call.inputs[2::3]))
