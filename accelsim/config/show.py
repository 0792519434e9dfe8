"""Resolved configurations as text that can be read back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from accelsim.config.kinds import KINDS, LISTED, FileKind
from accelsim.config.load import Reader, is_variant
from accelsim.config.named import find
from accelsim.config.scheduling import Target
from accelsim.config.strict_yaml import Document, KeyPath, read, scalar
from accelsim.errors import ARGUMENTS

_COMMENT_COLUMN = 72


def kind_of_file(name_or_path: str, reader: Reader = read) -> FileKind:
    """The kind of a file or shipped name, by its keys; a machine where they tell nothing. Raises UserError."""
    if is_variant(name_or_path):
        return KINDS["network"]
    path, shown_as = find(name_or_path, *LISTED)
    keys = reader(path, shown_as).data.keys()
    return next((kind for kind in KINDS.values() if kind.marks & keys), KINDS["machine"])


def described(path: Path) -> str:
    """The description in a shipped file, or its first comment."""
    document = read(path, path.name)
    first = path.read_text(encoding="utf-8").splitlines()[0]
    return str(document.data.get("description") or first.removeprefix("#").strip())


def to_yaml(model: BaseModel) -> str:
    """A model as YAML that loads to an equal one."""
    return data_to_yaml(model.model_dump(mode="json", exclude_none=True, exclude_defaults=False))


def target_to_yaml(target: Target) -> str:
    """A machine with its scheduling as YAML that loads to an equal one."""
    keys = {name: part.model_dump(mode="json", exclude_none=True) for name, part in target._asdict().items()}
    return data_to_yaml({**keys["machine"], "scheduling": keys["scheduling"]})


def with_origins(text: str, document: Document) -> str:
    """Resolved YAML with a comment on each line: the files and lines that its values are from, or how it is derived."""
    found: dict[int, dict[str, None]] = {}
    for path, line in _leaves(yaml.compose(text, Loader=yaml.SafeLoader), ()):
        found.setdefault(line, {})[_origin(document, path)] = None
    lines = text.splitlines()
    width = min(max((len(lines[line]) for line in found), default=0), _COMMENT_COLUMN)
    for line, origins in found.items():
        lines[line] = f"{lines[line]:<{width}}  # {'; '.join(origins)}"
    return "\n".join(lines) + "\n"


def _leaves(node: yaml.Node | None, path: KeyPath) -> Iterator[tuple[KeyPath, int]]:
    """Paths of the values, each with the line where it ends."""
    match node:
        case yaml.MappingNode() if node.value:
            for key, value in node.value:
                yield from _leaves(value, (*path, key.value))
        case yaml.SequenceNode() if node.value:
            for index, value in enumerate(node.value):
                yield from _leaves(value, (*path, index))
        case yaml.Node():
            yield path, node.end_mark.line


def _origin(document: Document, path: KeyPath) -> str:
    if path in document.derived:
        return f"derived: {document.derived[path]}"
    while path and isinstance(path[-1], int):
        path = path[:-1]
    if path not in document.origins:
        return "default"
    origin = document.origins[path]
    return "set" if origin.file == ARGUMENTS else f"{origin.file}:{origin.line}"


def data_to_yaml(data: dict[str, Any]) -> str:
    """Plain data as YAML that reads back as the same."""
    return _Dumper.text(data)


class _Dumper(yaml.SafeDumper):
    """Plain YAML: keys in their order, no aliases, short lists and innermost mappings on one line."""

    @classmethod
    def text(cls, data: dict[str, Any]) -> str:
        dumped: str = yaml.dump(data, Dumper=cls, sort_keys=False, width=120, default_flow_style=None)
        return dumped

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 (PyYAML's signature)
        return True

    def represent_mapping(
        self,
        tag: str,
        mapping: Any,
        flow_style: bool | None = None,  # noqa: ARG002 (PyYAML's signature)
    ) -> yaml.MappingNode:
        """On one line only where it fits."""
        return super().represent_mapping(tag, mapping, flow_style=None if len(str(mapping)) < 100 else False)

    def text_node(self, data: str) -> yaml.ScalarNode:
        """A string, quoted where it would be read back as something else."""
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=None if _is_plain(data) else "'")


_Dumper.add_representer(str, _Dumper.text_node)


def _is_plain(text: str) -> bool:
    try:
        return bool(scalar(text) == text)
    except ValueError:
        return False
