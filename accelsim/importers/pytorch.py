"""PyTorch modules as networks: `torch.export`, and the rules of ONNX models for what that gives.

Nothing of the module is changed, and nothing is imported before a module is given.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from accelsim.config.strict_yaml import Document
from accelsim.errors import Mistake, UserError, shorten
from accelsim.importers.onnx import network_of
from accelsim.importers.onnx.model import DOMAINS, graph_of

SHOWN_AS = "network"


def module_document(module: Any, example_input: Any) -> Document:
    """The network of a module for inputs like the example: a tensor, or a tuple of them.

    Raises UserError where `torch.export` refuses the module, or with everything that cannot be modelled.
    """
    name = type(module).__name__
    if example_input is None:
        raise UserError(
            [Mistake(SHOWN_AS, 0, "example_input", "a tensor, or a tuple of them, beside a module", "none")]
        )
    inputs = example_input if isinstance(example_input, tuple) else (example_input,)
    model = _exported(module, inputs, name)
    opset = max(each.version for each in model.opset_import if each.domain in DOMAINS)
    return network_of(graph_of(model.graph, opset), name, SHOWN_AS, "PyTorch")


def _exported(module: Any, inputs: tuple[Any, ...], name: str) -> Any:
    """The module as ONNX has it. Raises UserError."""
    from torch.export import export
    from torch.onnx import export as export_onnx

    try:
        with _for_inference(module), _quietly():
            program = export_onnx(export(module, inputs), dynamo=True, optimize=False, verbose=False)
            assert program is not None
            return program.model_proto
    except ModuleNotFoundError:
        raise
    except Exception as error:
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise UserError([Mistake(SHOWN_AS, 0, name, "a module that torch.export takes", shorten(first))]) from None


@contextmanager
def _for_inference(module: Any) -> Iterator[None]:
    """With all parts as they are when nothing is learnt; afterwards they are as before."""
    modes = [(each, each.training) for each in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for each, training in modes:
            each.training = training


@contextmanager
def _quietly() -> Iterator[None]:
    """Without warnings about what the exporter would do with other models."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
