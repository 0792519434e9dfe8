"""Networks and machines, by name, from files of any kind, or written in Python: the same keys, checks and mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from os import PathLike, fspath
from typing import Any

from accelsim import importers
from accelsim.config import load as config
from accelsim.config.extends import extended
from accelsim.config.load import Override, configured_workload, resolved_target
from accelsim.config.machine import Machine
from accelsim.config.resolved import as_config
from accelsim.config.scheduling import Target
from accelsim.config.strict_yaml import Document, KeyPath, Origin, kind_of, odd_character
from accelsim.config.workload import NetworkFile
from accelsim.errors import ARGUMENTS, Mistake, UserError
from accelsim.importers import ModelOptions
from accelsim.network.build import build
from accelsim.network.graph import Network

NetworkLike = str | PathLike[str] | NetworkFile
"""Beside a PyTorch module, whose type is not known here."""
MachineLike = str | PathLike[str] | Machine | Target
MappingLike = str | PathLike[str] | Mapping[str, Any]
"""A mapping file, or what would stand in one."""


def define_network(keys: Mapping[str, Any]) -> NetworkFile:
    """A network from what would stand in its file (docs/keys.md), for `simulate`.

    Raises UserError, with all mistakes, each as `network:0: layers.2.kernel: expected ..., got ...`.
    """
    return build_network(_document(keys, "network"))[0]


def define_machine(keys: Mapping[str, Any]) -> Target:
    """A machine and its scheduling from what would stand in its file (docs/keys.md), for `simulate`.

    `dram` and `energy` may be names, and `extends` that of a machine whose keys are taken where these have none.

    Raises UserError, with all mistakes, each as `machine:0: array.rows: expected ..., got ...`.
    """
    return resolved_target(extended(_document(keys, "machine"), None, importers.read), (), None)


def load_network(
    network: NetworkLike | Any, overrides: Sequence[Override] = (), options: ModelOptions = importers.PLAIN
) -> tuple[NetworkFile, Network]:
    """A network as its file says and as a graph. What it expects is checked unless layers or input were overridden.

    options: of a model of another tool, or a PyTorch module. Raises UserError.
    """
    if importers.is_module(network):
        return build_network(importers.read_module(network, options), overrides)
    if isinstance(network, NetworkFile):
        return build_network(_document(as_config(network), "network"), overrides)
    reader = partial(importers.read, options=options)
    workload, document = config.load_workload(fspath(network), overrides, reader)
    return workload, build(workload, document)


def load_target(machine: MachineLike, overrides: Sequence[Override] = (), mapping: MappingLike | None = None) -> Target:
    """A machine and its scheduling, with the keys of a mapping and overrides. Raises UserError."""
    over = None if mapping is None else _mapping(mapping)
    if isinstance(machine, Machine):
        machine = Target(machine)
    if isinstance(machine, Target):
        keys = {**as_config(machine.machine), "scheduling": as_config(machine.scheduling)}
        return resolved_target(_document(keys, "machine"), overrides, None, over)
    return config.load_target(fspath(machine), overrides, over, importers.read)


def _mapping(mapping: MappingLike) -> str | Document:
    match mapping:
        case str() | PathLike():
            return fspath(mapping)
        case Mapping():
            document = _document(mapping, "mapping")
            document.origins |= dict.fromkeys(_paths(document.data, ()), document.origins[()])
            return document
        case _:
            raise UserError([Mistake(ARGUMENTS, 0, "mapping", "a path, or a mapping of keys", kind_of(mapping))])


def build_network(document: Document, overrides: Sequence[Override] = ()) -> tuple[NetworkFile, Network]:
    """The network of a document, as its file says and as a graph. Raises UserError."""
    workload, document = configured_workload(document, overrides)
    return workload, build(workload, document)


def _document(keys: Mapping[str, Any], what: str) -> Document:
    document = Document(plain(keys), {(): Origin(what, 0)})
    for path, odd in _odd_texts(document.data, ()):
        document.refuse(path, document.mistake(path, "text without control characters", odd))
    return document


def _paths(value: Any, path: KeyPath) -> Iterator[KeyPath]:
    """All paths of keys and places."""
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*path, key)
            yield from _paths(part, (*path, key))


def _odd_texts(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """(where, which) of characters that no file could have."""
    match value:
        case str():
            if odd := odd_character(value):
                yield path, odd
        case dict() | list():
            for key, part in value.items() if isinstance(value, dict) else enumerate(value):
                yield from _odd_texts(part, (*path, key))


def plain(value: Any) -> Any:
    """A value such as YAML would give: dicts, lists and scalars."""
    match value:
        case Mapping():
            return {key: plain(part) for key, part in value.items()}
        case list() | tuple():
            return [plain(part) for part in value]
        case PathLike():
            return fspath(value)
        case _:
            return value
