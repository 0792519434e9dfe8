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

from accelsim.errors import Mistake, UserError
from accelsim.importers.onnx.tensors import MAX_KNOWN

IDENTIFIER = b"TFL3"
MOST = 20_000
"""Operators of a model, and a quarter of its tensors."""
MOST_OF_ONE = 4096
"""Inputs, or outputs, of an operator, and bytes of a name."""
MAX_RANK = 8
_TENSOR_NAME = 10
"""Place of a tensor's name in its table: field 3."""

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

    name: str
    tensors: tuple[LiteTensor, ...]
    operators: tuple[LiteOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@contextmanager
def opened(path: Path, shown_as: str) -> Iterator[LiteModel]:
    """A model while its file is open, of which only what is looked at is read. Raises UserError, MalformedError."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UserError([Mistake(shown_as, 0, "file", "a regular file", "another")])
            if status.st_size < len(IDENTIFIER) + 4:
                raise MalformedError("other bytes")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as raw:
                yield _checked(lambda: _model(bytes(raw) if status.st_size <= WHOLE_BYTES else raw))
    except OSError as error:
        raise UserError([Mistake(shown_as, 0, "file", "a readable file", error.strerror or "an error")]) from None


WHOLE_BYTES = 64 << 20
"""Up to which a file is read whole; of a larger one what is looked at."""


def _checked(read: Callable[[], LiteModel]) -> LiteModel:
    try:
        return read()
    except BROKEN:
        raise MalformedError("other bytes") from None


def _model(raw: Any) -> LiteModel:
    if bytes(raw[4:8]) != IDENTIFIER:
        raise MalformedError("other bytes")
    model = tflite.Model.GetRootAs(raw, 0)
    if model.SubgraphsLength() < 1:
        raise MalformedError("no graph")
    graph = model.Subgraphs(0)
    if graph.OperatorsLength() > MOST or graph.TensorsLength() > 4 * MOST:
        raise MalformedError(f"more than {MOST} operators")
    codes = [_code_name(model.OperatorCodes(place)) for place in range(_bounded(model.OperatorCodesLength()))]
    return LiteModel(
        "main",
        tuple(_tensor(model, graph.Tensors(place)) for place in range(graph.TensorsLength())),
        tuple(_operator(codes, graph.Operators(place), place + 1) for place in range(graph.OperatorsLength())),
        _numbers(graph.InputsLength(), graph.Inputs),
        _numbers(graph.OutputsLength(), graph.Outputs),
    )


def _bounded(length: int) -> int:
    if length > MOST_OF_ONE:
        raise MalformedError(f"a list of more than {MOST_OF_ONE}")
    return length


def _numbers(length: int, each: Callable[[int], int]) -> tuple[int, ...]:
    return tuple(int(each(place)) for place in range(_bounded(length)))


def _code_name(code: Any) -> str:
    """The name of an operator; of a custom one, the one that it gives itself."""
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    if number == tflite.BuiltinOperator.CUSTOM:
        return (code.CustomCode() or b"CUSTOM")[:100].decode("utf-8", "replace")
    return str(NAMES.get(number, f"operator {number}"))


def _tensor(model: Any, tensor: Any) -> LiteTensor:
    shape = tuple(max(0, each) for each in _numbers(_rank(tensor.ShapeLength()), tensor.Shape))
    quantised = tensor.Quantization() is not None and tensor.Quantization().ScaleLength() > 0
    return LiteTensor(_name(tensor), shape, tensor.Type(), quantised, _values(model, tensor, shape))


def _rank(length: int) -> int:
    if length > MAX_RANK:
        raise MalformedError(f"a tensor of more than {MAX_RANK} dimensions")
    return length


def _name(tensor: Any) -> str:
    """A tensor's name; of several that were fused into it, the first."""
    table = tensor._tab
    field = table.Offset(_TENSOR_NAME)
    if not field:
        return ""
    start = field + table.Pos
    if encode.Get(number.UOffsetTFlags.packer_type, table.Bytes, start + _offset(table, start)) > MOST_OF_ONE:
        return ""
    text = str(tensor.Name() or b"", "utf-8", "replace")
    return text.partition(";")[0].removeprefix("StatefulPartitionedCall/")


def _offset(table: Any, start: int) -> int:
    return int(encode.Get(number.UOffsetTFlags.packer_type, table.Bytes, start))


def _values(model: Any, tensor: Any, shape: tuple[int, ...]) -> np.ndarray[Any, Any] | None:
    """Numbers of a constant that has few; None for others."""
    kind, place, count = TYPES.get(tensor.Type()), tensor.Buffer(), prod(shape)
    if kind is None or not 0 < place < model.BuffersLength() or not 0 < count <= MAX_KNOWN:
        return None
    buffer = model.Buffers(place)
    if buffer.DataLength() != count * np.dtype(kind).itemsize:
        return None
    return np.frombuffer(buffer.DataAsNumpy().tobytes(), dtype=kind).reshape(shape)


def _operator(codes: list[str], operator: Any, place: int) -> LiteOperator:
    return LiteOperator(
        place,
        codes[operator.OpcodeIndex()],
        _numbers(operator.InputsLength(), operator.Inputs),
        _numbers(operator.OutputsLength(), operator.Outputs),
        operator,
    )
