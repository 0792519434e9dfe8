"""Names of layers from what exporters kept (scopes of modules, names of weights), and stages from what names share."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby, takewhile
from typing import NamedTuple

import onnx

from accelsim.importers.onnx.model import Graph

_GENERIC = re.compile(r"(p2o[._]|node_|val_)?[A-Za-z_]*[_.@]?\d*")
"""Names of an operation and its number."""
_OF_WEIGHTS = re.compile(r"(?P<module>.+?)[./_](weight|kernel|w)s?(_0|_orig|_quantized)*(:0)?")
_OF_BIAS = re.compile(r"(?P<module>.+?)[./_](bias|b)(_0)?(:0)?")
_WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul", "QLinearConv", "LSTM", "GRU")
_MOVED = ("Transpose", "Reshape", "Cast", "Identity", "DequantizeLinear", "QuantizeLinear", "Unsqueeze", "Squeeze")
"""Operators that weights pass through on their way to a layer."""
_CONSTANTS = ("Constant", "ConstantOfShape")
_MOST_MOVES, _MOST_WORDS = 8, 24

Path = tuple[str, ...]


class Named(NamedTuple):
    """The name of a layer, and its stage; that is empty where names tell none."""

    name: str
    stage: str


class _Found(NamedTuple):
    """The name of a node's layer; the path of its module, empty where the name is none of a module."""

    name: str
    path: Path
    weighted: bool


def named(graph: Graph) -> Mapping[int, Named]:
    """The layers of nodes, by the number of the node."""
    tensors = _Tensors(graph)
    found = [_found(node, tensors) for _, node in graph.nodes]
    stages = _stages(found)
    return {
        number: Named(each.name, stage) for (number, _), each, stage in zip(graph.nodes, found, stages, strict=True)
    }


class _Tensors:
    """Tensors by what gives them, and what adds to them."""

    def __init__(self, graph: Graph) -> None:
        self.made_by = {name: node for _, node in graph.nodes if node.op_type in _MOVED for name in node.output}
        self.added_to = {name: node for _, node in graph.nodes if node.op_type == "Add" for name in node.input}

    def origin(self, name: str) -> str:
        """The tensor that another one is the values of."""
        for _ in range(_MOST_MOVES):
            node = self.made_by.get(name)
            if node is None or not node.input:
                break
            name = node.input[0]
        return name


def _found(node: onnx.NodeProto, tensors: _Tensors) -> _Found:
    """The path of a module where that is known; else the name of the node, or of its first output."""
    scopes = [each.value for each in node.metadata_props if each.key.endswith("name_scopes")]
    module = _last_scope(scopes[0]) if scopes else ""
    name = node.name or next((each for each in node.output if each), "")
    if not module and "/" in name.strip("/"):
        module = _module(name.partition(";")[0])
    weighted = node.op_type in _WEIGHTED
    if not module and weighted and _GENERIC.fullmatch(name):
        module = _module_of_weights(node, tensors)
    own = name.removeprefix("node_")
    if (module or not _GENERIC.fullmatch(name)) and node.op_type not in _CONSTANTS:
        return _Found(module or own, _parts(module or own), weighted)
    return _Found(own, (), weighted)


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


def _module_of_weights(node: onnx.NodeProto, tensors: _Tensors) -> str:
    """The module that weights are of by their name, or else the bias that is added."""
    added = tensors.added_to.get(next(iter(node.output), ""))
    for pattern, names in ((_OF_WEIGHTS, node.input[1:4]), (_OF_BIAS, added.input if added is not None else ())):
        for each in names:
            found = pattern.fullmatch(tensors.origin(each)[:4096])
            if found:
                return found["module"].replace("/", ".")
    return ""


def _parts(name: str) -> Path:
    """Words of a name, each with what stands before it."""
    return tuple(re.findall(r"[._/]*[^._/]+", name[:4096].rstrip("._/")))[:_MOST_WORDS]


def _stages(found: Sequence[_Found]) -> list[str]:
    """A stage for each; empty for all where names tell none.

    Layers with weights make stages. Another one belongs to that of the layer before, where its own name is in none.
    """
    own = [each.path for each in found if each.path]
    weighted = [each.path for each in found if each.path and each.weighted]
    groups = _grouped(own, _shared_by_most(weighted))
    made = [groups[path] for path in weighted]
    if not _tell_stages(made, Counter(groups[path] for path in own)):
        return [""] * len(found)
    members: dict[Path, list[Path]] = {}
    for group, path in zip(made, weighted, strict=True):
        members.setdefault(group, []).append(path)
    labels = {group: _label(group, paths) for group, paths in members.items()}
    stage, stages = labels[made[0]], list[str]()
    for each in found:
        stage = labels.get(groups.get(each.path, ()), stage)
        stages.append(stage)
    return stages


def _shared_by_most(paths: Sequence[Path]) -> Path:
    """The longest beginning that more than half of the paths have, and go on behind."""
    inside: Path = ()
    while True:
        depth = len(inside)
        longer = Counter(path[: depth + 1] for path in paths if len(path) > depth + 1 and path[:depth] == inside)
        following, count = next(iter(longer.most_common(1)), (inside, 0))
        if 2 * count <= len(paths):
            return inside
        inside = following


def _grouped(paths: Iterable[Path], inside: Path) -> dict[Path, Path]:
    """The part of each path that tells its stage: the first word behind a beginning, and a number behind that.

    Where the beginning itself is numbered (`block_1`, `block_2`), what has no number there is the one without.
    """
    cuts = {path: _cut(path, inside) for path in paths}
    following = {cut[len(inside)] for cut in cuts.values() if _within(cut, inside)}
    if not inside or sum(map(_is_number, following)) < 2:
        return cuts
    return {
        path: inside if _within(cut, inside) and not _is_number(cut[len(inside)]) else cut for path, cut in cuts.items()
    }


def _within(path: Path, inside: Path) -> bool:
    return len(path) > len(inside) and path[: len(inside)] == inside


def _cut(path: Path, inside: Path) -> Path:
    end = len(_shared(path, inside)) + 1
    return path[: end + 1] if end < len(path) and _is_number(path[end]) else path[:end]


def _shared(first: Path, second: Path) -> Path:
    """Words that both begin with."""
    return tuple(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))


def _is_number(word: str) -> bool:
    return word.strip("._/").isdecimal()


def _tell_stages(made: Sequence[Path], members: Mapping[Path, int]) -> bool:
    """True where most layers share their stage with other nodes, and layers of one stage stand together."""
    runs = sum(1 for _ in groupby(made))
    shared = sum(members[group] > 1 for group in made)
    return bool(made) and 2 * shared >= len(made) and runs <= 2 * len(set(made))


def _label(group: Path, members: Sequence[Path]) -> str:
    """The name of a stage: its group, and whole words as far as all members have them."""
    shared, end = _shared(min(members), max(members)), len(group)
    while end < len(shared) and shared[end].startswith("_"):
        end += 1
    return re.sub(r"[^A-Za-z0-9_.+-]+", "_", "".join(shared[:end])).strip("_.+-")[:80]
