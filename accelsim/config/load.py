"""From a name or path to a resolved, validated configuration: find, read, merge, override, validate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from accelsim.config import dram
from accelsim.config.accuracy import add_published
from accelsim.config.area_table import AreaTable
from accelsim.config.derived import derive
from accelsim.config.energy_table import EnergyTable
from accelsim.config.extends import KEY as EXTENDS
from accelsim.config.extends import extended
from accelsim.config.families import FAMILIES, broken_rules
from accelsim.config.inline import NAMED_BY, inline, write_out_names
from accelsim.config.kinds import LISTED, data_root
from accelsim.config.machine import Machine, inconsistencies
from accelsim.config.merge import laid_over, section_alone
from accelsim.config.named import Kind, find
from accelsim.config.places import is_file
from accelsim.config.quantities import write_out, write_out_rates, written_out
from accelsim.config.scheduling import Mapping, Scheduling, Target
from accelsim.config.schema import Section, validate
from accelsim.config.strict_yaml import Document, KeyPath, Origin, dotted, kind_of, parse, read, scalar
from accelsim.config.variants import variant
from accelsim.config.workload import NetworkFile, Workload
from accelsim.errors import ARGUMENTS, Mistake, Mistakes, UserError, shorten, suggestion

Reader = Callable[[Path, str], Document]
"""From a file, and how messages call it, to its document. Raises UserError."""

MACHINE_SECTIONS = tuple(
    name for name in Machine.model_fields if name not in {"name", "description", "caches", "sources"}
)
"""Keys of a machine file below which keys are set one by one."""
TARGET_SECTIONS = (*MACHINE_SECTIONS, "scheduling")
SECTIONS = (*TARGET_SECTIONS, "network")
_SAID_OF_IT = ("expect", "accuracy")
"""Keys of a network that say what is known of it. They hold for this network alone, for any batch."""


@dataclass(frozen=True, slots=True)
class Override:
    """A value that replaces that of a key, and where it was asked for.

    folder: that of the file that asks for it, or None where the user does.
    """

    path: KeyPath
    value: Any
    file: str
    line: int
    folder: Path | None = None


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
    path = key_path(key.strip(), sections)
    if not equals or not path:
        expected = f"KEY=VALUE with a key below {', '.join(sections)}"
        raise UserError([Mistake(ARGUMENTS, position, "settings", expected, shorten(text))])
    try:
        return Override(path, value_of(value.strip()), ARGUMENTS, position)
    except ValueError as error:
        raise UserError([Mistake(ARGUMENTS, position, dotted(path), str(error), shorten(value.strip()))]) from None


def key_path(key: str, sections: Sequence[str] = SECTIONS) -> tuple[str, ...]:
    """The parts of a dotted key that is below one of the sections; nothing where it is not."""
    parts = tuple(key.split("."))
    return parts if all(parts) and parts[0] in sections and parts != ("network",) else ()


def load_target(
    name_or_path: str, overrides: Sequence[Override] = (), mapping: str | Document | None = None, reader: Reader = read
) -> Target:
    """A machine with its DRAM device and energy table inlined, and its scheduling.

    Keys of the mapping file win over those of the machine's, and `overrides` over both.
    Raises UserError, with every mistake of all the files.
    """
    document, folder = machine_document(name_or_path, reader)
    return resolved_target(document, overrides, folder, mapping)


def machine_document(name_or_path: str, reader: Reader = read) -> tuple[Document, Path]:
    """A machine's file over all that it extends, and its folder; without a name of its own it has the file's.

    Raises UserError.
    """
    path, shown_as = find(name_or_path, "machines")
    document = reader(path, shown_as)
    if EXTENDS in document.data and "name" not in document.data:
        document.data["name"] = path.stem
        document.derived["name",] = "name of the file"
    return extended(document, path.parent, reader, (path.resolve(),)), path.parent


def load_machine(name_or_path: str, overrides: Sequence[Override] = (), reader: Reader = read) -> Machine:
    """The machine of `load_target`. Raises UserError."""
    return load_target(name_or_path, overrides, None, reader).machine


def resolved_target(
    document: Document, overrides: Sequence[Override], folder: Path | None, mapping: str | Document | None = None
) -> Target:
    """The target of a document as written; what it names by path lies below `folder`, if it has one. mapping: a file,
    or what would stand in one.

    Raises UserError.
    """
    mistakes = Mistakes()
    with mistakes:
        scheduling = _scheduling(document, overrides, mapping)
    with mistakes:
        document.data.pop("scheduling", None)
        apply_overrides(document, _whole(_below(overrides, MACHINE_SECTIONS), mistakes))
        for section in NAMED_BY:
            inline(document, section, folder)
        write_out_rates(document)
        derive(document)
        machine = machine_of(document)
    mistakes.raise_any()
    return Target(machine, scheduling)


def _scheduling(document: Document, overrides: Sequence[Override], mapping: str | Document | None) -> Scheduling:
    """The scheduling section of a machine's document, of a mapping over it, and of overrides. Raises UserError."""
    section = section_alone(document, "scheduling")
    if mapping is not None:
        section = laid_over(section, read(Path(mapping), mapping) if isinstance(mapping, str) else mapping)
    apply_overrides(section, _below(overrides, ("scheduling",)))
    document.origins.update(section.origins)
    scheduling = validate(Mapping, section).scheduling
    if scheduling.plan is not None:
        scheduling.plan.written_in(section, ("scheduling", "plan"))
    return scheduling


