"""TensorFlow Lite models as networks (https://ai.google.dev/edge/litert).

A model is read by its schema alone, never executed, and written as the graph of ONNX that computes the same; from there
on the rules of `accelsim.importers.onnx` hold. The file says the shape of every tensor, and each is held to it.
"""

from __future__ import annotations

from pathlib import Path

from accelsim.config.strict_yaml import Document
from accelsim.errors import Mistake, UserError
from accelsim.importers.onnx import NO_SHAPES, network_of
from accelsim.importers.onnx.inputs import Shapes
from accelsim.importers.onnx.model import graph_of
from accelsim.importers.tflite.model import MalformedError, opened
from accelsim.importers.tflite.translate import translated
from accelsim.importers.tflite.writer import OPSET


def read(path: Path, shown_as: str, *, allow_unmodelled: bool = False, shapes: Shapes = NO_SHAPES) -> Document:
    """The network of a model. Raises UserError with everything that cannot be modelled."""
    try:
        with opened(path, shown_as) as model:
            graph, bits = translated(model)
    except MalformedError as error:
        raise UserError([Mistake(shown_as, 0, "file", "a TensorFlow Lite model", str(error))]) from None
    return network_of(
        graph_of(graph, OPSET, bits), path.stem, shown_as, "TFLite", allow_unmodelled=allow_unmodelled, shapes=shapes
    )
