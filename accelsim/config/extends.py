"""A machine that extends another: the keys of its file laid over those of the other one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from accelsim.config.inline import NAMED_BY, inline, write_out_names
from accelsim.config.machine import Machine
from accelsim.config.merge import drop_what_other_units_replace, merged
from accelsim.config.named import find
from accelsim.config.quantities import write_out
from accelsim.config.strict_yaml import Document, KeyPath, kind_of
from accelsim.errors import UserError

KEY = "extends"
MOST_DEEP = 16
"""Files of a chain, each of which extends the next."""
_OF_ITS_OWN = ("name", "description")
"""Keys that no machine takes from another."""


def extended(
    document: Document, folder: Path | None, reader: Callable[[Path, str], Document], below: tuple[Path, ...] = ()
) -> Document:
    """The document over all that it extends, quantities written out; `below` are the files that led here.

    folder: that of the document's file, below which paths have to lie. Raises UserError for a base that is none, or
    that extends this one in turn.
    """
    write_out(document, Machine)
    write_out_names(document)
    if KEY not in document.data:
        return document
    named = document.data.pop(KEY)
    if not isinstance(named, str):
        raise UserError([document.mistake((KEY,), "a machine file or the name of a shipped one", kind_of(named))])
    path, shown_as = find(named, "machines", place=document.mistake((KEY,), "", ""), folder=folder)
    if path.resolve() in below:
        raise UserError([document.mistake((KEY,), "a machine that does not extend this one in turn", named)])
    if len(below) >= MOST_DEEP:
        raise UserError([document.mistake((KEY,), f"a chain of at most {MOST_DEEP} files", "a longer one")])
    base = extended(reader(path, shown_as), path.parent, reader, (*below, path.resolve()))
    for section in NAMED_BY:
        inline(base, section, path.parent)
    return _over(base, document)


def _over(base: Document, own: Document) -> Document:
    """The own keys over those of the base, whose name is not taken, nor what it says of keys that are replaced."""
    for key in _OF_ITS_OWN:
        base.data.pop(key, None)
    for section, (_, key) in NAMED_BY.items():
        _make_room(base.data, own.data.get(section), section, key)
    said = base.data.get("sources")
    if isinstance(said, dict):
        base.data["sources"] = {key: text for key, text in said.items() if not _is_replaced(own.data, key.split("."))}
    kept = {
        path: origin
        for path, origin in base.origins.items()
        if _stands(base.data, path) and not _is_replaced(own.data, path)
    }
    refused = {path: found for path, found in base.refused.items() if _stands(base.data, path[:1])}
    return replace(own, data=merged(base.data, own.data), origins=kept | own.origins, refused=refused | own.refused)


def _make_room(base: dict[str, Any], own: Any, section: str, key: str) -> None:
    """A file that the own section names replaces the base's; a timing replaces one in another unit."""
    if isinstance(own, dict) and key in own:
        base.pop(section, None)
    elif isinstance(own, dict) and isinstance(base.get(section), dict):
        drop_what_other_units_replace(base[section].get("timing"), own.get("timing"))


def _is_replaced(own: Any, path: Sequence[str | int]) -> bool:
    """True where the file has something of its own at the path, or a value that is no mapping above it."""
    for part in path:
        if not isinstance(own, dict):
            return True
        if part not in own:
            return False
        own = own[part]
    return True


def _stands(data: Any, path: KeyPath) -> bool:
    for part in path:
        parts = dict(enumerate(data)) if isinstance(data, list) else data
        if not isinstance(parts, dict) or part not in parts:
            return False
        data = parts[part]
    return True
