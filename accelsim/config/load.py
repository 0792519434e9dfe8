"""From a name or path to a resolved, validated configuration: find, read, merge, override, validate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from accelsim.config.families import FAMILIES, broken_rules
from accelsim.config.machine import Machine, inconsistencies
from accelsim.config.schema import validate
from accelsim.config.strict_yaml import Document, KeyPath, Origin, dotted, kind_of, parse, read, scalar
from accelsim.config.variants import NAMES, variant
from accelsim.config.workload import NetworkFile, Workload
from accelsim.errors import Mistake, Mistakes, UserError, shorten, suggestion

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
_NAMED_BY: dict[str, tuple[Kind, str]] = {"dram": ("dram", "device"), "energy": ("energy", "table")}
MACHINE_SECTIONS = ("array", "vector", "sram", "dma", "dram", "energy", "scheduling")
SECTIONS = (*MACHINE_SECTIONS, "network")
_COMMAND_LINE = "command-line"
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


def find(name_or_path: str, *kinds: Kind, asked: Mistake | None = None, folder: Path | None = None) -> tuple[Path, str]:
    """The file of that path, or shipped name of one of the kinds, and how messages call it.

    folder: what a relative path is relative to, if not to the working directory.
    Raises UserError, placed where `asked` says.
    """
    path = folder / name_or_path if folder else Path(name_or_path)
    if _is_file(path):
        return path, str(path) if folder else name_or_path
    for kind in kinds:
        if name_or_path in shipped(kind):
            shown_as = f"{FOLDERS[kind]}/{name_or_path}.yaml"
            return data_root() / shown_as, shown_as
    what = " or ".join(_SINGULAR[kind] for kind in kinds)
    known = [name for kind in kinds for name in shipped(kind)] + list(NAMES if "networks" in kinds else ())
    expected = f"a file or the name of a shipped {what}{suggestion(name_or_path, known)}"
    place = asked or Mistake(_COMMAND_LINE, 0, what if len(kinds) == 1 else "name", "", "")
    raise UserError([Mistake(place.file, place.line, place.key, expected, shorten(name_or_path))])


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def parse_overrides(
    texts: Iterable[tuple[int, str]], sections: Sequence[str] = SECTIONS, mistakes: Mistakes | None = None
) -> list[Override]:
    """Overrides from `(position, "key=value")` pairs.

    Raises UserError for those that are none, unless there are `mistakes` to take it.
    """
    found = mistakes or Mistakes()
    overrides: list[Override] = []
    for position, text in texts:
        with found:
            overrides.append(_override(position, text, sections))
    if mistakes is None:
        found.raise_any()
    return overrides


def _override(position: int, text: str, sections: Sequence[str]) -> Override:
    key, equals, value = text.partition("=")
    parts = tuple(key.strip().split("."))
    if not equals or not all(parts) or parts[0] not in sections or parts == ("network",):
        expected = f"KEY=VALUE with a key below {', '.join(sections)}"
        raise UserError([Mistake(_COMMAND_LINE, position, "--set", expected, shorten(text))])
    return Override(parts, value.strip(), position)


def load_machine(name_or_path: str, overrides: Sequence[Override] = ()) -> Machine:
    """A machine with its DRAM device and energy table inlined and `overrides` applied.

    Raises UserError, with every mistake of all the files.
    """
    path, shown_as = find(name_or_path, "machines")
    document = read(path, shown_as)
    apply_overrides(document, [override for override in overrides if override.path[0] != "network"])
    for section in _NAMED_BY:
        inline(document, section, path.parent)
    machine = validate(Machine, document)
    mistakes = [document.mistake(*found) for found in inconsistencies(machine)]
    if mistakes:
        raise UserError(mistakes)
    return machine


def configured_machine(name_or_path: str, settings: Iterable[tuple[int, str]]) -> Machine:
    """A machine with `(position, "key=value")` settings applied; nothing but a machine can be set.

    Raises UserError, with the mistakes of settings and files.
    """
    mistakes = Mistakes()
    overrides = parse_overrides(settings, MACHINE_SECTIONS, mistakes)
    with mistakes:
        machine = load_machine(name_or_path, overrides)
    mistakes.raise_any()
    return machine


def load_workload(name_or_path: str, overrides: Sequence[Override] = ()) -> tuple[NetworkFile, Document]:
    """A network file or variant as written, `network.*` overrides applied, and the document for later messages.

    What it expects is dropped where layers or input were overridden. Raises UserError.
    """
    document = _network_document(name_or_path)
    ours = [override for override in overrides if override.path[0] == "network"]
    apply_overrides(document, ours, root=("network",))
    workload = validate(_network_model(document), document)
    mistakes = [document.mistake(*found) for found in broken_rules(workload)]
    if mistakes:
        raise UserError(mistakes)
    if any(override.path != ("network", "batch") for override in ours):
        workload = workload.model_copy(update={"expect": None})
    return workload, document


def is_variant(name_or_path: str) -> bool:
    """Whether this is the name of a network of a family, and not a file."""
    return not _is_file(Path(name_or_path)) and variant(name_or_path) is not None


def _network_document(name_or_path: str) -> Document:
    parameters = variant(name_or_path)
    if parameters is not None and is_variant(name_or_path):
        return Document(parameters, {(): Origin(name_or_path, 0)})
    path, shown_as = find(name_or_path, "networks")
    return read(path, shown_as)


def _network_model(document: Document) -> type[NetworkFile]:
    """How the file is to be read: as rows, or as parameters of a family. Raises UserError."""
    family = document.data.get("family")
    if "family" not in document.data:
        return Workload
    if not isinstance(family, str) or family not in FAMILIES:
        expected = f"one of {', '.join(FAMILIES)}{suggestion(str(family), FAMILIES)}"
        raise UserError([document.mistake(("family",), expected, kind_of(family))])
    return FAMILIES[family]


def apply_overrides(document: Document, overrides: Iterable[Override], root: KeyPath = ()) -> None:
    """Write the overrides into the document, as if they stood in its file; `root` is the part of their keys above it.

    What can't be written is refused: `validate` will raise it.
    """
    for override in overrides:
        origin = Origin(_COMMAND_LINE, override.position, root)
        path = override.path[len(root) :]
        _write_out_names(document)
        try:
            _put(document, path, _value(override.text), origin)
        except ValueError as error:
            place = Mistake(_COMMAND_LINE, override.position, dotted(override.path), str(error), shorten(override.text))
            document.refuse(path, place)


def _value(text: str) -> Any:
    """A scalar, or a list written as `[1, 2]`. Raises ValueError."""
    if not text.startswith("["):
        return scalar(text)
    try:
        document = parse(f"value: {text}", _COMMAND_LINE)
    except UserError as error:
        raise ValueError("a list such as [1, 2]") from error
    if document.refused:
        raise ValueError("a list such as [1, 2]")
    return document.data["value"]


def _put(document: Document, path: KeyPath, value: Any, origin: Origin) -> None:
    """Raises ValueError where a key leads through something that has no keys."""
    data: Any = document.data
    for depth, part in enumerate(path, 1):
        if not isinstance(data, dict):
            raise ValueError(f"a key, and {dotted((*origin.root, *path[: depth - 1]))} has none")
        if depth == len(path):
            data[part] = value
            document.origins[path] = origin
        else:
            document.origins.setdefault(path[:depth], origin)
            data = data.setdefault(part, {})


def _write_out_names(document: Document) -> None:
    """`dram: NAME` is short for `dram: {device: NAME}`, and so for the energy table."""
    for section, (_, key) in _NAMED_BY.items():
        name = document.data.get(section)
        if isinstance(name, str):
            document.data[section] = {key: name}
            document.origins[section, key] = document.origin((section,))


def inline(document: Document, section: str, folder: Path) -> None:
    """Put the file that the section names (by path from `folder`, or shipped) below the section's own keys, which win.

    A section that is complete, as in a saved configuration, needs no file, unless the command line names another one.
    Where there is no such file the section is refused.
    """
    _write_out_names(document)
    kind, key = _NAMED_BY[section]
    own = document.data.get(section)
    if not isinstance(own, dict) or key not in own or document.is_refused((section, key)):
        return
    if not isinstance(own[key], str):
        document.refuse((section,), document.mistake((section, key), "text", kind_of(own[key])))
        return
    asked_by_command = _is_set(document, (section, key))
    if _is_complete(own, section):
        if not asked_by_command:
            return
        own = {part: value for part, value in own.items() if _is_set(document, (section, part))}
    try:
        place = document.mistake((section, key), "", "")
        path, shown_as = find(own[key], kind, asked=place, folder=None if asked_by_command else folder)
        base = read(path, shown_as)
    except UserError as error:
        document.refuse((section,), *error.mistakes)
        return
    base.data[key] = path.stem
    document.data[section] = _merge(base.data, {part: value for part, value in own.items() if part != key})
    document.origins[(section,)] = base.origins[()]
    for key_path, origin in base.origins.items():
        document.origins.setdefault((section, *key_path), origin)
    for key_path, mistakes in base.refused.items():
        here = (section, *key_path)
        document.refuse(here, *(replace(mistake, key=dotted(here)) for mistake in mistakes))


def _is_set(document: Document, path: KeyPath) -> bool:
    return document.origin(path).file == _COMMAND_LINE


def _is_complete(own: dict[str, Any], section: str) -> bool:
    """Whether a section has all keys that it needs."""
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
