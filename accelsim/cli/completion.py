"""Completion of commands, options, names and keys in bash, zsh and fish, by argcomplete.

The shell asks `accelsim` itself, with `_ARGCOMPLETE` set: `eval "$(register-python-argcomplete accelsim)"`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any, get_origin

from accelsim.config.kinds import KINDS

NAMED = {kind.metavar: kind.listed for kind in KINDS.values() if kind.metavar}
"""Metavars of arguments that are names of a kind, or files."""
KEYED = ("KEY=VALUE", "KEY=VALUE,...")

Completer = Callable[..., list[str]]


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer the shell and leave, if it is the shell that asks."""
    import argcomplete

    for action in _actions(parser):
        if completer := _completer(action):
            action.completer = completer  # type: ignore[attr-defined]  # where argcomplete looks
    argcomplete.autocomplete(parser)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _actions(below)


def _completer(action: argparse.Action) -> Completer | None:
    metavar, words = str(action.metavar), getattr(action.type, "words", None)
    if words is not None:
        return lambda **_: list(words)
    if metavar in NAMED:
        return lambda prefix, **_: [*_names(NAMED[metavar]), *_files(prefix)]
    if metavar in KEYED:
        return lambda **_: [f"{key}=" for key in keys()]
    return None


def _names(kind: str) -> list[str]:
    from accelsim.config.named import names

    return names(kind)


def _files(prefix: str) -> list[str]:
    from argcomplete.completers import FilesCompleter

    return list(FilesCompleter()(prefix))


def keys() -> list[str]:
    """Keys that can be set: those of a machine and a mapping that have none below them, and those of all networks."""
    from accelsim.config.load import SECTIONS
    from accelsim.config.machine import Machine
    from accelsim.config.scheduling import Mapping
    from accelsim.config.workload import NetworkFile

    of_networks = [f"network.{key}" for key in _below(NetworkFile)]
    every = (*_below(Machine), *_below(Mapping), *of_networks)
    return sorted({key for key in every if "." in key and key.partition(".")[0] in SECTIONS})


def _below(annotation: Any, path: str = "") -> Iterator[str]:
    """The keys of the sections that an annotation is made of; of a mapping with free keys only its own."""
    from accelsim.config.schema import sections_in

    sections = sections_in(annotation)
    if not sections or get_origin(annotation) is dict:
        yield path
        return
    for section in sections:
        for name, field in section.model_fields.items():
            yield from _below(field.annotation, f"{path}.{name}" if path else name)
