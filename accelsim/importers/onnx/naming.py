"""Names of layers from what the exporters kept: scopes of modules, or the names of their weights."""

from __future__ import annotations

import ast
import re

import onnx

_GENERIC = re.compile(r"(node_|n|val_)?[A-Za-z_]*_?\d*")
_NUMBERED = re.compile(r"node_\w+|n\d+")
_WEIGHTS = (".weight", "/kernel", "/weight", "_weight", ".weight_orig")
_WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul", "QLinearConv", "LSTM", "GRU")


def layer_name(node: onnx.NodeProto) -> str:
    """The path of a module where that is known; else the name of the node, or of its first output."""
    scopes = [each.value for each in node.metadata_props if each.key.endswith("name_scopes")]
    path = _last_scope(scopes[0]) if scopes else ""
    if path:
        return path
    name = node.name or next((each for each in node.output if each), "")
    if "/" in name.strip("/"):
        return _module(name)
    if node.op_type in _WEIGHTED and _GENERIC.fullmatch(name):
        for each in node.input[1:4]:
            for ending in _WEIGHTS:
                if each.endswith(ending) and len(each) > len(ending):
                    return str(each[: -len(ending)])
    return name.removeprefix("node_")


def _last_scope(text: str) -> str:
    """The innermost module of a list of scopes, the last of which is the operation itself."""
    if len(text) > 4096:
        return ""
    try:
        scopes = ast.literal_eval(text) if text else []
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return ""
    named = [str(each) for each in scopes if isinstance(each, str) and each] if isinstance(scopes, list) else []
    return named[-2] if len(named) > 1 else ""


def _module(name: str) -> str:
    """`/layer1/layer1.0/conv1/Conv` as `layer1.0.conv1`: a part that the next one begins with is said once."""
    parts = [each for each in name.strip("/").split("/") if each]
    kept: list[str] = []
    for part in parts:
        while kept and part.startswith(f"{kept[-1]}."):
            kept.pop()
        kept.append(part)
    if len(kept) > 1 and kept[-1][:1].isupper():
        kept.pop()
    return ".".join(kept)


def stage_of(node: onnx.NodeProto, name: str, before: str) -> str:
    """The first module of a path, with its number where that is what tells blocks apart.

    before: the stage of the node before, which one belongs to that has a name of no module.
    """
    parts = [each for each in re.split(r"[./]", name) if each]
    if len(parts) < 2:
        return before if name == node.name.removeprefix("node_") and _NUMBERED.fullmatch(node.name) else ""
    modules = parts[:-1] if node.op_type in _WEIGHTED else parts
    number = next((place for place, each in enumerate(modules) if each.isdecimal()), None)
    chosen = parts[: number + 1] if number is not None else parts[:1]
    return re.sub(r"[^A-Za-z0-9_.+-]+", "_", ".".join(chosen)).strip("_.+-")[:80]
