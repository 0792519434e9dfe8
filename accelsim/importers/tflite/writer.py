"""The graph of ONNX that a model becomes, written node by node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import tflite
from onnx import helper, numpy_helper

from accelsim.importers.tflite.model import LiteModel, LiteOperator, LiteTensor, MalformedError

OPSET = 20
OWN = "tflite"
"""The domain of operators that nothing stands for."""
TO_FIRST, TO_LAST = (0, 3, 1, 2), (0, 2, 3, 1)
"""Channels behind the images, and channels last."""

_KINDS = onnx.TensorProto
_TYPES = {
    tflite.TensorType.FLOAT32: _KINDS.FLOAT, tflite.TensorType.FLOAT16: _KINDS.FLOAT16,
    tflite.TensorType.FLOAT64: _KINDS.DOUBLE, tflite.TensorType.BFLOAT16: _KINDS.BFLOAT16,
    tflite.TensorType.INT4: _KINDS.INT4, tflite.TensorType.INT8: _KINDS.INT8, tflite.TensorType.UINT8: _KINDS.UINT8,
    tflite.TensorType.INT16: _KINDS.INT16, tflite.TensorType.UINT16: _KINDS.UINT16,
    tflite.TensorType.INT32: _KINDS.INT32, tflite.TensorType.UINT32: _KINDS.UINT32,
    tflite.TensorType.INT64: _KINDS.INT64, tflite.TensorType.UINT64: _KINDS.UINT64,
    tflite.TensorType.BOOL: _KINDS.BOOL, tflite.TensorType.STRING: _KINDS.STRING,
}  # fmt: skip


class Writer:
    """Nodes so far. names: of the values that tensors are, by their number; label: of nodes that are written."""

    def __init__(self, model: LiteModel) -> None:
        self.model = model
        self.names: dict[int, str] = {}
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.label = ""
        self._made = 0

    def tensor(self, number: int) -> LiteTensor:
        """A tensor of the model. Raises MalformedError where there is none."""
        if not 0 <= number < len(self.model.tensors):
            raise MalformedError(f"a tensor {number}")
        return self.model.tensors[number]

    def value(self, number: int) -> str:
        """The value that a tensor is; a constant is written when it is first read, none is left out."""
        if number < 0:
            return ""
        if number not in self.names:
            self.names[number] = self._constant(f"{number}", self.tensor(number))
        return self.names[number]

    def _constant(self, name: str, tensor: LiteTensor) -> str:
        if tensor.values is None:
            return self._without_numbers(name, tensor, tensor.shape)
        self.constants.append(numpy_helper.from_array(tensor.values, name))
        return name

    def _without_numbers(self, name: str, like: LiteTensor, shape: Sequence[int]) -> str:
        kind = _TYPES.get(like.kind, _KINDS.FLOAT)
        self.constants.append(onnx.TensorProto(name=name, data_type=kind, dims=shape))
        return name

    def numbers(self, values: Sequence[int]) -> str:
        """A list of whole numbers."""
        return self.array(np.array(values, dtype=np.int64))

    def array(self, values: np.ndarray[Any, Any]) -> str:
        """A constant of ours."""
        name = self.fresh()
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def shaped(self, like: LiteTensor, shape: Sequence[int]) -> str:
        """A constant of this shape and of the type of another one, whose numbers nobody looks at."""
        return self._without_numbers(self.fresh(), like, shape)

    def fresh(self) -> str:
        """A name that nothing has."""
        self._made += 1
        return f"made_{self._made}"

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """A node; the name of its output."""
        return self.several(op, *inputs, outputs=1, **attributes)[0]

    def several(self, op: str, *inputs: str, outputs: int, **attributes: Any) -> list[str]:
        """A node; the names of its outputs."""
        names = [self.fresh() for _ in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, name=self.label, **attributes))
        return names

    def unknown(self, operator: LiteOperator) -> list[str]:
        """A node that nothing stands for, which the rules refuse."""
        op = operator.name if operator.name.isprintable() else "CUSTOM"
        inputs = [self.value(each) for each in operator.inputs if each >= 0]
        return self.several(op, *inputs, outputs=len(operator.outputs), domain=OWN)

    def transposed(self, value: str, order: Sequence[int]) -> str:
        """A value with its dimensions in another order."""
        return self.add("Transpose", value, perm=list(order))

    def finish(self, first: int, operator: LiteOperator, values: Sequence[str]) -> None:
        """Give what nodes from `first` on compute the names of the operator's outputs."""
        made = {name: (node, place) for node in self.nodes[first:] for place, name in enumerate(node.output)}
        for number, value in zip(operator.outputs, values, strict=False):
            if value in made:
                node, place = made[value]
                node.output[place] = f"{number}"
                for later in self.nodes[first:]:
                    later.input[:] = [f"{number}" if each == value else each for each in later.input]
            self.names[number] = f"{number}" if value in made else value
