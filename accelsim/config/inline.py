"""Sections of a machine that name a file: the file put in their place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from accelsim.config.kinds import KINDS
from accelsim.config.machine import Machine
from accelsim.config.merge import drop_what_other_units_replace, merged, set_parts
from accelsim.config.named import find
from accelsim.config.quantities import write_out
from accelsim.config.schema import sections_in
from accelsim.config.strict_yaml import Document, dotted, kind_of, read
from accelsim.errors import UserError

NAMED_BY = {kind.name: (kind.listed, kind.named_by) for kind in KINDS.values() if kind.named_by}
"""By section of a machine: the kind of file that it may name, and the key that does."""


def write_out_names(document: Document) -> None:
    """`dram: NAME` is short for `dram: {device: NAME}`, and so for the energy table."""
    for section, (_, key) in NAMED_BY.items():
        name = document.data.get(section)
        if isinstance(name, str):
            document.data[section] = {key: name}
            document.origins[section, key] = document.origin((section,))


def inline(document: Document, section: str, folder: Path | None) -> None:
    """Put the file that the section names (by path from `folder`, or shipped) below the section's own keys, which win.

    A file that a setting names takes the place of the whole section: only what is set wins over it. Without one, a
    section that is complete, as in a saved configuration, needs no file. Where there is no such file the section is
    refused.
    """
    write_out_names(document)
    kind, key = NAMED_BY[section]
    own = document.data.get(section)
    if not isinstance(own, dict) or key not in own or document.is_refused((section, key)):
        return
    if not isinstance(own[key], str):
        document.refuse((section,), document.mistake((section, key), "text", kind_of(own[key])))
        return
    origin = document.origin((section, key))
    if origin.is_set:
        folder = origin.folder
        own = set_parts(document, own, (section,))
        document.origins = {
            path: origin for path, origin in document.origins.items() if path[:1] != (section,) or origin.is_set
        }
    elif _is_complete(own, section):
        return
    try:
        place = document.mistake((section, key), "", "")
        path, shown_as = find(own[key], kind, place=place, folder=folder)
        base = read(path, shown_as)
    except UserError as error:
        document.refuse((section,), *error.mistakes)
        return
    write_out(base, Machine, (section,))
    base.data[key] = path.stem
    drop_what_other_units_replace(base.data.get("timing"), own.get("timing"))
    document.data[section] = merged(base.data, {part: value for part, value in own.items() if part != key})
    document.origins[(section,)] = base.origins[()]
    for key_path, origin in base.origins.items():
        document.origins.setdefault((section, *key_path), origin)
    for key_path, mistakes in base.refused.items():
        here = (section, *key_path)
        document.refuse(here, *(replace(mistake, key=dotted(here)) for mistake in mistakes))


def _is_complete(own: dict[str, Any], section: str) -> bool:
    """True where a section has all keys that it needs."""
    models = sections_in(Machine.model_fields[section].annotation)
    return any(
        all(not field.is_required() or name in own for name, field in model.model_fields.items()) for model in models
    )
