"""A file by its schema: the tensors and operators of the first subgraph, within bounds."""

from __future__ import annotations

import mmap
import os
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import tflite
from flatbuffers import encode
from flatbuffers import number_types as number

from accelsim.config.strict_yaml import special_kind
from accelsim.errors import Mistake, UserError
from accelsim.importers.onnx.tensors import MAX_KNOWN

IDENTIFIER = b"TFL3"
MOST = 20_000
"""Operators of a model, and a quarter of its tensors."""
MOST_OF_ONE = 4096
"""Inputs, or outputs, of an operator."""
MOST_NUMBERS = 1 << 19
"""In all lists and constants together."""
MOST_OF_NAME = 1024
"""Bytes."""
MAX_RANK = 8
WHOLE_BYTES = 64 << 20
"""Up to which a file is read whole; of a larger one what is looked at."""
_TENSOR_NAME, _CUSTOM_CODE = 10, 6
"""Places of a text in its table: field 3 of a tensor, 1 of a code."""

BROKEN = (struct.error, IndexError, ValueError, TypeError, KeyError, AttributeError, OverflowError, AssertionError)
"""Errors that reading bytes by a schema may raise which they do not have."""

NAMES = {value: name for name, value in vars(tflite.BuiltinOperator).items() if name.isupper()}
TYPES: dict[int, Any] = {
    tflite.TensorType.FLOAT32: np.float32, tflite.TensorType.FLOAT16: np.float16, tflite.TensorType.FLOAT64: np.float64,
    tflite.TensorType.INT8: np.int8, tflite.TensorType.UINT8: np.uint8, tflite.TensorType.INT16: np.int16,
    tflite.TensorType.INT32: np.int32, tflite.TensorType.INT64: np.int64, tflite.TensorType.BOOL: np.bool_,
}  # fmt: skip
BITS = {
    tflite.TensorType.INT4: 4, tflite.TensorType.INT8: 8, tflite.TensorType.UINT8: 8, tflite.TensorType.INT16: 16,
    tflite.TensorType.UINT16: 16,
}  # fmt: skip


class MalformedError(Exception):
    """Bytes that are no model, or a larger one than is read."""


@dataclass(frozen=True, slots=True)
class LiteTensor:
    """A tensor. kind: `tflite.TensorType`; quantised: whether it has scales; values: of a constant, where few."""

    name: str
    shape: tuple[int, ...]
    kind: int
    quantised: bool
    values: np.ndarray[Any, Any] | None

    @property
    def bits(self) -> int | None:
        """Bits of an element, where it is an integer that stands for a real number."""
        return BITS.get(self.kind) if self.quantised else None


@dataclass(frozen=True, slots=True)
class LiteOperator:
    """An operator. number: from 1 on; inputs, outputs: numbers of tensors, below 0 for one that is left out."""

    number: int
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    table: Any

    def options(self, kind: type[Any]) -> Any:
        """The options of this kind; those of a table without fields where there are none."""
        found = kind()
        given = self.table.BuiltinOptions()
        if given is None:
            raise MalformedError(f"{self.name} without options")
        found.Init(given.Bytes, given.Pos)
        return found