def resolved_scheduling(document: Document) -> Scheduling:
    """The scheduling section that a document is. Raises UserError."""
    scheduling = validate(Scheduling, document)
    if scheduling.plan is not None:
        scheduling.plan.written_in(document, ("plan",))
    return scheduling


def _whole(overrides: Iterable[Override], mistakes: Mistakes) -> Iterator[Override]:
    """Overrides with whole keys and plain numbers; `mistakes` takes units that are wrong."""
    for each in overrides:
        with mistakes:
            try:
                path, value = written_out(each.path, each.value, Machine)
            except ValueError as error:
                wrong = Mistake(each.file, each.line, dotted(each.path), str(error), shorten(each.value))
                raise UserError([wrong]) from None
            yield replace(each, path=path, value=value)


def _below(overrides: Iterable[Override], sections: Sequence[str]) -> list[Override]:
    return [override for override in overrides if override.path[0] in sections]


def machine_of(document: Document) -> Machine:
    """The machine of a resolved document. Raises UserError."""
    machine = validate(Machine, document)
    mistakes = [document.mistake(*found) for found in inconsistencies(machine)]
    if mistakes:
        raise UserError(mistakes)
    return machine


def load_energy_table(name_or_path: str) -> EnergyTable:
    """An energy table. Raises UserError."""
    return validate(EnergyTable, _table("energy", name_or_path))


def load_area_table(name_or_path: str) -> AreaTable:
    """An area table. Raises UserError."""
    return validate(AreaTable, _table("area", name_or_path))


def _table(kind: Kind, name_or_path: str) -> Document:
    place = Mistake(ARGUMENTS, 0, f"{kind}_table", "", "")
    path, shown_as = find(name_or_path, kind, place=place)
    document = read(path, shown_as)
    write_out(document, Machine, (kind,))
    document.data["table"] = path.stem
    return document


def load_mapping(path: str) -> Mapping:
    """A mapping file. Raises UserError."""
    return validate(Mapping, read(Path(path), path))


def configured_target(
    name_or_path: str, settings: Iterable[tuple[int, str]], mapping: str | None = None, reader: Reader = read
) -> Target:
    """The target of a file with `(position, "key=value")` settings applied; no network can be set.

    Raises UserError, with the mistakes of settings and files.
    """
    return traced_target(name_or_path, settings, mapping, reader)[0]


def traced_target(
    name_or_path: str, settings: Iterable[tuple[int, str]], mapping: str | None = None, reader: Reader = read
) -> tuple[Target, Document]:
    """The target of `configured_target`, and the document that says where its values are from. Raises UserError."""
    mistakes = Mistakes()
    overrides = parse_overrides(settings, TARGET_SECTIONS, mistakes)
    with mistakes:
        document, folder = machine_document(name_or_path, reader)
        target = resolved_target(document, overrides, folder, mapping)
    mistakes.raise_any()
    return target, document


class _DramAlone(Section):
    """A DRAM device without a machine around it."""

    dram: dram.DramDevice


