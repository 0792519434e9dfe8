"""An operator with its tensors, and the registry of what operators become."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tflite

from accelsim.importers.tflite.model import LiteOperator, LiteTensor
from accelsim.importers.tflite.writer import Writer


class UntranslatedError(Exception):
    """An operator with something that nothing stands for."""


@dataclass(frozen=True, slots=True)
class Call:
    """An operator that is written."""

    write: Writer
    operator: LiteOperator

    def value(self, place: int) -> str:
        """The value that an input is; nothing where it is left out."""
        return self.write.value(self.operator.inputs[place]) if place < len(self.operator.inputs) else ""

    @property
    def values(self) -> list[str]:
        """The values that all inputs are."""
        return list(map(self.write.value, self.operator.inputs))

    def tensor(self, place: int) -> LiteTensor:
        """A tensor that is an input. Raises MalformedError where it is left out."""
        return self.write.tensor(self.operator.inputs[place])

    def given(self, place: int) -> bool:
        """True where an input is there."""
        return place < len(self.operator.inputs) and self.operator.inputs[place] >= 0

    def result(self, place: int = 0) -> LiteTensor:
        """A tensor that is an output."""
        return self.write.tensor(self.operator.outputs[place])

    def options(self, kind: type[Any]) -> Any:
        """The options of this kind."""
        return self.operator.options(kind)

    def integers(self, place: int) -> list[int]:
        """A constant of whole numbers. Raises UntranslatedError."""
        values = self.tensor(place).values
        if values is None or values.dtype.kind not in "iu":
            raise UntranslatedError
        return [int(each) for each in values.ravel()]

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """A node; the name of what it gives."""
        return self.write.add(op, *inputs, **attributes)


Translation = Callable[[Call], str | Sequence[str]]
TRANSLATIONS: dict[str, Translation] = {}


def translates(*names: str) -> Callable[[Translation], Translation]:
    """Register a function for these operators."""

    def register(function: Translation) -> Translation:
        TRANSLATIONS.update(dict.fromkeys(names, function))
        return function

    return register


_FUSED = tflite.ActivationFunctionType


def activated(call: Call, value: str, function: int) -> str:
    """A value and the activation that is fused into its operator. Raises UntranslatedError."""
    write = call.write
    if function == _FUSED.NONE:
        return value
    if function == _FUSED.RELU:
        return write.add("Relu", value)
    if function == _FUSED.RELU6:
        return bounded(call, value, 0.0, 6.0)
    if function == _FUSED.RELU_N1_TO_1:
        return bounded(call, value, -1.0, 1.0)
    if function == _FUSED.TANH:
        return write.add("Tanh", value)
    raise UntranslatedError


def bounded(call: Call, value: str, low: float, high: float) -> str:
    """A value between two bounds."""
    bounds = [call.write.array(np.array(each, dtype=np.float32)) for each in (low, high)]
    return call.write.add("Clip", value, *bounds)
