"""Files of other tools, read as if they were ours.

An importer is a module here and its suffixes in `IMPORTERS`. Its `read(path, shown_as)` gives the document that a YAML
file of the same content would give, each value with the line it came from, and raises UserError.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from accelsim.config import strict_yaml
from accelsim.config.strict_yaml import Document
from accelsim.errors import ARGUMENTS, Mistake, UserError

IMPORTERS: dict[str, str] = {".csv": "table", ".cfg": "cfg", ".onnx": "onnx", ".tflite": "tflite"}
"""The module that reads files of a suffix."""
_PYTORCH = "an ONNX model, as `torch.onnx.export(model, example_inputs, 'model.onnx', dynamo=True)` writes it"
_TENSORFLOW = (
    "a TFLite model, as tf.lite.TFLiteConverter writes it, or an ONNX model, as `python -m tf2onnx.convert` does"
)
MODELS = ("onnx", "tflite")
"""Importers of models, of which some operations may be left out."""
_LIBRARIES = {
    "onnx": "onnx", "google": "onnx", "tflite": "tflite", "flatbuffers": "tflite", "torch": "torch",
    "onnxscript": "torch",
}  # fmt: skip
"""Extras that libraries are installed with which are not there."""
ELSEWHERE = {
    **dict.fromkeys((".pt", ".pth", ".pt2", ".ckpt", ".safetensors"), _PYTORCH),
    **dict.fromkeys((".keras", ".h5", ".pb"), _TENSORFLOW),
}
"""Files to give instead of those that are not read."""


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """Options of a model beside its file.

    allow_unmodelled: leave out operations that cannot be modelled, and list them in the network. shapes: of inputs, by
    their names, where the model leaves them open. example_input: of a PyTorch module, a tensor or a tuple of them.
    """

    allow_unmodelled: bool = False
    shapes: tuple[tuple[str, tuple[int, ...]], ...] = ()
    example_input: Any = None


PLAIN = ModelOptions()


def read(path: Path, shown_as: str, options: ModelOptions = PLAIN) -> Document:
    """A network or machine from its file: YAML, or another tool's. Raises UserError."""
    suffix = path.suffix.lower()
    if suffix in ELSEWHERE:
        raise UserError([Mistake(shown_as, 0, "file", ELSEWHERE[suffix], f"a {suffix} file")])
    name = IMPORTERS.get(suffix)
    if name is None:
        return strict_yaml.read(path, shown_as)
    said = {}
    if name in MODELS:
        said = {"allow_unmodelled": options.allow_unmodelled, "shapes": dict(options.shapes)}
    document: Document = _module(name).read(path, shown_as, **said)
    return document


def is_model(name: str) -> bool:
    """True of the file of a model, whose source says how wide its data is."""
    return IMPORTERS.get(Path(name).suffix.lower()) in MODELS


def is_module(network: object) -> bool:
    """True of a PyTorch module, which is known without that library."""
    return any((each.__module__, each.__name__) == _MODULE for each in type(network).__mro__)


def read_module(module: object, options: ModelOptions) -> Document:
    """The network of a PyTorch module. Raises UserError."""
    importer = _module("pytorch")
    try:
        document: Document = importer.module_document(module, options.example_input)
    except ModuleNotFoundError as error:
        raise _not_installed(error, "network") from None
    return document


_MODULE = ("torch.nn.modules.module", "Module")


def _module(name: str) -> ModuleType:
    """Raises UserError where a library that it needs is not installed."""
    try:
        return import_module(f"accelsim.importers.{name}")
    except ModuleNotFoundError as error:
        raise _not_installed(error, "file") from None


def _not_installed(error: ModuleNotFoundError, key: str) -> Exception:
    """A library that is not there, as the user's mistake where an extra has it."""
    library = (error.name or "").partition(".")[0]
    if library not in _LIBRARIES:
        return error
    extra = _LIBRARIES[library]
    return UserError(
        [
            Mistake(
                ARGUMENTS,
                0,
                key,
                f"{extra if extra != 'torch' else library}, installed by `pip install 'accelsim[{extra}]'`",
                "none",
            )
        ]
    )