@dataclass(frozen=True, slots=True)
class LiteModel:
    """The first subgraph of a model, which is what runs."""

    tensors: tuple[LiteTensor, ...]
    operators: tuple[LiteOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@contextmanager
def opened(path: Path, shown_as: str) -> Iterator[LiteModel]:
    """A model while its file is open, of which only what is looked at is read. Raises UserError, MalformedError."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UserError([Mistake(shown_as, 0, "file", "a regular file", special_kind(path.stat().st_mode))])
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < len(IDENTIFIER) + 4:
                raise MalformedError("other bytes")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as raw:
                yield _model(bytes(raw) if size <= WHOLE_BYTES else raw)
    except OSError as error:
        raise UserError([Mistake(shown_as, 0, "file", "a readable file", error.strerror or "an error")]) from None


def _model(raw: Any) -> LiteModel:
    """Raises MalformedError."""
    if bytes(raw[4:8]) != IDENTIFIER:
        raise MalformedError("other bytes")
    try:
        return _Reading(tflite.Model.GetRootAs(raw, 0)).whole()
    except BROKEN:
        raise MalformedError("other bytes") from None


class _Reading:
    """A model that is read; left: numbers that may still be, as parts of a file may all be one."""

    def __init__(self, model: Any) -> None:
        self.model, self.left = model, MOST_NUMBERS

    def whole(self) -> LiteModel:
        """The first subgraph."""
        if self.model.SubgraphsLength() < 1:
            raise MalformedError("no graph")
        graph = self.model.Subgraphs(0)
        if graph.OperatorsLength() > MOST or graph.TensorsLength() > 4 * MOST:
            raise MalformedError(f"more than {MOST} operators")
        codes = [_code_name(self.model.OperatorCodes(at)) for at in range(self.taken(self.model.OperatorCodesLength()))]
        return LiteModel(
            tuple(self.tensor(graph.Tensors(place)) for place in range(graph.TensorsLength())),
            tuple(self.operator(codes, graph.Operators(place), place + 1) for place in range(graph.OperatorsLength())),
            self.numbers(graph.InputsLength(), graph.InputsAsNumpy),
            self.numbers(graph.OutputsLength(), graph.OutputsAsNumpy),
        )

    def taken(self, count: int) -> int:
        """A count of numbers, where that is left. Raises MalformedError."""
        if count > min(self.left, MOST_OF_ONE):
            raise MalformedError(f"a list of more than {MOST_OF_ONE}, or {MOST_NUMBERS} in all")
        self.left -= count
        return count

    def numbers(self, length: int, read: Callable[[], np.ndarray[Any, Any]]) -> tuple[int, ...]:
        """A list of whole numbers."""
        return tuple(read().tolist()) if self.taken(length) else ()

    def tensor(self, tensor: Any) -> LiteTensor:
        """A tensor; its numbers where it is a constant that has few."""
        if tensor.ShapeLength() > MAX_RANK:
            raise MalformedError(f"a tensor of more than {MAX_RANK} dimensions")
        shape = tuple(max(0, each) for each in self.numbers(tensor.ShapeLength(), tensor.ShapeAsNumpy))
        quantised = tensor.Quantization() is not None and tensor.Quantization().ScaleLength() > 0
        name = _text(tensor, _TENSOR_NAME, tensor.Name)
        plain = name.partition(";")[0].removeprefix("StatefulPartitionedCall/")
        return LiteTensor(plain, shape, tensor.Type(), quantised, self.values(tensor, shape))

    def values(self, tensor: Any, shape: tuple[int, ...]) -> np.ndarray[Any, Any] | None:
        """Numbers of a constant that has few; None for others."""
        kind, place, count = TYPES.get(tensor.Type()), tensor.Buffer(), prod(shape)
        if kind is None or not 0 < place < self.model.BuffersLength() or not 0 < count <= min(MAX_KNOWN, self.left):
            return None
        buffer = self.model.Buffers(place)
        if buffer.DataLength() != count * np.dtype(kind).itemsize:
            return None
        self.left -= count
        return np.frombuffer(buffer.DataAsNumpy().tobytes(), dtype=kind).reshape(shape)

    def operator(self, codes: list[str], operator: Any, place: int) -> LiteOperator:
        """An operator and its tensors."""
        return LiteOperator(
            place,
            codes[operator.OpcodeIndex()],
            self.numbers(operator.InputsLength(), operator.InputsAsNumpy),
            self.numbers(operator.OutputsLength(), operator.OutputsAsNumpy),
            operator,
        )


def _code_name(code: Any) -> str:
    """The name of an operator; of a custom one, the one that it gives itself."""
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    if number == tflite.BuiltinOperator.CUSTOM:
        return _text(code, _CUSTOM_CODE, code.CustomCode) or "CUSTOM"
    return str(NAMES.get(number, f"operator {number}"))


def _text(table: Any, place: int, read: Callable[[], bytes | None]) -> str:
    """A text of a table; nothing where it is longer than a name is."""
    tab = table._tab
    field = tab.Offset(place)
    if not field:
        return ""
    start = field + tab.Pos
    text = start + encode.Get(number.UOffsetTFlags.packer_type, tab.Bytes, start)
    if encode.Get(number.UOffsetTFlags.packer_type, tab.Bytes, text) > MOST_OF_NAME:
        return ""
    return str(read() or b"", "utf-8", "replace")
