"""Operators that go element by element."""

from __future__ import annotations

import tflite

from accelsim.importers.tflite.operators.call import (
    TRANSLATIONS,
    Call,
    Translation,
    activated,
    bounded,
    translates,
)  # fmt: skip

_PLAIN = {
    "RELU": "Relu", "ELU": "Elu", "LOGISTIC": "Sigmoid", "TANH": "Tanh", "HARD_SWISH": "HardSwish", "GELU": "Gelu",
    "EXP": "Exp", "LOG": "Log", "SQRT": "Sqrt", "ABS": "Abs", "NEG": "Neg", "SIN": "Sin", "COS": "Cos",
    "FLOOR": "Floor", "CEIL": "Ceil", "ROUND": "Round", "SIGN": "Sign", "LOGICAL_NOT": "Not", "PRELU": "PRelu",
    "MAXIMUM": "Max", "MINIMUM": "Min", "POW": "Pow", "EQUAL": "Equal", "LESS": "Less", "LESS_EQUAL": "LessOrEqual",
    "GREATER": "Greater", "GREATER_EQUAL": "GreaterOrEqual", "LOGICAL_AND": "And", "LOGICAL_OR": "Or",
    "SELECT": "Where", "SELECT_V2": "Where", "FLOOR_MOD": "Mod", "ADD_N": "Sum", "L2_NORMALIZATION": "LpNormalization",
    "SOFTMAX": "Softmax", "LOG_SOFTMAX": "LogSoftmax", "BITWISE_XOR": "BitwiseXor",
}  # fmt: skip
"""Operators that ONNX has, too, with the same inputs; norms and softmaxes over the last dimension in both."""


def _plain(op: str) -> Translation:
    def function(call: Call) -> str:
        return call.add(op, *call.values)

    return function


TRANSLATIONS.update({name: _plain(op) for name, op in _PLAIN.items()})

_ARITHMETIC = {
    "ADD": ("Add", tflite.AddOptions),
    "SUB": ("Sub", tflite.SubOptions),
    "MUL": ("Mul", tflite.MulOptions),
    "DIV": ("Div", tflite.DivOptions),
}


@translates(*_ARITHMETIC)
def arithmetic(call: Call) -> str:
    """Two tensors combined, an activation behind it."""
    op, kind = _ARITHMETIC[call.operator.name]
    made = call.add(op, call.value(0), call.value(1))
    return activated(call, made, call.options(kind).FusedActivationFunction())


@translates("RELU6", "RELU_N1_TO_1", "RELU_0_TO_1")
def clip(call: Call) -> str:
    """Between two bounds."""
    low, high = {"RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0), "RELU_0_TO_1": (0.0, 1.0)}[call.operator.name]
    return bounded(call, call.value(0), low, high)


@translates("LEAKY_RELU")
def leaky(call: Call) -> str:
    """With a slope for what is below 0."""
    return call.add("LeakyRelu", call.value(0), alpha=float(call.options(tflite.LeakyReluOptions).Alpha()))


@translates("SQUARE", "SQUARED_DIFFERENCE")
def squared(call: Call) -> str:
    """By itself, of a difference perhaps."""
    value = call.value(0)
    if call.operator.name == "SQUARED_DIFFERENCE":
        value = call.add("Sub", value, call.value(1))
    return call.add("Mul", value, value)


@translates("RSQRT")
def inverse_root(call: Call) -> str:
    """One over the root."""
    return call.add("Reciprocal", call.add("Sqrt", call.value(0)))


@translates("FLOOR_DIV")
def whole_quotient(call: Call) -> str:
    """Rounded down."""
    return call.add("Floor", call.add("Div", call.value(0), call.value(1)))


@translates("NOT_EQUAL")
def not_equal(call: Call) -> str:
    """True where two differ."""
    return call.add("Not", call.add("Equal", call.value(0), call.value(1)))


@translates("QUANTIZE", "DEQUANTIZE", "DENSIFY", "CAST", "FAKE_QUANT")
def itself(call: Call) -> str:
    """The same numbers in another form: widths are those that the tensors have."""
    return call.value(0)