def load_dram(name_or_path: str, settings: Iterable[tuple[int, str]] = ()) -> dram.IdealDevice | dram.CommandDevice:
    """A DRAM device with `(position, "key=value")` settings applied; nothing but its keys can be set.

    Raises UserError, with the mistakes of settings and file.
    """
    mistakes = Mistakes()
    overrides = parse_overrides(settings, ("dram",), mistakes)
    document = Document({"dram": {"device": name_or_path}}, {(): Origin(ARGUMENTS, 0)})
    with mistakes:
        apply_overrides(document, _whole(overrides, mistakes))
        inline(document, "dram", None)
        write_out_rates(document)
        device = validate(_DramAlone, document).dram
        found = [document.mistake(("dram", *key), *words) for key, *words in dram.broken_rules(device)]
        if found:
            raise UserError(found)
    mistakes.raise_any()
    return device


def load_workload(
    name_or_path: str, overrides: Sequence[Override] = (), reader: Reader = read
) -> tuple[NetworkFile, Document]:
    """A network file or variant as written, `network.*` overrides applied, and the document for later messages.

    What the file says of the network, its accuracy and what it expects, is dropped where an override makes it another
    network. Raises UserError.
    """
    return configured_workload(_network_document(name_or_path, reader), overrides)


def load_network_file(name_or_path: str) -> NetworkFile:
    """A network file or variant. Raises UserError."""
    return load_workload(name_or_path)[0]


def configured_workload(document: Document, overrides: Sequence[Override] = ()) -> tuple[NetworkFile, Document]:
    """The network of a document, as `load_workload` gives it. Raises UserError."""
    ours = [override for override in overrides if override.path[0] == "network"]
    if any(override.path[1] not in ("batch", *_SAID_OF_IT) for override in ours):
        for key in _SAID_OF_IT:
            _forget(document, key)
    apply_overrides(document, ours, root=("network",))
    return workload_of(document), document


def workload_of(document: Document) -> NetworkFile:
    """The network file in a document. Raises UserError."""
    workload = validate(_network_model(document), document)
    mistakes = [document.mistake(*found) for found in broken_rules(workload)]
    if mistakes:
        raise UserError(mistakes)
    return workload


def _forget(document: Document, key: str) -> None:
    """Take a key of the top out of the document."""
    document.data.pop(key, None)
    _forget_origins(document, (key,))


def _forget_origins(document: Document, above: KeyPath) -> None:
    """Drop the origins of a key and all below it."""
    for path in [path for path in document.origins if path[: len(above)] == above]:
        del document.origins[path]


def is_variant(name_or_path: str) -> bool:
    """True for the name of a network of a family that is no file."""
    return not is_file(Path(name_or_path)) and variant(name_or_path) is not None


def _network_document(name_or_path: str, reader: Reader) -> Document:
    parameters = variant(name_or_path)
    if parameters is not None and is_variant(name_or_path):
        document = Document(parameters, {(): Origin(name_or_path, 0)})
        add_published(document, data_root() / LISTED["networks"].folder)
        return document
    path, shown_as = find(name_or_path, "networks")
    return reader(path, shown_as)


def _network_model(document: Document) -> type[NetworkFile]:
    """The model that reads the file: rows, or the parameters of a family. Raises UserError."""
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
        origin = Origin(override.file, override.line, root, is_set=True, folder=override.folder)
        path = override.path[len(root) :]
        write_out_names(document)
        try:
            _put(document, path, deepcopy(override.value), origin)
        except ValueError as error:
            key, got = dotted(override.path), shorten(str(override.value))
            document.refuse(path, Mistake(override.file, override.line, key, str(error), got))


def value_of(text: str) -> Any:
    """A scalar, a list written as `[1, 2]`, or a mapping written as `{a: 1}`. Raises ValueError."""
    expected = {"[": "a list such as [1, 2]", "{": "a mapping such as {a: 1}"}.get(text[:1])
    if expected is None:
        return scalar(text)
    try:
        document = parse(f"value: {text}", ARGUMENTS)
    except UserError as error:
        raise ValueError(expected) from error
    if document.refused:
        raise ValueError(expected)
    return document.data["value"]


def _put(document: Document, path: KeyPath, value: Any, origin: Origin) -> None:
    """Raises ValueError where a key leads through something that has no keys."""
    data: Any = document.data
    for depth, part in enumerate(path, 1):
        if not isinstance(data, dict):
            raise ValueError(f"a key, and {dotted((*origin.root, *path[: depth - 1]))} has none")
        if depth == len(path):
            data[part] = value
            _forget_origins(document, path)
            document.origins[path] = origin
        else:
            document.origins.setdefault(path[:depth], origin)
            data = data.setdefault(part, {})
