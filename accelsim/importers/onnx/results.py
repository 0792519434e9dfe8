"""Results of folding: a constant of a shape, with values where they are few and known."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from accelsim.importers.onnx.attributes import Attributes
from accelsim.importers.onnx.constants import checked_shape, few
from accelsim.importers.onnx.tensors import Constant, UnmodelledError, Values

Inputs = list[Constant | None]
ConstantFold = Callable[[Inputs, Attributes, int], Sequence[Constant]]


def _known_values(inputs: Inputs) -> list[Values] | None:
    """Values of all inputs that are there; None where some are not known."""
    found = [each.values for each in inputs if each is not None]
    return [each for each in found if each is not None] if all(each is not None for each in found) else None


def result(shape: Sequence[int], inputs: Inputs, compute: Callable[[list[Values]], Values]) -> list[Constant]:
    """A constant of a shape; with values, where they are few and those of the inputs are known."""
    dims, values = checked_shape(shape), _known_values(inputs)
    bits = inputs[0].bits if inputs[0] is not None else None
    if values is None or not few(dims) or any(each.dtype.kind not in "biuf" for each in values):
        return [Constant(dims, bits=bits)]
    with np.errstate(all="ignore"):
        computed = np.asarray(compute(values))
    return [Constant(dims, computed.reshape(dims), bits)]


def shape_only(inputs: Inputs, found: Attributes, outputs: int) -> list[Constant]:
    """A constant of the shape of the first input, of any values."""
    del found, outputs
    return [Constant(first_of(inputs).shape)]


def first_of(inputs: Inputs) -> Constant:
    """The first input. Raises UnmodelledError where there is none."""
    if not inputs or inputs[0] is None:
        raise UnmodelledError("an input", "none")
    return inputs[0]
