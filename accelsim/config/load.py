"""From a name or path to a resolved, validated configuration: find, read, merge, override, validate."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from accelsim.config.machine import Machine, inconsistencies
from accelsim.config.schema import validate
from accelsim.config.strict_yaml import Document, KeyPath, Origin, read, scalar
from accelsim.config.workload import Workload
from accelsim.errors import Mistake, UserError

Kind = Literal["networks", "machines", "dram", "energy"]

FOLDERS: dict[Kind, str] = {
    "networks": "workloads",
    "machines": "hwconfigs",
    "dram": "hwconfigs/dram",
    "energy": "hwconfigs/energy",
}
_SINGULAR: dict[Kind, str] = {
    "networks": "network",
    "machines": "machine",
    "dram": "DRAM device",
    "energy": "energy table",
}
_PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Override:
    """One `--set key=value`, and where on the command line it stands."""

    path: KeyPath
    text: str
    position: int


def data_root() -> Path:
    """The folder that holds `hwconfigs` and `workloads`: the packaged copy if there is one, else the checkout."""
    packaged = _PACKAGE / "data"
    return packaged if packaged.is_dir() else _PACKAGE.parent


def shipped(kind: Kind) -> list[str]:
    """Names of the shipped files of a kind, sorted."""
    return sorted(path.stem for path in (data_root() / FOLDERS[kind]).glob("*.yaml"))


def find(kind: Kind, name_or_path: str, asked: Mistake | None = None) -> tuple[Path, str]:
    """The file of that path or shipped name, and how messages call it.

    Raises UserError, placed where `asked` says.
    """
    path = Path(name_or_path)
    if path.is_file():
        return path, name_or_path
    if re.fullmatch(r"[A-Za-z0-9_.+-]+", name_or_path):
        candidate = data_root() / FOLDERS[kind] / f"{name_or_path}.yaml"
        if candidate.is_file():
            return candidate, f"{FOLDERS[kind]}/{name_or_path}.yaml"
    close = difflib.get_close_matches(name_or_path, shipped(kind), n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    expected = f"a file or the name of a shipped {_SINGULAR[kind]}{hint}"
    place = asked or Mistake("command-line", 0, _SINGULAR[kind], "", "")
    raise UserError([Mistake(place.file, place.line, place.key, expected, repr(name_or_path))])


def parse_overrides(texts: Iterable[tuple[int, str]]) -> list[Override]:
    """Overrides from `(position, "key=value")` pairs.

    Raises UserError.
    """
    overrides: list[Override] = []
    mistakes: list[Mistake] = []
    for position, text in texts:
        key, equals, value = text.partition("=")
        parts = tuple(key.strip().split("."))
        if not equals or not all(parts) or parts[0] not in SECTIONS:
            expected = f"KEY=VALUE with a key below {', '.join(SECTIONS)}"
            mistakes.append(Mistake("command-line", position, "--set", expected, repr(text)))
            continue
        overrides.append(Override(parts, value.strip(), position))
    if mistakes:
        raise UserError(mistakes)
    return overrides


SECTIONS = ("array", "vector", "sram", "dma", "dram", "energy", "scheduling", "network")


def load_machine(name_or_path: str, overrides: Sequence[Override] = ()) -> Machine:
    """A machine with its DRAM device and energy table inlined and `overrides` applied.

    Raises UserError, with every mistake of all the files.
    """
    path, shown_as = find("machines", name_or_path)
    document = read(path, shown_as)
    ours = [override for override in overrides if override.path[0] != "network"]
    apply_overrides(document, ours)
    inline(document, "dram", "dram", "device")
    inline(document, "energy", "energy", "table")
    machine = validate(Machine, document)
    mistakes = [document.mistake(*found) for found in inconsistencies(machine)]
    if mistakes:
        raise UserError(mistakes)
    return machine


def load_workload(name_or_path: str, overrides: Sequence[Override] = ()) -> tuple[Workload, Document]:
    """A workload as written, `network.*` overrides applied, and the document for later messages.

    Raises UserError.
    """
    path, shown_as = find("networks", name_or_path)
    document = read(path, shown_as)
    ours = [
        Override(override.path[1:], override.text, override.position)
        for override in overrides
        if override.path[0] == "network"
    ]
    apply_overrides(document, ours)
    return validate(Workload, document), document


def apply_overrides(document: Document, overrides: Iterable[Override]) -> None:
    """Write the overrides into the document, as if they stood in its file.

    Raises UserError where a key leads through something that has no keys.
    """
    mistakes: list[Mistake] = []
    for override in overrides:
        origin = Origin("command-line", override.position)
        try:
            value = scalar(override.text)
        except ValueError as error:
            mistakes.append(_override_mistake(override, str(error), repr(override.text)))
            continue
        if not _put(document, override.path, value, origin):
            mistakes.append(_override_mistake(override, "a key of a mapping", repr(override.text)))
    if mistakes:
        raise UserError(mistakes)


def _override_mistake(override: Override, expected: str, got: str) -> Mistake:
    return Mistake("command-line", override.position, ".".join(map(str, override.path)), expected, got)


def _put(document: Document, path: KeyPath, value: Any, origin: Origin) -> bool:
    data: Any = document.data
    for depth, part in enumerate(path[:-1]):
        if not isinstance(data, dict):
            return False
        document.origins.setdefault(path[: depth + 1], origin)
        data = data.setdefault(part, {})
    if not isinstance(data, dict):
        return False
    data[path[-1]] = value
    document.origins[path] = origin
    return True


def inline(document: Document, section: str, kind: Kind, name_key: str) -> None:
    """Put the file that `section.name_key` names below the section's own keys, which win."""
    own = document.data.get(section)
    if isinstance(own, str):
        own = {name_key: own}
    if not isinstance(own, dict) or not isinstance(own.get(name_key), str):
        return
    place = document.mistake((section, name_key), "", "")
    if _is_complete(own, section) and own[name_key] not in shipped(kind):
        return
    path, shown_as = find(kind, own[name_key], asked=place)
    base = read(path, shown_as)
    base.data[name_key] = path.stem
    own.pop(name_key)
    document.data[section] = _merge(base.data, own)
    for key_path, origin in base.origins.items():
        document.origins.setdefault((section, *key_path), origin)


def _is_complete(own: dict[str, Any], section: str) -> bool:
    """Whether a saved, resolved section needs no file any more."""
    model = Machine.model_fields[section].annotation
    assert model is not None
    return all(not field.is_required() or name in own for name, field in model.model_fields.items())


def _merge(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in own.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merge(merged[key], value)
        else:
            merged[key] = value
    return merged
