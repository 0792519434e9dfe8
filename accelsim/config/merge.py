"""One mapping laid over another."""

from __future__ import annotations

from typing import Any

from accelsim.config.strict_yaml import Document, KeyPath


def merged(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """The base with the other's keys in it; mappings are laid over one another, anything else is replaced."""
    result = dict(base)
    for key, value in own.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result


def section_alone(document: Document, section: str) -> Document:
    """A document of one section of another, where it stood there."""

    def within(path: KeyPath) -> bool:
        return path[:1] in ((), (section,))

    data = {section: document.data[section]} if section in document.data else {}
    origins = {path: origin for path, origin in document.origins.items() if within(path)}
    return Document(data, origins, {path: found for path, found in document.refused.items() if within(path)})


def laid_over(base: Document, own: Document) -> Document:
    """Two documents as one; the keys of the second win."""
    return Document(merged(base.data, own.data), base.origins | own.origins, base.refused | own.refused)


def drop_what_other_units_replace(timing: Any, own: Any) -> None:
    """A timing set in clocks replaces that of the file in ns, and the other way round."""
    if isinstance(timing, dict) and isinstance(own, dict):
        for key in own:
            name, _, unit = key.rpartition("_")
            timing.pop(f"{name}_{'ns' if unit == 'nck' else 'nck'}", None)


def set_parts(document: Document, data: dict[str, Any], path: KeyPath) -> dict[str, Any]:
    """Part of the mapping at `path` that the command line sets, at any depth."""
    parts: dict[str, Any] = {}
    for key, value in data.items():
        if document.origin((*path, key)).is_set:
            parts[key] = value
        elif isinstance(value, dict) and (below := set_parts(document, value, (*path, key))):
            parts[key] = below
    return parts
